"""The words and numbers of the page: figures, thresholds, classes, confusions, queries."""

from typing import Any, NamedTuple

from triplet_train.evaluation.coverage import of_classes
from triplet_train.evaluation.episodes import EpisodeFigures
from triplet_train.evaluation.judgement import HEADLINE
from triplet_train.evaluation.text import queries_of_each
from triplet_train.report.contents import Contents
from triplet_train.report.sheets import worst_queries
from triplet_train.report.style import name_of

MOST_CLASSES = 200
MOST_CONFUSIONS = 20
_MEANINGS = {
    "recall_at_1": ("recall@1", "share of queries whose nearest row is of their class"),
    "recall_at_5": ("recall@5", "share of queries with a row of their class among the 5 nearest"),
    "recall_at_10": (
        "recall@10",
        "share of queries with a row of their class among the 10 nearest",
    ),
    "precision_at_5": ("precision@5", "share of the 5 nearest rows that are of the class"),
    "precision_at_10": ("precision@10", "share of the 10 nearest rows that are of the class"),
    "r_precision": (
        "R-precision",
        "share of the R nearest rows that are of the class, R being its number of rows to find",
    ),
    "map_at_r": ("MAP@R", "R-precision that also counts how early the right rows come"),
    "map": ("MAP", "mean average precision over all rows of the class, in the whole gallery"),
    "mrr": ("MRR", "mean of 1 / rank of the first row of the class, in the whole gallery"),
    "knn_accuracy": (
        "kNN accuracy",
        "share of queries whose class is the most frequent among the 5 nearest rows",
    ),
    "nmi": (
        "NMI",
        "how well clusters of the queries agree with their classes: 0 not at all, 1 fully",
    ),
    "roc_auc": ("ROC AUC", "chance that a same-class pair is nearer than a different one"),
    "eer": (
        "EER",
        "error rate at the threshold where both kinds of pairs are judged wrongly equally often; "
        "the lower the better",
    ),
    "tpr_at_fpr_1e-2": (
        "TPR at FPR 1%",
        "share of same-class pairs accepted where at most 1 in 100 of the others is, too",
    ),
    "tpr_at_fpr_1e-3": (
        "TPR at FPR 0.1%",
        "share of same-class pairs accepted where at most 1 in 1,000 of the others is, too",
    ),
}


class FigureRow(NamedTuple):
    """A line of the table of figures, ready to be shown; `interval` may be empty."""

    name: str
    value: str
    interval: str
    meaning: str


class QueryRow(NamedTuple):
    """A query whose nearest row is of another class."""

    id: str
    name: str
    found: str
    distance: str


def figure_rows(contents: Contents) -> list[FigureRow]:
    """Of every figure that the judgement has, in its own order; then of the episodes, if any."""
    rows = [_figure_row(key, contents) for key in contents.judgement.figures]
    return [*rows, _episodes_row(contents.episodes)] if contents.episodes else rows


def headline_rows(contents: Contents) -> list[FigureRow]:
    """The few to show large."""
    return [_figure_row(key, contents) for key in HEADLINE]


def _figure_row(key: str, contents: Contents) -> FigureRow:
    judgement = contents.judgement
    name, meaning = _MEANINGS.get(key, (key, ""))
    interval = judgement.intervals.get(key)
    return FigureRow(name, f"{judgement.figures[key]:.4f}", _between(interval), meaning)


def _episodes_row(found: EpisodeFigures) -> FigureRow:
    asked = found.asked
    examples = "example" if asked.shots == 1 else f"mean of {asked.shots} examples"
    left_out = len(found.left_out_labels)
    return FigureRow(
        f"{asked.ways}-way {asked.shots}-shot",
        f"{found.accuracy:.4f}",
        _between(found.interval),
        f"share of queries that are nearest to the {examples} of their class, of {asked.ways} "
        f"classes; over {asked.episodes:,} random episodes, as is the interval, drawn from "
        f"{found.classes:,} classes"
        + (f" ({left_out:,} more have too few rows)" if left_out else "")
        + f"; {queries_of_each(found)}, seed {asked.seed}",
    )


def _between(interval: tuple[float, float] | None) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else ""


def asked(contents: Contents) -> str:
    """Who searched what, in a sentence, and who was left out."""
    judgement = contents.judgement
    rows = len(contents.searched_labels)
    searched = "all the others" if contents.gallery is None else f"a gallery of {rows:,} rows"
    counts = judgement.coverage
    text = f"{of_classes(counts.queries, counts.query_classes)}, each of which searched {searched}."
    if counts.rows_without_label:
        text += f" Left out, having no label: {counts.rows_without_label:,}."
    if judgement.left_out_labels:
        left_out = of_classes(counts.queries_without_their_class, counts.query_classes_left_out)
        names = [name_of(n, contents.class_names) for n in judgement.left_out_labels]
        more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
        text += (
            f" Left out, having no row of their class to find: {left_out} "
            f"({', '.join(names[:5])}{more})."
        )
    return text


def threshold_sentences(contents: Contents) -> list[str]:
    """What each threshold does to pairs."""
    figures, thresholds = contents.judgement.figures, contents.judgement.thresholds
    sentences = []
    if "eer" in thresholds and "eer" in figures:
        sentences.append(
            f"Same at or below {thresholds['eer']:.3f}: about {figures['eer']:.2%} of the pairs of "
            "the same class are refused, and the same share of the different ones accepted."
        )
    for key, rate in (("fpr_1e-2", "1%"), ("fpr_1e-3", "0.1%")):
        accepted = figures.get(f"tpr_at_{key}")
        if key in thresholds and accepted is not None:
            sentences.append(
                f"Same at or below {thresholds[key]:.3f}: at most {rate} of the pairs of different "
                f"classes are accepted, and {accepted:.2%} of the same."
            )
    return sentences


def class_rows(contents: Contents) -> list[tuple[str, str, str, str]]:
    """Name, queries, recall@1 and MAP@R of up to 200 classes, the worst first."""
    return [
        (
            name_of(figures.label, contents.class_names),
            f"{figures.queries:,}",
            f"{figures.recall_at_1:.4f}",
            f"{figures.map_at_r:.4f}",
        )
        for figures in contents.judgement.classes[:MOST_CLASSES]
    ]


def confusion_rows(contents: Contents) -> list[tuple[str, str, str, str]]:
    """Class, what it is taken for, queries and their share of the class; the hardest first."""
    return [
        (
            name_of(pair.label, contents.class_names),
            name_of(pair.mistaken_for, contents.class_names),
            f"{pair.queries:,}",
            f"{pair.share:.1%}",
        )
        for pair in contents.judgement.confusions[:MOST_CONFUSIONS]
    ]


def worst_rows(contents: Contents) -> list[QueryRow]:
    """The queries of the sheet of the worst, in its order."""
    judgement, rows = contents.judgement, []
    for position in worst_queries(contents):
        row, found = judgement.rows[position], judgement.neighbours[position, 0]
        labels = int(contents.labels[row]), int(contents.searched_labels[found])
        name, mistaken_for = (name_of(label, contents.class_names) for label in labels)
        distance = judgement.neighbour_distances[position, 0]
        rows.append(QueryRow(contents.ids[row], name, mistaken_for, f"{distance:.3f}"))
    return rows


def environment_rows(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """A line per entry; what is nested becomes one line of words."""
    return [(key.replace("_", " "), _words(value)) for key, value in environment.items()]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    return "unknown" if value is None else str(value)
