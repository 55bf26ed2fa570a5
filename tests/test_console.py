"""The progress bar, on a stream that poses as a terminal."""

import io
import sys

import numpy as np
import pytest

from tests.helpers.examples import examples
from triplet_train import console
from triplet_train.console import SILENT, Console
from triplet_train.data.same_files import in_two_classes
from triplet_train.evaluation import evaluate


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Run a function and return the text it writes to a terminal."""

    def run(function):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", Terminal())  # here, as pytest sets it after fixtures
            function()
            return sys.stderr.getvalue()

    return run


def test_nothing_is_left_in_front_of_the_answer_where_evaluating_takes_a_moment(on_terminal):
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)

    def evaluating():
        with Console().bar(40, "evaluating") as bar:
            evaluate(*examples(vectors, np.arange(40) % 4), progress=bar.advance)

    assert on_terminal(evaluating) == ""


def test_a_bar_that_has_shown_itself_is_renamed_and_taken_away(on_terminal):
    def evaluating():
        with Console().bar(10, "evaluating") as bar:
            bar.start_t -= 2  # seconds
            bar.last_print_t -= 1
            bar.advance("evaluating", 5)
            bar.advance("clustering", 0)

    shown = on_terminal(evaluating)
    assert "clustering:  50%" in shown
    assert not shown.split("\r")[-2].strip()


def test_comparing_files_shows_a_bar_after_a_moment_unless_it_is_to_be_quiet(
    on_terminal, tmp_path, monkeypatch
):
    (tmp_path / "1.png").touch()
    assert on_terminal(lambda: in_two_classes(tmp_path, {"1.png": "a"}, Console())) == ""
    monkeypatch.setattr(console, "_DELAY", 0)
    assert "comparing files:" in on_terminal(
        lambda: in_two_classes(tmp_path, {"1.png": "a"}, Console())
    )
    assert on_terminal(lambda: in_two_classes(tmp_path, {"1.png": "a"}, SILENT)) == ""


def test_a_warning_is_marked_and_a_quiet_console_says_nothing():
    lines = []
    Console(write=lines.append).warn("a class is empty")
    Console(quiet=True, write=lines.append).warn("a class is empty")
    assert lines == ["warning: a class is empty"]


def test_in_a_notebook_lines_are_not_printed_on_red_and_no_terminal_can_hang_up(
    monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", object())
    console.write_line("step 1")
    assert capsys.readouterr() == ("step 1\n", "")
    monkeypatch.setattr(sys, "stderr", None)  # whose file would be asked for
    assert not console.hung_up()
