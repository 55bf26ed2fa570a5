"""Contents of a finished run, so that two runs can be compared bit for bit."""

import json

import keras
import numpy as np

from triplet_train.files import is_partial

CLOCK = {"images_per_second", "data_wait"}


def contents(folder):
    """Everything that a run leaves, except values that depend on the clock."""
    found = {
        "log": log_without_clock(folder),
        "metrics": json.loads((folder / "metrics.json").read_text()),
        "best": (folder / "checkpoints" / "best").readlink().name,
        "checkpoints": sorted(path.name for path in (folder / "checkpoints").iterdir()),
        "partial files": [str(path) for path in folder.rglob("*") if is_partial(path)],
    }
    for path in (folder / "checkpoints").glob("step_*"):
        weights = keras.models.load_model(path / "embedder.keras").get_weights()
        with np.load(path / "optimizer.npz") as moments:
            arrays = [*weights, *(moments[name] for name in sorted(moments))]
        found[path.name] = [array.tobytes() for array in arrays]
    with np.load(folder / "embeddings" / "test.npz") as table:
        found["embeddings"] = table["embeddings"].tobytes()
    return found


def log_without_clock(folder):
    """Lines of metrics.jsonl without the values that depend on the clock."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in CLOCK} for line in lines]
