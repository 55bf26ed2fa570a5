"""Names of outputs, and outputs that are refused. Imports nothing heavy."""

import re
from pathlib import Path

from triplet_train.errors import RequestError
from triplet_train.files import is_partial, refuse_file, refuse_place, refuse_replacement
from triplet_train.registry import FILES, FORMATS, either

SUFFIXES = tuple(f".{name}" for name in FILES)
_PART = re.compile(rf"part-\d{{5}}-of-\d{{5}}\.({'|'.join(FILES)})")


def format_of(path: Path) -> str | None:
    """Return the format that the suffix of `path` stands for, if any."""
    return path.suffix[1:] if path.suffix in SUFFIXES else None


def part_name(shard: tuple[int, int], format: str) -> str:
    """Return the name of shard (i, n) in the folder of all. Sorted names are sorted shards."""
    return f"part-{shard[0]:05d}-of-{shard[1]:05d}.{format}"


def refuse_dtype(dtype: str, format: str) -> None:
    """Raise RequestError if a format cannot hold vectors of a type."""
    known = dict.fromkeys(name for some in FORMATS.values() for name in some.dtypes)
    if dtype not in known:
        raise RequestError(f"--dtype {dtype}: expected {either(known)}")
    if dtype not in FORMATS[format].dtypes:
        able = either(f".{name}" for name in FILES if dtype in FORMATS[name].dtypes)
        raise RequestError(
            f"--dtype {dtype}: {format} holds {either(FORMATS[format].dtypes)} only; end the name "
            f"of the output in {able}"
        )


def refuse_output(output: Path, *, folder: bool, overwrite: bool) -> None:
    """Raise RequestError if `output` exists and may not be replaced, or cannot be written.

    A folder replaces an export that is a folder, a file replaces a file, and nothing else.
    """
    if not folder:
        refuse_file(output, overwrite=overwrite)
        return
    refuse_replacement(output, overwrite=overwrite)
    if output.is_dir() and not _is_export(output):
        raise RequestError(
            f"{output} is a folder that triplet-embed did not write, so --overwrite does not "
            "replace it; choose another name"
        )
    if output.is_file():
        raise RequestError(
            f"{output} is a file and cannot be replaced by a folder; choose another name"
        )
    refuse_place(output)


def holds_parts(folder: Path) -> bool:
    """Return True if a folder holds shards, finished or not, and nothing else."""
    return all(_PART.fullmatch(path.name) or is_partial(path) for path in folder.iterdir())


def _is_export(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return holds_parts(folder) or any(names <= set(format.entries) for format in FORMATS.values())
