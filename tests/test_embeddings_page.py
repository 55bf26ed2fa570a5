"""docs/embeddings.md is executed from top to bottom, by a user with a finished run."""

import os
import re
import shlex
import shutil
from pathlib import Path

from PIL import Image

from triplet_train.cli.embed import main as embed
from triplet_train.cli.evaluate import main as evaluate
from triplet_train.embeddings.files import read_table

PAGE = (Path(__file__).parents[1] / "docs/embeddings.md").read_text()
COMMANDS = {"triplet-embed": embed, "triplet-eval": evaluate}
# A block of Python between fences, or one indented line; Ray is in tests/cli/test_embed.py.
STEPS = re.compile(r"^```python\n(.*?)^```$|^    (\S[^\n]*)$", re.MULTILINE | re.DOTALL)


def test_the_page_on_embeddings_is_true(tmp_path, monkeypatch, command, finished_run):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    shutil.copytree(finished_run, "runs/demo", symlinks=True)
    width = read_table(tmp_path / "runs/demo/embeddings/test.parquet").embeddings.shape[1]
    os.mkdir("photos")
    Image.new("RGB", (20, 30), "white").save("photos/seven.png")
    names: dict[str, object] = {}
    done = []
    for step in STEPS.finditer(PAGE):
        python, line = step.groups()
        if python:
            # The demo's own vectors have 32 dimensions.
            exec(compile(python.replace("[32]", f"[{width}]"), "embeddings.md", "exec"), names)
        elif line.startswith("triplet-") and "--engine ray" not in line:
            program, *arguments = shlex.split(line)
            status, _, err = command(COMMANDS[program], *arguments)
            assert status == 0, (line, err)
        done.append(line or "python")
    assert len(done) > 20 and (tmp_path / "map/sprite.png").exists()
