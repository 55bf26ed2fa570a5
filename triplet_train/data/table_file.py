"""Files of tables: CSV, TSV, JSON lines and Parquet."""

import csv
import difflib
import functools
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from triplet_train.data.image_files import printable_list, printable_path
from triplet_train.errors import RequestError
from triplet_train.files import first_line
from triplet_train.registry import either

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


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

    def read(self, columns: dict[str, str]) -> dict[str, pa.Array]:
        """Read columns as text; integers are written in decimal digits.

        Args:
            columns: key of the configuration -> name of the column.

        Returns:
            An array of strings for each name; null where the table has nothing.

        Raises:
            RequestError: no such column, one of another type, or a damaged file.
        """
        for key, name in columns.items():
            self._require(key, name)
        try:
            table = self._table(list(dict.fromkeys(columns.values())))
            return {name: self._text(table.column(name), name) for name in columns.values()}
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error

    def lines(self, rows: Iterable[int]) -> list[str]:
        """Return the places of rows, counted from 0 and ascending, in words for the user."""
        if self._kind == ".parquet":
            return [f"row {row + 1:,}" for row in rows]
        wanted, header = set(rows), 0 if self._kind == ".jsonl" else 1
        last = max(wanted, default=-1) + header
        lines = enumerate(islice(self._lines(), last + 1), -header)
        return [f"line {line:,}" for row, (line, _) in lines if row in wanted]

    def _names(self) -> list[str]:
        names: list[str]
        if self._kind == ".parquet":
            names = pa.parquet.read_schema(self.path).names
        elif self._kind == ".jsonl":
            names = self._json.column_names
        else:
            names = pa.csv.open_csv(self.path, parse_options=self._parsing).schema.names
        return names

    def _table(self, names: list[str]) -> pa.Table:
        if self._kind == ".parquet":
            return pa.parquet.ParquetFile(self.path).read(columns=names)
        if self._kind == ".jsonl":
            return self._json
        # Text as it is written: 0002 is not 2.
        types = {name: pa.string() for name in names}
        convert = pa.csv.ConvertOptions(include_columns=names, column_types=types)
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

    def _text(self, column: pa.ChunkedArray, name: str) -> pa.Array:
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        readable = pa.types.is_integer(kind) or pa.types.is_null(kind)
        strings = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        if not readable and not any(is_string(kind) for is_string in strings):
            raise RequestError(
                f"{self}: the column {name!r} holds {kind}; expected text or integers"
            )
        return column.cast(kind).cast(pa.large_string()).combine_chunks()

    def _require(self, key: str, name: str) -> None:
        times = self.columns.count(name)
        if times == 1:
            return
        if times:
            raise RequestError(f"{self}: {times} columns are named {name!r}")
        near = difflib.get_close_matches(name, self.columns, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
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
