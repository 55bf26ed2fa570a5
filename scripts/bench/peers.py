"""Other libraries

The losses and a training beside tensorflow_addons 0.23 (TFA) and pytorch-metric-learning 2.9 (PML),
each in an environment of its own, which pip makes in build/bench-envs on the first run (3 GB;
Python 3.9 to 3.11).

A loss is measured as on the page on losses. The training is the same for all: MNIST from memory,
two convolutions of 32 and 64 and a dense layer of 64, Adam at 1e-3, semi-hard at margin 0.5, two
threads; TFA with the pipeline of its tutorial and `model.fit`, PML with MPerClassSampler, a
DataLoader and its semi-hard miner, whose triplets have every negative within the margin. A process
each, in turn; its rate is the median of its windows after the first. Evaluation, imports and
reading are not on the clock.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import libraries
import losses
from processes import THREADS, OverLimit, peak, reset_peak, worker
from sections import main, table

CLASSES, LEARNING_RATE, MARGIN, WIDTHS, DIMENSIONS = 8, 1e-3, 0.5, (32, 64), 64
AT_ONCE, TARGET, LIMIT, NEVER = 500, 0.99, 120.0, 10**6
# PML's semi-hard is another loss; TFA has no batch_all.
SAME_LOSS = {("tfa", "semi_hard"), ("tfa", "hard"), ("pml", "hard"), ("pml", "batch_all")}

Embed = Callable[[Any], Any]  # images uint8 [N, 28, 28, 1] -> vectors [N, DIMENSIONS]
Pause = Callable[[Embed], bool]  # called every so many steps; True ends the training


def measure(what: str, **job: Any) -> dict[str, Any]:
    return {"loss": losses.measure, "images": write_images, "training": training}[what](**job)


def write_images(file: str) -> dict[str, Any]:
    """Write MNIST, decoded, for the libraries that do not read it."""
    import numpy as np
    from steps import read_table

    from triplet_train.config import load_config

    arrays = {}
    for split in ("train", "test"):
        images = read_table(load_config("mnist_semihard"), split)
        arrays |= {f"{split}_images": images.pixels, f"{split}_labels": images.labels}
    np.savez(file, **arrays)
    return {}


def training(
    library: str, images: str, size: int, seed: int, every: int, windows: int | None
) -> dict[str, Any]:
    """Train with a pause after every `every` steps: so many windows, or until recall@1 is TARGET.

    The result has the seconds of each window, recall@1 after each, and the MiB of the training.
    """
    import numpy as np

    with np.load(images) as file:
        data = {name: file[name] for name in file.files}
    seconds: list[float] = []
    recalls: list[float] = []
    begun = 0.0

    def pause(embed: Embed) -> bool:
        nonlocal begun
        seconds.append(time.perf_counter() - begun)
        if windows is None:
            starts = range(0, len(data["test_images"]), AT_ONCE)
            parts = [embed(data["test_images"][n : n + AT_ONCE]) for n in starts]
            recalls.append(recall_at_1(np.concatenate(parts), data["test_labels"]))
            enough = recalls[-1] >= TARGET
        else:
            enough = len(seconds) > windows
        begun = time.perf_counter()
        return enough or (len(seconds) > 1 and sum(seconds) > LIMIT)

    prepare = {"ours": prepare_ours, "tfa": prepare_tfa, "pml": prepare_pml}[library]
    run = prepare(data["train_images"], data["train_labels"], size, seed, every)
    before = reset_peak()
    begun = time.perf_counter()
    run(pause)
    return {"seconds": seconds, "recalls": recalls, "mib": peak() - before}


def recall_at_1(vectors: Any, labels: Any) -> float:
    """Share of the unit vectors [N, D] whose nearest other one has the same label; exact."""
    import numpy as np

    nearest = []
    for start in range(0, len(vectors), AT_ONCE):
        nearness = vectors[start : start + AT_ONCE] @ vectors.T
        rows = np.arange(len(nearness))
        nearness[rows, start + rows] = -np.inf
        nearest.append(nearness.argmax(axis=1))
    return float(np.mean(labels[np.concatenate(nearest)] == labels))


def prepare_ours(images: Any, labels: Any, size: int, seed: int, every: int) -> Any:
    libraries.tensorflow_with_threads()
    from steps import TWO_CONVOLUTIONS, EndLoop, set_up, table_of

    setup = set_up(
        table_of(images, labels),
        TWO_CONVOLUTIONS,
        f"seed={seed}",
        f"batch={{classes: {CLASSES}, per_class: {size // CLASSES}}}",
        f"loss.margin={MARGIN}",
        f"optimizer={{learning_rate: {LEARNING_RATE}, schedule: constant}}",
    )

    def run(pause: Pause) -> None:
        def evaluate() -> dict[str, float]:
            if pause(lambda some: setup.tower(some, training=False).numpy()):
                raise EndLoop
            return {"recall_at_1": 0.0, "map_at_r": 0.0}

        often = {"log_every": every, "eval_every": every, "checkpoint_every": NEVER}
        setup.loop(evaluate, steps=NEVER, **often)

    return run


def prepare_tfa(images: Any, labels: Any, size: int, seed: int, every: int) -> Any:
    tf = libraries.tensorflow_with_threads()
    import tensorflow_addons as tfa

    keras, layers = tf.keras, tf.keras.layers
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(images.shape[1:])])
    for width in WIDTHS:
        model.add(layers.Conv2D(width, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(DIMENSIONS))
    model.add(layers.Lambda(lambda x: tf.math.l2_normalize(x, axis=1)))
    loss = tfa.losses.TripletSemiHardLoss(margin=MARGIN)
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss)

    def scale(image: Any, label: Any) -> tuple[Any, Any]:
        return tf.cast(image, tf.float32) / 255.0, label

    # Without end, so that pauses need not fall on the ends of epochs.
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).repeat()
    dataset = dataset.shuffle(1024).batch(size).map(scale)

    def embed(some: Any) -> Any:
        return model(scale(some, None)[0], training=False).numpy()

    def run(pause: Pause) -> None:
        class Pauses(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.model.stop_training = pause(embed)

        settings = {"epochs": NEVER, "steps_per_epoch": every, "verbose": 0}
        model.fit(dataset, callbacks=[Pauses()], **settings)

    return run


def prepare_pml(images: Any, labels: Any, size: int, seed: int, every: int) -> Any:
    import torch
    from pytorch_metric_learning import samplers

    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    tower = libraries.torch_tower(images.shape[1], WIDTHS, DIMENSIONS)
    optimizer = torch.optim.Adam(tower.parameters(), LEARNING_RATE)
    loss = libraries.torch_loss("semi_hard", MARGIN)
    sampler = samplers.MPerClassSampler(labels, size // CLASSES, size, len(labels))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    dataset = torch.utils.data.TensorDataset(pixels, torch.from_numpy(labels))
    loader = torch.utils.data.DataLoader(dataset, batch_size=size, sampler=sampler)

    def forward(batch: Any) -> Any:
        return torch.nn.functional.normalize(tower(batch.float() / 255))

    @torch.no_grad()
    def embed(some: Any) -> Any:
        return forward(torch.from_numpy(some).permute(0, 3, 1, 2)).numpy()

    def batches() -> Iterator[Any]:
        while True:
            yield from loader

    def run(pause: Pause) -> None:
        for step, (batch, own) in enumerate(batches(), 1):
            optimizer.zero_grad()
            loss(forward(batch), own).backward()
            optimizer.step()
            if step % every == 0 and pause(embed):
                return

    return run


def process(what: str, library: str, **job: Any) -> dict[str, Any]:
    """Result of a process that has `library`."""
    python = libraries.interpreter(library)
    return worker(__file__, {"what": what, "library": library, **job}, python, 3 * LIMIT)


def loss_table(sizes: tuple[int, ...], seconds: float) -> str:
    """Milliseconds and MiB of each library; the largest difference of values of the same loss."""
    names = libraries.NAMES
    rows = [["loss", "labels", "B", *(f"{n} ms" for n in names.values())]]
    rows[0] += [f"{n} MiB" for n in names.values()]
    over: set[tuple[str, str, str]] = set()
    apart, versions = [0.0], dict[str, str]()
    for loss, layout, size in product(("semi_hard", "hard", "batch_all"), losses.LAYOUTS, sizes):
        found: dict[str, Any] = {}
        for library in names:
            series = (library, loss, layout)
            if series not in over and series[:2] != ("tfa", "batch_all"):
                job = {"loss": loss, "layout": layout, "size": size, "seconds": seconds}
                try:
                    found[library] = process("loss", library, **job)
                except OverLimit as limit:  # larger batches meet it too
                    found[library] = str(limit)
                    over.add(series)
                    continue
                versions[library] = found[library]["versions"]
                if (library, loss) in SAME_LOSS:
                    apart.append(abs(found[library]["value"] / found["ours"]["value"] - 1))
        row = [f"`{loss}`", losses.LAYOUTS[layout], f"{size:,}"]
        rows.append([*row, *cells(found, "ms", ",.2f"), *cells(found, "mib", ",.0f")])
    same = f"Where the loss is the same, values differ by at most {max(apart):.1e} (relative)."
    return f"{table(rows, left=2)}\n\n{same} {'; '.join(versions.values())}."


def cells(found: dict[str, Any], key: str, form: str) -> list[str]:
    texts = {
        name: one if isinstance(one, str) else format(one[key], form) for name, one in found.items()
    }
    return [texts.get(name, "-") for name in libraries.NAMES]


def rate_table(images: str, sizes: tuple[int, ...], rounds: int, window: int) -> str:
    rows = [["B", "", "images/s", "ours / it, each round", "MiB of the training"]]
    for size in sizes:
        job = {"images": images, "size": size, "every": max(window // size, 1), "windows": 4}
        rates: dict[str, list[float]] = {name: [] for name in libraries.NAMES}
        most: dict[str, float] = {}
        for seed, library in product(range(rounds), libraries.NAMES):
            found = process("training", library, seed=seed, **job)
            rates[library].append(size * job["every"] / median(found["seconds"][1:]))
            most[library] = found["mib"]
        for library, name in libraries.NAMES.items():
            pairs = zip(rates["ours"], rates[library], strict=True)
            ratios = ", ".join(f"{ours / its:.2f}" for ours, its in pairs)
            row = [f"{size}", name, f"{median(rates[library]):,.0f}", ratios]
            rows.append([*row, f"{most[library]:,.0f}"])
    return table(rows, left=2)


def curve_table(images: str, rounds: int) -> str:
    rows = [["", f"seconds to recall@1 {TARGET}, each run", "recall@1 at the end"]]
    job = {"images": images, "size": 128, "every": 50, "windows": None}
    runs: dict[str, list[Any]] = {name: [] for name in libraries.NAMES}
    for seed, library in product(range(rounds), libraries.NAMES):
        runs[library].append(process("training", library, seed=seed, **job))
    for library, name in libraries.NAMES.items():
        ends = [run["recalls"][-1] for run in runs[library]]
        seconds = [
            f"{sum(run['seconds']):.1f}" if end >= TARGET else "not reached"
            for run, end in zip(runs[library], ends, strict=True)
        ]
        rows.append([name, ", ".join(seconds), ", ".join(f"{end:.4f}" for end in ends)])
    return table(rows)


def section(quick: bool) -> str:
    sizes = (32,) if quick else (128, 512, 2048)
    parts = ["### Losses", loss_table(sizes, 0.1 if quick else 2.0)]
    with tempfile.TemporaryDirectory() as folder:
        images = str(Path(folder) / "mnist.npz")
        worker(__file__, {"what": "images", "file": images})
        rounds, window = (1, 256) if quick else (3, 5120)
        parts += ["### Training", rate_table(images, sizes[:2], rounds, window)]
        if not quick:
            parts.append(curve_table(images, rounds))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main(section, measure)
