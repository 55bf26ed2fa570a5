"""Embedding models trained with triplet losses, from one YAML file."""

from triplet_train.errors import RequestError, RunError, Stopped

TYPE_CHECKING = False  # that of `typing`, without the import: Ctrl-C may come during it
if TYPE_CHECKING:
    from triplet_train.api import embed, evaluate, load_embedder, train

__version__ = "0.1.0"
__all__ = ["RequestError", "RunError", "Stopped", "embed", "evaluate", "load_embedder", "train"]


def __getattr__(name: str) -> object:
    """Import the functions of `api` when the first is used, since the commands need none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("triplet_train.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
