"""metrics.jsonl: its name, and how to read it."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from triplet_train.files import naming

LINES = "metrics.jsonl"


def whole_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; a kill may have cut one short, or come before there was a file."""
    with naming(file):
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            content = json.loads(line)
            if isinstance(content, dict) and isinstance(content.get("step"), int):
                yield content
