"""Evaluation

The time and memory of `triplet-eval` with all its metrics, beside the exact index of faiss. N
queries search a gallery of N others: made unit vectors in 64 dimensions, in 10 clusters that
overlap about as the classes of a hard data set do. faiss (`IndexFlatL2`) finds the 10 nearest, or
as many as the largest class has images (R), which MAP@R needs. Each is a process; memory and the
seconds of `triplet-eval` include start-up and reading. Equal metrics show that both find the same
images.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from processes import command, peak, worker
from sections import main, table

DIMENSIONS, CLASSES, SPREAD, BLOCK = 64, 10, 0.25, 1000
METRICS = ("recall_at_1", "recall_at_10", "precision_at_10")


def made(count: int, seed: int) -> tuple[Any, Any]:
    """Unit vectors float32 [count, 64] and their classes int64 [count]."""
    import numpy as np

    centres = np.random.default_rng(0).normal(size=(CLASSES, DIMENSIONS)) / DIMENSIONS**0.5
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    vectors = centres[labels] + SPREAD * random.normal(size=(count, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def measure(count: int, whole_class: bool) -> dict[str, float]:
    """Search with faiss, in blocks of queries, which bound the memory of its answers."""
    import faiss
    import numpy as np

    (queries, labels), (gallery, gallery_labels) = made(count, seed=1), made(count, seed=2)
    k = int(np.bincount(gallery_labels).max()) if whole_class else 10
    begun = time.perf_counter()
    index = faiss.IndexFlatL2(DIMENSIONS)
    index.add(gallery)
    blocks = [queries[first : first + BLOCK] for first in range(0, count, BLOCK)]
    nearest = np.concatenate([index.search(block, k)[1][:, :10].copy() for block in blocks])
    seconds = time.perf_counter() - begun
    right = gallery_labels[nearest] == labels[:, None]
    values = (right[:, 0].mean(), right.any(axis=1).mean(), right.mean())
    metrics = dict(zip(METRICS, map(float, values), strict=True))
    return {"seconds": seconds, "peak": peak(), **metrics}


def write_file(file: Path, vectors: Any, labels: Any) -> None:
    """Embedding file of triplet-train, in its npz format."""
    import numpy as np

    names = np.array([str(label) for label in labels])
    ids = np.array([f"{file.stem}-{row}" for row in range(len(labels))])
    np.savez(
        file,
        embeddings=vectors,
        labels=labels,
        label_names=names,
        ids=ids,
        metadata=np.array(json.dumps({})),
    )


def evaluate(count: int, folder: Path) -> dict[str, float]:
    files = {name: folder / f"{name}-{count}.npz" for name in ("queries", "gallery")}
    for seed, file in enumerate(files.values(), start=1):
        write_file(file, *made(count, seed))
    answer = folder / f"{count}.json"
    both = ["--queries", files["queries"], "--gallery", files["gallery"]]
    seconds, most = command("triplet-eval", *both, "--json", answer, "--quiet")
    return {"seconds": seconds, "peak": most, **json.loads(answer.read_text())}


def section(quick: bool) -> str:
    rows = [["N", "", "seconds", "peak MiB", *(f"`{metric}`" for metric in METRICS)]]
    with tempfile.TemporaryDirectory() as folder:
        for count in (1000,) if quick else (10_000, 60_000):
            contenders = {
                "`triplet-eval`": evaluate(count, Path(folder)),
                "faiss, 10": worker(__file__, {"count": count, "whole_class": False}),
                "faiss, R": worker(__file__, {"count": count, "whole_class": True}),
            }
            for name, found in contenders.items():
                row = [f"{count:,}", name, f"{found['seconds']:.1f}", f"{found['peak']:,.0f}"]
                rows.append([*row, *(f"{found[metric]:.6f}" for metric in METRICS)])
    return table(rows, left=2)


if __name__ == "__main__":
    main(section, measure)
