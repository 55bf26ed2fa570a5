"""Files that an answer is written to besides standard output: JSON and a page."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from triplet_train.embeddings.output import format_of
from triplet_train.errors import RequestError
from triplet_train.files import refuse_file


def refuse_answer_files(json: Path | None, report: Path | None, *, overwrite: bool) -> None:
    """Raise RequestError for --json and --report that cannot be written or exist."""
    if json is not None:
        if format_of(json):
            raise RequestError(
                f"--json {json}: {json.suffix} is a suffix of embedding files; choose a name that "
                "ends in .json"
            )
        refuse_file(json, overwrite=overwrite)
    if report is not None:
        if report.suffix != ".html":
            raise RequestError(f"--report {report}: the name must end in .html")
        refuse_file(report, overwrite=overwrite)


def refuse_equal_names(files: Mapping[str, Path | None]) -> None:
    """Raise RequestError if two options, name -> file, name the same file."""
    for one, other in combinations([name for name, file in files.items() if file], 2):
        if files[one] == files[other]:
            raise RequestError(f"{one} and {other} both name {files[one]}; choose two names")
