"""What a run can be made of, by name: a line here is all that makes a name known.

Each name is that of the file that does it, in the package that stands above its table. The file is
imported when it is needed; this one imports nothing heavy, so that the schema, the help and every
error know the names without TensorFlow. What follows a name is what --schema and the documentation
say of it; CONTRIBUTING.md shows how to add one.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

# losses/NAME.py has `strategy(margin, metric)`; see losses/strategies.py.
STRATEGIES = {
    "semi_hard": "each positive pair with the nearest negative beyond the positive",
    "hard": "each anchor with its farthest positive and its nearest negative",
    "easy_positive": "each anchor with its nearest positive and the nearest negative beyond that",
    "batch_all": "every triplet of the batch",
    "naive": "one random positive and one random negative per anchor",
}

# data/NAME.py has `source`; see data/sources.py. Each reads data.path. Every other name is TFDS's.
SOURCES = {
    "image_folder": "<path>/<split>/<class>/* or <path>/<class>/*",
}

# embeddings/NAME.py has `writer` and `read`; see embeddings/files.py. A file's suffix is its name.
FORMATS = {
    "parquet": "a table, for pandas, DuckDB and Hugging Face datasets",
    "npz": "NumPy arrays",
    "h5": "HDF5 data sets",
    "projector": "a folder for TensorBoard, with the images; not read back",
}
FILES = tuple(name for name in FORMATS if name != "projector")

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
    """What the schema has to know of a tower.

    Attributes:
        meaning: what it is.
        filters: of model.filters, where none are given; None: it has its own, and takes none.
        batch_norm: whether it has it; None: as model.batch_norm says.
    """

    meaning: str
    filters: list[int] | None
    batch_norm: bool | None


# models/NAME.py has `features`; see models/tower.py. Those of keras.applications share one file.
TOWERS = {
    "cnn": Tower("a conv block (3x3, 2x2 max pool, ReLU) per entry of filters", [32, 64], None),
    "resnet": Tower("a stage (two residual blocks) per entry of filters", [16, 32, 64], True),
    **{
        name: Tower("of keras.applications", None, name not in (*CONVNEXT, *VGG))
        for name in APPLICATIONS
    },
}

_PACKAGE = Path(__file__).parent
# In a wheel the shipped configurations lie inside the package, in a checkout beside it.
SHIPPED = next(
    (d for d in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if d.is_dir()),
    _PACKAGE / "configs",
)


def shipped_configs() -> dict[str, Path]:
    """The shipped configurations, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def either(names: Iterable[str]) -> str:
    """Names in a sentence.

    >>> either(["a", "b", "c"])
    'a, b or c'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
