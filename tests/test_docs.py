"""The documentation says what the code does: its tables against what a run leaves."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_logged_figures_are_those_of_the_documented_table(finished_run):
    page = (ROOT / "docs/training.md").read_text()
    section = page.split("## What is logged")[1].split("## ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    lines = [json.loads(line) for line in (finished_run / "metrics.jsonl").open()]
    training, evaluation = (
        next(list(line) for line in lines if ("split" in line) == judged) for judged in (0, 1)
    )
    assert training == documented
    assert all(f"`{key}`" in section for key in evaluation)


def test_every_key_of_the_schema_is_in_the_readme():
    from triplet_train.config import Config

    readme = (ROOT / "README.md").read_text()
    for section, field in Config.model_fields.items():
        if section != "seed":
            row = next(line for line in readme.splitlines() if line.startswith(f"| `{section}` |"))
            missing = [key for key in field.annotation.model_fields if f"`{key}" not in row]
            assert not missing, (section, missing)
