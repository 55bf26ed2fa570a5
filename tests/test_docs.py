"""The documentation says what the code does: its tables against what a run leaves."""

import ast
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from triplet_train.config import Config, load_config, schema_as_yaml
from triplet_train.evaluation.metrics import METRICS, Shown

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "CONTRIBUTING.md"
SCRIPTS_PAGE = ROOT / "scripts/README.md"
PAGES = [ROOT / "README.md", RECIPES, SCRIPTS_PAGE, *sorted(ROOT.glob("docs/**/*.md"))]

# script -> the options behind its name on each page
SCRIPTS: dict[str, list[str]] = {}
for page in PAGES:
    for script, rest in re.findall(
        r"python scripts/([\w/]+\.py)((?:[^`\n\\]|\\\n)*)", page.read_text()
    ):
        SCRIPTS.setdefault(script, []).append(rest)


def test_the_logged_metrics_are_those_of_the_documented_table(finished_run):
    page = (ROOT / "docs/training.md").read_text()
    section = page.split("## What is logged")[1].split("## ")[0]
    documented = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
    lines = [json.loads(line) for line in (finished_run / "metrics.jsonl").open()]
    training, evaluation = (
        next(list(line) for line in lines if ("split" in line) == evaluated) for evaluated in (0, 1)
    )
    assert training == documented
    assert all(f"`{key}`" in section for key in evaluation)


def test_the_page_on_evaluation_has_the_table_of_metrics():
    page = (ROOT / "docs/evaluation.md").read_text()
    table = "\n".join(f"| `{metric.name}` | {metric.meaning} |" for metric in METRICS)
    assert f"| metric | meaning |\n|---|---|\n{table}\n\n" in page
    for place in (Shown.HEADLINE, Shown.CLASS_JSON):
        assert ", ".join(f"`{metric.name}`" for metric in METRICS.shown_in(place)) + " |" in page


def test_the_page_on_the_configuration_shows_the_schema_as_it_is():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    shown = f"```yaml\n{schema_as_yaml(names=False)}```\n"
    assert shown in page, "run python scripts/docs/write_configuration.py"


@pytest.mark.slow
def test_the_page_on_tfds_has_the_data_sets_of_the_installed_version():
    page = (ROOT / "docs/tfds.md").read_text(encoding="utf-8")
    written = set(
        runpy.run_path(str(ROOT / "scripts/docs/write_tfds_page.py"))["page"]().split("\n")
    )
    # With a network TFDS describes more of them.
    assert set(page.split("\n")) <= written, "run python scripts/docs/write_tfds_page.py"


def test_the_configurations_on_the_pages_are_valid(tmp_path):
    pages = ("README.md", "docs/configuration.md", "docs/finetuning.md", "docs/towers.md")
    text = "\n".join((ROOT / name).read_text() for name in pages).replace(
        schema_as_yaml(names=False), ""
    )
    blocks = [block for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S) if block]
    for block in blocks:
        if not re.search("^data:", block, re.M):  # a part of one
            block = f"data: {{dataset: mnist}}\n{block}"
        (tmp_path / "run.yaml").write_text(block)
        assert load_config(str(tmp_path / "run.yaml"))
    assert any(set(yaml.safe_load(block)) == set(Config.model_fields) for block in blocks)


def test_the_recipe_shows_lines_that_are_there():
    shown = 0
    for block in re.findall(r"^```diff\n(.*?)^```$", RECIPES.read_text(), re.M | re.S):
        for line in block.splitlines():
            if line == "...":  # lines that are left out
                continue
            if line.startswith("# "):
                lines = (ROOT / line[2:]).read_text().splitlines()
            else:
                assert line[1:] in lines, line
                shown += 1
    assert shown > 10


def test_the_map_has_every_package_and_the_files_that_it_names():
    package, page = ROOT / "triplet_train", (ROOT / "docs/architecture.md").read_text()
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/` \|", page, re.M)) == packages
    for file in re.findall(r"(?:\w+/)+\w+\.py", page):
        assert (package / file).is_file(), file


def imported_packages(package):
    """Packages of triplet_train that the files of `package` import at run time."""
    imports, found = (ast.Import, ast.ImportFrom), set()
    for file in (ROOT / "triplet_train" / package).rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, imports) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{name}" for name in names]
            found.update(name.split(".")[1] for name in names if name.startswith("triplet_train."))
    return found - {package}


def test_the_map_names_the_packages_that_each_package_imports():
    page = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)/` \|.*\| ([^|]*) \|$", page, re.M)
    packages = {package for package, _ in rows}
    for package, imports in rows:
        named = set(re.findall(r"`(\w+)`", imports))
        assert named == imported_packages(package) & packages, package


def test_every_script_is_in_their_index():
    page = SCRIPTS_PAGE.read_text()
    for script in ROOT.glob("scripts/*/*.py"):
        assert f"{script.name}`" in page, script


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_a_script_takes_the_options_that_pages_give_it(script):
    request = [sys.executable, ROOT / "scripts" / script, "--help"]
    help_ = subprocess.run(request, capture_output=True, text=True, check=True).stdout
    for option in re.findall(r"--[\w-]+", " ".join(SCRIPTS[script])):
        assert option in help_


@pytest.mark.parametrize(
    "page", [*PAGES, *ROOT.glob("docs/*.ipynb")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_between_pages_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", page.read_text()):
        file = (page.parent / target) if target else page
        assert file.exists(), target
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M) if anchor else [""]
        anchors = [
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings
        ]
        assert anchor in anchors, f"{target}#{anchor}"
