"""What a configuration may say of each tower, and what it is told otherwise."""

import keras
import pytest

from triplet_train.config import ModelConfig, load_config, to_yaml
from triplet_train.errors import RequestError
from triplet_train.registry import APPLICATIONS, TOWERS

RESOLVED = {
    "cnn": ([32, 64], False),
    "resnet": ([16, 32, 64], True),
    "MobileNetV2": (None, True),
    "ConvNeXtTiny": (None, False),
}
REFUSED = {
    "a name that is none": (
        ["model.tower=MobilenetV2"],
        "model.tower: must be one of cnn, resnet,",
        "did you mean MobileNetV2?",
    ),
    "filters of an application": (
        ["model={tower: VGG16, filters: [8]}"],
        "model.filters: VGG16 has its own; leave it out, or null (received [8])",
    ),
    "a residual network without": (
        ["model={tower: resnet, batch_norm: false}"],
        "model.batch_norm: resnet always has it",
    ),
    "batch normalisation in VGG": (
        ["model={tower: VGG16, batch_norm: true}"],
        "model.batch_norm: VGG16 never has it",
    ),
    "weights of a cnn": (
        ["model.weights=some.h5"],
        "model.weights: is for the networks of keras.applications, not for cnn",
    ),
    "weights of another format": (
        ["model={tower: VGG16, weights: some.keras}"],
        "model.weights: must be an HDF5 file",
    ),
    "a frozen cnn": (["model.freeze_backbone=true"], "model.freeze_backbone: needs model.weights"),
    "frozen at random weights": (
        ["model={tower: VGG16, freeze_backbone: true}"],
        "model.freeze_backbone: needs model.weights",
    ),
}


def test_the_names_are_those_of_keras_applications():
    assert sorted(APPLICATIONS) == [name for name in dir(keras.applications) if name[0].isupper()]
    assert len(set(TOWERS)) == len(TOWERS)


@pytest.mark.parametrize("tower", RESOLVED)
def test_what_is_not_given_is_what_the_tower_has_and_the_resolved_configuration_loads_again(
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


def test_a_configuration_from_before_there_were_other_towers_means_what_it_meant():
    old = {"tower": "cnn", "embedding_dim": 64, "filters": [32, 64], "batch_norm": False}
    assert ModelConfig(**old, dropout=0.0) == ModelConfig()


@pytest.mark.parametrize("case", REFUSED)
def test_options_that_do_not_belong_to_the_tower_are_refused_by_name(case):
    overrides, *parts = REFUSED[case]
    with pytest.raises(RequestError) as error:
        load_config("digits_semihard", overrides)
    assert str(error.value).startswith("1 error in ")
    for part in parts:
        assert part in str(error.value)
