"""From a YAML file and `--set` overrides to a `Config`, or to every error at once."""

import difflib
import re
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from triplet_train.config.schema import Config
from triplet_train.errors import RequestError
from triplet_train.registry import shipped_configs


class _Loader(yaml.SafeLoader):
    """safe_load that reads 1e-3 as a number, as YAML 1.2 does, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue  # refused by the schema
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def load_config(name_or_path: str, overrides: list[str] | None = None) -> Config:
    """The validated configuration of a run.

    Args:
        name_or_path: a YAML file, or the bare name of a shipped configuration.
        overrides: `section.key=value` each, the value written as in YAML; they win over the file.

    Raises:
        RequestError: the file cannot be read, is not YAML, or breaks the schema. Every error of
            the schema is listed, with the key's path, the value received and the nearest key.
    """
    path = find_config(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read the configuration {path}: {error}") from error
    tree = _parse(text, str(path))
    if not isinstance(tree, dict):
        raise RequestError(f"{path}: expected `section: ...` lines, received {tree!r}")
    errors = []
    for override in overrides or []:
        try:
            _apply(tree, override)
        except RequestError as error:
            errors.append(str(error))
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        errors += [_describe(detail) for detail in error.errors(include_url=False)]
    if errors:
        heading = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise RequestError("\n  ".join([f"{heading} in {path}:", *errors]))
    return config


def find_config(name_or_path: str) -> Path:
    """The file itself if it exists, else the shipped configuration of that name."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_configs()
    if path.parent == Path(".") and path.suffix in ("", ".yaml", ".yml") and path.stem in shipped:
        return shipped[path.stem]
    raise RequestError(
        f"no configuration {name_or_path!r}: neither a file nor a shipped one "
        f"({', '.join(shipped)}){_nearest(path.stem, shipped)}"
    )


def config_name(name_or_path: str) -> str:
    """The name of the run that a configuration makes: its file name without the suffix."""
    return Path(name_or_path).stem


def to_yaml(config: Config) -> str:
    """The resolved configuration as YAML; `load_config` on it gives the same `Config`."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise RequestError(f"{where} is not valid YAML: {error}") from error


def _apply(tree: dict[str, Any], override: str) -> None:
    path, separator, value = override.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise RequestError(f"--set {override}: expected section.key=value, as in loss.margin=0.3")
    node = tree
    for key in keys[:-1]:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise RequestError(f"--set {override}: {key} holds {child!r}, which has no keys")
        node = child
    node[keys[-1]] = _parse(value, f"--set {override}")


def _describe(detail: ErrorDetails) -> str:
    """One line: path, what is wrong, the value received, the nearest valid name."""
    keys = [str(key) for key in detail["loc"]]
    path, received = ".".join(keys), f"(received {detail['input']!r})"
    if detail["type"] == "extra_forbidden":
        return f"{path}: unknown key {received}{_nearest_key(keys)}"
    if detail["type"] == "missing":
        return f"{path}: required, and not given"
    if detail["type"] == "value_error":
        return f"{path}: {detail['ctx']['error']} {received}"
    if detail["type"] == "literal_error":
        allowed = re.findall(r"[^',\s]+", detail["ctx"]["expected"].replace(" or ", " "))
        return (
            f"{path}: must be one of {', '.join(allowed)} {received}"
            f"{_nearest(str(detail['input']), allowed)}"
        )
    if detail["type"] == "model_type":
        return f"{path}: must hold keys, as in `{path}: {{key: value}}` {received}"
    message = detail["msg"].removeprefix("Input ")
    return f"{path}: {message} {received}"


def _nearest_key(keys: list[str]) -> str:
    """The nearest key of the same section, or else the nearest of any section."""
    sections: dict[str, list[str]] = {"": list(Config.model_fields)}
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            sections[f"{name}."] = list(field.annotation.model_fields)
    prefix = "".join(f"{key}." for key in keys[:-1])
    anywhere = {key: section for section, names in sections.items() for key in names}
    matches = difflib.get_close_matches(keys[-1], anywhere, n=1)
    return _nearest(keys[-1], sections.get(prefix, []), prefix) or "".join(
        f"; did you mean {anywhere[match]}{match}?" for match in matches
    )


def _nearest(word: str, valid: typing.Iterable[str], prefix: str = "") -> str:
    """`; did you mean X?`, or the empty string where nothing comes near."""
    matches = difflib.get_close_matches(word, list(valid), n=1)
    return f"; did you mean {prefix}{matches[0]}?" if matches else ""
