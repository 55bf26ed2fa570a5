import json

import numpy as np

from triplet_train.embeddings.files import (
    write_table,
)


def test_numpy_alone_reads_the_npz_without_pickle(tmp_path, table):
    write_table(table, tmp_path / "x.npz", "npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["embeddings", "ids", "label_names", "labels", "metadata"]
        assert json.loads(str(arrays["metadata"])) == table.metadata
