# SPDX-License-Identifier: MIT
"""The JSON form: there and back for every packet, one rule for bytes, and readable refusals."""

from __future__ import annotations

import json

import pytest

from mqtt_ref.wire.jsonform import bytes_from_json, bytes_to_json, packet_from_json, packet_to_json, violation_to_json
from mqtt_ref.wire.packets import (
    Auth,
    Connack,
    Connect,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsubscribe,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import CLIENT
from mqtt_ref.wire.violation import Violation

PACKETS: list[Packet] = [
    Connect("c", username="u", password=b"\x00", will=Will("t", b"x", 1, True, WillProperties(will_delay_interval=1))),
    Connack(0x87),
    Publish("a/é", b"\xff", 1, packet_id=3, properties=PublishProperties(
        correlation_data=b"id", user_property=[("a", "b"), ("a", "")], subscription_identifier=[1, 2])),
    Subscribe(1, [Subscription("a", 1, no_local=True)], SubscribeProperties(subscription_identifier=9)),
    Suback(1, [0, 1, 0x80]),
    Unsubscribe(1, ["a", "b"]),
    Pingreq(),
    Auth(0x18),
]  # fmt: skip


@pytest.mark.parametrize("packet", PACKETS)
def test_there_and_back(packet: Packet) -> None:
    form = json.loads(json.dumps(packet_to_json(packet)))
    assert form["v"] == 1
    assert packet_from_json(form) == packet


def test_form() -> None:
    assert packet_to_json(PACKETS[2]) == {
        "v": 1,
        "type": "PUBLISH",
        "topic": "a/é",
        "payload": {"hex": "ff"},
        "packet_id": 3,
        "qos": 1,
        "retain": False,
        "dup": False,
        "properties": {
            "correlation_data": "id",
            "user_property": [["a", "b"], ["a", ""]],
            "subscription_identifier": [1, 2],
        },
    }


def test_what_has_a_default_may_be_left_out() -> None:
    assert packet_from_json({"type": "PUBLISH", "topic": "a"}) == Publish("a")


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"", ""),
        (b"text", "text"),
        ("é".encode(), "é"),
        (b"a\nb", {"hex": "610a62"}),
        (b"\xff", {"hex": "ff"}),
        (b"\x00", {"hex": "00"}),
    ],
)
def test_bytes(data: bytes, form: object) -> None:
    assert bytes_to_json(data) == form
    assert bytes_from_json(form) == data
    assert bytes_from_json({"hex": data.hex()}) == data


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ([], "an object"),
        ({"v": 2, "type": "PINGREQ"}, "version 2 of the packet form"),
        ({"type": "NOTHING"}, "NOTHING"),
        ({}, "None"),
        ({"type": "PUBLISH"}, "PUBLISH: a required attribute is missing"),
        ({"type": "PUBLISH", "topic": "a", "colour": 1}, "colour"),
        ({"type": "PUBLISH", "topic": 1}, r"PUBLISH\.topic"),
        ({"type": "PUBLISH", "topic": "a", "qos": True}, r"PUBLISH\.qos"),
        ({"type": "PUBLISH", "topic": "a", "retain": 1}, r"PUBLISH\.retain"),
        ({"type": "PUBLISH", "topic": "a", "payload": 1}, "hex"),
        ({"type": "PUBLISH", "topic": "a", "payload": {"hex": "0"}}, "hexadecimal"),
        ({"type": "PUBLISH", "topic": "a", "properties": {"user_property": [["a"]]}}, "user_property"),
        ({"type": "PUBLISH", "topic": "a", "properties": []}, "properties"),
        ({"type": "SUBSCRIBE", "packet_id": 1, "subscriptions": ["a"]}, "subscriptions"),
        ({"type": "UNSUBSCRIBE", "packet_id": 1, "topic_filters": [1]}, "topic_filters"),
        ({"type": "SUBACK", "packet_id": 1, "reason_codes": ["a"]}, "reason_codes"),
    ],
)
def test_refusal(form: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        packet_from_json(form)  # type: ignore[arg-type]


def test_violation() -> None:
    form = violation_to_json(Violation("MQTT5-3.3.1-4", 0x81, 3, 0, 5, CLIENT, "fixed_header"))
    assert form["violation"] == {
        "statement": "MQTT5-3.3.1-4",
        "reason": 0x81,
        "packet": "PUBLISH",
        "offset": 0,
        "version": 5,
        "sender": "client",
        "field": "fixed_header",
        "level": "must",
    }
