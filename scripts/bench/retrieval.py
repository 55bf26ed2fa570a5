"""Time and memory of the evaluation beside faiss's exact index, and whether they find the same.

    python scripts/bench/retrieval.py
    python scripts/bench/retrieval.py --sizes 10000 --contenders retrieval faiss_10

N queries search a gallery of N other rows: made vectors of length 1 in 64 dimensions, float32, in
10 clusters that overlap about as the classes of a hard data set. Each contender has a process of
its own; its seconds are without imports and making the vectors, its peak of resident memory with
them. faiss-cpu (pip install faiss-cpu) searches with IndexFlatL2, in float32: its 10 nearest, or as
many as the largest class has rows, which MAP@R needs; then by 1,000 queries, for otherwise the
answer alone takes 12 bytes per query and rank. Needs Linux and a machine with nothing else to do.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

DIMENSIONS, CLASSES, SPREAD = 64, 10, 0.25
SIZES = (10_000, 60_000)
CONTENDERS = {
    "judge": "judge: all figures",
    "retrieval": "retrieval_figures",
    "faiss_10": "faiss, k = 10",
    "faiss_r": "faiss, k = R",
}
REFERENCE = "judge"
FAISS_BLOCK = 1000  # queries


def made(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float32 [rows, 64] of length 1, and their classes int64 [rows]."""
    centres = np.random.default_rng(0).normal(size=(CLASSES, DIMENSIONS)) / DIMENSIONS**0.5
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, rows)
    vectors = centres[labels] + SPREAD * rng.normal(size=(rows, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def measure(contender: str, rows: int, answer: Path) -> None:
    """In this process: writes what was found, and what it took, to the file `answer`."""
    queries, labels = made(rows, seed=1)
    gallery, gallery_labels = made(rows, seed=2)
    found: dict[str, np.ndarray | float] = {}
    if contender.startswith("faiss"):
        import faiss

        largest = int(np.bincount(gallery_labels).max())
        k, block = (10, rows) if contender == "faiss_10" else (largest, FAISS_BLOCK)
        start = time.perf_counter()
        index = faiss.IndexFlatL2(DIMENSIONS)
        index.add(gallery)
        blocks = (queries[first : first + block] for first in range(0, rows, block))
        nearest = np.concatenate([index.search(part, k)[1][:, :10].copy() for part in blocks])
        found = {"neighbours": nearest}
    else:
        from triplet_train.evaluation import judge, retrieval_figures

        start = time.perf_counter()
        if contender == "judge":
            judgement = judge(queries, labels, gallery, gallery_labels)
            found = {"neighbours": judgement.neighbours}
        else:
            figures = retrieval_figures(queries, labels, gallery, gallery_labels).figures
            found = {"recall_at_1": figures["recall_at_1"]}
    seconds = time.perf_counter() - start
    if "neighbours" in found:
        found["recall_at_1"] = np.mean(gallery_labels[found["neighbours"][:, 0]] == labels)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    np.savez(answer, seconds=seconds, peak=peak, **found)


def row(contender: str, rows: int, folder: Path) -> str:
    """A row of the table, measured in another process."""
    answer = folder / f"{contender}_{rows}.npz"
    command = [sys.executable, __file__, "--measure", json.dumps([contender, rows, str(answer)])]
    subprocess.run(command, check=True)
    found = np.load(answer)
    cells = [f"{rows:,}", CONTENDERS[contender], f"{found['seconds']:.1f}"]
    cells += [f"{found['peak']:.2f}", f"{found['recall_at_1']:.4f}"]
    reference = folder / f"{REFERENCE}_{rows}.npz"
    agree = ""
    if "neighbours" in found and contender != REFERENCE and reference.exists():
        ours = np.load(reference)["neighbours"]
        agree = f"{np.mean(found['neighbours'] == ours):.6f}"
    return f"| {' | '.join([*cells, agree])} |"


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.split(": ")[1] for line in lines if line.startswith("model name"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="rows on either side")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        contender, rows, answer = json.loads(options.measure)
        measure(contender, rows, Path(answer))
        return
    print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}", end="")
    for package in ("numpy", "scikit-learn", "scipy", "faiss-cpu"):
        print(f", {package} {version(package)}", end="")
    print("\n\n| rows | what | seconds | peak GiB | recall@1 | neighbours as ours |")
    print("|---|---|---|---|---|---|", flush=True)
    with TemporaryDirectory() as folder:
        for rows in options.sizes:
            for contender in options.contenders:
                print(row(contender, rows, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
