"""report.html: an evaluation as a page of plots."""

from dataclasses import replace
from pathlib import Path

from triplet_train.config import load_config
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.files import read_json, read_text
from triplet_train.report.contents import Contents
from triplet_train.report.page import write_report
from triplet_train.report.pair_page import write_pair_report
from triplet_train.report.sheets import queries_shown


def write_page(evaluated: TableEvaluation | PairTableEvaluation, file: Path, title: str) -> None:
    """Write the page to `file`, and its plots beside it.

    It has the training curves, the configuration and the environment of the run, if there is one.
    Only the images that it shows are read.

    Raises:
        RunError: an image cannot be read.
        OSError: a file cannot be read or written.
    """
    if isinstance(evaluated, PairTableEvaluation):
        write_pair_report(evaluated, file, title)
        return
    contents = Contents(title, evaluated)
    if evaluated.images is not None:
        shown = queries_shown(evaluated)
        images = dict(zip(shown.tolist(), evaluated.images.read(shown), strict=True))
        contents = replace(contents, images=images)
    run = evaluated.run
    if run is not None:
        environment = read_json(run.environment)
        environment.pop("classes", None)
        contents = replace(
            contents,
            log=list(run.logged()),
            best_metric=load_config(str(run.config)).evaluation.best_metric,
            config=read_text(run.config),
            environment=environment,
        )
    write_report(contents, file)
