"""Many small classes

The time and memory of `triplet-eval` with all its metrics where classes are many and small, beside
pytorch-metric-learning's AccuracyCalculator (PML) and the exact index of faiss. Each image searches
all others: made unit vectors, as many, in as many dimensions and classes of nearly equal size as
the name of the set says; 60,502 images of 11,316 classes are the test set of Stanford Online
Products. `triplet-eval` ranks the whole gallery and counts all pairs. faiss (`IndexFlatL2`) and
"PML, R" find as many images as the largest class has, which MAP@R needs; "PML, all" ranks the whole
gallery, which MAP needs. Each is a process with two threads; memory and the seconds of
`triplet-eval` include start-up and reading. Equal metrics show that all find the same images. PML
is installed as for `peers.py`; the quick form leaves it out where it is not.
"""

import importlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import libraries
from processes import THREADS, OverLimit, command, peak, worker
from retrieval import write_file
from sections import main, table

# Images, dimensions, classes, and the length of the noise beside that of the centres.
SETS = [(60_502, 512, 11_316, 2.2), (120_000, 64, 60_000, 0.9)]
QUICK = [(1_000, 512, 187, 2.2), (1_000, 64, 500, 0.9)]
METRICS = ("recall_at_1", "map_at_r", "map")
LIMIT = 900.0  # seconds
MODULES = {"faiss": "faiss", "PML": "pytorch_metric_learning.utils.accuracy_calculator"}
PML_NAMES = ("precision_at_1", "mean_average_precision_at_r", "mean_average_precision")


def made(images: int, dimensions: int, classes: int, noise: float) -> tuple[Any, Any]:
    """Unit vectors float32 [images, dimensions] and their classes int64 [images]."""
    import numpy as np

    random = np.random.default_rng(0)
    labels = np.arange(images) % classes
    vectors = random.standard_normal((classes, dimensions), np.float32)[labels]
    vectors += noise * random.standard_normal(vectors.shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, labels


def measure(which: str, of: list[Any]) -> dict[str, Any]:
    """Seconds, peak memory and metrics of a library on the set with the sizes `of`."""
    library, _, ranked = which.partition(", ")
    importlib.import_module(MODULES[library])  # its time is not counted
    vectors, labels = made(*of)
    begun = time.perf_counter()
    found = by_pml(vectors, labels, ranked == "all") if ranked else by_faiss(vectors, labels)
    return {"seconds": time.perf_counter() - begun, "peak": peak(), **found}


def by_faiss(vectors: Any, labels: Any) -> dict[str, float]:
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(THREADS)
    sizes = np.bincount(labels)
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(vectors)
    nearest = index.search(vectors, int(sizes.max()))[1]
    # Without itself, which lies anywhere among vectors equal to it, or beyond the last.
    others = nearest != np.arange(len(labels))[:, None]
    others[others.all(axis=1), -1] = False
    nearest = nearest[others].reshape(len(labels), -1)
    ranks, relevant = np.arange(1, nearest.shape[1] + 1), sizes[labels][:, None] - 1
    right = (labels[nearest] == labels[:, None]) & (ranks <= relevant)
    precisions = np.where(right, right.cumsum(axis=1) / ranks, 0)
    evaluated = relevant[:, 0] > 0
    map_at_r = (precisions.sum(axis=1)[evaluated] / relevant[evaluated, 0]).mean()
    return {"recall_at_1": right[evaluated, 0].mean(), "map_at_r": map_at_r}


def by_pml(vectors: Any, labels: Any, whole: bool) -> dict[str, float]:
    import torch
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    torch.set_num_threads(THREADS)
    names = PML_NAMES if whole else PML_NAMES[:2]
    calculator = AccuracyCalculator(names, k=None if whole else "max_bin_count")
    found = calculator.get_accuracy(torch.from_numpy(vectors), torch.from_numpy(labels))
    return dict(zip(METRICS, (float(found[name]) for name in names), strict=False))


def evaluate(of: tuple[Any, ...]) -> dict[str, float]:
    """Run `triplet-eval` on a file of the set."""
    with tempfile.TemporaryDirectory() as folder:
        file, answer = Path(folder) / "vectors.npz", Path(folder) / "metrics.json"
        write_file(file, *made(*of))
        seconds, most = command("triplet-eval", "--queries", file, "--json", answer, "--quiet")
        return {"seconds": seconds, "peak": most, **json.loads(answer.read_text())}


def section(quick: bool) -> str:
    rows = [["set", "", "seconds", "peak MiB", *(f"`{metric}`" for metric in METRICS)]]
    contenders = ["`triplet-eval`", "faiss"]
    if not quick or libraries.installed("pml"):
        contenders += ["PML, R", "PML, all"]
    for of in QUICK if quick else SETS:
        name = "{:,} x {}, {:,} classes".format(*of)
        for which in contenders:
            row = [name, which]
            try:
                found = evaluate(of) if which == "`triplet-eval`" else other(which, of)
            except OverLimit as limit:
                rows.append([*row, str(limit), *["-"] * 4])
                continue
            row += [f"{found['seconds']:.1f}", f"{found['peak']:,.0f}"]
            cells = (f"{found[metric]:.6f}" if metric in found else "-" for metric in METRICS)
            rows.append([*row, *cells])
    return table(rows, left=2)


def other(which: str, of: tuple[Any, ...]) -> dict[str, float]:
    """Result of a process that has the library."""
    python = libraries.interpreter("ours" if which == "faiss" else "pml")
    return worker(__file__, {"which": which, "of": list(of)}, python, LIMIT)


if __name__ == "__main__":
    main(section, measure)
