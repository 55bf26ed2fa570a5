"""An evaluation as plain JSON."""

from dataclasses import asdict
from typing import Any

from triplet_train.embeddings.origin import origin_of
from triplet_train.evaluation.comparison import Comparison
from triplet_train.evaluation.comparison_text import sentences
from triplet_train.evaluation.episodes import EpisodeResult
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.evaluation.thresholds import ThresholdErrors
from triplet_train.evaluation.vectors import Evaluation
from triplet_train.evaluation.verification import DistanceHistograms, histograms


def metrics_as_json(result: Evaluation) -> dict[str, Any]:
    """Metrics, counts, intervals, thresholds, notes: what metrics.json has of a split."""
    return {
        **result.metrics,
        **asdict(result.coverage),
        "intervals": result.intervals,
        "thresholds": result.thresholds,
        "notes": result.notes,
        **({"reranked": result.reranked.metrics} if result.reranked else {}),
    }


def as_json(evaluated: TableEvaluation) -> dict[str, Any]:
    """Everything but the arrays of queries and the images."""
    result, names = evaluated.result, evaluated.class_names
    about = {  # `classes` is the key of their metrics
        "evaluated_classes" if key == "classes" else key: value
        for key, value in evaluated.about.items()
    }
    episodes, compared = evaluated.episodes, evaluated.comparisons
    return {
        **about,
        **origin_of(evaluated.queries).as_json(),
        **metrics_as_json(result),
        "classes_left_out": _named(result.left_out_labels, names),
        "classes": [
            {"name": names[row.label], "label": row.label, "queries": row.queries, **row.metrics}
            for row in result.classes
        ],
        "confusions": [
            {
                "name": names[pair.label],
                "mistaken_for_name": names[pair.mistaken_for],
                **asdict(pair),
            }
            for pair in result.confusions
        ],
        "distances": _histograms(result.distances),
        **_given(evaluated.threshold_errors),
        **({"episodes": _episodes_as_json(episodes, names)} if episodes else {}),
        **({"comparisons": [*map(_comparison_as_json, compared)]} if compared else {}),
    }


def pairs_as_json(evaluated: PairTableEvaluation) -> dict[str, Any]:
    """Everything of an evaluation of listed pairs but the curve."""
    result = evaluated.result
    distances = histograms(result.pairs)
    return {
        **evaluated.about,
        **evaluated.embedder,
        **result.metrics,
        "accuracy_standard_error": result.standard_error,
        "positive_pairs": int(result.pairs.positive.sum()),
        "negative_pairs": int(result.pairs.negative.sum()),
        "images": evaluated.images,
        "repeated_pairs": evaluated.repeated_pairs,
        "pairs_against_labels": evaluated.pairs_against_labels,
        "thresholds": result.thresholds,
        "folds": [asdict(fold) for fold in result.folds],
        "distances": _histograms(distances),
        **_given(evaluated.threshold_errors),
    }


def _histograms(distances: DistanceHistograms) -> dict[str, list[float]]:
    return {name: part.tolist() for name, part in asdict(distances).items()}


def _given(errors: list[ThresholdErrors]) -> dict[str, Any]:
    """The errors of thresholds that were chosen on other images, if there are any."""
    return {"threshold_errors": [asdict(given) for given in errors]} if errors else {}


def _episodes_as_json(result: EpisodeResult, names: dict[int, str]) -> dict[str, Any]:
    """All but the accuracy of each episode."""
    fewest, most = result.queries_per_class
    return {
        "ways": result.request.ways,
        "shots": result.request.shots,
        "queries_per_class": most,
        "fewest_queries_per_class": fewest,
        "episodes": result.request.episodes,
        "seed": result.request.seed,
        "accuracy": result.accuracy,
        "interval": result.interval,
        "classes": result.classes,
        "classes_left_out": _named(result.left_out_labels, names),
    }


def _comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    sides = {"first": comparison.first, "other": comparison.other}
    return {
        **{
            key: {
                "name": side.name,
                "runs": [{"run": tower.origin, "seed": tower.seed} for tower in side.towers],
            }
            for key, side in sides.items()
        },
        "differing_settings": comparison.settings,
        "queries": comparison.queries,
        "query_classes": comparison.classes,
        "intervals_cover_training": comparison.covers_training,
        "sentences": sentences(comparison),
        "differences": {
            each.metric.name: {
                "first": each.first,
                "other": each.other,
                "difference": each.difference,
                "interval": each.interval,
            }
            for each in comparison.differences
        },
    }


def _named(labels: list[int], names: dict[int, str]) -> list[dict[str, Any]]:
    return [{"label": label, "name": names[label]} for label in labels]
