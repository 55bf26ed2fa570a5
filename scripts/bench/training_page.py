"""What training.py found, as tables and as a plot."""

from pathlib import Path
from statistics import median
from typing import Any

from pages import markdown_table
from trainings import CONTENDERS, Result

Rates = dict[tuple[str, int], dict[int, Result]]


def page(found: dict[str, Any], results: list[Result]) -> str:
    rates: Rates = {}
    for result in results:
        if result.job.target is None:
            cell = rates.setdefault((result.job.contender, result.job.size), {})
            cell[result.job.seed] = result
    curves = [result for result in results if result.job.target is not None]
    parts = [f"    {found['command']}", "; ".join(found["facts"])]
    for size in dict.fromkeys(size for _, size in rates):
        parts += [f"### Images per second, B = {size}", rate_table(rates, size)]
    if curves:
        target = curves[0].job.target
        parts += [f"### Seconds to recall@1 {target:g}", curve_table(curves)]
    return "\n\n".join(parts) + "\n"


def rate_table(rates: Rates, size: int) -> str:
    """Medians of the rounds; the ratios of ours to the others, of one round each."""
    cells = {name: cell for (name, of), cell in rates.items() if of == size}
    ours = [name for name in cells if name.startswith("ours")]
    header = ["", "images/s", *(f"{CONTENDERS[name]} / it" for name in ours)]
    rows = [[*header, "peak MiB", "of that training"]]
    for name, cell in cells.items():
        row = [CONTENDERS[name], f"{median(one.rate for one in cell.values()):,.0f}"]
        for own in ours:
            ratios = [cells[own][seed].rate / one.rate for seed, one in cell.items()]
            row.append(f"{median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})")
        row.append(f"{median(one.peak for one in cell.values()):,.0f}")
        row.append(f"{median(one.extra for one in cell.values()):,.0f}")
        rows.append(row)
    return markdown_table(rows)


def curve_table(curves: list[Result]) -> str:
    rows = [["", "seconds", "of each run", "recall@1 at the end", "peak MiB"]]
    for name, runs in by_contender(curves).items():
        reached = [run.reached for run in runs]
        known = [seconds for seconds in reached if seconds is not None]
        rows.append(
            [
                CONTENDERS[name],
                f"{median(known):.1f}" if len(known) == len(runs) else "not by all",
                ", ".join("-" if at is None else f"{at:.1f}" for at in reached),
                ", ".join(f"{run.recalls[-1]:.4f}" for run in runs),
                f"{median(run.peak for run in runs):,.0f}",
            ]
        )
    return markdown_table(rows)


def by_contender(results: list[Result]) -> dict[str, list[Result]]:
    names = dict.fromkeys(result.job.contender for result in results)
    return {name: [one for one in results if one.job.contender == name] for name in names}


def draw(results: list[Result], file: Path) -> None:
    """Recall@1 against seconds: of each contender the median run, and the others faintly."""
    from matplotlib.figure import Figure

    from triplet_train.report.style import BLUE, ORANGE, plot_style, png

    colors = {"ours": BLUE, "tfa": ORANGE, "pml": "#009e73"}
    curves = by_contender([result for result in results if result.job.target is not None])
    with plot_style():
        figure = Figure(figsize=(6.5, 4.2))
        axes = figure.add_subplot()
        for runs in curves.values():
            *others, middle = middle_last(runs)
            look = {"color": colors[middle.job.package], "ls": "--" if middle.job.bfloat16 else "-"}
            for run in others:
                axes.plot(*zip(*run.curve, strict=True), lw=0.8, alpha=0.4, **look)
            axes.plot(*zip(*middle.curve, strict=True), lw=1.8, **look)
        shown = [middle_last(runs)[-1] for runs in curves.values()]
        label_ends(axes, shown, colors)
        job = shown[0].job
        axes.axhline(job.target, color="black", lw=0.8, ls=":")
        axes.set(xlim=0, ylim=(job.target - 0.03, 1.0), xlabel="seconds of training")
        axes.set_title(f"Recall@1 on MNIST's test images, B = {job.size}", loc="left")
        file.write_bytes(png(figure))


def middle_last(runs: list[Result]) -> list[Result]:
    """Sorted by the time to the target, but the median one at the end."""
    runs = sorted(runs, key=lambda run: run.reached or run.job.limit)
    runs.append(runs.pop(len(runs) // 2))
    return runs


def label_ends(axes: Any, runs: list[Result], colors: dict[str, str]) -> None:
    """Names above the ends of the curves, each a line higher than those it would meet."""
    width = 0.22 * max(run.curve[-1][0] for run in runs)  # of a name
    lines: list[tuple[float, int]] = []
    for run in sorted(runs, key=lambda run: run.curve[-1][0]):
        end, color = run.curve[-1], colors[run.job.package]
        line = max((line + 1 for at, line in lines if at > end[0] - width), default=0)
        lines.append((end[0], line))
        axes.annotate(
            CONTENDERS[run.job.contender],
            end,
            (end[0], run.job.target + 0.0023 + 0.0017 * line),
            ha="right",
            color=color,
            arrowprops={"arrowstyle": "-", "color": color, "lw": 0.6, "relpos": (1, 0)},
        )
        axes.plot(*end, "o", ms=5, color=color)
