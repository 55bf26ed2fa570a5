import numpy as np

from tests.helpers.tables import table
from triplet_train.console import Console
from triplet_train.data.batches import PKBatches, make_batches
from triplet_train.data.source import open_source
from triplet_train.jobs.train.messages import announce
from triplet_train.training.context import Context
from triplet_train.training.devices import choose_devices


def announced(config, *images_and_batches):
    """The lines before the first step."""
    lines = []
    console = Console(write=lines.append)
    context = Context(config, None, devices=choose_devices(config), console=console)
    announce(context, *images_and_batches, {})
    return lines


def test_classes_that_are_left_out_or_repeat_are_named_before_training(digits_config):
    labels = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
    ids = [str(row) for row in range(len(labels))]
    names = {0: "heron", 1: "stork", 2: "crane"}
    images = table(np.zeros((9, 1, 1, 1), np.uint8), labels, ids, names)
    batches = PKBatches(labels, classes=2, per_class=4, seed=0)
    held_out = table(np.zeros((2, 1, 1, 1), np.uint8), labels[:2], ["a", "b"], names)
    config = digits_config("batch.classes=2")
    lines = announced(config, images, held_out, batches)
    assert len(lines) == 3 and "9 images, batches of 2 x 4" in lines[0]
    assert "left out" in lines[1] and lines[1].endswith(": heron")
    assert "repeat" in lines[2] and lines[2].endswith(": stork")


def test_images_that_are_trained_and_evaluated_on_are_named(digits_config):
    config = digits_config("data.eval_split=train[:100]")
    source = open_source(config.data)
    images, held_out = (source.table(s) for s in (config.data.train_split, config.data.eval_split))
    batches = make_batches(config, images.labels)
    lines = announced(config, images, held_out, batches)
    assert any(
        line.startswith("warning: 100 of the 100 images of train[:100] are also training images")
        for line in lines
    )
