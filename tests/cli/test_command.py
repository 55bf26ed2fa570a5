from tests.helpers.processes import in_processes


def growth_in_a_fresh_process():
    """Memory growth as set on made-up GPUs, each with the state of TensorFlow's runtime by then."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    from triplet_train.cli.command import import_with_tensorflow

    grown = []
    tf.config.list_physical_devices = lambda kind=None: ["first", "second"]
    tf.config.experimental.set_memory_growth = lambda gpu, on: grown.append(
        (gpu, on, context.context()._initialized)
    )
    assert import_with_tensorflow("triplet_train.jobs.train.job").run
    return grown


def test_memory_of_each_gpu_is_taken_as_it_is_needed_which_is_set_before_the_first_use():
    (grown,) = in_processes(growth_in_a_fresh_process, ())
    assert grown == [("first", True, False), ("second", True, False)]
