"""Export

The rate and memory of `triplet-embed`, from the files of MNIST to an embedding file, with the
untrained tower of `mnist_semihard`. Each command runs for a tenth of the images and for all of
them: the images and seconds between the two give the rate, without start-up. `tower alone` is the
tower on images in memory, 512 at a time. Needs MNIST.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from processes import command, worker
from sections import main, table

FORMATS = {"parquet": "x.parquet", "npz": "x.npz", "h5": "x.h5", "projector": "x"}
AT_ONCE = 512


def measure(file: str, calls: int) -> dict[str, float]:
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


def section(quick: bool) -> str:
    few, many = (500, 1000) if quick else (6000, 60_000)
    with tempfile.TemporaryDirectory() as folder:
        tower = f"{folder}/tower.keras"
        alone = worker(__file__, {"file": tower, "calls": 2 if quick else 50})["rate"]
        rows = [["", "images/s", "rate / tower alone", f"peak MiB, {few:,} images", f"{many:,}"]]
        rows.append(["tower alone", f"{alone:,.0f}", "1.000", "", ""])
        for format, name in list(FORMATS.items())[: 1 if quick else None]:
            taken = []
            for images in (few, many):
                what = ["--checkpoint", tower, "--dataset", "mnist", "--split", f"train[:{images}]"]
                output = ["--output", Path(folder) / f"{images}-{name}", "--format", format]
                taken.append(command("triplet-embed", *what, *output, "--quiet"))
            (before, less), (after, most) = taken
            rate = (many - few) / (after - before)
            row = [f"`{format}`", f"{rate:,.0f}", f"{rate / alone:.3f}"]
            rows.append([*row, f"{less:,.0f}", f"{most:,.0f}"])
    return table(rows)


if __name__ == "__main__":
    main(section, measure)
