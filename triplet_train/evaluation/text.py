"""An evaluation in words, for a terminal."""

from triplet_train.evaluation.bootstrap import RESAMPLES
from triplet_train.evaluation.comparison_text import comparison_as_text
from triplet_train.evaluation.coverage import of_classes
from triplet_train.evaluation.episodes import EpisodeResult
from triplet_train.evaluation.metrics import Shown
from triplet_train.evaluation.tables import TableEvaluation
from triplet_train.evaluation.threshold_text import error_lines, percent, threshold_lines
from triplet_train.evaluation.vectors import Evaluation
from triplet_train.files import in_one_line, listed

_MOST_CLASSES = 10
_MOST_CONFUSIONS = 5

Names = dict[int, str]


def as_text(evaluated: TableEvaluation) -> str:
    """Describe what was evaluated and left out, the result, and all that was asked for besides."""
    about = [f"{key}: {value}" for key, value in evaluated.about.items()]
    parts = [
        "\n".join([*about, *coverage_lines(evaluated)]),
        result_as_text(evaluated.result, evaluated.class_names),
    ]
    if evaluated.episodes is not None:
        parts.append(_episodes(evaluated.episodes, evaluated.class_names))
    if evaluated.threshold_errors:
        parts.append("\n".join(error_lines(evaluated.threshold_errors, evaluated.about)))
    parts += map(comparison_as_text, evaluated.comparisons)
    return "\n\n".join(parts)


def coverage_lines(evaluated: TableEvaluation) -> list[str]:
    """Number of queries and size of the gallery, what was left out, and notes, a line each."""
    result, counts = evaluated.result, evaluated.result.coverage
    searched, where = "all others", "other image"
    if not result.leave_one_out:
        searched = f"the {counts.gallery_images:,} images of the gallery"
        where = "image in the gallery"
    numbers = {
        "images of the gallery without a label, negatives of every query": counts.distractors,
        "pairs ignored, being of one class and group": counts.ignored_pairs,
        "left out, without a label": counts.rows_without_label,
        "left out by their role": counts.rows_without_part,
        "queries left out, whose class has no image outside their group": (
            counts.queries_with_own_group_only
        ),
    }
    lines = [
        f"{of_classes(counts.queries, counts.query_classes)}, each searching {searched}",
        *(f"{words}: {number:,}" for words, number in numbers.items() if number),
    ]
    if result.left_out_labels:
        left_out = of_classes(counts.queries_without_their_class, counts.query_classes_left_out)
        names = listed([evaluated.class_names[label] for label in result.left_out_labels])
        lines.append(f"left out, with no {where} of their class to find: {left_out} ({names})")
    return [*lines, *(f"note: {note}" for note in result.notes)]


def result_as_text(result: Evaluation, names: Names) -> str:
    """Metrics with their intervals, thresholds, the worst classes and the hardest confusions.

    Args:
        names: the name of each label.
    """
    names = {label: in_one_line(name) for label, name in names.items()}
    parts = [_metrics(result), threshold_lines(result), _classes(result, names)]
    if result.confusions:
        parts.append(_confusions(result, names))
    return "\n\n".join("\n".join(lines) for lines in parts)


def queries_of_each(result: EpisodeResult) -> str:
    """Number of queries of a class, such as "15 queries of each class"."""
    fewest, most = result.queries_per_class
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{count} {'query' if most == 1 else 'queries'} of each class"


def _episodes(result: EpisodeResult, names: Names) -> str:
    """The accuracy with its interval, and the classes that are in no episode."""
    request = result.request
    lines = [
        f"{request.ways}-way {request.shots}-shot accuracy {result.accuracy:.4f} "
        f"+- {result.accuracy - result.interval[0]:.4f} ({request.episodes:,} episodes drawn from "
        f"{result.classes:,} classes, {queries_of_each(result)}, seed {request.seed})"
    ]
    if result.left_out_labels:
        lines.append(
            f"  left out, having fewer than {request.shots + 1} images: "
            f"{len(result.left_out_labels):,} of the classes "
            f"({listed([names[label] for label in result.left_out_labels])})"
        )
    return "\n".join(lines)


def interval_line(result: Evaluation) -> str:
    """Sentences on the meaning of the intervals."""
    if not result.intervals:
        return "There are no 95 % intervals, since the queries are of one class."
    return (
        f"The intervals are for other classes and images such as these, by {RESAMPLES:,} bootstrap "
        "samples of whole classes. They do not include the noise of training: other seeds may "
        "differ by more."
    )


def _metrics(result: Evaluation) -> list[str]:
    width = max(map(len, result.metrics))
    reranked = result.reranked.metrics if result.reranked else {}
    heading = "  re-ranked" if reranked else ""
    if result.intervals:
        heading += "  95 % interval"
    lines = [f"{'':{width}}        {heading}"] if heading else []
    for name, value in result.metrics.items():
        interval = result.intervals.get(name)
        again = f"{reranked[name]:.4f}" if name in reranked else ""
        beside = f"  {again:>9}" if reranked else ""
        between = f"  {interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
        lines.append(f"{name:{width}}  {value:.4f}{beside}{between}".rstrip())
    return [*lines, "", interval_line(result)]


def _classes(result: Evaluation, names: Names) -> list[str]:
    shown = result.classes[:_MOST_CLASSES]
    columns = [metric.name for metric in result.table.shown_in(Shown.CLASS_TEXT)]
    width = max(map(len, ["worst classes", *(names[row.label] for row in shown)]))
    lines = [f"{'worst classes':{width}}  queries" + "".join(f"  {name}" for name in columns)]
    for row in shown:
        cells = "".join(f"  {row.metrics[column]:{len(column)}.4f}" for column in columns)
        lines.append(f"{names[row.label]:{width}}  {row.queries:7,}{cells}")
    more = len(result.classes) - len(shown)
    return [*lines, f"... {more:,} more classes, all in --json"] if more else lines


def _confusions(result: Evaluation, names: Names) -> list[str]:
    totals = {row.label: row.queries for row in result.classes}
    lines = [
        f"  {names[pair.label]} taken for {names[pair.mistaken_for]}: {pair.queries:,} of "
        f"{totals[pair.label]:,} ({percent(pair.share)})"
        for pair in result.confusions[:_MOST_CONFUSIONS]
    ]
    return ["Queries whose nearest image is of another class, most first:", *lines]
