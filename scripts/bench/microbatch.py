"""Gradient caching

The time and memory of a very large batch that the tower takes a microbatch at a time
(`train.microbatch`). Semi-hard, three convolutions without batch normalisation, images of
28 x 28 x 1 in memory, a process for each row. Memory is the peak during the steps; imports and
images were there before.
"""

import statistics
import time

from processes import peak, reset_peak, worker
from sections import main, table

CASES = [(128, None), (1024, None), (1024, 128), (8192, 128), (8192, 1024), (8192, None)]


def measure(size: int, microbatch: int | None, steps: int) -> dict[str, float]:
    import tensorflow as tf
    from steps import made_images, set_up

    training = set_up(
        made_images(20_000, (28, 28, 1)),
        "model={filters: [32, 64, 128], embedding_dim: 64}",
        f"batch={{classes: 8, per_class: {size // 8}}}",
        f"train.microbatch={microbatch or 'null'}",
    )
    data, times = training.data(), []
    before = reset_peak()
    for number in range(steps + 1):
        pixels, labels = next(data)
        begun = time.perf_counter()
        float(training.step(tf.constant(number), tf.constant(0), pixels, labels).triplets.loss)
        times.append(time.perf_counter() - begun)
    return {"seconds": statistics.median(times[1:]), "before": before, "peak": peak()}


def section(quick: bool) -> str:
    rows = [["batch", "microbatch", "s/step", "us/image", "MiB before", "peak MiB"]]
    for size, microbatch in CASES[:1] if quick else CASES:
        steps = 1 if quick else 3 if size > 1024 else 10
        found = worker(__file__, {"size": size, "microbatch": microbatch, "steps": steps})
        row = [f"{size:,}", str(microbatch or "none"), f"{found['seconds']:.3f}"]
        row.append(f"{1e6 * found['seconds'] / size:.0f}")
        rows.append([*row, f"{found['before']:,.0f}", f"{found['peak']:,.0f}"])
    return table(rows, left=0)


if __name__ == "__main__":
    main(section, measure)
