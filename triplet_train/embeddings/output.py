"""The formats of embedding files by name; imports nothing heavy, so that errors come early."""

import os
import re
from pathlib import Path

from triplet_train.errors import RequestError
from triplet_train.files import PROJECTOR_CONFIG, is_partial
from triplet_train.registry import FILES, FOLDERS, FORMATS, either

SUFFIXES = tuple(f".{name}" for name in FILES)
_PROJECTOR_FILES = {
    *(PROJECTOR_CONFIG, "vectors.tsv", "metadata.tsv", "metadata.json", "sprite.png"),
}
_PART = re.compile(rf"part-\d{{5}}-of-\d{{5}}\.({'|'.join(FILES)})")


def resolve_format(output: Path, asked: str | None) -> str:
    """The format that is asked for, or else the one that the suffix of `output` tells.

    Raises:
        RequestError: an unknown format, none can be told, or one that the suffix belies.
    """
    told = format_of(output)
    if asked is not None:
        if asked not in FORMATS:
            raise RequestError(f"--format {asked}: expected one of {', '.join(FORMATS)}")
        if told not in (asked, None):
            raise RequestError(f"--format {asked}: {output} ends like {told}")
        if asked in FILES and told is None:
            raise RequestError(
                f"--format {asked}: {output} has to end in .{asked}, by which it is read again"
            )
        return asked
    if told is None:
        raise RequestError(
            f"--output {output}: cannot tell the format from the name; end it in "
            f"{either(SUFFIXES)}, or give --format {either(FOLDERS)} to write a folder"
        )
    return told


def format_of(path: Path) -> str | None:
    """The format that the suffix of `path` stands for."""
    return path.suffix[1:] if path.suffix in SUFFIXES else None


def part_name(shard: tuple[int, int], format: str) -> str:
    """The name of shard (i, n) in the folder of all; names in order are the shards in order."""
    return f"part-{shard[0]:05d}-of-{shard[1]:05d}.{format}"


def parse_shard(text: str) -> tuple[int, int]:
    """(i, n) of "I/N". Raises RequestError unless 1 <= I <= N < 100,000."""
    match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise RequestError(f"--shard {text}: expected I/N with 1 <= I <= N < 100,000, such as 1/8")
    return int(match[1]), int(match[2])


def place_shard(output: Path, format: str, shard: tuple[int, int], *, overwrite: bool) -> Path:
    """The file of a shard in the folder `output`, which need not be there.

    Raises:
        RequestError: see `refuse_output`; or the format has no shards.
    """
    if output.is_dir() and not _holds_parts(output):
        raise RequestError(f"{output} is a folder of something else, into which no shard is put")
    refuse_output_of_shards(output, format, overwrite=overwrite or output.is_dir())
    file = output / part_name(shard, format)
    if output.is_dir():
        refuse_output(file, folder=False, overwrite=overwrite)
    return file


def refuse_output_of_shards(output: Path, format: str, *, overwrite: bool) -> None:
    """Raises RequestError if no folder `output` of shards can be made; see `refuse_output`."""
    if FORMATS[format].folder:
        raise RequestError(f"--format {format} cannot be written in shards; choose {either(FILES)}")
    refuse_output(output, folder=True, overwrite=overwrite)


def refuse_output(output: Path, *, folder: bool, overwrite: bool) -> None:
    """Raises RequestError if `output` is there and may not be replaced, or cannot be made.

    A folder takes the place only of a folder that is itself an export, a file only of a file.
    """
    if output.exists() and not (output.is_file() or output.is_dir()):
        raise RequestError(f"{output} is no file of a disk, and is not replaced by one")
    if os.path.lexists(output) and not overwrite:  # a link too, whatever it leads to
        raise RequestError(f"{output} exists; give --overwrite to replace it")
    if output.is_dir() and not (folder and _is_export(output)):
        raise RequestError(f"{output} is a folder of something else, which is not replaced")
    if folder and output.is_file():
        raise RequestError(f"{output} is a file, which no folder replaces")
    if not output.parent.is_dir():
        raise RequestError(f"cannot write {output}: there is no folder {output.parent}")
    if not os.access(output.parent, os.W_OK):
        raise RequestError(f"cannot write {output}: {output.parent} is read-only")


def _is_export(folder: Path) -> bool:
    return _holds_parts(folder) or {path.name for path in folder.iterdir()} <= _PROJECTOR_FILES


def _holds_parts(folder: Path) -> bool:
    """Whether all in it are shards, or on the way to be."""
    return all(_PART.fullmatch(path.name) or is_partial(path) for path in folder.iterdir())
