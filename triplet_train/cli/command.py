"""What the commands share: how they end, and how they bring in TensorFlow."""

import errno
import functools
import gc
import importlib
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Annotated, Any

import typer

from triplet_train import __version__
from triplet_train.cli.start import ended_at_once
from triplet_train.console import hung_up
from triplet_train.errors import CommandError, RequestError, Stopped


def launch(command: Callable[..., None]) -> None:
    """Run a command as a program; it ends with 0 if done, else with the status of the error."""

    @functools.wraps(command)
    def interruptible(**options: object) -> None:
        try:
            command(**options)
        except KeyboardInterrupt:  # here, since Typer would end without a word
            raise Stopped("stopped") from None

    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(interruptible)
    try:
        _require_text(sys.argv)
        app()
    except CommandError as error:
        _end(str(error), error.exit_status)
    except OSError as error:  # a full disk, a folder that vanished
        if error.filename is None and hung_up():  # it is of stderr itself
            _end("", 128 + signal.SIGPIPE)
        _end(str(error), 2 if error.errno == errno.ENAMETOOLONG else 1)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # of which Typer makes a 1
            _end("", 128 + signal.SIGPIPE)
        _drop_unwritten()
        raise


def _require_text(arguments: list[str]) -> None:
    """Paths go into YAML, JSON and pages, which are UTF-8."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise RequestError(f"{argument!a} is not UTF-8 text") from None


def _end(message: str, status: int) -> None:
    if message:
        with suppress(OSError):  # nobody reads it
            print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    _drop_unwritten()
    sys.exit(status)


def _drop_unwritten() -> None:
    """Drop what a stream does not take, lest Python tries once more and ends with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str) -> None:
    """Write the answer of a command to standard output."""
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        device = stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode)
        if device and error.errno == errno.EIO:  # a terminal that is closed, which no longer is one
            raise Stopped("", signal.SIGPIPE) from error
        error.filename = "standard output"
        raise


def answer(text: Callable[[], str]) -> Callable[[typer.Context, bool], None]:
    """The callback of an option that prints a text and ends, whatever else is given."""

    def callback(context: typer.Context, asked: bool) -> None:
        if asked and not context.resilient_parsing:  # as while the shell completes
            say(text())
            raise typer.Exit()

    return callback


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        is_eager=True,
        callback=answer(lambda: f"triplet-train {__version__}\n"),
        help="Print the version.",
    ),
]


def import_with_tensorflow(module: str) -> ModuleType:
    """Import a module that needs TensorFlow, without the lines that TensorFlow prints at start.

    TensorFlow writes them to the process's stderr from C++ before any setting can stop it. They are
    kept back, and shown if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow leaves it out on CPUs without AVX512-VNNI; with it a step takes two thirds there.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's other projects run on
    with ended_at_once(), _stderr_held_back():
        if "keras" not in sys.modules:
            # It would import these for plots and wrappers that nothing here uses: a third of the
            # time before anything happens.
            with without_collecting(), _hidden("matplotlib", "pandas", "sklearn"):
                importlib.import_module("keras")
        loaded = importlib.import_module(module)
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):  # looks for one, and speaks again
            tf.config.experimental.set_memory_growth(gpu, True)  # other processes may want some
        tf.get_logger().setLevel("ERROR")
    return loaded


@contextmanager
def without_collecting() -> Iterator[None]:
    """What is made within it stays for good: looking it over for garbage costs a fifth of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Within it these packages, but for those imported already, seem not to be installed."""
    hidden = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


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
            with suppress(OSError):  # nobody reads it
                os.write(real, held.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)
