"""From YAML or a mapping, and overrides, to a `Config`, or to a list of all errors."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from triplet_train.config.schema import METRIC_KEYS, Config, DataConfig, EvaluationConfig
from triplet_train.config.yaml_text import dump, dump_in_one_line, parse, short_repr
from triplet_train.errors import RequestError
from triplet_train.registry import shipped_configs

_MAX_SIZE = 2**20  # bytes


def load_config(given: str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Config:
    """Read and validate the configuration of a run.

    Args:
        given: a YAML file, the bare name of a shipped configuration, or the configuration itself.
        overrides: `section.key=value` each, the value written as in YAML; they win.

    Raises:
        RequestError: the file cannot be read, is not YAML, or violates the schema. All violations
            are listed, each with the path of the key, the value received and the nearest key.
    """
    if isinstance(given, str):
        path = find_config(given)
        where, text = str(path), _read(path)
    else:
        where, text = "the configuration", dump(given)
    tree = parse(text, where)
    if not isinstance(tree, dict):
        raise RequestError(f"{where}: expected `section: ...` lines, received {short_repr(tree)}")
    errors = []
    for override in overrides:
        try:
            _apply(tree, override)
        except RequestError as error:
            errors.append(str(error))
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        errors += _describe_all(error)
    if errors:
        heading = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise RequestError("\n  ".join([f"{heading} in {where}:", *errors]))
    return config


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """Write values by key as the overrides that `load_config` takes.

    A mapping stands for its keys one by one, so that the other keys of a section stay.

    >>> as_overrides({"seed": 1, "loss.margin": 0.3, "train": {"steps": 9, "patience": None}})
    ['seed=1', 'loss.margin=0.3', 'train.steps=9', 'train.patience=null']

    Raises:
        RequestError: a value that no configuration can hold.
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and name in Config.model_fields:
            flat |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            flat[name] = value
    return [f"{key}={dump_in_one_line(value)}" for key, value in flat.items()]


def make_data_config(**values: Any) -> DataConfig:
    """Validate the section `data` alone, from options of a command.

    Raises:
        RequestError: a value violates the schema.
    """
    try:
        return DataConfig(**values)
    except ValidationError as error:
        raise RequestError("\n  ".join(_describe_all(error, "data"))) from error


def make_evaluation_config(
    stored: Mapping[str, Any], overrides: Sequence[str] = ()
) -> EvaluationConfig:
    """Validate the keys of `evaluation` that choose metrics, without those for the training.

    Args:
        stored: values of a run's section `evaluation`.
        overrides: `evaluation.key=value` each; they win.

    Raises:
        RequestError: a value violates the schema, or another key is overridden. All violations are
            listed.
    """
    given: dict[str, Any] = {"evaluation": {}}
    errors = []
    for override in overrides:
        try:
            _apply(given, override)
        except RequestError as error:
            errors.append(str(error))
    names = [f"evaluation.{key}" for key in METRIC_KEYS]
    for section, keys in given.items():
        paths = [f"{section}.{key}" for key in keys] if isinstance(keys, dict) else [section]
        others = [path for path in paths if path not in names]
        errors += [
            f"--set {path}: the keys that can be set are {', '.join(names)}" for path in others
        ]
    values = {**stored, **given["evaluation"]} if isinstance(given["evaluation"], dict) else {}
    try:
        config = EvaluationConfig(**{key: values[key] for key in METRIC_KEYS if key in values})
    except ValidationError as error:
        errors += _describe_all(error, "evaluation")
    if errors:
        raise RequestError("\n  ".join(errors))
    return config


def find_config(name_or_path: str) -> Path:
    """Return the file if it exists, or else the shipped configuration of that name."""
    path = Path(name_or_path)
    if path.is_file():
        return path
    shipped = shipped_configs()
    if path.parent == Path(".") and path.suffix in ("", ".yaml", ".yml") and path.stem in shipped:
        return shipped[path.stem]
    raise RequestError(
        f"no configuration {name_or_path!r}: neither a file nor a shipped configuration "
        f"({', '.join(shipped)}){_nearest(path.stem, shipped)}"
    )


def config_name(given: str | Mapping[str, Any]) -> str:
    """Return the default name of a run: the file name of its configuration without the suffix.

    Raises:
        RequestError: that would be `.` or `..`, or the configuration is no file.
    """
    if not isinstance(given, str):
        raise RequestError("the configuration has no name to name the run after; give --run-dir")
    name = Path(given).stem
    if not name.strip("."):
        raise RequestError(f"cannot name the run after {given}; give --run-dir")
    return name


def to_yaml(config: Config) -> str:
    """Write the resolved configuration as YAML that `load_config` reads as an equal `Config`."""
    return dump(config.model_dump(mode="json"))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_SIZE:
            raise RequestError(f"{path} is not a configuration: it is larger than 1 MiB")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read the configuration {path}: {error}") from error


def _apply(tree: dict[str, Any], override: str) -> None:
    path, separator, value = override.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        raise RequestError(f"--set {override}: expected section.key=value, as in loss.margin=0.3")
    node = tree
    for key in keys[:-1]:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise RequestError(f"--set {override}: {key} is {short_repr(child)}, which has no keys")
        node = child
    node[keys[-1]] = parse(value, f"--set {override}")


def _describe_all(error: ValidationError, *section: str) -> list[str]:
    return [_describe(detail, *section) for detail in error.errors(include_url=False)]


def _describe(detail: ErrorDetails, *section: str) -> str:
    """Write one line: path, error, value received, nearest valid name."""
    keys = [_shown_key(str(key)) for key in (*section, *detail["loc"])]
    path, value = ".".join(keys), short_repr(detail["input"])
    received = f"(received {value})"
    match detail["type"]:
        case "extra_forbidden":
            return f"{path}: unknown key {received}{_nearest_key(keys)}"
        case "missing":
            return f"{path}: required but not given"
        case "value_error":
            return f"{path}: {detail['ctx']['error']} {received}"
        case "literal_error":
            allowed = re.findall(r"[^',\s]+", detail["ctx"]["expected"].replace(" or ", " "))
            near = _nearest(value.strip("'"), allowed)
            return f"{path}: must be one of {', '.join(allowed)} {received}{near}"
        case "model_type":
            return f"{path}: must be a section with keys, as in `{path}: {{key: value}}` {received}"
    message = detail["msg"].removeprefix("Input ").replace("tuple", "list")
    return f"{path}: {message} {received}"


def _shown_key(key: str) -> str:
    return key if key.isprintable() and len(key) <= 80 else short_repr(key)


def _nearest_key(keys: list[str]) -> str:
    """Suggest the nearest key of the same section, or else of any section."""
    sections = _keys_by_section(Config, "")
    anywhere = {key: section for section, names in sections.items() for key in names}
    *parents, key = keys
    section = "".join(f"{parent}." for parent in parents)
    for names in (dict.fromkeys(sections.get(section, []), section), anywhere):
        if near := difflib.get_close_matches(key, names, n=1):
            return f"; did you mean {names[near[0]]}{near[0]}?"
    return ""


def _keys_by_section(section: type[BaseModel], name: str) -> dict[str, list[str]]:
    """Return the keys of a section and, before them, of the sections in it, by section."""
    keys: dict[str, list[str]] = {}
    for key, field in section.model_fields.items():
        if isinstance(field.annotation, type(BaseModel)):  # list[int] is a type in Python 3.10
            keys |= _keys_by_section(field.annotation, f"{name}{key}.")
    return keys | {name: list(section.model_fields)}


def _nearest(word: str, valid: Iterable[str]) -> str:
    """Return `; did you mean X?`, or the empty string if no name is similar."""
    matches = difflib.get_close_matches(word, list(valid), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""
