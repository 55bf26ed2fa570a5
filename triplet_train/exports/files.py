"""Writing and reading of exported towers. Each format is a file in `formats/`."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import keras

from triplet_train.console import stderr_held_back
from triplet_train.errors import RequestError, RunError
from triplet_train.exports.exported import ExportedTower, Options
from triplet_train.exports.output import require_packages
from triplet_train.files import first_line


def write_export(network: keras.Model, path: Path, format: str, options: Options) -> None:
    """Write a network to a new file or folder.

    Args:
        network: made by `exported_network`.
        format: a name in `registry.EXPORTS`.

    Raises:
        OSError: it cannot be written.
        RunError: the converter of the format does not know a layer of the network.
    """
    failure = None
    with stderr_held_back():
        try:
            _module(format).write(network, path, options)
        except OSError:
            raise
        except Exception as error:  # converters raise many types
            failure = error
    if failure:
        raise RunError(
            f"the tower cannot be converted to {format}: {first_line(failure)}"
        ) from failure


def read_export(path: Path, format: str) -> ExportedTower:
    """Load what `write_export` wrote, in the runtime of its format.

    Raises:
        RequestError: the runtime is not installed, or the file is damaged or of another program.
    """
    require_packages(format)
    failure: Exception | None = None
    with stderr_held_back():
        try:
            tower: ExportedTower = _module(format).read(path)
        except Exception as error:  # runtimes raise many types
            failure = error
    if failure is None:
        return tower
    if isinstance(failure, KeyError | FileNotFoundError):
        raise RequestError(
            f"{path} does not say where it comes from: triplet-export did not write it; give the "
            "run, or export it again"
        ) from failure
    raise RequestError(f"{path} cannot be loaded: {first_line(failure)}") from failure


def _module(format: str) -> ModuleType:
    return import_module(f"triplet_train.exports.formats.{format}")
