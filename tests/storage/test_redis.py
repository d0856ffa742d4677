# SPDX-License-Identifier: MIT
"""Redis: a server that goes away and comes back, passwords, TLS, two brokers, and what its settings are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mqtt_ref.hooks import AllowAll
from mqtt_ref.ports import Record, SessionPut
from mqtt_ref.storage.port import Durability, StoreError
from mqtt_ref.storage.url import redis_store, store_at
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.packets import ConnectProperties, Publish
from tests.storage.backends import RedisServer

SESSION = SessionPut("c", 5, "", 60, 0, None, 0, True)
KEEP = ConnectProperties(session_expiry_interval=1000)
Start = Callable[..., RedisServer]


@pytest.fixture
def start(require: Any) -> Iterator[Start]:
    require.module("redis")
    program = require.program("redis-server")
    running: list[RedisServer] = []

    def make(*arguments: str) -> RedisServer:
        server = RedisServer(program, *arguments)
        running.append(server)
        return server

    yield make
    for server in running:
        server.close()


def held(store: Any) -> list[Record]:
    store.open()
    try:
        return list(store.load())
    finally:
        store.close()


def test_a_server_that_goes_away_and_comes_back(start: Start, wait_until: Callable[..., Any]) -> None:
    redis = start("--appendonly", "yes", "--appendfsync", "always")
    storage = store_at(f"redis://127.0.0.1:{redis.port}/0", "full")
    with ThreadedServer(hooks=[AllowAll()], storage=storage) as server:
        with RawClient(server.port) as kept:
            kept.connect("kept", properties=KEEP)
            kept.subscribe("t", qos=1)
            kept.disconnect()
        with RawClient(server.port) as pub:
            pub.connect("pub")
            pub.publish("t", b"before", qos=1, packet_id=1)
            redis.kill()
            pub.send(Publish("t", b"during", 1, packet_id=2))
            assert pub.until_closed() == []
        assert server.server.broker.store_fails
        redis.start()
        wait_until(lambda: not server.server.broker.store_fails, deadline=20)
        with RawClient(server.port) as pub:
            pub.connect("pub")
            pub.publish("t", b"after", qos=1, packet_id=3)
    again = store_at(f"redis://127.0.0.1:{redis.port}/0")
    messages = [record.message.payload for record in held(again) if hasattr(record, "message")]
    assert messages == [b"before", b"during", b"after"]


def test_two_brokers(start: Start) -> None:
    redis = start()
    address = f"redis://127.0.0.1:{redis.port}/0"
    first, second = store_at(address, "off"), store_at(address, "off")
    first.open()
    with pytest.raises(StoreError, match="is in use by another broker"):
        second.open()
    # One that lost its link for a while does not write into what another has taken over.
    first.back_end._pool.disconnect()  # type: ignore[attr-defined]
    second.open()
    with pytest.raises(StoreError, match="was taken over by another broker"):
        first.commit(1, [SESSION])
    second.commit(1, [SESSION])
    first.close()
    assert list(second.load()) == [SESSION]
    second.close()
    first.open()
    first.close()


def test_a_prefix_and_a_database_of_its_own(start: Start) -> None:
    redis = start()
    url = f"redis://127.0.0.1:{redis.port}"
    one = redis_store(f"{url}/0", "off", "one:")
    one.open()
    one.commit(1, [SESSION])
    one.close()
    assert held(redis_store(f"{url}/0", "off", "two:")) == held(redis_store(f"{url}/1", "off", "one:")) == []
    assert held(redis_store(f"{url}/0", "off", "one:")) == [SESSION]


def test_a_password(start: Start) -> None:
    redis = start("--requirepass", "secret")
    url = f"redis://127.0.0.1:{redis.port}/0"
    for wrong in (None, "guess"):
        with pytest.raises(StoreError, match="does not accept the user name and password") as caught:
            redis_store(url, "off", password=wrong).open()
        assert "guess" not in str(caught.value)
    assert held(redis_store(url, "off", password="secret")) == []
    assert held(store_at(f"redis://:secret@127.0.0.1:{redis.port}/0", "off")) == []
    assert "secret" not in store_at(f"redis://:secret@127.0.0.1:{redis.port}/0").name


def test_tls(start: Start, tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    own = ca.issue_cert("localhost")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    file = str(tmp_path / "own.pem")
    options = ["--tls-port", "0", "--tls-cert-file", file, "--tls-key-file", file, "--tls-auth-clients", "no"]
    redis = start(*options, "--tls-ca-cert-file", str(tmp_path / "ca.pem"))
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    import redis as library

    library.Redis(port=redis.port).config_set("tls-port", port)
    url = f"rediss://localhost:{port}/0"
    assert held(redis_store(url, "off", ca=str(tmp_path / "ca.pem"))) == []
    with pytest.raises(StoreError, match=r"cannot be reached: .*certificate verify failed"):
        redis_store(url, "off").open()


@pytest.mark.parametrize(
    ("settings", "durability", "warning"),
    [
        (("--appendonly", "no"), "normal", "it has appendonly no, and `normal` needs appendonly yes"),
        (("--appendonly", "yes"), "normal", ""),
        (
            ("--appendonly", "yes"),
            "full",
            "it has appendfsync everysec, and `full` needs appendonly yes",
        ),
        (("--appendonly", "yes", "--appendfsync", "always"), "full", ""),
        (("--appendonly", "no"), "off", ""),
        (("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"), "off", "may drop what it holds"),
    ],
)
def test_settings_that_keep_less_are_warned_of(
    start: Start, caplog: pytest.LogCaptureFixture, settings: tuple[str, ...], durability: Durability, warning: str
) -> None:
    redis = start(*settings)
    held(store_at(f"redis://127.0.0.1:{redis.port}/0", durability))
    assert (warning in caplog.text) if warning else not caplog.records


def test_a_key_of_something_else(start: Start) -> None:
    redis = start()
    import redis as library

    library.Redis(port=redis.port).set("mqtt_ref:values", "x")
    with pytest.raises(StoreError, match="belongs to another program"):
        store_at(f"redis://127.0.0.1:{redis.port}/0", "off").open()


def test_a_server_that_is_not_there(free_port: Callable[[], int]) -> None:
    with pytest.raises(StoreError, match="cannot be reached"):
        store_at(f"redis://127.0.0.1:{free_port()}/0").open()
    with pytest.raises(ValueError, match="redis://HOST:PORT/DATABASE"):
        store_at("redis:localhost")
