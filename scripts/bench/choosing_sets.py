"""Sets of images for choosing.py: digits, MNIST and photographs, with wrong labels on request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NOISE = (5, 20)  # percent of the training labels that are wrong


class Subject(NamedTuple):
    """A set of images with the training that suits it.

    Attributes:
        title: its heading on the page.
        text: its description on the page.
        config: what differs from BASE.
        held_out: number of images for the metrics.
    """

    title: str
    text: str
    config: dict[str, Any]
    held_out: int


PHOTOS = {"augment": {"flip": "horizontal", "crop": 0.3}}
SUBJECTS = {
    "digits": Subject(
        "Digits",
        "The digits of scikit-learn, 8 x 8: 1,297 to train with, 500 held out; 400 steps.",
        {
            "data": {"image_size": [8, 8], "channels": 1},
            "model": {"filters": [64, 128], "embedding_dim": 32},
            "train": {"steps": 400},
        },
        500,
    ),
    "mnist": Subject(
        "MNIST",
        "12,000 images of MNIST's training split to train with, 3,000 held out; 600 steps.",
        {
            "data": {"image_size": [28, 28], "channels": 1},
            "model": {"filters": [16, 32, 64], "batch_norm": True, "embedding_dim": 64},
            "optimizer": {"learning_rate": 0.005},
            "train": {"steps": 600},
        },
        3000,
    ),
    "photos": Subject(
        "Photographs, from random weights",
        "CIFAR-10, 32 x 32, from random weights: 4,500 images to train with, 1,500 held out; "
        "600 steps.",
        {
            "data": {"image_size": [32, 32]},
            "model": {"filters": [32, 64, 128], "batch_norm": True, "embedding_dim": 64},
            "optimizer": {"learning_rate": 0.002},
            "train": {"steps": 600},
            **PHOTOS,
        },
        1500,
    ),
    "finetuned": Subject(
        "Photographs, from pretrained weights",
        "The same images at 64 x 64, from a network with weights of ImageNet; 150 steps.",
        {
            "data": {"image_size": [64, 64]},
            "model": {"tower": "keras", "embedding_dim": 128},
            "optimizer": {"learning_rate": 0.001, "backbone_rate": 0.3, "ema": 0.95},
            "train": {"steps": 150},
            **PHOTOS,
        },
        1500,
    ),
}
OF_PHOTOS = ("photos", "finetuned")


def write_images(name: str, folder: Path, images: Path | None, quick: bool) -> None:
    """Write the images of a set with images.csv: path, split, label, and wrong labels."""
    from PIL import Image

    random = np.random.default_rng(0)
    paths, labels = [], []
    for number, (image, label) in enumerate(every_image(name, images)):
        path = image if isinstance(image, Path) else folder / "images" / f"{number:05d}.png"
        if not isinstance(image, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        paths.append(path.absolute())
        labels.append(label)
    order = random.permutation(len(paths))[: 200 if quick else None]
    held_out = order[: len(order) // 4 if quick else SUBJECTS[name].held_out]
    columns = {"path": paths, "label": labels, **wrong_labels(labels, random)}
    columns["split"] = ["train"] * len(paths)
    for row in held_out:
        columns["split"][row] = "held_out"
        for share in NOISE:
            columns[f"label_{share}"][row] = labels[row]
    lines = [",".join(columns)]
    lines += [",".join(str(column[row]) for column in columns.values()) for row in sorted(order)]
    (folder / "images.csv").write_text("\n".join(lines) + "\n")


def every_image(name: str, images: Path | None) -> Iterator[tuple[Any, str]]:
    """Images, uint8 [H, W] or files, with their classes."""
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        yield from zip(
            (digits.images * 255 / 16).astype(np.uint8), map(str, digits.target), strict=True
        )
    elif name == "mnist":
        import tensorflow_datasets as tfds

        for example in tfds.as_numpy(tfds.load("mnist", split="train[:15000]")):
            yield example["image"][..., 0], str(example["label"])
    else:
        yield from ((file, file.parent.name) for file in sorted(images.glob("train/*/*")))


def wrong_labels(labels: list[str], random: np.random.Generator) -> dict[str, list[str]]:
    """Labels of which a share are those of another class, drawn evenly; by share of NOISE."""
    classes = sorted(set(labels))
    numbers = np.array([classes.index(label) for label in labels])
    others = (numbers + random.integers(1, len(classes), len(labels))) % len(classes)
    drawn = random.random(len(labels))
    return {
        f"label_{share}": [
            classes[number] for number in np.where(drawn < share / 100, others, numbers)
        ]
        for share in NOISE
    }
