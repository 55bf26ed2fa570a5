"""Files of tables: CSV, TSV, JSON lines and Parquet."""

import csv
import difflib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from triplet_train.data.image_files import printable_list, printable_path
from triplet_train.errors import RequestError
from triplet_train.files import first_line
from triplet_train.registry import either

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
LISTED = 5  # rows in an error message

Kind = Callable[[pa.DataType], bool]
Kinds = Mapping[str, Kind]


class TableFile:
    """A table with a name for each column. Its suffix tells the format.

    Args:
        path: the file.
        key: names the file in errors, as in data.path.

    Raises:
        RequestError: no such file, or it is not a table.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._kind, shown = path.suffix.lower(), printable_path(path)
        self._separator = "\t" if self._kind == ".tsv" else ","
        if self._kind not in SUFFIXES:
            raise RequestError(
                f"{key}: the name of a table ends in {either(SUFFIXES)}, not as {shown}"
            )
        if not path.is_file():
            raise RequestError(f"{key}: no such file: {shown}")
        try:
            self.columns = self._names()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error

    def __str__(self) -> str:
        return printable_path(self.path)

    def read(
        self, texts: Sequence[tuple[str, str]], kinds: Kinds
    ) -> tuple[dict[str, pa.Array], list[tuple[str, pa.Array]]]:
        """Read the whole table.

        Args:
            texts: pairs of the key of the configuration and the name of a column that is read as
                text; integers are written in decimal digits.
            kinds: by key, the type that a column may have besides text and integers.

        Returns:
            An array of strings for each of these names, empty where the table has nothing; and name
            and values of every other column, in its own type.

        Raises:
            RequestError: no such column, one of another type, or a damaged file.
        """
        for key, name in texts:
            self._require(key, name)
        ours = {name: key for key, name in texts}
        try:
            table = self._table(list(ours))
            others = [
                (name, column.combine_chunks())
                for name, column in zip(table.column_names, table.columns, strict=True)
                if name not in ours
            ]
            found = {
                name: self._text(table.column(name), name, kinds.get(key))
                for name, key in ours.items()
            }
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error
        return found, others

    def lines(self, rows: Iterable[int]) -> list[str]:
        """Return the places of rows, counted from 0, in words for the user."""
        if self._kind == ".parquet":
            return [f"row {row + 1:,}" for row in rows]
        return [f"line {self._first_lines[row]:,}" for row in rows]

    def refuse(self, name: str, what: str, wrong: np.ndarray) -> None:
        """Raise RequestError if rows have something wrong in a column.

        Args:
            what: the end of "2 rows have", in words for the user.
            wrong: bool [N], True for such a row.
        """
        if wrong.any():
            rows = np.flatnonzero(wrong)
            lines = ", ".join(self.lines(rows[:LISTED].tolist())) + " ..." * (len(rows) > LISTED)
            raise RequestError(f"{self.heading(name, what, len(rows))} {lines}")

    def heading(self, name: str, what: str, count: int) -> str:
        """Return the beginning of a message about rows with something wrong in a column."""
        return f"{self}: {count:,} rows have {what} in column {name!r}:"

    @functools.cached_property
    def _first_lines(self) -> np.ndarray:
        """The number of the first line of each row of a text file, int64 [N]."""
        header = 0 if self._kind == ".jsonl" else 1
        return np.fromiter((line for line, _ in islice(self._lines(), header, None)), np.int64)

    def _names(self) -> list[str]:
        names: list[str]
        if self._kind == ".parquet":
            names = pa.parquet.read_schema(self.path).names
        elif self._kind == ".jsonl":
            names = self._json.column_names
        else:
            names = pa.csv.open_csv(self.path, parse_options=self._parsing).schema.names
        return names

    def _table(self, texts: list[str]) -> pa.Table:
        if self._kind == ".parquet":
            return pa.parquet.ParquetFile(self.path).read()
        if self._kind == ".jsonl":
            return self._json
        # Text as it is written: 0002 is not 2.
        types = {name: pa.string() for name in texts}
        convert = pa.csv.ConvertOptions(column_types=types)
        return pa.csv.read_csv(self.path, parse_options=self._parsing, convert_options=convert)

    @property
    def _parsing(self) -> pa.csv.ParseOptions:
        return pa.csv.ParseOptions(delimiter=self._separator, newlines_in_values=True)

    @functools.cached_property
    def _json(self) -> pa.Table:
        table = pa.json.read_json(self.path)
        # A text such as 2024-05-01 is read as a time unless the type is given.
        times = [
            (each.name, pa.string()) for each in table.schema if pa.types.is_temporal(each.type)
        ]
        if not times:
            return table
        options = pa.json.ParseOptions(explicit_schema=pa.schema(times))
        return pa.json.read_json(self.path, parse_options=options)

    def _text(self, column: pa.ChunkedArray, name: str, other: Kind | None) -> pa.Array:
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        readable = pa.types.is_integer(kind) or pa.types.is_null(kind)
        strings = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        readable = readable or bool(other and other(kind))
        if not readable and not any(is_string(kind) for is_string in strings):
            raise RequestError(
                f"{self}: the column {name!r} holds {kind}; expected text or integers"
            )
        return pc.fill_null(column.cast(kind).cast(pa.large_string()).combine_chunks(), "")

    def _require(self, key: str, name: str) -> None:
        times = self.columns.count(name)
        if times == 1:
            return
        if times:
            raise RequestError(f"{self}: {times} columns are named {name!r}")
        near = difflib.get_close_matches(name, self.columns, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; set {key} to the name of yours"
        if len(self.columns) == 1 and self._kind in (".csv", ".tsv"):
            separated = "commas" if self._kind == ".csv" else "tabs"
            hint = f"; {separated} separate the columns of a {self._kind} file"
        raise RequestError(
            f"{self}, line 1: no column {name!r}, which {key} names; it has "
            f"{printable_list(self.columns, 20)}{hint}"
        )

    def _unreadable(self, error: Exception) -> RequestError:
        message = first_line(error)
        if message.startswith("CSV parse error: Expected"):
            lines = self._lines()
            width = len(next(lines)[1])
            line, values = next((at for at in lines if len(at[1]) != width), (0, []))
            if line:
                message = f"line {line:,} has {len(values)} columns instead of {width}"
        return RequestError(f"{self} cannot be read: {message}")

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the first line of each record, with its values, from a text file."""
        with self.path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            if self._kind == ".jsonl":
                yield from ((n, [line]) for n, line in enumerate(file, 1) if line.strip())
                return
            csv.field_size_limit(sys.maxsize)
            records, line = csv.reader(file, delimiter=self._separator), 1
            for record in records:
                if record:
                    yield line, record
                line = records.line_num + 1
