"""Nights that are killed with SIGKILL and repeated lose and double no row.

About half the kills wait for a file that is being written; the others come at any moment.
`KILLS=30 python -m pytest -m slow tests/jobs/embed/test_kill_and_repeat.py` takes two minutes.
"""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.made_sets import picture
from tests.helpers.processes import CONTEXT
from triplet_train.embeddings.files import read_table
from triplet_train.files import is_partial

KILLS = int(os.environ.get("KILLS", "6"))
NIGHTS = 3
LIFE = 2.0  # seconds that a process takes for a night
FILES = ("store.parquet", "tonight.parquet")


@pytest.mark.slow
def test_nights_that_are_killed_again_and_again_leave_the_store_of_undisturbed_ones(
    tmp_path, finished_run
):
    hits = Counter()
    for kills, name in ((0, "alone"), (KILLS, "killed")):
        folder, draw = tmp_path / "index", random.Random(0)
        for number in range(NIGHTS):
            add_images(folder / "photos", number)
            more = (kills - hits.total()) // (NIGHTS - number)
            hits += run_until_killed(finished_run, folder, more, draw)
        folder.rename(tmp_path / name)
    alone, killed = (tmp_path / name / FILES[0] for name in ("alone", "killed"))
    assert killed.read_bytes() == alone.read_bytes()
    ids = read_table(killed).ids
    assert len(ids) == len(set(ids)) == 30 + 10 * NIGHTS
    others = {path.name for path in killed.parent.iterdir() if not path.name.startswith(".")}
    assert others == {"photos", *FILES} and hits.total() == KILLS
    assert sum(hits[f"while {name} was written"] for name in FILES), hits


def add_images(folder, number):
    """Add forty images in the first night and ten in others, in which one is changed."""
    first = 0 if number == 0 else 30 + 10 * number
    for row in range(first, 40 + 10 * number):
        place = folder / f"{row % 3}/{row:03}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(row, 8, 8)).save(place)
    Image.fromarray(picture(1000 + number, 8, 8)).save(folder / "0/000.png")


def night(run, folder):
    from triplet_train.console import SILENT
    from triplet_train.jobs.embed.local import embed
    from triplet_train.jobs.embed.merge import MergeRequest, merge
    from triplet_train.jobs.embed.request import EmbedRequest

    os.chdir(folder)
    store, tonight = map(Path, FILES)
    rest = {"checkpoint": run, "images": Path("photos"), "overwrite": True}
    if not store.exists():
        embed(EmbedRequest(output=store, content=True, **rest), SILENT)
        return
    embed(EmbedRequest(output=tonight, skip=store, **rest), SILENT)
    merge(MergeRequest(files=[store, tonight], output=store), SILENT)


def run_until_killed(run, folder, kills, draw):
    """Bring a night to its end despite up to `kills` kills; return what each of them hit."""
    hits = Counter()
    while True:
        left = partials(folder)
        process = CONTEXT.Process(target=night, args=(run, folder))
        process.start()
        if hits.total() == kills:
            process.join()
        elif draw.random() < 0.5:
            while process.is_alive() and partials(folder) == left:
                time.sleep(0.0005)
            time.sleep(draw.uniform(0, 0.1))
        else:
            process.join(draw.uniform(0, LIFE))
        if not process.is_alive() and hits.total() == kills:
            assert process.exitcode == 0
            return hits
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        hits[moment(partials(folder) - left)] += 1


def partials(folder):
    return {path.name for path in folder.iterdir() if is_partial(path)}


def moment(new):
    """The moment at which the process was killed, from the unfinished files that it left."""
    written = [name for name in FILES for partial in new if partial.startswith(f".{name}.")]
    return f"while {written[0]} was written" if written else "at another moment"
