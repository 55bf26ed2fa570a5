"""The schema of a run. Every key that a configuration may hold stands here, with its meaning."""

import math
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
    field_validator,
    model_validator,
)

from triplet_train.config.choices import OneOf
from triplet_train.registry import APPLICATIONS, FORMATS, SOURCES, STRATEGIES, TOWERS, either


def _absolute(path: str) -> str:
    if not path:
        raise ValueError("must not be empty")
    if any(len(name.encode()) > 255 for name in path.split("/")):
        raise ValueError("is no path: a name in it is longer than 255 bytes")
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError as error:  # ~name of a user that there is not
        raise ValueError(f"is no path: {error}") from error


def _a_class(item: object) -> object:
    if not (0 <= item < 2**63 if type(item) is int else isinstance(item, str) and item):
        raise ValueError("must be the name of a class, its number or a range such as 0-4")
    return item


def largest_divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is at most `most`, which is 1 or more."""
    small = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    return max(n for n in (*small, *(number // n for n in small)) if n <= most)


PositiveInt = Annotated[int, Field(ge=1, lt=2**31)]
Width = Annotated[int, Field(ge=1, le=2**14)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Classes = Annotated[list[Annotated[int | str, BeforeValidator(_a_class)]], Field(min_length=1)]
StrategyName = Annotated[str, OneOf(STRATEGIES)]
TowerName = Annotated[str, OneOf(TOWERS)]
Format = Annotated[str, OneOf(FORMATS)]

_BYTES = TypeAdapter(ByteSize)


class Section(BaseModel):
    """Strict: an unknown key or a value of another type is an error, never a guess.

    A section's docstring and its fields' descriptions are what `triplet-train --schema` prints.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """where images come from, and which of them count"""

    dataset: str = Field(
        description="any TFDS name (name/config:version works), digits, which needs no download, "
        f"or {either(SOURCES)}"
    )
    path: AbsolutePath | None = Field(
        None,
        description="; ".join(f"{name}: {meaning}" for name, meaning in SOURCES.items()),
    )
    data_dir: AbsolutePath | None = Field(None, description="TFDS folder; default: TFDS's own")
    train_split: str = Field("train", description="TFDS slicing such as train[:90%] works")
    eval_split: str = Field("test", description="judged during training; chooses the best step")
    train_classes: Classes | None = Field(
        None, description="names, numbers or ranges such as 0-4; default: all but eval_classes"
    )
    eval_classes: Classes | None = Field(
        None, description="judged, and not trained on; default: all but train_classes"
    )
    class_rotations: bool = Field(
        False, description="each class turned by 90, 180 and 270 degrees is a class of its own"
    )
    image_size: tuple[Width, Width] | None = Field(
        None, strict=False, description="[H, W] to bring images to; needed where sizes vary"
    )
    resize_policy: Literal["pad", "crop", "resize"] = Field(
        "pad", description="of another ratio: pad with zeros, cut the longer side, or distort"
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 grey, 3 colour; default: the set's own, of a folder 3"
    )
    image_key: str = Field("image", description="the image among the set's features")
    label_key: str = Field("label", description="the label among the set's features")
    cache: str = Field(
        "auto",
        description="memory, disk, or the most to hold in memory, in bytes or as in 2GiB; auto: "
        "half of what is free",
    )

    @field_validator("path")
    @classmethod
    def belongs_to_a_source(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path and info.data.get("dataset") not in (None, *SOURCES):
            raise ValueError(f"is for dataset: {either(SOURCES)} only")
        return path

    @field_validator("data_dir", "image_key", "label_key")
    @classmethod
    def belongs_to_tfds(cls, value: str | None, info: ValidationInfo) -> str | None:
        default = cls.model_fields[str(info.field_name)].default
        if value != default and info.data.get("dataset") in SOURCES:
            raise ValueError(
                f"is for data sets of TFDS; the images of {either(SOURCES)} lie in data.path, in a "
                "folder for each class"
            )
        return value

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
            raise ValueError(f"dataset {self.dataset} needs data.path, where the images are")
        return self

    @property
    def cache_bytes(self) -> int:
        """Of a cache that is a size."""
        return int(_BYTES.validate_python(self.cache))


class BatchConfig(Section):
    """P x K images, all of which are compared with each other"""

    classes: int = Field(10, ge=2, le=2**14, description="P, distinct classes in a batch")
    per_class: int = Field(
        12, ge=2, le=2**14, description="K, distinct images of each; a pair needs two"
    )

    @property
    def size(self) -> int:
        """Images in a batch."""
        return self.classes * self.per_class


class AugmentConfig(Section):
    """drawn anew for every image of every step; 0, or no flip, is off"""

    rotate: float = Field(0.0, ge=0, le=180, description="degrees, at most, either way")
    shift: Fraction = Field(0.0, description="of height and of width, at most, either way")
    zoom: Fraction = Field(0.0, description="magnified by a factor of 1 - zoom to 1 + zoom")
    shear: Fraction = Field(
        0.0, description="rows slide by so much, at most, of their distance from the middle one"
    )
    flip: Literal["horizontal", "vertical", "both"] | None = Field(
        None, description="mirrored in half of the cases; both: each way by itself"
    )
    brightness: Fraction = Field(0.0, description="of the range 0..255, at most, added or taken")
    contrast: Fraction = Field(
        0.0, description="distances from middle grey times 1 - contrast to 1 + contrast"
    )
    erase: Fraction = Field(
        0.0, description="of the area, at most, under a rectangle of one grey level"
    )


class ModelConfig(Section):
    """the tower: image to unit vector"""

    tower: TowerName = Field(
        "cnn", description="image to features; docs/towers.md has what they cost"
    )
    embedding_dim: Width = Field(64, description="D, length of an embedding")
    filters: list[Width] | None = Field(
        None,
        min_length=1,
        validate_default=True,
        description="widths, as many as the tower is to have blocks or stages; default: the "
        "tower's own, and none for keras.applications",
    )
    batch_norm: bool | None = Field(
        None,
        validate_default=True,
        description="batch normalisation: cnn with or without, default without; of the others, "
        "whether they have it",
    )
    dropout: Fraction = Field(0.0, description="dropped before the dense layer")
    weights: AbsolutePath | None = Field(
        None, description="keras.applications: an HDF5 file of the network without its top"
    )
    freeze_backbone: bool = Field(
        False, description="train the dense layer alone, on what the loaded weights give"
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
            raise ValueError(f"{tower} has its own; leave it out, or null")
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
                f"{tower} {'always' if has else 'never'} has it; leave it out, or null"
            )
        return has

    @field_validator("weights")
    @classmethod
    def weights_of_an_application(cls, value: str | None, info: ValidationInfo) -> str | None:
        tower = info.data.get("tower")
        if value is None or tower is None:
            return value
        if tower not in APPLICATIONS:
            raise ValueError(f"is for the networks of keras.applications, not for {tower}")
        if not value.endswith(".h5"):
            raise ValueError("must be an HDF5 file of weights, .h5 or .weights.h5")
        return value

    @field_validator("freeze_backbone")
    @classmethod
    def frozen_with_weights(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("weights", "") is None:
            raise ValueError(
                "needs model.weights: frozen at random weights the backbone would never learn"
            )
        return value


class LossConfig(Section):
    """what is minimised"""

    strategy: StrategyName = Field("semi_hard", description="which triplets of the batch count")
    margin: float = Field(1.0, ge=0, description="how much farther a negative has to be")
    distance: Literal["L2", "squared-L2", "angular"] = Field("L2", description="the metric")
    soft: bool = Field(False, description="hard only: softplus instead of the margin")
    warmup_steps: int = Field(
        0, ge=0, lt=2**31, description="hard only: begin with as many steps of semi_hard"
    )

    @field_validator("soft", "warmup_steps")
    @classmethod
    def belongs_to_the_strategy(cls, value: int, info: ValidationInfo) -> int:
        strategy = info.data.get("strategy")
        if value and strategy and info.field_name not in STRATEGIES[strategy].options:
            takers = [name for name, s in STRATEGIES.items() if info.field_name in s.options]
            raise ValueError(f"is for strategy {either(takers)} only, not for {strategy}")
        return value

    @property
    def options(self) -> dict[str, Any]:
        """Values of the keys that only this strategy takes."""
        return {name: getattr(self, name) for name in STRATEGIES[self.strategy].options}


class OptimizerConfig(Section):
    """how it is minimised"""

    name: Literal["adam", "adamw", "sgd"] = Field("adam", description="sgd has momentum 0.9")
    learning_rate: float = Field(1e-3, gt=0, description="at its highest; see schedule")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="cosine ends at 0")
    warmup_steps: int = Field(0, ge=0, description="steps of linear growth to learning_rate")
    weight_decay: float = Field(0.0, ge=0, description="decoupled, as in AdamW")
    clip_norm: float | None = Field(None, gt=0, description="bound on the global gradient norm")


class TrainConfig(Section):
    """for how long, on what, and how often a run tells of itself"""

    steps: PositiveInt = Field(1500, description="updates of the weights, a batch each")
    devices: Literal["auto", "one", "mirrored", "multi_worker"] = Field(
        "auto", description="auto: multi_worker under TF_CONFIG, else every GPU, else one device"
    )
    microbatch: PositiveInt | None = Field(
        None, description="images in the tower at a time; the batch that is mined stays whole"
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="of the tower; vectors and losses are float32 in any case"
    )
    jit_compile: bool | Literal["auto"] = Field(
        "auto", description="XLA; auto: on one GPU, and not on a CPU, where small towers are slower"
    )
    deterministic: bool = Field(
        False,
        description="the same bits each time on a GPU too, which is slower there; without XLA",
    )
    log_every: PositiveInt = Field(50, description="steps from one line of the log to the next")
    eval_every: PositiveInt = Field(
        250, description="steps from one judging of eval_split to the next"
    )
    checkpoint_every: PositiveInt = Field(250, description="steps, the most that a kill costs")
    keep: PositiveInt = Field(3, description="newest checkpoints kept, besides the best")

    @field_validator("deterministic")
    @classmethod
    def deterministic_without_xla(cls, deterministic: bool, info: ValidationInfo) -> bool:
        if deterministic and info.data.get("jit_compile") is True:
            raise ValueError(
                "excludes train.jit_compile: true, since XLA has no deterministic gradient of max "
                "pooling; leave one of them out"
            )
        return deterministic


class EmbeddingsConfig(Section):
    """what a run leaves beside the tower"""

    splits: list[str] | None = Field(
        None, min_length=1, description="judged and exported at the end; default: eval_split"
    )
    formats: list[Format] = Field(["parquet"], description="one file or folder each, per split")

    @field_validator("splits", "formats")
    @classmethod
    def each_once(cls, names: list[str] | None) -> list[str] | None:
        if names and len(set(names)) < len(names):
            raise ValueError("names one of them twice")
        return names


class Config(Section):
    """A run, section by section in the order in which the data flow."""

    seed: int = Field(
        0,
        ge=0,
        lt=2**31,
        description="decides weights, batches, augmentation, dropout and random triplets",
    )
    data: DataConfig
    batch: BatchConfig = BatchConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    train: TrainConfig = TrainConfig()
    embeddings: EmbeddingsConfig = EmbeddingsConfig()

    @property
    def export_splits(self) -> list[str]:
        """What is exported and judged at the end."""
        return self.embeddings.splits or [self.data.eval_split]

    @property
    def used_splits(self) -> list[str]:
        """Each split that a run reads, once."""
        data = self.data
        return list(dict.fromkeys([data.train_split, data.eval_split, *self.export_splits]))

    @field_validator("train")
    @classmethod
    def warmup_fits(cls, train: TrainConfig, info: ValidationInfo) -> TrainConfig:
        optimizer = info.data.get("optimizer")
        if optimizer and optimizer.warmup_steps >= train.steps:
            raise ValueError(
                f"steps must be more than optimizer.warmup_steps = {optimizer.warmup_steps}"
            )
        return train

    @field_validator("train")
    @classmethod
    def microbatch_divides(cls, train: TrainConfig, info: ValidationInfo) -> TrainConfig:
        batch = info.data.get("batch")
        if batch and train.microbatch and batch.size % min(train.microbatch, batch.size):
            raise ValueError(
                f"microbatch must divide the {batch.size} images of a batch; "
                f"the next smaller is {largest_divisor(batch.size, train.microbatch)}"
            )
        return train
