"""Command line and Markdown that the benches share.

A bench prints one section of a page: its docstring, whose first line is the heading, then what
`section(quick)` returns. It needs nothing but Python before it is asked to measure, so that its
workers can run in the environments of other libraries.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the commands do
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(section: Callable[[bool], str], work: Callable[..., Any] | None = None) -> None:
    """Print the section of the script that is running, or do the work of one of its workers."""
    document = sys.modules["__main__"].__doc__ or ""
    parser = argparse.ArgumentParser(
        description=document, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="try it at tiny sizes")
    parser.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if work and options.worker is not None:
        print(json.dumps(work(**options.worker)))
    else:
        print(f"## {document.strip()}\n\n{section(options.quick)}")


def table(rows: list[list[str]], left: int = 1) -> str:
    """Markdown table of `rows`, the heading first; columns from `left` on are right-aligned."""
    rule = ["---"] * left + ["---:"] * (len(rows[0]) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def average(values: Sequence[float]) -> str:
    """Mean of the values of all seeds and, of several, their standard deviation."""
    spread = f" +- {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{mean(values):.4f}{spread}"


def file_name(row: str) -> str:
    """Name of a file or folder for the row of a table."""
    return re.sub(r"\W+", "_", row).strip("_")
