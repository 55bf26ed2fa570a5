import numpy as np
import pytest

from triplet_train.embeddings.table import EmbeddingTable


@pytest.fixture
def table():
    """A table of six images; the names of its classes hold tabs, quotes and a line break."""
    rng = np.random.default_rng(0)
    names = ["cat", "tab\there", 'quote"d', "ünï", "", "new\nline"]
    return EmbeddingTable(
        rng.normal(size=(6, 4)).astype(np.float32),
        np.arange(6, dtype=np.int64) * 2**40,
        names,
        [f"file__{row}" for row in range(6)],
        {"dataset": "made/1.0.0", "split": "test", "config": {"seed": 1}},
    )
