"""The source of the package has no call that would run code from data."""

import ast
from pathlib import Path

import pytest

import triplet_train

PICKLES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "enable_unsafe_deserialization", "read_pickle", "to_pickle"}
SWITCHES = {"allow_pickle": False, "safe_mode": True}  # to nothing else


def offences(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in PICKLES)
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in PICKLES:
                yield node.module
        elif isinstance(node, ast.Call):
            if getattr(node.func, "attr", getattr(node.func, "id", "")) in CALLS:
                yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg in SWITCHES:
            value = node.value
            if not isinstance(value, ast.Constant) or value.value is not SWITCHES[node.arg]:
                yield ast.unparse(node)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml":
            name = node.attr
            if name != "SafeLoader" and ("Loader" in name or "load" in name.split("_")):
                yield ast.unparse(node)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "keras.models.load_model(path, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "yaml.unsafe_load(text)",
        "class Loader(yaml.FullLoader): pass",
        "eval(text)",
    ],
)
def test_a_forbidden_call_is_found(source):
    assert list(offences(source))


def test_data_that_is_read_cannot_run():
    sources = list(Path(triplet_train.__file__).parent.rglob("*.py"))
    assert len(sources) > 50
    assert not [
        (path.name, offence) for path in sources for offence in offences(path.read_text("utf-8"))
    ]
