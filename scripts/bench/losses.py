"""Losses

The time and memory of each loss with its gradient, by batch size B: 64-d unit vectors, L2, margin
1, two threads, without XLA. Each cell is a process. Milliseconds are the median of its calls; MiB
are the peak during them, beyond what was held before.
"""

import time
from statistics import median
from typing import Any

from libraries import tensorflow_loss, tensorflow_with_threads, torch_loss, versions
from processes import THREADS, peak, reset_peak, worker
from sections import main, table

DIMENSIONS, MARGIN, CLASSES, PER_CLASS, WARM_UP = 64, 1.0, 10, 4, 16
LOSSES = ("semi_hard", "hard", "easy_positive", "batch_all")
LAYOUTS = {
    "classes": f"{CLASSES} classes at random",
    "pk": f"{PER_CLASS} images of each class",
}


def measure(library: str, loss: str, layout: str, size: int, seconds: float) -> dict[str, Any]:
    """Milliseconds and MiB of a call, and the value of the loss."""
    bind = bind_torch if library == "pml" else bind_tensorflow
    call_on = bind(library, loss)
    call_on(*make_batch(layout, WARM_UP))()  # traces for any batch size
    call = call_on(*make_batch(layout, size))
    before, times = reset_peak(), []
    value = call()
    while not times or (sum(times) < seconds and len(times) < 200):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return {
        "ms": 1e3 * median(times),
        "mib": peak() - before,
        "value": value,
        "versions": versions(library),
    }


def make_batch(layout: str, size: int) -> tuple[Any, Any]:
    """Labels int32 [size], at least two of each, and unit vectors float32 [size, DIMENSIONS]."""
    import numpy as np

    random = np.random.RandomState(size)  # unlike default_rng, the same in every NumPy
    embeddings = random.normal(size=(size, DIMENSIONS))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    if layout == "pk":
        labels = np.arange(size) // PER_CLASS
    else:
        # By design, the libraries differ on anchors without a positive.
        classes = min(CLASSES, size // 2)
        rest = random.randint(classes, size=size - 2 * classes)
        labels = random.permutation(np.concatenate([np.arange(classes)] * 2 + [rest]))
    return labels.astype(np.int32), embeddings.astype(np.float32)


def bind_tensorflow(library: str, loss: str) -> Any:
    tf = tensorflow_with_threads()
    function = tensorflow_loss(library, loss)
    signature = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, DIMENSIONS], tf.float32)

    @tf.function(input_signature=signature)
    def value_and_gradient(labels: Any, embeddings: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = function(labels, embeddings, margin=MARGIN, distance_metric="L2")
        return value, tape.gradient(value, embeddings)

    def bind(labels: Any, embeddings: Any) -> Any:
        y, x = tf.constant(labels), tf.constant(embeddings)
        return lambda: float(value_and_gradient(y, x)[0])

    return bind


def bind_torch(_: str, loss: str) -> Any:
    import torch

    torch.set_num_threads(THREADS)
    function = torch_loss(loss, MARGIN)

    def bind(labels: Any, embeddings: Any) -> Any:
        y, x = torch.from_numpy(labels), torch.from_numpy(embeddings).requires_grad_()

        def call() -> float:
            value = function(x, y)
            torch.autograd.grad(value, x)
            return float(value.item())

        return call

    return bind


def section(quick: bool) -> str:
    rows = [["loss", "B", *(f"ms, {name}" for name in LAYOUTS.values())]]
    rows[0] += [f"MiB, {name}" for name in LAYOUTS.values()]
    for loss in LOSSES[:1] if quick else LOSSES:
        for size in (32,) if quick else (128, 1024, 8192):
            job = {"library": "ours", "loss": loss, "size": size, "seconds": 0.1 if quick else 2}
            found = [worker(__file__, job | {"layout": layout}) for layout in LAYOUTS]
            times = [f"{one['ms']:,.2f}" for one in found]
            rows.append(
                [f"`{loss}`", f"{size:,}", *times, *(f"{one['mib']:,.0f}" for one in found)]
            )
    return table(rows)


if __name__ == "__main__":
    main(section, measure)
