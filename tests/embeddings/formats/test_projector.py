import json
from dataclasses import replace

import numpy as np
import pytest
from google.protobuf.text_format import Parse
from PIL import Image
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

from triplet_train.embeddings.files import (
    list_exports,
    write_table,
)
from triplet_train.embeddings.formats import projector


def test_the_projector_finds_a_line_per_vector_in_both_files(tmp_path, table):
    path = tmp_path / "x.projector"
    write_table(table, path, "projector")
    vectors = [line.split("\t") for line in (path / "vectors.tsv").read_text().splitlines()]
    np.testing.assert_array_equal(np.array(vectors, np.float32), table.embeddings)
    lines = (path / "metadata.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "label_name\tlabel\tid" and lines[-1] == "" and len(lines) == 8
    assert all(line.count("\t") == 2 for line in lines[:-1])
    assert json.loads((path / "metadata.json").read_text()) == table.metadata


def test_tensorboard_shows_all_exports_of_a_folder_with_their_images(tmp_path, table):
    (tmp_path / "x").mkdir()
    images = np.zeros((6, 4, 4, 1), np.uint8)
    for split in ("test", "train"):
        write_table(replace(table, images=images), tmp_path / "x" / split, "projector")
    list_exports(tmp_path / "x", "projector")
    plugin = ProjectorPlugin(TBContext(logdir=str(tmp_path / "x")))
    plugin._update_configs()
    (config,) = plugin._configs.values()
    for embedding, split in zip(config.embeddings, ("test", "train"), strict=True):
        assert embedding.tensor_path == split + "/vectors.tsv", config
        assert embedding.metadata_path == split + "/metadata.tsv"
        assert embedding.sprite.image_path == split + "/sprite.png"
        assert list(embedding.tensor_shape) == [6, 4]


@pytest.mark.parametrize("shape", [(7, 5, 1), (100, 50, 3)])
def test_the_sprite_has_each_row_s_image_where_the_projector_looks_for_it(tmp_path, table, shape):
    images = np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)
    write_table(replace(table, images=images), tmp_path / "x", "projector")
    (about,) = Parse(
        (tmp_path / "x/projector_config.pbtxt").read_text(), ProjectorConfig()
    ).embeddings
    width, height = about.sprite.single_image_dim
    sprite = np.asarray(Image.open(tmp_path / "x" / about.sprite.image_path))
    assert sprite.shape == (3 * height, 3 * width, 3) and max(width, height) <= 64
    for number, image in enumerate(images):
        top, left = number // 3 * height, number % 3 * width
        shown = sprite[top : top + height, left : left + width]
        if shape == (7, 5, 1):
            np.testing.assert_array_equal(shown, np.repeat(image, 3, axis=2))
        assert abs(shown.mean() - image.mean()) < 2


def test_more_images_than_a_sprite_holds_make_none(tmp_path, table, monkeypatch):
    monkeypatch.setattr(projector, "_SPRITE_SIDE", 16)
    for name, side in (("fits", 5), ("too_large", 6)):
        images = np.zeros((6, side, side, 1), np.uint8)
        write_table(replace(table, images=images), tmp_path / name, "projector")
    assert (tmp_path / "fits/sprite.png").exists()
    assert not (tmp_path / "too_large/sprite.png").exists()
    assert "sprite" not in (tmp_path / "too_large/projector_config.pbtxt").read_text()
