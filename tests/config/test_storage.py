# SPDX-License-Identifier: MIT
"""`hooks.storage`: the store that it names, and what it says of one that is not here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.config.compose import compose
from mqtt_ref.config.load import load
from mqtt_ref.config.problem import ConfigError
from mqtt_ref.storage.store import Store


def made(tmp_path: Path, text: str, **environment: str) -> Any:
    file = tmp_path / "broker.yaml"
    file.write_text("listeners: []\nhooks:\n  storage:\n" + "".join(f"    {line}\n" for line in text.splitlines()))
    return compose(load(file, environment)).storage


@pytest.mark.parametrize("kind", ["sqlite", "lmdb", "rocksdb"])
def test_a_store_in_files(tmp_path: Path, kind: str, require: Any) -> None:
    require.module({"rocksdb": "rocksdict", "sqlite": "sqlite3"}.get(kind, kind))
    store = made(tmp_path, f"{kind}: {{path: {tmp_path / 'x'}, durability: off}}".replace("off", "'off'"))
    assert isinstance(store, Store)
    store.open()
    store.close()
    assert (tmp_path / "x").exists()


def test_a_store_in_redis(tmp_path: Path, require: Any) -> None:
    require.module("redis")
    text = "redis: {address: 'example.org:6380', username: u, database: 3, h_prefix: 'x:', tls: true}"
    store = made(tmp_path, text, MQTT_REF__HOOKS__STORAGE__REDIS__PASSWORD="secret")
    assert store.name == "rediss://example.org:6380/3"
    options = store.back_end._pool.connection_kwargs
    assert (options["username"], options["password"]) == ("u", "secret")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("bolt: {path: mochi.db, bucket: x}", "hooks.storage.bolt: is not available here; use lmdb"),
        ("badger: {path: x, gc_interval: 5}", "hooks.storage.badger: is not available here; use rocksdb"),
        ("pebble: {path: x, mode: NoSync}", "hooks.storage.pebble: is not available here; use rocksdb"),
        ("on_failure: stop", "hooks.storage: is empty; it must have one of sqlite, lmdb, rocksdb, redis"),
        ("sqlite: {path: x}\nlmdb: {path: y}", "hooks.storage: has sqlite and lmdb; it must have one of"),
        ("sqlite: {}", "hooks.storage.sqlite: lacks path"),
        (
            "sqlite: {path: x, durability: fast}",
            "hooks.storage.sqlite.durability: is 'fast'; it must be one of full, normal",
        ),
        ("sqllite: {path: x}", "hooks.storage.sqllite: is not known here; did you mean sqlite?"),
    ],
)
def test_what_cannot_be(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, text)
    assert problem in str(caught.value)
