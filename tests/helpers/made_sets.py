"""Small data sets made on the spot, as TFDS and as a folder would hold them."""

import io

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

CLASSES = ("ant", "bee", "cat")


def picture(number, height, width, channels=3):
    """A picture unlike any other: uint8 [height, width, channels]."""
    return np.random.default_rng(number).integers(0, 256, (height, width, channels), np.uint8)


class Photos(tfds.core.GeneratorBasedBuilder):
    """JPEGs of many sizes and, under other keys than the usual ones, their classes."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name="colour"),
        tfds.core.BuilderConfig(name="mixed"),
    ]

    def _info(self):
        channels = 3 if self.builder_config.name == "colour" else None
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "photo": tfds.features.Image(shape=(None, None, channels)),
                    "kind": tfds.features.ClassLabel(names=CLASSES),
                    "label": tfds.features.Text(),
                    "size": np.int64,
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(range(40)), "test": self._generate_examples([40])}

    def _generate_examples(self, numbers):
        for number in numbers:
            grey = self.builder_config.name == "mixed" and number % 2
            photo = picture(number, 20 + number, 60 - number, 1 if grey else 3)
            yield number, {"photo": photo, "kind": number % 3, "label": "x", "size": number}


class Named(tfds.core.GeneratorBasedBuilder):
    """Images of people with texts as labels, some of them in other features or in lists."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(8, 8, 1)),
            "label": tfds.features.Text(),
            "shot": {"photo": tfds.features.Image(shape=(8, 8, 1)), "number": tfds.features.Text()},
            "objects": tfds.features.Sequence({"label": tfds.features.ClassLabel(num_classes=3)}),
            "tags": tfds.features.Sequence(tfds.features.Text()),
            "glasses": tfds.features.Scalar(np.bool_),
            "day": tfds.features.ClassLabel(names=["mon", "tue"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(24), ("Zoë", "Bo", "Cy", "Al")),
            "test": self._generate_examples(range(24, 32), ("Al", "Di", "")),
        }

    def _generate_examples(self, numbers, names):
        for number in numbers:
            image = picture(number, 8, 8, 1)
            yield (
                number,
                {
                    "image": image,
                    "label": names[number % len(names)],
                    "shot": {"photo": 255 - image, "number": str(number % 11)},
                    "objects": {"label": [0, 1]},
                    "tags": ["a"],
                    "glasses": number % 3 == 0,
                    "day": number % 2,
                },
            )


class Plain(tfds.core.GeneratorBasedBuilder):
    """Images alone."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=(8, 8, 1))}),
        )

    def _split_generators(self, dl_manager):
        return {"test": self._generate_examples()}

    def _generate_examples(self):
        for number in range(7):
            yield number, {"image": picture(number, 8, 8, 1)}


class Broken(tfds.core.GeneratorBasedBuilder):
    """Nine images: one is not an image at all, and two have no label."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(num_classes=9),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {
            "test": self._generate_examples(range(9)),
            "unlabelled": self._generate_examples([-1, -2]),
        }

    def _generate_examples(self, numbers):
        for number in numbers:
            image = picture(abs(number), 8, 8)
            if number == 4:
                image = io.BytesIO(b"\x89PNG that is none")
            yield number, {"image": image, "label": max(number, -1)}


def make_folder(root, paths, size=(8, 8)):
    """Write colour images at `paths`, each unlike any other."""
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number, *size)).save(root / path)
    return root
