# SPDX-License-Identifier: MIT
"""Reads a configuration file as plain values, with the line and column of each value."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from mqtt_ref.config.problem import ConfigError, KeyPath, Problem

__all__ = ["Source", "parse", "read", "scalar"]

LARGEST: Final = 16 * 1024 * 1024
"""Maximum size of a file in bytes."""
DIGITS: Final = 20
"""Maximum length of an integer, sign and prefix included."""
DEPTH: Final = 32
"""Maximum nesting of mappings and lists."""
NODES: Final = 1_000_000
"""Maximum number of values in a file. A value that aliases repeat is counted each time."""


class Source(NamedTuple):
    """The values of a file, and their places."""

    name: str
    tree: Any
    places: dict[KeyPath, tuple[int, int]]
    """By key path: line and column, both from 1."""

    def place(self, path: KeyPath) -> tuple[int, int]:
        """Return line and column of the value at `path`, or of the nearest container of it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (0, 0))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # in C if available
    """YAML with the plain scalars of version 1.2: `yes` and `on` are words and `12:30` is no number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # as its base has it


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^(?:<<)$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def read(path: Path) -> Source:
    """Read a YAML or JSON file.

    Raises:
        ConfigError: the file cannot be read or is malformed; the problem says where.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)  # a device may have no end
    except OSError as error:
        raise ConfigError([Problem(name, 0, 0, (), f"cannot be read: {error.strerror or error}")]) from error
    if len(data) > LARGEST:
        raise ConfigError([Problem(name, 0, 0, (), f"is larger than {LARGEST} bytes")])
    return parse(data, name)


def parse(data: bytes | str, name: str) -> Source:
    """Parse YAML, which includes JSON. A key that occurs twice in a mapping is refused.

    Raises:
        ConfigError: the text is malformed.
    """
    try:
        loader = _Loader(data)
        try:
            node = loader.get_single_node()
            builder = _Builder(loader, name)
            tree = {} if node is None else builder.build(node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        raise ConfigError([Problem(name, line, column, (), error.problem or "is not YAML")]) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError([Problem(name, 0, 0, (), f"is not YAML: {error}")]) from error
    if builder.problems:
        raise ConfigError(builder.problems)
    return Source(name, tree, builder.places)


def scalar(text: str) -> Any:
    """Read a value like one in a file: `1`, `true`, `[a, b]`, `{a: 1}`. Return text that is not YAML unchanged."""
    try:
        return parse(text, "").tree if text else ""
    except ConfigError:
        return text


class _Builder:
    def __init__(self, loader: Any, name: str) -> None:
        self.loader = loader
        self.name = name
        self.places: dict[KeyPath, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.nodes = 0

    def build(self, node: Any, path: KeyPath) -> Any:
        """Return the value of a node, and note the place of each value in it."""
        self.nodes += 1
        if self.nodes > NODES:
            raise ValueError(f"more than {NODES} values")
        if len(path) > DEPTH:
            raise ValueError(f"more than {DEPTH} nested mappings and lists")
        self.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.build(item, (*path, at)) for at, item in enumerate(node.value)]
        if node.tag == "tag:yaml.org,2002:int" and len(node.value) > DIGITS:
            return self._wrong(node, path, f"is a number of more than {DIGITS} digits")
        value = self.loader.construct_object(node)
        if isinstance(value, float) and not isfinite(value):
            return self._wrong(node, path, "is no finite number")
        return value

    def _wrong(self, node: Any, path: KeyPath, text: str) -> int:
        mark = node.start_mark
        self.problems.append(Problem(self.name, mark.line + 1, mark.column + 1, path, text))
        return 0

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        own = len([key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"])
        self.loader.flatten_mapping(node)  # puts what `<<` brings before the mapping's own keys
        merged = len(node.value) - own
        found: dict[str, Any] = {}
        own_keys: set[str] = set()
        for at, (key, value) in enumerate(node.value):
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(self.name, line, column, path, "a key must be a word"))
                continue
            name = str(key.value)
            if at >= merged:
                if name in own_keys:
                    self.problems.append(Problem(self.name, line, column, (*path, name), "occurs twice here"))
                    continue
                own_keys.add(name)
            self.places[*path, name] = (line, column)
            found[name] = self.build(value, (*path, name))
        return found
