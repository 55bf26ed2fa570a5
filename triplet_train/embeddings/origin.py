"""Vectors that may be compared: of one tower, used in one way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError


class Origin(NamedTuple):
    """The origin of vectors.

    Attributes:
        metadata: of their file.
        width: D, their dimensions.
    """

    metadata: dict[str, Any]
    width: int

    @property
    def checkpoint(self) -> str | None:
        """The SHA-256 of the checkpoint; None: unknown."""
        return self.metadata.get("checkpoint_sha256")

    @property
    def flip(self) -> bool:
        """True for averages of the vectors of images and mirror images."""
        return bool(self.metadata.get("flip"))

    @property
    def quantize(self) -> str | None:
        """The type to which the weights of an export were quantized; None: they were not."""
        return self.metadata.get("quantize")

    def as_json(self) -> dict[str, Any]:
        """Return what vectors must share to be compared, by the keys of metadata."""
        return {"checkpoint_sha256": self.checkpoint, "flip": self.flip}


def origin_of(table: EmbeddingTable) -> Origin:
    """Return the origin of the vectors of a table."""
    return Origin(table.metadata, table.embeddings.shape[1])


def require_one_origin(origins: Mapping[Path, Origin]) -> None:
    """Raise RequestError unless the vectors of all files come from one checkpoint, made alike.

    Args:
        origins: by file, of one or more.
    """
    first, *others = origins
    for other in others:
        one, two = origins[first], origins[other]
        if one.checkpoint != two.checkpoint:
            _refuse_checkpoints({first: one, other: two})
        if one.flip != two.flip:
            flipped, plain = (first, other) if one.flip else (other, first)
            raise RequestError(
                f"{flipped} was embedded with --flip and {plain} without; embed both alike"
            )
        if one.width != two.width:
            raise RequestError(
                f"vectors have {one.width} dimensions in {first}, but {two.width} in {other}"
            )


def require_one_store(origins: Mapping[Path, Origin]) -> None:
    """Raise RequestError unless the vectors of all files may be rows of one file.

    Vectors of quantized weights may be compared with others, but not mixed with them unseen.

    Args:
        origins: by file, of one or more.
    """
    require_one_origin(origins)
    first, *others = origins
    for other in others:
        if origins[first].quantize != origins[other].quantize:
            weights = " and ".join(
                f"{file} with {origins[file].quantize or 'unquantized'} weights"
                for file in (first, other)
            )
            raise RequestError(f"{weights}: embed both with the same tower or export")


def require_checkpoint(file: Path, origin: Origin) -> None:
    """Raise RequestError for a file that does not name its checkpoint."""
    if not origin.checkpoint:
        raise RequestError(
            f"{file} does not name its checkpoint, so its vectors cannot be compared with others"
        )


def _refuse_checkpoints(origins: dict[Path, Origin]) -> None:
    for file, origin in origins.items():
        require_checkpoint(file, origin)
    first, other = origins
    named = " and ".join(
        f"{origin.metadata.get('checkpoint')} (SHA-256 {str(origin.checkpoint)[:8]}...)"
        for origin in origins.values()
    )
    raise RequestError(
        f"{first} and {other} come from different checkpoints, {named}; embed both with the same "
        "one"
    )
