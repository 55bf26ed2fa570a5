"""Write docs/tfds.md: the keys for each TFDS data set with images, or why it cannot be trained on.

python scripts/docs/write_tfds_page.py

Nothing is downloaded. A data set whose features TFDS itself has to look up in the network is left
out.
"""

import argparse
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import tensorflow_datasets as tfds

from triplet_train.config import DataConfig
from triplet_train.data.sources.tfds.features import choose_features, flat
from triplet_train.errors import RequestError

PAGE = Path(__file__).parents[2] / "docs/tfds.md"
HEADING = """# Data sets of TFDS

You look for a data set, or for the keys of one. The table lists the data sets with images of TFDS
{version} in their default configuration, as far as TFDS describes them without a network.
`python scripts/docs/write_tfds_page.py` writes it from the installed TFDS.
[data.md](data.md#a-data-set-of-tfds) explains how to use one.

- **image**: the `image_key`, and height x width x channels. Where height and width vary (`?`), give
  `image_size`; where channels vary, give `channels`.
- **label**: each `label_key` of classes, with their number. `label` without a number is a text, an
  integer or a boolean. After "none of classes" come others of these, such as the name of the file.
  They are accepted, but training needs several images with the same value. Any of them can be the
  `group_key`, too.
- **no**: why the set cannot be trained on.

The keys `image` and `label` are the defaults and need not be given.

"""
COLUMNS = "| data set | image | label |\n|---|---|---|\n"


def rows() -> Iterator[str]:
    """Yield a row of the table for each data set with an image feature."""
    with tempfile.TemporaryDirectory() as nowhere:
        for name in sorted(tfds.list_builders()):
            try:
                info = tfds.builder(name, data_dir=nowhere).info
            except Exception:  # only in the network, or a package is missing
                continue
            found = list(flat(info.features))
            if any(isinstance(feature, tfds.features.Image) for _, feature, _ in found):
                yield f"| `{name}` | {' | '.join(_cells(info, found))} |\n"


def _cells(info: tfds.core.DatasetInfo, found: list) -> tuple[str, str]:
    """Return the cells for image and label.

    Args:
        found: as `flat` yields the features of the data set.
    """
    images = [name for name, feature, _ in found if isinstance(feature, tfds.features.Image)]
    usable = [name for name in images if _is_usable(info, name)]
    if not usable:
        return "", f"no: an example has several images, `{images[0]}`"
    image = "image" if "image" in usable else usable[0]
    of_name = {name: feature for name, feature, _ in found}
    shape = " x ".join(str(size or "?") for size in of_name[image].shape)
    keys = {name: feature for name, feature, _ in found if _is_usable(info, image, name)}
    classes = {
        name: f"`{name}` ({feature.num_classes or '?'})"
        for name, feature in keys.items()
        if isinstance(feature, tfds.features.ClassLabel)
    }
    several = [n for n, f, many in found if many and isinstance(f, tfds.features.ClassLabel)]
    if "label" in keys:
        label = ", ".join(({"label": "`label`"} | classes).values())
    elif classes:
        label = ", ".join(classes.values())
    elif several:
        label = f"no: an image has several, `{several[0]}`"
    elif keys:
        label = f"none of classes: {_listed(list(keys))}"
    else:
        label = "no: it has none"
    return f"`{image}` {shape}", label


def _is_usable(info: tfds.core.DatasetInfo, image: str, label: str | None = None) -> bool:
    """Return True if the keys are accepted, whatever the size of the images is."""
    keys = {"image_key": image} | ({"label_key": label} if label else {})
    try:
        features = choose_features(
            info, DataConfig(dataset=info.name, image_size=(8, 8), channels=3, **keys)
        )
    except RequestError as error:
        return not label and "data.label_key" in str(error)  # which is not the question
    return not label or features.label is not None


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:4]) + (" ..." if len(names) > 4 else "")


def page() -> str:
    """Return the text of the page."""
    return HEADING.format(version=version("tensorflow-datasets")) + COLUMNS + "".join(rows())


if __name__ == "__main__":
    argparse.ArgumentParser(description="Write docs/tfds.md.").parse_args()
    PAGE.write_text(page(), encoding="utf-8")
