"""The page of an evaluation of listed pairs."""

from pathlib import Path
from typing import Any

from triplet_train.evaluation.metrics import Source
from triplet_train.evaluation.pair_list_text import accuracy_in_words, fold_threshold, pair_lines
from triplet_train.evaluation.pair_tables import PairTableEvaluation
from triplet_train.evaluation.threshold_text import ERROR_COLUMNS, error_rows, threshold_rows
from triplet_train.evaluation.verification import histograms
from triplet_train.report.distances import distance_plot
from triplet_train.report.roc import roc_plot
from triplet_train.report.style import plot_style
from triplet_train.report.writing import drawn, rendered, write_with_plots


def write_pair_report(evaluated: PairTableEvaluation, file: Path, title: str) -> None:
    """Write the page to `file` and its plots to a folder beside it; see `write_with_plots`.

    The same evaluation gives the same bytes.
    """
    result = evaluated.result
    with plot_style():
        distances = distance_plot(histograms(result.pairs), result.thresholds)
        pictures = drawn({"curve": [roc_plot(result), distances]})
    values: dict[str, Any] = {
        "pairs": pair_lines(evaluated),
        "accuracy": f"{result.metrics['accuracy']:.4f}",
        "standard_error": f"{result.standard_error:.4f}",
        "protocol": accuracy_in_words(evaluated),
        "metrics": [
            (metric.name, f"{result.metrics[metric.name]:.4f}", metric.meaning)
            for metric in result.table.computed_from(Source.PAIRS)
        ],
        "thresholds": threshold_rows(result),
        "error_columns": ERROR_COLUMNS,
        "errors": error_rows(evaluated.threshold_errors),
        "folds": [
            (" ".join(f.name.split()), f"{f.pairs:,}", f"{f.accuracy:.4f}", fold_threshold(f))
            for f in result.folds
        ],
    }
    html = rendered("pair_page.html.j2", file, title, evaluated.about, pictures, values)
    write_with_plots(file, pictures, html)
