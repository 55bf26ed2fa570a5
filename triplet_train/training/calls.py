"""Division of a run into calls: of one step each, or of the steps of about a tenth of a second."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from triplet_train.data.batches import PKBatches
from triplet_train.data.images import ImageTable
from triplet_train.data.pipeline import training_batches
from triplet_train.data.reading_ahead import read_ahead
from triplet_train.files import first_line
from triplet_train.training.context import Context
from triplet_train.training.devices import NOT_COMPILED, gpu_memory
from triplet_train.training.step import COLUMNS, Step, StepMetrics, packed, unpacked

# The numbers of some steps, from 1, and a function of `stopping` that makes these steps.
Call = tuple[range, Callable[[bool], StepMetrics]]

_SECONDS = 0.1  # per call: the share of Python is small, and signals are noticed soon
_MOST = 256  # steps per call
_SHARE = 0.25  # of a GPU's memory, for the training images
_FED = 2**26  # bytes of images that are copied to the device for a call


def make_calls(
    context: Context,
    make: Callable[[bool], Step],
    images: ImageTable,
    batches: PKBatches,
    steps: range,
    end: Callable[[int], int],
    say: Callable[[str], object],
) -> Iterator[Call]:
    """Yield calls that make all of `steps`: several steps each if XLA compiles for one GPU.

    Args:
        make: function of `jit_compile` that returns the step.
        end: function from a step to the latest end of the call that follows it.
        say: receives a line before the compilation, and if it fails.

    Raises:
        RunError: an image cannot be read. If TensorFlow reads it, tf.errors.OpError.
    """
    config, devices = context.config, context.devices
    asked = config.train.jit_compile
    if asked and devices.one_gpu and not config.train.deterministic:
        say("compiling the step for the GPU")
        room = int(_SHARE * gpu_memory())
        several = SeveralSteps(make(True), images, batches, config.batch.classes, room)
        try:
            several.compile()
            return several.calls(steps, end)
        except NOT_COMPILED as error:
            if asked is True:
                raise
            say(f"XLA cannot compile the step ({first_line(error)}); training goes on without it")
    data = devices.batches(
        lambda local: training_batches(images, batches, steps.start - 1, local, devices.replicas)
    )
    return one_a_call(make(asked is True), data, steps)


def one_a_call(
    step: Step, data: Iterator[tuple[tf.Tensor, tf.Tensor]], steps: range
) -> Iterator[Call]:
    """Yield a call for each of `steps`, with the next batch of `data`."""
    for number in steps:
        pixels, labels = next(data)

        def run(
            stopping: bool, number: int = number, batch: tuple[tf.Tensor, ...] = (pixels, labels)
        ) -> StepMetrics:
            return step(tf.constant(number - 1), tf.constant(int(stopping)), *batch)

        yield range(number, number + 1), run


class SeveralSteps:
    """Steps in a loop that XLA compiles for one GPU, with their images on it.

    On an H100 the step of a small tower takes 0.3 ms, and its call from Python 0.7 ms. A call makes
    as many steps as take `_SECONDS`, while a thread prepares the next one. The division into calls
    does not change the computation.

    Args:
        step: made with `jit_compile`.
        room: bytes for the training images on the device. If they are in memory and fit, they are
            copied once; otherwise the images of each call are copied with it.
    """

    def __init__(
        self, step: Step, images: ImageTable, batches: PKBatches, classes: int, room: int
    ) -> None:
        self._images, self._batches = images, batches
        size = batches.size
        labels = np.repeat(np.arange(classes), size // classes)  # the loss only compares labels
        self._pool = None
        self._most = max(1, min(_MOST, 2**20 // size))
        if images.pixels is not None and images.bytes <= room:
            self._pool = tf.constant(images.pixels)
        else:
            self._most = max(1, min(self._most, _FED // (size * int(np.prod(images.image_shape)))))

        @tf.function(jit_compile=True, autograph=False)
        def make(first: tf.Tensor, count: tf.Tensor, pool: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
            def body(done: tf.Tensor, table: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                metrics = step.python_function(
                    first + done, tf.constant(0), tf.gather(pool, rows[done]), tf.constant(labels)
                )
                return done + 1, tf.tensor_scatter_nd_update(table, [[done]], [packed(metrics)])

            empty = tf.zeros([self._most, COLUMNS])
            return tf.while_loop(
                lambda done, _: done < count, body, (0, empty), parallel_iterations=1
            )[1]

        self._make = make

    def compile(self) -> None:
        """Compile without making a step. Raises tf.errors.OpError if XLA cannot compile it."""
        rows = np.zeros((self._most, self._batches.size), np.int32)
        pool = self._pool
        if pool is None:
            pool = tf.zeros([rows.size, *self._images.image_shape], tf.uint8)
        self._make(tf.constant(0), tf.constant(0), pool, tf.constant(rows))

    def calls(self, steps: range, end: Callable[[int], int]) -> Iterator[Call]:
        """Yield calls that make all of `steps`; a call after step n ends at `end(n)` or before.

        Raises RunError if an image cannot be read.
        """
        most = 1

        def read() -> Iterator[tuple[range, tf.Tensor, tf.Tensor]]:
            before, last = steps.start - 1, steps.stop - 1
            while before < last:
                these = range(before + 1, min(end(before), before + most, last) + 1)
                yield self._read(these)
                before = these[-1]

        for these, pool, rows in read_ahead(read()):
            call = _SeveralOnce(self._make, these, pool, rows)
            yield these, call
            most = max(1, min(self._most, int(_SECONDS * len(these) / call.seconds)))

    def _read(self, steps: range) -> tuple[range, tf.Tensor, tf.Tensor]:
        """Return the arguments of `make` for some steps, on the device."""
        chosen = self._batches.rows_of(range(steps.start - 1, steps.stop - 1))
        rows = np.zeros((self._most, self._batches.size), np.int32)
        if self._pool is not None:
            rows[: len(steps)] = chosen
            return steps, self._pool, tf.constant(rows)
        rows[:] = np.arange(rows.size).reshape(rows.shape)
        pixels = np.zeros((rows.size, *self._images.image_shape), np.uint8)
        pixels[: chosen.size] = self._images.read(chosen.reshape(-1))
        return steps, tf.constant(pixels), tf.constant(rows)


class _SeveralOnce:
    """One call, which measures its seconds."""

    def __init__(
        self, make: Callable[..., tf.Tensor], steps: range, pool: tf.Tensor, rows: tf.Tensor
    ) -> None:
        self._make, self._steps, self._pool, self._rows = make, steps, pool, rows
        self.seconds = _SECONDS

    def __call__(self, stopping: bool) -> StepMetrics:
        begun = time.perf_counter()
        first, count = self._steps[0] - 1, len(self._steps)
        table = self._make(tf.constant(first), tf.constant(count), self._pool, self._rows)
        rows = table.numpy()[:count]
        self.seconds = time.perf_counter() - begun
        return unpacked(rows)
