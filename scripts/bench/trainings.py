"""One training of a benchmark: the same data, tower and loss with each library.

A worker runs this in the environment of its library, so that it imports no other.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libraries import THREADS, memory_in_kib, package_versions, reset_peak_memory

CLASSES, LEARNING_RATE, WIDTHS, DIMENSIONS = 8, 1e-3, (32, 64), 64
EMBEDDED_AT_ONCE, SEARCHED_AT_ONCE = 500, 1000
CONTENDERS = {
    "ours": "ours",
    "ours_bf16": "ours, bfloat16",
    "tfa": "TFA",
    "tfa_onednn": "TFA, oneDNN on",
    "pml": "PML",
    "pml_bf16": "PML, bfloat16",
}
NEVER = 10**6

Embed = Callable[[Any], Any]  # images uint8 [N, 28, 28, 1] -> vectors [N, DIMENSIONS]
Pause = Callable[[Embed], bool]  # called every so many steps; whether it has seen enough


@dataclass(frozen=True)
class Job:
    """What one process does: train with a pause after every `every` steps.

    Attributes:
        contender: a key of `CONTENDERS`.
        size: B.
        seed: of weights and batches, and the number of the round.
        every: steps between two pauses.
        target: the recall@1 that ends a curve; None: a rate is measured.
        windows: of a rate, besides the first.
        limit: seconds of training that end it; of a rate, after one window besides the first.
        margin: of the loss.
    """

    contender: str
    size: int
    seed: int
    every: int
    target: float | None
    windows: int
    limit: float
    margin: float

    @property
    def package(self) -> str:
        return self.contender.partition("_")[0]

    @property
    def environment(self) -> dict[str, str]:
        """What the process is started with; ours as the commands set it."""
        onednn = self.package == "ours" or self.contender == "tfa_onednn"
        return {"TF_ENABLE_ONEDNN_OPTS": "1"} if onednn else {}

    @property
    def bfloat16(self) -> bool:
        return self.contender.endswith("_bf16")


@dataclass(frozen=True)
class Result:
    """What a process found.

    Attributes:
        job: what it did.
        windows: seconds of training between two pauses, the first with what is compiled.
        recalls: recall@1 at each pause; empty where a rate was measured.
        peak: MiB of the process at most while it trained.
        extra: how many of them were not there before it trained.
        packages: names and versions.
    """

    job: Job
    windows: list[float]
    recalls: list[float]
    peak: float
    extra: float
    packages: str

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.job.size * self.job.every / statistics.median(self.windows[1:])

    @property
    def curve(self) -> list[tuple[float, float]]:
        """(seconds of training, recall@1)"""
        seconds = [sum(self.windows[: n + 1]) for n in range(len(self.recalls))]
        return list(zip(seconds, self.recalls, strict=True))

    @property
    def reached(self) -> float | None:
        """Seconds to the target."""
        return next((at for at, recall in self.curve if recall >= self.job.target), None)


def read_result(fields: dict[str, Any]) -> Result:
    return Result(**fields | {"job": Job(**fields["job"])})


def work(job: Job, images: Path) -> Result:
    import numpy as np

    with np.load(images) as file:
        data = {name: file[name] for name in file.files}
    windows: list[float] = []
    recalls: list[float] = []
    begun = 0.0

    def pause(embed: Embed) -> bool:
        nonlocal begun
        windows.append(time.perf_counter() - begun)
        if job.target is None:
            late = len(windows) > 1 and sum(windows) >= job.limit
            enough = late or len(windows) > job.windows
        else:
            recalls.append(recall_at_1(embed(data["test_images"]), data["test_labels"]))
            enough = recalls[-1] >= job.target or sum(windows) >= job.limit
        begun = time.perf_counter()
        return enough

    prepare = {"ours": prepare_ours, "tfa": prepare_tfa, "pml": prepare_pml}[job.package]
    train = prepare(job, data["train_images"], data["train_labels"])
    before = reset_peak_memory()
    begun = time.perf_counter()
    train(pause)
    peak = memory_in_kib("VmHWM")
    packages = package_versions(job.package)
    return Result(job, windows, recalls, peak / 1024, (peak - before) / 1024, packages)


def recall_at_1(vectors: Any, labels: Any) -> float:
    """Share of the unit vectors [N, D] whose nearest other one has the same label. Exact."""
    import numpy as np

    found = []
    for start in range(0, len(vectors), SEARCHED_AT_ONCE):
        block = vectors[start : start + SEARCHED_AT_ONCE]
        nearness = block @ vectors.T
        rows = np.arange(len(block))
        nearness[rows, start + rows] = -np.inf
        found.append(nearness.argmax(axis=1))
    return float(np.mean(labels[np.concatenate(found)] == labels))


def by_blocks(embed: Embed) -> Embed:
    """Bounds the memory of `embed`."""
    import numpy as np

    def embed_all(images: Any) -> Any:
        starts = range(0, len(images), EMBEDDED_AT_ONCE)
        return np.concatenate([embed(images[n : n + EMBEDDED_AT_ONCE]) for n in starts])

    return embed_all


def tensorflow_with_threads() -> Any:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    return tf


class Enough(Exception):
    """Ends our loop at a pause."""


def prepare_ours(job: Job, images: Any, labels: Any) -> Callable[[Pause], None]:
    tensorflow_with_threads()
    import keras

    from triplet_train.config import load_config
    from triplet_train.data.batches import make_batches
    from triplet_train.data.images import ImageTable
    from triplet_train.models.tower import build_tower
    from triplet_train.training.devices import choose_devices
    from triplet_train.training.loop import train

    pauses = f"log_every: {job.every}, eval_every: {job.every}, checkpoint_every: {NEVER}"
    precision = "mixed_bfloat16" if job.bfloat16 else "float32"
    config = load_config(
        "mnist_semihard",
        [
            f"seed={job.seed}",
            f"batch={{classes: {CLASSES}, per_class: {job.size // CLASSES}}}",
            f"model={{filters: {list(WIDTHS)}, embedding_dim: {DIMENSIONS}}}",
            f"loss.margin={job.margin}",
            f"optimizer={{learning_rate: {LEARNING_RATE}, schedule: constant}}",
            f"train={{steps: {NEVER}, devices: one, precision: {precision}, {pauses}}}",
        ],
    )
    devices = choose_devices(config)
    ids = [str(row) for row in range(len(labels))]
    names = {label: str(label) for label in range(10)}
    table = ImageTable(
        "mnist",
        "train",
        images.shape[1:],
        labels,
        ids,
        names,
        lambda rows: (images[rows], {}),
        None,
    )
    keras.utils.set_random_seed(job.seed)
    tower = build_tower(config.model, table.image_shape, precision)
    embed = by_blocks(lambda some: tower(some, training=False).numpy())

    def run(pause: Pause) -> None:
        def evaluate() -> dict[str, float]:
            if pause(embed):
                raise Enough
            return {"recall_at_1": 0.0, "map_at_r": 0.0}

        with tempfile.TemporaryDirectory() as folder:
            batches = make_batches(config, labels)
            try:
                train(config, tower, table, batches, evaluate, Path(folder), devices)
            except Enough:
                return

    return run


def prepare_tfa(job: Job, images: Any, labels: Any) -> Callable[[Pause], None]:
    tf = tensorflow_with_threads()
    import tensorflow_addons as tfa

    keras, layers = tf.keras, tf.keras.layers
    keras.utils.set_random_seed(job.seed)
    convolutions = [
        layer
        for width in WIDTHS
        for layer in (
            layers.Conv2D(width, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
        )
    ]
    unit = layers.Lambda(lambda x: tf.math.l2_normalize(x, axis=1))
    head = [layers.Flatten(), layers.Dense(DIMENSIONS), unit]
    model = keras.Sequential([keras.Input(images.shape[1:]), *convolutions, *head])
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=tfa.losses.TripletSemiHardLoss(margin=job.margin),
    )

    def scale(image: Any, label: Any) -> tuple[Any, Any]:
        return tf.cast(image, tf.float32) / 255.0, label

    # Without end, so that pauses need not fall on the ends of epochs.
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).repeat()
    dataset = dataset.shuffle(1024).batch(job.size).map(scale)
    embed = by_blocks(lambda some: model(scale(some, None)[0], training=False).numpy())

    def run(pause: Pause) -> None:
        class Pauses(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.model.stop_training = pause(embed)

        settings = {"epochs": NEVER, "steps_per_epoch": job.every, "verbose": 0}
        model.fit(dataset, callbacks=[Pauses()], **settings)

    return run


def prepare_pml(job: Job, images: Any, labels: Any) -> Callable[[Pause], None]:
    import torch
    from pytorch_metric_learning import distances, losses, miners, samplers

    torch.set_num_threads(THREADS)
    torch.manual_seed(job.seed)
    tower = torch_tower(images.shape[1])
    optimizer = torch.optim.Adam(tower.parameters(), LEARNING_RATE)
    distance = distances.LpDistance(normalize_embeddings=False)  # the tower has done so
    miner = miners.TripletMarginMiner(job.margin, type_of_triplets="semihard", distance=distance)
    loss_function = losses.TripletMarginLoss(job.margin, distance=distance)
    sampler = samplers.MPerClassSampler(
        labels, job.size // CLASSES, batch_size=job.size, length_before_new_iter=len(labels)
    )

    def tensor(some: Any) -> Any:
        return torch.from_numpy(some).permute(0, 3, 1, 2)

    dataset = torch.utils.data.TensorDataset(tensor(images), torch.from_numpy(labels))
    loader = torch.utils.data.DataLoader(dataset, batch_size=job.size, sampler=sampler)

    def forward(batch: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=job.bfloat16):
            return torch.nn.functional.normalize(tower(batch.float() / 255).float())

    @by_blocks
    def embed(some: Any) -> Any:
        with torch.no_grad():
            return forward(tensor(some)).numpy()

    def run(pause: Pause) -> None:
        for step, (batch, own) in enumerate(without_end(loader), 1):
            optimizer.zero_grad()
            vectors = forward(batch)
            loss_function(vectors, own, miner(vectors, own)).backward()
            optimizer.step()
            if step % job.every == 0 and pause(embed):
                return

    return run


def torch_tower(side: int) -> Any:
    """All but the scaling and the unit length; weights begin as Keras's do."""
    from torch import nn

    parts: list[Any] = []
    channels = 1
    for width in WIDTHS:
        parts += [nn.Conv2d(channels, width, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
        channels, side = width, side // 2
    parts += [nn.Flatten(), nn.Linear(channels * side * side, DIMENSIONS)]
    for part in parts:
        if hasattr(part, "weight"):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
    return nn.Sequential(*parts)


def without_end(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader
