"""Odd files in a TFDS set look as they do in a folder."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from tests.helpers.made_sets import picture
from tests.helpers.tables import pixels
from triplet_train.config import DataConfig
from triplet_train.data.decoding import make_decode
from triplet_train.data.source import open_source


def encoded(image, suffix="png", **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, suffix, **options)
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


FILES = [
    encoded(picture(0, 12, 9)),
    encoded(picture(1, 12, 9, 4)),
    encoded(picture(2, 12, 9)[..., 0].astype(np.uint16) * 16),
    encoded(picture(3, 9, 12), exif=turned(8)),
    *(encoded(picture(4, 9, 12), "jpeg", quality=95, exif=turned(way)) for way in (1, 3, 6)),
    encoded(picture(5, 12, 9)[..., 0], transparency=7),
    encoded(picture(6, 12, 9, 1)[..., 0], "jpeg", quality=95),
    encoded(picture(7, 200, 150), "jpeg"),  # is decoded at a fraction of its size
    encoded(picture(8, 12, 9), "webp", lossless=True),
]


class Odd(tfds.core.GeneratorBasedBuilder):
    """Transparent images, some of 16 bits, and photographs of a camera that was turned."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(num_classes=99),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number, content in enumerate(FILES):
            yield number, {"image": io.BytesIO(content), "label": number}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    Odd(data_dir=folder).download_and_prepare()
    for number, content in enumerate(FILES):
        (folder / str(number)).write_bytes(content)
    return folder


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(12, 9), (24, 30), (5, 4)])
def test_training_and_images_in_a_folder_look_alike(place, channels, size):
    keys = {"image_size": size, "channels": channels, "background": [9, 99, 199]}
    data = DataConfig(dataset="odd", data_dir=str(place), **keys)
    table = open_source(data).table("train")
    decode = make_decode((*size, channels), "pad", (9, 99, 199))
    for number, image in zip(table.labels, pixels(table), strict=True):
        np.testing.assert_array_equal(image, decode(place / str(number)))
