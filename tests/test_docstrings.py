"""Docstrings begin as those of NumPy and scikit-learn do."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    file
    for folder in ("triplet_train", "scripts", "tests")
    for file in (ROOT / folder).rglob("*.py")
)
ODD = re.compile(r"(What|Whether|How|Which|Where|When|Who|Why|As|The same)\b")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_docstring_begins_with_a_verb_or_with_the_noun_that_is_returned(file):
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [ast.get_docstring(node) or "" for node in nodes if isinstance(node, kinds)]
    assert not [text.splitlines()[0] for text in texts if ODD.match(text)]
