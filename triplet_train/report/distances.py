"""Histograms of the distances of positive and of negative pairs."""

from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from triplet_train.evaluation.verification import DistanceHistograms
from triplet_train.report.style import BLUE, ORANGE, WIDTH, Plot

_DASHES = ("-.", ":", "--")  # of the thresholds for false accept rates
_LOOKS = {"eer": "-", "accuracy": (0, (6, 1, 1, 1, 1, 1))}
_MEANINGS = {
    "eer": "same error rate on both kinds of pairs",
    "accuracy": "most pairs told right",
}
_CAPTION = (
    "Each hump shows all pairs of its kind and has the same area. Same-class pairs should lie to "
    "the left and different ones to the right: where the humps overlap, no threshold can tell them "
    "apart. Vertical lines are thresholds: a pair at or left of one is called the same."
)


def distance_plot(histograms: DistanceHistograms, thresholds: dict[str, float]) -> Plot:
    """Draw the densities of pairs by distance, with the thresholds."""
    means = [
        f"{kind} pairs at {_mean(histograms.edges, counts):.2f} on average"
        for kind, counts in (
            ("same-class", histograms.positive),
            ("different", histograms.negative),
        )
        if counts.sum()
    ]
    alt = f"Histograms of pair distances: {', '.join(means)}."
    return Plot("distances", distance_figure(histograms, thresholds), alt, _CAPTION)


def distance_figure(histograms: DistanceHistograms, thresholds: dict[str, float]) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.9))
    axes = figure.add_subplot()
    kinds = (
        ("pairs of the same class", histograms.positive, BLUE, "-"),
        ("pairs of different classes", histograms.negative, ORANGE, "--"),
    )
    for kind, counts, color, dashes in kinds:
        if counts.sum():
            density = counts / (counts.sum() * np.diff(histograms.edges))
            label = f"{kind} ({counts.sum():,})"
            axes.stairs(density, histograms.edges, fill=True, color=color, alpha=0.25, lw=0)
            axes.stairs(density, histograms.edges, color=color, ls=dashes, lw=1.5, label=label)
    rates = [key for key in thresholds if key not in _LOOKS]
    dashes_of = dict(zip(rates, cycle(_DASHES), strict=False)) | _LOOKS
    for key, distance in reversed(thresholds.items()):
        label = f"{distance:.2f}: {_meaning(key)}"
        axes.axvline(distance, color="black", ls=dashes_of[key], lw=1.2, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.set_xlabel("Euclidean distance")
    axes.set_ylabel("density of pairs")
    figure.legend(loc="outside lower center", ncols=1, handlelength=2.8)
    return figure


def _meaning(key: str) -> str:
    if key in _MEANINGS:
        return _MEANINGS[key]
    return f"{100 * float(key.removeprefix('fpr_')):g}% of different pairs accepted"


def _mean(edges: np.ndarray, counts: np.ndarray) -> float:
    return float(((edges[:-1] + edges[1:]) / 2 * counts).sum() / counts.sum())
