# SPDX-License-Identifier: MIT
"""Illegal packets on purpose: what is set in the raw tree is in the bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mqtt_ref.wire import reference
from mqtt_ref.wire.packets import (
    Connect,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Suback,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from mqtt_ref.wire.raw import (
    RawBytes,
    RawGroup,
    RawInt,
    RawPacket,
    RawProperties,
    RawProperty,
    RawString,
    RawVbi,
    build,
)
from mqtt_ref.wire.reference import raw
from mqtt_ref.wire.violation import Violation

PUBLISH = Publish("a/b", b"xy", 1, packet_id=7, properties=PublishProperties(topic_alias=1, user_property=[("k", "v")]))
SUBSCRIBE = Subscribe(1, [Subscription("a", 1), Subscription("b/#", 2, no_local=True)])
CONNECT = Connect("c", username="u", password=b"p", will=Will("t", b"m", 1))


@pytest.mark.parametrize("version", [V31, V311, V5])
@pytest.mark.parametrize("packet", [PUBLISH, SUBSCRIBE, CONNECT, Pingreq(), Unsubscribe(1, ["a"]), Suback(1, [0, 1])])
def test_unchanged_tree_builds_the_packet(version: int, packet: Packet) -> None:
    assert build(raw(version, packet)) == reference.encode(version, packet)


def bad(change: Callable[[RawPacket], object], packet: Packet, sender: int = CLIENT) -> tuple[str, int]:
    tree = raw(V5, packet)
    change(tree)
    found = reference.decode(V5, sender, build(tree))
    assert isinstance(found, Violation)
    return found.statement, found.offset


def _set(path: str, attribute: str, value: object) -> Callable[[RawPacket], None]:
    def change(tree: RawPacket) -> None:
        field = tree[path] if path else tree
        assert hasattr(field, attribute)
        setattr(field, attribute, value)

    return change


@pytest.mark.parametrize(
    ("change", "packet", "expected"),
    [
        (_set("", "flags", 0b0110), PUBLISH, ("MQTT5-3.3.1-4", 0)),
        (_set("", "flags", 0b0001), Pingreq(), ("MQTT5-2.1.3-1", 0)),
        (_set("", "type", 0), PUBLISH, ("X5-packet-type-reserved", 0)),
        (_set("", "remaining_length", 4), PUBLISH, ("X5-field-truncated", 3)),
        (_set("", "remaining_length", 100), Pingreq(), ("X5-field-truncated", 2)),
        (_set("", "width", 3), Pingreq(), ("MQTT5-1.5.5-1", 3)),
        (_set("", "width", 5), Pingreq(), ("X5-vbi-four-bytes", 4)),
        (_set("", "tail", b"\0\1"), Pingreq(), ("X5-trailing-bytes", 2)),
        (_set("topic", "length", 200), PUBLISH, ("X5-field-truncated", 3)),
        (_set("topic", "data", b"a\xff"), PUBLISH, ("MQTT5-1.5.4-1", 5)),
        (_set("packet_id", "value", 0), PUBLISH, ("MQTT5-2.2.1-3", 8)),
        (_set("packet_id", "size", 1), PUBLISH, ("X5-receive_maximum-placement", 0)),
        (_set("properties", "length", 99), PUBLISH, ("X5-field-truncated", 9)),
        (_set("properties", "width", 2), PUBLISH, ("MQTT5-1.5.5-1", 10)),
        (lambda t: t.duplicate("properties.topic_alias"), PUBLISH, ("X5-topic_alias-once", 13)),
        (_set("properties.topic_alias.value", "value", 0), PUBLISH, ("MQTT5-3.3.2-8", 12)),
        (_set("properties.topic_alias.identifier", "value", 0x7F), PUBLISH, ("X5-property-unknown", 10)),
        (_set("properties.user_property.value.name", "length", 30), PUBLISH, ("X5-field-truncated", 15)),
        (lambda t: t["subscriptions.1.options"].put("qos", 3), SUBSCRIBE, ("X5-subscribe-qos", 14)),
        (lambda t: t["subscriptions.0.options"].put("reserved", 1), SUBSCRIBE, ("MQTT5-3.8.3-5", 8)),
        (lambda t: t.remove("subscriptions.1.options"), SUBSCRIBE, ("X5-field-truncated", 14)),
        (lambda t: t.replace("subscriptions", b""), SUBSCRIBE, ("MQTT5-3.8.3-2", 5)),
        (lambda t: t.remove("client_id"), Connect("c"), ("MQTT5-3.1.3-3", 13)),
        (lambda t: t["connect_flags"].put("reserved", 1), CONNECT, ("MQTT5-3.1.2-3", 9)),
        (_set("protocol_version.level", "value", 99), CONNECT, ("MQTT5-3.1.2-2", 8)),
        (_set("protocol_version.name", "data", b"MQTX"), CONNECT, ("MQTT5-3.1.2-1", 7)),
    ],
)
def test_change(change: Callable[[RawPacket], object], packet: Packet, expected: tuple[str, int]) -> None:
    if expected == ("X5-receive_maximum-placement", 0):
        tree = raw(V5, packet)
        change(tree)
        assert len(build(tree)) == len(build(raw(V5, packet))) - 1
        return
    assert bad(change, packet) == expected


def test_property_of_another_packet() -> None:
    tree = raw(V5, Publish("a"))
    tree["properties"].fields.append(RawProperty("server_keep_alive", 0x13, RawInt("value", 1, 2)))
    found = reference.decode(V5, CLIENT, build(tree))
    assert isinstance(found, Violation)
    assert found.statement == "X5-server_keep_alive-placement"


def test_span_follows_the_changes() -> None:
    tree = raw(V5, PUBLISH)
    assert tree.span("topic") == (2, 7)
    assert tree.span("properties.topic_alias") == (10, 13)
    assert tree.span("properties.topic_alias.value") == (11, 13)
    tree.width = 4
    tree["topic"].data = b"longer"
    assert tree.span("topic") == (5, 13)
    start, end = tree.span("properties.topic_alias.value")
    assert build(tree)[start:end] == b"\0\1"


def test_insert_and_replace() -> None:
    tree = raw(V311, Publish("a", b"x"))
    tree.insert("payload", RawBytes("extra", b"\xaa"))
    assert build(tree) == b"\x30\x05\0\1a\xaax"
    tree.replace("extra", RawVbi("extra", 200))
    assert build(tree) == b"\x30\x06\0\1a\xc8\1x"


def test_tree_by_hand() -> None:
    tree = RawPacket(
        V5, 3, 0, [RawString("topic", b"a"), RawProperties("properties", length=1), RawBytes("payload", b"")]
    )
    assert build(tree) == b"\x30\x04\0\1a\x01"


def test_override_wins() -> None:
    tree = raw(V5, PUBLISH)
    tree.override = b"\xff"
    assert build(tree) == b"\xff"


def test_unknown_path_says_what_there_is() -> None:
    with pytest.raises(KeyError, match="topic"):
        raw(V5, PUBLISH)["nothing"]
    with pytest.raises(KeyError):
        raw(V5, PUBLISH)["topic.0"]
    with pytest.raises(KeyError, match="set its attributes"):
        raw(V5, PUBLISH).remove("properties.topic_alias.value")


def test_numbers_that_fit_nothing_are_refused() -> None:
    for field in (RawInt("n", 256, 1), RawVbi("n", 1 << 28), RawVbi("n", -1), RawVbi("n", 128, 1),
                  RawString("n", b"", 65_536)):  # fmt: skip
        with pytest.raises(ValueError):
            field.encode()


def test_equality_and_repr() -> None:
    assert raw(V5, PUBLISH) == raw(V5, PUBLISH)
    assert raw(V5, PUBLISH) != raw(V5, SUBSCRIBE)
    assert RawGroup("a") != RawBytes("a", b"")
    assert "topic" in repr(raw(V5, PUBLISH))
    with pytest.raises(TypeError):
        hash(RawBytes("a", b""))


def test_reason_codes_one_by_one() -> None:
    tree = raw(V5, Suback(1, [0, 1]))
    tree["reason_codes.1"].value = 0x99
    found = reference.decode(V5, SERVER, build(tree))
    assert isinstance(found, Violation)
    assert (found.statement, found.offset) == ("MQTT5-3.9.3-2", 6)
