"""The commands as programs: signals from their first moment on, and streams that lead nowhere."""

import os
import signal
import subprocess
import sys
from functools import partial

import pytest

# A command with the given body, started like the real one.
COMMAND = """
import os, signal, sys
from pathlib import Path
from types import ModuleType
from triplet_train.cli import start
from triplet_train.files import replacing

module = ModuleType("triplet_train.cli.embed")
sys.modules[module.__name__] = module

def main():
    {}

module.main = main
start.embed()
"""
# A signal that comes during one of the first imports.
EARLY = """
import signal, sys
from triplet_train.cli import start

class Finder:
    def find_spec(self, name, *_):
        if name == "typer":
            signal.raise_signal(signal.{})

sys.meta_path.insert(0, Finder())
start.train()
"""
TRAIN = "from triplet_train.cli.start import train; train()"


def run(code, *arguments, **options):
    return subprocess.run([sys.executable, "-c", code, *arguments], timeout=60, **options)


@pytest.fixture
def broken():
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.fixture
def hung_up():
    """A terminal that was closed."""
    master, slave = os.openpty()
    os.close(master)
    yield slave
    os.close(slave)


@pytest.fixture(params=["broken", "hung_up"])
def unread(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_during_the_imports_ends_the_command_without_a_traceback(number):
    ended = run(EARLY.format(number.name), stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (-number, b"")  # which a shell calls 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_module_turns_into_another_error_still_ends_the_command(number):
    code = f"""try:
        signal.raise_signal({number:d})
    except BaseException as error:
        raise ImportError("initialization failed") from error"""
    ended = run(COMMAND.format(code), stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (128 + number, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_half_written(tmp_path, number):
    code = f"""with replacing(Path("x.npz")) as beside:
        beside.touch()
        signal.raise_signal({number:d})"""
    assert run(COMMAND.format(code), cwd=tmp_path).returncode == 128 + number
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_from_the_start_stays_so_as_under_nohup(number):
    code = f"""from triplet_train.cli.start import ended_at_once
    from triplet_train.training.interruption import interruption
    signal.raise_signal({number:d})
    with ended_at_once(), interruption() as asked:
        signal.raise_signal({number:d})
    print(asked())"""
    ignore = partial(signal.signal, number, signal.SIG_IGN)
    ended = run(COMMAND.format(code), stdout=subprocess.PIPE, preexec_fn=ignore)
    assert (ended.returncode, ended.stdout) == (0, b"None\n")


def test_an_answer_that_nobody_reads_ends_a_command_as_sigpipe_would(unread):
    ended = run(TRAIN, "--schema", stdout=unread, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


def test_an_answer_that_cannot_be_written_is_reported_with_the_cause():
    with open("/dev/full", "wb") as full:
        ended = run(TRAIN, "--schema", stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert ended.stderr.endswith("No space left on device: 'standard output'\n")
    assert ended.stderr.count("\n") == 1


def test_an_error_that_nobody_reads_keeps_its_exit_status(unread):
    assert run(TRAIN, "--config", "missing.yaml", stderr=unread).returncode == 2


@pytest.mark.parametrize(
    "line, status",
    [
        ("Console().say('a line')", 128 + signal.SIGPIPE),
        ("print('a line', file=sys.stderr)", 128 + signal.SIGPIPE),  # of another library
        ("Console().lenient().say('a line')", 0),
        ("Console(quiet=True).say('a line')", 0),
    ],
)
def test_a_line_that_nobody_reads_ends_a_command_unless_it_may_be_missed(unread, line, status):
    code = f"""from triplet_train.cli.command import launch, say
    from triplet_train.console import Console
    def command():
        {line}
        say("an answer")
    launch(command)"""
    ended = run(COMMAND.format(code), stderr=unread, stdout=subprocess.PIPE)
    assert (ended.returncode, ended.stdout) == (status, b"" if status else b"an answer")


def test_text_for_a_closed_stream_goes_into_no_file_that_is_opened_next(tmp_path):
    code = """with replacing(Path("x.npz")) as beside, beside.open("wb") as file:
        file.write(b"vectors")
        os.write(2, b"a line from C++")
        print("a line", file=sys.stderr)
        print("an answer")"""
    ended = run(
        COMMAND.format(code), cwd=tmp_path, preexec_fn=lambda: [os.close(n) for n in range(3)]
    )
    assert ended.returncode == 0
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"vectors"]


def test_the_package_is_imported_from_a_clone_that_is_not_installed():
    code = "import sys; sys.modules['importlib.metadata'] = None; import triplet_train"
    assert run(code).returncode == 0
