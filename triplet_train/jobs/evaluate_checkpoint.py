"""triplet-eval --checkpoint: what a trained tower is worth."""

from pathlib import Path

from triplet_train.console import Console
from triplet_train.data.classes import judged_rows
from triplet_train.evaluation.episodes import Episodes
from triplet_train.jobs.judged import Judged, judge_tables
from triplet_train.jobs.open_tower import open_tower


def judge_checkpoint(
    checkpoint: Path,
    console: Console,
    *,
    split: str | None,
    any_model: bool = False,
    episodes: Episodes | None = None,
    **wanted: str | None,
) -> Judged:
    """Each row of the split queries all the others.

    `any_model` is as in `OpenTower`, `wanted` as in `OpenTower.source`. What is raised is what
    `OpenTower` and `judge_tables` raise.
    """
    opened = open_tower(checkpoint, any_model=any_model)
    source = opened.source(console, **wanted)
    split = opened.default_split(source) if split is None else split
    images = judged_rows(source.table(split), source.data)
    if not console.quiet:
        for note in (*images.notes, *source.in_two_classes([split])):
            console.say(note)
    about = {"checkpoint": str(opened.file), "dataset": source.name, "split": split}
    if images.classes:
        about["classes"] = images.classes
    table = opened.table(images, console)
    return judge_tables(
        about, table, None, console, episodes=episodes, images=images, run=opened.run
    )
