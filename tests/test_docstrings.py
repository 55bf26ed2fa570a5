"""Docstrings begin as those of NumPy and scikit-learn do."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "triplet_train"
ODD = re.compile(r"(What|Whether|How|Which|Where|When|Who|Why|As|The same)\b")


@pytest.mark.parametrize(
    "file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_a_docstring_begins_with_a_verb_or_with_the_noun_that_is_returned(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node) or ""
            assert not ODD.match(text), f"{getattr(node, 'name', 'module')}: {text.splitlines()[0]}"
