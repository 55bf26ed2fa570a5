"""Names of exported towers, and outputs that are refused. Imports nothing heavy."""

from importlib.util import find_spec
from pathlib import Path

from triplet_train.errors import RequestError
from triplet_train.files import refuse_file, refuse_place, refuse_replacement
from triplet_train.registry import EXPORTS

ABOUT = "assets.extra/triplet_train.json"  # in a folder; TensorFlow Serving ignores assets.extra


def format_of(path: Path) -> str:
    """Return the format that a name stands for. A name without a suffix is that of a folder.

    Raises:
        RequestError: the name has another suffix.
    """
    name = next((name for name, export in EXPORTS.items() if export.suffix == path.suffix), None)
    if name is None and not path.suffix[1:].isdigit():
        suffixes = " or ".join(export.suffix for export in EXPORTS.values() if export.suffix)
        raise RequestError(
            f"--output {path}: end the name in {suffixes}, or give one without a suffix for the "
            "folder of a SavedModel"
        )
    return name or "saved_model"


def exported_format(path: Path) -> str | None:
    """Return the format of an exported tower at `path`, by its name or content; None: not one."""
    for name, export in EXPORTS.items():
        if export.entry:
            found = (path / export.entry).is_file()
        else:
            found = path.suffix == export.suffix and path.is_file()
        if found:
            return name
    return None


def require_packages(format: str) -> None:
    """Raise RequestError if a package that a format needs is not installed."""
    missing = [package for package in EXPORTS[format].packages if find_spec(package) is None]
    if missing:
        raise RequestError(
            f"{', '.join(missing)} not installed: install with pip install "
            f"'triplet-train[{format}]'"
        )


def refuse_export(output: Path, *, overwrite: bool) -> None:
    """Raise RequestError if `output` exists and may not be replaced, or cannot be written.

    A folder replaces an exported folder, a file replaces a file, and nothing else.
    """
    if not EXPORTS[format_of(output)].entry:
        refuse_file(output, overwrite=overwrite)
        return
    refuse_replacement(output, overwrite=overwrite)
    if output.exists() and not (output / ABOUT).is_file():
        raise RequestError(
            f"{output} was not written by triplet-export, so --overwrite does not replace it; "
            "choose another name"
        )
    refuse_place(output)
