"""The short form of scripts/kill_and_resume.py."""

import random

import pytest
from kill_and_resume import EVERYTHING, result, run_until_killed

from triplet_train.config import load_config
from triplet_train.jobs.train import run


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_bit_for_bit_like_one_left_alone(
    tmp_path, data_dir
):
    short = ["train.steps=30", f"data.data_dir='{data_dir}'"]
    config = load_config("digits_semihard", [*EVERYTHING, *short])
    run(config, tmp_path / "whole", quiet=True)
    hits = run_until_killed(config, tmp_path / "killed", 4, random.Random(1))
    assert hits["while a checkpoint was written"]
    assert result(tmp_path / "killed") == result(tmp_path / "whole")
