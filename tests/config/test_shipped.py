"""Every shipped configuration says how it is run and what it gives, and can be checked."""

import sys

import pytest
from reproduce import agrees, parse_options, promised

from triplet_train.config import load_config
from triplet_train.registry import shipped_configs


def test_all_of_them_are_reproduced_by_default(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["reproduce.py"])
    assert sorted(parse_options().names) == sorted(shipped_configs())


@pytest.mark.parametrize("name", shipped_configs())
def test_the_first_lines_give_the_command_the_time_and_the_figures(name):
    first, second, *_ = shipped_configs()[name].read_text().splitlines()
    assert first == f"# triplet-train --config {name}"
    assert " on 2 CPU cores (" in second
    assert {"recall_at_1", "map_at_r"} < promised(name).keys()
    unseen = load_config(name).data.eval_classes
    assert ("5_way_1_shot" if unseen else "knn_by_train") in promised(name)


@pytest.mark.parametrize("name", shipped_configs())
def test_no_step_is_chosen_by_the_images_of_the_final_figures(name):
    config = load_config(name)
    assert config.data.eval_split != "test" and config.export_splits == ["test"]


def test_a_figure_agrees_within_four_standard_deviations():
    assert agrees([0.91, 0.97], 0.94, 0.01) and not agrees([0.94, 0.99], 0.94, 0.01)
    assert agrees([0.9515], 0.95, 0.0001) and not agrees([0.953], 0.95, 0.0001)
