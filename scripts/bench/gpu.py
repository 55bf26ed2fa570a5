"""A GPU: values and cost of the losses, whole steps, MNIST, resuming, evaluation and embedding.

    python scripts/bench/gpu.py --golden golden --output gpu.json
    python scripts/bench/gpu.py --read gpu.json

Rows are printed as they come, those of most worth first. The file holds all rows so far, so that an
interrupted run loses none. No row begins that would end after --minutes, as far as the longest row
of its section tells. The same command again measures the rows that are left.

PyTorch and PyTorch Metric Learning (PML) measure the same losses and steps in the last quarter of
the time, where the command --pml is a Python that has them. `--library` measures one side alone,
`--only` some sections. The values of tensorflow_addons are compared where --golden names the folder
with tfa_losses.npz and tfa_losses.json. MNIST lies in TFDS's own folder, or in TFDS_DATA_DIR.

`--read` joins files into tables in Markdown. `--quick` tries everything at tiny sizes, also on a
CPU.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpu_rows import Row
from libraries import ENVIRONMENTS
from sections import table

HEADINGS = {
    "machine": "Machine",
    "golden": "Values beside tensorflow_addons: largest relative differences",
    "step": "Whole steps: semi-hard triplets of 8 classes, Adam",
    "mnist": "MNIST with `mnist_fast`; recall@1 of the test split, or of the command's own",
    "loss": "Losses: forward and backward with respect to the embeddings, 64 dimensions",
    "resume": "Stopped by a signal and resumed, beside a run that was not",
    "evaluation": "`triplet-eval`, queries x gallery, with start-up",
    "embedding": "Embedding, from memory to a Parquet file",
}
NO_TIME = "no time was left"
SHARE = 0.75  # of the time for this package, where PML is measured too


class Report:
    """Rows as they come: printed, and written to a file that always holds all of them."""

    def __init__(self, file: Path, library: str, minutes: float) -> None:
        self._file, self._library = file, library
        self._end = time.perf_counter() + 60 * minutes
        known = json.loads(file.read_text()) if file.exists() else []
        self._rows = [
            row for row in known if row["library"] != library or row.get("remark") != NO_TIME
        ]

    def measure(self, rows: Iterable[Row]) -> None:
        done = {(row["library"], row["section"], row["name"]) for row in self._rows}
        longest: dict[str, float] = {}  # seconds of a row, by section
        for section, name, measure in rows:
            if (self._library, section, name) in done:
                continue
            begun = time.perf_counter()
            found: dict[str, Any]
            if begun + longest.get(section, 0) > self._end:
                found = {"remark": NO_TIME}
            else:
                try:
                    found = measure()
                except Exception as error:  # of a library, for example out of memory: go on
                    found = {"remark": f"{type(error).__name__}: {str(error).strip()[:300]}"}
                longest[section] = max(longest.get(section, 0), time.perf_counter() - begun)
            self._rows.append({"library": self._library, "section": section, "name": name, **found})
            text = ", ".join(f"{key} {cell(value)}" for key, value in found.items())
            print(f"| {self._library} | {section} | {name} | {text} |", flush=True)
            self._write()

    def _write(self) -> None:
        beside = self._file.with_name(f".{self._file.name}")
        beside.write_text(json.dumps(self._rows, indent=1) + "\n")
        os.replace(beside, self._file)


def page(files: list[Path]) -> str:
    """A table for each section; the columns of PML stand beside ours."""
    joined: dict[str, dict[str, dict[str, Any]]] = {section: {} for section in HEADINGS}
    for row in (row for file in files for row in json.loads(file.read_text())):
        library, section, name = (row.pop(key) for key in ("library", "section", "name"))
        prefix = "PML " if library == "pml" and section != "machine" else ""
        joined[section].setdefault(name, {}).update({prefix + k: v for k, v in row.items()})
    parts = ["# On a GPU"]
    for section, rows in joined.items():
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        columns.sort(key=lambda key: key.endswith("remark"))
        cells = [[name, *(cell(row.get(key, "")) for key in columns)] for name, row in rows.items()]
        if rows:
            parts += [f"## {HEADINGS[section]}", table([["", *columns], *cells])]
    return "\n\n".join(parts)


def cell(value: Any) -> str:
    if not isinstance(value, float):
        return " ".join(str(value).replace("|", "/").split())
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1e}" if 0 < value < 1e-3 else f"{value:.3g}"


def measure_both(options: argparse.Namespace) -> None:
    """Measure each side in a process of its own, which leaves the next one the whole GPU."""
    end = time.perf_counter() + 60 * options.minutes
    pml = shlex.split(options.pml)
    found = subprocess.run([*pml, "-c", "import pytorch_metric_learning"], capture_output=True)
    sides = [("ours", [sys.executable], 1.0)]
    if found.returncode:
        print(f"PyTorch Metric Learning is left out: {options.pml} does not have it")
    else:
        sides = [("ours", [sys.executable], SHARE), ("pml", pml, 1.0)]
    for library, python, share in sides:
        minutes = (end - time.perf_counter()) / 60 * share
        own = ["--library", library, "--minutes", str(minutes)]
        subprocess.run([*python, __file__, *sys.argv[1:], *own], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    installed = ENVIRONMENTS / "pml/bin/python"
    add = parser.add_argument
    add("--output", type=Path, default=Path("gpu.json"), help="JSON file to write or complete")
    add("--minutes", type=float, default=6.0, help="time for all rows")
    add("--golden", type=Path, help="folder with the values of tensorflow_addons")
    add("--pml", default=str(installed if installed.exists() else sys.executable))
    add("--library", dest="side", choices=("ours", "pml"), help="default: both")
    add("--only", nargs="+", choices=HEADINGS, help="sections")
    add("--quick", action="store_true", help="a few calls of everything, at tiny sizes")
    add("--read", type=Path, nargs="+", help="files of --output to print as tables")
    options = parser.parse_args()
    if options.read:
        print(page(options.read))
        return
    if not options.side:
        measure_both(options)
        return
    report = Report(options.output, options.side, options.minutes)
    budget = 0.02 if options.quick else 0.5
    if options.side == "ours":
        import gpu_ours

        rows = gpu_ours.rows(options.quick, budget, options.golden)
    else:
        import gpu_pml

        rows = gpu_pml.rows(options.quick, budget)
    only = ("machine", *(options.only or HEADINGS))
    report.measure(row for row in rows if row.section in only)


if __name__ == "__main__":
    main()
