"""Type of a configuration key that holds a name from the registry."""

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Entry(Protocol):
    @property
    def meaning(self) -> str: ...


class OneOf:
    """Annotation of a string: `Annotated[str, OneOf(table)]` acts like a Literal of the names.

    Args:
        table: entries by name; `schema_as_yaml` prints their meanings.
    """

    def __init__(self, table: Mapping[str, Entry]) -> None:
        self._table = table

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.literal_schema(list(self._table))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # pairs, as pydantic sorts the keys of a JSON schema
        meanings = [(name, entry.meaning) for name, entry in self._table.items()]
        return handler(schema) | {"meanings": meanings}
