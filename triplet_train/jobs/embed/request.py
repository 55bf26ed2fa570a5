"""Rules of a request for an export of embeddings."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from triplet_train.embeddings.output import (
    SUFFIXES,
    format_of,
    holds_parts,
    part_name,
    refuse_dtype,
    refuse_output,
)
from triplet_train.errors import RequestError
from triplet_train.jobs.split_request import SplitRequest
from triplet_train.registry import FILES, FOLDERS, FORMATS, either

ENGINES = ("local", "ray")  # jobs/embed/NAME.py has `embed`


@dataclass(frozen=True, kw_only=True)
class EmbedRequest(SplitRequest):
    """Options of triplet-embed, under the same names.

    Raises:
        RequestError: an unknown format, type or engine, options that exclude each other, or an
            output that cannot be written or exists.
    """

    checkpoint: Path
    output: Path
    images: Path | None = None
    format: str | None = None
    dtype: str = "float32"
    batch_size: int | None = None
    flip: bool = False
    shard: str | None = None
    engine: str = "local"
    strict: bool = False
    any_model: bool = False
    content: bool = False
    skip: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        folder = FORMATS[self.written_format].folder
        super().__post_init__()
        refuse_dtype(self.dtype, self.written_format)
        if self.batch_size is not None and self.batch_size < 1:
            raise RequestError(f"--batch-size {self.batch_size}: must be at least 1")
        if self.images is not None and self.names_a_split:
            raise RequestError(
                "give --images or a split (--split, --dataset, --data-dir, --image-key, "
                "--label-key, --classes), not both"
            )
        if self.content or self.skip:
            self._refuse_store()
        if self.engine not in ENGINES:
            raise RequestError(f"--engine {self.engine}: expected {either(ENGINES)}")
        in_shards = self.engine == "ray" or self.part is not None
        if self.engine == "ray":
            if self.shard is not None:
                raise RequestError("--engine ray makes the shards itself; leave out --shard")
            if find_spec("ray") is None:
                raise RequestError("--engine ray: install it with pip install 'triplet-train[ray]'")
        existing = self.part is not None and self.output.is_dir()
        if existing and not holds_parts(self.output):
            raise RequestError(
                f"{self.output} is a folder with content other than shards; choose another name"
            )
        if in_shards and folder:
            raise RequestError(
                f"--format {self.written_format} cannot be written in shards; "
                f"choose {either(FILES)}"
            )
        refuse_output(self.output, folder=folder or in_shards, overwrite=self.overwrite or existing)
        if existing:
            refuse_output(self.file, folder=False, overwrite=self.overwrite)

    def _refuse_store(self) -> None:
        """Raise RequestError for --content and --skip where they mean nothing."""
        if self.images is None:
            raise RequestError("--content and --skip need --images, a folder or a table of files")
        if self.skip is None:
            return
        if self.shard is not None or self.engine != "local":
            raise RequestError(
                "--skip compares all images, in one process; leave out --shard and --engine"
            )
        if not self.skip.exists():
            raise RequestError(
                f"--skip {self.skip}: no such file; first embed all images with --content"
            )
        if self.skip.resolve() == self.output.resolve():
            raise RequestError(
                f"--output {self.output} would replace the file of --skip; give another name, and "
                "join the two with --merge"
            )

    @property
    def written_format(self) -> str:
        """The requested format, or else the one that the suffix of the output implies."""
        requested, implied = self.format, format_of(self.output)
        if requested is None and implied is None:
            raise RequestError(
                f"--output {self.output}: the name implies no format; end it in "
                f"{either(SUFFIXES)}, or give --format {either(FOLDERS)} to write a folder"
            )
        if requested is not None and requested not in FORMATS:
            raise RequestError(f"--format {requested}: expected one of {', '.join(FORMATS)}")
        if requested is not None and implied not in (requested, None):
            raise RequestError(
                f"--format {requested}: {self.output} ends in .{implied}; leave out --format, or "
                + (f"end the name in .{requested}" if requested in FILES else "choose another name")
            )
        if requested in FILES and implied is None:
            raise RequestError(
                f"--format {requested}: {self.output} must end in .{requested}, so that it can be "
                "read"
            )
        return str(requested or implied)

    @property
    def part(self) -> tuple[int, int] | None:
        """The shard (i, n), 1 <= i <= n, if one is requested."""
        if self.shard is None:
            return None
        match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", self.shard)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise RequestError(
                f"--shard {self.shard}: expected I/N with 1 <= I <= N < 100,000, such as 1/8"
            )
        return int(match[1]), int(match[2])

    @property
    def file(self) -> Path:
        """The file or folder to write; for a shard, its file in the folder `output`."""
        return self.output / part_name(self.part, self.written_format) if self.part else self.output
