"""triplet-eval --against: comparison with other towers on the same images."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from triplet_train.console import Console
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.same_rows import places_of_same_images
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.evaluation import evaluate, examples_of
from triplet_train.evaluation.comparison import Measured, compare
from triplet_train.evaluation.sides import Side, Tower, sides_of
from triplet_train.evaluation.tables import TableEvaluation


class Candidate(NamedTuple):
    """A run or file to compare.

    Attributes:
        origin: its path, as the user named it.
        rows: its images; their vectors may be missing, [N, 0].
        vectors: computes or reads the vectors of these images, float32 [N, D].
    """

    origin: str
    rows: EmbeddingTable
    vectors: Callable[[], np.ndarray]


class Opponents(NamedTuple):
    """Towers to compare with the first, and the sides that all of them form.

    Attributes:
        origin: of the first.
        others: the other towers.
        places: the rows of the first's images in each of the others.
        sides: the side of the first, and the others.
    """

    origin: str
    others: Sequence[Candidate]
    places: list[np.ndarray]
    sides: list[Side]


def opponents(origin: str, rows: EmbeddingTable, others: Sequence[Candidate]) -> Opponents:
    """Check that towers can be compared, before anything is computed.

    Args:
        origin, rows: of the first tower; see `Candidate`.

    Raises:
        RequestError: see `places_of_same_images` and `sides_of`.
    """
    places = [places_of_same_images(rows, each.rows, (origin, each.origin)) for each in others]
    towers = [Tower(origin, rows.metadata)]
    towers += [Tower(each.origin, each.rows.metadata) for each in others]
    return Opponents(origin, others, places, sides_of(towers))


def file_to_compare(file: Path) -> Candidate:
    """Read the rows of an embedding file; its vectors are read again when they are needed."""
    rows = replace(read_table(file), embeddings=np.empty((0, 0), np.float32))
    return Candidate(str(file), rows, lambda: read_table(file).embeddings)


def compared(evaluated: TableEvaluation, opponents: Opponents, console: Console) -> TableEvaluation:
    """Evaluate the others, one after the other, and add the comparisons to the evaluation.

    Labels, groups and roles are those of the evaluated table.

    Raises:
        RequestError: see `evaluate`.
    """
    queries, result = evaluated.queries, evaluated.result
    (examples,) = examples_of([queries])
    measured = {opponents.origin: Measured(result.metrics, result.per_query)}
    for other, places in zip(opponents.others, opponents.places, strict=True):
        vectors = other.vectors()[places]
        with console.bar(len(vectors), "evaluating") as bar:
            found = evaluate(
                replace(examples, vectors=vectors), metrics=result.table, progress=bar.advance
            )
        measured[other.origin] = Measured(found.metrics, found.per_query)
    labels = queries.labels[result.query_indices]
    return replace(evaluated, comparisons=compare(opponents.sides, measured, labels, result.table))
