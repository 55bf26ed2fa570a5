"""Fine-tuning of a real network of ImageNet on real photographs, with -m slow."""

import json

import pytest

from tests.helpers.commands import changed
from triplet_train.cli.train import main as train


@pytest.mark.slow
def test_a_few_steps_of_cifar10_finetune_are_worth_more_than_the_features_of_imagenet(
    tmp_path, command, cifar10, pretrained, without_pages
):
    images = ["data.dataset=image_folder", f"data.path={cifar10}", "data.image_size=[96, 96]"]
    network = ["model.tower=keras", "model.weights=null", f"model.backbone={pretrained}"]
    short = "train={steps: 60, eval_every: 60, checkpoint_every: 60}"
    run = tmp_path / "run"
    options = changed(*images, *network, short, "optimizer.ema=0.9")
    status, _, err = command(train, "--config", "cifar10_finetune", "--run-dir", run, *options)
    assert status == 0, err
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"] == "test" and metrics["recall_at_1"] > 0.65  # 0.49 without training
