"""The schema as a commented YAML file, for `triplet-train --schema` and the documentation."""

import textwrap
from collections import defaultdict
from typing import Any

import yaml

from triplet_train.config.schema import Config

_COLUMN = 28  # where comments begin
_WIDTH = 100
_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
_NO_LIMIT = 2**14  # larger ones only guard against slips
_NAMES = {"string": "text", "boolean": "true | false"}


def schema_as_yaml(names: bool = True) -> str:
    """Write every key with its default, type and meaning; valid YAML but for `data.dataset`.

    Args:
        names: list the names from the registry that are valid values, with their meanings.
    """
    schema = Config.model_json_schema()
    lines = ["# Every key of a configuration, with its default, its type and its meaning."]
    for key, field in schema["properties"].items():
        if "$ref" not in field:
            lines += ["", *_key(key, field, names, required=False)]
            continue
        lines += ["", *_section(key, field, schema["$defs"], names)]
    return "\n".join(lines) + "\n"


def _section(
    key: str, field: dict[str, Any], definitions: dict[str, Any], names: bool
) -> list[str]:
    """Write a section with its keys, two spaces further to the right, and sections in it."""
    section = definitions[field["$ref"].rpartition("/")[2]]
    lines = [f"{key}:  # {section['description']}"]
    margin = " " * (len(key) - len(key.lstrip()) + 2)
    for name, part in section["properties"].items():
        if "$ref" in part:
            lines += _section(margin + name, part, definitions, names)
        else:
            required = name in section.get("required", ())
            lines += _key(margin + name, part, names, required=required)
    return lines


def _key(name: str, field: dict[str, Any], names: bool, *, required: bool) -> list[str]:
    value = "" if required else " " + _yaml(field["default"])
    comments = [f"({'required ' if required else ''}{_type(field)}) {field['description']}"]
    if names:
        comments += [f"  {', '.join(some)}: {why}" for why, some in _meanings(field).items()]
    width = _WIDTH - _COLUMN - len("# ")
    wrapped = [
        line
        for comment in comments
        for line in textwrap.wrap(comment, width, subsequent_indent="    ", break_on_hyphens=False)
    ]
    margins = [f"{name}:{value}"] + [""] * (len(wrapped) - 1)
    return [
        f"{margin:{_COLUMN - 2}}  # {line}" for margin, line in zip(margins, wrapped, strict=True)
    ]


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


def _type(field: dict[str, Any]) -> str:
    """Describe the JSON schema of a value in a few words. The default says if it may be null."""
    if "meanings" in field:
        return "name"
    if "const" in field:
        return str(field["const"])
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"] if part != {"type": "null"})
    if "prefixItems" in field:
        return f"[{', '.join(map(_type, field['prefixItems']))}]"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    limits = [
        f" {sign} {field[key]:g}"
        for key, sign in _LIMITS.items()
        if key in field and field[key] < _NO_LIMIT
    ]
    kind: str = field["type"]
    return _NAMES.get(kind, kind) + ",".join(limits)


def _meanings(field: dict[str, Any]) -> dict[str, list[str]]:
    """Group the names that are valid values by their meaning."""
    names = defaultdict(list)
    for name, meaning in field.get("items", field).get("meanings", ()):
        names[meaning].append(name)
    return names
