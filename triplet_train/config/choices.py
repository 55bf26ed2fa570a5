"""A key that holds one of the names of a table."""

from collections.abc import Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class OneOf:
    """In `Annotated[str, OneOf(names)]`: what a Literal of the names would be.

    Args:
        names: each with its meaning, which `schema_as_yaml` tells.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.literal_schema(list(self._names))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"meanings": list(self._names.items())}
