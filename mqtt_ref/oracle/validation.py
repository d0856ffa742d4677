# SPDX-License-Identifier: MIT
"""Validate objects built in Python like those read from a file: msgspec itself validates only what it decodes."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Any, Final, get_args

from msgspec import Struct, ValidationError, convert
from msgspec.structs import FieldInfo, fields

__all__ = ["validate"]

SIMILAR: Final = 0.6
"""How similar a name has to be to be suggested, from 0 to 1."""


def validate(instance: Struct) -> None:
    """Check the type and range of each field.

    Raises:
        ValueError: a field is invalid. The text names the field, and a similar word that would be valid.
    """
    for field in _fields(type(instance)):
        value = getattr(instance, field.name)
        try:
            convert(value, field.type)
        except ValidationError as error:
            hint = f" ({value!r}{_suggestion(value, field.type)})" if isinstance(value, str | int | float) else ""
            raise ValueError(f"{field.name} of {type(instance).__name__}: {error}{hint}") from None


@cache
def _fields(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    return fields(kind)


def _suggestion(value: object, kind: Any) -> str:
    close = get_close_matches(value, _names(kind), 1, SIMILAR) if isinstance(value, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def _names(kind: Any) -> list[str]:
    """Return the words that the Literals within a type allow."""
    if isinstance(kind, str):
        return [kind]
    return [name for part in get_args(kind) for name in _names(part)]
