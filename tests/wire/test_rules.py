# SPDX-License-Identifier: MIT
"""Rules of the wire format that allow something: what may be there, be missing, or stand in any order."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import check_filter, check_name
from mqtt_ref.wire.violation import Violation
from tests.wire.conftest import Codec


def only(codec: Codec, version: int, data: bytes, sender: int = 0) -> Any:
    (found,) = codec(version, sender, data)
    return found


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("place", ["\ufeffa", "a\ufeffb", "a\ufeff", "\ufeff"])
def test_a_byte_order_mark_is_a_character(codec: Codec, version: int, place: str) -> None:
    connect = Connect(place, protocol_version=version, username=place)
    found = only(codec, version, encode(version, connect))
    assert (found.client_id, found.username) == (place, place)
    published = Publish(place)
    assert only(codec, version, encode(version, published)).topic == place
    wanted = Subscribe(1, [Subscription(place)])
    assert only(codec, version, encode(version, wanted)).subscriptions[0].topic_filter == place


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 65_535])
def test_a_string_has_any_length(codec: Codec, version: int, size: int) -> None:
    connect = Connect("a", protocol_version=version, username="n" * size)
    assert only(codec, version, encode(version, connect)).username == "n" * size


def test_a_string_has_no_more_than_65535_bytes() -> None:
    for packet in (Publish("t" * 65_536), Subscribe(1, [Subscription("\u00e4" * 32_768)])):
        for version in (3, 4, 5):
            with pytest.raises(ValueError, match="65,535"):
                encode(version, packet)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ("40 02 0001", (0, None)),
        ("40 03 0001 97", (0x97, None)),
        ("50 02 0001", (0, None)),
        ("50 03 0001 97", (0x97, None)),
        ("62 02 0001", (0, None)),
        ("62 03 0001 92", (0x92, None)),
        ("70 02 0001", (0, None)),
        ("70 03 0001 92", (0x92, None)),
        ("e0 00", (0, None)),
        ("e0 01 04", (4, None)),
    ],
)
def test_what_is_left_out_at_the_end_is_success_without_properties(
    codec: Codec, data: str, fields: tuple[int, None]
) -> None:
    found = only(codec, 5, bytes.fromhex(data))
    assert (found.reason_code, found.properties) == fields


def test_properties_stand_in_any_order(codec: Codec) -> None:
    parts = ["0101", "02 0000003c", "03 0001 63", "08 0001 72", "09 0001 00", "23 0001", "26 0001 61 0001 62"]
    wanted = PublishProperties(1, 60, "c", "r", b"\x00", None, 1, [("a", "b")])
    for turn in range(len(parts)):
        for order in (parts[turn:] + parts[:turn], [*reversed(parts[turn:]), *parts[:turn]]):
            properties = bytes.fromhex("".join(order))
            body = bytes.fromhex("0001 74") + bytes([len(properties)]) + properties
            found = only(codec, 5, b"\x30" + bytes([len(body)]) + body)
            assert found == Publish("t", properties=wanted), order


def test_user_properties_keep_their_order_among_others(codec: Codec) -> None:
    body = bytes.fromhex("0001 74 14 26 0001 62 0001 31 01 00 26 0001 61 0001 32 ".replace(" ", ""))
    body = body[:3] + bytes([len(body) - 4]) + body[4:]
    found = only(codec, 5, b"\x30" + bytes([len(body)]) + body)
    assert found.properties.user_property == [("b", "1"), ("a", "2")]


@pytest.mark.parametrize(
    "data",
    [
        "11 0e 0006 4d5149736470 03 02 003c 0000",  # flags of the fixed header that CONNECT does not use
        "c1 00",
        "e3 00",
        "4f 02 0001",
        "38 03 0001 74",  # DUP with QoS 0
        "10 0e 0006 4d5149736470 03 03 003c 0000",  # the reserved bit of the Connect Flags
    ],
)
def test_3_1_leaves_flags_free(codec: Codec, data: str) -> None:
    assert not isinstance(only(codec, 3, bytes.fromhex(data)), Violation)
    later = data.replace("0e 0006 4d5149736470 03", "0c 0004 4d515454 04")
    assert isinstance(only(codec, 4, bytes.fromhex(later)), Violation)


V31_CONNECT = "0006 4d5149736470 03 02 003c 0001 61"
"""The variable header and payload of a CONNECT of 3.1, 15 bytes."""
FLAGS = ("MQTT5-2.1.3-1", 0x81, 0, 0, "fixed_header")
"""The violation of the flags of a first CONNECT: statement, Reason Code, offset, version, field."""
LEVEL = ("X31-protocol-version", 0x84, 10, 3, "protocol_version")
PASSWORD = ("X31-password-without-user-name", 0x82, 11, 3, "connect_flags")


@pytest.mark.parametrize("length", ["0f", "8f00", "8f808000"])
@pytest.mark.parametrize("flags", range(16))
def test_a_first_connect_that_names_3_1_may_have_flags(codec: Codec, flags: int, length: str) -> None:
    data = bytes([0x10 | flags]) + bytes.fromhex(length + V31_CONNECT)
    assert codec(0, 0, data) == [Connect("a", protocol_version=3, keep_alive=60)]
    for size in range(len(data)):
        assert codec(0, 0, data[:size]) == [], size
    decoder = Decoder(0, 0)
    assert [decoder.feed(data[at : at + 1]) for at in range(len(data) - 1)] == [[]] * (len(data) - 1)
    assert decoder.feed(data[-1:]) == [Connect("a", protocol_version=3, keep_alive=60)]
    assert decoder.feed(bytes.fromhex("c5 00")) == [Pingreq()]


@pytest.mark.parametrize("go_on", [False, True])
@pytest.mark.parametrize(
    ("data", "refused", "wanted"),
    [
        # the protocol name differs from that of 3.1, or there is no room for it: refused at the byte that shows this
        ("1f 0d 0004 4d515454 04 02 003c 0001 61", 4, FLAGS),
        ("11 0e 0004 4d515454 05 02 003c 00 0001 61", 4, FLAGS),
        ("16 03 0102 00", 2, FLAGS),
        ("12 00", 2, FLAGS),
        ("14 8000", 3, FLAGS),
        ("18 08 0006 4d5149736470", 2, FLAGS),
        ("1f 0f 0106 4d5149736470 03 02 003c 0001 61", 3, FLAGS),
        ("1f 0f 0006 4d5154545454 03 02 003c 0001 61", 7, FLAGS),
        ("1f 0f 0006 4d5149736450 03 02 003c 0001 61", 10, FLAGS),
        # it names 3.1, and breaks another rule: that one is told
        ("1f 0f 0006 4d5149736470 04 02 003c 0001 61", 17, LEVEL),
        ("1f 0f 0006 4d5149736470 83 02 003c 0001 61", 17, LEVEL),
        ("1f 0f 0006 4d5149736470 03 40 003c 0001 61", 17, PASSWORD),
        ("1f 0f 0006 4d5149736470 03 02 003c 0002 61", 17, ("X31-field-truncated", 0x81, 15, 3, "client_id")),
        ("1f 10 0006 4d5149736470 03 02 003c 0001 61 00", 18, ("X31-trailing-bytes", 0x81, 17, 3, "")),
    ],
)  # fmt: skip
def test_a_first_connect_with_flags_is_judged_by_the_version_that_it_names(
    codec: Codec, data: str, refused: int, wanted: tuple[object, ...], go_on: bool
) -> None:
    raw = bytes.fromhex(data)

    def told(found: Packet | Violation) -> tuple[object, ...]:
        assert isinstance(found, Violation)
        return found.statement, found.reason, found.offset, found.version, found.field

    assert told(only(codec, 0, raw)) == wanted
    for size in range(len(raw) + 1):
        assert [told(one) for one in codec(0, 0, raw[:size])] == [wanted] * (size >= refused), size
    decoder = Decoder(0, 0, go_on=go_on)
    chunks = [decoder.feed(raw[at : at + 1]) for at in range(len(raw))]
    at = len(raw) if go_on else refused
    assert [[told(one) for one in chunk] for chunk in chunks] == [[wanted] * (n + 1 == at) for n in range(len(raw))]


def test_a_first_connect_with_flags_and_an_endless_length(codec: Codec) -> None:
    for size, wanted in ((4, 0), (5, 1), (6, 1)):
        found = codec(0, 0, b"\x1f\xff\xff\xff\xff\x7f"[:size])
        assert [one.statement for one in found if isinstance(one, Violation)] == [FLAGS[0]] * wanted


def test_a_first_connect_with_flags_that_is_too_large() -> None:
    data = b"\x1f\xff\x7f" + bytes.fromhex("0004 4d515454")
    for size in range(3, len(data) + 1):  # its name is not waited for, so it does not matter either
        (found,) = Decoder(0, 0, maximum_packet_size=100).feed(data[:size])
        assert isinstance(found, Violation)
        assert (found.reason, found.offset, found.version) == (0x95, 2, 0), size
    (short,) = Decoder(0, 0, maximum_packet_size=5).feed(b"\x1f\x08")
    assert isinstance(short, Violation)
    assert short.statement == FLAGS[0]


@pytest.mark.parametrize(
    ("version", "sender", "statement"),
    [(5, 0, "MQTT5-2.1.3-1"), (4, 0, "MQTT311-2.2.2-1"), (0, 1, "X5-packet-direction"), (3, 1, "X31-packet-direction")],
)
def test_flags_are_refused_at_once_where_the_name_does_not_matter(
    codec: Codec, version: int, sender: int, statement: str
) -> None:
    data = bytes.fromhex("1f 0f" + V31_CONNECT)
    for size in range(1, len(data) + 1):
        (found,) = codec(version, sender, data[:size])
        assert isinstance(found, Violation)
        assert (found.statement, found.offset, found.version) == (statement, 0, version)


@pytest.mark.parametrize("flags", ["80", "c0"])
def test_3_1_may_end_before_user_name_and_password(codec: Codec, flags: str) -> None:
    found = only(codec, 3, bytes.fromhex(f"10 0f 0006 4d5149736470 03 {flags} 003c 0001 61"))
    assert isinstance(found, Connect)
    assert (found.username, found.password) == (None, None)


def test_3_1_has_no_password_without_user_name(codec: Codec) -> None:
    found = only(codec, 3, bytes.fromhex("10 0f 0006 4d5149736470 03 40 003c 0001 61"))
    assert isinstance(found, Violation)
    assert found.statement == "X31-password-without-user-name"


def test_of_several_errors_one_is_told() -> None:
    decoder = Decoder(5, 0)
    # An identifier of 0, then a filter with a misplaced wildcard, then a reserved option, then bytes too many.
    found = decoder.feed(bytes.fromhex("82 0a 0000 00 0003 612362 ff 00") + b"\xc0\x00")
    assert len(found) == 1
    assert isinstance(found[0], Violation)
    assert found[0].field == "packet_id"
    assert decoder.broken


@pytest.mark.parametrize("text", [b"\x00", b"a\x00", b"a/\x00/b", b"\x00#"])
def test_no_topic_has_a_null(text: bytes) -> None:
    assert check_name(text, 0, len(text))
    assert check_filter(text, 0, len(text), True)


@pytest.mark.parametrize("text", ["/", "//", "/a", "a/", "a b/ c", " ", "/" * 65_535])
def test_topics_of_empty_levels_and_spaces(codec: Codec, text: str) -> None:
    for version in (3, 4, 5):
        packets: list[Packet] = [Publish(text), Subscribe(1, [Subscription(text)])]
        for packet in packets:
            assert only(codec, version, encode(version, packet)) == packet


def test_a_connect_has_properties_in_any_order(codec: Codec) -> None:
    found = only(codec, 5, bytes.fromhex("10 15 0004 4d515454 05 02 003c 08 21 0001 11 00000005 0000"))
    assert isinstance(found, Connect)
    assert found.properties == ConnectProperties(session_expiry_interval=5, receive_maximum=1)
