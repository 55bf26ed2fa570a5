"""The network that is exported: uint8 images in, float32 vectors out, computed in float32."""

import keras

INPUT, OUTPUT = "image", "embedding"


def exported_network(tower: keras.Model) -> keras.Model:
    """Return a tower with the same weights, all of whose layers compute in float32.

    ONNX Runtime and LiteRT have no kernels for most operations of mixed precision. The input is
    called `image`, and is uint8 for a foreign tower that takes floating-point pixels too.

    Returns:
        uint8 [N, H, W, C] -> float32 [N, D].
    """
    images = keras.Input(tower.input_shape[1:], dtype="uint8", name=INPUT)
    pixels = keras.ops.cast(images, tower.inputs[0].dtype)
    plain = tower if _is_plain(tower) else _in_float32(tower)
    return keras.Model(images, keras.ops.cast(plain(pixels), "float32"), name="exported")


def _is_plain(tower: keras.Model) -> bool:
    """Return True if all layers compute in float32."""
    return {layer.compute_dtype for layer in tower._flatten_layers()} <= {"float32", None}


def _in_float32(tower: keras.Model) -> keras.Model:
    def clone(operation: keras.Operation) -> keras.Operation:
        is_layer = isinstance(operation, keras.Layer)
        changed = {"dtype": "float32"} if is_layer else {}
        return type(operation).from_config(operation.get_config() | changed)

    plain = keras.models.clone_model(tower, clone_function=clone, recursive=True)
    plain.set_weights(tower.get_weights())
    return plain
