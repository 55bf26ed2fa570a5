"""The page of a search."""

from pathlib import Path

from triplet_train.console import Console
from triplet_train.data.image_files import printable_path
from triplet_train.files import in_one_line
from triplet_train.jobs.search.found import Answer
from triplet_train.jobs.search.pictures import pictures_of_files, pictures_of_gallery
from triplet_train.report.search_page import FoundImage, Photograph, write_search_page


def write_page(file: Path, answer: Answer, console: Console) -> None:
    """Write the page to `file`, with the pictures that can be found.

    Raises:
        OSError: it cannot be written.
    """
    ids = list(dict.fromkeys(near.id for _, found in answer.images for near in found))
    pictures, remark = pictures_of_gallery(ids, answer.gallery.metadata, console)
    own = pictures_of_files([path for path, _ in answer.images])
    photographs = [
        Photograph(
            printable_path(path),
            own.get(path),
            [
                FoundImage(
                    near.rank,
                    in_one_line(near.id),
                    near.class_name,
                    f"{near.distance:.4f}",
                    near.same,
                    pictures.get(near.id),
                )
                for near in found
            ],
        )
        for path, found in answer.images
    ]
    about = {
        "checkpoint": answer.checkpoint,
        "gallery": str(answer.gallery.path),
        "search": answer.method,
        "the same": answer.meaning_of_same,
    }
    write_search_page(file, about, photographs, remark)
