"""Rows of this package in the bench for a GPU."""

import json
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import retrieval
import tensorflow as tf
from gpu_rows import (
    CLASSES,
    MARGIN,
    TOWERS,
    Found,
    LossCase,
    Row,
    StepCase,
    loss_cases,
    seconds_of,
    step_cases,
)
from libraries import tensorflow_loss
from losses import DIMENSIONS, LOSSES, make_batch
from machine import gpu_driver, stamp
from processes import command
from steps import NEVER, EndLoop, Training, export, made_images, read_table, set_up
from tensorflow.python.framework.config import disable_op_determinism

from triplet_train.config import load_config
from triplet_train.data.images import ImageTable
from triplet_train.embeddings.compute import at_once, make_embed
from triplet_train.evaluation import make_examples, retrieval_metrics
from triplet_train.run.folder import RunFolder
from triplet_train.training.calls import Call, SeveralSteps
from triplet_train.training.microbatches import embed_whole

tf.get_logger().setLevel("ERROR")  # without advice on retracing

TARGET, EVALUATED_EVERY = 0.99, 25  # recall@1, steps


def rows(quick: bool, budget: float, golden: Path | None) -> Iterator[Row]:
    """Yield rows in the order of their worth; `budget` is the seconds of a measurement.

    XLA takes 5 to 10 seconds for a step, so that all steps take more than six minutes.
    """
    losses, steps = loss_cases(LOSSES, quick), step_cases(tuple(TOWERS), quick)
    bare: dict[StepCase, float] = {}

    def step_rows(worths: tuple[int, ...]) -> Iterator[Row]:
        for case in (each for each in steps if each.worth in worths):
            yield Row("step", str(case), partial(step, case, quick, budget, bare))

    def loss_rows(sizes: tuple[int, ...]) -> Iterator[Row]:
        for case in (each for each in losses if each.size in sizes):
            yield Row("loss", str(case), partial(loss, case, budget))

    def embedding(tower: str) -> Row:
        return Row("embedding", tower, partial(embedding_rate, tower, quick, budget))

    count = 1000 if quick else 60_000
    yield Row("machine", "triplet-train", machine)
    if golden:
        yield Row("golden", "without XLA", partial(golden_cases, golden))
        yield Row("golden", "XLA", partial(golden_cases, golden, 8 if quick else 128))
    yield from step_rows((0,))
    yield Row("mnist", "from the first step to recall@1 0.99", partial(mnist_training, quick))
    yield from loss_rows((32, 1024, 128, 8192))
    yield Row("mnist", "from Enter to the metrics", partial(mnist_command, quick))
    yield Row("resume", "deterministic", partial(resumed, True, quick))
    yield Row("evaluation", f"{count:,} x {count:,}", partial(evaluation, count))
    yield embedding("two convolutions")
    yield from step_rows((1,))
    yield from loss_rows((512, 4096))
    yield Row("resume", "not deterministic", partial(resumed, False, quick))
    for tower in () if quick else ("resnet", "MobileNetV2"):
        yield embedding(tower)
    yield from step_rows((2, 3, 4))


def machine() -> Found:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return {"device": "CPU", "measured": stamp()}
    device = tf.config.experimental.get_device_details(gpus[0])["device_name"]
    build = tf.sysconfig.get_build_info()
    cuda = f"CUDA {build['cuda_version']}, cuDNN {build['cudnn_version']}"
    return {"device": device, "driver": gpu_driver(), "measured": f"{stamp()}, {cuda}"}


def peak(call: Callable[[], object]) -> Found:
    """MiB on the GPU during a call."""
    if not tf.config.list_physical_devices("GPU"):
        return {}
    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    tf.config.experimental.reset_memory_stats("GPU:0")
    call()
    most = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return {"peak MiB": (most - before) / 2**20}


# Losses


def with_gradient(name: str, **options: Any) -> Callable[..., Any]:
    """Function of labels, embeddings and margin: value of a loss, and gradient of embeddings."""
    loss = tensorflow_loss("ours", name)

    def value_and_gradient(labels: Any, embeddings: Any, margin: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings, margin=margin, **options)
        return value, tape.gradient(value, embeddings)

    return value_and_gradient


def golden_cases(folder: Path, xla_size: int | None = None) -> Found:
    """Largest relative differences from tensorflow_addons: of values, and of gradients beside the
    largest component of each. Its log1p(exp(x)) loses the gradient of soft terms near 88.

    With XLA, which compiles for each size, only batches of `xla_size`.
    """
    cases = json.loads((folder / "tfa_losses.json").read_text())["cases"]
    arrays = np.load(folder / "tfa_losses.npz")
    values, gradients = [], []

    @cache
    def function(name: str, metric: str, soft: bool) -> Callable[..., Any]:
        options = {"distance_metric": metric, **({"soft": True} if soft else {})}
        how = {"jit_compile": True} if xla_size else {"reduce_retracing": True}
        return tf.function(with_gradient(name, **options), autograph=False, **how)

    for case in cases:
        if xla_size not in (None, case["batch"]):
            continue
        soft = bool(case.get("soft"))
        y, x = (tf.constant(arrays[f"{case['case']}_{of}"]) for of in ("labels", "embeddings"))
        compute = function(case["loss_function"], case["distance_metric"], soft)
        value, gradient = compute(y, x, tf.constant(case.get("margin", 1.0)))
        expected = arrays[f"{case['case']}_gradient"]
        values.append(abs(float(value) - case["loss"]) / max(case["loss"], 1e-2))
        if not (soft and case["loss"] > 30):
            apart = np.abs(gradient.numpy() - expected).max()
            gradients.append(float(apart) / max(float(np.abs(expected).max()), 1e-9))
    return {"cases": len(values), "values": max(values), "gradients": max(gradients)}


@cache
def compiled_loss(name: str, size: int) -> Callable[..., Any]:
    """One function for both layouts of a size, because XLA compiles for each size."""
    compiled: Callable[..., Any] = tf.function(
        with_gradient(name), jit_compile=True, autograph=False
    )
    return compiled


def loss(case: LossCase, budget: float) -> Found:
    labels, vectors = map(tf.constant, make_batch(case.layout, case.size))
    function, margin = compiled_loss(case.loss, case.size), tf.constant(MARGIN)

    def call() -> Any:
        return function(labels, vectors, margin)

    seconds = seconds_of(call, lambda found: found[1].numpy(), budget)
    return {"ms": 1e3 * seconds, **peak(lambda: call()[1].numpy()), "value": float(call()[0])}


# Steps


def images_of(tower: str, quick: bool, classes: int, least: int = 0) -> ImageTable:
    _, side, channels = TOWERS[tower]
    count = (200 if quick else 60_000) // (side // 28) ** 2
    return made_images(max(count, least), (side, side, channels), classes)


def step(case: StepCase, quick: bool, budget: float, bare: dict[StepCase, float]) -> Found:
    """Steps as `triplet-train` makes them, beside the tower alone.

    The tower is measured once for images on the device and from the host; `bare` remembers it.
    """
    images = images_of(case.tower, quick, CLASSES, least=2 * case.size)
    training = set_up(
        images,
        f"model={TOWERS[case.tower][0]}",
        f"batch={{classes: {CLASSES}, per_class: {case.size // CLASSES}}}",
        f"loss.margin={MARGIN}",
        f"train.precision={'mixed_bfloat16' if case.bfloat16 else 'float32'}",
        jit_compile=True,
    )
    key = case._replace(sent=False)
    if key not in bare:
        bare[key] = bare_tower(training, budget)
    several = SeveralSteps(
        training.step, images, training.batches, CLASSES, room=0 if case.sent else 2**60
    )
    several.compile()
    calls: Any = several.calls(range(1, 10**9), lambda step: step + 10**9)
    whole = per_step(calls, budget)
    most = peak(lambda: next(calls)[1](False))
    calls.close()
    return {
        "bare ms": 1e3 * bare[key],
        "whole ms": 1e3 * whole,
        "images/s": case.size / whole,
        "of the bare rate": bare[key] / whole,
        **most,
    }


def bare_tower(training: Training, budget: float) -> float:
    """Seconds of the tower, forward and backward, in a loop over images on the device."""
    pool = tf.constant(training.images.pixels)
    chosen = tf.constant(training.batches.rows_of(range(64)), tf.int32)
    pull = tf.random.stateless_normal([training.batches.size, DIMENSIONS], [0, 0])

    def passes(done: Any) -> Any:
        _, backpropagate = embed_whole(training.tower, tf.gather(pool, chosen[done % 64]))
        return tf.add_n([tf.reduce_sum(tf.cast(each, tf.float32)) for each in backpropagate(pull)])

    return per_turn(passes, budget)


def per_turn(turn: Callable[[Any], Any], budget: float) -> float:
    """Seconds of a turn, number -> scalar, in a loop that XLA compiles; the median of five."""

    @tf.function(jit_compile=True, autograph=False)
    def looped(turns: Any) -> Any:
        def body(done: Any, total: Any) -> Any:
            return done + 1, total + turn(done)

        return tf.while_loop(lambda done, _: done < turns, body, (0, 0.0))[1]

    def seconds(turns: int) -> float:
        begun = time.perf_counter()
        looped(tf.constant(turns)).numpy()
        return time.perf_counter() - begun

    seconds(1)  # compiles
    turns = 1
    while seconds(turns) < budget / 5 and turns < 10**5:
        turns *= 4
    return statistics.median(seconds(turns) / turns for _ in range(5))


def per_step(calls: Iterator[Call], budget: float) -> float:
    """Seconds of a step between the calls of a training; the median of five series."""
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
    return statistics.median(series)


# MNIST


def mnist_training(quick: bool) -> Found:
    """Train `mnist_fast` until test recall@1 is at the target, evaluated every few steps.

    The seconds of training come from the log, which leaves out evaluation and compilation.
    """
    config = load_config("mnist_fast")
    images, held_out = (read_table(config, split) for split in ("train", "test"))
    training = set_up(images, config="mnist_fast")
    embed, recalls = make_embed(training.tower, at_once(config, held_out.image_shape)), []

    def evaluate() -> dict[str, float]:
        metrics = retrieval_metrics(make_examples(embed(held_out), held_out.labels))
        recalls.append(metrics["recall_at_1"])
        if recalls[-1] >= TARGET:
            raise EndLoop
        return metrics

    often: dict[str, Any] = {"log_every": EVALUATED_EVERY, "eval_every": EVALUATED_EVERY}
    steps = 25 if quick else 1000
    lines = training.loop(evaluate, steps=steps, checkpoint_every=NEVER, **often)
    seconds = sum(EVALUATED_EVERY * training.batches.size / rate for rate in rates(lines))
    return {"steps": EVALUATED_EVERY * len(recalls), "recall@1": recalls[-1], "seconds": seconds}


def rates(log: str) -> list[float]:
    """Images per second of the lines about training in a metrics.jsonl."""
    lines = map(json.loads, log.splitlines())
    return [line["images_per_second"] for line in lines if "images_per_second" in line]


def mnist_command(quick: bool) -> Found:
    """Run `triplet-train --config mnist_fast`, with start-up, compilation, export and page."""
    with tempfile.TemporaryDirectory() as folder:
        run, begun = RunFolder(Path(folder, "run")), time.time()
        options = ["--set", "train.steps=25"] if quick else []
        whole, _ = command("triplet-train", "--config", "mnist_fast", "--run-dir", run, *options)
        seconds = run.metrics.stat().st_mtime - begun
        (line,) = [line for line in run.logged() if "split" in line]
    found = {"steps": line["step"], "recall@1": line["recall_at_1"], "seconds": seconds}
    return found | {"seconds with the page": whole}


# Resuming, evaluation and embedding


def resumed(deterministic: bool, quick: bool) -> Found:
    """Compare the weights of a run with those of one that a signal stops, and that goes on."""
    steps = 24 if quick else 400
    often: dict[str, Any] = {
        "log_every": steps // 4,
        "eval_every": steps // 2,
        "checkpoint_every": NEVER,
    }
    images = made_images(200 if quick else 20_000, (28, 28, 1))

    def run(folder: str, stop: bool = False, resume: bool = False) -> tuple[list[Any], float]:
        def evaluate() -> dict[str, float]:
            if stop:
                signal.raise_signal(signal.SIGTERM)
            return {"recall_at_1": 0.0, "map_at_r": 0.0}

        training = set_up(images, f"train.deterministic={str(deterministic).lower()}")
        log = training.loop(evaluate, Path(folder), resume, steps=steps, **often)
        return training.tower.get_weights(), rates(log)[-1]

    try:
        with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as parts:
            expected, rate = run(whole)
            run(parts, stop=True)
            weights, _ = run(parts, resume=True)
    finally:
        disable_op_determinism()  # has no public form
    apart = max(float(np.abs(a - b).max()) for a, b in zip(weights, expected, strict=True))
    return {"largest difference": apart, "bit for bit": apart == 0, "images/s": rate}


def evaluation(count: int) -> Found:
    """Run `triplet-eval` on embedding files of `count` queries and as many gallery images."""
    with tempfile.TemporaryDirectory() as folder:
        found = retrieval.evaluate(count, Path(folder))
    return {"seconds": found["seconds"], "recall@1": found["recall_at_1"]}


def embedding_rate(tower: str, quick: bool, budget: float) -> Found:
    """Images per second from memory to an embedding file, beside the tower on the device."""
    images = images_of(tower, quick, classes=10, least=2000)
    network = set_up(images, f"model={TOWERS[tower][0]}").tower
    size = min(at_once(None, images.image_shape), len(images) // 2)
    pool = tf.constant(images.pixels)

    def turn(done: Any) -> Any:
        first = done * 7 % (len(images) - size)
        return tf.reduce_sum(network(tf.slice(pool, [first, 0, 0, 0], [size, -1, -1, -1])))

    bare, rate = per_turn(turn, budget), export(network, images)
    return {"bare images/s": size / bare, "images/s": rate, "of the bare rate": rate * bare / size}
