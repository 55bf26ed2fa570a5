"""What a GPU gives: right values, the cost of the losses, whole steps, seconds to recall@1 0.99.

    python scripts/bench/gpu.py --data-dir ~/tensorflow_datasets --golden golden --output gpu.json
    python scripts/bench/gpu.py --library torch --output torch.json
    python scripts/bench/gpu.py --read gpu.json torch.json
    python scripts/bench/gpu.py --small

At most --minutes minutes: rows for which no time is left are counted at the end. The file has all
rows so far after every row, so that a run that is cut loses none. `--library torch` measures the
same losses and steps with PyTorch and pytorch-metric-learning, in an environment that has them and
needs nothing else. `--read` makes Markdown tables of such files. `--small` is for a look at the
whole on a CPU. --golden is a folder with
tfa_losses.npz and tfa_losses.json, values and gradients by tensorflow_addons; without it, or
without --data-dir, the sections that need them are left out.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pages import markdown_table

Found = dict[str, Any]
Rows = Iterator[tuple[str, Callable[[], Found]]]  # name of a row, and what measures it

MARGIN, DIMENSIONS, WIDTHS, LEARNING_RATE = 0.5, 64, (32, 64), 1e-3
TARGET, EVALUATED_EVERY = 0.99, 25  # recall@1, steps


@dataclass(frozen=True)
class Sizes:
    """What is measured: all of it, or the small form."""

    losses: tuple[int, ...] = (128, 1024, 8192)
    steps: tuple[int, ...] = (128, 1024)  # of PyTorch
    towers: tuple[tuple[str, int, str, bool, bool], ...] = (
        ("two convolutions", 128, "float32", True, False),
        ("two convolutions", 1024, "float32", True, False),
        ("two convolutions", 1024, "mixed_bfloat16", True, False),
        ("two convolutions", 128, "mixed_bfloat16", True, False),
        ("resnet", 1024, "float32", True, False),
        ("resnet", 1024, "mixed_bfloat16", True, False),
        ("two convolutions", 8192, "float32", True, False),
        ("two convolutions", 128, "float32", True, True),
        ("two convolutions", 128, "float32", False, False),
        ("two convolutions", 1024, "float32", False, False),
        ("two convolutions", 128, "mixed_bfloat16", False, False),
        ("two convolutions", 1024, "mixed_bfloat16", False, False),
        ("MobileNetV2", 128, "float32", True, False),
        ("MobileNetV2", 128, "mixed_bfloat16", True, False),
    )
    images: int = 60_000
    golden: tuple[int, ...] = (8, 128)  # sizes of the batches that XLA compiles
    seconds: float = 0.5  # of a measurement, at least three calls
    most_steps: int = 1000
    queries: int = 10_000
    gallery: int = 60_000


SMALL = Sizes(
    losses=(32,),
    steps=(32,),
    towers=(
        ("two convolutions", 32, "float32", True, False),
        ("two convolutions", 32, "float32", True, True),
        ("two convolutions", 32, "float32", False, False),
    ),
    images=200,
    golden=(8,),
    seconds=0.02,
    most_steps=25,
    queries=200,
    gallery=1_000,
)


class Report:
    """Rows as they come: printed, and written to a file that always holds all of them."""

    def __init__(self, output: Path | None, minutes: float) -> None:
        self._output, self._end = output, time.perf_counter() + 60 * minutes
        self._content: dict[str, Any] = {"rows": [], "left_out": []}

    def measure(self, section: str, rows: Rows) -> None:
        for name, run in rows:
            if time.perf_counter() > self._end:
                self._content["left_out"].append(f"{section}: {name}")
                continue
            begun = time.perf_counter()
            try:
                found = run()
            except Exception as error:  # of a library, such as no memory: the rest goes on
                found = {"failed": f"{type(error).__name__}: {str(error).strip()[:300]}"}
            seconds = round(time.perf_counter() - begun, 2)
            row = {"section": section, "name": name, **found, "took": seconds}
            self._content["rows"].append(row)
            print(section, "|", name, "|", text(found), f"({seconds:.1f} s)", flush=True)
            self._write()
        self._write()

    def _write(self) -> None:
        if self._output:
            beside = self._output.with_name(f".{self._output.name}")
            beside.write_text(json.dumps(self._content, indent=1) + "\n")
            os.replace(beside, self._output)

    def end(self) -> None:
        for name in self._content["left_out"]:
            print("no time was left for", name)


def text(found: Found) -> str:
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in found.items()
    )


def tables(files: list[Path]) -> str:
    """Of each section of each file a table, with what was left out."""
    parts = []
    for file in files:
        content = json.loads(file.read_text())
        sections: dict[str, list[Found]] = {}
        for row in content["rows"]:
            sections.setdefault(row["section"], []).append(row)
        for section, rows in sections.items():
            columns = [key for row in rows for key in row if key not in ("section", "took")]
            columns = list(dict.fromkeys(columns))
            cells = [[cell(row.get(column, "")) for column in columns] for row in rows]
            parts.append(markdown_table([[section, *columns[1:]], *cells]))
        if content["left_out"]:
            parts.append(f"No time was left for {'; '.join(content['left_out'])}.")
    return "\n\n".join(parts)


def cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1e}" if value < 1e-3 else f"{value:.3g}"


def milliseconds(call: Callable[[], Any], wait: Callable[[Any], object], seconds: float) -> float:
    """Of a call, the median of five series in which the device is waited for only at the end."""
    wait(call())  # compiles
    begun = time.perf_counter()
    wait(call())
    one = max(time.perf_counter() - begun, 1e-6)
    calls = max(1, min(1000, int(seconds / 5 / one)))
    series = []
    for _ in range(5 if calls > 1 else 2):
        begun = time.perf_counter()
        for _ in range(calls):
            result = call()
        wait(result)
        series.append((time.perf_counter() - begun) / calls)
    return round(1e3 * statistics.median(series), 4)


def made_batch(layout: str, size: int) -> tuple[Any, Any]:
    """Labels int32 [size], four of each or ten classes, and unit vectors float32 [size, 64]."""
    import numpy as np

    random = np.random.RandomState(size)
    vectors = random.normal(size=(size, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.arange(size)
    labels = rows // 4 if layout == "K = 4" else rows % 10
    return labels.astype(np.int32), vectors.astype(np.float32)


def made_images(size: int) -> tuple[Any, Any]:
    """Labels int32 [size] of 8 classes side by side, and images uint8 [size, 28, 28, 1]."""
    import numpy as np

    images = np.random.RandomState(0).randint(0, 256, (size, 28, 28, 1)).astype(np.uint8)
    return (np.arange(size) // (size // 8)).astype(np.int32), images


# ---------------------------------------------------------------- this package, on TensorFlow


def tensorflow_sections(options: argparse.Namespace, sizes: Sizes) -> Iterator[tuple[str, Rows]]:
    yield "machine", iter([("this", tensorflow_machine)])
    if options.golden:
        yield "golden", golden_rows(options.golden, sizes)
    yield "step", step_rows(sizes)
    if options.data_dir:
        yield "mnist", mnist_rows(options.data_dir, sizes)
    yield "evaluation", evaluation_rows(sizes)
    yield "loss", loss_rows(sizes)


def tensorflow_machine() -> Found:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    names = ("triplet-train", "tensorflow", "keras", "numpy")
    return {
        "device": details.get("device_name", f"CPU, {os.cpu_count()} cores"),
        "driver": nvidia_driver(),
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def nvidia_driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.strip()


def golden_rows(folder: Path, sizes: Sizes) -> Rows:
    """Largest relative differences from tensorflow_addons: of values, and of gradients beside the
    largest component of each. Its log1p(exp(x)) loses the gradient for soft terms near 88."""
    import numpy as np
    import tensorflow as tf

    from triplet_train.losses import triplet_hard_loss, triplet_semihard_loss

    cases = json.loads((folder / "tfa_losses.json").read_text())["cases"]
    arrays = np.load(folder / "tfa_losses.npz")
    functions = {"hard": triplet_hard_loss, "semihard": triplet_semihard_loss}

    def worst(xla: bool) -> Found:
        compiled: dict[Any, Any] = {}

        def call(case: Found) -> Any:
            loss, metric = functions[case["loss_function"]], case["distance_metric"]
            options = {"soft": True} if case.get("soft") else {}
            key = (case["loss_function"], metric, case.get("soft"))
            if key not in compiled:

                @tf.function(jit_compile=xla, reduce_retracing=not xla, autograph=False)
                def value_and_gradient(y: Any, x: Any, margin: Any) -> Any:
                    with tf.GradientTape() as tape:
                        tape.watch(x)
                        value = loss(y, x, margin=margin, distance_metric=metric, **options)
                    return value, tape.gradient(value, x)

                compiled[key] = value_and_gradient
            y, x = (tf.constant(arrays[f"{case['case']}_{of}"]) for of in ("labels", "embeddings"))
            return compiled[key](y, x, tf.constant(case.get("margin", 1.0)))

        of_values, of_gradients, count = 0.0, 0.0, 0
        for case in cases:
            if xla and case["batch"] not in sizes.golden:
                continue
            value, gradient = call(case)
            expected = arrays[f"{case['case']}_gradient"]
            apart = np.abs(gradient.numpy() - expected).max() / max(np.abs(expected).max(), 1e-9)
            of_values = max(of_values, abs(float(value) - case["loss"]) / max(case["loss"], 1e-2))
            if not (case.get("soft") and case["loss"] > 30):
                of_gradients = max(of_gradients, float(apart))
            count += 1
        return {"cases": count, "values": of_values, "gradients": of_gradients}

    yield "as traced", lambda: worst(False)
    yield "XLA", lambda: worst(True)


def on_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def with_peak(measure: Callable[[], Found]) -> Found:
    """What `measure` finds, and the MiB that it took on the GPU at most beyond what was held."""
    import tensorflow as tf

    if not on_gpu():
        return measure()
    tf.config.experimental.reset_memory_stats("GPU:0")
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    found = measure()
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return {**found, "peak_mib": round((peak - before) / 2**20, 1)}


def loss_rows(sizes: Sizes) -> Rows:
    """Forward and backward of each loss with respect to the embeddings."""
    import tensorflow as tf

    from triplet_train import losses

    functions = {
        "semi_hard": losses.triplet_semihard_loss,
        "hard": losses.triplet_hard_loss,
        "batch_all": losses.triplet_batch_all_loss,
        "easy_positive": losses.triplet_easy_positive_loss,
    }

    def measured(loss: Callable[..., Any], layout: str, size: int, xla: bool) -> Found:
        labels, vectors = (tf.constant(part) for part in made_batch(layout, size))

        @tf.function(jit_compile=xla, autograph=False)
        def value_and_gradient(y: Any, x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(y, x, margin=MARGIN)
            return value, tape.gradient(value, x)

        def call() -> Any:
            return value_and_gradient(labels, vectors)

        return with_peak(
            lambda: {
                "ms": milliseconds(call, lambda found: found[1].numpy(), sizes.seconds),
                "value": float(call()[0]),
            }
        )

    for name, loss in functions.items():
        for size in sizes.losses:
            for layout in ("K = 4", "10 classes"):
                for xla in (True, False):
                    yield (
                        f"{name}, B = {size}, {layout}, {'XLA' if xla else 'as traced'}",
                        lambda a=(loss, layout, size, xla): measured(*a),
                    )


def step_rows(sizes: Sizes) -> Rows:
    """Images per second of the bare tower, forward and backward, and of whole training steps.

    With XLA both are loops that XLA compiles, over images on the device: the bare one is all that
    the tower itself can give. Otherwise both are called once a step.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from triplet_train.config import load_config
    from triplet_train.data.batches import make_batches
    from triplet_train.data.images import ImageTable
    from triplet_train.losses.mining.strategy import make_strategy
    from triplet_train.models.tower import build_tower
    from triplet_train.training.calls import SeveralSteps
    from triplet_train.training.devices import choose_devices
    from triplet_train.training.microbatches import embed_whole
    from triplet_train.training.optimizers import make_optimizer
    from triplet_train.training.step import make_step

    towers = {
        "two convolutions": (f"{{filters: {list(WIDTHS)}, embedding_dim: {DIMENSIONS}}}", 28, 1),
        "resnet": (f"{{tower: resnet, embedding_dim: {DIMENSIONS}}}", 28, 1),
        "MobileNetV2": (f"{{tower: MobileNetV2, embedding_dim: {DIMENSIONS}}}", 96, 3),
    }

    def measured(name: str, size: int, precision: str, xla: bool, sent: bool = False) -> Found:
        model, side, channels = towers[name]
        config = load_config(
            "mnist_semihard",
            [
                f"model={model}",
                f"batch={{classes: 8, per_class: {size // 8}}}",
                f"loss.margin={MARGIN}",
                f"train.precision={precision}",
            ],
        )
        count = max(2 * size, sizes.images // (side // 28) ** 2)
        random = np.random.RandomState(0)
        pixels = random.randint(0, 256, (count, side, side, channels)).astype(np.uint8)
        labels = np.arange(count) % 8
        ids, names = [str(row) for row in range(count)], {label: str(label) for label in range(8)}
        table = ImageTable(
            "made", "all", pixels.shape[1:], labels, ids, names,
            lambda rows: (pixels[rows], {}), None, pixels=pixels,
        )  # fmt: skip
        batches = make_batches(config, labels)
        keras.utils.set_random_seed(0)
        tower = build_tower(config.model, table.image_shape, precision)
        optimizer = make_optimizer(config.optimizer, 10**6, precision)
        optimizer.build(tower.trainable_variables)
        devices, strategy = choose_devices(config), make_strategy(config.loss)
        step = make_step(tower, optimizer, strategy, devices, seed=0, jit_compile=xla)
        pull = tf.random.stateless_normal([size, DIMENSIONS], [0, 0])

        def bare(images: Any) -> Any:
            _, push_back = embed_whole(tower, images)
            return tf.add_n([tf.reduce_sum(tf.cast(each, tf.float32)) for each in push_back(pull)])

        if xla:
            pool, rows = tf.constant(pixels), tf.constant(batches.rows_of(range(64)), tf.int32)

            @tf.function(jit_compile=True, autograph=False)
            def looped(calls: Any) -> Any:
                def body(done: Any, total: Any) -> Any:
                    return done + 1, total + bare(tf.gather(pool, rows[done % 64]))

                return tf.while_loop(lambda done, _: done < calls, body, (0, 0.0))[1]

            alone = per_loop(lambda calls: looped(tf.constant(calls)).numpy(), sizes.seconds)
            several = SeveralSteps(step, table, batches, 8, room=0 if sent else 2**60)
            several.compile()
            whole = per_call(several, sizes.seconds)
        else:
            y, images = tf.constant(labels[batches.rows(0)]), tf.constant(pixels[batches.rows(0)])
            zero, traced = tf.constant(0), tf.function(bare, autograph=False)

            def whole_step() -> Any:
                return step(zero, zero, images, y).triplets.loss

            alone, whole = (
                milliseconds(call, lambda found: found.numpy(), sizes.seconds) / 1e3
                for call in (lambda: traced(images), whole_step)
            )
        return {
            "bare_ms": round(1e3 * alone, 4),
            "whole_ms": round(1e3 * whole, 4),
            "bare_per_s": size / alone,
            "whole_per_s": size / whole,
            "whole_of_bare": alone / whole,
        }

    for name, size, precision, xla, sent in sizes.towers:
        how = "XLA, images sent" if sent else "XLA" if xla else "as traced"
        yield (
            f"{name}, B = {size}, {precision}, {how}",
            lambda a=(name, size, precision, xla, sent): with_peak(lambda: measured(*a)),
        )


def per_loop(run: Callable[[int], object], seconds: float) -> float:
    """Seconds of a turn of a loop that makes as many turns as it is told: the median of five."""
    run(1)  # compiles
    turns, took = 1, 0.0
    while took < seconds / 5 and turns < 10**5:
        turns *= 4
        begun = time.perf_counter()
        run(turns)
        took = time.perf_counter() - begun
    series = []
    for _ in range(5):
        begun = time.perf_counter()
        run(turns)
        series.append((time.perf_counter() - begun) / turns)
    return statistics.median(series)


def per_call(several: Any, seconds: float) -> float:
    """Seconds of a step, between the calls of a training: the median of five series."""
    calls = several.calls(range(1, 10**9), lambda step: step + 10**9)
    for _ in range(4):  # until a call makes its number of steps
        next(calls)[1](False)
    series = []
    for _ in range(5):
        begun, steps = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds / 5:
            these, run = next(calls)
            run(False)
            steps += len(these)
        series.append((time.perf_counter() - begun) / steps)
    calls.close()
    return statistics.median(series)


class Reached(Exception):
    """Ends the loop of a training at its target."""


def mnist_rows(data_dir: str, sizes: Sizes) -> Rows:
    """Seconds of training until test recall@1 is at the target, and of what is beside it."""
    import keras

    from triplet_train.config import load_config
    from triplet_train.data.batches import make_batches
    from triplet_train.data.caching import cached
    from triplet_train.data.source import open_source
    from triplet_train.embeddings.compute import at_once, make_embed
    from triplet_train.evaluation import retrieval_figures
    from triplet_train.models.tower import build_tower
    from triplet_train.training import calls
    from triplet_train.training.devices import choose_devices
    from triplet_train.training.loop import train

    compiling = 0.0

    class Timed(calls.SeveralSteps):
        def compile(self) -> None:
            nonlocal compiling
            begun = time.perf_counter()
            super().compile()
            compiling = time.perf_counter() - begun

    calls.SeveralSteps = Timed  # type: ignore[misc]

    def measured(xla: bool) -> Found:
        every = EVALUATED_EVERY
        config = load_config(
            "mnist_fast",
            [
                f"data.data_dir={json.dumps(data_dir)}",
                f"train={{steps: {sizes.most_steps}, log_every: {every}, eval_every: {every}, "
                f"checkpoint_every: 1000000, jit_compile: {str(xla).lower()}}}",
            ],
        )
        devices, source = choose_devices(config), open_source(config.data)
        begun = time.perf_counter()
        tables = [source.table(split) for split in ("train", "test")]
        images, held_out = cached(tables, config.data)
        reading = time.perf_counter() - begun
        keras.utils.set_random_seed(0)
        tower = build_tower(config.model, images.image_shape, config.train.precision)
        embed = make_embed(tower, at_once(config, held_out.image_shape))
        evaluating, recalls = 0.0, []

        def evaluate() -> dict[str, float]:
            nonlocal evaluating
            begun = time.perf_counter()
            metrics = retrieval_figures(embed(held_out), held_out.labels).figures
            evaluating += time.perf_counter() - begun
            recalls.append(metrics["recall_at_1"])
            if recalls[-1] >= TARGET:
                raise Reached
            return metrics

        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
            batches = make_batches(config, images.labels)
            try:
                with redirect_stderr(nowhere):
                    train(config, tower, images, batches, evaluate, Path(folder), devices)
            except Reached:
                pass
        seconds = time.perf_counter() - begun
        return {
            "recall_at_1": recalls[-1],
            "steps": every * len(recalls),
            "training_s": seconds - evaluating - compiling,
            "compiling_s": compiling,
            "evaluating_s": evaluating,
            "reading_s": reading,
        }

    yield "XLA", lambda: measured(True)
    yield "as traced", lambda: measured(False)


def evaluation_rows(sizes: Sizes) -> Rows:
    """Seconds for all metrics, exactly; on the CPU."""
    import numpy as np

    from triplet_train.evaluation import judge

    def measured() -> Found:
        random = np.random.RandomState(0)
        vectors = random.normal(size=(sizes.queries + sizes.gallery, DIMENSIONS))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        labels = random.randint(0, 10, len(vectors))
        queries, gallery = np.split(vectors.astype(np.float32), [sizes.queries])
        query_labels, gallery_labels = np.split(labels, [sizes.queries])
        begun = time.perf_counter()
        judge(queries, query_labels, gallery, gallery_labels)
        return {"seconds": time.perf_counter() - begun}

    yield f"{sizes.queries:,} x {sizes.gallery:,}", measured


# ---------------------------------------------------------------- PyTorch, for comparison


def torch_sections(options: argparse.Namespace, sizes: Sizes) -> Iterator[tuple[str, Rows]]:
    yield "machine", iter([("this", torch_machine)])
    yield "loss", torch_loss_rows(sizes)
    yield "step", torch_step_rows(sizes)


def torch_machine() -> Found:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    names = ("torch", "pytorch-metric-learning")
    return {"device": device, **{name: version(name) for name in names}}


def torch_losses() -> dict[str, Callable[[Any, Any], Any]]:
    """Those that compute what ours do; PML's semi-hard keeps every negative within the margin."""
    from pytorch_metric_learning import distances, losses, miners, reducers

    common = {"distance": distances.LpDistance(normalize_embeddings=False)}
    loss = losses.TripletMarginLoss(MARGIN, reducer=reducers.MeanReducer(), **common)
    semi_hard = miners.TripletMarginMiner(MARGIN, type_of_triplets="semihard", **common)
    hard = miners.BatchHardMiner(**common)
    return {
        "semi_hard": lambda x, y: loss(x, y, semi_hard(x, y)),
        "hard": lambda x, y: loss(x, y, hard(x, y)),
        "batch_all": lambda x, y: loss(x, y),
    }


def torch_loss_rows(sizes: Sizes) -> Rows:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"

    def measured(loss: Callable[[Any, Any], Any], layout: str, size: int) -> Found:
        labels, vectors = (torch.from_numpy(part).to(device) for part in made_batch(layout, size))
        vectors.requires_grad_()
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

        def call() -> Any:
            value = loss(vectors, labels)
            torch.autograd.grad(value, vectors)
            return value

        found = {"ms": milliseconds(call, lambda value: value.item(), sizes.seconds)}
        if device == "cuda":
            found["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
        return found | {"value": call().item()}

    for name, loss in torch_losses().items():
        for size in sizes.losses:
            for layout in ("K = 4", "10 classes"):
                yield (
                    f"{name}, B = {size}, {layout}",
                    lambda a=(loss, layout, size): measured(*a),
                )


def torch_step_rows(sizes: Sizes) -> Rows:
    """The same tower, loss and Adam, the images on the device."""
    import torch
    from torch import nn

    device = "cuda" if torch.cuda.is_available() else "cpu"

    def tower() -> Any:
        parts: list[Any] = []
        channels, side = 1, 28
        for width in WIDTHS:
            parts += [nn.Conv2d(channels, width, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU()]
            channels, side = width, side // 2
        parts += [nn.Flatten(), nn.Linear(channels * side * side, DIMENSIONS)]
        return nn.Sequential(*parts).to(device)

    def measured(size: int, bfloat16: bool) -> Found:
        labels, pixels = (torch.from_numpy(part).to(device) for part in made_images(size))
        pixels = pixels.permute(0, 3, 1, 2)
        network, loss = tower(), torch_losses()["semi_hard"]
        optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)

        def call() -> Any:
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
                vectors = network(pixels.float() / 255)
            value = loss(nn.functional.normalize(vectors.float()), labels)
            value.backward()
            optimizer.step()
            return value

        took = milliseconds(call, lambda value: value.item(), sizes.seconds)
        return {"whole_per_s": size / took * 1e3}

    for size in sizes.steps:
        for precision in ("float32", "bfloat16"):
            yield (
                f"two convolutions, B = {size}, {precision}",
                lambda a=(size, precision == "bfloat16"): measured(*a),
            )


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--library", dest="package", choices=("ours", "torch"), default="ours")
    add("--small", action="store_true", help="a few calls of everything, at small sizes")
    add("--minutes", type=float, default=6.0, help="after these no further row is begun")
    add("--only", nargs="+", help="sections: golden, loss, step, mnist, evaluation")
    add("--data-dir", help="TFDS folder that holds MNIST")
    add("--golden", type=Path, help="folder with the values of tensorflow_addons")
    add("--output", type=Path, help="JSON file to write")
    add("--read", type=Path, nargs="+", help="files of --output to print as tables")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse_options(arguments)
    if options.read:
        print(tables(options.read))
        return
    report = Report(options.output, options.minutes)
    sections = {"ours": tensorflow_sections, "torch": torch_sections}[options.package]
    for section, rows in sections(options, SMALL if options.small else Sizes()):
        if section == "machine" or not options.only or section in options.only:
            report.measure(section, rows)
    report.end()


if __name__ == "__main__":
    main()
