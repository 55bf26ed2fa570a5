"""Export

The rate of `triplet-embed`, from the files of MNIST to an embedding file, with the untrained tower
of `mnist_semihard`. Each command runs for a tenth of the images and for all of them: the images and
seconds between the two give the rate, without start-up. `tower alone` is the tower on images in
memory, 512 at a time.

Then the memory of an export of made images of 8 x 8, a process for each format and number: before
the first batch, with TensorFlow, the tower, ids and labels, and at most.
"""

import tempfile
import time
from statistics import median

from processes import command, peak, reset_peak, worker
from sections import main, table

FORMATS = ("parquet", "npz", "h5")
AT_ONCE = 512


def measure(what: str, **job: object) -> dict[str, float]:
    return {"tower": tower_alone, "memory": memory_of}[what](**job)


def tower_alone(file: str, calls: int) -> dict[str, float]:
    """Images per second of the tower, which is written to `file`."""
    import tensorflow as tf
    from steps import made_images, set_up

    images = made_images(AT_ONCE, (28, 28, 1))
    tower = set_up(images).tower
    tower.save(file)
    embed, pixels = tf.function(lambda x: tower(x, training=False)), tf.constant(images.pixels)
    times = []
    for _ in range(calls + 1):
        begun = time.perf_counter()
        embed(pixels).numpy()
        times.append(time.perf_counter() - begun)
    return {"rate": AT_ONCE / median(times[1:])}


def memory_of(format: str, count: int) -> dict[str, float]:
    """MiB of a process before it exports `count` images, and at most."""
    from dataclasses import replace

    import numpy as np
    from steps import export, made_images, set_up

    few = made_images(8192, (8, 8, 1))
    images = replace(
        few,
        labels=np.arange(count) % 10,
        ids=[f"digits-train.tfrecord-00000-of-00001__{row}" for row in range(count)],
        try_read=lambda rows: few.try_read(rows % len(few)),
        pixels=None,
    )
    tower = set_up(few, config="digits_semihard").tower
    before = reset_peak()
    export(tower, images, format)
    return {"before": before, "peak": peak()}


def section(quick: bool) -> str:
    few, many = (500, 1000) if quick else (6000, 60_000)
    with tempfile.TemporaryDirectory() as folder:
        tower = f"{folder}/tower.keras"
        job = {"what": "tower", "file": tower, "calls": 2 if quick else 50}
        alone = worker(__file__, job)["rate"]
        rates = [["", "images/s", "rate / tower alone"]]
        rates.append(["tower alone", f"{alone:,.0f}", "1.000"])
        for format in FORMATS[:1] if quick else FORMATS:
            seconds = []
            for images in (few, many):
                what = ["--checkpoint", tower, "--dataset", "mnist", "--split", f"train[:{images}]"]
                output = ["--output", f"{folder}/{images}.{format}"]
                seconds.append(command("triplet-embed", *what, *output, "--quiet")[0])
            rate = (many - few) / (seconds[1] - seconds[0])
            rates.append([f"`{format}`", f"{rate:,.0f}", f"{rate / alone:.3f}"])
    memory = [["", "images", "MiB before", "peak MiB"]]
    for format in FORMATS[:1] if quick else FORMATS:
        for count in (1000,) if quick else (100_000, 1_000_000):
            found = worker(__file__, {"what": "memory", "format": format, "count": count})
            row = [f"`{format}`", f"{count:,}"]
            memory.append([*row, f"{found['before']:,.0f}", f"{found['peak']:,.0f}"])
    return f"{table(rates)}\n\n{table(memory)}"


if __name__ == "__main__":
    main(section, measure)
