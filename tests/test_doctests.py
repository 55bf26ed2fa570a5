import doctest
import importlib
import pkgutil

import pytest

import triplet_train

MODULES = [
    module.name
    for module in pkgutil.walk_packages(triplet_train.__path__, "triplet_train.")
    if ".cli" not in module.name
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
