"""Draw docs/search.png: MNIST's test images, their embeddings and the nearest training images.

triplet-train --config mnist_semihard
triplet-embed --checkpoint runs/mnist_semihard --output test.npz
triplet-embed --checkpoint runs/mnist_semihard --split train --output train.npz
python scripts/docs/draw_search.py test.npz train.npz
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import tensorflow_datasets as tfds

PICTURE = Path(__file__).parents[2] / "docs/search.png"
QUERIES = (0, 4, 61, 221)  # the last is the first 6 whose nearest image is of another class
NEIGHBOURS = 7
GREY, RIGHT, WRONG = "#808080", "#44aa99", "#d55e00"  # distinct for colour-blind readers too


def pixels(split: str, data_dir: str | None) -> np.ndarray:
    """Images [N, 28, 28] of a split of MNIST, in the order of its embeddings."""
    images = tfds.load("mnist", split=split, data_dir=data_dir, shuffle_files=False)
    return np.stack([image["image"][:, :, 0] for image in tfds.as_numpy(images)])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("queries", help="the npz file of the test split")
    parser.add_argument("gallery", help="the npz file of the training split")
    parser.add_argument("--data-dir", help="the TFDS folder")
    options = parser.parse_args()

    queries, gallery = np.load(options.queries), np.load(options.gallery)
    vectors, classes = queries["embeddings"], queries["label_names"]
    gallery_vectors, gallery_classes = gallery["embeddings"], gallery["label_names"]
    images, gallery_images = (pixels(split, options.data_dir) for split in ("test", "train"))

    figure = plt.figure(figsize=(10.5, 5.3), dpi=120)
    cells = figure.add_gridspec(
        *(len(QUERIES), NEIGHBOURS + 4),
        width_ratios=[1, 0.4, 1, 0.4, *[1] * NEIGHBOURS],
        **{"left": 0.01, "right": 0.99, "top": 0.93, "bottom": 0.05, "hspace": 0.3},
    )

    def draw(line: int, column: int, image: np.ndarray, caption: str, colour: str, **how) -> None:
        axes = figure.add_subplot(cells[line, column], xticks=[], yticks=[])
        axes.imshow(image, **{"cmap": "gray_r", **how})
        axes.set_xlabel(caption, labelpad=2)
        for spine in axes.spines.values():
            spine.set(color=colour, linewidth=2.5)
        titles = {
            0: "a test image",
            2: "its embedding",
            4: "the training images with the nearest embeddings, and their distances",
        }
        if line == 0 and column in titles:
            axes.set_title(titles[column], loc="left")

    def arrow(line: int, column: int) -> None:
        axes = figure.add_subplot(cells[line, column])
        axes.axis("off")
        axes.text(0.5, 0.5, "→", size=20, color=GREY, ha="center", va="center")

    for line, query in enumerate(QUERIES):
        draw(line, 0, images[query], f"a {classes[query]}", GREY)
        arrow(line, 1)
        vector = vectors[query].reshape(8, 8)
        draw(line, 2, vector, "64 numbers", GREY, cmap="RdBu", vmin=-0.3, vmax=0.3)
        arrow(line, 3)
        distances = np.linalg.norm(gallery_vectors - vectors[query], axis=1)
        for column, found in enumerate(distances.argsort(kind="stable")[:NEIGHBOURS], start=4):
            same = gallery_classes[found] == classes[query]
            caption = f"at {distances[found]:.2f}" + (
                "" if same else f", a {gallery_classes[found]}"
            )
            draw(line, column, gallery_images[found], caption, RIGHT if same else WRONG)
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
