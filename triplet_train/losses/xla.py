"""Whether XLA compiles what is being traced."""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def compiled_by_xla() -> bool:
    """True while a function with jit_compile=True is traced.

    XLA needs shapes that do not depend on values, and has no kernel for some operations. TensorFlow
    asks the same question of itself, but has no public way to ask it.
    """
    return bool(control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
