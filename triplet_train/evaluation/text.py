"""A judgement in words, for a terminal."""

from triplet_train.evaluation.episodes import EpisodeFigures
from triplet_train.evaluation.judgement import Judgement
from triplet_train.files import in_one_line

_MOST_CLASSES = 10
_MOST_CONFUSIONS = 5
_LIMITS = {"1e-2": "1 %", "1e-3": "0.1 %"}
_COLUMNS = ("recall_at_1", "precision_at_10", "map_at_r", "knn_accuracy")

Names = dict[int, str]


def as_text(judgement: Judgement, names: Names) -> str:
    """Figures with their intervals, thresholds, the worst classes and the hardest confusions.

    Args:
        names: the name of each label.
    """
    names = _in_one_line(names)
    parts = [_figures(judgement), _thresholds(judgement), _classes(judgement, names)]
    if judgement.confusions:
        parts.append(_confusions(judgement, names))
    return "\n\n".join("\n".join(lines) for lines in parts)


def episodes_as_text(found: EpisodeFigures, names: Names) -> str:
    """The accuracy with its interval, and the classes that are in no episode."""
    asked = found.asked
    names = _in_one_line(names)
    lines = [
        f"{asked.ways}-way {asked.shots}-shot accuracy {found.accuracy:.4f} "
        f"+- {found.accuracy - found.interval[0]:.4f} ({asked.episodes:,} episodes drawn from "
        f"{found.classes:,} classes, {queries_of_each(found)}, seed {asked.seed})"
    ]
    if found.left_out_labels:
        lines.append(
            f"  left out, having fewer than {asked.shots + 1} rows: "
            f"{len(found.left_out_labels):,} of the classes "
            f"({listed(found.left_out_labels, names)})"
        )
    return "\n".join(lines)


def queries_of_each(found: EpisodeFigures) -> str:
    """How many rows of a class are classified: "15 queries of each class"."""
    fewest, most = found.queries_per_class
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{count} {'query' if most == 1 else 'queries'} of each class"


def listed(labels: list[int], names: Names) -> str:
    """The names of some classes; of many the first ten."""
    shown = ", ".join(names[label] for label in labels[:_MOST_CLASSES])
    more = len(labels) - _MOST_CLASSES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _in_one_line(names: Names) -> Names:
    return {label: in_one_line(name) for label, name in names.items()}


def _figures(judgement: Judgement) -> list[str]:
    width = max(map(len, judgement.figures))
    lines = [f"{'':{width}}          95 % interval"] if judgement.intervals else []
    for name, value in judgement.figures.items():
        interval = judgement.intervals.get(name)
        between = f"  {interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
        lines.append(f"{name:{width}}  {value:.4f}{between}")
    return lines


def _thresholds(judgement: Judgement) -> list[str]:
    figures, thresholds = judgement.figures, judgement.thresholds
    if "eer" not in figures:
        return ["All pairs are of one class, so no distance can be said to tell classes apart."]
    same, different = judgement.distances.positive.sum(), judgement.distances.negative.sum()
    lines = ["Call two vectors the same class if their distance is at most"]
    for name, limit in _LIMITS.items():
        passing = _percent(figures[f"tpr_at_fpr_{name}"])
        if f"fpr_{name}" in thresholds:
            lines.append(
                f"  {thresholds[f'fpr_{name}']:<8.4g}  {passing} of the pairs of one class pass, "
                f"and at most {limit} of the others"
            )
        else:
            lines.append(
                f"  (none)    lets {limit} of the pairs of different classes pass, or less"
            )
    if "eer" in thresholds:
        lines.append(
            f"  {thresholds['eer']:<8.4g}  {_percent(figures['eer'])} of the pairs of one class "
            "fail, and the same share of the others pass"
        )
    return [*lines, f"over {same:,} pairs of one class and {different:,} of two"]


def _classes(judgement: Judgement, names: Names) -> list[str]:
    shown = judgement.classes[:_MOST_CLASSES]
    width = max(map(len, ["worst classes", *(names[row.label] for row in shown)]))
    lines = [f"{'worst classes':{width}}  queries" + "".join(f"  {name}" for name in _COLUMNS)]
    for row in shown:
        cells = "".join(f"  {getattr(row, column):{len(column)}.4f}" for column in _COLUMNS)
        lines.append(f"{names[row.label]:{width}}  {row.queries:7,}{cells}")
    more = len(judgement.classes) - len(shown)
    return [*lines, f"... {more:,} more classes, all in --json"] if more else lines


def _confusions(judgement: Judgement, names: Names) -> list[str]:
    totals = {row.label: row.queries for row in judgement.classes}
    lines = [
        f"  {names[pair.label]} taken for {names[pair.mistaken_for]}: {pair.queries:,} of "
        f"{totals[pair.label]:,} ({_percent(pair.share)})"
        for pair in judgement.confusions[:_MOST_CONFUSIONS]
    ]
    return ["Queries whose nearest row is of another class, most first:", *lines]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
