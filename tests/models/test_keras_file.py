"""Facts about a saved Keras model are found in its file, or the user is asked."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from triplet_train.errors import RequestError
from triplet_train.models.keras_file import read_backbone

LAYERS = keras.layers
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def imagenet(low, high):
    """The normalisation of ImageNet for pixels from `low` to `high`."""
    wide = high - low
    return LAYERS.Normalization(mean=wide * MEAN + low, variance=(wide * DEVIATION) ** 2)


def adapted(high):
    layer = LAYERS.Normalization()
    layer.adapt(high * np.random.default_rng(0).random((4, 8, 8, 3)))
    return layer


def nested(layer):
    inside = keras.Input((8, 8, 3))
    return keras.Model(inside, LAYERS.Conv2D(2, 3)(layer(inside)), name="inside")


def saved(folder, first, *more, dtype="float32", shape=(8, 8, 3)):
    file = folder / "some.keras"
    ends = [LAYERS.Conv2D(2, 3), LAYERS.GlobalMaxPooling2D(), *more]
    keras.Sequential([keras.Input(shape, dtype=dtype), *first, *ends]).save(file)
    return str(file)


FOUND = [
    (lambda: LAYERS.Rescaling(1 / 255), "0-255"),
    (lambda: LAYERS.Rescaling(1 / 127.5, -1), "0-255"),
    (lambda: imagenet(0, 255), "0-255"),
    (lambda: imagenet(0, 1), "0-1"),
    (lambda: adapted(255), "0-255"),
    (lambda: nested(LAYERS.Rescaling(1 / 255)), "0-255"),
    (lambda: nested(adapted(255)), "0-255"),
    (lambda: LAYERS.Rescaling(2, -1), None),  # 0-1 and -1-1 are both sensible
    (lambda: LAYERS.BatchNormalization(), None),
    (lambda: LAYERS.Conv2D(2, 3), None),
    (lambda: LAYERS.Rescaling(255), None),
]


@pytest.mark.parametrize("layer, expected", FOUND)
def test_the_range_of_pixels_is_found_or_asked_for(tmp_path, layer, expected):
    file = saved(tmp_path, [layer()])
    if expected:
        assert read_backbone(file).input_range == read_backbone(file, expected).input_range
        assert read_backbone(file).input_range == expected
    else:
        with pytest.raises(RequestError, match=r"some\.keras .* Set model\.input_range .* -1-1"):
            read_backbone(file)
        assert read_backbone(file, "-1-1").input_range == "-1-1"


def test_a_range_that_contradicts_the_first_layer_is_refused(tmp_path):
    file = saved(tmp_path, [LAYERS.Rescaling(1 / 255)])
    with pytest.raises(RequestError, match=r"model\.input_range: .* in 0-255 itself"):
        read_backbone(file, "0-1")


def test_integers_are_pixels_as_they_are(tmp_path):
    file = saved(tmp_path, [LAYERS.Rescaling(1 / 255)], dtype="uint8")
    assert read_backbone(file)[1:] == ((8, 8, 3), "uint8", "0-255")


@pytest.mark.parametrize(
    "ends",
    [
        [lambda: LAYERS.Dense(3, activation="softmax")],
        [lambda: LAYERS.Dense(3), lambda: LAYERS.Softmax()],
        [
            lambda: LAYERS.Dropout(0.1),
            lambda: LAYERS.Dense(3),
            lambda: LAYERS.Activation("softmax"),
        ],
    ],
)
@pytest.mark.parametrize("functional", [False, True])
def test_a_classifier_is_refused_with_the_line_that_cuts_it(tmp_path, functional, ends):
    file = saved(tmp_path, [LAYERS.Rescaling(1 / 255)], *(make() for make in ends))
    model = keras.models.load_model(file)
    if functional:
        keras.Model(model.inputs, model.outputs).save(file)
    with pytest.raises(RequestError, match="ends in a softmax") as refused:
        read_backbone(file)
    line = str(refused.value).split(": ")[-1].replace("features.keras", str(tmp_path / "f.keras"))
    exec(line, {"keras": keras, "model": keras.models.load_model(file)})
    assert keras.models.load_model(tmp_path / "f.keras").output_shape == (None, 2)
    assert read_backbone(str(tmp_path / "f.keras")).input_range == "0-255"


@keras.saving.register_keras_serializable("mine")
class Own(keras.layers.Layer):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    "layer, name", [(lambda: Own(), "mine>Own"), (lambda: LAYERS.Lambda(lambda x: x), "Lambda")]
)
def test_layers_that_safe_mode_does_not_load_are_refused_by_name(tmp_path, layer, name):
    with pytest.raises(RequestError, match=f"not Keras's own, and are not loaded: {name}"):
        read_backbone(saved(tmp_path, [layer()]))


def test_two_inputs_or_vectors_are_not_images(tmp_path):
    file = tmp_path / "other.keras"
    keras.Sequential([keras.Input((3,)), LAYERS.Dense(2)]).save(file)
    with pytest.raises(RequestError, match=r"other\.keras takes .* not images"):
        read_backbone(str(file))
    images = [keras.Input((8, 8, 3)) for _ in range(2)]
    keras.Model(images, LAYERS.Add()(images)).save(file)
    with pytest.raises(RequestError, match=r"other\.keras is not understood"):
        read_backbone(str(file))


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "half", "no object", "no model"])
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path, kind):
    file = tmp_path / "bad.keras"
    if kind == "folder":
        file.mkdir()
    elif kind == "text":
        file.write_text("no model")
    elif kind == "half":
        whole = Path(saved(tmp_path, [LAYERS.Rescaling(1 / 255)]))
        file.write_bytes(whole.read_bytes()[:5000])
    elif kind != "missing":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("config.json", json.dumps([] if kind == "no object" else {}))
    with pytest.raises(RequestError, match=r"bad\.keras"):
        read_backbone(str(file))


def test_sizes_and_channels_that_do_not_fit_name_the_key(tmp_path):
    fixed = read_backbone(saved(tmp_path, [LAYERS.Rescaling(1 / 255)]))
    fixed.require((8, 8), 3)
    with pytest.raises(RequestError, match=r"set data\.image_size: \[8, 8\]"):
        fixed.require((9, 8), None)
    with pytest.raises(RequestError, match=r"set data\.channels: 3"):
        fixed.require(None, 1)
    free = read_backbone(saved(tmp_path, [LAYERS.Rescaling(1 / 255)], shape=(None, None, 3)))
    free.require((9, 8), 3)


def test_a_real_network_tells_its_range(pretrained):
    assert read_backbone(str(pretrained))[1:] == ((None, None, 3), "float32", "0-255")
