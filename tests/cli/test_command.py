import tensorflow as tf

from triplet_train.cli.command import import_with_tensorflow


def test_a_gpu_s_memory_is_taken_as_it_is_needed(monkeypatch):
    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["first", "second"])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on))
    )
    assert import_with_tensorflow("triplet_train.jobs.train").run
    assert grown == [("first", True), ("second", True)]
