"""Every writer on a disk that fills up: an error names the file and the cause; no file is left."""

import errno
import resource
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest

from triplet_train.embeddings.files import read_table, write_table, writing
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.registry import FILES, FORMATS


@contextmanager
def room_in_a_file(size):
    """Keep every file from growing larger than `size` bytes."""
    _, most = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def table(rows, width=16):
    rng = np.random.default_rng(0)
    return EmbeddingTable(
        rng.normal(size=(rows, width)).astype(np.float32),
        np.arange(rows),
        [f"name {row}" for row in range(rows)],
        [f"id {row}" for row in range(rows)],
        {"split": "test"},
        rng.integers(0, 256, (rows, 8, 8, 1), np.uint8),
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_is_reported_and_the_old_file_stays(small_disk, format, overwrite):
    file = small_disk / f"x.{format}"
    if overwrite:
        write_table(table(10), file, format)
    rows = table(500)
    with pytest.raises(OSError) as raised, writing(file, format, 16, {}) as append:
        for _ in range(20):
            append(rows)
    assert raised.value.errno == errno.ENOSPC and raised.value.filename == str(file)
    assert [path.name for path in small_disk.iterdir()] == ([file.name] if overwrite else [])
    if overwrite and format in FILES:
        assert read_table(file).ids == table(10).ids
    subprocess.run(["rm", "-rf", file], check=True)


@pytest.mark.parametrize("format", FORMATS)
def test_a_disk_that_fills_up_anywhere_in_the_file_is_reported(tmp_path, format):
    rows = table(1500)
    write_table(rows, tmp_path / "x", format)
    file = tmp_path / ("x/vectors.tsv" if format == "projector" else "x")
    for room in np.linspace(0, file.stat().st_size - 1, 12).astype(int):
        with pytest.raises(OSError) as raised, room_in_a_file(int(room)):
            write_table(rows, tmp_path / "y", format)
        assert raised.value.errno == errno.EFBIG and raised.value.filename == str(tmp_path / "y")
        assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_hdf5_may_read_again_what_could_not_be_written(tmp_path):
    rows = table(200_000, width=2)
    for room in (0, 2**20):
        with pytest.raises(OSError, match="too large"), room_in_a_file(room):
            write_table(rows, tmp_path / "x.h5", "h5")
    assert not any(tmp_path.iterdir())
