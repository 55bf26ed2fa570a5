"""Detection of XLA and GPUs while a function is traced, and the choices that depend on them."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

T = TypeVar("T")


def known(scalar: tf.Tensor) -> int | tf.Tensor:
    """Return the value of an integer scalar if tracing knows it, so that no one waits for a GPU."""
    value = tf.get_static_value(scalar)
    return scalar if value is None else int(value)


def sizes(of: tf.Tensor) -> list[int | tf.Tensor]:
    """Return the sizes of the axes: integers if tracing knows them, tensors otherwise."""
    return [tf.shape(of)[axis] if size is None else size for axis, size in enumerate(of.shape)]


def choose(condition: bool | tf.Tensor, if_true: Callable[[], T], if_false: Callable[[], T]) -> T:
    """Return `tf.cond`, or the one result if the condition is known while tracing."""
    if isinstance(condition, bool):
        return if_true() if condition else if_false()
    return tf.cond(condition, if_true, if_false)


def slots_at_once(rows: int | None) -> int:
    """Number of slots that one kernel of XLA searches, for a batch of `rows` images.

    Measured on an H100 (docs/measurements/gpu.md): one kernel for all slots is fastest while
    launches dominate, and small kernels are once arithmetic dominates. A CPU gains nothing from
    more than one slot.
    """
    if not tf.config.list_physical_devices("GPU"):
        return 1
    return 128 if rows is not None and rows <= 2048 else 16


def gpu_without_xla() -> bool:
    """Return True if TensorFlow's own GPU kernels, which lack some types, may run the function."""
    return bool(tf.config.list_physical_devices("GPU")) and not compiled_by_xla()


def index_type() -> tf.DType:
    """Type of indices that take part in arithmetic.

    TensorFlow computes with int32 on the host even if there is a GPU, and copies operands and
    results. Everywhere else int32 is the faster type.
    """
    return tf.int64 if gpu_without_xla() else tf.int32


def compiled_by_xla() -> bool:
    """Return True while a function with jit_compile=True is traced.

    XLA needs shapes that do not depend on values, and lacks kernels for some operations. TensorFlow
    has this test, but no public function for it.
    """
    return bool(control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
