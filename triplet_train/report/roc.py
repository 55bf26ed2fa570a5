"""Plot of the ROC curve of pairs."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from triplet_train.evaluation.pair_list import PairListEvaluation
from triplet_train.registry import rate_name
from triplet_train.report.style import BLUE, GREY, ORANGE, WIDTH, Plot

_CAPTION = (
    "Each point is a threshold: of the pairs of two classes, the share on the horizontal axis "
    "passes, and of the pairs of one class that on the vertical axis. The higher the line at the "
    "left, the better. The dashed line is a random guess. Dots are the rates that were asked for."
)


def roc_plot(result: PairListEvaluation) -> Plot:
    """Draw the share of accepted pairs of each kind; the horizontal axis is logarithmic."""
    rates = {rate: result.metrics[f"tpr_at_fpr_{rate_name(rate)}"] for rate in _rates(result)}
    parts = [f"ROC curve with area {result.metrics['roc_auc']:.4f}"]
    parts += [f"TPR {tpr:.3f} at FPR {rate:g}" for rate, tpr in rates.items()]
    return Plot("roc", roc_figure(result), f"{', '.join(parts)}.", _CAPTION)


def roc_figure(result: PairListEvaluation) -> Figure:
    fpr, tpr = result.roc.fpr, result.roc.tpr
    pairs = int(result.pairs.negative.sum())
    least = min(1 / pairs, *_rates(result), 0.1) / 2  # a pair is then inside the axes
    figure = Figure(figsize=(WIDTH, 3.9))
    axes = figure.add_subplot()
    chance = np.geomspace(least, 1, 200)
    axes.plot(chance, chance, color=GREY, ls="--", lw=1.2)
    axes.plot(np.maximum(fpr, least), tpr, color=BLUE, lw=1.6)
    for rate in _rates(result):
        axes.plot([rate], [result.roc.tpr_at(rate)], "o", color=ORANGE, ms=5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    axes.set_xlim(least, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("pairs of two classes that pass")
    axes.set_ylabel("share of the pairs of one class that pass")
    return figure


def _rates(result: PairListEvaluation) -> list[float]:
    return list(result.table.false_accept_rates)
