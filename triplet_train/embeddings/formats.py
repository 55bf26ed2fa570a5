"""The formats of embedding files by name; imports nothing heavy, so that errors come early."""

from pathlib import Path

from triplet_train.errors import RequestError

SUFFIXES = {"parquet": ".parquet", "npz": ".npz", "projector": ""}


def resolve_format(output: Path, asked: str | None) -> str:
    """The format that is asked for, or else the one that the suffix of `output` tells.

    Raises:
        RequestError: an unknown format, or none can be told.
    """
    if asked is not None:
        if asked not in SUFFIXES:
            raise RequestError(f"--format {asked}: expected one of {', '.join(SUFFIXES)}")
        return asked
    told = format_of(output)
    if told is None:
        raise RequestError(
            f"--output {output}: cannot tell the format from the name; end it in .parquet or "
            ".npz, or give --format (projector writes a folder)"
        )
    return told


def format_of(path: Path) -> str | None:
    """The format that the suffix of `path` stands for."""
    return next(
        (name for name, suffix in SUFFIXES.items() if suffix and path.suffix == suffix), None
    )


def file_name(stem: str, format: str) -> str:
    """`stem` with what marks a file, or a folder, of that format."""
    return stem + (SUFFIXES[format] or f".{format}")


def refuse_existing(output: Path, overwrite: bool) -> None:
    """Raises RequestError if `output` is there and may not be replaced, or cannot be made."""
    if output.exists() and not overwrite:
        raise RequestError(f"{output} exists; give --overwrite to replace it")
    if not output.parent.is_dir():
        raise RequestError(f"cannot write {output}: there is no folder {output.parent}")
