"""triplet-eval: what a checkpoint or a set of embedding files is worth."""

from pathlib import Path
from typing import Any

from triplet_train.embeddings.files import read_table
from triplet_train.errors import RequestError
from triplet_train.evaluation import RetrievalFigures, retrieval_figures
from triplet_train.jobs.tower_source import open_tower

Answer = dict[str, Any]


def judge_checkpoint(
    checkpoint: Path, *, split: str | None, quiet: bool, **wanted: str | None
) -> Answer:
    """Each row of the split queries all the others.

    `wanted` and what is raised are those of `OpenTower.source`.
    """
    opened = open_tower(checkpoint)
    source = opened.source(**wanted)
    split = split or opened.default_split(source)
    table = opened.table(source.stream(split), quiet=quiet)
    figures = retrieval_figures(table.embeddings, table.labels)
    about = {"checkpoint": str(opened.file), "dataset": source.name, "split": split}
    return about | _flat(figures)


def judge_files(queries: Path, gallery: Path | None) -> Answer:
    """Each query searches the gallery, or without one (or with the same file) the other queries.

    Raises:
        RequestError: a file that cannot be read, two that come from different towers, or that
            share rows.
    """
    found = read_table(queries)
    if gallery is None or gallery.resolve() == queries.resolve():
        figures = retrieval_figures(found.embeddings, found.labels)
        return {"queries_file": str(queries)} | _flat(figures)
    searched = read_table(gallery)
    towers = [table.metadata.get("checkpoint_sha256") for table in (found, searched)]
    if towers[0] != towers[1]:
        raise RequestError(f"{queries} and {gallery} come from different checkpoints")
    if found.metadata.get("dataset") == searched.metadata.get("dataset"):
        shared = len(set(found.ids) & set(searched.ids))
        if shared:
            raise RequestError(
                f"{shared:,} rows of {queries} are in {gallery} too and would find themselves; "
                "to judge a file by itself, leave out --gallery"
            )
    figures = retrieval_figures(
        found.embeddings, found.labels, searched.embeddings, searched.labels
    )
    return {"queries_file": str(queries), "gallery_file": str(gallery)} | _flat(figures)


def as_text(answer: Answer) -> str:
    """A line per entry, figures with four digits."""
    width = max(map(len, answer))
    shown = {k: f"{v:.4f}" if isinstance(v, float) else v for k, v in answer.items()}
    return "\n".join(f"{key:{width}}  {value}" for key, value in shown.items())


def _flat(figures: RetrievalFigures) -> Answer:
    return {
        **figures.figures,
        "queries": figures.queries,
        "queries_without_their_class": figures.left_out,
    }
