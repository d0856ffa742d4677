# SPDX-License-Identifier: MIT
"""What is said from Python is held to what a file is held to: msgspec itself looks only at what it decodes."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Any, Final, get_args

from msgspec import Struct, ValidationError, convert
from msgspec.structs import FieldInfo, fields

__all__ = ["check_said"]

CLOSE: Final = 0.6


def check_said(made: Struct) -> None:
    """Hold each field to its type and range.

    Raises:
        ValueError: one is not what it has to be; says which, and what is called alike.
    """
    for field in _fields(type(made)):
        value = getattr(made, field.name)
        try:
            convert(value, field.type)
        except ValidationError as error:
            hint = f" ({value!r}{_alike(value, field.type)})" if isinstance(value, str | int | float) else ""
            raise ValueError(f"{field.name} of {type(made).__name__}: {error}{hint}") from None


@cache
def _fields(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    return fields(kind)


def _alike(value: object, kind: Any) -> str:
    close = get_close_matches(value, _names(kind), 1, CLOSE) if isinstance(value, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def _names(kind: Any) -> list[str]:
    """The words that a Literal allows, wherever it stands in the type."""
    if isinstance(kind, str):
        return [kind]
    return [name for part in get_args(kind) for name in _names(part)]
