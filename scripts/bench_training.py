"""Whole trainings beside tensorflow_addons and pytorch-metric-learning: rate, memory, recall@1.

    python scripts/bench_training.py --data-dir ~/tensorflow_datasets --output training.md \\
        --results training.json --plot training.png
    python scripts/bench_training.py --read training.json --plot training.png

The same for all: MNIST, from one file that is written first; the tower (scaling, two 3x3
convolutions of 32 and 64 with ReLU and 2x2 max pooling, dense 64, unit length) and how its weights
begin; Adam at 1e-3; semi-hard triplets by Euclidean distance, margin --margin; two CPU threads.
What differs is what users of each get:

- ours: the loop of triplet-train with its log, checks and checkpoints; 8 classes in a batch.
- TFA: the pipeline of its tutorial, shuffle(1024).batch(B).map(scale), and model.fit, silent.
- PML: MPerClassSampler, 8 classes in a batch, a DataLoader over tensors in memory, without the
  torchvision transforms that would slow it down; TripletMarginMiner of type semihard, whose
  triplets are all negatives within the margin and not only the nearest.

bfloat16 is Keras's mixed_bfloat16, and torch.autocast around the tower.

A rate is the median of the windows of a process, without the first, which compiles. There is a
process for each contender, batch size and round, so that a slow minute of the machine spoils none
of them alone; ratios are between processes of one round. Recall@1 on the 10,000 test images is
judged by one function for all, off the clock, as are imports and reading the data; compiling is on
it, and so are our checkpoints. Memory is the peak of the process, and how far that lies beyond what
libraries and images had taken before the first step.

The other libraries get virtual environments as in bench_losses.py. Needs Linux and a machine with
nothing else to do, for about 20 minutes with 2 cores.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contenders import (
    THREADS,
    WORKER_ENVIRONMENT,
    machine,
    make_environment,
    memory_in_kib,
    package_versions,
    reset_peak_memory,
)

CLASSES, LEARNING_RATE, WIDTHS, DIMENSIONS = 8, 1e-3, (32, 64), 64
EMBEDDED_AT_ONCE, SEARCHED_AT_ONCE = 500, 1000
CONTENDERS = {
    "ours": "ours",
    "ours_bf16": "ours, bfloat16",
    "tfa": "TFA",
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
    def library(self) -> str:
        return self.contender.removesuffix("_bf16")

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


# The worker: runs in the environment of its library and imports no other.


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

    prepare = {"ours": prepare_ours, "tfa": prepare_tfa, "pml": prepare_pml}[job.library]
    train = prepare(job, data["train_images"], data["train_labels"])
    before = reset_peak_memory()
    begun = time.perf_counter()
    train(pause)
    peak = memory_in_kib("VmHWM")
    packages = package_versions(job.library)
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
        "mnist", "train", images.shape[1:], labels, ids, names, lambda rows: images[rows], None
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


def write_images(file: Path, data_dir: str | None) -> None:
    """MNIST's two splits, decoded."""
    import numpy as np

    from triplet_train.config import DataConfig
    from triplet_train.data.sources import open_source

    source = open_source(DataConfig(dataset="mnist", data_dir=data_dir))
    arrays = {}
    for split in ("train", "test"):
        table = source.table(split, quiet=True)
        arrays[f"{split}_images"] = np.concatenate([some.images for some in table.batches(1000)])
        arrays[f"{split}_labels"] = table.labels
    np.savez(file, **arrays)


# The parent: processes, tables, the plot.


def run_job(job: Job, interpreter: str, images: Path) -> Result:
    done = subprocess.run(
        [interpreter, __file__, "--worker", json.dumps(asdict(job)), "--images", images],
        capture_output=True,
        text=True,
        env=os.environ | WORKER_ENVIRONMENT,
    )
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr}")
    result = read_result(json.loads(done.stdout.splitlines()[-1]))
    found = f"{result.rate:,.0f} images/s" if job.target is None else f"{result.reached} s"
    print(f"{job.contender}, B = {job.size}, seed {job.seed}: {found}", file=sys.stderr)
    return result


def read_result(fields: dict[str, Any]) -> Result:
    return Result(**fields | {"job": Job(**fields["job"])})


def all_jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Contenders innermost, so that a slow minute of the machine meets all of them."""
    same = {"windows": options.windows, "margin": options.margin}
    for seed in range(options.rounds):
        for size in options.sizes:
            steps = max(options.window // size, 1)
            for name in options.contenders:
                yield Job(name, size, seed, steps, None, limit=options.rate_limit, **same)
    size, steps, target = options.curve_size, options.eval_every, options.target
    for seed in range(options.curves):
        for name in options.contenders:
            yield Job(name, size, seed, steps, target, limit=options.curve_limit, **same)


def run_all(options: argparse.Namespace) -> dict[str, Any]:
    """What --results holds."""
    jobs = list(all_jobs(options))
    interpreters = {
        library: make_environment(library, options.envs, options.env_python)
        for library in dict.fromkeys(job.library for job in jobs)
    }
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "mnist.npz"
        export = [sys.executable, __file__, "--export", "--images", images]
        export += ["--data-dir", options.data_dir] if options.data_dir else []
        subprocess.run(export, check=True, env=os.environ | WORKER_ENVIRONMENT)
        results = [run_job(job, interpreters[job.library], images) for job in jobs]
    facts = [machine(), f"Python {platform.python_version()}"]
    facts += dict.fromkeys(result.packages for result in results)
    facts += [f"commit {commit()}", datetime.date.today().isoformat()]
    command = shlex.join(["python", *sys.argv])
    return {"command": command, "facts": facts, "results": [asdict(one) for one in results]}


def commit() -> str:
    """Of this checkout, and whether files of it have changed since."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or "unknown"


Rates = dict[tuple[str, int], dict[int, Result]]


def page(found: dict[str, Any], results: list[Result]) -> str:
    rates: Rates = {}
    for result in results:
        if result.job.target is None:
            cell = rates.setdefault((result.job.contender, result.job.size), {})
            cell[result.job.seed] = result
    curves = [result for result in results if result.job.target is not None]
    parts = [f"    {found['command']}", "; ".join(found["facts"])]
    for size in dict.fromkeys(size for _, size in rates):
        parts += [f"### Images per second, B = {size}", rate_table(rates, size)]
    if curves:
        target = curves[0].job.target
        parts += [f"### Seconds to recall@1 {target:g}", curve_table(curves)]
    return "\n\n".join(parts) + "\n"


def rate_table(rates: Rates, size: int) -> str:
    """Medians of the rounds; the ratios of ours to the others, of one round each."""
    cells = {name: cell for (name, of), cell in rates.items() if of == size}
    ours = [name for name in cells if name.startswith("ours")]
    header = ["", "images/s", *(f"{CONTENDERS[name]} / it" for name in ours)]
    rows = [[*header, "peak MiB", "of that training"]]
    for name, cell in cells.items():
        row = [CONTENDERS[name], f"{median(one.rate for one in cell.values()):,.0f}"]
        for own in ours:
            ratios = [cells[own][seed].rate / one.rate for seed, one in cell.items()]
            row.append(f"{median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})")
        row.append(f"{median(one.peak for one in cell.values()):,.0f}")
        row.append(f"{median(one.extra for one in cell.values()):,.0f}")
        rows.append(row)
    return markdown(rows)


def curve_table(curves: list[Result]) -> str:
    rows = [["", "seconds", "of each run", "recall@1 at the end", "peak MiB"]]
    for name, runs in by_contender(curves).items():
        reached = [run.reached for run in runs]
        known = [seconds for seconds in reached if seconds is not None]
        rows.append(
            [
                CONTENDERS[name],
                f"{median(known):.1f}" if len(known) == len(runs) else "not by all",
                ", ".join("-" if at is None else f"{at:.1f}" for at in reached),
                ", ".join(f"{run.recalls[-1]:.4f}" for run in runs),
                f"{median(run.peak for run in runs):,.0f}",
            ]
        )
    return markdown(rows)


def by_contender(results: list[Result]) -> dict[str, list[Result]]:
    names = dict.fromkeys(result.job.contender for result in results)
    return {name: [one for one in results if one.job.contender == name] for name in names}


def median(values: Any) -> float:
    return statistics.median(values)


def markdown(rows: list[list[str]]) -> str:
    rows = [rows[0], ["---"] + ["---:"] * (len(rows[0]) - 1), *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def draw(results: list[Result], file: Path) -> None:
    """Recall@1 against seconds: of each contender the median run, and the others faintly."""
    from matplotlib.figure import Figure

    from triplet_train.report.style import BLUE, ORANGE, plot_style, png

    colors = {"ours": BLUE, "tfa": ORANGE, "pml": "#009e73"}
    curves = by_contender([result for result in results if result.job.target is not None])
    with plot_style():
        figure = Figure(figsize=(6.5, 4.2))
        axes = figure.add_subplot()
        for runs in curves.values():
            *others, middle = middle_last(runs)
            look = {"color": colors[middle.job.library], "ls": "--" if middle.job.bfloat16 else "-"}
            for run in others:
                axes.plot(*zip(*run.curve, strict=True), lw=0.8, alpha=0.4, **look)
            axes.plot(*zip(*middle.curve, strict=True), lw=1.8, **look)
        shown = [middle_last(runs)[-1] for runs in curves.values()]
        label_ends(axes, shown, colors)
        job = shown[0].job
        axes.axhline(job.target, color="black", lw=0.8, ls=":")
        axes.set(xlim=0, ylim=(job.target - 0.03, 1.0), xlabel="seconds of training")
        axes.set_title(f"Recall@1 on MNIST's test images, B = {job.size}", loc="left")
        file.write_bytes(png(figure))


def middle_last(runs: list[Result]) -> list[Result]:
    """Sorted by the time to the target, but the median one at the end."""
    runs = sorted(runs, key=lambda run: run.reached or run.job.limit)
    runs.append(runs.pop(len(runs) // 2))
    return runs


def label_ends(axes: Any, runs: list[Result], colors: dict[str, str]) -> None:
    """Names above the ends of the curves, each a line higher than those it would meet."""
    width = 0.22 * max(run.curve[-1][0] for run in runs)  # of a name
    lines: list[tuple[float, int]] = []
    for run in sorted(runs, key=lambda run: run.curve[-1][0]):
        end, color = run.curve[-1], colors[run.job.library]
        line = max((line + 1 for at, line in lines if at > end[0] - width), default=0)
        lines.append((end[0], line))
        axes.annotate(
            CONTENDERS[run.job.contender],
            end,
            (end[0], run.job.target + 0.0023 + 0.0017 * line),
            ha="right",
            color=color,
            arrowprops={"arrowstyle": "-", "color": color, "lw": 0.6, "relpos": (1, 0)},
        )
        axes.plot(*end, "o", ms=5, color=color)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data-dir", help="TFDS folder that holds MNIST; default: TFDS's own")
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    add("--sizes", type=int, nargs="+", default=[128, 512], help="batch sizes of the rates")
    add("--rounds", type=int, default=3, help="processes for each rate")
    add("--window", type=int, default=5120, help="images in a window")
    add("--windows", type=int, default=4, help="of a process, after the first")
    add("--curves", type=int, default=3, help="runs of each contender, with seeds 0, 1, ...")
    add("--curve-size", type=int, default=128, help="batch size of these")
    add("--eval-every", type=int, default=50, help="steps between two points of a curve")
    add("--target", type=float, default=0.99, help="recall@1 that ends a curve")
    add("--rate-limit", type=float, default=20.0, help="seconds after which windows are cut short")
    add("--curve-limit", type=float, default=90.0, help="seconds of training that end a curve too")
    add("--margin", type=float, default=0.5)
    add("--envs", type=Path, default=Path("build/bench-envs"), help="virtual environments")
    add("--env-python", default=sys.executable, help="interpreter to make them with, 3.10 or 3.11")
    add("--output", type=Path, help="Markdown file to write")
    add("--results", type=Path, help="JSON file to write, with every window and curve")
    add("--plot", type=Path, help="PNG file to write")
    add("--read", type=Path, help="a file of --results to take instead of measuring")
    add("--worker", type=json.loads, help=argparse.SUPPRESS)
    add("--export", action="store_true", help=argparse.SUPPRESS)
    add("--images", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    if options.export:
        write_images(options.images, options.data_dir)
        return
    if options.worker:
        print(json.dumps(asdict(work(Job(**options.worker), options.images))))
        return
    found = json.loads(options.read.read_text()) if options.read else run_all(options)
    if options.results:
        options.results.write_text(json.dumps(found, indent=1) + "\n")
    results = [read_result(fields) for fields in found["results"]]
    text = page(found, results)
    print(text)
    if options.output:
        options.output.write_text(text)
    if options.plot:
        draw(results, options.plot)


if __name__ == "__main__":
    main()
