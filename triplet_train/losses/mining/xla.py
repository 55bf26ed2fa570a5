"""Detect the compiler of the function that is traced, and choose what suits it."""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def slots_at_once(rows: int | None) -> int:
    """Number of slots of a batch of so many rows that a kernel compiled by XLA searches.

    Measured on an H100 (docs/gpu.md): one kernel for all is the fastest as long as its launch
    counts, and small ones where the arithmetic does. A CPU gains nothing from more than one.
    """
    if not tf.config.list_physical_devices("GPU"):
        return 1
    return 128 if rows is not None and rows <= 2048 else 16


def gpu_without_xla() -> bool:
    """True if TensorFlow's own kernels for a GPU may run what is traced; they lack some types."""
    return bool(tf.config.list_physical_devices("GPU")) and not compiled_by_xla()


def index_type() -> tf.DType:
    """Type of indices that are calculated with.

    TensorFlow has int32 arithmetic for a GPU on the host only, and would send operands and results
    back and forth. It is the faster one everywhere else.
    """
    return tf.int64 if gpu_without_xla() else tf.int32


def compiled_by_xla() -> bool:
    """True while a function with jit_compile=True is traced.

    XLA needs shapes that do not depend on values, and has no kernel for some operations. TensorFlow
    asks the same question of itself, but has no public way to ask it.
    """
    return bool(control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
