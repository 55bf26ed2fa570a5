import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import triplet_train
from tests.helpers.processes import in_processes
from tests.helpers.tables import pixels
from triplet_train.config import ModelConfig
from triplet_train.errors import RequestError
from triplet_train.models.tower import _pooled, all_layers, build_tower
from triplet_train.registry import BACKBONE, TOWERS
from triplet_train.run.embedder_file import embedder_file

OWN = [name for name, tower in TOWERS.items() if tower.filters]
CASES = [
    (name, batch_norm)
    for name in OWN
    for batch_norm in ([False, True] if TOWERS[name].batch_norm is None else [None])
]
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 12, 10, 3), np.uint8)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("tower, batch_norm", CASES)
def test_raw_uint8_images_become_float32_unit_vectors(precision, tower, batch_norm):
    model = ModelConfig(
        tower=tower, filters=[4, 6], embedding_dim=7, batch_norm=batch_norm, dropout=0.5
    )
    vectors = build_tower(model, (12, 10, 3), precision)(IMAGES)
    assert vectors.dtype == tf.float32 and vectors.shape == (5, 7)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_configuration_describes_the_tower():
    def layers(**options):
        tower = build_tower(ModelConfig(**options), (12, 10, 3))
        return [type(layer).__name__ for layer in all_layers(tower)]

    assert layers(filters=[4]).count("Conv2D") == 1
    assert layers(filters=[4, 4, 4]).count("Conv2D") == 3
    assert "BatchNormalization" in layers(batch_norm=True)
    assert "Dropout" in layers(dropout=0.1) and "Dropout" not in layers()


POOLED = {
    "avg": lambda maps: maps.mean(axis=(1, 2)),
    "max": lambda maps: maps.max(axis=(1, 2)),
    "gem": lambda maps: np.cbrt((np.maximum(maps.astype(np.float64), 1e-6) ** 3).mean((1, 2))),
}


@pytest.mark.parametrize(
    "name, pooling, precision",
    [
        ("cnn", "avg", "float32"),
        ("cnn", "max", "mixed_float16"),
        ("cnn", "gem", "mixed_float16"),
        ("resnet", "gem", "float32"),
    ],
)
def test_maps_are_pooled_as_configured(name, pooling, precision):
    model = ModelConfig(tower=name, filters=[4, 6], pooling=pooling)
    tower = build_tower(model, (12, 10, 3), precision)
    dense = next(layer for layer in tower.layers if isinstance(layer, keras.layers.Dense))
    maps = np.array(tower.get_layer(BACKBONE)(IMAGES))
    pooled = keras.Model(tower.input, dense.input)(IMAGES)
    assert pooled.shape == (5, 6)
    np.testing.assert_allclose(
        pooled, POOLED[pooling](maps), rtol=2e-3 if "16" in precision else 1e-5
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_generalised_mean_of_zeros_or_of_large_values_has_a_finite_gradient(dtype):
    maps = keras.Input((2, 2, 3), dtype=dtype)
    gem = keras.Model(maps, _pooled(keras.layers.Identity(dtype=dtype)(maps), "gem", None))
    x = np.zeros((3, 2, 2, 3))
    x[1, 0], x[2, 0] = 3e4, -3e4
    value, gradient = value_and_gradient(gem, tf.constant(x, dtype), tf.ones((3, 3)))
    np.testing.assert_allclose(value, POOLED["gem"](x), rtol=1e-2)
    assert np.isfinite(tf.cast(gradient, tf.float32)).all()


@pytest.fixture(scope="module")
def unit_length():
    """The last layers of a tower: they scale vectors [N, 8] to length one."""
    tower = build_tower(ModelConfig(filters=[2], embedding_dim=8), (4, 4, 1))
    return keras.Model(tower.layers[-2].output, tower.output)


def value_and_gradient(model, x, pull):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x)
    return y, tape.gradient(y, x, output_gradients=pull)


@pytest.mark.parametrize("xla", [False, True])
def test_a_zero_vector_has_no_gradient_and_every_other_its_own(unit_length, xla):
    """Some vectors are zero, some so short that their squares vanish."""
    random = np.random.default_rng(0)
    lengths = np.array([1, 0, *(10.0**n for n in range(-30, 13)), 0, 1])[:, np.newaxis]
    directions, pull = random.normal(size=(2, len(lengths), 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    seen = tf.constant(lengths * directions, tf.float32), tf.constant(pull, tf.float32)
    compiled = tf.function(value_and_gradient, jit_compile=xla)
    value, gradient = (x.numpy() for x in compiled(unit_length, *seen))
    beyond = np.maximum(lengths, 1e-12)
    along = np.sum(pull * directions, axis=1, keepdims=True) * directions
    expected = np.where(lengths > 0, pull - np.where(lengths >= 1e-12, along, 0), 0)
    np.testing.assert_allclose(value, lengths / beyond * directions, rtol=1e-5)
    np.testing.assert_allclose(gradient * beyond, expected, rtol=1e-4, atol=1e-5)
    assert not gradient[lengths[:, 0] == 0].any()


def test_vectors_are_bit_for_bit_those_of_keras_own_normalisation(unit_length):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(5000, 8)) * 10.0 ** random.uniform(-11, 30, (5000, 1))
    vectors = np.concatenate([vectors, np.zeros((1, 8)), np.full((1, 8), np.nan)])
    vectors = vectors.astype(np.float32)
    normalised = keras.layers.UnitNormalization()(vectors)
    np.testing.assert_array_equal(unit_length(vectors), normalised)


@pytest.mark.parametrize("filters, convolutions", [([4], 5), ([4, 6], 10), ([4, 4, 8], 15)])
def test_a_residual_stage_is_two_blocks_and_where_it_halves_the_image_a_projection(
    filters, convolutions
):
    tower = build_tower(ModelConfig(tower="resnet", filters=filters), (12, 10, 3))
    layers = [type(layer).__name__ for layer in all_layers(tower)]
    assert layers.count("Conv2D") == layers.count("BatchNormalization") == convolutions
    assert layers.count("Add") == 2 * len(filters)
    (pooling,) = (la for la in tower.layers if type(la).__name__ == "GlobalAveragePooling2D")
    halved = len(filters) - 1
    assert pooling.input.shape == (None, -(-12 // 2**halved), -(-10 // 2**halved), filters[-1])


def test_a_residual_block_adds_what_comes_in():
    """With the second normalisation of each block at zero, a stage returns its input."""
    tower = build_tower(ModelConfig(tower="resnet", filters=[4]), (8, 8, 1)).get_layer(BACKBONE)
    first, *_, last = (layer for layer in tower.layers if type(layer).__name__ == "ReLU")
    for add in (layer for layer in tower.layers if type(layer).__name__ == "Add"):
        normalisation = add.input[0]._keras_history.operation
        normalisation.gamma.assign(tf.zeros(4))
    seen = keras.Model(tower.input, [first.output, last.output])(IMAGES[:, :8, :8, :1])
    np.testing.assert_array_equal(*seen)
    assert np.any(seen[0])


@pytest.mark.parametrize("tower", OWN)
def test_any_number_of_blocks_fits_any_image(tower):
    tower = build_tower(ModelConfig(tower=tower, filters=[2] * 6), (5, 1, 1))
    assert tower(np.zeros((2, 5, 1, 1), np.uint8)).shape == (2, 64)


def vectors_where_this_package_is_missing(file):
    """Vectors of a saved tower in a process that cannot import this package."""
    for name in [name for name in sys.modules if name.split(".")[0] == "triplet_train"]:
        sys.modules[name] = None  # any import of it fails
    keras.saving.get_custom_objects().clear()
    return keras.models.load_model(file, safe_mode=True)(IMAGES).numpy()


@pytest.mark.parametrize("tower", ["cnn", pytest.param("resnet", marks=pytest.mark.slow)])
def test_an_embedder_loads_in_safe_mode_where_this_package_is_not_installed(tmp_path, tower):
    model = ModelConfig(tower=tower, filters=[4, 6], batch_norm=True, dropout=0.2)
    tower = build_tower(model, (12, 10, 3), "mixed_bfloat16")
    tower.save(tmp_path / "embedder.keras")
    (vectors,) = in_processes(vectors_where_this_package_is_missing, (tmp_path / "embedder.keras",))
    np.testing.assert_allclose(vectors, tower(IMAGES), atol=1e-6)


@pytest.mark.slow
def test_a_saved_model_that_keras_exports_gives_the_vectors_of_the_tower(tmp_path):
    tower = build_tower(ModelConfig(filters=[4, 6], embedding_dim=7), (12, 10, 3))
    images = np.concatenate([IMAGES, np.zeros_like(IMAGES[:1])])
    tower.export(tmp_path, verbose=False)
    served = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(served.serve(images), tower(images), atol=1e-6)


def test_the_embedder_of_a_run_gives_the_vectors_of_its_export(finished_run, data_dir):
    from triplet_train.config import DataConfig
    from triplet_train.data.source import open_source
    from triplet_train.embeddings.files import read_table

    images = open_source(DataConfig(dataset="digits", data_dir=str(data_dir))).table("test")
    table = read_table(finished_run / "embeddings" / "test.parquet")
    assert table.ids == images.ids
    for place in (finished_run, finished_run / "checkpoints/best", finished_run / "embedder.keras"):
        vectors = triplet_train.load_embedder(place)(pixels(images))
        np.testing.assert_allclose(vectors, table.embeddings, atol=1e-6)


@pytest.mark.parametrize(
    "kind", ["missing", "folder", "text", "empty.keras", "text.keras", "zip.keras"]
)
def test_a_path_without_a_checkpoint_is_refused_by_name(tmp_path, kind):
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind.startswith("text"):
        path.write_text("not a model")
    elif kind == "empty.keras":
        path.touch()
    elif kind == "zip.keras":
        import zipfile

        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
    with pytest.raises(RequestError, match=kind):
        triplet_train.load_embedder(path)


def test_a_run_stopped_before_its_first_evaluation_names_the_newest_checkpoint(
    tmp_path,
):
    steps = [tmp_path / f"checkpoints/step_{step:08d}" for step in (0, 5, 120)]
    for step in steps[:2]:
        step.mkdir(parents=True)
        (step / "embedder.keras").touch()
    steps[2].mkdir()  # holds no tower
    with pytest.raises(RequestError, match=f"first evaluation; .*{steps[1]}, which can be named"):
        triplet_train.load_embedder(tmp_path)
    assert embedder_file(steps[1]) == steps[1] / "embedder.keras"


def test_a_model_that_is_not_an_embedder_is_refused(tmp_path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    with pytest.raises(RequestError, match="not an embedder"):
        triplet_train.load_embedder(tmp_path / "other.keras")
