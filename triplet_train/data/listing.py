"""A list of image files, or of parts of them, with what is known of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from triplet_train.data.boxes import Boxes
from triplet_train.data.columns import Columns, evaluation_columns, taken


@dataclass(frozen=True)
class Listing:
    """Image files in the order of their paths.

    Attributes:
        ids: N strings, the path and, where there is one, the box of each image: `a.jpg#0,0,8,4`.
            Equal ids follow each other and have equal labels.
        paths: N strings; the same object as the id of an image that is shown whole.
        labels: N strings; empty for an image without a label.
        groups: N strings; None: no image has a group.
        roles: object [N]; None: all are `both`.
        boxes: the parts of the images; None: every image is shown whole.
        others: further columns, by names that embedding files can have.
        notes: lines for the user about boxes, columns, and files that are ignored.
    """

    ids: list[str]
    paths: list[str]
    labels: list[str]
    groups: list[str] | None = None
    roles: np.ndarray | None = None
    boxes: Boxes | None = None
    others: Columns = field(default_factory=dict)
    notes: Sequence[str] = ()

    def once(self, places: Sequence[int]) -> list[int]:
        """Return ascending places without those that name an image again."""
        before = [None, *places][:-1]
        return [
            place
            for place, last in zip(places, before, strict=True)
            if last is None or self.ids[place] != self.ids[last]
        ]

    def is_whole(self, place: int) -> bool:
        """Return True for an image that is shown whole."""
        return self.paths[place] is self.ids[place]

    def ids_at(self, places: np.ndarray) -> list[str]:
        """Return the ids at some places, int64 [n]."""
        return [self.ids[place] for place in places.tolist()]

    def paths_at(self, places: np.ndarray) -> list[str]:
        """Return the paths at some places, int64 [n]."""
        return [self.paths[place] for place in places.tolist()]

    def boxes_at(self, places: np.ndarray) -> Boxes | None:
        """Return the boxes at some places, int64 [n]."""
        return self.boxes and replace(self.boxes, corners=self.boxes.corners[places])

    def columns_at(self, places: np.ndarray, distractors: np.ndarray) -> Columns:
        """Return groups, roles and further columns of the images at some places.

        Args:
            places: int64 [n].
            distractors: bool [n].
        """
        groups = self.groups and [self.groups[place] for place in places.tolist()]
        roles = None if self.roles is None else self.roles[places]
        return evaluation_columns(groups, roles, distractors) | taken(self.others, places)
