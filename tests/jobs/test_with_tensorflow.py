"""The import of TensorFlow in a process that uses it already."""

import pytest
import tensorflow as tf

from triplet_train.jobs.with_tensorflow import import_with_tensorflow


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_a_gpu_that_is_in_use_or_divided_stays_as_it_is_set(monkeypatch, error):
    asked = []

    def refuse(gpu, on):
        asked.append(gpu)
        raise error(f"{gpu} cannot be modified")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", refuse)
    assert import_with_tensorflow("triplet_train.jobs.train.job").run
    assert asked == ["first", "second"]
