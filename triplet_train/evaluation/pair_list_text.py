"""An evaluation of listed pairs in words, for a terminal."""

from triplet_train.evaluation.pair_list import Fold
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.threshold_text import error_lines, threshold_lines
from triplet_train.files import in_one_line

_MOST_FOLDS = 20


def pairs_as_text(evaluated: PairTableEvaluation) -> str:
    """Describe what was verified, the metrics, thresholds and folds."""
    about = [f"{key}: {value}" for key, value in evaluated.about.items()]
    parts = [
        [*about, *pair_lines(evaluated)],
        _metrics(evaluated),
        threshold_lines(evaluated.result),
        _folds(evaluated),
    ]
    if evaluated.threshold_errors:
        parts.append(error_lines(evaluated.threshold_errors, evaluated.about))
    return "\n\n".join("\n".join(lines) for lines in parts)


def pair_lines(evaluated: PairTableEvaluation) -> list[str]:
    """Number of pairs and images, and what is odd about them, a line each."""
    counts = evaluated.result.pairs
    same, different = int(counts.positive.sum()), int(counts.negative.sum())
    numbers = {
        "rows that repeat a pair, which counts each time": evaluated.repeated_pairs,
        "pairs that contradict the labels of their images": evaluated.pairs_against_labels,
    }
    return [
        f"{same + different:,} pairs of {evaluated.images:,} images: {same:,} of one class and "
        f"{different:,} of two",
        *(f"{words}: {number:,}" for words, number in numbers.items() if number),
    ]


def accuracy_in_words(evaluated: PairTableEvaluation) -> str:
    """The standard error of the accuracy, and its protocol."""
    result = evaluated.result
    return (
        f"standard error {result.standard_error:.4f}, over {len(result.folds):,} folds, each with "
        "the threshold of the others"
    )


def fold_threshold(fold: Fold) -> str:
    """The threshold that a fold is tested with; "none" if it calls all pairs different."""
    return f"{fold.threshold:.4g}" if fold.threshold >= 0 else "none"


def _metrics(evaluated: PairTableEvaluation) -> list[str]:
    metrics = evaluated.result.metrics
    width = max(map(len, metrics))
    first, *others = (f"{name:{width}}  {value:.4f}" for name, value in metrics.items())
    return [f"{first}  ({accuracy_in_words(evaluated)})", *others]


def _folds(evaluated: PairTableEvaluation) -> list[str]:
    shown = evaluated.result.folds[:_MOST_FOLDS]
    names = [in_one_line(fold.name) for fold in shown]
    width = max(map(len, ["fold", *names]))
    lines = [f"{'fold':{width}}    pairs  accuracy  threshold of the others"]
    for name, fold in zip(names, shown, strict=True):
        lines.append(
            f"{name:{width}}  {fold.pairs:7,}  {fold.accuracy:8.4f}  {fold_threshold(fold)}"
        )
    more = len(evaluated.result.folds) - len(shown)
    return [*lines, f"... {more:,} more folds, all in --json"] if more else lines
