# SPDX-License-Identifier: MIT
"""Packets by their fields and properties, as a test says what it expects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["check_fields", "matches"]


def matches(packet: object, fields: dict[str, Any]) -> bool:
    """Whether the packet's fields, or properties of these names, are as wanted.

    A value that can be called is asked. Text is compared with the bytes that it encodes to, where a field has bytes.
    What `check_fields` refuses is taken for None.
    """
    for name, wanted in fields.items():
        value = _value(packet, name)
        if callable(wanted):
            if not wanted(value):
                return False
        elif value != (wanted.encode() if isinstance(wanted, str) and isinstance(value, bytes) else wanted):
            return False
    return True


def check_fields(kind: type, fields: Iterable[str]) -> None:
    """Whether packets of that kind can have these fields or properties.

    Raises:
        TypeError: they cannot; says which there are.
    """
    known = _property_names(kind)
    for name in fields:
        if not hasattr(kind, name) and name not in known:
            own = [field for field in getattr(kind, "__match_args__", ()) if field != "properties"]
            raise TypeError(f"{kind.__name__} has no field {name!r}; there are {', '.join([*own, *known])}")


def _value(packet: object, name: str) -> object:
    if hasattr(packet, name):
        return getattr(packet, name)
    properties = getattr(packet, "properties", None)
    return getattr(properties, name, None)


def _property_names(kind: type) -> tuple[str, ...]:
    from mqtt_ref.wire import packets

    names: tuple[str, ...] = getattr(getattr(packets, f"{kind.__name__}Properties", None), "__match_args__", ())
    return names
