"""Small embedding files of any content."""

import numpy as np

from triplet_train.embeddings.files import write_table
from triplet_train.embeddings.table import EmbeddingTable


def embedding_file(path, labels, *, names=("cat", "dog", "owl"), width=3, seed=0, **metadata):
    """Vectors near one axis per class; a label of -1 has no name."""
    labels = np.array(labels, np.int64)
    vectors = np.random.default_rng(seed).normal(0, 0.1, (len(labels), width)).astype(np.float32)
    vectors[np.arange(len(labels)), labels] += 1
    texts = [names[label] if label >= 0 else "" for label in labels]
    ids = [f"{seed}/{row}" for row in range(len(labels))]
    write_table(EmbeddingTable(vectors, labels, texts, ids, metadata), path, path.suffix[1:])
    return path
