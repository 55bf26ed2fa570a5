"""Evaluation of the pairs of images that a table lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from triplet_train.data.listed_pairs import ListedPairs
from triplet_train.embeddings.common_labels import with_common_labels
from triplet_train.embeddings.origin import origin_of
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation.metrics import METRICS, MetricTable
from triplet_train.evaluation.pair_list import PairListEvaluation, evaluate_pairs, pair_distances
from triplet_train.evaluation.thresholds import ThresholdErrors, errors_of


@dataclass(frozen=True)
class PairTableEvaluation:
    """An evaluation of listed pairs, and what is known of them.

    Attributes:
        about: origin of the vectors and pairs; plain JSON.
        embedder: of the vectors; see `Origin.as_json`.
        images: number of different images in the pairs.
        repeated_pairs: number of pairs that are listed before; they count each time.
        pairs_against_labels: number of pairs that are called same and have different labels, or the
            reverse.
        result: of the distances.
        threshold_errors: of thresholds that were chosen on other images.
    """

    about: dict[str, str]
    embedder: dict[str, Any]
    images: int
    repeated_pairs: int
    pairs_against_labels: int
    result: PairListEvaluation
    threshold_errors: list[ThresholdErrors]


def evaluate_listed_pairs(
    about: dict[str, str],
    listed: ListedPairs,
    queries: EmbeddingTable,
    gallery: EmbeddingTable | None = None,
    *,
    metrics: MetricTable = METRICS,
    thresholds: Mapping[str, float] | None = None,
) -> PairTableEvaluation:
    """Verify listed pairs. Labels and roles of the images are not used, but compared.

    Args:
        about: as in `PairTableEvaluation`.
        queries: has the first image of each pair; without a gallery the second too.
        gallery: has the second images.
        metrics: as in `evaluate_pairs`.
        thresholds: by name, chosen on other images, to state their errors.

    Raises:
        RequestError: unknown ids, a pair of an image with itself, pairs that contradict each other,
            or see `evaluate_pairs`.
    """
    given = [queries] if gallery is None else [queries, gallery]
    if gallery is None:
        listed.refuse_images_with_themselves()
    repeated = listed.repeated(ordered=gallery is not None)
    origins = [about[key] for key in ("queries_file", "gallery_file", "split") if key in about]
    tables, _ = with_common_labels(given)
    sides = [tables[0], tables[-1]]
    rows = [
        listed.rows_in(side, table.ids, origin)
        for side, (table, origin) in enumerate(zip(sides, [origins[0], origins[-1]], strict=True))
    ]
    first, second = (table.labels[found] for table, found in zip(sides, rows, strict=True))
    against = (first >= 0) & (second >= 0) & ((first == second) != listed.same)
    distances = pair_distances(sides[0].embeddings, sides[1].embeddings, *rows)
    try:
        result = evaluate_pairs(distances, listed.same, listed.folds, metrics=metrics)
    except RequestError as error:
        raise RequestError(f"{listed.file}: {error}") from error
    used = [rows[0], rows[1] + (0 if gallery is None else len(queries.ids))]
    return PairTableEvaluation(
        about,
        origin_of(queries).as_json(),
        len(np.unique(used)),
        repeated,
        int(against.sum()),
        result,
        errors_of(thresholds or {}, result.pairs),
    )
