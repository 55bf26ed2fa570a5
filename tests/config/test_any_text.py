"""Any text at all is loaded as a `Config` or refused with a `RequestError`."""

import contextlib

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triplet_train.config import load_config, to_yaml
from triplet_train.errors import RequestError

WHOLE = load_config("digits_semihard").model_dump(mode="json")
KEYS = [(section, key) for section, keys in WHOLE.items() if isinstance(keys, dict) for key in keys]
PARTS = """data: loss: seed dataset margin digits { } [ ] ' " # | > ? ~ = @ ` , : - -- --- ... &a *a
<<: !!int !!float !!bool !!timestamp !!binary !!set !!omap !!pairs !!str !x !!python/name:os %YAML
%TAG 1e9 1e٣ 0x 0o9 1:2 1_0 .inf .nan -0.0 2020-13-01 2020-01-01T00:00:00Z \\ \0 \ufeff \x1b"""
WORDS = (
    "auto",
    "hard",
    "0-4",
    "80%",
    "1e3",
    "cnn",
    "VGG16",
    "image_folder",
    "2GiB",
    "~x/y",
    "../x",
    "/x",
)
fragments = st.lists(st.sampled_from(PARTS.split()) | st.text(max_size=3), max_size=12).flatmap(
    lambda parts: st.sampled_from((" ", "", "\n")).map(lambda between: between.join(parts))
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.dates()
    | st.binary(max_size=9)
    | st.sampled_from(WORDS)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)
some = settings(max_examples=100, derandomize=True, deadline=None, database=None)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "run.yaml"


def load(file, content):
    """Load the text, and again the YAML of its `Config`: an AssertionError if the two differ."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    try:
        config = load_config(str(file))
    except RequestError as error:
        assert len(str(error)) < 20_000
        return
    file.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(str(file)) == config


@some
@example("data: {dataset: digits}\nseed: !!int ''")
@example("data: {dataset: digits}\nseed: !!set 0")
@example("data: {dataset: digits, data_dir: ~nobody_by_this_name}")
@example("data: {dataset: digits, train_classes: [0x" + "f" * 9000 + "]}")
@given(
    st.text()
    | st.binary()
    | fragments
    | fragments.map(lambda more: f"data: {{dataset: digits}}\n{more}")
)
def test_any_text_is_a_configuration_or_is_refused(file, content):
    load(file, content)


@some
@given(st.lists(st.tuples(st.sampled_from(KEYS), values), min_size=1, max_size=3))
def test_any_value_of_any_key_is_taken_or_refused_and_what_is_taken_loads_again(file, changes):
    tree = {"data": {"dataset": "digits"}}
    for (section, key), value in changes:
        tree.setdefault(section, {})[key] = value
    load(file, yaml.safe_dump(tree))


@some
@given(st.sampled_from(KEYS), fragments | st.text(max_size=9))
def test_any_override_is_taken_or_refused(file, key, text):
    file.write_text("data: {dataset: digits}")
    with contextlib.suppress(RequestError):
        load_config(str(file), [f"{'.'.join(key)}={text}"])
