"""Pairs of images that a table lists, with their kind: same or different."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triplet_train.data.image_files import printable_list
from triplet_train.data.listed_items import TRUTH, mapped
from triplet_train.data.table_file import Kinds, TableFile
from triplet_train.errors import RequestError

# Names that such tables give to their columns; the first is that of the documentation.
_COLUMNS = {
    "id_a": ("id_a", "id1", "id_1", "image1", "path1"),
    "id_b": ("id_b", "id2", "id_2", "image2", "path2"),
    "same": ("same", "is_same", "issame", "label"),
    "fold": ("fold",),
}
_KINDS: Kinds = {"same": lambda kind: pa.types.is_boolean(kind) or pa.types.is_floating(kind)}
_MOST_COMPARED = 20_000  # ids that a misspelt one is compared with, in about a second


@dataclass(frozen=True)
class ListedPairs:
    """Pairs of ids.

    Attributes:
        file: the table.
        columns: the names of the two columns with ids.
        kind_column: the name of the column that says which pairs are the same.
        ids: U strings, unique.
        places: int64 [2, P], the first and the second id of each pair, as places in `ids`.
        same: bool [P], True for a pair of one class.
        folds: P names; None: the table has none.
    """

    file: TableFile
    columns: tuple[str, str]
    kind_column: str
    ids: list[str]
    places: np.ndarray
    same: np.ndarray
    folds: list[str] | None

    def rows_in(self, side: int, ids: Sequence[str], origin: str) -> np.ndarray:
        """Find the first (0) or second (1) image of each pair.

        Args:
            ids: of the images.
            origin: the name of their file or split, for a message.

        Returns:
            int64 [P], places in `ids`.

        Raises:
            RequestError: unknown ids. The message counts them and names the nearest of the first.
        """
        row_of = {id_: row for row, id_ in enumerate(ids)}
        found: np.ndarray = np.array([row_of.get(id_, -1) for id_ in self.ids])[self.places[side]]
        if (found < 0).any():
            unknown = self.ids[self.places[side][int(np.argmin(found))]]
            near = _nearest(unknown, ids)
            hint = f"; did you mean {near!r}?" if near else ""
            what = f"an id that is not in {origin}, such as {unknown!r}{hint},"
            self.file.refuse(self.columns[side], what, found < 0)
        return found

    def refuse_images_with_themselves(self) -> None:
        """Raise RequestError for pairs of an image with itself."""
        what = f"the id of column {self.columns[0]!r} again, an image with itself,"
        self.file.refuse(self.columns[1], what, self.places[0] == self.places[1])

    def repeated(self, *, ordered: bool) -> int:
        """Return the number of pairs that are listed before.

        Args:
            ordered: (a, b) and (b, a) are two pairs, of a query and an image of a gallery.

        Raises:
            RequestError: a pair is the same in one row, and different in another.
        """
        first, second = self.places if ordered else np.sort(self.places, axis=0)
        keys, where, pair = np.unique(
            first * len(self.ids) + second, return_index=True, return_inverse=True
        )
        wrong = np.flatnonzero(self.same != self.same[where][pair])
        if len(wrong):
            at = int(wrong[0])
            one, other = self.file.lines([int(where[pair[at]]), at])
            names = " and ".join(repr(self.ids[place]) for place in self.places[:, at])
            more = f"; so are {len(wrong) - 1:,} other rows" if len(wrong) > 1 else ""
            raise RequestError(
                f"{self.file}, {one} and {other}: {names} are the same in one and different in "
                f"the other{more}"
            )
        return len(pair) - len(keys)


def read_pairs(path: Path, key: str) -> ListedPairs:
    """Read a table of pairs.

    Args:
        key: names the table in errors.

    Raises:
        RequestError: no such file, table or column; no pairs; an empty id or fold; a kind that is
            neither true nor false.
    """
    file = TableFile(path, key)
    names = {
        key: next((name for name in known if name in file.columns), None)
        for key, known in _COLUMNS.items()
    }
    missing = [key for key, name in names.items() if name is None and key != "fold"]
    if missing:
        raise RequestError(
            f"{file}, line 1: no column {missing[0]!r}; {key} needs the columns id_a, id_b, same "
            f"and perhaps fold, and the table has {printable_list(file.columns, 20)}"
        )
    used = {key: name for key, name in names.items() if name is not None}
    texts, _ = file.read(list(used.items()), _KINDS)
    for name in (name for key, name in used.items() if key != "same"):
        blank = pc.equal(pc.utf8_trim_whitespace(texts[name]), "")
        file.refuse(name, "nothing", blank.to_numpy(zero_copy_only=False))
    columns = (used["id_a"], used["id_b"])
    encoded = pa.concat_arrays([texts[name] for name in columns]).dictionary_encode()
    if not len(encoded):
        raise RequestError(f"{file}: it lists no pairs")
    kinds = {word: truth for word, truth in TRUTH.items() if word}
    same = mapped(file, used["same"], texts, kinds, "neither 1 nor 0")
    return ListedPairs(
        file,
        columns,
        used["same"],
        encoded.dictionary.to_pylist(),
        encoded.indices.to_numpy().astype(np.int64).reshape(2, -1),
        same.astype(bool),
        texts[used["fold"]].to_pylist() if "fold" in used else None,
    )


def _nearest(unknown: str, ids: Sequence[str]) -> str | None:
    """Return the most similar id; of very many, among those with its name or near in order."""
    near = sorted(ids)
    if len(near) > _MOST_COMPARED:
        stem, at, most = (
            PurePosixPath(unknown).stem,
            bisect_left(near, unknown),
            _MOST_COMPARED // 4,
        )
        alike = (id_ for id_ in near if stem and stem in id_)
        near = [*islice(alike, most), *near[max(at - most, 0) : at + most]]
    return next(iter(get_close_matches(unknown, near, 1, 0.5)), None)
