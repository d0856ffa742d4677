# SPDX-License-Identifier: MIT
"""Compare packets with the fields and properties that a test expects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["check_fields", "matches"]


def matches(packet: object, fields: dict[str, Any]) -> bool:
    """True if the fields, or properties, of the packet have the expected values.

    An expected value may be a function, which is called with the actual value. Text is encoded before it is compared
    with bytes. A field that does not exist is None; see `check_fields`.
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
    """Check that packets of this type have these fields or properties.

    Raises:
        TypeError: a field does not exist. The text lists those that do.
    """
    known = _property_names(kind)
    for name in fields:
        if not hasattr(kind, name) and name not in known:
            own = [field for field in getattr(kind, "__match_args__", ()) if field != "properties"]
            raise TypeError(f"{kind.__name__} has no field {name!r}; it has {', '.join([*own, *known])}")


def _value(packet: object, name: str) -> object:
    if hasattr(packet, name):
        return getattr(packet, name)
    properties = getattr(packet, "properties", None)
    return getattr(properties, name, None)


def _property_names(kind: type) -> tuple[str, ...]:
    from mqtt_ref.wire import packets

    names: tuple[str, ...] = getattr(getattr(packets, f"{kind.__name__}Properties", None), "__match_args__", ())
    return names
