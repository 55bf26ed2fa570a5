"""Unseen classes without training

Baselines for the metrics of `mnist_unseen` on the digits 5 to 9: raw pixels, which are 784 numbers
with Euclidean distance, and the random weights at the start of its training. Both are evaluated by
the command that evaluates a run:
`triplet-eval --checkpoint FILE --dataset mnist --classes 5-9 --episodes 1000`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from processes import command
from sections import main, table

IMAGE = (28, 28, 1)
METRICS = ("recall_at_1", "map_at_r")


def raw_pixels() -> Any:
    import keras

    images = keras.Input(IMAGE, dtype="uint8")
    return keras.Model(images, keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images)))


def untrained(seed: int) -> Any:
    """Tower that a run of mnist_unseen with this seed begins with."""
    import keras

    from triplet_train.config import load_config
    from triplet_train.models.tower import build_tower

    keras.utils.set_random_seed(seed)
    return build_tower(load_config("mnist_unseen").model, IMAGE)


def evaluated(model: Any, episodes: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file, answer = Path(folder) / "tower.keras", Path(folder) / "metrics.json"
        model.save(file)
        what = ["--checkpoint", file, "--dataset", "mnist", "--classes", "5-9"]
        command("triplet-eval", *what, "--episodes", episodes, "--json", answer, "--quiet")
        metrics = json.loads(answer.read_text())
    accuracy = metrics["episodes"]["accuracy"]
    return [*(f"{metrics[name]:.4f}" for name in METRICS), f"{accuracy:.4f}"]


def section(quick: bool) -> str:
    episodes, seeds = (10, ()) if quick else (1000, (0, 1, 2))
    rows = [["", *METRICS, "5_way_1_shot"], ["raw pixels", *evaluated(raw_pixels(), episodes)]]
    for seed in seeds:
        rows.append([f"random weights, seed {seed}", *evaluated(untrained(seed), episodes)])
    return table(rows)


if __name__ == "__main__":
    main(section)
