# SPDX-License-Identifier: MIT
"""A ledger that decides for a server, over sockets."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.auth.ledger import AclRule, AuthRule, Ledger, LedgerError, User
from mqtt_ref.auth.ledger_hook import LedgerHook
from mqtt_ref.auth.login import Logins
from mqtt_ref.auth.passwords import PBKDF2, SCRAM, hash_password
from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.packets import Connack, Connect, Puback, Publish

MELON = {"melon/#": "readwrite", "news/#": "read", "drop/#": "write", "#": "deny"}
LEDGER = Ledger(
    users={
        "melon": User("secret", acl=MELON),
        "hashed": User(hash_password(b"secret", SCRAM)),
        "mosquitto": User(hash_password(b"secret", PBKDF2, iterations=1000)),
        "gone": User("secret", disallow=True),
    },
    auth=(AuthRule(username="banned"), AuthRule(username="local", remote="127.0.0.1:*", allow=True)),
)
Serve = Callable[..., Any]


def login(running: Any, username: str, password: bytes | None = b"secret", version: int = 5, **more: Any) -> RawClient:
    client: RawClient = running.client(version)
    connack = client.connect(f"{username}-{version}", username=username, password=password, **more)
    assert connack.reason_code == 0
    return client


@pytest.mark.parametrize("version", [3, 4, 5])
def test_who_may_connect(serve: Serve, version: int) -> None:
    running = serve(LedgerHook(LEDGER))
    for username, password, code, returned in [
        ("melon", b"secret", 0, 0),
        ("melon", b"Secret", 0x86, 4),
        ("hashed", b"secret", 0, 0),
        ("hashed", b"secret!", 0x86, 4),
        ("mosquitto", b"secret", 0, 0),
        ("mosquitto", b"x", 0x86, 4),
        ("nobody", b"secret", 0x86, 4),
        ("gone", b"secret", 0x87, 5),
        ("banned", b"secret", 0x87, 5),
        ("local", b"anything", 0, 0),
        (None, None, 0x87, 5),
    ]:
        client = running.client(version)
        connack = client.connect("c", username=username, password=password)
        assert connack.reason_code == (code if version == 5 else returned), username
        if code:
            assert client.until_closed() == []
        client.close()


@pytest.mark.parametrize("version", [3, 4, 5])
def test_what_a_client_may_do_with_a_topic(serve: Serve, version: int) -> None:
    running = serve(LedgerHook(LEDGER))
    local = login(running, "local")
    local.subscribe("#", qos=1)
    melon = login(running, "melon", version=version)
    failure = {3: 0, 4: 0x80, 5: 0x87}[version]
    wanted = ["melon/#", "news/+", "drop/x", "#", "+/x", "other"]
    assert melon.subscribe(*wanted) == [0, 0, failure, failure, failure, failure]
    for number, topic in enumerate(["melon/1", "news/1", "drop/1", "other"], 1):
        melon.send(Publish(topic, b"m", 1, packet_id=number))
        while not isinstance(packet := melon.read(), Puback):
            assert isinstance(packet, Publish)
            assert packet.topic == "melon/1"
        allowed = topic in ("melon/1", "drop/1")
        assert packet.reason_code in ((0, 0x10) if allowed or version != 5 else (0x87,))
    assert [local.message().topic for _ in range(2)] == ["melon/1", "drop/1"]
    local.ping()
    assert not local.inbox


def test_each_delivered_topic_is_checked_by_itself(serve: Serve) -> None:
    rules = (AclRule(username="reader", filters={"a/#": "read", "a/secret": "deny"}),)
    users = {"reader": User("secret"), "writer": User("secret")}
    running = serve(LedgerHook(Ledger(users=users, acl=rules)))
    writer = login(running, "writer")
    writer.publish("a/secret", b"retained", 1, retain=True)
    reader = login(running, "reader")
    assert reader.subscribe("a/#", "$share/g/a/+") == [0, 0]
    for topic in ("a/secret", "a/open"):
        writer.publish(topic, b"x", 1)
    assert {reader.message().topic, reader.message().topic} == {"a/open"}
    reader.ping()
    assert not reader.inbox


def test_a_replaced_ledger_holds_at_once_and_nobody_is_disconnected(serve: Serve) -> None:
    hook = LedgerHook(Ledger(users={"a": User("secret"), "b": User("secret")}))
    running = serve(hook)
    a, b = login(running, "a"), login(running, "b")
    assert b.subscribe("t", "u") == [0, 0]
    a.publish("t", b"1")
    assert b.message().payload == b"1"
    strict = Ledger(
        users={"a": User("changed", acl={"u": "deny"}), "b": User(disallow=True)},
        acl=(AclRule(username="b", filters={"t": "write"}),),
    )
    running.do(lambda: hook.replace(strict))
    a.publish("t", b"2")
    a.send(Publish("u", b"2", 1, packet_id=7))
    assert a.expect(Puback).reason_code == 0x87
    b.ping()
    assert not b.inbox
    assert b.subscribe("t") == [0x87]
    assert running.client().connect("c", username="a", password=b"secret").reason_code == 0x86
    assert running.client().connect("c", username="a", password=b"changed").reason_code == 0
    running.do(lambda: hook.replace(LEDGER))
    a.publish("t", b"3")
    assert b.message().payload == b"3"


def test_a_ledger_that_cannot_be_used_changes_nothing() -> None:
    hook = LedgerHook(LEDGER)
    for wrong, path in [
        (Ledger(users={"u": User("$7$damaged")}), ("users", "u", "password")),
        (Ledger(auth=(AuthRule(), AuthRule(password="$1$x$y"))), ("auth", 1, "password")),
    ]:
        with pytest.raises(LedgerError) as caught:
            hook.replace(wrong)
        assert [problem.path for problem in caught.value.problems] == [path]
        with pytest.raises(LedgerError):
            LedgerHook(wrong)
    assert hook.ledger is LEDGER


class Slow:
    """Passwords that take as long to check as the test wants."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        self.threads: set[str] = set()
        self.passwords: list[bytes] = []

    def __call__(self, stored: str, password: bytes) -> bool:
        self.threads.add(threading.current_thread().name)
        self.passwords.append(password)
        self.begun.release()
        assert self.go.wait(20)
        return password == b"secret"


def slowed(hook: LedgerHook) -> Slow:
    slow = Slow()
    hook._logins = Logins(hook.ledger, slow)
    return slow


def test_nobody_waits_for_a_hash_but_who_logs_in(serve: Serve) -> None:
    hook = LedgerHook(Ledger(users={"u": User(hash_password(b"secret", SCRAM))}), workers=2)
    running = serve(hook)
    other = login(running, "u")
    slow = slowed(hook)
    clients = [running.client() for _ in range(6)]
    for number, client in enumerate(clients):
        client.send(Connect(f"c{number}", username="u", password=b"secret"))
    assert all(slow.begun.acquire(timeout=20) for _ in range(2))
    other.ping()
    assert not slow.begun.acquire(timeout=0)
    slow.go.set()
    assert [client.expect(Connack).reason_code for client in clients] == [0] * 6
    assert len(slow.threads) == 2
    assert all(name.startswith("mqtt_ref-passwords") for name in slow.threads)


def test_logins_that_wait_are_bounded(serve: Serve, wait_until: Callable[..., object]) -> None:
    hook = LedgerHook(Ledger(users={"u": User(hash_password(b"secret", SCRAM))}), workers=1, waiting=2)
    running = serve(hook)
    slow = slowed(hook)
    waiting = [running.client() for _ in range(2)]
    for number, client in enumerate(waiting):
        client.send(Connect(f"c{number}", username="u", password=b"secret"))
    wait_until(lambda: hook._turns.open == 2)
    for version, code in ((5, 0x89), (4, 3)):
        assert running.client(version).connect("d", username="u", password=b"secret").reason_code == code
    slow.go.set()
    assert [client.expect(Connack).reason_code for client in waiting] == [0, 0]
    wait_until(lambda: hook._turns.open == 0)
    assert running.client().connect("d", username="u", password=b"secret").reason_code == 0


def test_a_client_that_leaves_meanwhile_hurts_nobody(serve: Serve, wait_until: Callable[..., object]) -> None:
    hook = LedgerHook(Ledger(users={"u": User(hash_password(b"secret", SCRAM))}), workers=1)
    running = serve(hook)
    slow = slowed(hook)
    gone = running.client()
    gone.send(Connect("c", username="u", password=b"secret"))
    assert slow.begun.acquire(timeout=20)
    gone.reset()
    slow.go.set()
    wait_until(lambda: hook._turns.open == 0)
    login(running, "u")


def test_the_threads_end_with_the_server(serve: Serve) -> None:
    running = serve(LedgerHook(Ledger(users={"u": User(hash_password(b"secret", SCRAM))})))
    login(running, "u")
    assert any(thread.name.startswith("mqtt_ref-passwords") for thread in threading.enumerate())
    running.wait(running.server.stop())
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("mqtt_ref-passwords")]
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    running.wait(running.server.start())
    login(running, "u")


def test_a_failed_login_is_logged_with_its_reason_and_without_the_password(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    running = serve(LedgerHook(LEDGER))
    with caplog.at_level(logging.DEBUG, "mqtt_ref"):
        for username, password in [("melon", b"hunter2"), ("hashed", b"hunter2"), ("nobody", b"hunter2")]:
            running.client().connect("c", username=username, password=password)
        login(running, "melon")
    text = "\n".join(f"{record.getMessage()} {record.__dict__.get('fields', '')}" for record in caplog.records)
    assert "login refused: client 'c', user 'melon' at 127.0.0.1:" in text
    assert text.count("not the password of this user") == 2
    assert "no user and no rule allows it" in text
    assert "hunter2" not in text
    assert "secret" not in text


def test_a_refused_client_gets_no_details(serve: Serve) -> None:
    running = serve(LedgerHook(LEDGER))
    told = []
    for username in ("melon", "nobody"):
        connack = running.client().connect("c", username=username, password=b"x")
        told.append((connack.reason_code, connack.properties.reason_string))
    assert told == [(0x86, "Bad User Name or Password")] * 2


def test_the_server_refuses_when_the_ledger_hook_is_removed(serve: Serve) -> None:
    hook = LedgerHook(LEDGER)
    running = serve(hook)
    melon = login(running, "melon")
    running.do(lambda: running.server.remove_hook(hook))
    melon.send(Publish("melon/1", b"", 1, packet_id=1))
    assert melon.expect(Puback).reason_code == 0x87
    refused = running.client()
    assert refused.connect("c", username="melon", password=b"secret").reason_code == 0x87
    with pytest.raises(LinkClosed):
        refused.read()


@pytest.mark.skipif(sys.platform == "darwin", reason="only 127.0.0.1 exists there")
def test_a_flood_of_wrong_logins_from_one_address_keeps_no_other_one_out(
    serve: Serve, wait_until: Callable[..., object]
) -> None:
    """Each check takes some time. The right login from another address comes second, not last."""
    hook = LedgerHook(Ledger(users={"u": User(hash_password(b"secret", SCRAM))}), workers=1)
    running = serve(hook)
    slow = slowed(hook)
    flood = [running.client() for _ in range(50)]
    for number, client in enumerate(flood):
        client.send(Connect(f"c{number}", username="u", password=b"wrong"))
    assert slow.begun.acquire(timeout=20)
    with socket.create_connection(("127.0.0.1", running.server.port), 20, ("127.0.0.2", 0)) as link:
        with RawClient(connected=link) as right:
            right.send(Connect("right", username="u", password=b"secret"))
            wait_until(lambda: hook._turns.open == 51)
            slow.go.set()
            assert right.expect(Connack).reason_code == 0
    for client in flood:
        assert client.expect(Connack).reason_code == 0x86
    assert slow.passwords.index(b"secret") == 2  # after the one that ran, and one of the flood
