"""triplet-embed --merge: several embedding files as one, without TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from triplet_train.console import Console
from triplet_train.embeddings.files import writing
from triplet_train.embeddings.merging import merged
from triplet_train.embeddings.output import SUFFIXES, format_of, refuse_dtype
from triplet_train.errors import RequestError, RunError
from triplet_train.files import refuse_file
from triplet_train.registry import FORMATS, either
from triplet_train.run.lock import locked_by


@dataclass(frozen=True, kw_only=True)
class MergeRequest:
    """Options of triplet-embed --merge, under the same names; `files` are its arguments.

    The output may be one of the files, which it then replaces.

    Raises:
        RequestError: no files, an unknown format or type, or an output that cannot be written or
            exists.
    """

    files: Sequence[Path]
    output: Path
    dtype: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.files:
            raise RequestError(
                "--merge needs the files to join, such as triplet-embed --merge store.parquet "
                "tonight.parquet --output store.parquet"
            )
        for file in self.files:
            if not file.exists():
                raise RequestError(f"no embedding file {file}")
        if self.dtype is not None:
            refuse_dtype(self.dtype, self.format)
        named = self.output.resolve() in [file.resolve() for file in self.files]
        refuse_file(self.output, overwrite=self.overwrite or named)

    @property
    def format(self) -> str:
        """The format that the suffix of the output implies."""
        format = format_of(self.output)
        if format is None:
            raise RequestError(f"--output {self.output}: end the name in {either(SUFFIXES)}")
        return format


def merge(request: MergeRequest, console: Console) -> tuple[int, int]:
    """Write the rows of all files to one.

    One process at a time merges into a file, so that none loses the rows of another.

    Returns:
        Number of vectors and their dimensions.

    Raises:
        RequestError: see `merged`; or another process merges into the output.
        RunError: a file was replaced meanwhile.
    """
    output = request.output
    lock = output.with_name(f".{output.name}.lock")
    busy = f"another process is writing {output}; wait for it to end, or choose another --output"
    with locked_by(lock, busy):
        before = _states(request.files)
        whole = merged(request.files)
        for file, count in whole.replaced.items():
            console.say(f"{count:,} rows of {file} are replaced by later ones of the same id")
        count = int(whole.kept.sum())
        dtype = request.dtype or whole.metadata.get("dtype")
        about = {key: value for key, value in whole.metadata.items() if key != "dtype"}
        if dtype in FORMATS[request.format].dtypes[1:]:
            about["dtype"] = dtype
        with (
            console.bar(len(whole.kept), "merging") as progress,
            writing(output, request.format, whole.width, about, whole.columns) as append,
        ):
            for table in whole.tables(progress.update):
                append(table)
            changed = [
                file for file, state in _states(request.files).items() if state != before[file]
            ]
            if changed:
                raise RunError(
                    f"{changed[0]} was replaced while it was read; {output} is as it was. Give the "
                    "command again"
                )
    return count, whole.width


def _states(files: Sequence[Path]) -> dict[Path, list[tuple[int, int, int]]]:
    """Return what changes when a file, or one in a folder of shards, is replaced."""
    return {file: [_state(path) for path in (file, *sorted(file.glob("part-*")))] for file in files}


def _state(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
