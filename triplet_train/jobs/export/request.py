"""Rules of a request for an exported tower."""

from dataclasses import dataclass
from pathlib import Path

from triplet_train.errors import RequestError
from triplet_train.exports.output import (
    exported_format,
    format_of,
    refuse_export,
    require_packages,
)
from triplet_train.registry import EXPORTS, either
from triplet_train.run.embedder_file import embedder_file

INPUTS = tuple(dict.fromkeys(name for export in EXPORTS.values() for name in export.inputs))
TYPES = tuple(dict.fromkeys(name for export in EXPORTS.values() for name in export.quantize))


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """Options of triplet-export, under the same names.

    Raises:
        RequestError: an unknown format, input or type, one that the format does not support, no
            such checkpoint, a package that is not installed, or an output that cannot be written or
            exists.
    """

    checkpoint: Path
    output: Path
    input: str = "images"
    quantize: str | None = None
    images: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        export = EXPORTS[self.format]
        if self.input not in INPUTS:
            raise RequestError(f"--input {self.input}: expected {either(INPUTS)}")
        if self.quantize not in (*TYPES, None):
            raise RequestError(f"--quantize {self.quantize}: expected {either(TYPES)}")
        if self.input not in export.inputs:
            others = [name for name, other in EXPORTS.items() if self.input in other.inputs]
            raise RequestError(
                f"--input {self.input}: {self.format} has no operations that decode images; "
                f"{either(others)} has"
            )
        if self.quantize and self.quantize not in export.quantize:
            others = [other.suffix for other in EXPORTS.values() if self.quantize in other.quantize]
            raise RequestError(
                f"--quantize {self.quantize}: TensorFlow, which runs a SavedModel, would compute "
                f"in float32 all the same; write {either(others)}"
            )
        if exported_format(self.checkpoint):
            raise RequestError(
                f"--checkpoint {self.checkpoint}: it is an export already; give the run"
            )
        embedder_file(self.checkpoint)
        refuse_export(self.output, overwrite=self.overwrite)
        require_packages(self.format)

    @property
    def format(self) -> str:
        """A name in `registry.EXPORTS`."""
        return format_of(self.output)
