"""`digits`: the 8x8 handwritten digits of scikit-learn as a TFDS data set."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

# The last quarter is held out, not random images: neighbours are probably by the same writer.
TRAIN_IMAGES = 1_347


class Digits(tfds.core.GeneratorBasedBuilder):
    """1,797 handwritten digits in 16 grey levels, stretched to 0..255 uint8 [8, 8, 1].

    Importing this module registers the builder, so that `tfds.load("digits")` works. Preparing it
    needs no network. `test` is the last 450 images in the order of scikit-learn, `train` the rest.
    """

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="The test part of the UCI ML hand-written digits, as in scikit-learn.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        from sklearn.datasets import load_digits  # seconds to import, needed once

        digits = load_digits()
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
        rows = list(zip(images, digits.target.tolist(), strict=True))
        return {
            "train": self._generate_examples(rows[:TRAIN_IMAGES]),
            "test": self._generate_examples(rows[TRAIN_IMAGES:]),
        }

    def _generate_examples(
        self, rows: list[tuple[np.ndarray, int]]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, (image, label) in enumerate(rows):
            yield index, {"image": image, "label": label}
