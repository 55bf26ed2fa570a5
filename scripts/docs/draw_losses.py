"""Draw docs/losses.png: which triplets of one anchor each mining strategy counts.

python scripts/docs/draw_losses.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

ANCHOR = np.zeros(2)
POSITIVES = np.array([[0.75, 0.45], [-1.35, 0.85]])
NEGATIVES = np.array([[-0.35, -0.45], [0.95, -0.75], [-1.75, -0.55], [2.05, 0.75]])
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#b0b0b0"  # told apart by colour-blind readers too


def semi_hard(positive):
    to_positive, to_negatives = np.linalg.norm(positive), np.linalg.norm(NEGATIVES, axis=1)
    beyond = np.flatnonzero(to_negatives > to_positive)
    return NEGATIVES[beyond[to_negatives[beyond].argmin()]]


def selected():
    """(title, what it says, [(positive, negative), ...], distances to draw as circles)."""
    circles = np.linalg.norm(POSITIVES, axis=1)
    easy, far = POSITIVES[circles.argmin()], POSITIVES[circles.argmax()]
    near = NEGATIVES[np.linalg.norm(NEGATIVES, axis=1).argmin()]
    every = [(p, n) for p in POSITIVES for n in NEGATIVES]
    return [
        ("hard", "farthest positive,\nnearest negative", [(far, near)], []),
        (
            "semi_hard",
            "each positive with the nearest\nnegative beyond it (circles)",
            [(p, semi_hard(p)) for p in POSITIVES],
            circles,
        ),
        (
            "easy_positive",
            "the nearest positive with the\nnearest negative beyond it",
            [(easy, semi_hard(easy))],
            [circles.min()],
        ),
        ("batch_all", "every pair of a positive\nand a negative", every, []),
        ("naive", "one positive, one negative,\nat random", [every[3]], []),
    ]


def draw(axes, title, meaning, triplets, circles):
    axes.set_title(title, pad=36, fontsize=13, fontweight="bold", family="monospace")
    axes.text(0.5, 1.02, meaning, ha="center", va="bottom", transform=axes.transAxes, fontsize=9)
    for radius in circles:
        axes.add_patch(plt.Circle(ANCHOR, radius, fill=False, ls=":", color=BLUE, lw=1))
    used = np.array([point for triplet in triplets for point in triplet])
    for positive, negative in triplets:
        axes.plot(*zip(ANCHOR, positive, strict=True), color=BLUE, lw=1.8)
        axes.plot(*zip(ANCHOR, negative, strict=True), color=ORANGE, lw=1.8, ls="--")
    for points, marker, color in ((POSITIVES, "o", BLUE), (NEGATIVES, "s", ORANGE)):
        for point in points:
            chosen = (used == point).all(axis=1).any()
            axes.plot(*point, marker, ms=10, color=color if chosen else GREY, mec="white")
    axes.plot(*ANCHOR, "*", ms=17, color="black", mec="white")
    axes.set(xlim=(-2.3, 2.5), ylim=(-1.85, 1.95), aspect="equal", xticks=[], yticks=[])


def main():
    figure, row = plt.subplots(1, 5, figsize=(15.5, 4))
    for axes, panel in zip(row, selected(), strict=True):
        draw(axes, *panel)
    handles = [
        plt.Line2D([], [], marker="*", ls="", ms=13, color="black", label="anchor"),
        plt.Line2D([], [], marker="o", ms=8, color=BLUE, label="positive, pulled nearer"),
        plt.Line2D([], [], marker="s", ms=8, ls="--", color=ORANGE, label="negative, pushed away"),
        plt.Line2D([], [], marker="s", ls="", ms=8, color=GREY, label="not counted (either kind)"),
    ]
    figure.legend(handles=handles, loc="lower center", ncol=4, frameon=False, fontsize=10)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.8, bottom=0.12, wspace=0.04)
    figure.savefig(Path(__file__).parents[2] / "docs" / "losses.png", dpi=110)


if __name__ == "__main__":
    main()
