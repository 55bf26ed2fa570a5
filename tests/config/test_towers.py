"""Keys of a configuration that each tower takes."""

import re

import keras
import pytest

from triplet_train.config import ModelConfig, load_config, to_yaml
from triplet_train.registry import APPLICATIONS, TOWERS

RESOLVED = {
    "cnn": ([32, 64], False),
    "resnet": ([16, 32, 64], True),
    "MobileNetV2": (None, True),
    "ConvNeXtTiny": (None, False),
}


def test_the_names_are_those_of_keras_applications():
    assert sorted(APPLICATIONS) == [name for name in dir(keras.applications) if name[0].isupper()]
    assert len(set(TOWERS)) == len(TOWERS)


@pytest.mark.parametrize("tower", RESOLVED)
def test_keys_not_given_take_the_tower_s_defaults_and_the_resolved_configuration_loads_again(
    tmp_path, tower
):
    config = load_config("digits_semihard", [f"model={{tower: {tower}}}"])
    assert (config.model.filters, config.model.batch_norm) == RESOLVED[tower]
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load_config(str(tmp_path / "config.yaml")) == config


def test_a_frozen_backbone_survives_the_round_trip_with_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = "model={tower: VGG16, weights: some.h5, freeze_backbone: true}"
    config = load_config("digits_semihard", [model])
    assert config.model.weights == str(tmp_path / "some.h5")
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert load_config(str(tmp_path / "config.yaml")) == config


def test_a_configuration_older_than_the_choice_of_towers_keeps_its_meaning():
    old = {"tower": "cnn", "embedding_dim": 64, "filters": [32, 64], "batch_norm": False}
    assert ModelConfig(**old, dropout=0.0) == ModelConfig()


def test_published_weights_are_named_and_others_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ModelConfig(tower="VGG16", weights="imagenet").weights == "imagenet"
    assert ModelConfig(tower="VGG16", weights="some.h5").weights == str(tmp_path / "some.h5")
    with pytest.raises(ValueError, match="must be imagenet or an HDF5 file"):
        ModelConfig(tower="VGG16", weights="imagnet")


def test_a_backbone_is_a_file_a_folder_or_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for tower, given, expected in (
        ("keras", "some.keras", str(tmp_path / "some.keras")),
        ("keras_hub", "vit_base", "vit_base"),
        ("keras_hub", "hf://timm/some", "hf://timm/some"),
        ("keras_hub", "mine", str(tmp_path / "mine")),
        ("keras_hub", "presets/mine", str(tmp_path / "presets/mine")),
    ):
        assert ModelConfig(tower=tower, backbone=given).backbone == expected
    for refused, message in (
        ({"tower": "keras"}, "is required for keras: a .keras file"),
        ({"tower": "keras_hub"}, "is required for keras_hub: a preset"),
        ({"tower": "keras", "backbone": "some.h5"}, "a name that ends in .keras"),
        ({"tower": "cnn", "backbone": "some.keras"}, "is for tower keras or keras_hub only"),
        ({"tower": "keras_hub", "backbone": "x", "input_range": "0-1"}, "is for tower keras only"),
        ({"tower": "cnn", "freeze_backbone": True}, "needs model.weights, model.backbone"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            ModelConfig(**refused)
