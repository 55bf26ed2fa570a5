"""The rate of a fine-tuning step

Images per second of `cifar10_finetune` with B = 64 (8 classes x 8), batches and augmentation
included: the loop of `triplet-train`; the forward and backward pass of the same network alone, on a
batch that is ready; and PyTorch with torchvision, efficientnet-lite-pytorch and
pytorch-metric-learning (PML), with the same sizes, batch statistics at rest, crops, flips, Adam and
semi-hard triplets, in an environment of its own. The images are noise, in memory. A process each,
in turn, with two threads; medians of rounds after the first.
"""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import libraries
from processes import THREADS, worker
from sections import main, table

CLASSES, PER_CLASS, IMAGES, DIMENSIONS = 8, 8, 1000, 128
BATCH = CLASSES * PER_CLASS
OURS, ALONE, PEER, MISSING = "ours", "alone", "torchvision", "not measured"
COLUMNS = {OURS: "ours", ALONE: "passes alone", PEER: "PyTorch"}
Found = dict[str, Any]


class Case(NamedTuple):
    """A network and the height and width of its images."""

    network: str
    side: int

    def __str__(self) -> str:
        return f"{self.network}, {self.side} x {self.side}"


def cases(quick: bool) -> list[Case]:
    sides = (32,) if quick else (96, 224)
    return [Case(name, side) for name in ("MobileNetV2", "EfficientNet-Lite0") for side in sides]


def measure(case: Case, backbone: Path | None, quick: bool) -> Found:
    """Seconds per step in each round, by what was measured. `backbone` is that of the network."""
    steps, rounds = (1, 1) if quick else (12 if case.side < 200 else 4, 4)
    job = {**case._asdict(), "steps": steps, "rounds": rounds}
    found = worker(__file__, {"library": OURS, "backbone": str(backbone), **job})
    if quick and not libraries.installed(PEER):
        return found
    return found | worker(__file__, {"library": PEER, **job}, libraries.interpreter(PEER))


def table_of(found: Mapping[str, Found]) -> str:
    """Table of the rates in images per second, and of their ratios."""
    lines = [["", *COLUMNS.values(), "ours / passes alone", "ours / PyTorch"]]
    for name, row in found.items():
        rates = {each: BATCH / median(row[each]) for each in COLUMNS if each in row}
        cells = [f"{rates[each]:,.1f}" if each in rates else MISSING for each in COLUMNS]
        ratios = [
            f"{rates[OURS] / rates[each]:.2f}" if each in rates else MISSING
            for each in (ALONE, PEER)
        ]
        lines.append([name, *cells, *ratios])
    return table(lines)


def work(library: str, **job: Any) -> Found:
    return {OURS: ours, PEER: pytorch}[library](**job)


def ours(network: str, side: int, backbone: str, steps: int, rounds: int) -> Found:
    """Seconds per step of the loop of triplet-train, and of the passes of its tower alone."""
    tf = libraries.tensorflow_with_threads()
    from rounds import in_rounds
    from steps import NEVER, made_images, set_up, timed

    from triplet_train.training.trained_tower import TrainedTower

    with TemporaryDirectory() as folder:
        model = f"{{tower: keras, backbone: {backbone}, embedding_dim: {DIMENSIONS}}}"
        if network == "MobileNetV2":
            file = f"{folder}/random.weights.h5"
            made_network(side).save_weights(file)
            model = f"{{tower: MobileNetV2, weights: {file}, embedding_dim: {DIMENSIONS}}}"
        training = set_up(
            made_images(IMAGES, (side, side, 3)),
            f"model={model}",
            f"batch={{classes: {CLASSES}, per_class: {PER_CLASS}}}",
            config="cifar10_finetune",
        )
    tower = TrainedTower(training.tower, still=True)
    pixels, _ = next(training.data())
    gradient = tf.random.normal([BATCH, DIMENSIONS])

    @tf.function(autograph=False)
    def alone() -> Any:
        with tf.GradientTape() as tape:
            embeddings = tower(pixels, training=True)
        gradients = tape.gradient(embeddings, tower.trainable_variables, gradient)
        return tf.add_n([tf.reduce_sum(each) for each in gradients])

    def loop() -> float:
        often = {"log_every": steps, "eval_every": NEVER, "checkpoint_every": NEVER}
        lines = training.loop(None, steps=2 * steps, **often).splitlines()
        # of the second half, so that compiling is left out
        return BATCH / float(json.loads(lines[1])["images_per_second"])

    return in_rounds({OURS: loop, ALONE: timed(alone, steps)}, rounds)


def made_network(side: int) -> Any:
    """MobileNetV2 with random weights, whose moving averages are those of images.

    With the initial ones all images would have the same features, and nothing to learn.
    """
    import keras

    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(side, side, 3)
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(keras.random.uniform((8, side, side, 3), -1, 1), training=True)
    return network


def pytorch(network: str, side: int, steps: int, rounds: int) -> Found:
    """Seconds per step of the same training with PyTorch."""
    import numpy as np
    import torch
    from pytorch_metric_learning import samplers
    from torchvision.transforms import v2

    torch.set_num_threads(THREADS)
    tower = libraries.torch_embedder(network, DIMENSIONS)
    parts = [
        {"params": tower.backbone.parameters(), "lr": 3e-4},
        {"params": tower.head.parameters(), "lr": 1e-3},
    ]
    optimizer, loss = torch.optim.Adam(parts), libraries.torch_loss("semi_hard", 0.2)
    shape = (IMAGES, 3, side, side)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    labels = torch.arange(IMAGES) % 10
    changed = v2.Compose(
        [
            v2.RandomResizedCrop(side, scale=(0.7, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    class Images(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return IMAGES

        def __getitem__(self, row: int) -> tuple[Any, Any]:
            return changed(pixels[row]), labels[row]

    sampler = samplers.MPerClassSampler(labels, PER_CLASS, BATCH, IMAGES)
    loader = torch.utils.data.DataLoader(Images(), BATCH, sampler=sampler)

    def batches() -> Iterator[Any]:
        while True:
            yield from loader

    data = batches()
    seconds = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        for _ in range(steps):
            images, own = next(data)
            optimizer.zero_grad()
            loss(tower(images), own).backward()
            optimizer.step()
        seconds.append((time.perf_counter() - begun) / steps)
    return {PEER: seconds[1:]}


def section(quick: bool) -> str:
    """Table without EfficientNet-Lite0, whose file finetuning.py is given."""
    those = [case for case in cases(quick) if case.network == "MobileNetV2"]
    return table_of({str(case): measure(case, None, quick) for case in those})


if __name__ == "__main__":
    main(section, work)
