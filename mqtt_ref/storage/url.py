# SPDX-License-Identifier: MIT
"""Stores by their address: `sqlite:PATH`, or just a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mqtt_ref.storage.port import Durability
from mqtt_ref.storage.store import Store

if TYPE_CHECKING:
    from mqtt_ref.storage.port import KeyValue

__all__ = ["KINDS", "store_at"]

KINDS: Final = ("sqlite",)
"""What may stand in front of the colon."""


def store_at(address: str, durability: Durability | None = None) -> Store:
    """The store at an address, not opened yet. `durability` None is the usual one of its kind.

    Raises:
        ValueError: the address is of no known kind, or names nothing.
    """
    return Store(_back_end(address, durability))


def _back_end(address: str, durability: Durability | None) -> KeyValue:
    _, path = split(address)
    from mqtt_ref.storage.sqlite import Sqlite

    return Sqlite(path, durability or "full")


def split(address: str) -> tuple[str, str]:
    """Kind and place of an address."""
    kind, colon, path = address.partition(":")
    if not colon or not re.fullmatch("[a-z]{2,}", kind):
        kind, path = "sqlite", address  # `C:\\store.db` too
    if kind not in KINDS:
        raise ValueError(f"there is no kind of store {kind!r}; it is one of {', '.join(KINDS)}, as in sqlite:PATH")
    if not path:
        raise ValueError(f"{address!r} names no place; it is written like {kind}:PATH")
    return kind, path
