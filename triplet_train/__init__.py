"""Embedding models trained with triplet losses, from one YAML file."""

TYPE_CHECKING = False  # that of `typing`, without the import: Ctrl-C may come during it
if TYPE_CHECKING:
    import os

    import keras

__version__ = "0.1.0"


def load_embedder(path: "str | os.PathLike[str]") -> "keras.Model":
    """The trained tower of a run folder, a checkpoint inside one, or a `.keras` file.

    The model maps uint8 images [N, H, W, C], as they are in the data set, to unit vectors
    [N, D] float32.

    Raises:
        RequestError: nothing at `path` can be loaded as an embedder.
    """
    from triplet_train.models.embedder import load_embedder as load  # TensorFlow only when used

    return load(path)
