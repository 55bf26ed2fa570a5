"""N-way K-shot episodes: classification by a few examples of each class."""

from dataclasses import dataclass

import numpy as np

from triplet_train.errors import RequestError

_NOISE = 2.0**-23  # float32's resolution, in which the vectors are given
_95_PERCENT = 1.96  # standard errors on either side


@dataclass(frozen=True)
class Episodes:
    """A request for episodes.

    Attributes:
        episodes: number of episodes; at least 2, since one has no interval.
        ways: N, classes in an episode, at least 2.
        shots: K, labelled examples of each class, at least 1.
        queries_per_class: most images of each class to classify; 15 as in Snell et al. (2017).
        seed: of all draws.

    Raises:
        RequestError: a number is too small.
    """

    episodes: int
    ways: int = 5
    shots: int = 1
    queries_per_class: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"episodes": 2, "ways": 2, "shots": 1, "queries_per_class": 1, "seed": 0}
        for name, smallest in least.items():
            value = getattr(self, name)
            if value < smallest:
                raise RequestError(f"{name} must be at least {smallest}, not {value}")


@dataclass(frozen=True)
class EpisodeResult:
    """Result of `evaluate_episodes`.

    Attributes:
        request: as given.
        accuracy: mean of `per_episode`.
        interval: ends of its 95 % interval, the mean +- 1.96 standard errors, as in few-shot
            papers; it may exceed 1. It measures the variation over other episodes of these images.
            It does not cover other images, other classes or another seed of the training.
        queries_per_class: the fewest and the most images of a class that an episode classifies;
            they differ if a class has fewer images than the shots and queries of the request.
        classes: number of classes that the episodes are drawn from.
        left_out_labels: the classes without an image in addition to the shots.
        per_episode: float64 [episodes], the accuracy of each.
    """

    request: Episodes
    accuracy: float
    interval: tuple[float, float]
    queries_per_class: tuple[int, int]
    classes: int
    left_out_labels: list[int]
    per_episode: np.ndarray


def evaluate_episodes(
    embeddings: np.ndarray, labels: np.ndarray, request: Episodes
) -> EpisodeResult:
    """Accuracy of the nearest class mean in random episodes.

    An episode draws N classes with equal probability, and of each class K support images and up to
    15 other images as queries. A query is classified by the nearest of the N means of support
    vectors by Euclidean distance, as in Snell, Swersky & Zemel, Prototypical Networks for Few-shot
    Learning (2017). With K = 1 this is the nearest support image, as in Vinyals et al., Matching
    Networks for One Shot Learning (2016). Distances are computed in float64. A query at equal
    distance from another class and its own, up to the rounding of float32, counts as an error: a
    tower that maps all images to one point has an accuracy of 0, not 1 / N.

    A class needs K + 1 images. A class with fewer than K + 15 contributes all its images in
    addition to the shots. The accuracy of an episode is the mean over its classes, and its expected
    value does not depend on the number of queries.

    The draws of an episode are a function of the seed and its number: the first 100 of 1,000
    episodes are those of 100. They select images by their position within a class, and therefore
    depend on the order of the images.

    Args:
        embeddings: float [N, D], finite, of any length.
        labels: integers [N].

    Returns:
        The result, in O(E N (K + Q N) D) time for E episodes with Q queries of each class; 1,000
        of 20 ways and 1 shot at D = 64 take about a second. Uses 24 bytes per image, and the memory
        of an episode's means and of the distances of one class.

    Raises:
        RequestError: fewer classes than ways have K + 1 images.
    """
    members = class_indices(labels)
    usable = [rows for rows in members if len(rows) > request.shots]
    if len(usable) < request.ways:
        raise RequestError(
            f"{request.ways}-way {request.shots}-shot episodes need {request.ways} classes of at "
            f"least {request.shots + 1} images, but only {len(usable)} have as many"
        )
    accuracies = np.array(
        [
            _accuracy(embeddings, draw(usable, request, number), request.shots)
            for number in range(request.episodes)
        ]
    )
    mean = float(accuracies.mean())
    reach = _95_PERCENT * float(accuracies.std(ddof=1)) / request.episodes**0.5
    queries = [min(len(rows) - request.shots, request.queries_per_class) for rows in usable]
    return EpisodeResult(
        request,
        mean,
        (mean - reach, mean + reach),
        (min(queries), max(queries)),
        len(usable),
        [int(labels[rows[0]]) for rows in members if len(rows) <= request.shots],
        accuracies,
    )


def class_indices(labels: np.ndarray) -> list[np.ndarray]:
    """Indices of the images of each class, int64, ascending; classes in order of their labels."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def draw(members: list[np.ndarray], request: Episodes, number: int) -> list[np.ndarray]:
    """Draw episode `number`: the indices of images of each of N distinct classes.

    The first K images of a class are the support, the others the queries; all are distinct.

    Args:
        members: the indices of the images of each class that can be drawn, at least K + 1 each.
    """
    rng = np.random.default_rng((request.seed, number))
    chosen = [members[place] for place in rng.choice(len(members), request.ways, replace=False)]
    wanted = request.shots + request.queries_per_class
    return [rng.choice(rows, min(wanted, len(rows)), replace=False) for rows in chosen]


def _accuracy(embeddings: np.ndarray, drawn: list[np.ndarray], shots: int) -> float:
    """Mean over the classes of the share of their queries that are classified correctly."""
    from scipy.spatial.distance import cdist  # time to import, which few evaluations need

    means = np.stack([embeddings[rows[:shots]].mean(axis=0, dtype=np.float64) for rows in drawn])
    shares = []
    for place, rows in enumerate(drawn):
        queries = embeddings[rows[shots:]].astype(np.float64)
        distances = cdist(queries, means)  # of differences: near 0 a product would be all rounding
        own = distances[:, place].copy()
        distances[:, place] = np.inf
        noise = _NOISE * (np.linalg.norm(queries, axis=1) + own)
        shares.append((own + noise < distances.min(axis=1)).mean())
    return float(np.mean(shares))
