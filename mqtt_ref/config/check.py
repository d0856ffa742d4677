# SPDX-License-Identifier: MIT
"""Converts plain values to structs, and reports every problem, not only the first one."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from mqtt_ref.config.model import SECRETS, Config
from mqtt_ref.config.problem import KeyPath

__all__ = ["alternatives", "check", "check_as", "fields_of", "inner"]

S = TypeVar("S", bound=Struct)
Report = Callable[[KeyPath, str], None]

_WANTED: dict[Any, tuple[str, Any]] = {
    bool: ("true or false", bool),
    int: ("a whole number", int),
    float: ("a number", (int, float)),
    str: ("text", str),
}
"""By type: its name in error texts, and the types that it accepts."""


def check(tree: Any, report: Report) -> Config | None:
    """Convert `tree` to a configuration; return None if a problem was reported."""
    return check_as(tree, Config, report)


def check_as(tree: Any, kind: type[S], report: Report) -> S | None:
    """Convert `tree` to a struct of type `kind`; return None if a problem was reported."""
    wrong = False

    def noted(path: KeyPath, text: str) -> None:
        nonlocal wrong
        wrong = True
        report(path, text)

    _look(tree, kind, (), noted)
    if wrong:
        return None
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:  # raised by a struct whose fields do not fit together
        text, _, where = str(error).partition(" - at `$")
        report(_path(where), text)
        return None


def _path(text: str) -> KeyPath:
    """Read the key path in an error text of msgspec: `.rules[0].when`."""
    return tuple(int(at) if at else name for name, at in re.findall(r"\.(\w+)|\[(\d+)\]", text))


@cache
def fields_of(section: type[Struct]) -> dict[str, Any]:
    """Return the keys of a section, each with its type."""
    hints = get_type_hints(section, include_extras=True)
    names = zip(section.__struct_encode_fields__, section.__struct_fields__, strict=True)
    return {shown: hints[name] for shown, name in names}


def inner(hint: Any) -> Any:
    """Remove `Annotated` from a type, and None if it is optional."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        if len(kinds) == 1:
            return inner(kinds[0])
    return hint


def alternatives(hint: Any) -> dict[str, type[Struct]]:
    """Return the sections that are allowed in one place, by the value of their key `type`."""
    if get_origin(hint) in (Union, types.UnionType):
        return {kind.__struct_config__.tag: kind for kind in get_args(hint) if get_origin(kind) is None}
    return {}


def _look(value: Any, hint: Any, path: KeyPath, report: Report) -> None:
    kind = inner(hint)
    if value is None and _optional(hint):
        return
    if isinstance(value, list):
        kind = next((one for one in get_args(kind) if get_origin(one) is list), kind)
    choices = alternatives(kind) if get_origin(kind) is not list else {}
    if choices:
        if not isinstance(value, dict):
            report(path, f"must be a mapping, not {_kind(value)}")
            return
        name = value.get("type")
        if name is None:
            report(path, f"has no type; it must be one of {', '.join(choices)}")
        elif name not in choices:
            report((*path, "type"), _not_one_of(name, list(choices)))
        else:
            _look_at_section(value, choices[name], path, report)
    elif isinstance(kind, type) and issubclass(kind, Struct):
        _look_at_section(value, kind, path, report)
    elif get_origin(kind) is list:
        if not isinstance(value, list):
            report(path, f"must be a list, not {_kind(value)}")
            return
        for at, item in enumerate(value):
            _look(item, get_args(kind)[0], (*path, at), report)
    elif get_origin(kind) is dict:
        if not isinstance(value, dict):
            report(path, f"must be a mapping, not {_kind(value)}")
            return
        for key, item in value.items():
            _look(item, get_args(kind)[1], (*path, key), report)
    else:
        try:
            msgspec.convert(value, hint)
        except msgspec.ValidationError as error:
            text = _plainly(value, kind, str(error))
            report(path, text.replace(_said(value), "this") if path and path[-1] in SECRETS else text)


def _look_at_section(value: Any, section: type[Struct], path: KeyPath, report: Report) -> None:
    if not isinstance(value, dict):
        report(path, f"must be a mapping, not {_kind(value)}")
        return
    known = fields_of(section)
    for key, item in list(value.items()):
        if key in known:
            if item is None and isinstance(inner(known[key]), type) and not _optional(known[key]):
                if issubclass(inner(known[key]), Struct):
                    del value[key]  # a heading with nothing under it
                    continue
            _look(item, known[key], (*path, key), report)
        elif key != section.__struct_config__.tag_field:
            report((*path, key), "is not known here" + _meant(key, list(known)))
    for field in msgspec.structs.fields(section):
        if field.required and field.encode_name not in value:
            report(path, f"lacks {field.encode_name}")


def _optional(hint: Any) -> bool:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def _kind(value: Any) -> str:
    """Describe a value that is not a section. Text is not shown: it may be a whole section with passwords."""
    return "text" if isinstance(value, str) else _said(value)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    return repr(value) if not isinstance(value, bool) else str(value).lower()


def _plainly(value: Any, kind: Any, text: str) -> str:
    """Rewrite an error text of msgspec for the author of a configuration file."""
    options = [str(item) for part in get_args(kind) for item in (get_args(part) or (part,))]
    if options:
        return _not_one_of(value, options)
    wanted, fits = _WANTED.get(kind, ("", object))
    if wanted and (not isinstance(value, fits) or (isinstance(value, bool) and kind is not bool)):
        quotes = "; put it in quotes" if kind is str and isinstance(value, bool | int | float) else ""
        return f"must be {wanted}, not {_said(value)}{quotes}"
    text = text.removeprefix("Expected ").replace("`", "")
    for word in ("int ", "str ", "float "):
        text = text.removeprefix(word)
    return f"is {_said(value)}; it must be {text}"


def _not_one_of(value: Any, options: list[str]) -> str:
    return f"is {_said(value)}; it must be one of {', '.join(options)}" + _meant(str(value), options)


def _meant(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, 1, 0.6)
    return f"; did you mean {close[0]}?" if close else ""
