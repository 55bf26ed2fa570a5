"""Differences of two sides with their intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from triplet_train.evaluation.comparison import Comparison, Difference
from triplet_train.evaluation.comparison_text import sentences
from triplet_train.report.style import BLUE, GREY, WIDTH, Plot

_CAPTION = (
    "with 95 % intervals. Right of the line the first is better, left of it the other. A grey "
    "interval crosses the line and shows no difference."
)
_LINE = 0.24  # inches of a metric


def comparison_plots(comparisons: Sequence[Comparison]) -> list[Plot]:
    """Draw a plot for each comparison that has intervals."""
    return [
        Plot(
            f"comparison_{number}",
            comparison_figure(differences),
            f"Intervals of differences. {'. '.join(sentences(comparison))}.",
            f"{comparison.first.name} minus {comparison.other.name}, {_CAPTION}",
        )
        for number, comparison in enumerate(comparisons, start=1)
        if (differences := [each for each in comparison.differences if each.interval])
    ]


def comparison_figure(differences: Sequence[Difference]) -> Figure:
    """Draw a line for each metric, which has an interval; the first on top."""
    figure = Figure(figsize=(WIDTH, 0.7 + _LINE * len(differences)))
    axes = figure.add_subplot()
    axes.axvline(0, color="black", lw=1)
    for place, each in enumerate(reversed(differences)):
        assert each.interval
        low, high = each.interval
        color = GREY if low <= 0 <= high else BLUE
        axes.hlines(place, 100 * low, 100 * high, color=color, lw=3)
        axes.plot(100 * each.difference, place, "o", color="black", ms=3.5)
    axes.set_yticks(range(len(differences)), [each.metric.name for each in reversed(differences)])
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("difference in points")
    return figure
