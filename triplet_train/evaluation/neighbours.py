"""Classification by the nearest neighbours."""

import numpy as np

NEAREST_THAT_VOTE = 5


def vote(labels: np.ndarray) -> np.ndarray:
    """Majority class of the nearest neighbours; ties go to the class of the nearest one.

    Args:
        labels: integers [Q, k], classes of the nearest images, nearest first. The first 5 vote.

    Returns:
        integers [Q].
    """
    voting = labels[:, :NEAREST_THAT_VOTE]
    votes = (voting[:, :, np.newaxis] == voting[:, np.newaxis, :]).sum(axis=2)
    return np.take_along_axis(voting, votes.argmax(axis=1)[:, np.newaxis], 1)[:, 0]


def knn_correct(neighbour_labels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 [Q]: 1 where the vote is correct, else 0.

    Args:
        neighbour_labels: integers [Q, k], see `vote`.
        labels: integers [Q], of the queries.
    """
    correct: np.ndarray = vote(neighbour_labels) == labels
    return correct.astype(np.float64)
