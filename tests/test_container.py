"""The Dockerfile: its steps in an empty environment, without Docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEPS = [
    line.split(maxsplit=1)
    for line in (ROOT / "Dockerfile").read_text().splitlines()
    if line and not line.startswith("#")
]


def test_the_container_copies_what_the_package_is_made_of():
    words = [word for word, _ in STEPS]
    assert words[0] == "FROM" and words[-1] == "CMD" and "RUN" in words
    assert set(words) <= {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "CMD"}  # as `build` has them
    version = re.fullmatch(r"python:3\.(\d+)-slim", STEPS[0][1])
    oldest = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert int(version[1]) >= int(oldest[1])
    for word, rest in STEPS:
        if word == "COPY":
            assert all((ROOT / name).exists() for name in rest.split()[:-1]), rest


@pytest.mark.slow
def test_the_steps_of_the_container_give_commands_that_work(tmp_path, finished_run, data_dir):
    environment = {
        "PATH": f"{tmp_path / 'env/bin'}:/usr/bin:/bin",
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))},
    }
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    place = tmp_path
    for word, rest in STEPS:
        if word == "WORKDIR":
            place = tmp_path / rest[1:]
            place.mkdir()
        elif word == "COPY":
            *names, target = rest.split()
            for name in names:
                if (ROOT / name).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / name, place / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / name, place / target)
        elif word == "RUN":
            run = ["sh", "-c", rest]
            subprocess.run(run, cwd=place, env=environment, check=True, capture_output=True)
        elif word == "ENV":
            environment |= dict([rest.split("=")])

    def output(*command):
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    (_, command) = STEPS[-1]
    assert "--skip" in output(*re.findall(r'"([^"]*)"', command))
    shutil.rmtree(tmp_path / "src")  # the package does not need it
    request = ["--split", "test[:5]", "--data-dir", data_dir, "--output", "x.parquet"]
    out = output("triplet-embed", "--checkpoint", finished_run, *request)
    assert out == "x.parquet: 5 vectors of 16 dimensions\n"
