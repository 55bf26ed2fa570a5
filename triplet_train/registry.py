"""Names that a configuration or a command accepts, and their properties.

A line here makes a name known to the schema, `--schema`, `--help` and every error message. Each
name is also that of the module that implements it, which is imported at first use. This module
imports only the standard library. CONTRIBUTING.md shows how to add a name.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple


class Strategy(NamedTuple):
    """Properties of a mining strategy.

    Attributes:
        meaning: the triplets that it uses, in a few words.
        options: keys of `loss` that it takes in addition to margin and distance.
    """

    meaning: str
    options: tuple[str, ...] = ()


# losses/NAME.py has `triplet_NAME_statistics`; see losses/mining/strategy.py.
STRATEGIES = {
    "semi_hard": Strategy("each positive pair with the nearest negative beyond the positive"),
    "hard": Strategy(
        "each anchor with its farthest positive and its nearest negative",
        options=("soft", "warmup_steps"),
    ),
    "easy_positive": Strategy(
        "each anchor with its nearest positive and the nearest negative beyond that"
    ),
    "batch_all": Strategy("every triplet of the batch"),
    "naive": Strategy("one random positive and one random negative per anchor"),
}

# data/sources/NAME.py has `source`; see data/source.py. Each name with the content of data.path.
# Any other name is that of a TFDS data set.
SOURCES = {
    "image_folder": "<path>/<split>/<class>/* or <path>/<class>/*",
    "table": "a .csv, .tsv, .jsonl or .parquet file with the path and label of each image",
}


# evaluation/metrics.py has the entry of each. The names of others end in a number that the
# configuration gives; see `metric_names`.
METRICS = ("r_precision", "map_at_r", "map", "mrr", "minp", "knn_accuracy", "nmi", "roc_auc", "eer")
LOWER_IS_BETTER = ("eer",)


class Format(NamedTuple):
    """Properties of a format of embeddings.

    Attributes:
        meaning: a description in a few words.
        readable: True if commands can read it; the suffix of a file is then the name of the format.
        entries: names of the files in it, if it is a folder. The first always exists.
        in_tensorboard: a run exports it to tensorboard/, since TensorBoard opens nothing outside
            the folder of its settings.
        dtypes: types in which it can hold the vectors; the first is the default.
    """

    meaning: str
    readable: bool = True
    entries: tuple[str, ...] = ()
    in_tensorboard: bool = False
    dtypes: tuple[str, ...] = ("float32",)

    @property
    def folder(self) -> bool:
        """True for a folder, False for a file."""
        return bool(self.entries)


# embeddings/formats/NAME.py has `writer` and, if it is readable, `read`. One that needs a list of
# all exports in a folder has `list_exports`. See embeddings/files.py.
FORMATS = {
    "parquet": Format(
        "a table, for pandas, DuckDB and Hugging Face datasets",
        dtypes=("float32", "float16", "int8"),
    ),
    "npz": Format("NumPy arrays"),
    "h5": Format("HDF5 data sets"),
    "projector": Format(
        "a folder for TensorBoard, with the images; not read back",
        readable=False,
        entries=(
            "projector_config.pbtxt",
            "vectors.tsv",
            "metadata.tsv",
            "metadata.json",
            "sprite.png",
        ),
        in_tensorboard=True,
    ),
}
FILES = tuple(name for name, format in FORMATS.items() if format.readable)
FOLDERS = tuple(name for name, format in FORMATS.items() if format.folder)


class Export(NamedTuple):
    """Properties of a format of exported towers.

    Attributes:
        meaning: a description in a few words.
        suffix: of the file; empty for a folder.
        packages: names of the modules that it needs, which the extra of its name installs.
        inputs: what it can take; the first is the default.
        quantize: the types to which it can quantize weights.
        entry: the name of a file that is in it, if it is a folder.
    """

    meaning: str
    suffix: str
    packages: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ("images",)
    quantize: tuple[str, ...] = ()
    entry: str = ""


# exports/formats/NAME.py has `write` and `read`; see exports/files.py.
EXPORTS = {
    "onnx": Export(
        "ONNX, for ONNX Runtime and other programs",
        ".onnx",
        packages=("onnx", "onnxruntime", "tf2onnx"),
        quantize=("float16", "int8"),
    ),
    "litert": Export(
        "LiteRT (TensorFlow Lite), for phones and small devices",
        ".tflite",
        packages=("ai_edge_litert",),
        quantize=("float16", "int8"),
    ),
    "saved_model": Export(
        "a SavedModel, a folder for TensorFlow Serving",
        "",
        inputs=("images", "bytes"),
        entry="saved_model.pb",
    ),
}


class Tracker(NamedTuple):
    """Properties of a tracker.

    Attributes:
        meaning: a description in a few words.
    """

    meaning: str


# training/trackers/NAME.py has `start`; see training/tracking.py. Each needs the module of its
# name, which the extra of its name installs.
TRACKERS = {
    "mlflow": Tracker("MLflow, in the place that MLFLOW_TRACKING_URI names"),
    "wandb": Tracker("Weights & Biases, in the project that WANDB_PROJECT names"),
}

# The networks of keras.applications, by family.
CONVNEXT = ("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge")
DENSENET = ("DenseNet121", "DenseNet169", "DenseNet201")
EFFICIENTNET = tuple(f"EfficientNetB{size}" for size in range(8))
EFFICIENTNET_V2 = tuple(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L"))
INCEPTION = ("InceptionV3", "InceptionResNetV2", "Xception")
MOBILENET = ("MobileNet", "MobileNetV2")
MOBILENET_V3 = ("MobileNetV3Small", "MobileNetV3Large")
NASNET = ("NASNetMobile", "NASNetLarge")
RESNET = ("ResNet50", "ResNet101", "ResNet152")
RESNET_V2 = ("ResNet50V2", "ResNet101V2", "ResNet152V2")
VGG = ("VGG16", "VGG19")
APPLICATIONS = (
    *CONVNEXT,
    *DENSENET,
    *EFFICIENTNET,
    *EFFICIENTNET_V2,
    *INCEPTION,
    *MOBILENET,
    *MOBILENET_V3,
    *NASNET,
    *RESNET,
    *RESNET_V2,
    *VGG,
)


class Tower(NamedTuple):
    """Properties of a tower.

    Attributes:
        meaning: a description in a few words.
        filters: the default of model.filters; None: the architecture fixes them.
        batch_norm: True: always uses batch normalisation; False: never; None: set by
            model.batch_norm.
    """

    meaning: str
    filters: list[int] | None
    batch_norm: bool | None


# models/towers/NAME.py has `features`; see models/tower.py. keras.applications has one file.
# A network from a file is taken to have batch normalisation, since it may.
TOWERS = {
    "cnn": Tower("a conv block (3x3, 2x2 max pool, ReLU) per entry of filters", [32, 64], None),
    "resnet": Tower("a stage (two residual blocks) per entry of filters", [16, 32, 64], True),
    "keras": Tower("the saved Keras model of backbone, a .keras file", None, True),
    "keras_hub": Tower("the preset of KerasHub that backbone names", None, True),
    **{
        name: Tower("of keras.applications", None, name not in (*CONVNEXT, *VGG))
        for name in APPLICATIONS
    },
}

IMAGENET = "imagenet"  # model.weights: those that Keras publishes for keras.applications
BACKBONE = "backbone"  # the layer of a tower before its head; see `build_tower`
# Pixels that a network of Keras expects (model.input_range): the lowest and the highest.
INPUT_RANGES = {"0-255": (0.0, 255.0), "0-1": (0.0, 1.0), "-1-1": (-1.0, 1.0)}

_PACKAGE = Path(__file__).parent
# In a wheel the shipped configurations lie inside the package, in a checkout beside it.
SHIPPED = next(
    (d for d in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if d.is_dir()),
    _PACKAGE / "configs",
)


def shipped_configs() -> dict[str, Path]:
    """Return the files of the shipped configurations by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def either(names: Iterable[str]) -> str:
    """Join names for a sentence.

    >>> either(["a", "b", "c"])
    'a, b or c'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def metric_names(
    recall_at: Sequence[int], precision_at: Sequence[int], false_accept_rates: Sequence[float]
) -> list[str]:
    """Return the names of all metrics, in their order.

    >>> metric_names([1], [5, 10], [1e-3])[:4]
    ['recall_at_1', 'precision_at_5', 'precision_at_10', 'r_precision']
    """
    return [
        *(f"recall_at_{k}" for k in recall_at),
        *(f"precision_at_{k}" for k in precision_at),
        *METRICS,
        *(f"tpr_at_fpr_{rate_name(rate)}" for rate in false_accept_rates),
    ]


def rate_name(rate: float) -> str:
    """Write a rate as it is in the names of metrics.

    >>> rate_name(0.01), rate_name(0.00025)
    ('1e-2', '2.5e-4')
    """
    return f"{Decimal(repr(rate)).normalize():e}"
