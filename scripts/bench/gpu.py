"""A GPU: values of the losses, their cost, whole steps, and seconds to recall@1 0.99.

    python scripts/bench/gpu.py --golden golden --output gpu.json
    python scripts/bench/gpu.py --library pml --output pml.json
    python scripts/bench/gpu.py --read gpu.json pml.json > docs/measurements/gpu.md

At most --minutes minutes: rows for which no time is left are named at the end. The file holds all
rows so far, so that an interrupted run loses none. `--library pml` measures the same losses and
steps with PyTorch and pytorch-metric-learning in an environment that has them. `--read` prints such
files as a page of Markdown tables. `--quick` tries everything at tiny sizes, on a CPU too. The
values of tensorflow_addons are compared where --golden names the folder with tfa_losses.npz and
tfa_losses.json. The section `mnist` needs MNIST.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

from libraries import tensorflow_loss, torch_loss, torch_tower, versions
from losses import DIMENSIONS, LAYOUTS, LOSSES, make_batch
from machine import stamp
from sections import table

Found = dict[str, Any]
Rows = Iterator[tuple[str, Callable[[], Found]]]  # name of a row, and the function that measures it

MARGIN, WIDTHS, LEARNING_RATE = 0.5, (32, 64), 1e-3
TARGET, EVALUATED_EVERY = 0.99, 25  # recall@1, steps
TOWERS = {  # model, side and channels of an image
    "two convolutions": (f"{{filters: {list(WIDTHS)}, embedding_dim: {DIMENSIONS}}}", 28, 1),
    "resnet": (f"{{tower: resnet, embedding_dim: {DIMENSIONS}}}", 28, 1),
    "MobileNetV2": (f"{{tower: MobileNetV2, embedding_dim: {DIMENSIONS}}}", 96, 3),
}
# Tower, B, precision, whether XLA compiles it, whether images are sent with each call.
STEPS = [
    ("two convolutions", 128, "float32", True, False),
    ("two convolutions", 1024, "float32", True, False),
    ("two convolutions", 1024, "mixed_bfloat16", True, False),
    ("resnet", 1024, "float32", True, False),
    ("resnet", 1024, "mixed_bfloat16", True, False),
    ("two convolutions", 8192, "float32", True, False),
    ("two convolutions", 128, "float32", True, True),
    ("two convolutions", 128, "float32", False, False),
    ("two convolutions", 1024, "float32", False, False),
    ("MobileNetV2", 128, "float32", True, False),
]
QUICK_STEPS = [
    ("two convolutions", 32, "float32", True, False),
    ("two convolutions", 32, "float32", True, True),
    ("two convolutions", 32, "float32", False, False),
]


class Report:
    """Rows as they come: printed, and written to a file that always holds all of them."""

    def __init__(self, output: Path | None, minutes: float) -> None:
        self._output, self._end = output, time.perf_counter() + 60 * minutes
        self.content: dict[str, list[Any]] = {"rows": [], "left_out": []}

    def measure(self, section: str, rows: Rows) -> None:
        for name, run in rows:
            if time.perf_counter() > self._end:
                self.content["left_out"].append(f"{section}: {name}")
                continue
            try:
                found = run()
            except Exception as error:  # of a library, for example out of memory: go on
                found = {"failed": f"{type(error).__name__}: {str(error).strip()[:300]}"}
            self.content["rows"].append({"section": section, "name": name, **found})
            print(section, "|", name, "|", found, flush=True)
            self.write()

    def write(self) -> None:
        if self._output:
            beside = self._output.with_name(f".{self._output.name}")
            beside.write_text(json.dumps(self.content, indent=1) + "\n")
            os.replace(beside, self._output)


def tables(file: Path) -> str:
    """Table of each section of a file, then the rows that were left out."""
    content = json.loads(file.read_text())
    parts = []
    for section in dict.fromkeys(row["section"] for row in content["rows"]):
        rows = [row for row in content["rows"] if row["section"] == section]
        columns = list(dict.fromkeys(key for row in rows for key in row if key != "section"))[1:]
        cells = [[row["name"], *(cell(row.get(key, "")) for key in columns)] for row in rows]
        parts.append(table([[section, *columns], *cells]))
    if content["left_out"]:
        parts.append(f"No time was left for {'; '.join(content['left_out'])}.")
    return "\n\n".join(parts)


def cell(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1e}" if value < 1e-3 else f"{value:.3g}"


def seconds_of(call: Callable[[], Any], wait: Callable[[Any], object], budget: float) -> float:
    """Seconds of a call, the median of five series; only the end of a series waits for the GPU."""
    wait(call())  # compiles
    begun = time.perf_counter()
    wait(call())
    one = max(time.perf_counter() - begun, 1e-6)
    calls = max(1, min(1000, int(budget / 5 / one)))
    series = []
    for _ in range(5 if calls > 1 else 2):
        begun = time.perf_counter()
        for _ in range(calls):
            result = call()
        wait(result)
        series.append((time.perf_counter() - begun) / calls)
    return statistics.median(series)


# This package, on TensorFlow.


def our_sections(options: argparse.Namespace) -> Iterator[tuple[str, Rows]]:
    yield "machine", iter([("this", our_machine)])
    if options.golden:
        yield "golden", golden_rows(options.golden, (8,) if options.quick else (8, 128))
    yield "step", step_rows(options)
    yield "mnist", mnist_rows(25 if options.quick else 1000)
    yield "loss", loss_rows(options)


def our_machine() -> Found:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    return {"device": details.get("device_name", "CPU"), "measured": stamp()}


def golden_rows(folder: Path, sizes_of_xla: tuple[int, ...]) -> Rows:
    """Largest relative differences from tensorflow_addons: of values, and of gradients beside the
    largest component of each. Its log1p(exp(x)) loses the gradient of soft terms near 88."""
    import numpy as np
    import tensorflow as tf

    cases = json.loads((folder / "tfa_losses.json").read_text())["cases"]
    arrays = np.load(folder / "tfa_losses.npz")

    def compiled(xla: bool, name: str, metric: str, soft: bool) -> Callable[..., Any]:
        loss, more = tensorflow_loss("ours", name), {"soft": True} if soft else {}

        @tf.function(jit_compile=xla, reduce_retracing=not xla, autograph=False)
        def value_and_gradient(y: Any, x: Any, margin: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(y, x, margin=margin, distance_metric=metric, **more)
            return value, tape.gradient(value, x)

        return value_and_gradient

    def largest(xla: bool) -> Found:
        functions: dict[Any, Callable[..., Any]] = {}
        values, gradients = [], []
        for case in cases:
            if xla and case["batch"] not in sizes_of_xla:
                continue
            key = case["loss_function"], case["distance_metric"], bool(case.get("soft"))
            functions[key] = functions.get(key) or compiled(xla, *key)
            y, x = (tf.constant(arrays[f"{case['case']}_{of}"]) for of in ("labels", "embeddings"))
            value, gradient = functions[key](y, x, tf.constant(case.get("margin", 1.0)))
            expected = arrays[f"{case['case']}_gradient"]
            values.append(abs(float(value) - case["loss"]) / max(case["loss"], 1e-2))
            if not (case.get("soft") and case["loss"] > 30):
                apart = np.abs(gradient.numpy() - expected).max()
                gradients.append(float(apart) / max(float(np.abs(expected).max()), 1e-9))
        return {"cases": len(values), "values": max(values), "gradients": max(gradients)}

    yield "as traced", lambda: largest(False)
    yield "XLA", lambda: largest(True)


def with_peak(measure: Callable[[], Found]) -> Found:
    """Result of `measure`, and the MiB that it took on the GPU beyond those held before."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return measure()
    tf.config.experimental.reset_memory_stats("GPU:0")
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    found = measure()
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return {**found, "peak_mib": round((peak - before) / 2**20, 1)}


def loss_rows(options: argparse.Namespace) -> Rows:
    """Forward and backward of each loss with respect to the embeddings."""
    import tensorflow as tf

    def measured(name: str, size: int, layout: str, xla: bool) -> Found:
        labels, vectors = (tf.constant(part) for part in make_batch(layout, size))
        loss = tensorflow_loss("ours", name)

        @tf.function(jit_compile=xla, autograph=False)
        def value_and_gradient(y: Any, x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(y, x, margin=MARGIN)
            return value, tape.gradient(value, x)

        def call() -> Any:
            return value_and_gradient(labels, vectors)

        seconds = seconds_of(call, lambda found: found[1].numpy(), options.budget)
        return {"ms": 1e3 * seconds, "value": float(call()[0])}

    for row in product(LOSSES, options.sizes, LAYOUTS, (True, False)):
        name, size, layout, xla = row
        how = "XLA" if xla else "as traced"
        yield (
            f"{name}, B = {size}, {LAYOUTS[layout]}, {how}",
            lambda row=row: with_peak(lambda: measured(*row)),
        )


def step_rows(options: argparse.Namespace) -> Rows:
    """Images per second of the bare tower, forward and backward, and of whole training steps.

    With XLA both are loops that XLA compiles, over images on the device: the bare one is the most
    that the tower can give. Otherwise each step is a call.
    """
    import tensorflow as tf
    from steps import made_images, set_up

    from triplet_train.training.calls import SeveralSteps
    from triplet_train.training.microbatches import embed_whole

    def measured(name: str, size: int, precision: str, xla: bool, sent: bool) -> Found:
        model, side, channels = TOWERS[name]
        count = max(2 * size, (200 if options.quick else 60_000) // (side // 28) ** 2)
        images = made_images(count, (side, side, channels), classes=8)
        batch = f"batch={{classes: 8, per_class: {size // 8}}}"
        keys = [f"model={model}", batch, f"loss.margin={MARGIN}", f"train.precision={precision}"]
        training = set_up(images, *keys, jit_compile=xla)
        step, batches, zero = training.step, training.batches, tf.constant(0)
        pull = tf.random.stateless_normal([size, DIMENSIONS], [0, 0])

        def bare(some: Any) -> Any:
            _, push_back = embed_whole(training.tower, some)
            return tf.add_n([tf.reduce_sum(tf.cast(each, tf.float32)) for each in push_back(pull)])

        if xla:
            pool = tf.constant(images.pixels)
            rows = tf.constant(batches.rows_of(range(64)), tf.int32)

            @tf.function(jit_compile=True, autograph=False)
            def looped(turns: Any) -> Any:
                def body(done: Any, total: Any) -> Any:
                    return done + 1, total + bare(tf.gather(pool, rows[done % 64]))

                return tf.while_loop(lambda done, _: done < turns, body, (0, 0.0))[1]

            alone = per_turn(lambda turns: looped(tf.constant(turns)).numpy(), options.budget)
            several = SeveralSteps(step, images, batches, 8, room=0 if sent else 2**60)
            several.compile()
            whole = per_step(several, options.budget)
        else:
            pixels, labels = next(training.data())
            traced = tf.function(bare, autograph=False)
            alone, whole = (
                seconds_of(call, lambda found: found.numpy(), options.budget)
                for call in (
                    lambda: traced(pixels),
                    lambda: step(zero, zero, pixels, labels).triplets.loss,
                )
            )
        return {
            "bare_ms": 1e3 * alone,
            "whole_ms": 1e3 * whole,
            "whole_per_s": size / whole,
            "whole_of_bare": alone / whole,
        }

    for row in QUICK_STEPS if options.quick else STEPS:
        name, size, precision, xla, sent = row
        how = "XLA, images sent" if sent else "XLA" if xla else "as traced"
        yield (
            f"{name}, B = {size}, {precision}, {how}",
            lambda row=row: with_peak(lambda: measured(*row)),
        )


def per_turn(run: Callable[[int], object], budget: float) -> float:
    """Seconds of a turn of `run`, which makes a given number of turns; the median of five."""
    run(1)  # compiles
    turns, took = 1, 0.0
    while took < budget / 5 and turns < 10**5:
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


def per_step(several: Any, budget: float) -> float:
    """Seconds of a step between the calls of a training; the median of five series."""
    calls = several.calls(range(1, 10**9), lambda step: step + 10**9)
    for _ in range(4):  # until a call makes its number of steps
        next(calls)[1](False)
    series = []
    for _ in range(5):
        begun, steps = time.perf_counter(), 0
        while time.perf_counter() - begun < budget / 5:
            these, run = next(calls)
            run(False)
            steps += len(these)
        series.append((time.perf_counter() - begun) / steps)
    calls.close()
    return statistics.median(series)


def mnist_rows(most_steps: int) -> Rows:
    """Seconds of `mnist_fast` until test recall@1 is at the target, with compiling, and without
    evaluation and reading."""
    from steps import NEVER, EndLoop, read_table, set_up

    from triplet_train.config import load_config
    from triplet_train.embeddings.compute import at_once, make_embed
    from triplet_train.evaluation import retrieval_metrics

    def measured(xla: bool) -> Found:
        config = load_config("mnist_fast")
        images, held_out = (read_table(config, split) for split in ("train", "test"))
        key = f"train.jit_compile={str(xla).lower()}"
        training = set_up(images, key, config="mnist_fast", jit_compile=xla)
        embed = make_embed(training.tower, at_once(config, held_out.image_shape))
        evaluating, recalls = 0.0, []

        def evaluate() -> dict[str, float]:
            nonlocal evaluating
            begun = time.perf_counter()
            metrics = retrieval_metrics(embed(held_out), held_out.labels)
            evaluating += time.perf_counter() - begun
            recalls.append(metrics["recall_at_1"])
            if recalls[-1] >= TARGET:
                raise EndLoop
            return metrics

        often = {"log_every": EVALUATED_EVERY, "eval_every": EVALUATED_EVERY}
        begun = time.perf_counter()
        training.loop(evaluate, steps=most_steps, checkpoint_every=NEVER, **often)
        seconds = time.perf_counter() - begun - evaluating
        steps = EVALUATED_EVERY * len(recalls)
        return {"recall_at_1": recalls[-1], "steps": steps, "training_s": seconds}

    yield "XLA", lambda: measured(True)
    yield "as traced", lambda: measured(False)


# PyTorch, for comparison.


def torch_sections(options: argparse.Namespace) -> Iterator[tuple[str, Rows]]:
    yield "machine", iter([("this", torch_machine)])
    yield "loss", torch_loss_rows(options)
    yield "step", torch_step_rows(options)


def torch_machine() -> Found:
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {"device": device, "measured": f"{date.today()}; {versions('pml')}"}


def torch_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def torch_loss_rows(options: argparse.Namespace) -> Rows:
    import torch

    def measured(name: str, size: int, layout: str) -> Found:
        device = torch_device()
        labels, vectors = (torch.from_numpy(part).to(device) for part in make_batch(layout, size))
        vectors.requires_grad_()
        loss = torch_loss(name, MARGIN)
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

        def call() -> Any:
            value = loss(vectors, labels)
            torch.autograd.grad(value, vectors)
            return value

        found = {"ms": 1e3 * seconds_of(call, lambda value: value.item(), options.budget)}
        if device == "cuda":
            found["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20, 1)
        return found | {"value": call().item()}

    for row in product(("semi_hard", "hard", "batch_all"), options.sizes, LAYOUTS):
        name, size, layout = row
        yield f"{name}, B = {size}, {LAYOUTS[layout]}", lambda row=row: measured(*row)


def torch_step_rows(options: argparse.Namespace) -> Rows:
    """Steps of PyTorch with the same tower, loss and Adam, with the images on the device."""
    import torch

    def measured(size: int, bfloat16: bool) -> Found:
        device = torch_device()
        pixels = torch.randint(0, 256, (size, 1, 28, 28), dtype=torch.uint8, device=device)
        labels = torch.arange(size, device=device) // (size // 8)
        network = torch_tower(28, WIDTHS, DIMENSIONS).to(device)
        loss = torch_loss("semi_hard", MARGIN)
        optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)

        def call() -> Any:
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
                vectors = network(pixels.float() / 255)
            value = loss(torch.nn.functional.normalize(vectors.float()), labels)
            value.backward()
            optimizer.step()
            return value

        seconds = seconds_of(call, lambda value: value.item(), options.budget)
        return {"whole_per_s": size / seconds}

    for row in product((32,) if options.quick else (128, 1024), (False, True)):
        precision = "bfloat16" if row[1] else "float32"
        yield f"two convolutions, B = {row[0]}, {precision}", lambda row=row: measured(*row)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--library", choices=("ours", "pml"), default="ours")
    add("--quick", action="store_true", help="a few calls of everything, at tiny sizes")
    add("--minutes", type=float, default=6.0, help="begin no row after so many")
    add("--only", nargs="+", help="sections: golden, step, mnist, loss")
    add("--golden", type=Path, help="folder with the values of tensorflow_addons")
    add("--output", type=Path, help="JSON file to write")
    add("--read", type=Path, nargs="+", help="files of --output to print as tables")
    options = parser.parse_args()
    if options.read:
        print("\n\n".join(["# On a GPU", *map(tables, options.read)]))
        return
    options.sizes = (32,) if options.quick else (128, 1024, 8192)
    options.budget = 0.02 if options.quick else 0.5  # seconds of a measurement
    report = Report(options.output, options.minutes)
    for section, rows in {"ours": our_sections, "pml": torch_sections}[options.library](options):
        if section == "machine" or not options.only or section in options.only:
            report.measure(section, rows)
    report.write()
    print("\n".join(f"no time was left for {name}" for name in report.content["left_out"]))


if __name__ == "__main__":
    main()
