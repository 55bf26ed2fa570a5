"""Other libraries that compute triplet losses: their environments, losses and towers."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from processes import THREADS

NAMES = {"ours": "ours", "tfa": "TFA", "pml": "PML"}
PACKAGES = {
    "ours": ("triplet-train", "tensorflow"),
    "tfa": ("tensorflow-addons", "tensorflow"),
    "pml": ("pytorch-metric-learning", "torch"),
}
REQUIREMENTS = {
    "tfa": ("tensorflow==2.15.1", "tensorflow-addons==0.23.0", "numpy<2"),
    "pml": ("torch==2.13.0", "pytorch-metric-learning==2.9.0", "faiss-cpu==1.15.1"),
    "torchvision": (
        "torch==2.14.1",
        "torchvision==0.29.1",
        "pytorch-metric-learning==2.9.0",
        "efficientnet-lite-pytorch==0.1.0",
    ),
}
ENVIRONMENTS = Path("build/bench-envs")
DONE = "installed.txt"  # the requirements, once they are met
MODULES = {"ours": "triplet_train.losses", "tfa": "tensorflow_addons.losses"}


def interpreter(library: str) -> str:
    """Python that has `library`, which is installed first where it is missing.

    tensorflow_addons needs Python 3.9 to 3.11, as the one that runs this.
    """
    if library == "ours":
        return sys.executable
    folder, requirements = ENVIRONMENTS / library, REQUIREMENTS[library]
    python = str(folder / "bin" / "python")
    if not installed(library):
        print(f"making {folder}: {' '.join(requirements)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)
        (folder / DONE).write_text("\n".join(requirements))
    return python


def installed(library: str) -> bool:
    """Return True if `interpreter` has made the environment of another library."""
    done = ENVIRONMENTS / library / DONE
    return done.exists() and done.read_text() == "\n".join(REQUIREMENTS[library])


def versions(library: str) -> str:
    """Versions in the environment that this runs in."""
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES[library])


def tensorflow_with_threads() -> Any:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    return tf


def tensorflow_loss(library: str, loss: str) -> Callable[..., Any]:
    """Loss of this package or that of tensorflow_addons, which has the same name."""
    name = f"triplet_{loss.replace('semi_hard', 'semihard')}_loss"
    function: Callable[..., Any] = getattr(importlib.import_module(MODULES[library]), name)
    return function


def torch_loss(loss: str, margin: float) -> Callable[[Any, Any], Any]:
    """Loss of pytorch-metric-learning: (embeddings, labels) -> its value.

    Its semi-hard triplets have every negative within the margin, and not the nearest alone.
    """
    from pytorch_metric_learning import distances, losses, miners, reducers

    common = {"distance": distances.LpDistance(normalize_embeddings=False)}
    function = losses.TripletMarginLoss(margin, reducer=reducers.MeanReducer(), **common)
    if loss == "batch_all":
        return lambda x, y: function(x, y)
    miner = {
        "semi_hard": lambda: miners.TripletMarginMiner(
            margin, type_of_triplets="semihard", **common
        ),
        "hard": lambda: miners.BatchHardMiner(**common),
    }[loss]()
    return lambda x, y: function(x, y, miner(x, y))


def torch_tower(side: int, widths: tuple[int, ...], dimensions: int) -> Any:
    """Convolutions with pooling, then a dense layer; weights begin as those of Keras do."""
    from torch import nn

    parts: list[Any] = []
    channels = 1
    for width in widths:
        parts += [nn.Conv2d(channels, width, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU()]
        channels, side = width, side // 2
    parts += [nn.Flatten(), nn.Linear(channels * side * side, dimensions)]
    for part in parts:
        if hasattr(part, "weight"):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
    return nn.Sequential(*parts)


def torch_embedder(network: str, dimensions: int) -> Any:
    """Network of torchvision, or EfficientNet-Lite0, with a dense layer, to unit vectors.

    Batch normalisation uses its moving averages. The weights are random.
    """
    import torch
    import torchvision
    from efficientnet_lite_pytorch import EfficientNet

    class Embedder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if network == "MobileNetV2":
                self.backbone = torchvision.models.mobilenet_v2().features
                self.features = self.backbone
            else:
                self.backbone = EfficientNet.from_name("efficientnet-lite0")
                self.features = self.backbone.extract_features
            self.head = torch.nn.Linear(1280, dimensions)

        def forward(self, images: Any) -> Any:
            features = self.features(images).mean((2, 3))
            return torch.nn.functional.normalize(self.head(features))

    return Embedder().eval()
