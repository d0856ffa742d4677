# SPDX-License-Identifier: MIT
"""What a client is told whose CONNECT, will, PUBLISH or SUBSCRIBE is not authorized: by version, and as decided."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import REFUSE, Access, Verdict
from mqtt_ref.engine.options import Options
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Puback,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from tests.sansio import World

VERSIONS = [3, 4, 5]


def world(access: Access, **decisions: str) -> World:
    made = World(Options(decisions=decisions))
    made.broker.set_access(access)
    return made


def refusing(code: int) -> Access:
    return Access(on_connect_authenticate=lambda link, connect: Verdict(REFUSE, code))


# ---------------------------------------------------------------- CONNECT


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("code", "returned"), [(0, 5), (0x86, 4), (0x87, 5), (0x88, 3), (0x89, 3)])
def test_a_refused_connect_is_told_why(version: int, code: int, returned: int) -> None:
    here = world(refusing(code))
    link = here.link(version)
    link.send(Connect("a", protocol_version=version, username="u", password=b"p"))
    (connack,) = link.read()
    assert isinstance(connack, Connack)
    assert connack.reason_code == ((code or 0x87) if version == 5 else returned)
    assert not connack.session_present
    assert link.closed
    assert here.broker.counters.connections_refused == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("code", [0x86, 0x87])
def test_or_nothing(version: int, code: int) -> None:
    here = world(refusing(code), unauthorized_connect="close")
    link = here.link(version)
    link.send(Connect("a", protocol_version=version, username="u", password=b"p"))
    assert link.read() == []
    assert link.closed
    assert here.broker.counters.connections_refused == 1
    (note,) = here.notes
    assert note.code == code


@pytest.mark.parametrize(("choice", "told"), [("tell", 1), ("close", 0)])
def test_so_it_is_with_enhanced_authentication(choice: str, told: int) -> None:
    access = Access(methods=frozenset({"M"}), on_auth_packet=lambda *_: Verdict(REFUSE, 0x87))
    link = world(access, unauthorized_connect=choice).link()
    link.send(Connect("a", properties=ConnectProperties(authentication_method="M")))
    assert len(link.read()) == told
    assert link.closed


def test_other_refusals_are_told_all_the_same() -> None:
    link = world(refusing(0x87), unauthorized_connect="close").link()
    link.send(Connect("a", properties=ConnectProperties(authentication_method="unknown")))
    assert link.one(Connack).reason_code == 0x8C


# ---------------------------------------------------------------- will

WILL_DENIED = Access(on_acl_check_publish=lambda link, topic, qos, retain: 0x87 if topic == "no" else 0)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("choice", ["tell", "refuse", "drop"])
@pytest.mark.parametrize("topic", ["yes", "no"])
def test_a_will_that_is_not_authorized(version: int, choice: str, topic: str) -> None:
    here = world(WILL_DENIED, unauthorized_will=choice)
    watch = here.client("watch")
    watch.subscribe("#")
    link = here.link(version)
    link.send(Connect("a", protocol_version=version, will=Will(topic, b"gone")))
    connack = link.one(Connack)
    refused = topic == "no" and (choice == "refuse" or (choice == "tell" and version == 5))
    assert link.closed == refused
    assert connack.reason_code == ((0x87 if version == 5 else 5) if refused else 0)
    link.drop()
    assert watch.payloads() == ([b"gone"] if topic == "yes" else [])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_will_may_be_a_silent_close(version: int) -> None:
    link = world(WILL_DENIED, unauthorized_will="refuse", unauthorized_connect="close").link(version)
    link.send(Connect("a", protocol_version=version, will=Will("no", b"gone")))
    assert link.read() == []
    assert link.closed


# ---------------------------------------------------------------- PUBLISH


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("choice", ["acknowledge", "close"])
@pytest.mark.parametrize("said", ["tell", "obscure"])
def test_a_publish_that_is_not_authorized(version: int, qos: int, choice: str, said: str) -> None:
    here = world(WILL_DENIED, unauthorized_publish=choice, not_authorized=said)
    watch = here.client("watch")
    watch.subscribe("#", qos=2)
    link = here.client("a", version)
    link.send(Publish("no", b"x", qos, packet_id=1 if qos else 0))
    got = link.read()
    assert watch.read() == []
    if choice == "close" and version != 3:
        assert link.closed
        assert [type(packet) for packet in got] == ([Disconnect] if version == 5 else [])
        assert all(isinstance(packet, Disconnect) and packet.reason_code == 0x87 for packet in got)
        return
    assert not link.closed
    code = 0 if version != 5 else 0x87 if said == "tell" else 0x80
    expected: list[Packet] = [] if qos == 0 else [Puback(1, code)] if qos == 1 else [Pubrec(1, code)]
    assert [(type(p), p.reason_code) for p in got] == [(type(p), p.reason_code) for p in expected]  # type: ignore[union-attr]
    assert link.publish("yes", b"y", 1).reason_code == 0
    assert watch.payloads() == [b"y"]


def test_other_codes_of_a_refused_publish_stay_as_they_are() -> None:
    access = Access(on_acl_check_publish=lambda link, topic, qos, retain: 0x97)
    here = world(access, unauthorized_publish="close", not_authorized="obscure")
    link = here.client("a")
    assert link.publish("t", b"", 1).reason_code == 0x97
    assert not link.closed


# ---------------------------------------------------------------- SUBSCRIBE


@pytest.mark.parametrize("said", ["tell", "obscure"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_subscribe_that_is_not_authorized(version: int, said: str) -> None:
    access = Access(on_acl_check_subscribe=lambda link, topic_filter, qos: 0x87 if topic_filter.startswith("no") else 0)
    here = world(access, not_authorized=said)
    link = here.client("a", version)
    link.send(Subscribe(1, [Subscription("no/+", 1), Subscription("yes", 1), Subscription("no", 2)]))
    failure = {3: 0, 4: 0x80, 5: 0x87 if said == "tell" else 0x80}[version]
    assert link.one(Suback).reason_codes == [failure, 1, failure]
    assert not link.closed
    other = here.client("b")
    other.publish("no/1", b"n")
    other.publish("no", b"n")
    other.publish("yes", b"y")
    assert link.payloads() == [b"y"]


@pytest.mark.parametrize("said", ["tell", "obscure"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_subscribe_that_is_not_authorized_may_be_granted_without_a_subscription(version: int, said: str) -> None:
    """Only the hooks know. A code other than Not authorized stays a refusal."""
    codes = {"no": 0x87, "odd": 0x97}
    access = Access(on_acl_check_subscribe=lambda link, topic_filter, qos: codes.get(topic_filter.split("/")[0], 0))
    here = world(access, unauthorized_subscribe="grant", not_authorized=said)
    seen: list[list[int]] = []
    here.broker.watch.on_subscribed = lambda link, packet, codes: seen.append(codes)
    link = here.client("a", version)
    here.client("b").publish("no/1", b"kept", retain=True)
    link.send(Subscribe(1, [Subscription(name, 1) for name in ("no/+", "yes", "no", "odd")]))
    suback = link.one(Suback)
    assert suback.reason_codes == [1, 1, 1, {3: 0, 4: 0x80, 5: 0x97}[version]]
    if version == 5:
        assert suback.properties.reason_string == "1 of 4 filters refused"
    assert seen == [[0x87, 1, 0x87, 0x97]]
    assert list(here.broker.sessions.by_client_id["a"].subscriptions) == ["yes"]
    other = here.client("b")
    for topic in ("no/1", "no", "odd", "yes"):
        other.publish(topic, topic.encode())
    assert link.payloads() == [b"yes"]
