"""YAML of configurations: plain values, nested a few levels, each key given once."""

import os
import re
import reprlib
from collections.abc import Mapping
from typing import Any

import yaml

from triplet_train.errors import RequestError

_MAX_DEPTH = 16  # a configuration has four levels
# Errors that PyYAML lets through for values such as !!int '' and 2020-13-01.
_MALFORMED = (ValueError, LookupError, AttributeError, TypeError, ArithmeticError)

_short = reprlib.Repr()
_short.maxlevel, _short.maxlist, _short.maxdict = 3, 20, 20
_short.maxstring = _short.maxother = _short.maxlong = 80


# PyYAML is extended: users' yes, off and 010 keep their YAML 1.1 meaning; `dump` can be read again.
class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys and everything that makes a short text expensive.

    The latter are deep nesting and aliases of lists and mappings.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _error(event, "nested too deeply")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent) and not isinstance(node, yaml.ScalarNode):
            raise _error(event, f"*{event.anchor} stands for a list or for keys; write them out")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()  # super() refuses others
        for key, _ in pairs:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise _error(key, f"the key {key.value!r} is given twice")
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _MALFORMED as error:
            kind = node.tag.rsplit(":")[-1]
            raise _error(node, f"{short_repr(node.value)} is not a valid {kind}") from error

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if re.search("[\0\ud800-\udfff]", str(value)):  # not valid in UTF-8 or in a file name
            raise _error(node, f"{value!r} holds characters that are not text")
        return value


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes whatever `_Loader` would not read as text.

    It writes paths, mappings, and arrays and scalars of NumPy as plain values.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return True  # `_Loader` refuses most

    def represent_other(self, value: Any) -> yaml.Node:
        """Represent a value that is not of one of the types of YAML."""
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        elif hasattr(value, "tolist"):
            value = value.tolist()
        else:
            kind = type(value).__name__
            raise RequestError(f"a configuration cannot hold {short_repr(value)}, of type {kind}")
        return self.represent_data(value)


_Dumper.add_multi_representer(object, _Dumper.represent_other)


# YAML 1.1, which PyYAML implements, reads 1e-3 as text; YAML 1.2 reads it as a number.
for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )


def parse(text: str, where: str) -> Any:
    """Return the value of a YAML document.

    Raises:
        RequestError: it is not valid; the message names `where` and the line.
    """
    try:
        loader = _Loader(text)
        loader.name = where
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise RequestError(f"{where} is not valid YAML: {error}") from error


def dump(value: Any) -> str:
    """Write a value as YAML that `parse` reads back.

    Raises:
        RequestError: it contains an object that YAML cannot hold.
    """
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)


def dump_in_one_line(value: Any) -> str:
    """Write a value as `dump` does, in one line; text with line ends takes several.

    >>> dump_in_one_line([0.5, None, "5"])
    "[0.5, null, '5']"
    """
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=1e9)
    return text.removesuffix("...\n").strip()


def short_repr(value: Any) -> str:
    """Format a value for a message, shortened where it is long."""
    try:
        return _short.repr(value)
    except ValueError:  # Python refuses to format integers of more than 4300 digits
        return "a number of thousands of digits"


def _error(place: Any, problem: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
