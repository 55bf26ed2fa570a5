"""Scale

What one run needs at sizes beyond this machine, from pieces that are measured here, each at several
sizes and in a process of its own. A law with the terms of the piece is fitted to them by the least
squares of relative errors. First the largest size is left out and predicted; the law that
extrapolates then has all of them. `extrapolation.py` puts the laws together.
"""

import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from extrapolation import (
    DAY,
    HOUR,
    LIMITS,
    MINUTE,
    NUMBER,
    Law,
    Laws,
    Needs,
    Point,
    Run,
    apart,
    exceeded,
    exchanged,
    fitted,
    needs,
    summed,
)
from processes import peak, reset_peak, worker
from sections import main, table

PER_FOLDER = 1000
STEPS = 2048  # whose batches are chosen
AT_ONCE = 512  # rows of a batch of an export
MIB, GIB = 2**20, 2**30
MACHINES = 8


class Piece(NamedTuple):
    """Sizes that are measured, the terms of the laws, and the size by which the largest are known.

    Attributes:
        laws: of each value that is measured.
    """

    title: str
    names: tuple[str, ...]
    sizes: list[tuple[int, ...]]
    largest: str
    laws: dict[str, tuple[str, ...]]


SEARCHED = ("1", "queries x gallery", "queries x gallery x dimensions", "gallery x dimensions")
HELD = ("1", "gallery", "gallery x dimensions", "queries x dimensions")
PIECES = {
    "start": Piece(
        "The start of a run on a table: its images, their digests, the queries, the batches, and "
        "the first batch of 128, without imports. Memory is that of the whole process.",
        ("images", "identities"),
        [
            (10_000, 1000),
            (100_000, 1000),
            (100_000, 20_000),
            (300_000, 60_000),
            (1_000_000, 1000),
            (1_000_000, 100_000),
        ],
        "images",
        dict.fromkeys(("seconds", "bytes"), ("1", "images", "identities")),
    ),
    "choice": Piece(
        "The choice of the rows of a batch of 32 x 4 from 4 images of each identity "
        "(`batch.sampling: images`): the first batch, and the mean of 2,048 further ones.",
        ("identities",),
        [(1000,), (10_000,), (100_000,), (1_000_000,)],
        "identities",
        dict.fromkeys(("first", "seconds", "bytes"), ("1", "identities")),
    ),
    "loss": Piece(
        "The part of a step that does not depend on the tower, on one device: semi-hard loss with "
        "its gradient, 4 images of each identity.",
        ("batch", "dimensions"),
        [(512, 64), (1024, 64), (1024, 512), (2048, 64), (2048, 512), (4096, 128)],
        "batch",
        {
            "seconds": ("1", "batch x batch", "batch x batch x dimensions"),
            "bytes": ("1", "batch x batch", "batch x dimensions"),
        },
    ),
    "sampled": Piece(
        "An evaluation during training with `evaluation.queries`, without embedding; 10 images of "
        "each identity. Memory is beyond what was held before, with the vectors.",
        ("queries", "gallery", "dimensions"),
        [
            (500, 20_000, 64),
            (2000, 20_000, 64),
            (1000, 50_000, 64),
            (1000, 50_000, 256),
            (500, 200_000, 64),
            (1000, 200_000, 64),
            (500, 1_000_000, 64),
        ],
        "gallery",
        {"seconds": SEARCHED, "bytes": HELD},
    ),
    "whole": Piece(
        "An evaluation with all metrics but `nmi`, which is left out of large sets. Each image "
        "searches all others, or a sample of them does, which shows what the gallery takes alone.",
        ("queries", "gallery", "dimensions", "identities"),
        [
            (10_000, 10_000, 64, 1000),
            (10_000, 10_000, 256, 1000),
            (20_000, 20_000, 64, 2000),
            (20_000, 20_000, 64, 10_000),
            (40_000, 40_000, 64, 4000),
            (200, 200_000, 64, 20_000),
            (200, 200_000, 256, 20_000),
            (200, 1_000_000, 64, 100_000),
        ],
        "gallery",
        {"seconds": (*SEARCHED, "identities"), "bytes": HELD},
    ),
    "file": Piece(
        "Writing of an embedding file in Parquet, 512 rows at a time.",
        ("rows", "dimensions"),
        [(10_000, 64), (30_000, 64), (30_000, 512), (100_000, 64), (100_000, 128)],
        "rows",
        {
            "seconds": ("1", "rows", "rows x dimensions"),
            "bytes": ("1", "rows", "rows x dimensions"),
        },
    ),
    "index": Piece(
        "The HNSW index that `triplet-search` builds for a large file. It is in memory, "
        "beside half a GiB of vectors at most that are read ahead; MiB are the index.",
        ("vectors", "dimensions"),
        [(5000, 64), (10_000, 64), (20_000, 64), (20_000, 256), (60_000, 64)],
        "vectors",
        {
            "seconds": ("vectors x log vectors", "vectors x dimensions x log vectors"),
            "bytes": ("vectors", "vectors x dimensions"),
        },
    ),
}
QUICK = {
    "start": [(1000, 20), (3000, 100)],
    "choice": [(100,), (1000,)],
    "loss": [(64, 8), (128, 16)],
    "sampled": [(50, 500, 8), (100, 1000, 8)],
    "whole": [(200, 200, 8, 20), (800, 800, 8, 80)],
    "file": [(100, 8), (1000, 8)],
    "index": [(200, 8), (1000, 8)],
}
EXCHANGES = [(128, 64), (512, 128)]  # batch and dimensions
IMAGES, IDENTITIES = (10**5, 10**6, 10**8), (10**3, 10**4, 10**5, 10**6)
BATCHES = [(128, 128), (512, 128), (2048, 128), (2048, 512), (8192, 512)]
HEADINGS = {
    "start": "start, s",
    "memory": "memory, GiB",
    "evaluation": "evaluation, s",
    "whole": "whole, h",
    "sharded": f"on {MACHINES}, h",
    "exporting": "exporting, h",
    "shared": f"on {MACHINES}, h",
    "file": "file, GiB",
    "indexing": "indexing, h",
    "index": "index, GiB",
}
INSTEAD = {
    "start": "a table of fewer images",
    "memory": "parts of the table, by identity: train on one, export them one after the other",
    "evaluation": "fewer held-out identities (`data.eval_classes: 2%`), `train.eval_every`",
    "whole": "the same; queries in shards, on several machines",
    "exporting": "`triplet-embed --shard`, or Ray",
    "indexing": "an index for each shard of the export",
    "index": "the same, on several machines; a smaller kind of index of faiss",
}


def measure(what: str, **sizes: Any) -> dict[str, float]:
    return MEASURES[what](**sizes)


def start(images: int, identities: int) -> dict[str, float]:
    import steps  # noqa: F401 - loads TensorFlow, whose time is not counted

    from triplet_train.config import load_config
    from triplet_train.data.batches import make_batches
    from triplet_train.data.pipeline import training_batches
    from triplet_train.data.source import open_source
    from triplet_train.jobs.train.held_out import hold_out
    from triplet_train.jobs.train.images import run_images

    with tempfile.TemporaryDirectory() as place:
        data = make_table(Path(place), images, identities)
        config = load_config("digits_semihard", [data, "batch={classes: 2, per_class: 64}"])
        begun = time.perf_counter()
        found = run_images(config, open_source(config.data))
        found.digests()
        batches = make_batches(config, found.training.labels)
        held_out = hold_out(config, found.evaluated)
        next(iter(training_batches(found.training, batches, 0, range(1), 1)))
        seconds = time.perf_counter() - begun
        assert held_out.all_queries + len(found.training) == images
        return {"seconds": seconds, "bytes": peak() * MIB}


def make_table(place: Path, images: int, identities: int) -> str:
    """Write a table of images; return the section `data` of a configuration.

    Folders are links to one folder, in which files are links to one photograph. A tenth of the
    identities is held out.
    """
    from PIL import Image

    Image.new("RGB", (100, 100), "grey").save(place / "photo.jpg")
    (place / "folder").mkdir()
    for name in range(min(images, PER_FOLDER)):
        (place / f"folder/{name:03d}.jpg").symlink_to(place / "photo.jpg")
    with (place / "images.csv").open("w") as file:
        file.write("path,label,split\n")
        for row in range(images):
            folder, name = divmod(row, PER_FOLDER)
            if not name:
                (place / f"{folder:06d}").symlink_to(place / "folder")
            identity = row % identities
            split = "test" if identity % 10 == 9 else "train"
            file.write(f"{folder:06d}/{name:03d}.jpg,item {identity},{split}\n")
    keys = "image_size: [32, 32], cache: disk"
    return f"data={{dataset: table, path: '{place}/images.csv', {keys}}}"


def choice(identities: int) -> dict[str, float]:
    import numpy as np

    from triplet_train.data.batches import PKBatches

    labels = np.arange(4 * identities) % identities
    before, begun = reset_peak(), time.perf_counter()
    batches = PKBatches(labels, classes=32, per_class=4, seed=0)
    batches.rows(0)
    chosen = time.perf_counter()
    for first in range(1, STEPS, 16):  # as many as the pipeline takes together
        batches.rows_of(range(first, first + 16))
    seconds = (time.perf_counter() - chosen) / STEPS
    return {"first": chosen - begun, "seconds": seconds, "bytes": (peak() - before) * MIB}


def loss(batch: int, dimensions: int) -> dict[str, float]:
    import numpy as np
    from libraries import tensorflow_loss, tensorflow_with_threads

    tf = tensorflow_with_threads()
    function = tensorflow_loss("ours", "semi_hard")
    signature = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, dimensions], tf.float32)

    @tf.function(input_signature=signature)
    def value_and_gradient(labels: Any, embeddings: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = function(labels, embeddings, margin=1.0, distance_metric="L2")
        return value, tape.gradient(value, embeddings)

    def call(count: int) -> Callable[[], float]:
        vectors, labels = unit_vectors(count, dimensions, count // 4)
        y, x = tf.constant(labels.astype(np.int32)), tf.constant(vectors)
        return lambda: float(value_and_gradient(y, x)[0])

    call(16)()
    large = call(batch)
    before = reset_peak()
    return {"seconds": shortest(large), "bytes": (peak() - before) * MIB}


def exchange(batch: int, dimensions: int) -> dict[str, float]:
    """Numbers that a step sums up over two replicas, and the formula for them."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from steps import TWO_CONVOLUTIONS

    from triplet_train.config import load_config
    from triplet_train.losses.mining.strategy import make_strategy
    from triplet_train.models.tower import build_tower
    from triplet_train.training.devices import choose_devices
    from triplet_train.training.optimizers import make_optimizer
    from triplet_train.training.step import make_step

    settings = ["train.devices=mirrored", TWO_CONVOLUTIONS, f"model.embedding_dim={dimensions}"]
    settings.append(f"batch={{classes: 8, per_class: {batch // 8}}}")
    config = load_config("mnist_semihard", settings)
    devices = choose_devices(config)
    with devices.distribution.scope():
        tower = build_tower(config.model, (28, 28, 1), "float32", synchronized=True)
        optimizer = make_optimizer(config.optimizer, 10, "float32")
        optimizer.build(tower.trainable_variables)
    step = make_step(tower, optimizer, make_strategy(config.loss), devices, seed=0)
    counted = [0]
    all_reduce = tf.distribute.ReplicaContext.all_reduce

    def counting(self: Any, operation: Any, value: Any, *arguments: Any, **named: Any) -> Any:
        counted[0] += sum(int(part.shape.num_elements()) for part in tf.nest.flatten(value))
        return all_reduce(self, operation, value, *arguments, **named)

    tf.distribute.ReplicaContext.all_reduce = counting
    share = tf.zeros([batch // devices.replicas, 28, 28, 1], tf.uint8)
    labels = tf.range(batch, dtype=tf.int64) // 16
    step.get_concrete_function(tf.constant(1), tf.constant(0), share, labels)
    weights = tower.count_params()
    run = Run(1, 1, dimensions=dimensions, batch=batch, weights=weights)
    return {"weights": weights, "counted": counted[0] / devices.replicas, "formula": summed(run)}


def sampled(queries: int, gallery: int, dimensions: int) -> dict[str, float]:
    from triplet_train.evaluation import make_examples, with_sampled_queries
    from triplet_train.evaluation.vectors import retrieval_metrics

    def evaluation(most: int, count: int) -> Callable[[], object]:
        examples = make_examples(*unit_vectors(count, dimensions, count // 10))
        return lambda: retrieval_metrics(with_sampled_queries(examples, most, 0))

    evaluation(10, 100)()  # imports
    return search(evaluation(queries, gallery), gallery, dimensions)


def whole(queries: int, gallery: int, dimensions: int, identities: int) -> dict[str, float]:
    from triplet_train.evaluation import make_examples, vectors, with_sampled_queries

    vectors.takes_minutes = lambda *_: True  # leaves nmi out, as for large sets

    def evaluation(most: int, count: int, classes: int) -> Callable[[], object]:
        examples = make_examples(*unit_vectors(count, dimensions, classes))
        return lambda: vectors.evaluate(with_sampled_queries(examples, most, 0))

    evaluation(100, 100, 10)()  # imports
    return search(evaluation(queries, gallery, identities), gallery, dimensions)


def search(evaluate: Callable[[], object], gallery: int, dimensions: int) -> dict[str, float]:
    before = reset_peak()
    seconds = shortest(evaluate)
    return {"seconds": seconds, "bytes": (peak() - before) * MIB + NUMBER * gallery * dimensions}


def file(rows: int, dimensions: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x.parquet"
        write(path, 100, 8)  # imports
        seconds = write(path, rows, dimensions)
        return {"seconds": seconds, "bytes": path.stat().st_size}


def write(path: Path, rows: int, dimensions: int) -> float:
    """Seconds to write an embedding file, a batch of rows at a time, as an export does."""
    from triplet_train.embeddings.files import writing
    from triplet_train.embeddings.table import EmbeddingTable

    vectors, labels = unit_vectors(rows, dimensions, rows // 10)
    begun = time.perf_counter()
    with writing(path, "parquet", dimensions, {}) as append:
        for first in range(0, rows, AT_ONCE):
            part = slice(first, first + AT_ONCE)
            numbers = range(rows)[part]
            names = [f"item {label}" for label in labels[part]]
            ids = [f"{number // PER_FOLDER:06d}/{number:09d}.jpg" for number in numbers]
            append(EmbeddingTable(vectors[part], labels[part], names, ids, {}))
    return time.perf_counter() - begun


def index(vectors: int, dimensions: int) -> dict[str, float]:
    from triplet_train.embeddings.files import scan_table
    from triplet_train.embeddings.hnsw import build_index

    with tempfile.TemporaryDirectory() as place:

        def built(name: str, *sizes: int) -> float:
            path = Path(place) / f"{name}.parquet"
            write(path, *sizes)
            scan, begun = scan_table(path), time.perf_counter()
            build_index(Path(place) / name, scan, lambda stage, rows: None)
            return time.perf_counter() - begun

        built("small", 500, 8)  # imports
        seconds = built("large", vectors, dimensions)
        files = (Path(place) / "large").iterdir()
        return {"seconds": seconds, "bytes": sum(file.stat().st_size for file in files)}


def unit_vectors(count: int, dimensions: int, classes: int) -> tuple[Any, Any]:
    """Noise of length one float32 [count, dimensions], and classes int64 [count]."""
    import numpy as np

    vectors = np.random.default_rng(0).standard_normal((count, dimensions), np.float32)
    vectors /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, np.newaxis]
    return vectors, np.arange(count) % classes


def shortest(call: Callable[[], object], enough: float = 1.0) -> float:
    """Shortest seconds of calls that take a second together."""
    times: list[float] = []
    while sum(times) < enough:
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return min(times)


MEASURES: dict[str, Callable[..., dict[str, float]]] = {
    each.__name__: each for each in (start, choice, loss, exchange, sampled, whole, file, index)
}


def section(quick: bool) -> str:
    parts, found = [], {}
    for name, piece in PIECES.items():
        sizes = [dict(zip(piece.names, each, strict=True)) for each in of(name, quick)]
        values = [worker(__file__, {"what": name, **each}) for each in sizes]
        points = {
            key: [(each, value[key]) for each, value in zip(sizes, values, strict=True)]
            for key in piece.laws
        }
        found[name] = {key: fitted(terms, points[key]) for key, terms in piece.laws.items()}
        parts += [f"### `{name}`", prose(piece.title), measured(piece, points)]
    laws = laws_of(found)
    parts += ["### `exchange`", *exchanges(quick)]
    parts += ["### Laws", *shown(found)]
    parts += ["### A run", *runs(laws)]
    parts += ["### A step", *a_step(laws)]
    return "\n\n".join(parts)


def of(name: str, quick: bool) -> Sequence[tuple[int, ...]]:
    return QUICK[name] if quick else PIECES[name].sizes


def laws_of(found: dict[str, dict[str, Law]]) -> Laws:
    return Laws(
        start=found["start"]["seconds"],
        start_memory=found["start"]["bytes"],
        choice=found["choice"]["seconds"],
        loss=found["loss"]["seconds"],
        loss_memory=found["loss"]["bytes"],
        sampled=found["sampled"]["seconds"],
        sampled_memory=found["sampled"]["bytes"],
        whole=found["whole"]["seconds"],
        whole_memory=found["whole"]["bytes"],
        writing=found["file"]["seconds"],
        file=found["file"]["bytes"],
        indexing=found["index"]["seconds"],
        index=found["index"]["bytes"],
    )


def measured(piece: Piece, points: dict[str, list[Point]]) -> str:
    """Table of a piece: what was measured, and the prediction of the largest without them."""
    predicted: dict[str, Law] = {}
    for key, terms in piece.laws.items():
        below, _ = apart(points[key], piece.largest)
        predicted[key] = fitted(terms, below)
    heading = list(piece.names)
    for key in piece.laws:
        heading += [unit(key), "predicted / measured"]
    rows = [heading]
    most = max(sizes[piece.largest] for sizes, _ in next(iter(points.values())))
    for place, (sizes, _) in enumerate(next(iter(points.values()))):
        row = [f"{value:,}" for value in sizes.values()]
        for key, law in predicted.items():
            value = points[key][place][1]
            ratio = law.at(sizes) / value
            row += [scaled(key, value), f"{ratio:.2f}" if sizes[piece.largest] == most else ""]
        rows.append(row)
    return table(rows, left=0)


def unit(key: str) -> str:
    return {"bytes": "MiB", "seconds": "s", "first": "first, s"}[key]


def scaled(key: str, value: float) -> str:
    return f"{value / MIB:,.1f}" if key == "bytes" else f"{value:.3g}"


def shown(found: dict[str, dict[str, Law]]) -> Iterator[str]:
    yield "Seconds and bytes; terms whose coefficient is 0 are left out."
    rows = [["piece", "", "law"]]
    for name, laws in found.items():
        for key, law in laws.items():
            terms = (
                f"{each:.3g}" if term == "1" else f"{each:.3g} x {term}"
                for term, each in law.terms.items()
                if each
            )
            rows.append([f"`{name}`", "bytes" if key == "bytes" else unit(key), " + ".join(terms)])
    yield table(rows, left=3)


def exchanges(quick: bool) -> Iterator[str]:
    yield prose(
        "Numbers (float32) that a replica gives to sums over all replicas in a step: counted in a "
        "step of two replicas, with two convolutions, and by the formula B x D + 2 x weights + 1. "
        "The embeddings are gathered on the way forward. Nothing of them comes back, since each "
        "replica computes the loss of the whole batch. The gradients of the weights are summed "
        "twice: for their norm, and by Keras."
    )
    rows = [["B", "D", "weights", "counted", "formula"]]
    for batch, dimensions in EXCHANGES[:1] if quick else EXCHANGES:
        job = {"what": "exchange", "batch": batch, "dimensions": dimensions}
        counts = worker(__file__, job)
        rows.append([f"{value:,.0f}" for value in (batch, dimensions, *counts.values())])
    yield table(rows, left=0)


def runs(laws: Laws) -> Iterator[str]:
    """Table of whole runs, and what to use past their limits."""
    like, most = Run(1, 1), LIMITS
    yield prose(
        f"By the laws above: a table of images of which {like.held_out:.0%} are held out, "
        f"{like.dimensions} dimensions, batches of {like.batch}, `evaluation.queries: "
        f"{like.queries}`, and machines like this one, each with a tower that reads and embeds "
        f"{like.embedded:,} images in a second. Memory is without images that are held in memory. "
        "An evaluation embeds the held-out images and searches them with the queries; that at the "
        f"end searches with all of them. {MACHINES} machines share the queries, where these are "
        "evaluated in shards, and the export; each lists the whole table. The file and the index "
        "are of all images. A dash means that an identity has fewer than two images."
    )
    yield prose(
        f"A run stops where it needs more than {most.start / HOUR:g} h to start, "
        f"{most.memory / GIB:g} GiB, {most.evaluation / MINUTE:g} minutes for an evaluation during "
        f"training, {most.whole / DAY:g} day for the one at the end, for the export or for the "
        f"index, or {most.index / GIB:g} GiB for the latter. These cells are bold, and the last "
        "column has the first of them in the order of a run."
    )
    heading = ["images", "identities", *HEADINGS.values(), "stops first at"]
    rows = [heading]
    for images in IMAGES:
        for identities in IDENTITIES:
            row = [power(images), power(identities)]
            if images < 2 * identities:
                rows.append([*row, *["-"] * (len(heading) - 2)])
                continue
            one = needs(Run(images, identities), laws)
            more = needs(Run(images, identities, machines=MACHINES), laws)
            past = exceeded(one)
            texts = cells(one, more)
            marked = (f"**{text}**" if key in past else text for key, text in texts.items())
            rows.append([*row, *marked, past[0] if past else "nothing"])
    yield table(rows, left=2)
    yield table([["stops at", "use instead"], *map(list, INSTEAD.items())], left=2)


def cells(one: Needs, more: Needs) -> dict[str, str]:
    """Texts of the columns of `HEADINGS`, of one machine and of several."""
    hours = {
        "whole": one.whole,
        "sharded": more.sharded,
        "exporting": one.exporting,
        "shared": more.exporting,
    }
    return {
        "start": f"{one.start:,.0f}",
        "memory": f"{one.memory / GIB:,.1f}",
        "evaluation": f"{one.evaluation:,.0f}",
        **{key: f"{seconds / HOUR:,.2f}" for key, seconds in hours.items()},
        "file": f"{one.file / GIB:,.2f}",
        "indexing": f"{one.indexing / HOUR:,.2f}",
        "index": f"{one.index / GIB:,.1f}",
    }


def a_step(laws: Laws) -> Iterator[str]:
    like = Run(1, 10**6)
    yield prose(
        "The part of a step beside the tower, on each machine: the loss of the whole batch, its "
        f"memory, the choice of the batch from {power(10**6)} identities, and on {MACHINES} "
        f"machines what each sends and receives for a tower of {like.weights / 1e6:g} million "
        f"weights, of which the last column is for embeddings, and the time that takes at "
        f"{8 * like.network / 1e9:g} Gbit/s."
    )
    rows = [["B", "D", "loss, ms", "MiB", "choice, ms", "sent, MiB", "ms", "embeddings, MiB"]]
    for batch, dimensions in BATCHES:
        run = Run(1, 10**6, batch=batch, dimensions=dimensions, machines=MACHINES)
        alone = Run(1, 10**6, batch=batch, dimensions=dimensions, machines=MACHINES, weights=0)
        sizes = {"batch": batch, "dimensions": dimensions, "identities": 10**6}
        rows.append(
            [
                f"{batch:,}",
                f"{dimensions}",
                f"{1e3 * laws.loss.at(sizes):,.1f}",
                f"{laws.loss_memory.at(sizes) / MIB:,.0f}",
                f"{1e3 * laws.choice.at(sizes):.2f}",
                f"{exchanged(run) / MIB:,.0f}",
                f"{1e3 * exchanged(run) / run.network:,.0f}",
                f"{exchanged(alone) / MIB:,.1f}",
            ]
        )
    yield table(rows, left=0)


def prose(text: str) -> str:
    return textwrap.fill(text, 100, break_on_hyphens=False)


def power(number: int) -> str:
    return f"10^{len(str(number)) - 1}"


if __name__ == "__main__":
    main(section, measure)
