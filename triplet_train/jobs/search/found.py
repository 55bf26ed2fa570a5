"""The answer of a search, as text and as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from triplet_train.data.image_files import printable_path
from triplet_train.embeddings.hnsw import Index
from triplet_train.files import in_one_line
from triplet_train.jobs.search.gallery import Gallery
from triplet_train.jobs.search.threshold import Threshold


class Neighbour(NamedTuple):
    """An image of the gallery that is near to a photograph.

    Attributes:
        distance: Euclidean.
        same: True if the distance is at most the threshold; None: there is none.
    """

    rank: int
    id: str
    label: int
    label_name: str
    distance: float
    same: bool | None

    @property
    def class_name(self) -> str:
        """The name of the class, or else its number, in one line."""
        return in_one_line(self.label_name) or (
            str(self.label) if self.label >= 0 else "(no label)"
        )


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        checkpoint: as the user gave it.
        gallery: in which was searched.
        index: by which it was searched; None: exactly.
        threshold: up to which two images are called the same.
        images: path and neighbours of each photograph.
        unreadable: path and reason of each photograph that cannot be read.
    """

    checkpoint: str
    gallery: Gallery
    index: Index | None
    threshold: Threshold
    images: list[tuple[str, list[Neighbour]]]
    unreadable: list[str]

    @property
    def method(self) -> str:
        """A phrase that says how it was searched."""
        index = self.index
        if index is None:
            return f"exact, all {self.gallery.scan.count:,} images"
        return (
            f"HNSW index of {self.gallery.scan.count:,} images, recall@10 {index.recall:.4f} "
            f"against the exact search ({index.sampled:,} vectors of the gallery)"
        )

    @property
    def meaning_of_same(self) -> str:
        """A phrase that says which threshold is applied, or why none is."""
        distance, origin = self.threshold
        if distance is None:
            return f"unknown, since {origin}; give --threshold DISTANCE"
        flipped = bool(self.gallery.metadata.get("flip")) and origin != "--threshold"
        return f"at a distance of at most {distance:.4f}, {origin}" + (
            ", which was measured without --flip" if flipped else ""
        )


def as_text(answer: Answer) -> Iterator[str]:
    """Yield a table for each photograph, then how the gallery was searched."""
    for path, neighbours in answer.images:
        rows = [("rank", "id", "class", "distance", "same")]
        rows += [
            (
                str(near.rank),
                in_one_line(near.id),
                near.class_name,
                f"{near.distance:.4f}",
                {True: "yes", False: "no", None: "?"}[near.same],
            )
            for near in neighbours
        ]
        ids, classes = (max(len(row[column]) for row in rows) for column in (1, 2))
        table = [
            f"{rank:>4}  {id_:<{ids}}  {name:<{classes}}  {distance:>8}  {same}"
            for rank, id_, name, distance, same in rows
        ]
        yield "\n".join([printable_path(path), *table, "", ""])
    yield f"search: {answer.method}\nsame: {answer.meaning_of_same}\n"


def as_json(answer: Answer) -> dict[str, Any]:
    """Return all of the answer."""
    gallery, index, threshold = answer.gallery, answer.index, answer.threshold
    return {
        "checkpoint": answer.checkpoint,
        "checkpoint_sha256": gallery.metadata["checkpoint_sha256"],
        "gallery": str(gallery.path),
        "gallery_images": gallery.scan.count,
        "search": {"method": "exact"}
        if index is None
        else {"method": "hnsw", "recall_at_10": index.recall, "sampled": index.sampled},
        "threshold": threshold._asdict(),
        "images": [
            {"image": path, "neighbours": [near._asdict() for near in neighbours]}
            for path, neighbours in answer.images
        ],
        "unreadable": answer.unreadable,
    }
