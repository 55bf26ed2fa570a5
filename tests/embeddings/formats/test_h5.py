import pytest

from triplet_train.embeddings.files import (
    read_table,
    write_table,
)
from triplet_train.errors import RequestError


def test_no_byte_of_an_hdf5_file_changes_unnoticed(tmp_path, table):
    path = tmp_path / "x.h5"
    write_table(table, path, "h5")
    content = path.read_bytes()
    for place in (*range(32), *range(520, len(content), 997)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(RequestError, match=r"x\.h5 .* damaged; its checksum does not match"):
            read_table(path)
