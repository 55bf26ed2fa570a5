"""Help with typing a command: examples, the schema, completion by the shell."""

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from inspect import signature
from pathlib import Path

import pytest
import typer

from triplet_train import __version__
from triplet_train.cli import embed, evaluate, export, search, train
from triplet_train.config import schema_as_yaml
from triplet_train.registry import FILES, FOLDERS, FORMATS, either, shipped_configs

COMMANDS = {
    "train": train.train,
    "embed": embed.embed,
    "eval": evaluate.evaluate,
    "export": export.export,
    "search": search.search,
}
MAINS = {
    "train": train.main,
    "embed": embed.main,
    "eval": evaluate.main,
    "export": export.main,
    "search": search.main,
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples_a_line_each_that_the_command_takes(command, name):
    app = typer.Typer()
    app.command()(COMMANDS[name])
    status, out, _ = command(MAINS[name], "--help")
    examples = re.findall(rf"^    triplet-{name} (.*)$", out, re.MULTILINE)
    assert status == 0 and len(examples) >= 4
    for example in examples:
        typer.main.get_command(app).make_context(name, shlex.split(example))


def test_help_has_every_option_once_in_its_group(command):
    groups = re.split(r"^(\w.*):\n", command(evaluate.main, "--help")[1], flags=re.MULTILINE)
    options = {
        name: re.findall(r"^  --([\w-]+) ", text, re.MULTILINE)
        for name, text in zip(groups[1::2], groups[2::2], strict=True)
    }
    assert options["What to evaluate"] == ["checkpoint", "queries", "gallery"]
    assert {"quiet", "version", "help"} < {*options["Options"]} and [*options][-1] == "Options"
    named = Counter(name for names in options.values() for name in names)
    taken = {name.strip("_").replace("_", "-") for name in signature(evaluate.evaluate).parameters}
    assert {*named} >= taken - {"more"} and set(named.values()) == {1}


def test_help_names_every_format(command):
    assert f"{either(FORMATS)}." in command(embed.main, "--help")[1]
    assert set(FORMATS) == {*FILES, *FOLDERS}


def test_the_schema_is_printed_without_a_configuration(command):
    assert command(train.main, "--schema") == (0, schema_as_yaml(), "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_prints_the_version(command, name):
    assert command(MAINS[name], "--version") == (0, f"triplet-train {__version__}\n", "")


def completed(words, folder):
    """Completions that bash gets for the last word of the line `words`."""
    program = Path(sys.executable).with_name("triplet-train")
    environment = os.environ | {
        "_TRIPLET_TRAIN_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    answer = subprocess.run([program], env=environment, cwd=folder, capture_output=True, text=True)
    assert not answer.stderr
    return answer.stdout.splitlines()


def test_the_shell_completes_configurations_by_name_and_by_file(tmp_path):
    (tmp_path / "mine").mkdir()
    for file in ("more.yaml", "mine/flowers.yml", "mine/notes.txt"):
        (tmp_path / file).touch()
    shipped = [name for name in shipped_configs() if name.startswith("m")]
    assert completed("triplet-train --config m", tmp_path) == [*shipped, "more.yaml"]
    assert completed("triplet-train --config mine/", tmp_path) == ["mine/flowers.yml"]
    assert completed("triplet-train --schema --over", tmp_path) == ["--overwrite"]


def test_the_script_for_completion_is_printed(command, monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    status, out, _ = command(train.main, "--show-completion")
    assert status == 0 and "complete -o default -F" in out
