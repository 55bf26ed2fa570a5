"""N-way K-shot episodes: are classes told apart by a few examples of each?"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from triplet_train.errors import RequestError

_NOISE = 2.0**-23  # float32's resolution, in which the vectors are given
_95_PERCENT = 1.96  # standard errors on either side


@dataclass(frozen=True)
class Episodes:
    """What is asked for.

    Attributes:
        episodes: how many; at least 2, since one has no interval.
        ways: N, classes in an episode, at least 2.
        shots: K, labelled examples of each class, at least 1.
        queries_per_class: rows of each class to classify, at most; 15 as in Snell et al. (2017) and
            most since.
        seed: decides all draws.

    Raises:
        RequestError: a number that is too small.
    """

    episodes: int
    ways: int = 5
    shots: int = 1
    queries_per_class: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"episodes": 2, "ways": 2, "shots": 1, "queries_per_class": 1, "seed": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise RequestError(f"{name}: {getattr(self, name)} is less than {smallest}")


@dataclass(frozen=True)
class EpisodeFigures:
    """What `judge_episodes` finds.

    Attributes:
        asked: the episodes that these are.
        accuracy: mean of `per_episode`.
        interval: ends of its 95 % interval, the mean +- 1.96 standard errors, as few-shot papers
            state it; near 1 it may reach past it. The episodes are independent draws, and hundreds
            or more, so that nothing would be gained by a bootstrap. It says how far other episodes
            of these rows would move the mean. It does not cover other rows, other classes or
            another seed of the training.
        queries_per_class: the fewest and the most rows of a class that an episode classifies; they
            differ where a class has fewer rows than the shots and the queries that are asked for.
        classes: how many the episodes are drawn from.
        left_out_labels: the classes that have no row left beside the shots.
        per_episode: float64 [episodes], the accuracy of each.
    """

    asked: Episodes
    accuracy: float
    interval: tuple[float, float]
    queries_per_class: tuple[int, int]
    classes: int
    left_out_labels: list[int]
    per_episode: np.ndarray


def judge_episodes(embeddings: np.ndarray, labels: np.ndarray, asked: Episodes) -> EpisodeFigures:
    """Accuracy of the nearest class mean in random episodes.

    An episode draws N classes, each as likely as any other, and of each K support rows and up to 15
    other rows as queries. A query is classified by the nearest of the N means of support vectors by
    Euclidean distance, as in Snell, Swersky & Zemel, Prototypical Networks for Few-shot Learning
    (2017); with K = 1 that is the nearest support row, as in Vinyals et al., Matching Networks for
    One Shot Learning (2016). Distances are worked out in float64. A query as near to another class
    as to its own, but for float32's rounding, counts as an error: a tower that maps all to one
    point earns 0, not 1 / N.

    A class needs K + 1 rows. One with fewer than K + 15 gives all it has beside the shots. An
    episode's accuracy is the mean over its classes, so that each counts the same and the expected
    accuracy does not depend on the number of queries, only its spread does.

    An episode's draws are a function of the seed and its number: the first 100 of 1,000 episodes
    are those of 100. They pick rows by their place within a class, so that another order of the
    rows gives other episodes.

    Args:
        embeddings: float [N, D], finite, of any length.
        labels: integers [N].

    Returns:
        O(E N (K + Q N) D) time for E episodes with Q queries of each class; 1,000 of 20 ways and 1
        shot at D = 64 take about a second. Beside 24 bytes per row, the memory of an episode's
        means and of the distances of one class.

    Raises:
        RequestError: there are fewer classes of K + 1 rows than ways.
    """
    members = class_rows(labels)
    usable = [rows for rows in members if len(rows) > asked.shots]
    if len(usable) < asked.ways:
        raise RequestError(
            f"{asked.ways}-way {asked.shots}-shot episodes need {asked.ways} classes of at least "
            f"{asked.shots + 1} rows, and there are {len(usable)}"
        )
    accuracies = np.array(
        [
            _accuracy(embeddings, draw(usable, asked, number), asked.shots)
            for number in range(asked.episodes)
        ]
    )
    mean = float(accuracies.mean())
    reach = _95_PERCENT * float(accuracies.std(ddof=1)) / asked.episodes**0.5
    queries = [min(len(rows) - asked.shots, asked.queries_per_class) for rows in usable]
    return EpisodeFigures(
        asked,
        mean,
        (mean - reach, mean + reach),
        (min(queries), max(queries)),
        len(usable),
        [int(labels[rows[0]]) for rows in members if len(rows) <= asked.shots],
        accuracies,
    )


def class_rows(labels: np.ndarray) -> list[np.ndarray]:
    """The row numbers of each class, int64, in order; the classes in order of their labels."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def draw(members: list[np.ndarray], asked: Episodes, number: int) -> list[np.ndarray]:
    """The rows of episode `number`: an array for each of N distinct classes.

    Its first K rows are the support, the others the queries; no row is there twice.

    Args:
        members: the rows of each class, of at least K + 1 rows, that can be drawn.
    """
    rng = np.random.default_rng((asked.seed, number))
    chosen = [members[place] for place in rng.choice(len(members), asked.ways, replace=False)]
    wanted = asked.shots + asked.queries_per_class
    return [rng.choice(rows, min(wanted, len(rows)), replace=False) for rows in chosen]


def _accuracy(embeddings: np.ndarray, drawn: list[np.ndarray], shots: int) -> float:
    """Mean over the classes of the share of their queries that are classified rightly."""
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
