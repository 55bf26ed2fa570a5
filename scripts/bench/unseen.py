"""What the digits 5 to 9 are worth without training: raw pixels, and the tower's random weights.

    python scripts/bench/unseen.py --data-dir ~/tensorflow_datasets

Both are written as `.keras` files and judged by the command that judges a run of mnist_unseen, so
that its figures have something to be compared with:

    triplet-eval --checkpoint raw.keras --dataset mnist --classes 5-9 --episodes 1000

Raw pixels are compared by Euclidean distance, as vectors of 784 numbers.
"""

import argparse
import json
import tempfile
from pathlib import Path

import keras
from pages import markdown_table
from reproduce import command

from triplet_train.config import load_config
from triplet_train.models.tower import build_tower

IMAGE = (28, 28, 1)
FIGURES = ("recall_at_1", "map_at_r")


def raw_pixels() -> keras.Model:
    images = keras.Input(IMAGE, dtype="uint8")
    return keras.Model(images, keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images)))


def untrained(seed: int) -> keras.Model:
    """The tower that a run of mnist_unseen with this seed begins with."""
    keras.utils.set_random_seed(seed)
    return build_tower(load_config("mnist_unseen").model, IMAGE)


def judged(model: keras.Model, data_dir: list[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file, found = Path(folder) / "tower.keras", Path(folder) / "figures.json"
        model.save(file)
        what = ["--checkpoint", str(file), "--dataset", "mnist", "--classes", "5-9"]
        options = ["--episodes", "1000", "--json", str(found), "--quiet"]
        command("triplet-eval", *what, *options, *data_dir)
        figures = json.loads(found.read_text())
    accuracy = figures["episodes"]["accuracy"]
    return [*(f"{figures[name]:.4f}" for name in FIGURES), f"{accuracy:.4f}"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", help="TFDS folder that holds MNIST; default: TFDS's own")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    data_dir = ["--data-dir", options.data_dir] if options.data_dir else []
    table = [["", *FIGURES, "5_way_1_shot"], ["raw pixels", *judged(raw_pixels(), data_dir)]]
    for seed in options.seeds:
        table.append([f"random weights, seed {seed}", *judged(untrained(seed), data_dir)])
    print(markdown_table(table))


if __name__ == "__main__":
    main()
