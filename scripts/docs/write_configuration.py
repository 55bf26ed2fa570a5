"""Write the schema into docs/configuration.md, without the names that have pages of their own."""

import re
from pathlib import Path

from triplet_train.config import schema_as_yaml

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
SCHEMA = re.compile(r"(?<=^```yaml\n)# Every key.*?(?=^```$)", re.MULTILINE | re.DOTALL)

if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(SCHEMA.sub(lambda _: schema_as_yaml(names=False), page), encoding="utf-8")
