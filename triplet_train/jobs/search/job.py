"""The steps of a search: embed the photographs, search the gallery, name what is found."""

from triplet_train.console import Console
from triplet_train.errors import RunError
from triplet_train.jobs.open_tower import open_tower
from triplet_train.jobs.search.found import Answer, Neighbour
from triplet_train.jobs.search.gallery import Gallery, require_own
from triplet_train.jobs.search.request import SearchRequest


def search(request: SearchRequest, gallery: Gallery, console: Console) -> Answer:
    """Find the images of the gallery that are nearest to each photograph.

    Photographs that cannot be read are left out; see `Answer.unreadable`.

    Raises:
        RequestError: the gallery is not that of the tower, or see `open_tower`.
        RunError: no photograph can be read.
    """
    opened = open_tower(request.checkpoint, any_model=True)  # the gallery was made by it
    if opened.exported:
        require_own(request, gallery.scan, opened.exported["checkpoint_sha256"])
    images = opened.named(request.images)
    table = opened.table(images, console, flip=bool(gallery.metadata.get("flip")))
    unreadable = images.unreadable or []
    if not table.ids:
        raise RunError("\n  ".join(["none of the images can be read:", *unreadable]))
    rows, distances, index = gallery.nearest(table.embeddings, request.top, console)
    entries = iter(gallery.scan.entries(rows.reshape(-1)))
    threshold = request.same
    found = [
        (
            path,
            [
                Neighbour(rank, *next(entries), distance, threshold.accepts(distance))
                for rank, distance in enumerate(near, 1)
            ],
        )
        for path, near in zip(table.ids, distances.tolist(), strict=True)
    ]
    return Answer(str(request.checkpoint), gallery, index, threshold, found, unreadable)
