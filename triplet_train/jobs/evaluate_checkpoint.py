"""triplet-eval --checkpoint: what a trained tower is worth."""

import sys
from pathlib import Path

from triplet_train.data.classes import judged_rows
from triplet_train.evaluation.episodes import Episodes
from triplet_train.jobs.judged import Judged, judge_tables
from triplet_train.jobs.open_tower import open_tower


def judge_checkpoint(
    checkpoint: Path,
    *,
    split: str | None,
    quiet: bool,
    episodes: Episodes | None = None,
    **wanted: str | None,
) -> Judged:
    """Each row of the split queries all the others.

    `wanted` and what is raised are those of `OpenTower.source`; see `judge_tables` too.
    """
    opened = open_tower(checkpoint)
    source = opened.source(**wanted)
    split = split or opened.default_split(source)
    images = judged_rows(source.table(split, quiet=quiet), source.data).stream()
    for note in () if quiet else images.notes:
        print(note, file=sys.stderr)
    about = {"checkpoint": str(opened.file), "dataset": source.name, "split": split}
    if images.classes:
        about["classes"] = images.classes
    table = opened.table(images, quiet=quiet)
    return judge_tables(
        about, table, None, quiet, episodes=episodes, images=images, run_dir=opened.run_dir
    )
