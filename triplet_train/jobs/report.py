"""report.html: what was judged, as a page of pictures."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from triplet_train.data.images import ImageTable
from triplet_train.files import read_json, read_text
from triplet_train.jobs.judged import Judged
from triplet_train.report.contents import Contents
from triplet_train.report.page import write_report
from triplet_train.report.sheets import rows_shown

_READ = 256  # images at a time


def write_page(judged: Judged, file: Path, title: str) -> None:
    """Write the page to `file`, and its plots beside it.

    Images are read once more, since only the few that are shown are kept. Of the run, if any, it
    shows the curves, the configuration and the environment.

    Raises:
        OSError: something cannot be written.
    """
    queries, gallery = judged.queries, judged.gallery
    contents = Contents(
        title=title,
        judgement=judged.judgement,
        vectors=queries.embeddings,
        labels=queries.labels,
        class_names=judged.class_names,
        gallery=None if gallery is None else (gallery.embeddings, gallery.labels),
        ids=queries.ids,
        images=None,
        log=None,
        config=None,
        environment=None,
        about=judged.about,
        episodes=judged.episodes,
    )
    if judged.images is not None:
        contents = replace(contents, images=_gather(judged.images, rows_shown(contents)))
    run = judged.run
    if run is not None:
        environment = read_json(run.environment)
        contents = replace(
            contents,
            log=list(run.logged()),
            config=read_text(run.config),
            environment={key: value for key, value in environment.items() if key != "classes"},
        )
    write_report(contents, file)


def _gather(images: ImageTable, rows: Iterable[int]) -> dict[int, np.ndarray]:
    """Row number -> uint8 [H, W, C], for `rows` alone."""
    wanted = sorted(rows)
    found: dict[int, np.ndarray] = {}
    start = 0
    for batch in images.batches(_READ):
        for row in wanted[len(found) :]:
            if row >= start + len(batch):
                break
            found[row] = batch.images[row - start].copy()
        start += len(batch)
        if len(found) == len(wanted):
            break
    return found
