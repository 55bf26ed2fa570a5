import numpy as np
import pandas as pd

from triplet_train.embeddings.files import (
    write_table,
)


def test_pandas_reads_the_parquet(tmp_path, table):
    write_table(table, tmp_path / "x.parquet", "parquet")
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert list(frame.columns) == ["id", "label", "label_name", "embedding"]
    np.testing.assert_array_equal(np.stack(frame["embedding"]), table.embeddings)
    assert frame["label"].tolist() == table.labels.tolist()
