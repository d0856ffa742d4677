# SPDX-License-Identifier: MIT
"""SCRAM-SHA-256 in CONNECT, AUTH and CONNACK, over sockets: logins, renewals, and everything that goes wrong."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.auth.ledger import AclRule, AuthRule, Ledger, User
from mqtt_ref.auth.ledger_hook import LedgerHook
from mqtt_ref.auth.passwords import PBKDF2, SCRAM, hash_password
from mqtt_ref.auth.scram import METHOD, ClientExchange, Credentials, ScramError
from mqtt_ref.auth.scram_hook import ScramHook, credentials_of
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Puback,
    Publish,
)
from mqtt_ref.wire.violation import Violation

USERS = {"user": Credentials.from_password("pencil"), "other": Credentials.from_password("pen")}
CONTINUE, RENEW = 0x18, 0x19
Serve = Callable[..., Any]


def auth(code: int, data: bytes | None, method: str = METHOD) -> Auth:
    return Auth(code, AuthProperties(authentication_method=method, authentication_data=data))


def connect(client: RawClient, data: bytes | None, method: str = METHOD, **more: Any) -> Packet | Violation:
    properties = ConnectProperties(authentication_method=method, authentication_data=data)
    client.send(Connect("c", properties=properties, **more))
    return client.read()


def challenge_of(packet: Packet | Violation) -> bytes:
    assert isinstance(packet, Auth)
    assert packet.reason_code == CONTINUE
    assert packet.properties is not None
    assert packet.properties.authentication_method == METHOD
    assert packet.properties.authentication_data is not None
    return packet.properties.authentication_data


def login(client: RawClient, username: str = "user", password: str = "pencil") -> Connack:
    exchange = ClientExchange(username, password)
    client.send(auth(CONTINUE, exchange.final(challenge_of(connect(client, exchange.first())))))
    connack = client.expect(Connack)
    if connack.reason_code == 0:
        assert connack.properties is not None
        assert connack.properties.authentication_method == METHOD
        exchange.check(connack.properties.authentication_data or b"")
    return connack


def renew(client: RawClient, username: str = "user", password: str = "pencil") -> Packet | Violation:
    exchange = ClientExchange(username, password)
    client.send(auth(RENEW, exchange.first()))
    client.send(auth(CONTINUE, exchange.final(challenge_of(client.read()))))
    answer = client.read()
    if isinstance(answer, Auth):
        assert answer.properties is not None
        exchange.check(answer.properties.authentication_data or b"")
    return answer


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [("user", "pencil", 0), ("other", "pen", 0), ("user", "pen", 0x87), ("nobody", "pencil", 0x87)],
)
def test_who_knows_the_password_is_let_in(serve: Serve, username: str, password: str, code: int) -> None:
    running = serve(ScramHook(USERS))
    client = running.client()
    assert login(client, username, password).reason_code == code
    if code:
        assert client.until_closed() == []
    else:
        client.ping()


def test_the_proven_name_is_the_user_name_for_the_ledger(serve: Serve) -> None:
    rules = (AclRule(username="user", filters={"mine": "readwrite"}), AclRule(filters={"#": "deny"}))
    running = serve(ScramHook(USERS), LedgerHook(Ledger(acl=rules)))
    client = running.client()
    login(client)
    assert client.subscribe("mine", "yours") == [0, 0x87]
    client.send(Publish("yours", b"", 1, packet_id=9))
    assert client.expect(Puback).reason_code == 0x87


@pytest.mark.parametrize("username", ["user", "nobody"])
def test_nobody_learns_from_the_challenge_which_names_there_are(serve: Serve, username: str) -> None:
    running = serve(ScramHook(USERS))
    salts = set()
    for _ in range(2):
        first = ClientExchange(username, "wrong")
        challenge = challenge_of(connect(running.client(), first.first())).decode()
        nonce, salt, iterations = challenge.split(",")
        assert len(base64.b64decode(salt[2:])) == 16
        assert iterations == "i=4096"
        assert nonce.startswith("r=")
        salts.add(salt)
    assert len(salts) == 1


def test_made_up_salts_are_a_secret_of_the_server() -> None:
    salts = {ScramHook(USERS)._lookup("nobody").salt for _ in range(3)}
    assert len(salts) == 3
    hook = ScramHook({"a": Credentials.from_password("x", iterations=5000)})
    assert hook._lookup("nobody").iterations == 5000
    assert hook._lookup("nobody").salt != hook._lookup("somebody").salt


@pytest.mark.parametrize("data", [None, b"", b"\xff", b"n,,n=user", b"p=tls-unique,,n=user,r=abc", b"x" * 10_000])
def test_what_is_no_first_message_is_refused(serve: Serve, data: bytes | None) -> None:
    client = serve(ScramHook(USERS)).client()
    connack = connect(client, data)
    assert isinstance(connack, Connack)
    assert connack.reason_code == 0x87
    assert client.until_closed() == []


@pytest.mark.parametrize("data", [None, b"", b"\xff", b"n,,n=user,r=abc", b"c=biws,r=x,p=AAAA"])
def test_what_is_no_proof_is_refused(serve: Serve, data: bytes | None) -> None:
    client = serve(ScramHook(USERS)).client()
    challenge_of(connect(client, ClientExchange("user", "pencil").first()))
    client.send(auth(CONTINUE, data))
    assert client.expect(Connack).reason_code == 0x87
    assert client.until_closed() == []


def test_a_proof_of_another_connection_is_worth_nothing(serve: Serve) -> None:
    running = serve(ScramHook(USERS))
    one, two = running.client(), running.client()
    exchange = ClientExchange("user", "pencil")
    proof = exchange.final(challenge_of(connect(one, exchange.first())))
    challenge_of(connect(two, exchange.first()))
    two.send(auth(CONTINUE, proof))
    assert two.expect(Connack).reason_code == 0x87


@pytest.mark.parametrize("method", ["SCRAM-SHA-1", "scram-sha-256", "PLAIN", ""])
def test_other_methods_are_not_supported(serve: Serve, method: str) -> None:
    client = serve(ScramHook(USERS), LedgerHook(Ledger(auth=(AuthRule(allow=True),)))).client()
    connack = connect(client, b"x", method)
    assert isinstance(connack, Connack)
    assert connack.reason_code == 0x8C


def test_without_a_method_the_next_hook_decides(serve: Serve) -> None:
    running = serve(ScramHook(USERS), LedgerHook(Ledger(users={"u": User("p")})))
    for version in (3, 4, 5):
        assert running.client(version).connect("c", username="u", password=b"p").reason_code == 0
    assert serve(ScramHook(USERS)).client().connect("c", username="user", password=b"pencil").reason_code == 0x87


def test_a_connected_client_authenticates_again(serve: Serve) -> None:
    running = serve(ScramHook(USERS), LedgerHook(Ledger()))
    client = running.client()
    login(client)
    client.subscribe("t")
    for _ in range(3):
        answer = renew(client)
        assert isinstance(answer, Auth)
        assert answer.reason_code == 0
    client.publish("t", b"still here")
    assert client.message().payload == b"still here"


@pytest.mark.parametrize(("username", "password"), [("user", "wrong"), ("other", "pen"), ("nobody", "x")])
def test_who_fails_to_or_is_another_user_then_is_expelled(serve: Serve, username: str, password: str) -> None:
    running = serve(ScramHook(USERS))
    client = running.client()
    login(client)
    answer = renew(client, username, password)
    assert isinstance(answer, Disconnect)
    assert answer.reason_code == 0x87
    assert client.until_closed() == []


def test_other_packets_go_on_during_a_renewal(serve: Serve) -> None:
    running = serve(ScramHook(USERS))
    client = running.client()
    login(client)
    exchange = ClientExchange("user", "pencil")
    client.send(auth(RENEW, exchange.first()))
    challenge = challenge_of(client.read())
    client.ping()
    client.send(auth(CONTINUE, exchange.final(challenge)))
    assert client.expect(Auth).reason_code == 0


def test_what_was_begun_is_forgotten(serve: Serve, wait_until: Callable[..., object]) -> None:
    hook = ScramHook(USERS)
    running = serve(hook)
    client = running.client()
    login(client)
    assert not hook._exchanges
    client.send(auth(RENEW, ClientExchange("user", "pencil").first()))
    challenge_of(client.read())
    assert len(hook._exchanges) == 1
    client.close()
    wait_until(lambda: not hook._exchanges)
    for _ in range(3):
        left = running.client()
        challenge_of(connect(left, ClientExchange("user", "pencil").first()))
        left.close()
    assert len(hook._exchanges) == 3
    hook._exchanges = {client: (-1e9, exchange) for client, (_, exchange) in hook._exchanges.items()}
    login(running.client())
    assert len(hook._exchanges) == 1


def test_the_users_of_a_ledger_that_can_use_it() -> None:
    stored = str(USERS["user"])
    users = {
        "scram": User(stored),
        "plain": User("pen"),
        "other": User(hash_password(b"pen", PBKDF2, iterations=1000)),
        "gone": User("pen", disallow=True),
        "rules": User(),
    }
    found = credentials_of(Ledger(users=users))
    assert set(found) == {"scram", "plain"}
    assert str(found["scram"]) == stored
    assert found["plain"].verify(b"pen")


def test_one_hash_serves_both_ways(serve: Serve) -> None:
    ledger = Ledger(users={"user": User(hash_password(b"pencil", SCRAM))})
    running = serve(ScramHook(credentials_of(ledger)), LedgerHook(ledger))
    assert login(running.client()).reason_code == 0
    assert running.client(4).connect("d", username="user", password=b"pencil").reason_code == 0


def test_users_can_be_replaced(serve: Serve) -> None:
    hook = ScramHook(USERS)
    running = serve(hook)
    client = running.client()
    login(client)
    running.do(lambda: hook.replace({"new": Credentials.from_password("pen")}))
    client.ping()
    assert login(running.client()).reason_code == 0x87
    assert login(running.client(), "new", "pen").reason_code == 0
    with pytest.raises(ValueError, match="may not be in a user name"):
        hook.replace({"\x07": USERS["user"]})
    assert login(running.client(), "new", "pen").reason_code == 0


def test_failures_are_logged_with_their_reason(
    serve: Serve, caplog: pytest.LogCaptureFixture, wait_until: Callable[..., Any]
) -> None:
    running = serve(ScramHook(USERS))

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]

    with caplog.at_level(logging.INFO, "mqtt_ref"):
        login(running.client(), "user", "wrong")
        wait_until(lines)  # the broker writes to the client first
    (line,) = lines()
    assert line.startswith("'c' at 127.0.0.1:")
    assert line.endswith("login refused: invalid-proof, user 'user' (0x87)")


def test_a_server_that_knows_no_password_is_found_out_by_the_client() -> None:
    client = ClientExchange("user", "pencil")
    client.first()
    with pytest.raises(ScramError):
        client.check(b"v=AAAA")
