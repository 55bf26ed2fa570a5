"""Thresholds that were chosen on other images: triplet-eval --thresholds-from."""

from pathlib import Path

from triplet_train.console import Console
from triplet_train.embeddings.files import read_table
from triplet_train.embeddings.origin import origin_of
from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.evaluation import MetricTable
from triplet_train.evaluation.examples import examples_of
from triplet_train.evaluation.pairs import make_pairs
from triplet_train.evaluation.thresholds import thresholds_of
from triplet_train.evaluation.verification import PairCounter, PairCounts
from triplet_train.jobs.evaluate.request import EvaluationRequest
from triplet_train.jobs.evaluate.two_files import require_one_tower, shared_images

_ORIGIN = ("checkpoint", "dataset", "split", "queries_file", "gallery_file", "pairs_file")


def given_thresholds(
    request: EvaluationRequest,
    about: dict[str, str],
    table: EmbeddingTable,
    metrics: MetricTable,
    console: Console,
) -> dict[str, float]:
    """Return the thresholds of --thresholds-from by name; none without the option.

    Those of an embedding file are chosen on all its pairs.

    Args:
        about: of the evaluation; gets the key `thresholds_file`.
        table: of the images that are evaluated.
        console: takes a warning if both have images in common, or if the tower is unknown.

    Raises:
        RequestError: an embedding file that cannot be read, has pairs of one kind only, or comes
            from another tower than `table`; or a JSON of the same pairs.
    """
    file = request.thresholds_from
    if file is None:
        return {}
    about["thresholds_file"] = str(file)
    evaluated = Path(request.queries or request.checkpoint or "")
    stored = request.stored_thresholds
    if stored is not None:
        origin = about | ({"pairs_file": str(request.pairs)} if request.pairs else {})
        if all(stored.get(key) == origin.get(key) for key in _ORIGIN):
            raise RequestError(
                f"--thresholds-from {file}: it was chosen on the pairs that are evaluated; choose "
                "thresholds on others"
            )
        own = origin_of(table).as_json()
        if "checkpoint_sha256" not in stored:
            console.warn(f"{file} does not name its checkpoint; it must be that of {evaluated}")
        elif {key: stored.get(key) for key in own} != own:
            raise RequestError(
                f"{file} and {evaluated} come from different checkpoints, or one from --flip, so "
                "the thresholds of one mean nothing for the other"
            )
        return dict(stored["thresholds"])
    other = read_table(file)
    require_one_tower({evaluated: table, file: other})
    shared = shared_images(table, other)
    if shared:
        console.warn(
            f"{shared:,} images of {evaluated} are in {file} too; errors on images that chose the "
            "thresholds are too low"
        )
    try:
        thresholds = thresholds_of(_all_pairs(other), metrics.false_accept_rates)
    except RequestError as error:
        raise RequestError(f"{file}: {error}") from error
    if not thresholds:
        raise RequestError(f"{file}: no distance tells its classes apart, so it has no thresholds")
    return thresholds


def _all_pairs(table: EmbeddingTable) -> PairCounts:
    """Return the pairs of all images by distance."""
    pairs = make_pairs(*examples_of([table]))
    counter = PairCounter(pairs)
    pairs.each_strip(counter.see, lambda queries: None)
    return counter.counts()
