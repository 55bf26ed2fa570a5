"""Bring the schema on docs/configuration.md up to date: python scripts/write_configuration.py"""

import re
from pathlib import Path

from triplet_train.config import schema_as_yaml

PAGE = Path(__file__).parents[1] / "docs/configuration.md"
SCHEMA = re.compile(r"(?<=^```yaml\n)# Every key.*?(?=^```$)", re.MULTILINE | re.DOTALL)


def up_to_date(page: str) -> str:
    """The page with what `triplet-train --schema` prints in place of what it printed before."""
    return SCHEMA.sub(lambda _: schema_as_yaml(), page)


if __name__ == "__main__":
    PAGE.write_text(up_to_date(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
