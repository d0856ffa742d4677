# SPDX-License-Identifier: MIT
"""Numbers that do not fit their field are a ValueError of both codecs, as are Packet Identifiers of 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.wire import fast, reference
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)

BOTH = pytest.mark.parametrize("encode", [fast.encode, reference.encode], ids=["fast", "reference"])
Encode = Callable[[int, Any], bytes]


def of(identifier: int) -> list[Any]:
    return [
        Publish("t", b"", 1, packet_id=identifier),
        Publish("t", b"", 2, packet_id=identifier),
        Puback(identifier),
        Pubrec(identifier),
        Pubrel(identifier),
        Pubcomp(identifier),
        Subscribe(identifier, [Subscription("t")]),
        Suback(identifier, [0]),
        Unsubscribe(identifier, ["t"]),
        Unsuback(identifier, [0]),
    ]


@BOTH
@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("identifier", [0, 65_536, 70_000, -1])
def test_a_packet_identifier_is_1_to_65535(encode: Encode, version: int, identifier: int) -> None:
    for packet in of(identifier):
        with pytest.raises(ValueError, match=str(identifier)):
            encode(version, packet)


@BOTH
@pytest.mark.parametrize("identifier", [1, 65_535])
def test_the_first_and_the_last_one(encode: Encode, identifier: int) -> None:
    for packet in of(identifier):
        assert identifier.to_bytes(2, "big") in encode(5, packet)


@BOTH
def test_a_publish_of_qos_0_has_none(encode: Encode) -> None:
    assert encode(4, Publish("t", b"", 0, packet_id=0)) == b"\x30\x03\x00\x01t"


@BOTH
@pytest.mark.parametrize(
    "packet",
    [
        Connect("c", keep_alive=70_000),
        Connect("c", keep_alive=-1),
        Connect("c", properties=ConnectProperties(receive_maximum=70_000)),
        Connect("c", properties=ConnectProperties(session_expiry_interval=1 << 32)),
        Puback(1, 256),
        Suback(1, [300]),
    ],
    ids=repr,
)
def test_other_numbers(encode: Encode, packet: Any) -> None:
    with pytest.raises(ValueError):
        encode(5, packet)
