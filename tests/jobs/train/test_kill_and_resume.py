"""Runs that are killed with SIGKILL and resumed end bit for bit like a run left alone.

About half the kills wait for a checkpoint that is being written; the others come at any moment.
`KILLS=50 python -m pytest -m slow tests/jobs/train/test_kill_and_resume.py` takes two minutes.
"""

import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.helpers.processes import CONTEXT
from tests.helpers.run_contents import contents
from triplet_train.config import load_config
from triplet_train.files import is_partial
from triplet_train.run.folder import RunFolder
from triplet_train.run.request import TrainRequest

KILLS = int(os.environ.get("KILLS", "4"))
LIFE = 2.5  # seconds that a process takes to the end of the run
EVERYTHING = [
    "batch.per_class=4",
    "model={filters: [8, 16], embedding_dim: 16, batch_norm: true, dropout: 0.3}",
    "optimizer={name: adamw, weight_decay: 0.01, schedule: cosine, warmup_steps: 4}",
    "train={steps: 60, log_every: 3, eval_every: 10, checkpoint_every: 5, keep: 2}",
    "embeddings={splits: [test], formats: [npz, parquet]}",
]


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_bit_for_bit_like_one_left_alone(
    tmp_path, data_dir
):
    config = load_config("digits_semihard", [*EVERYTHING, f"data.data_dir='{data_dir}'"])
    assert run_until_killed(config, tmp_path / "whole", 0, random.Random(0)) == Counter()
    hits = Counter()
    while hits.total() < KILLS:
        killed = tmp_path / f"killed_{hits.total()}"
        hits += run_until_killed(config, killed, KILLS - hits.total(), random.Random(hits.total()))
        assert contents(killed) == contents(tmp_path / "whole")
    assert hits["while a checkpoint was written"], hits


def run_until_killed(config, folder, kills, draw):
    """Bring a run to its end despite up to `kills` kills; return what each of them hit."""
    hits = Counter()
    while True:
        process = CONTEXT.Process(target=train, args=(config, folder))
        process.start()
        if hits.total() == kills:
            process.join()
        elif draw.random() < 0.5:
            while process.is_alive() and not being_written(folder / "checkpoints"):
                time.sleep(0.0005)
            time.sleep(draw.uniform(0, 0.03))
        else:
            process.join(draw.uniform(0, LIFE))
        if not process.is_alive():
            assert process.exitcode == 0
            return hits
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        hits[moment(folder)] += 1


def train(config, folder):
    from triplet_train.console import SILENT
    from triplet_train.jobs.train.job import run

    folder = RunFolder(folder)
    run(TrainRequest(config, folder, resume=folder.is_run()), SILENT)


def being_written(folder):
    try:
        return any(is_partial(path) for path in folder.iterdir())
    except FileNotFoundError:
        return False


def moment(folder):
    """The moment at which the process was killed, from the files that it left."""
    if not RunFolder(folder).is_run():
        return "before the run had begun"
    if being_written(folder / "checkpoints"):
        return "while a checkpoint was written"
    if any(being_written(place) for place in (folder, folder / "embeddings")):
        return "while another file was written"
    return "at another moment"
