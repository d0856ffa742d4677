# SPDX-License-Identifier: MIT
"""Applies environment variables to a configuration: `MQTT_REF__OPTIONS__CAPABILITIES__MAXIMUM_QOS=1`.

Two underscores separate the keys. A number is an index in a list; the next free index adds an item. A value is read
like one in a file: `1`, `true`, `[a, b]`, `{allow: true}`. Where text is expected, the value is used unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from mqtt_ref.config.check import alternatives, fields_of, inner
from mqtt_ref.config.model import Config, Section
from mqtt_ref.config.problem import KeyPath, Problem
from mqtt_ref.config.source import scalar

__all__ = ["PREFIX", "overlay"]

PREFIX: Final = "MQTT_REF__"


def overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> tuple[dict[KeyPath, str], list[Problem]]:
    """Set the values of the variables in `tree`.

    Returns:
        The name of the variable by key path, and a problem for each invalid variable.
    """
    sources: dict[KeyPath, str] = {}
    problems: list[Problem] = []
    for name in sorted(environment, key=_order):
        if not name.startswith(PREFIX):
            continue
        words = name.removeprefix(PREFIX).split("__")
        try:
            path = _set(tree, Config, words, environment[name])
        except ValueError as error:
            problems.append(Problem(f"${name}", 0, 0, (), str(error)))
        else:
            sources[path] = f"${name}"
    return sources, problems


def _order(name: str) -> list[tuple[int, str]]:
    """Sort key: list indices in numeric order, 10 after 9; a container before its content."""
    return [(int(word), "") if word.isdecimal() else (0, word) for word in name.split("__")]


def _set(tree: Any, hint: Any, words: list[str], text: str) -> KeyPath:
    """Set the value at the place that the words name, and return its key path.

    Keys of a section are converted to lower case; those of a list or a free mapping are used unchanged.

    Raises:
        ValueError: there is no such place.
    """
    here = tree
    path: list[str | int] = []
    for at, word in enumerate(words):
        last = at == len(words) - 1
        kind = inner(hint)
        key: str | int
        if get_origin(kind) is list:
            key, hint = _position(here, word), get_args(kind)[0]
            if key == len(here):
                here.append(None)
        elif get_origin(kind) is dict:
            key, hint = word, get_args(kind)[1]
        else:
            key = word.lower()
            hint = _field(kind, here, key)
        path.append(key)
        if last:
            here[key] = text if inner(hint) is str else scalar(text)
            break
        following = inner(hint)
        if not _holds(following):
            raise ValueError(f"{'__'.join(words[: at + 1])} is one value, there is no {words[at + 1]} in it")
        empty: Any = [] if get_origin(following) is list else {}
        present = here[key] if isinstance(key, int) or key in here else None
        if not isinstance(present, type(empty)):
            if present is not None:
                raise ValueError(f"{word} has a single value, nothing can be set in it")
            here[key] = empty
        here = here[key]
    return tuple(path)


def _holds(kind: Any) -> bool:
    """True if values of this type contain others."""
    if kind is Any or get_origin(kind) in (list, dict) or alternatives(kind):
        return True
    return isinstance(kind, type) and issubclass(kind, Section)


def _position(items: list[Any], word: str) -> int:
    if not word.isdecimal() or int(word) > len(items):
        raise ValueError(f"{word} is not an index in the list; use 0 to {len(items)}, the last one adds an item")
    return int(word)


def _field(kind: Any, here: dict[str, Any], key: str) -> Any:
    choices = alternatives(kind)
    if choices:
        if key == "type":
            return str
        name = here.get("type")
        known = {field: hint for choice in choices.values() for field, hint in fields_of(choice).items()}
        if name in choices:
            known = fields_of(choices[name])
    elif isinstance(kind, type) and issubclass(kind, Section):
        known = fields_of(kind)
    elif kind is Any:
        return Any
    else:
        raise ValueError(f"{key.upper()} is not known here")
    if key not in known:
        names = ", ".join(name.upper() for name in known)
        raise ValueError(f"there is no {key.upper() or 'option without a name'} here; known are {names}")
    return known[key]
