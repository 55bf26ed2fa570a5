"""Places of the images of one table in another."""

import numpy as np

from triplet_train.embeddings.table import EmbeddingTable
from triplet_train.errors import RequestError
from triplet_train.files import listed

_SHOWN = 3


def places_of_same_images(
    first: EmbeddingTable, other: EmbeddingTable, origins: tuple[str, str]
) -> np.ndarray:
    """Return the row of each image of `first` in `other`, int64 [N].

    Args:
        first, other: their vectors are not used.
        origins: of both, for messages.

    Raises:
        RequestError: the tables do not hold the same ids, or an image has another class.
    """
    places = {id_: row for row, id_ in enumerate(other.ids)}
    only = [id_ for id_ in first.ids if id_ not in places]
    more = sorted(places.keys() - set(first.ids))
    if only or more:
        raise RequestError(
            f"{origins[0]} and {origins[1]} hold different images and cannot be compared: "
            f"{_only(only, origins[0])}, {_only(more, origins[1])}"
        )
    rows = [places[id_] for id_ in first.ids]
    classes, others = _classes(first), _classes(other)
    changed = [
        f"{id_} is {one!r} and {others[row]!r}"
        for id_, one, row in zip(first.ids, classes, rows, strict=True)
        if one != others[row]
    ]
    if changed:
        raise RequestError(
            f"{len(changed):,} images have other classes in {origins[0]} than in {origins[1]}, so "
            f"that the two cannot be compared: {listed(changed, _SHOWN)}"
        )
    return np.array(rows, np.int64)


def _classes(table: EmbeddingTable) -> list[str]:
    """The name of the class of each image, or its number; empty for an image without a label."""
    rows = zip(table.labels.tolist(), table.label_names, strict=True)
    return [(name or str(label)) if label >= 0 else "" for label, name in rows]


def _only(ids: list[str], origin: str) -> str:
    return f"{len(ids):,} are only in {origin}" + (f" ({listed(ids, _SHOWN)})" if ids else "")
