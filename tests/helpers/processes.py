"""Fresh processes that start at once, forked from one that has imported TensorFlow."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["triplet_train.jobs.train.job"])


def in_processes(function, *calls):
    """Results or errors of `function(*arguments)`, in one process per tuple in `calls`."""
    with ExitStack() as stack:
        pools = [stack.enter_context(ProcessPoolExecutor(1, CONTEXT)) for _ in calls]
        futures = [pool.submit(function, *call) for pool, call in zip(pools, calls, strict=True)]
        return [future.exception(timeout=300) or future.result() for future in futures]


def set_up(logical_cpus=1, **environment):
    """Set up TensorFlow in such a process, before anything else."""
    os.environ.update(environment, TF_CPP_MIN_LOG_LEVEL="3")
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    each = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [each] * logical_cpus)
