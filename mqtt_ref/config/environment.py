# SPDX-License-Identifier: MIT
"""Environment variables over a configuration: `MQTT_REF__OPTIONS__CAPABILITIES__MAXIMUM_QOS=1`.

Two underscores part the keys; a number is a place in a list, whose next free number adds an item. A value is read as
one in a file would be: `1`, `true`, `[a, b]`, `{allow: true}`; where text is wanted, it is taken as it is.
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
    """Set in `tree` what the variables say.

    Returns:
        By key path, the variable that it comes from; and the variables that mean nothing.
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
    """Places in lists one after the other, 10 behind 9; what holds others before what it holds."""
    return [(int(word), "") if word.isdecimal() else (0, word) for word in name.split("__")]


def _set(tree: Any, hint: Any, words: list[str], text: str) -> KeyPath:
    """Walk along the types to the place that the words name, and put the value there.

    A word of a list or a free mapping is taken as it is, one of a section in small letters.
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
                raise ValueError(f"{word} holds a value, nothing can be set in it")
            here[key] = empty
        here = here[key]
    return tuple(path)


def _holds(kind: Any) -> bool:
    """Whether values of this type hold others."""
    if kind is Any or get_origin(kind) in (list, dict) or alternatives(kind):
        return True
    return isinstance(kind, type) and issubclass(kind, Section)


def _position(items: list[Any], word: str) -> int:
    if not word.isdecimal() or int(word) > len(items):
        raise ValueError(f"{word} is not a place in the list: 0 to {len(items)}, the last one adds an item")
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
        raise ValueError(f"nothing is called {key.upper()} here")
    if key not in known:
        names = ", ".join(name.upper() for name in known)
        raise ValueError(f"there is no {key.upper() or 'option without a name'} here; known are {names}")
    return known[key]
