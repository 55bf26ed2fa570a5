"""A small re-identification set in the layout of Market-1501, and as a table with boxes."""

import csv

import numpy as np
from PIL import Image

from tests.helpers.made_sets import picture

PATTERN = r"(?P<label>-?\d+)_c(?P<group>\d+)"
# folder -> identities, and frames of each by each camera
FOLDERS = {
    "bounding_box_test": ((3, 4), 2),
    "bounding_box_train": ((2, 7, 11), 4),
    "query": ((3, 4), 1),
}
SIZE = (12, 8)  # height, width
OPTIONS = {
    "image_size": list(SIZE),
    "train_split": "bounding_box_train",
    "eval_split": "query+bounding_box_test",
    "junk_labels": ["-1"],
    "distractor_labels": ["0000"],
}
ROLES = {"query": "query", "bounding_box_test": "gallery"}


def names_of(folder):
    """Names of files: identity, camera, sequence, frame and number, in their sorted order."""
    people, frames = FOLDERS[folder]
    names = [
        f"{person:04}_c{camera}s1_{frame:06}_00.png"
        for person in people
        for camera in (1, 2)
        for frame in range(frames)
    ]
    if folder == "bounding_box_test":
        names += ["0000_c1s1_000001_00.png", "0000_c2s1_000001_00.png", "-1_c1s1_000009_00.png"]
    return sorted(names)


def make_market(place):
    """Write the folders, with a `Thumbs.db` as the download has it; return their options."""
    for number, (folder, name) in enumerate(_all()):
        (place / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(_person(number)).save(place / folder / name)
        (place / folder / "Thumbs.db").touch()
    return {
        "dataset": "image_folder",
        "path": str(place),
        "label_pattern": PATTERN,
        "roles": ROLES,
        **OPTIONS,
    }


def make_table(place):
    """Write photographs of three people each, and a table of the people; return its options.

    The rows are in the order of the names of the folders, so that both give the same batches.
    """
    place.mkdir()
    rows, (height, width) = [], SIZE
    everyone = list(_all())
    for first in range(0, len(everyone), 3):
        photo = np.full((2 * height, 5 * width, 3), 7, np.uint8)
        for seat, (folder, name) in enumerate(everyone[first : first + 3]):
            left, top = 1 + seat * (width + 2), 3
            photo[top : top + height, left : left + width] = _person(first + seat)
            identity, camera, *_ = name.split("_")
            box = (left, top, left + width, top + height)
            role = ROLES.get(folder, "both")
            rows.append((f"{first:04}.png", *box, identity, camera[1], folder, role))
        Image.fromarray(photo).save(place / f"{first:04}.png")
    names = ("photo", "x0", "y0", "x1", "y1", "person", "camera", "part", "role")
    with (place / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    columns = {"path": "photo", "label": "person", "group": "camera", "split": "part"}
    return {"dataset": "table", "path": str(place / "people.csv"), "columns": columns, **OPTIONS}


def _all():
    return ((folder, name) for folder in FOLDERS for name in names_of(folder))


def _person(number):
    return picture(number, *SIZE)
