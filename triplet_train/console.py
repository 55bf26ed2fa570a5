"""Output on standard error: lines, warnings and progress bars."""

import os
import select
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from warnings import catch_warnings, simplefilter

from tqdm import TqdmExperimentalWarning

from triplet_train.errors import Stopped

with catch_warnings():
    simplefilter("ignore", TqdmExperimentalWarning)
    # A widget in a notebook with ipywidgets. tqdm.auto adds asyncio, which is slow to import.
    from tqdm.autonotebook import tqdm as tqdm

_DELAY = 1  # seconds


def in_notebook() -> bool:
    """Return True in the kernel of a notebook."""
    return "ipykernel.zmqshell" in sys.modules


def write_line(line: str) -> None:
    """Print a line above a bar, to standard error, or to standard output in a notebook.

    Notebooks show standard error on red.

    Raises:
        Stopped: as by SIGPIPE, when the line cannot be written.
    """
    try:
        tqdm.write(line, file=sys.stdout if in_notebook() else sys.stderr)
    except OSError as error:
        raise Stopped("", signal.SIGPIPE) from error


class Console:
    """Lines and progress bars for the user.

    Args:
        quiet: print no lines and show no bars.
        write: receives each line.

    Attributes:
        quiet: as given.
    """

    def __init__(self, quiet: bool = False, write: Callable[[str], object] = write_line) -> None:
        self.quiet, self._write = quiet, write

    def say(self, line: str) -> None:
        """Print a line. Raises what `write` raises."""
        if not self.quiet:
            self._write(line)

    def warn(self, message: str) -> None:
        """Print a warning. Raises what `write` raises."""
        self.say(f"warning: {message}")

    def bar(self, total: int, what: str) -> "Bar":
        """Return a progress bar for `total` images, shown after a second.

        It is shown on a terminal, and in a notebook.
        """
        return Bar(total, what, self.quiet)

    def muted(self) -> "Console":
        """Return a console with the same bars that prints no lines."""
        return Console(self.quiet, write=lambda line: None)

    def lenient(self) -> "Console":
        """Return a console that ignores lines that cannot be written."""

        def write(line: str) -> None:
            with suppress(Stopped):
                self._write(line)

        return Console(self.quiet, write)


class Bar(tqdm):  # type: ignore[type-arg]  # tqdm is no generic class at run time
    """A progress bar that vanishes when it is done."""

    def __init__(self, total: int, what: str, quiet: bool) -> None:
        super().__init__(
            total=total,
            desc=what,
            unit=" images",
            delay=_DELAY,
            leave=False,
            disable=True if quiet else None,
        )
        self._stage = what

    def advance(self, stage: str, done: int) -> None:
        """Name the bar after a stage, and add the images that are done."""
        if stage != self._stage:
            self._stage = stage
            # tqdm alone would show a hidden bar and never remove it.
            shown = not self.disable and self.last_print_t >= self.start_t + _DELAY
            self.set_description(stage, refresh=shown)
        self.update(done)


SILENT = Console(quiet=True)


def hung_up() -> bool:
    """Return True if standard error is a closed pipe or terminal.

    tqdm hides this error from the code that updates a bar.
    """
    if in_notebook():  # the file of the system is that of the server
        return False
    try:
        number = sys.stderr.fileno()
    except (OSError, ValueError):  # no file of the system
        return False
    poll = select.poll()
    poll.register(number, 0)  # poll always reports errors
    return bool(poll.poll(0))


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Hold back what libraries write to standard error, and show it if the block fails."""
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
