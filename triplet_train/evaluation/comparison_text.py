"""A comparison in words, for a terminal and the page."""

from typing import NamedTuple

from triplet_train.evaluation.bootstrap import RESAMPLES
from triplet_train.evaluation.comparison import Comparison, Difference
from triplet_train.evaluation.coverage import of_classes
from triplet_train.evaluation.metrics import Shown
from triplet_train.evaluation.sides import Side
from triplet_train.files import in_one_line, listed

_POINTS = 100  # of a metric between 0 and 1


class ComparisonWords(NamedTuple):
    """A comparison in words.

    Attributes:
        sides: the runs of each side, and the settings in which the sides differ.
        rows: the heading, and for each metric its name, the value of both sides, the difference
            and the interval; all in points.
        sentences: the result for each headline metric that has an interval.
        covered: what the intervals cover, and what they do not.
    """

    sides: list[str]
    rows: list[tuple[str, ...]]
    sentences: list[str]
    covered: str


def in_words(comparison: Comparison) -> ComparisonWords:
    """Describe a comparison."""
    sides = (comparison.first, comparison.other)
    names = [in_one_line(side.name) for side in sides]
    lines = [*map(_side, sides)]
    if comparison.settings:
        lines.append(f"differing settings: {listed(comparison.settings)}")
    return ComparisonWords(
        lines,
        [("", *names, "difference", "95 % interval"), *map(_row, comparison.differences)],
        sentences(comparison),
        _covered(comparison),
    )


def comparison_as_text(comparison: Comparison) -> str:
    """Describe a comparison on a terminal."""
    words = in_words(comparison)
    widths = [max(map(len, column)) for column in zip(*words.rows, strict=True)]
    table = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in words.rows
    ]
    parts = [["Comparison", *words.sides], table, words.sentences, [words.covered]]
    return "\n\n".join("\n".join(part) for part in parts if part)


def sentences(comparison: Comparison) -> list[str]:
    """Return a sentence on each headline metric that has an interval."""
    return [
        _sentence(comparison, each)
        for each in comparison.differences
        if each.interval and Shown.HEADLINE in each.metric.shown
    ]


def _side(side: Side) -> str:
    origins = [tower.origin for tower in side.towers]
    runs = listed(origins)
    if len(origins) > 1:
        runs += f" (seeds {', '.join(str(tower.seed) for tower in side.towers)})"
    return runs if origins == [side.name] else f"{in_one_line(side.name)}: {runs}"


def _row(each: Difference) -> tuple[str, ...]:
    ends = f"{_signed(each.interval[0])} to {_signed(each.interval[1])}" if each.interval else ""
    values = (f"{_POINTS * value:.2f}" for value in (each.first, each.other))
    return (each.metric.name, *values, _signed(each.difference), ends)


def _sentence(comparison: Comparison, each: Difference) -> str:
    assert each.interval
    low, high = each.interval
    if low <= 0 <= high:
        return (
            f"{each.metric.name}: no difference is shown: between {_signed(low)} and "
            f"{_signed(high)} points"
        )
    ahead, behind = (in_one_line(side.name) for side in (comparison.first, comparison.other))
    if high < 0:
        ahead, behind, low, high = behind, ahead, -high, -low
    return (
        f"{ahead} is ahead of {behind} by {_POINTS * low:.2f} to {_POINTS * high:.2f} points of "
        f"{each.metric.name}"
    )


def _covered(comparison: Comparison) -> str:
    counts = f"{of_classes(comparison.queries, comparison.classes)}, the same for both sides"
    if comparison.classes < 2:
        return f"{counts}: an interval needs two classes."
    first, other = (len(side.towers) for side in (comparison.first, comparison.other))
    if comparison.covers_training:
        covered = f", and over the seeds of {first} and {other} runs."
    else:
        covered = (
            ". They do not include the noise of training, which several runs of each side would "
            "show: other seeds may differ by more."
        )
    return (
        f"{counts}. A point is 0.01. The intervals are over queries, drawn by whole classes in "
        f"{RESAMPLES:,} bootstrap samples{covered} Metrics of pairs and of clusters have none."
    )


def _signed(value: float) -> str:
    return f"{_POINTS * value:+.2f}"
