"""A table of a million images

The time and memory of a run on a table of images: reading it, looking for its files, the first
batch of 128, and `triplet-train --dry-run`. The memory is the most that the whole process takes,
TensorFlow included. `plain` has a path, label and split for each image; `columns` also a role, a
camera and two further columns; `boxes` the same for parts of photographs with a hundred items each.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from processes import command, peak, worker
from sections import main, table

FORMS = ("plain", "columns", "boxes")
CLASSES, PER_CLASS = 32, 4
PER_FOLDER, PER_PHOTO = 1_000, 100


def make(place: str, rows: int) -> None:
    """Write a table in each form, and links to one photograph for all paths."""
    from PIL import Image

    photo = Path(place) / "photo.jpg"
    Image.new("RGB", (1000, 100), "grey").save(photo)
    tables = {form: (Path(place) / f"{form}.csv").open("w") for form in FORMS}
    further = "role,group,price,note"
    tables["plain"].write("path,label,split\n")
    tables["columns"].write(f"path,label,split,{further}\n")
    tables["boxes"].write(f"path,label,split,{further},x0,y0,x1,y1\n")
    for row in range(rows):
        folder, split = Path(place) / f"{row // PER_FOLDER:04d}", ("train", "test")[row % 10 == 9]
        if row % PER_FOLDER == 0:
            folder.mkdir()
        path = f"{folder.name}/{row:07d}.jpg"
        os.symlink(photo, Path(place) / path)
        nth, label = divmod(row, rows // 10)
        about = f"{('query', 'gallery')[nth % 2]},{row % 7},{row / 4},note {row}"
        seat, first = row % PER_PHOTO, row - row % PER_PHOTO
        shared = f"{folder.name}/{first:07d}.jpg"
        tables["plain"].write(f"{path},item {label},{split}\n")
        tables["columns"].write(f"{path},item {label},{split},{about}\n")
        corners = f"{10 * seat},0,{10 * seat + 10},100"
        tables["boxes"].write(f"{shared},item {label},{split},{about},{corners}\n")
    for file in tables.values():
        file.close()


def first_batch(place: str, form: str | None, rows: int) -> dict[str, float]:
    """Return seconds until the images are known and until the first batch, and the peak in MiB."""
    if form is None:
        make(place, rows)
        return {}
    import steps  # noqa: F401 - loads TensorFlow, whose time is not counted

    from triplet_train.config import load_config
    from triplet_train.data.batches import PKBatches
    from triplet_train.data.pipeline import training_batches
    from triplet_train.data.source import open_source
    from triplet_train.jobs.train.images import run_images

    config = load_config("digits_semihard", [_data(place, form)])
    begun = time.perf_counter()
    images = run_images(config, open_source(config.data)).training
    known = time.perf_counter() - begun
    batches = PKBatches(images.labels, classes=CLASSES, per_class=PER_CLASS, seed=0)
    next(iter(training_batches(images, batches, 0, range(1), 1)))
    return {"known": known, "first": time.perf_counter() - begun, "peak": peak()}


def _data(place: str, form: str) -> str:
    keys = f"dataset: table, path: '{place}/{form}.csv', image_size: [32, 32], cache: disk"
    return f"data={{{keys}}}"


def section(quick: bool) -> str:
    rows = 20_000 if quick else 1_000_000
    heading = ["", "images known, s", "first batch, s", "peak MiB", "--dry-run, s", "peak MiB"]
    lines = [heading]
    with tempfile.TemporaryDirectory() as place:
        worker(__file__, {"place": place, "form": None, "rows": rows})
        for form in FORMS:
            found: dict[str, Any] = worker(__file__, {"place": place, "form": form, "rows": rows})
            options = ("--config", "digits_semihard", "--set", _data(place, form), "--quiet")
            seconds, most = command("triplet-train", *options, "--dry-run")
            cells = (found["known"], found["first"], found["peak"], seconds, most)
            formats = (".1f", ".1f", ",.0f", ".1f", ",.0f")
            lines.append([form, *map(format, cells, formats)])
    what = f"{rows:,} rows of {rows // 10:,} classes, 10 of each, nine tenths to train on"
    return f"{what}.\n\n{table(lines)}"


if __name__ == "__main__":
    main(section, first_batch)
