"""Tables of images in every format."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet

from triplet_train.config import DataConfig
from triplet_train.data.source import open_source

ROWS = [
    ("train/bee/1.png", "bee", "train"),
    ("train/ant/2.png", "ant", "train"),
    ("train/bee/3.png", "bee", "train"),
    ("train/ant/4.png", "ant", "train"),
    ("test/bee/5.png", "bee", "test"),
    ("test/cat/6.png", "cat", "test"),
    ("test/cat/7.png", "cat", "test"),
]
NAMES = ("path", "label", "split")


def write(file, rows=ROWS, names=NAMES):
    """Write a table in the format that its suffix names."""
    if file.suffix == ".parquet":
        columns = [list(column) for column in zip(*rows, strict=True)]
        pyarrow.parquet.write_table(pa.table(columns, names=list(names)), file)
    elif file.suffix == ".jsonl":
        lines = (json.dumps(dict(zip(names, row, strict=True))) for row in rows)
        file.write_text("".join(f"{line}\n" for line in lines))
    else:
        with file.open("w", newline="") as opened:
            csv.writer(opened, delimiter="\t" if file.suffix == ".tsv" else ",").writerows(
                [names, *rows]
            )
    return file


def source(file, **options):
    options = {"image_size": (8, 8)} | options
    return open_source(DataConfig(dataset="table", path=str(file), **options))
