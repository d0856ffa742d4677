# SPDX-License-Identifier: MIT
"""From `hooks.storage` of a configuration to the store of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.config.model import Config

if TYPE_CHECKING:
    from mqtt_ref.config.check import Report
    from mqtt_ref.ports import Storage

__all__ = ["storage"]

INSTEAD: Final = {"bolt": "lmdb", "badger": "rocksdb", "pebble": "rocksdb"}
"""Stores of another broker, and which of ours is of the same kind."""


def storage(config: Config, report: Report) -> Storage | None:
    """Return the store of a configuration, not opened yet. Report what is wrong with it."""
    wanted = config.hooks.storage
    if wanted is None:
        return None
    at = ("hooks", "storage")
    given = [name for name in ("sqlite", "lmdb", "rocksdb", "redis") if getattr(wanted, name) is not None]
    wrong = False
    for name, ours in INSTEAD.items():
        if getattr(wanted, name) is not None:
            wrong = True
            report(
                (*at, name),
                f"is not available here; use {ours}, as in `{ours}: {{path: broker.{ours}}}`. It starts empty",
            )
    if wrong:
        return None
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "is empty"
        report(at, f"{found}; it must have one of sqlite, lmdb, rocksdb, redis")
        return None
    from mqtt_ref.storage.port import StoreError
    from mqtt_ref.storage.url import redis_store, store_at

    try:
        redis = wanted.redis
        if redis is not None:
            url = f"redis{'s' if redis.tls else ''}://{redis.address}/{redis.database}"
            return redis_store(
                url,
                redis.durability,
                redis.h_prefix,
                redis.username or None,
                redis.password or None,
                redis.ca or None,
            )
        file = wanted.sqlite or wanted.lmdb or wanted.rocksdb
        assert file is not None
        return store_at(f"{given[0]}:{file.path}", file.durability)
    except (StoreError, ValueError) as error:
        report((*at, given[0]), str(error))
        return None
