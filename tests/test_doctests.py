import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import triplet_train

MODULES = [
    module.name
    for module in pkgutil.walk_packages(triplet_train.__path__, "triplet_train.")
    if ".cli" not in module.name
]
DOCS = (Path(__file__).parents[1] / "docs").rglob("*.md")
PAGES = sorted(page for page in DOCS if ">>> " in page.read_text())


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_in_the_documentation_are_true(page):
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted and result.failed == 0
