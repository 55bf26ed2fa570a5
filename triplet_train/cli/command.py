"""What the commands share: how they end, and how they bring in TensorFlow."""

import functools
import gc
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import typer

from triplet_train.errors import CommandError, RequestError, Stopped


def launch(command: Callable[..., None]) -> None:
    """Run a command as a program; it ends with 0 if done, else with the status of the error."""

    @functools.wraps(command)
    def interruptible(**options: object) -> None:
        try:
            command(**options)
        except KeyboardInterrupt:  # here, since Typer would end without a word
            raise Stopped("stopped") from None

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(interruptible)
    try:
        app()
    except CommandError as error:
        _end(str(error), error.exit_status)
    except OSError as error:  # a full disk, a folder that vanished
        _end(str(error), 1)


def _end(message: str, status: int) -> None:
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    sys.exit(status)


def source_options(
    dataset: str | None,
    data_dir: Path | None,
    image_key: str | None,
    label_key: str | None,
    classes: str | None,
) -> dict[str, str | None]:
    """What --dataset and the like ask for, as the jobs take it."""
    if dataset == "image_folder":
        raise RequestError("--dataset image_folder: embed a folder with triplet-embed --images")
    return {
        "dataset": dataset,
        "data_dir": None if data_dir is None else str(data_dir),
        "image_key": image_key,
        "label_key": label_key,
        "classes": classes,
    }


def import_with_tensorflow(module: str) -> ModuleType:
    """Import a module that needs TensorFlow, without the lines that TensorFlow prints at start.

    TensorFlow writes them to the process's stderr from C++ before any setting can stop it. They are
    kept back, and shown if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's other projects run on
    with _stderr_held_back(), _without_garbage_collection():
        loaded = importlib.import_module(module)
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):  # looks for one, and speaks again
            tf.config.experimental.set_memory_growth(gpu, True)  # other processes may want some
        tf.get_logger().setLevel("ERROR")
    return loaded


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A sixth of the time that TensorFlow takes to import goes to looking for garbage in it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(real, held.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)
