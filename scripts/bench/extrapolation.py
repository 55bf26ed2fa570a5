"""The needs of a run at sizes that were not measured, from laws that fit those that were.

Times are in seconds, memory and files in bytes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Sizes = Mapping[str, float]
Point = tuple[Sizes, float]  # sizes, and what was measured there

MINUTE, HOUR, DAY = 60, 3600, 86_400
NUMBER = 4  # bytes of a float32


@dataclass(frozen=True)
class Law:
    """Sum of terms: each a coefficient times a product of sizes.

    Attributes:
        terms: product, such as `queries x gallery` or `vectors x log vectors`, -> coefficient; `1`
            is the constant.
    """

    terms: Mapping[str, float]

    def at(self, sizes: Sizes) -> float:
        return sum(each * product(term, sizes) for term, each in self.terms.items())


def product(term: str, sizes: Sizes) -> float:
    """Value of a term.

    >>> product("queries x gallery", {"queries": 3, "gallery": 5}), product("1", {})
    (15.0, 1.0)
    >>> product("vectors x log vectors", {"vectors": 8})
    24.0
    """
    factors = term.split(" x ")
    logs = {f"log {name}": math.log2(sizes[name]) for name in sizes if f"log {name}" in factors}
    return float(math.prod(({"1": 1} | dict(sizes) | logs)[name] for name in factors))


def fitted(terms: Sequence[str], points: Sequence[Point]) -> Law:
    """Law with these terms and the least squares of relative errors; none is negative."""
    from scipy.optimize import nnls

    shares = np.array([[product(term, sizes) / value for term in terms] for sizes, value in points])
    scales = shares.max(axis=0)
    found, _ = nnls(shares / scales, np.ones(len(points)))
    return Law(dict(zip(terms, (found / scales).tolist(), strict=True)))


def apart(points: Sequence[Point], by: str) -> tuple[list[Point], list[Point]]:
    """Split points into those below the largest size `by`, and those at it."""
    largest = max(sizes[by] for sizes, _ in points)
    below = [point for point in points if point[0][by] < largest]
    return below, [point for point in points if point[0][by] == largest]


class Laws(NamedTuple):
    """Measured pieces of a run.

    Attributes:
        start, start_memory: of a process until its first batch; of images, identities.
        choice: of a batch; of identities.
        loss, loss_memory: of a step; of batch, dimensions.
        sampled, sampled_memory: a search during training; of queries, gallery, dimensions.
        whole, whole_memory: the evaluation of all images; of these and identities.
        writing, file: of an embedding file; of rows, dimensions.
        indexing, index: of an HNSW index, with its memory; of vectors, dimensions.
    """

    start: Law
    start_memory: Law
    choice: Law
    loss: Law
    loss_memory: Law
    sampled: Law
    sampled_memory: Law
    whole: Law
    whole_memory: Law
    writing: Law
    file: Law
    indexing: Law
    index: Law


@dataclass(frozen=True)
class Run:
    """Sizes of a run, and the rates that its machines have.

    Attributes:
        images, identities: in the table of images.
        held_out: share of the images that are evaluated, and of the identities.
        dimensions: D.
        batch: B, images of a step in all.
        weights: trained numbers of the tower.
        queries: `evaluation.queries`.
        machines: with one replica each.
        embedded: images that a machine reads and embeds in a second.
        network: bytes that a machine sends in a second, and receives.
    """

    images: float
    identities: float
    held_out: float = 0.1
    dimensions: int = 128
    batch: int = 512
    weights: float = 25e6
    queries: int = 5000
    machines: int = 1
    embedded: float = 1000
    network: float = 1.25e9


@dataclass(frozen=True)
class Needs:
    """Needs of a run; memory is that of the process that evaluates, with TensorFlow.

    Attributes:
        start: seconds until the first batch.
        memory: with the larger of its two kinds of evaluation, without images held in memory.
        step: seconds of a step beside its tower: choice, loss, exchange.
        exchanged: bytes that a machine sends in a step, and receives.
        evaluation: seconds of one during training, in which the gallery is embedded.
        whole: seconds to embed and evaluate all held-out images at the end.
        sharded: the same with images and queries divided among the machines.
        exporting: seconds to write the embeddings of all images, divided among the machines.
        file: bytes of these embeddings.
        indexing: seconds to build an index of them.
        index: bytes of memory for that.
    """

    start: float
    memory: float
    step: float
    exchanged: float
    evaluation: float
    whole: float
    sharded: float
    exporting: float
    file: float
    indexing: float
    index: float


def needs(run: Run, laws: Laws) -> Needs:
    """Needs of a run by the laws.

    Each machine lists the whole table and computes the loss of the whole batch. The first one
    evaluates. A machine exports a shard.
    """
    gallery = run.held_out * run.images
    sizes = {
        "images": run.images,
        "identities": run.identities,
        "batch": run.batch,
        "dimensions": run.dimensions,
    }
    held_out = sizes | {"identities": run.held_out * run.identities, "gallery": gallery}
    sampled = held_out | {"queries": min(run.queries, gallery)}
    whole = held_out | {"queries": gallery}
    shard = held_out | {"queries": gallery / run.machines}
    evaluating = max(laws.sampled_memory.at(sampled), laws.whole_memory.at(whole))
    exchange = exchanged(run)
    embedding, start = gallery / run.embedded, laws.start.at(sizes)
    rows = sizes | {"rows": run.images / run.machines}
    return Needs(
        start=start,
        memory=laws.start_memory.at(sizes) + laws.loss_memory.at(sizes) + evaluating,
        step=laws.choice.at(sizes) + laws.loss.at(sizes) + exchange / run.network,
        exchanged=exchange,
        evaluation=embedding + laws.sampled.at(sampled),
        whole=embedding + laws.whole.at(whole),
        sharded=embedding / run.machines + laws.whole.at(shard),
        exporting=start + rows["rows"] / run.embedded + laws.writing.at(rows),
        file=laws.file.at(sizes | {"rows": run.images}),
        indexing=laws.indexing.at(sizes | {"vectors": run.images}),
        index=laws.index.at(sizes | {"vectors": run.images}),
    )


def summed(run: Run) -> float:
    """Numbers that all replicas sum up in a step, without those of batch normalisation.

    The embeddings of the batch, B x D, go forward. Nothing of them comes back, since each replica
    has the gradient of the whole batch. The gradient of the weights is summed by the step, which
    needs its norm, and again by Keras. The last number asks to stop.
    """
    return run.batch * run.dimensions + 2 * run.weights + 1


def exchanged(run: Run) -> float:
    """Bytes that a machine sends in a step, and receives, with sums that go around a ring."""
    return 2 * (run.machines - 1) / run.machines * NUMBER * summed(run)


class Limits(NamedTuple):
    """Most that a run should take; in the order in which a run meets them."""

    start: float = HOUR
    memory: float = 64 * 2**30
    evaluation: float = 10 * MINUTE
    whole: float = DAY
    exporting: float = DAY
    indexing: float = DAY
    index: float = 64 * 2**30


LIMITS = Limits()


def exceeded(of: Needs, limits: Limits = LIMITS) -> list[str]:
    """Names of the needs that exceed their limits, in the order in which a run meets them."""
    most = limits._asdict()
    return [name for name in most if getattr(of, name) > most[name]]
