"""An embedding file of any bytes gives a whole table or a `RequestError`."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.made_files import embedding_file
from triplet_train.embeddings.files import read_table
from triplet_train.errors import RequestError

FORMATS = ("parquet", "npz", "h5")
some = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # of a machine that does other work
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("any")


@pytest.fixture(scope="module", params=FORMATS)
def whole(request, place):
    """A file's format, its bytes, and the positions of bytes that may differ."""
    file = embedding_file(place / f"whole.{request.param}", [0, 0, 1, 1, 2, -1], seed=3, split="x")
    content = file.read_bytes()
    places = np.flatnonzero(np.frombuffer(content, np.uint8))  # most of an HDF5 file is empty
    return request.param, content, places


def read(place, format, content):
    file = place / f"x.{format}"
    file.write_bytes(content)
    try:
        table = read_table(file)
    except RequestError as error:
        assert str(error).startswith(f"{file} is not an embedding file of triplet-train: ")
        return
    rows = len(table.embeddings)
    assert table.embeddings.ndim == 2 and np.isfinite(table.embeddings).all()
    assert rows == len(table.labels) == len(table.label_names) == len(table.ids)
    assert all(isinstance(text, str) for text in (*table.ids, *table.label_names))


@some
@given(format=st.sampled_from(FORMATS), content=st.binary(max_size=300))
def test_any_bytes(place, format, content):
    read(place, format, content)


@some
@given(share=st.floats(0, 1))
def test_a_file_that_is_cut(place, whole, share):
    format, content, _ = whole
    read(place, format, content[: round(share * len(content))])


@some
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_file_with_other_bytes_here_and_there(place, whole, changes):
    format, content, places = whole
    changed = bytearray(content)
    for share, byte in changes:
        changed[places[round(share * (len(places) - 1))]] = byte
    read(place, format, bytes(changed))
