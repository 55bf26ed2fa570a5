"""Thresholds and their errors in words."""

from collections.abc import Mapping, Sequence

from triplet_train.evaluation.pair_list import PairListEvaluation
from triplet_train.evaluation.thresholds import ThresholdErrors, errors_of
from triplet_train.evaluation.vectors import Evaluation
from triplet_train.registry import rate_name

Verified = Evaluation | PairListEvaluation
ERROR_COLUMNS = ("distance", "false accepts", "false rejects", "accuracy")


def threshold_rows(result: Verified) -> list[tuple[str, str]]:
    """Distances, and the pairs that are accepted up to each; none for pairs of one class."""
    metrics, thresholds = result.metrics, result.thresholds
    rows = []
    for rate in result.table.false_accept_rates if "eer" in metrics else ():
        name, limit = rate_name(rate), percent(rate)
        if f"fpr_{name}" in thresholds:
            accepted = percent(metrics[f"tpr_at_fpr_{name}"])
            words = f"{accepted} of the pairs of one class pass, and at most {limit} of the others"
            rows.append((f"{thresholds[f'fpr_{name}']:.4g}", words))
        else:
            rows.append(("(none)", f"lets at most {limit} of the pairs of different classes pass"))
    if "eer" in thresholds:
        words = "of the pairs of one class fail, and the same share of the others pass"
        rows.append((f"{thresholds['eer']:.4g}", f"{percent(metrics['eer'])} {words}"))
    if "accuracy" in thresholds:
        (errors,) = errors_of({"accuracy": thresholds["accuracy"]}, result.pairs)
        words = "of all pairs are told right, more than with any other distance"
        rows.append((f"{thresholds['accuracy']:.4g}", f"{percent(errors.accuracy)} {words}"))
    return rows


def threshold_lines(result: Verified) -> list[str]:
    """Thresholds that are chosen on these pairs, and the number of pairs."""
    if "eer" not in result.metrics:
        return ["All pairs are of one class, so no distance can tell classes apart."]
    same, different = result.pairs.positive.sum(), result.pairs.negative.sum()
    return [
        "Call two vectors the same class if their distance is at most",
        *(f"  {distance:8}  {words}" for distance, words in threshold_rows(result)),
        f"over {same:,} pairs of one class and {different:,} of two",
    ]


def error_rows(errors: Sequence[ThresholdErrors]) -> list[tuple[str, ...]]:
    """Name of each given threshold, and the values of `ERROR_COLUMNS`."""
    return [
        (
            given.name,
            f"{given.threshold:.4g}",
            percent(given.false_accept_rate),
            percent(given.false_reject_rate),
            f"{given.accuracy:.4f}",
        )
        for given in errors
    ]


def error_lines(errors: Sequence[ThresholdErrors], about: Mapping[str, str]) -> list[str]:
    """Table of the errors of given thresholds, with a heading.

    Args:
        about: names their file.
    """
    rows = [("", *ERROR_COLUMNS), *error_rows(errors)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"Thresholds chosen in {about['thresholds_file']}, with their errors here",
        *(
            "  ".join([f"{row[0]:{widths[0]}}", *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ),
    ]


def percent(share: float) -> str:
    """Write a share such as 0.0123 as "1.23 %"."""
    return f"{100 * share:.3g} %"
