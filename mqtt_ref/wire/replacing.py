# SPDX-License-Identifier: MIT
"""Copies of packets with some fields changed: what `replace` of every packet class has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["replaced"]


class _Packet(Protocol):
    @property
    def __match_args__(self) -> tuple[str, ...]: ...


def replaced(packet: _Packet, changes: Mapping[str, Any]) -> list[Any]:
    """Return the arguments that make a copy of `packet` with these changes. Lists that stay are copied.

    Raises:
        TypeError: it has no such field.
    """
    names = packet.__match_args__
    for name in changes:
        if name not in names:
            kind = type(packet).__name__
            raise TypeError(f"{kind} has no field {name!r}; it has {', '.join(names) or 'none'}")
    return [changes[name] if name in changes else _kept(getattr(packet, name)) for name in names]


def _kept(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value
