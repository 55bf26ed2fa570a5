"""Shared parts of the commands: errors, output and the import of TensorFlow."""

import errno
import functools
import gc
import logging
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from triplet_train import __version__
from triplet_train.cli.start import ended_at_once
from triplet_train.console import hung_up
from triplet_train.errors import CommandError, RequestError, Stopped
from triplet_train.jobs import with_tensorflow


def launch(command: Callable[..., None]) -> None:
    """Run a command as a program, and exit with 0 or the status of the error."""

    @functools.wraps(command)
    def interruptible(**options: object) -> None:
        try:
            command(**options)
        except KeyboardInterrupt:  # Typer would print no message
            raise Stopped("stopped") from None

    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(cls=_WithGroups)(interruptible)
    try:
        _require_text(sys.argv)
        app()
    except CommandError as error:
        _end(str(error), error.exit_status)
    except OSError as error:  # a full disk, a folder that vanished
        if error.filename is None and hung_up():  # stderr itself failed
            _end("", 128 + signal.SIGPIPE)
        _end(str(error), 2 if error.errno == errno.ENAMETOOLONG else 1)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # Typer would exit with 1
            _end("", 128 + signal.SIGPIPE)
        _drop_unwritten()
        raise


class _WithGroups(TyperCommand):
    """A command whose help lists options under their `rich_help_panel`, the others last."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options; Typer groups them with the package rich only."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            kind = "Arguments" if param.param_type_name == "argument" else "Options"
            if record is not None:
                group = getattr(param, "rich_help_panel", None) or kind
                groups.setdefault(group, []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records)


def _require_text(arguments: list[str]) -> None:
    """Raise RequestError for arguments that are not UTF-8, as YAML, JSON and pages are."""
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
    """Discard unwritable output, so that Python does not try again and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str) -> None:
    """Write the output of a command to standard output."""
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        device = stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode)
        if device and error.errno == errno.EIO:  # a closed terminal
            raise Stopped("", signal.SIGPIPE) from error
        error.filename = "standard output"
        raise


def answer(text: Callable[[], str]) -> Callable[[typer.Context, bool], None]:
    """Return the callback of an option that prints a text and exits."""

    def callback(context: typer.Context, asked: bool) -> None:
        if asked and not context.resilient_parsing:  # during shell completion
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
Quiet = Annotated[bool, typer.Option("--quiet", help="Print no progress.")]


def import_with_tensorflow(module: str) -> ModuleType:
    """Import a job in a process that does nothing else; see `jobs.with_tensorflow`."""
    # Keras would import these for unused plots and wrappers, in a third of the start time.
    unused = functools.partial(_hidden, "matplotlib", "pandas", "scipy", "sklearn")
    with ended_at_once(), without_collecting():
        loaded = with_tensorflow.import_with_tensorflow(module, around_keras=unused)
    logging.getLogger("tensorflow").setLevel("ERROR")
    return loaded


@contextmanager
def without_collecting() -> Iterator[None]:
    """Disable garbage collection for imports, which saves a fifth of their time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Make packages that are not yet imported seem not to be installed."""
    hidden = [name for name in names if name not in sys.modules]
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
