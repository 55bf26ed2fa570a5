"""Exported towers: vectors and origin survive each format."""

import shutil
from importlib import import_module

import keras
import numpy as np
import pytest

from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError, RunError
from triplet_train.exports.exported import Options
from triplet_train.exports.files import read_export, write_export
from triplet_train.exports.network import exported_network
from triplet_train.models.tower import build_tower
from triplet_train.registry import EXPORTS

SHAPE = (9, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (7, *SHAPE), np.uint8)
ABOUT = {"image_shape": list(SHAPE), "dimensions": 5, "classes": ["Ä", "b"], "config": None}
QUANTIZED = [(name, type) for name, export in EXPORTS.items() for type in export.quantize]


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    model = ModelConfig(filters=[4], embedding_dim=5, batch_norm=True, dropout=0.1)
    return exported_network(build_tower(model, SHAPE))


@pytest.fixture(scope="module", params=EXPORTS)
def exported(request, network, tmp_path_factory):
    """A format, and the network in it."""
    return request.param, write(network, tmp_path_factory.mktemp("exported"), request.param)


def write(network, folder, format, quantize=None):
    for package in EXPORTS[format].packages:
        pytest.importorskip(package, reason=f"pip install 'triplet-train[{format}]'")
    file = folder / f"tower{EXPORTS[format].suffix}"
    write_export(network, file, format, Options(ABOUT, quantize, IMAGES))
    return file


def test_any_number_of_images_gives_the_vectors_of_the_network(network, exported):
    format, file = exported
    tower = read_export(file, format)
    assert (tower.input_shape, tower.output_shape) == ((None, *SHAPE), (None, 5))
    assert tower.about == ABOUT
    for count in (1, 7, 2):
        expected = network(IMAGES[:count]).numpy()
        np.testing.assert_allclose(tower.run(IMAGES[:count]), expected, atol=1e-5)
        np.testing.assert_allclose(tower(IMAGES[:count]), expected, atol=1e-5)


def test_a_file_of_another_program_and_a_damaged_one_are_refused(exported, tmp_path, monkeypatch):
    format, file = exported
    key = {"onnx": "_KEY", "litert": "_NAME", "saved_model": "ABOUT"}[format]
    with monkeypatch.context() as patch:
        patch.setattr(import_module(f"triplet_train.exports.formats.{format}"), key, "another")
        with pytest.raises(RequestError, match="triplet-export did not write it"):
            read_export(file, format)
    damaged = tmp_path / file.name
    if file.is_dir():
        shutil.copytree(file, damaged)
        (damaged / "saved_model.pb").write_bytes(b"nothing")
    else:
        damaged.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RequestError, match="cannot be loaded"):
        read_export(damaged, format)


@pytest.mark.slow
@pytest.mark.parametrize("format, quantize", QUANTIZED)
def test_quantized_weights_are_smaller_and_their_vectors_near(tmp_path, format, quantize):
    model = ModelConfig(filters=[64, 64], embedding_dim=32)
    network = exported_network(build_tower(model, SHAPE))
    sizes = [write(network, tmp_path, format, type).stat().st_size for type in (None, quantize)]
    assert sizes[1] < sizes[0] * {"float16": 0.6, "int8": 0.4}[quantize]
    tower = read_export(tmp_path / f"tower{EXPORTS[format].suffix}", format)
    np.testing.assert_allclose(tower.run(IMAGES), network(IMAGES), atol=0.1)


def test_a_layer_that_a_converter_does_not_know_is_a_failed_run(network, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no such operation\nand more")

    monkeypatch.setattr(keras.export, "ExportArchive", fail)
    with pytest.raises(RunError, match=r"converted to saved_model: no such operation$"):
        write_export(network, tmp_path / "a", "saved_model", Options(ABOUT, None, IMAGES))
