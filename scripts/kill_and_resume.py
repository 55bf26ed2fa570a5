"""Kills a training run with SIGKILL again and again, resumes it, and compares it with a whole one.

    python scripts/kill_and_resume.py --kills 50

About half the kills wait for a checkpoint that is being written; the others come at any moment of a
process's life. A run that gets to its end has to be the same as one that was left alone, bit for
bit: weights, optimizer, logs, best step, figures and embeddings. About 2 minutes on 2 CPU cores.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from triplet_train.config import Config, load_config
from triplet_train.files import is_partial
from triplet_train.jobs.run_folder import is_run

# A process of its own in a moment: forked from one that has imported TensorFlow but not run it.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["triplet_train.jobs.train"])
_LIFE = 2.5  # seconds, about what a process of the run below takes to its end
_CLOCK = {"images_per_second", "data_wait"}
EVERYTHING = [
    "batch.per_class=4",
    "model={filters: [8, 16], embedding_dim: 16, batch_norm: true, dropout: 0.3}",
    "optimizer={name: adamw, weight_decay: 0.01, schedule: cosine, warmup_steps: 4}",
    "train={steps: 60, log_every: 3, eval_every: 10, checkpoint_every: 5, keep: 2}",
    "embeddings={splits: [test], formats: [npz, parquet]}",
]


def run_until_killed(config: Config, folder: Path, kills: int, draw: random.Random) -> Counter[str]:
    """Bring a run to its end in spite of up to `kills` kills; what they hit, and how often."""
    hits: Counter[str] = Counter()
    while True:
        process = _start(config, folder)
        if hits.total() == kills:
            process.join()
        elif draw.random() < 0.5:
            while process.is_alive() and not _being_written(folder / "checkpoints"):
                time.sleep(0.0005)
            time.sleep(draw.uniform(0, 0.03))
        else:
            process.join(draw.uniform(0, _LIFE))
        if not process.is_alive():
            break
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        hits[_state(folder)] += 1
    if process.exitcode:
        raise SystemExit(f"a run that was resumed failed with exit status {process.exitcode}")
    return hits


def result(folder: Path) -> dict[str, object]:
    """All that a run leaves, but for what depends on the clock."""
    import keras
    import numpy as np

    state = {
        "log": log_without_clock(folder),
        "figures": json.loads((folder / "metrics.json").read_text()),
        "best": (folder / "checkpoints" / "best").readlink().name,
        "checkpoints": sorted(path.name for path in (folder / "checkpoints").iterdir()),
        "left over": [str(path) for path in folder.rglob("*") if is_partial(path)],
    }
    for path in (folder / "checkpoints").glob("step_*"):
        weights = keras.models.load_model(path / "embedder.keras").get_weights()
        with np.load(path / "optimizer.npz") as moments:
            arrays = [*weights, *(moments[name] for name in sorted(moments))]
        state[path.name] = [array.tobytes() for array in arrays]
    with np.load(folder / "embeddings" / "test.npz") as table:
        state["embeddings"] = table["embeddings"].tobytes()
    return state


def log_without_clock(folder: Path) -> list[dict[str, object]]:
    """The lines of metrics.jsonl without what depends on the clock."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in _CLOCK} for line in lines]


def train_whole(config: Config, folder: Path) -> None:
    process = _start(config, folder)
    process.join()
    if process.exitcode:
        raise SystemExit(f"the whole run failed with exit status {process.exitcode}")


def _start(config: Config, folder: Path) -> multiprocessing.process.BaseProcess:
    process = _PROCESSES.Process(target=_train, args=(config, folder))
    process.start()
    return process


def _train(config: Config, folder: Path) -> None:
    from triplet_train.jobs.train import run

    run(config, folder, resume=is_run(folder), quiet=True)


def _being_written(folder: Path) -> bool:
    try:
        return any(is_partial(path) for path in folder.iterdir())
    except FileNotFoundError:
        return False


def _state(folder: Path) -> str:
    """What a process was doing when it was killed, by what it left."""
    if not is_run(folder):
        return "before the run had begun"
    if _being_written(folder / "checkpoints"):
        return "while a checkpoint was written"
    if any(_being_written(place) for place in (folder, folder / "embeddings")):
        return "while another file was written"
    return "at another moment"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config = load_config("digits_semihard", [f"data.data_dir={place}/data", *EVERYTHING])
        train_whole(config, folder / "whole")
        whole = result(folder / "whole")
        draw, begun = random.Random(options.seed), time.monotonic()
        hits: Counter[str] = Counter()
        runs = wrong = 0
        while hits.total() < options.kills:
            killed = folder / f"killed_{runs}"
            hits += run_until_killed(config, killed, options.kills - hits.total(), draw)
            left = result(killed)
            different = [key for key in whole if whole[key] != left.get(key)]
            wrong += bool(different)
            runs += 1
            print(f"run {runs}: different in {', '.join(different) or 'nothing'}", flush=True)
        for what, times in hits.most_common():
            print(f"{times:4d}  {what}")
        print(f"{hits.total()} kills, {runs} runs, {wrong} of them different, ", end="")
        print(f"{time.monotonic() - begun:.0f} s")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
