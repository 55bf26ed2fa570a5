"""Training curves: the values of metrics.jsonl over steps."""

from dataclasses import dataclass, replace
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from triplet_train.evaluation import Coverage
from triplet_train.report.style import BLUE, ORANGE, Plot

Line = dict[str, Any]
_LOOKS = ((BLUE, "-", "o"), (ORANGE, "--", "s"))


@dataclass(frozen=True)
class _Panel:
    """Values that share a plot: `keys` maps a key of the log to its name in the legend."""

    name: str
    title: str
    keys: dict[str, str]
    caption: str
    evaluation: bool = False
    percent: bool = False


_PANELS = (
    _Panel(
        "evaluation",
        "Held-out retrieval",
        {"map_at_r": "map_at_r"},
        "The metrics that decide which step is kept. They should improve and level off; if they "
        "get worse late in the run, this is a sign of overfitting.",
        evaluation=True,
    ),
    _Panel(
        "loss",
        "Loss",
        {"loss": "loss"},
        "Falls fast, then slowly. With semi-hard and hard mining it need not reach 0, because they "
        "select the difficult triplets.",
    ),
    _Panel(
        "active_fraction",
        "Active triplets",
        {"active_fraction": "active"},
        "Share of the loss terms that are not 0. Near 0 nothing is left to learn from these "
        "batches: a larger batch or margin finds harder triplets.",
        percent=True,
    ),
    _Panel(
        "pair_distances",
        "Mean distance of pairs",
        {"positive_distance": "same class", "negative_distance": "different"},
        "The two lines should move apart. If both fall to 0 together, the embeddings collapse.",
    ),
    _Panel(
        "embedding_spread",
        "Spread of the embeddings",
        {"embedding_spread": "spread"},
        "Mean squared distance from the mean: 1 where the vectors point in all directions, 0 where "
        "all of them are equal, which is a collapse.",
    ),
    _Panel(
        "gradient_norm",
        "Gradient norm",
        {"gradient_norm": "norm"},
        "Single spikes do little harm. If the norm grows steadily, reduce the learning rate or set "
        "clip_norm. Steps whose gradient overflowed are left out.",
    ),
    _Panel(
        "learning_rate",
        "Learning rate",
        {"learning_rate": "rate"},
        "The learning rate of the schedule, for comparison with the other curves.",
    ),
)


def curve_plots(log: list[Line], best: str) -> list[Plot]:
    """Draw a plot for each kind of value in the log.

    Args:
        best: the name of the metric that chooses the best step.
    """
    evaluation, *others = _PANELS
    panels = (replace(evaluation, keys={best: best} | evaluation.keys), *others)
    return [_plot(panel, log) for panel in panels if any(_series(panel, log).values())]


def _plot(panel: _Panel, log: list[Line]) -> Plot:
    series = _series(panel, log)
    spans = [
        f"{panel.keys[key]} from {points[0][1]:.3g} to {points[-1][1]:.3g}"
        for key, points in series.items()
        if points
    ]
    alt = f"Line chart of {panel.title.lower()} over the steps of training: {', '.join(spans)}."
    over = _over(log) if panel.evaluation else ""
    return Plot(panel.name, _figure(panel, series), alt, panel.caption + over)


def _over(log: list[Line]) -> str:
    """Sentence on the number of queries and classes, if the log has them."""
    counts = [Coverage.of_counts(line) for line in log if "query_classes" in line]
    return f" They are over {counts[-1]}." if counts else ""


def _series(panel: _Panel, log: list[Line]) -> dict[str, list[tuple[int, float]]]:
    """Pairs of step and value by key, of the lines with the value."""
    lines = [line for line in log if ("split" in line) == panel.evaluation]
    return {
        key: [(line["step"], line[key]) for line in lines if line.get(key) is not None]
        for key in panel.keys
    }


def _figure(panel: _Panel, series: dict[str, list[tuple[int, float]]]) -> Figure:
    figure = Figure(figsize=(3.4, 2.5))
    axes = figure.add_subplot()
    axes.set_title(panel.title, loc="left")
    for (key, points), (color, dashes, marker) in zip(series.items(), _LOOKS, strict=False):
        few = len(points) <= 40
        axes.plot(
            *zip(*points, strict=True),
            color=color,
            ls=dashes,
            lw=1.6,
            marker=marker if few else "",
            ms=3.5,
            label=panel.keys[key],
        )
    every = [point for points in series.values() for point in points]
    axes.set_xlim(0, 1.04 * max(step for step, _ in every) or 1)
    if not panel.evaluation:
        axes.set_ylim(0, 1.08 * max(value for _, value in every) or 1)
    if panel.percent:
        axes.set_ylim(0, 1.04)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if len(series) > 1:
        axes.legend(loc="best")
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    return figure
