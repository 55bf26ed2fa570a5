"""YAML as configurations hold it: plain values, nested a little, each written once."""

import re
import reprlib
from typing import Any

import yaml

from triplet_train.errors import RequestError

_DEEPEST = 16  # levels; a configuration has four
# What PyYAML happens on in values such as !!int '' and 2020-13-01.
_MALFORMED = (ValueError, LookupError, AttributeError, TypeError, ArithmeticError)

_short = reprlib.Repr()
_short.maxlevel, _short.maxlist, _short.maxdict = 3, 20, 20
_short.maxstring = _short.maxother = _short.maxlong = 80


class _Loader(yaml.SafeLoader):
    """safe_load that reads 1e-3 as a number, as YAML 1.2 does.

    It refuses a key given twice, and what could make much of a short text: depth, and aliases of
    lists and of keys.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent) and not isinstance(node, yaml.ScalarNode):
            raise yaml.composer.ComposerError(
                None,
                None,
                f"*{event.anchor} stands for a list or for keys; write them out",
                mark,
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()  # else it is refused
        for key_node, _ in pairs:
            if not isinstance(key_node, yaml.ScalarNode):
                continue  # refused as unhashable
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _MALFORMED as error:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{shown(node.value)} is no {node.tag.rsplit(':')[-1]}",
                node.start_mark,
            ) from error

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if re.search("[\0\ud800-\udfff]", str(value)):  # no name of a file, and no UTF-8
            raise yaml.constructor.ConstructorError(
                None, None, f"{value!r} holds characters that are no text", node.start_mark
            )
        return value


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def parse(text: str, where: str) -> Any:
    """The value that `text` holds. Raises RequestError, which names `where` and the line."""
    try:
        loader = _Loader(text)
        loader.name = where
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise RequestError(f"{where} is not valid YAML: {error}") from error


def shown(value: Any) -> str:
    """A value as it can be printed, cut where it is long."""
    try:
        return _short.repr(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        return "a number of thousands of digits"
