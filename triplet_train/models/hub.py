"""KerasHub, which the extra `hub` installs."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from triplet_train.errors import RequestError
from triplet_train.files import first_line

_PACKAGE = "keras_hub"
_REMEDY = "install it with: pip install 'triplet-train[hub]'"


def require_keras_hub(why: str) -> None:
    """Raise RequestError if KerasHub is not installed. Does not import it.

    Args:
        why: what needs it, as the subject of a sentence.
    """
    if find_spec(_PACKAGE) is None:
        raise RequestError(f"{why} needs KerasHub; {_REMEDY}")


def keras_hub(why: str) -> Any:
    """Import KerasHub, which makes its layers known to Keras.

    Raises:
        RequestError: it is not installed, or cannot be imported.
    """
    require_keras_hub(why)
    try:
        return import_module(_PACKAGE)
    except ImportError as error:
        raise RequestError(
            f"{why} needs KerasHub, which cannot be imported: {first_line(error)}"
        ) from error
