"""The dependencies in pyproject.toml, of which `make lowest` installs the lowest versions."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LISTS = (ROOT / "pyproject.toml").read_text().partition("\ndependencies")[2]
REQUIREMENTS = re.findall(r'"(.+?)"', LISTS.partition("\n[project.scripts]")[0])
OTHER_NAMES = {"PIL": "pillow", "faiss": "faiss-cpu", "sklearn": "scikit-learn", "yaml": "pyyaml"}
PARTS = {  # packages that come with a dependency and are part of its interface
    "absl": "tensorflow",
    "array-record": "tensorflow-datasets",
    "google": "tensorboard",
    "pydantic-core": "pydantic",
}


def imported(file):
    """Top-level names of the modules that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def test_each_dependency_is_accepted_from_a_version_on():
    others = [name for name in REQUIREMENTS if not re.fullmatch(r"[\w\[\]-]+>=[\d.]+", name)]
    assert len(REQUIREMENTS) > 40
    assert [name.partition("[")[0] for name in others] == ["triplet-train"]


def test_the_package_imports_what_pyproject_declares_and_nothing_else():
    declared = {re.split(r"[\[>]", each)[0] for each in REQUIREMENTS} | set(PARTS)
    files = (ROOT / "triplet_train").rglob("*.py")
    names = {name for file in files for name in imported(file)}
    names -= {"triplet_train", *sys.stdlib_module_names}
    assert len(names) > 20
    assert {OTHER_NAMES.get(name, name.replace("_", "-")) for name in names} <= declared
