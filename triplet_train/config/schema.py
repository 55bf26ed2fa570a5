"""Schema of a run: every key of a configuration, with its type, default and meaning."""

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from triplet_train.config.choices import OneOf
from triplet_train.registry import (
    APPLICATIONS,
    FORMATS,
    IMAGENET,
    SOURCES,
    STRATEGIES,
    TOWERS,
    TRACKERS,
    either,
    metric_names,
)


def _absolute(path: str) -> str:
    if not path:
        raise ValueError("must not be empty")
    if any(len(name.encode()) > 255 for name in path.split("/")):
        raise ValueError("is not a valid path: a name in it is longer than 255 bytes")
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError as error:  # ~name of an unknown user
        raise ValueError(f"is not a valid path: {error}") from error


def _a_class(item: object) -> object:
    if not (0 <= item < 2**63 if type(item) is int else isinstance(item, str) and item):
        raise ValueError("must be a class name, a class number or a range such as 0-4")
    return item


def _classes(value: object) -> object:
    """Validate a list of classes, or a share of them."""
    if isinstance(value, list):
        return _CLASS_LIST.validate_python(value, strict=True)
    if not (isinstance(value, str) and re.fullmatch(r"[1-9][0-9]?%", value)):
        raise ValueError("must be a list of classes or a share of them, from 1% to 99%")
    return value


def _a_colour(value: Any) -> tuple[int, ...]:
    value = {"white": 255, "black": 0}.get(value, value) if isinstance(value, str) else value
    levels = [value] * 3 if type(value) is int else value
    good = isinstance(levels, list | tuple) and len(levels) == 3
    if not good or not all(type(level) is int and 0 <= level <= 255 for level in levels):
        raise ValueError("must be white, black, a grey level 0..255 or [red, green, blue]")
    return tuple(levels)


def _a_label(item: object) -> object:
    return str(item) if type(item) is int else item


def _a_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if "label" not in groups:
        raise ValueError("has no group named label, as in (?P<label>[0-9]+)_")
    return pattern


def _takers(option: str | None) -> str:
    """Name the strategies that take an option of their own."""
    return either(name for name, facts in STRATEGIES.items() if option in facts.options)


def _each_once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must not contain the same name twice")
    return names


def largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor of `number` up to `most`, which is at least 1."""
    small = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    return max(n for n in (*small, *(number // n for n in small)) if n <= most)


PositiveInt = Annotated[int, Field(ge=1, lt=2**31)]
Width = Annotated[int, Field(ge=1, le=2**14)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Weights = Annotated[str, AfterValidator(lambda name: name if name == IMAGENET else _absolute(name))]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Colour = Annotated[
    tuple[int, int, int],
    BeforeValidator(_a_colour),
    WithJsonSchema({"enum": ["white", "black", "0..255", "[red, green, blue]"]}),
]
ClassList = Annotated[list[Annotated[int | str, BeforeValidator(_a_class)]], Field(min_length=1)]
Share = Annotated[str, WithJsonSchema({"const": "N%"})]
# `_classes` comes first, because errors of a union would not be at the place in the list.
Classes = Annotated[Share | ClassList, BeforeValidator(_classes)]
Label = Annotated[str, BeforeValidator(_a_label), Field(min_length=1)]
Roles = Annotated[
    dict[str, Literal["query", "gallery", "both"]],
    WithJsonSchema({"const": "{split: query | gallery | both}"}),
]
Pattern = Annotated[str, AfterValidator(_a_pattern)]
StrategyName = Annotated[str, OneOf(STRATEGIES)]
TowerName = Annotated[str, OneOf(TOWERS)]
FormatName = Annotated[str, OneOf(FORMATS)]
TrackerName = Annotated[str, OneOf(TRACKERS)]

# beginnings of the names of metrics that end in a number, and the key of these numbers
_NUMBERED = {
    "recall_at_": "recall_at",
    "precision_at_": "precision_at",
    "tpr_at_fpr_": "false_accept_rates",
}
METRIC_KEYS = (*_NUMBERED.values(), "nmi")
_BACKBONES = {"keras": "a .keras file", "keras_hub": "a preset of KerasHub, or its folder"}
_BYTES = TypeAdapter(ByteSize)
_CLASS_LIST: TypeAdapter[list[int | str]] = TypeAdapter(ClassList)


class Section(BaseModel):
    """Base of all sections. Unknown keys and values of another type are errors.

    `triplet-train --schema` prints the docstring of a section and the descriptions of its fields.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ColumnsConfig(Section):
    """names of the columns of a table"""

    path: str = Field("path", description="of the image, absolute or in data.root")
    label: str = Field("label", description="class of the image, text or an integer")
    split: str = Field("split", description="such as train; without it, splits are shares")
    role: str = Field("role", description="in evaluation: query, gallery or both")
    is_query: str = Field("is_query", description="true or false, with is_gallery instead of role")
    is_gallery: str = Field("is_gallery", description="true or false, with is_query")
    group: str = Field("group", description="camera, sequence or day, text or an integer")
    box: list[str] | None = Field(
        None,
        description="left, top, right and bottom of a part of the image, in pixels or fractions; "
        "default: x0, y0, x1, y1 or x_1, y_1, x_2, y_2 if the table has these; []: the whole image",
    )

    @field_validator("box")
    @classmethod
    def four_different(cls, box: list[str] | None) -> list[str] | None:
        if box and len(set(box)) != 4:
            raise ValueError("must be four columns: left, top, right, bottom")
        return box


class DataConfig(Section):
    """where the images come from, and which classes are used"""

    dataset: str = Field(
        description="a TFDS name (name/config:version works), "
        + either(["digits (needs no download)", *SOURCES])
    )
    path: AbsolutePath | None = Field(
        None, description="; ".join(f"{name}: {meaning}" for name, meaning in SOURCES.items())
    )
    data_dir: AbsolutePath | None = Field(
        None, description="folder of the TFDS data sets; default: TFDS's own"
    )
    root: AbsolutePath | None = Field(
        None, description="table: where its paths start; default: the folder of the table"
    )
    columns: ColumnsConfig = Field(ColumnsConfig(), description="names of the columns of a table")
    label_pattern: Pattern | None = Field(
        None,
        description=f"{either(SOURCES)}: regular expression on the path, whose group `label` is "
        "the class and group `group`, if there is one, the camera, sequence or day",
    )
    junk_labels: list[Label] = Field(
        [], description=f"{either(SOURCES)}: classes whose images are ignored, such as '-1'"
    )
    distractor_labels: list[Label] = Field(
        [],
        description=f"{either(SOURCES)}: classes that are in the gallery only and never trained on",
    )
    roles: Roles = Field(
        {}, description=f"{either(SOURCES)}: role of all images of a split in evaluation"
    )
    train_split: str = Field("train", description="TFDS slices such as train[:90%] work")
    eval_split: str = Field(
        "test", description="evaluated during training to choose the best step; a+b is both"
    )
    train_classes: Classes | None = Field(
        None,
        description="names, numbers or ranges such as 0-4, or a share such as 80%, drawn by the "
        "seed; default: all but eval_classes",
    )
    eval_classes: Classes | None = Field(
        None, description="evaluated and not trained on; default: all but train_classes"
    )
    class_rotations: bool = Field(
        False, description="add every class rotated by 90, 180 and 270 degrees as new classes"
    )
    image_size: tuple[Width, Width] | None = Field(
        None, strict=False, description="[height, width] to resize to; required where sizes vary"
    )
    resize_policy: Literal["pad", "crop", "resize"] = Field(
        "pad",
        description="for another aspect ratio: pad with zeros, crop the longer side, or distort",
    )
    background: Colour = Field(
        (255, 255, 255),
        description="colour behind transparent images",
        json_schema_extra={"default": "white"},
    )
    channels: Literal[1, 3] | None = Field(
        None, description=f"1 grey, 3 colour; default: as in the data set; {either(SOURCES)}: 3"
    )
    image_key: str = Field(
        "image", description="feature of the data set that holds the image; a/b is feature b of a"
    )
    label_key: str = Field(
        "label", description="feature of the data set that holds the label, an integer or a text"
    )
    group_key: str | None = Field(
        None, description="feature of the data set that holds the camera, sequence or day"
    )
    cache: str = Field(
        "auto",
        description="memory, disk, or the most memory to use, in bytes or as in 2GiB; auto: half "
        "of the free memory",
    )

    @field_validator("eval_classes")
    @classmethod
    def goes_with_train_classes(
        cls, classes: str | list[int | str] | None, info: ValidationInfo
    ) -> str | list[int | str] | None:
        others = info.data.get("train_classes")
        if classes and others:
            if isinstance(classes, str) is not isinstance(others, str):
                raise ValueError("must be a share if train_classes is one, or else a list")
            if isinstance(classes, str) and int(classes[:-1]) + int(others[:-1]) > 100:
                raise ValueError(f"is more than {others} of train_classes leave")
        return classes

    @field_validator("path")
    @classmethod
    def belongs_to_a_source(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path and info.data.get("dataset") not in (None, *SOURCES):
            raise ValueError(f"is for dataset: {either(SOURCES)} only")
        return path

    @field_validator("data_dir", "image_key", "label_key", "group_key")
    @classmethod
    def belongs_to_tfds(cls, value: str | None, info: ValidationInfo) -> str | None:
        default = cls.model_fields[str(info.field_name)].default
        if value != default and info.data.get("dataset") in SOURCES:
            raise ValueError(
                f"is for TFDS data sets only; dataset {info.data['dataset']} reads data.path"
            )
        return value

    @field_validator("root", "columns")
    @classmethod
    def belongs_to_a_table(cls, value: Any, info: ValidationInfo) -> Any:
        default = cls.model_fields[str(info.field_name)].default
        if value != default and info.data.get("dataset") not in (None, "table"):
            raise ValueError("is for dataset: table only")
        return value

    @field_validator("label_pattern", "junk_labels", "distractor_labels", "roles")
    @classmethod
    def belongs_to_files(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("dataset") not in (None, *SOURCES):
            raise ValueError(f"is for dataset: {either(SOURCES)} only")
        return value

    @field_validator("distractor_labels")
    @classmethod
    def is_no_junk(cls, labels: list[str], info: ValidationInfo) -> list[str]:
        both = sorted(set(labels).intersection(info.data.get("junk_labels", ())))
        if both:
            raise ValueError(f"must not contain {both[0]!r}, which is in junk_labels")
        return labels

    @field_validator("cache", mode="before")
    @classmethod
    def is_a_size(cls, cache: object) -> str:
        if cache in ("auto", "memory", "disk"):
            return cache
        if type(cache) in (int, str):
            try:
                if 0 <= _BYTES.validate_python(cache) < 2**63:
                    return str(cache)
            except (ValidationError, OverflowError):
                pass
        raise ValueError("must be auto, memory, disk, a number of bytes or a size such as 2GiB")

    @model_validator(mode="after")
    def has_path(self) -> "DataConfig":
        if self.dataset in SOURCES and not self.path:
            raise ValueError(f"dataset {self.dataset} needs data.path: {SOURCES[self.dataset]}")
        return self

    @property
    def cache_bytes(self) -> int:
        """Size in bytes; valid only where `cache` is a size."""
        return int(_BYTES.validate_python(self.cache))


class BatchConfig(Section):
    """P x K images, each compared with all others"""

    classes: int = Field(10, ge=2, le=2**14, description="P, distinct classes in a batch")
    per_class: int = Field(
        12, ge=2, le=2**14, description="K, distinct images per class; a pair needs two"
    )
    sampling: Literal["images", "classes"] = Field(
        "images", description="what is drawn about equally often; images: large classes more often"
    )

    @property
    def size(self) -> int:
        """Number of images in a batch."""
        return self.classes * self.per_class


class AugmentConfig(Section):
    """drawn again for every image in every step; 0, or null for flip, turns it off"""

    crop: Fraction = Field(
        0.0,
        description="largest share of the area to cut away; the rest is enlarged to the size of "
        "the image",
    )
    rotate: float = Field(
        0.0, ge=0, le=180, description="largest angle in degrees, in either direction"
    )
    shift: Fraction = Field(0.0, description="largest shift, as a fraction of height and width")
    zoom: Fraction = Field(0.0, description="magnification by a factor from 1 - zoom to 1 + zoom")
    shear: Fraction = Field(
        0.0,
        description="largest horizontal shift of a row, as a fraction of its distance from the "
        "centre",
    )
    flip: Literal["horizontal", "vertical", "both"] | None = Field(
        None, description="with probability 1/2; both: horizontally and vertically, independently"
    )
    brightness: Fraction = Field(
        0.0, description="largest change, as a fraction of the range 0..255"
    )
    contrast: Fraction = Field(
        0.0,
        description="distances from middle grey times a factor from 1 - contrast to 1 + contrast",
    )
    saturation: Fraction = Field(
        0.0,
        description="distances from the grey image times a factor from 1 - saturation to "
        "1 + saturation",
    )
    hue: float = Field(
        0.0, ge=0, le=0.5, description="largest turn of the hue, as a fraction of the full circle"
    )
    grayscale: float = Field(
        0.0, ge=0, le=1, description="probability that the colours become greys"
    )
    blur: float = Field(
        0.0, ge=0, le=32, description="largest standard deviation of a Gaussian, in pixels"
    )
    erase: Fraction = Field(
        0.0, description="largest rectangle to fill with one grey level, as a fraction of the area"
    )

    @property
    def colour_keys(self) -> list[str]:
        """Keys that are on and need images of red, green and blue."""
        return [key for key in ("saturation", "hue", "grayscale") if getattr(self, key)]


class ModelConfig(Section):
    """the tower, which maps an image to a unit vector"""

    tower: TowerName = Field(
        "cnn", description="the network before the dense layer; docs/towers.md compares costs"
    )
    embedding_dim: Width = Field(64, description="D, number of dimensions of an embedding")
    filters: list[Width] | None = Field(
        None,
        min_length=1,
        validate_default=True,
        description="width of each block or stage; default: the tower's own; keras.applications "
        "takes none",
    )
    batch_norm: bool | None = Field(
        None,
        validate_default=True,
        description="batch normalisation; cnn: optional, default false; other towers: fixed",
    )
    pooling: Literal["avg", "max", "gem"] | None = Field(
        None,
        description="of the last map: average, maximum or generalised mean (p = 3); default: avg; "
        "cnn: none, the map is flattened",
    )
    dropout: Fraction = Field(0.0, description="rate of the dropout before the dense layer")
    backbone: str | None = Field(
        None,
        validate_default=True,
        description="keras: a .keras file, from images to vectors or maps; keras_hub: a preset, "
        "hf://..., or the folder of one",
    )
    input_range: Literal["0-255", "0-1", "-1-1"] | None = Field(
        None,
        description="keras only: the pixels that the network expects; default: as its first layers "
        "tell",
    )
    weights: Weights | None = Field(
        None,
        description="keras.applications: imagenet, which Keras downloads once, or an HDF5 file of "
        "weights without the top layers",
    )
    init: AbsolutePath | None = Field(
        None, description="a run, a checkpoint or a .keras file, whose tower goes on with this run"
    )
    freeze_backbone: bool | PositiveInt = Field(
        False,
        description="train the dense layer only, on features of the loaded weights; N: in the "
        "first N steps",
    )
    freeze_batch_norm: bool | None = Field(
        None,
        validate_default=True,
        description="batch normalisation uses its moving averages and does not change them; "
        "default: true with weights, backbone or init",
    )

    @field_validator("filters")
    @classmethod
    def filters_of_the_tower(
        cls, value: list[int] | None, info: ValidationInfo
    ) -> list[int] | None:
        tower = info.data.get("tower")
        if tower is None:  # refused already
            return value
        own = TOWERS[tower].filters
        if value and not own:
            raise ValueError(f"{tower} has filters of its own; remove this key or set it to null")
        return value or own

    @field_validator("batch_norm")
    @classmethod
    def batch_norm_of_the_tower(cls, value: bool | None, info: ValidationInfo) -> bool:
        tower = info.data.get("tower")
        has = TOWERS[tower].batch_norm if tower else None
        if has is None:
            return bool(value)
        if value not in (None, has):
            raise ValueError(
                f"{tower} {'always' if has else 'never'} has batch normalisation; remove this key "
                "or set it to null"
            )
        return has

    @field_validator("backbone")
    @classmethod
    def backbone_of_the_tower(cls, value: str | None, info: ValidationInfo) -> str | None:
        tower = info.data.get("tower")
        if tower not in _BACKBONES:
            if value and tower:
                raise ValueError(f"is for tower {either(_BACKBONES)} only, not for {tower}")
            return value
        if not value:
            raise ValueError(f"is required for {tower}: {_BACKBONES[tower]}")
        if tower == "keras" and not value.endswith(".keras"):
            raise ValueError("must be a saved Keras model, with a name that ends in .keras")
        is_path = "://" not in value and ("/" in value or Path(value).is_dir())
        return _absolute(value) if tower == "keras" or is_path else value

    @field_validator("input_range")
    @classmethod
    def range_of_a_backbone(cls, value: str | None, info: ValidationInfo) -> str | None:
        tower = info.data.get("tower")
        if value and tower not in (None, "keras"):
            raise ValueError(f"is for tower keras only; {tower} scales pixels itself")
        return value

    @field_validator("weights")
    @classmethod
    def weights_of_an_application(cls, value: str | None, info: ValidationInfo) -> str | None:
        tower = info.data.get("tower")
        if value is None or tower is None:
            return value
        if tower not in APPLICATIONS:
            raise ValueError(f"is for the networks of keras.applications, not for {tower}")
        if value != IMAGENET and not value.endswith(".h5"):
            raise ValueError(
                "must be imagenet or an HDF5 file of weights, with a name that ends in .h5"
            )
        return value

    @field_validator("init")
    @classmethod
    def instead_of_weights(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and info.data.get("weights"):
            raise ValueError("has weights of its own; set model.weights to null")
        return value

    @field_validator("freeze_backbone")
    @classmethod
    def frozen_with_weights(cls, value: bool | int, info: ValidationInfo) -> bool | int:
        if value and not _is_pretrained(info):
            raise ValueError(
                "needs model.weights, model.backbone or model.init; a backbone frozen at random "
                "weights learns nothing"
            )
        return value

    @field_validator("freeze_batch_norm")
    @classmethod
    def statistics_to_keep(cls, value: bool | None, info: ValidationInfo) -> bool:
        has = info.data.get("batch_norm", True)  # refused already
        if value and not has:
            raise ValueError(
                f"{info.data.get('tower')} has no batch normalisation here; remove this key or set "
                "it to null"
            )
        if value and not _is_pretrained(info):
            raise ValueError(
                "needs model.weights, model.backbone or model.init; the statistics of a new tower "
                "must be learned"
            )
        return has and _is_pretrained(info) if value is None else value


def _is_pretrained(info: ValidationInfo) -> bool:
    """Return False if a tower starts from random weights. Keys refused before count as given."""
    return any(info.data.get(key, "refused") is not None for key in ("weights", "backbone", "init"))


class LossConfig(Section):
    """the loss to minimise"""

    strategy: StrategyName = Field("semi_hard", description="the triplets of a batch that are used")
    margin: float = Field(1.0, ge=0, description="how much farther a negative has to be")
    distance: Literal["L2", "squared-L2", "angular"] = Field("L2", description="between embeddings")
    soft: bool = Field(False, description=f"{_takers('soft')} only: softplus instead of the margin")
    warmup_steps: int = Field(
        0,
        ge=0,
        lt=2**31,
        description=f"{_takers('warmup_steps')} only: first steps that use semi_hard",
    )

    @field_validator("soft", "warmup_steps")
    @classmethod
    def belongs_to_the_strategy(cls, value: int, info: ValidationInfo) -> int:
        strategy = info.data.get("strategy")
        if value and strategy and info.field_name not in STRATEGIES[strategy].options:
            takers = _takers(info.field_name)
            raise ValueError(f"is for strategy {takers} only, not for {strategy}")
        return value

    @property
    def options(self) -> dict[str, Any]:
        """Values of the keys that only this strategy takes."""
        return {name: getattr(self, name) for name in STRATEGIES[self.strategy].options}


class OptimizerConfig(Section):
    """how the loss is minimised"""

    name: Literal["adam", "adamw", "sgd"] = Field("adam", description="sgd has momentum 0.9")
    learning_rate: float = Field(1e-3, gt=0, description="peak of the schedule")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="cosine decays to 0")
    warmup_steps: int = Field(0, ge=0, description="steps of linear growth to learning_rate")
    weight_decay: float = Field(0.0, ge=0, description="decoupled, as in AdamW")
    clip_norm: float | None = Field(None, gt=0, description="limit of the global gradient norm")
    backbone_rate: float = Field(
        1.0, gt=0, le=1, description="share of the learning rate for all before the dense layer"
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="momentum of moving averages of the weights, such as 0.99; the averages are "
        "evaluated and saved",
    )


class TrainConfig(Section):
    """duration, hardware, and intervals of logging, evaluation and checkpoints"""

    steps: PositiveInt = Field(1500, description="updates of the weights, one batch each")
    devices: Literal["auto", "one", "mirrored", "multi_worker"] = Field(
        "auto", description="auto: multi_worker under TF_CONFIG, else all GPUs, else one device"
    )
    microbatch: PositiveInt | None = Field(
        None,
        description="images in the tower at a time (gradient caching); mining uses the whole batch",
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="of the tower; embeddings and losses are always float32"
    )
    jit_compile: bool | Literal["auto"] = Field(
        "auto",
        description="compile with XLA; auto: on one GPU, but not on a CPU, where small towers get "
        "slower",
    )
    deterministic: bool = Field(
        False, description="the same bits in every run on a GPU too; slower there, and without XLA"
    )
    log_every: PositiveInt = Field(50, description="steps between two lines of the log")
    eval_every: PositiveInt = Field(250, description="steps between two evaluations of eval_split")
    checkpoint_every: PositiveInt = Field(250, description="steps between two checkpoints")
    keep: PositiveInt = Field(3, description="newest checkpoints to keep, besides the best")
    patience: PositiveInt | None = Field(
        None,
        description="evaluations in a row without a better evaluation.best_metric that end the run "
        "early; default: none do",
    )
    trackers: Annotated[list[TrackerName], AfterValidator(_each_once)] = Field(
        [], description="programs that get the logged metrics and the final files as well"
    )

    @field_validator("deterministic")
    @classmethod
    def deterministic_without_xla(cls, deterministic: bool, info: ValidationInfo) -> bool:
        if deterministic and info.data.get("jit_compile") is True:
            raise ValueError(
                "excludes train.jit_compile: true, because XLA has no deterministic gradient of "
                "max pooling; remove one of the two"
            )
        return deterministic


class EvaluationConfig(Section):
    """the metrics that are computed, and the one that chooses the best step"""

    recall_at: list[PositiveInt] = Field(
        [1, 5, 10], description="each K of recall_at_K, ascending; 1 is always among them"
    )
    precision_at: list[PositiveInt] = Field(
        [5, 10], description="each K of precision_at_K, ascending"
    )
    false_accept_rates: list[Rate] = Field(
        [1e-2, 1e-3], description="each F of tpr_at_fpr_F and of the thresholds, descending"
    )
    nmi: bool = Field(
        False, description="compute nmi also of a set for which k-means takes minutes"
    )
    best_metric: str = Field(
        "recall_at_1",
        description="the best step has the best value on eval_split; of equal ones, the highest "
        "map_at_r",
    )
    queries: PositiveInt | None = Field(
        None,
        description="most queries of an evaluation during training, drawn by the seed; the gallery "
        "stays whole; default: all",
    )

    @field_validator("recall_at", "precision_at")
    @classmethod
    def ascending(cls, numbers: list[int]) -> list[int]:
        if numbers != sorted(set(numbers)):
            raise ValueError("must be in ascending order, each number once")
        return numbers

    @field_validator("recall_at")
    @classmethod
    def with_the_nearest(cls, numbers: list[int]) -> list[int]:
        return numbers if 1 in numbers else [1, *numbers]

    @field_validator("false_accept_rates")
    @classmethod
    def descending(cls, rates: list[float]) -> list[float]:
        if rates != sorted(set(rates), reverse=True):
            raise ValueError("must be in descending order, each rate once")
        return rates

    @field_validator("best_metric")
    @classmethod
    def is_computed(cls, metric: str, info: ValidationInfo) -> str:
        recall, precision, rates = (info.data.get(key, []) for key in _NUMBERED.values())
        names = metric_names(recall, precision, rates)
        refused = tuple(start for start, key in _NUMBERED.items() if key not in info.data)
        if metric not in names and not metric.startswith(refused):
            raise PydanticCustomError("literal_error", "", {"expected": ", ".join(names)})
        return metric


class EmbeddingsConfig(Section):
    """the embeddings that a run exports"""

    splits: Annotated[list[str], AfterValidator(_each_once)] | None = Field(
        None, min_length=1, description="exported and evaluated at the end; default: eval_split"
    )
    formats: Annotated[list[FormatName], AfterValidator(_each_once)] = Field(
        ["parquet"], description="written once per split"
    )


class Config(Section):
    """Configuration of a run; the sections are in the order of the data flow."""

    seed: int = Field(
        0,
        ge=0,
        lt=2**31,
        description="determines weights, batches, augmentation, dropout and random triplets",
    )
    data: DataConfig
    batch: BatchConfig = BatchConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    embeddings: EmbeddingsConfig = EmbeddingsConfig()

    @property
    def export_splits(self) -> list[str]:
        """Splits that are exported and evaluated at the end."""
        return self.embeddings.splits or [self.data.eval_split]

    @property
    def used_splits(self) -> list[str]:
        """Splits that a run reads, without duplicates."""
        data = self.data
        return list(dict.fromkeys([data.train_split, data.eval_split, *self.export_splits]))

    @field_validator("augment")
    @classmethod
    def colours_to_change(cls, augment: AugmentConfig, info: ValidationInfo) -> AugmentConfig:
        data = info.data.get("data")
        keys = " and ".join(augment.colour_keys)
        if data and data.channels == 1 and keys:
            raise ValueError(
                f"{keys} would change colours, and images of one channel (data.channels: 1) have "
                f"none; remove {keys}"
            )
        return augment

    @field_validator("optimizer")
    @classmethod
    def rate_of_a_trained_backbone(
        cls, optimizer: OptimizerConfig, info: ValidationInfo
    ) -> OptimizerConfig:
        model = info.data.get("model")
        if model and model.freeze_backbone is True and optimizer.backbone_rate != 1:
            raise ValueError(
                "backbone_rate is for a trained backbone, but model.freeze_backbone is true"
            )
        return optimizer

    @field_validator("train")
    @classmethod
    def thaws(cls, train: TrainConfig, info: ValidationInfo) -> TrainConfig:
        model = info.data.get("model")
        if model and model.freeze_backbone is not True and model.freeze_backbone >= train.steps:
            raise ValueError(
                f"steps must be greater than model.freeze_backbone = {model.freeze_backbone}; to "
                "keep the backbone frozen, set that to true"
            )
        return train

    @field_validator("train")
    @classmethod
    def warmup_fits(cls, train: TrainConfig, info: ValidationInfo) -> TrainConfig:
        optimizer = info.data.get("optimizer")
        if optimizer and optimizer.warmup_steps >= train.steps:
            raise ValueError(
                f"steps must be greater than optimizer.warmup_steps = {optimizer.warmup_steps}"
            )
        return train

    @field_validator("train")
    @classmethod
    def microbatch_divides(cls, train: TrainConfig, info: ValidationInfo) -> TrainConfig:
        batch = info.data.get("batch")
        if batch and train.microbatch and batch.size % min(train.microbatch, batch.size):
            raise ValueError(
                f"microbatch must divide the {batch.size} images of a batch; "
                f"the next smaller divisor is {largest_divisor(batch.size, train.microbatch)}"
            )
        return train
