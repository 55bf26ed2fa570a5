"""Pages of the documentation are executed from top to bottom, as their reader would."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from made_sets import make_folder
from PIL import Image

from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.cli.train import main as train
from triplet_train.embeddings.files import read_table
from triplet_train.jobs import report

DOCS = Path(__file__).parents[1] / "docs"
COMMANDS = {"triplet-train": train, "triplet-embed": embed, "triplet-eval": evaluate}
# A block of Python, a named block of YAML, or one indented line; Ray is in tests/cli/test_embed.py.
STEPS = re.compile(
    r"^```python\n(.*?)^```$|[Aa]\s+file\s+`(\S+)`:\n\n```yaml\n(.*?)^```$|^    (\S[^\n]*)$",
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


def follow(page, command, *more):
    """What was done, with `more` behind each triplet-train."""
    done = []
    names: dict[str, object] = {}
    for step in STEPS.finditer(page):
        python, file, yaml, line = step.groups()
        if python:
            exec(compile(python, "page.md", "exec"), names)
        elif yaml:
            Path(file).write_text(yaml)
        elif line.startswith("triplet-") and "--engine ray" not in line:
            program, *arguments = shlex.split(line)
            extra = more if program == "triplet-train" else ()
            status, _, err = command(COMMANDS[program], *arguments, *extra)
            assert status == 0, (line, err)
        done.append(line or file or "python")
    return done


def test_the_page_on_embeddings_is_true(workplace, command, finished_run):
    shutil.copytree(finished_run, "runs/demo", symlinks=True)
    width = read_table(workplace / "runs/demo/embeddings/test.parquet").embeddings.shape[1]
    os.mkdir("photos")
    Image.new("RGB", (20, 30), "white").save("photos/seven.png")
    # The demo's own vectors have 32 dimensions.
    page = (DOCS / "embeddings.md").read_text().replace("[32]", f"[{width}]")
    assert len(follow(page, command)) > 20 and (workplace / "map/sprite.png").exists()


def test_the_page_on_data_is_true(workplace, command, data_dir, monkeypatch):
    monkeypatch.setattr(report, "write_page", lambda judged, file, title: file.touch())
    classes = ("ring", "cross", "square", "disc")
    paths = [f"{name}/{number}.jpg" for name in classes for number in range(6)]
    make_folder(workplace / "photos", [f"{s}/{path}" for s in ("train", "test") for path in paths])
    make_folder(workplace / "shapes", paths, size=(30, 50))
    page = (DOCS / "data.md").read_text()
    small = ["--set", "train.steps=4", "--set", "train.eval_every=4", "--data-dir", data_dir]
    done = follow(page, command, *small)
    assert len([step for step in done if step.startswith("triplet-")]) >= 7
    assert {path.name for path in Path("runs").iterdir()} == {
        "photos",
        "shapes",
        "unseen",
        "from_disk",
    }
