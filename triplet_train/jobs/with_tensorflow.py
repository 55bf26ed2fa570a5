"""Import of jobs that need TensorFlow."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from types import ModuleType

from triplet_train.console import stderr_held_back
from triplet_train.errors import RequestError


def import_with_tensorflow(
    module: str, around_keras: Callable[[], AbstractContextManager[None]] = nullcontext
) -> ModuleType:
    """Import a module that needs TensorFlow, without the lines that TensorFlow prints.

    TensorFlow writes them to stderr from C++ before any setting can stop it. They are held back,
    and shown if the import fails. A runtime of TensorFlow that is in use stays as it is set.

    Args:
        around_keras: makes a context in which Keras is imported, if it is not yet.

    Raises:
        RequestError: Keras is imported with another backend, which cannot change in a process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow disables oneDNN on CPUs without AVX512-VNNI, where a step takes 2/3 with it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"  # overrides the setting of the user
    with stderr_held_back():
        if "keras" not in sys.modules:
            with around_keras():
                import_module("keras")
        backend = import_module("keras").config.backend()
        if backend != "tensorflow":
            raise RequestError(
                f"Keras is already imported with the backend {backend}; restart Python with "
                "KERAS_BACKEND=tensorflow in its environment"
            )
        loaded = import_module(module)
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):  # also prints
            with suppress(RuntimeError, ValueError):  # in use, or divided
                tf.config.experimental.set_memory_growth(gpu, True)  # others may want some
    return loaded
