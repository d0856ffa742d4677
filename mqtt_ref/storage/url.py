# SPDX-License-Identifier: MIT
"""Stores by their address: `sqlite:PATH` or just a path, `lmdb:PATH`, `rocksdb:PATH`, `redis://HOST:PORT/DATABASE`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mqtt_ref.storage.port import Durability, StoreError
from mqtt_ref.storage.store import Store

if TYPE_CHECKING:
    from mqtt_ref.storage.port import KeyValue

__all__ = ["KINDS", "redis_store", "store_at"]

KINDS: Final = ("sqlite", "lmdb", "rocksdb", "redis", "rediss")
"""What an address begins with. `rediss` is Redis over TLS."""


def store_at(address: str, durability: Durability | None = None) -> Store:
    """Return the store at an address. It is not opened yet. `durability` None is the default of its kind.

    Raises:
        ValueError: the address is of no known kind, or names no place.
        StoreError: a library for it is not installed.
    """
    kind, colon, place = address.partition(":")
    if not colon or not re.fullmatch("[a-z]{2,}", kind):
        kind, place = "sqlite", address  # `C:\\store.db` too
    if kind not in KINDS:
        raise ValueError(f"there is no kind of store {kind!r}; it is one of {', '.join(KINDS)}, as in sqlite:PATH")
    if not place:
        raise ValueError(f"{address!r} names no place; it is written like {kind}:PATH")
    if kind.startswith("redis"):
        return redis_store(address, durability)
    back_end: KeyValue
    try:
        if kind == "sqlite":
            from mqtt_ref.storage.sqlite import Sqlite

            back_end = Sqlite(place, durability or "full")
        elif kind == "lmdb":
            from mqtt_ref.storage.lmdb import Lmdb

            back_end = Lmdb(place, durability or "full")
        else:
            from mqtt_ref.storage.rocksdb import RocksDb

            back_end = RocksDb(place, durability or "full")
    except ImportError as error:
        raise _lacking(kind, error) from error
    return Store(back_end)


def redis_store(
    url: str,
    durability: Durability | None = None,
    prefix: str = "mqtt_ref:",
    username: str | None = None,
    password: str | None = None,
    ca: str | None = None,
) -> Store:
    """Return a store in Redis. `ca`: a PEM file with who may have signed the server's certificate.

    Raises:
        ValueError: it is no URL of a Redis.
        StoreError: the library for it is not installed.
    """
    try:
        from mqtt_ref.storage.redis import Redis
    except ImportError as error:
        raise _lacking("redis", error) from error
    return Store(Redis(url, durability or "normal", prefix, username, password, ca))


def _lacking(kind: str, error: ImportError) -> StoreError:
    return StoreError(f"a store in {kind} needs a package that is not here ({error}): pip install 'mqtt_ref[{kind}]'")
