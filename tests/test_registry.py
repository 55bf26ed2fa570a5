"""A name in the registry is all that the schema, the help and the documentation need of it."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from triplet_train.registry import APPLICATIONS, FILES, FORMATS, SOURCES, STRATEGIES, TOWERS

DOCS = Path(__file__).parents[1] / "docs"
OWN_TOWERS = [name for name in TOWERS if name not in APPLICATIONS]
# room -> names, what the file of each has to have, and the page that says more of it
ROOMS = {
    "losses": (STRATEGIES, "strategy", "losses.md"),
    "models": (OWN_TOWERS, "features", "towers.md"),
    "data": (SOURCES, "source", "data.md"),
    "embeddings": (FORMATS, "writer", "embeddings.md"),
}

LEADING = {"losses": 2}  # behind these, `hard` has options of its own


@pytest.mark.parametrize("room", ROOMS)
def test_each_name_is_that_of_a_file_and_has_its_entry_in_the_documentation(room):
    names, function, page = ROOMS[room]
    text = (DOCS / page).read_text()
    for name in names:
        assert callable(getattr(import_module(f"triplet_train.{room}.{name}"), function))
        assert re.search(rf"(?<![-\w]){name}(?![-\w])", text), f"docs/{page} lacks {name}"


def test_files_of_one_room_take_the_same_arguments():
    for room, (names, function, _) in ROOMS.items():
        signatures = {
            tuple(inspect.signature(getattr(module, function)).parameters)[: LEADING.get(room)]
            for module in (import_module(f"triplet_train.{room}.{name}") for name in names)
        }
        assert len(signatures) == 1, (room, signatures)
    for format in FILES:
        assert import_module(f"triplet_train.embeddings.{format}").read
