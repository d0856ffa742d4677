# SPDX-License-Identifier: MIT
"""The reference codec: every packet in every version, and each row of the definition of a violation's offset."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from mqtt_ref.wire import reference
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    PubackProperties,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from mqtt_ref.wire.violation import Violation

ALL = (V31, V311, V5)
OLD = (V31, V311)

# (versions, sender, bytes, packet): written by hand from the standards' figures and tables.
EXAMPLES: list[tuple[tuple[int, ...], int, str, Packet]] = [
    ((V5,), CLIENT, "10 0d | 0004 4d515454 05 | 02 | 000a | 00 | 0000", Connect("", keep_alive=10)),
    (
        (V5,),
        CLIENT,
        "10 10 | 0004 4d515454 05 | 00 | 0000 | 03 21 000a | 0000",
        Connect("", clean_start=False, properties=ConnectProperties(receive_maximum=10)),
    ),
    (
        (V5,),
        CLIENT,
        "10 27 | 0004 4d515454 05 ee 003c | 0511 00000010 | 0001 63 | 0518 00000007 | 0001740002000100017500 02ff00",
        Connect(
            "c",
            keep_alive=60,
            username="u",
            password=b"\xff\x00",
            will=Will("t", b"\x00\x01", 1, True, WillProperties(will_delay_interval=7)),
            properties=ConnectProperties(session_expiry_interval=16),
        ),
    ),
    (
        (V311,),
        CLIENT,
        "10 19 | 0004 4d515454 04 | d4 | 000a | 0001 63 | 0001 74 | 0000 | 0001 75 | 0002 7077",
        Connect("c", protocol_version=4, clean_start=False, keep_alive=10, username="u", password=b"pw",
                will=Will("t", b"", 2)),
    ),
    ((V31,), CLIENT, "10 0f | 0006 4d5149736470 03 | 02 | 0000 | 0001 63", Connect("c", protocol_version=3)),
    (OLD, SERVER, "20 02 | 00 05", Connack(5)),
    ((V311,), SERVER, "20 02 | 01 00", Connack(0, True)),
    ((V5,), SERVER, "20 03 | 00 87 | 00", Connack(0x87)),
    (
        (V5,),
        SERVER,
        "20 0b | 01 00 | 08 12 0002 6162 13 000a",
        Connack(0, True, ConnackProperties(server_keep_alive=10, assigned_client_identifier="ab")),
    ),
    (OLD, CLIENT, "30 05 | 0001 61 | 7879", Publish("a", b"xy")),
    (ALL[:2], CLIENT, "3d 05 | 0001 61 | 000a", Publish("a", qos=2, retain=True, dup=True, packet_id=10)),
    ((V5,), CLIENT, "30 04 | 0001 61 | 00", Publish("a")),
    (
        (V5,),
        SERVER,
        "34 13 | 0000 | ffff | 0d 0b 8001 23 0001 26 0001 6b 0001 76 | 70",
        Publish("", b"p", 2, packet_id=65535, properties=PublishProperties(
            topic_alias=1, subscription_identifier=[128], user_property=[("k", "v")])),
    ),
    (ALL, CLIENT, "40 02 | 0001", Puback(1)),
    ((V5,), SERVER, "40 03 | 0001 | 10", Puback(1, 0x10)),
    (
        (V5,),
        CLIENT,
        "40 08 | 0001 | 00 | 04 1f 0001 72",
        Puback(1, 0, PubackProperties(reason_string="r")),
    ),
    (ALL, SERVER, "50 02 | ffff", Pubrec(65535)),
    ((V5,), CLIENT, "62 03 | 0001 | 92", Pubrel(1, 0x92)),
    (ALL, CLIENT, "62 02 | 0001", Pubrel(1)),
    (ALL, SERVER, "70 02 | 0001", Pubcomp(1)),
    (OLD, CLIENT, "82 0a | 000a | 0001 61 01 | 0001 23 00", Subscribe(10, [Subscription("a", 1), Subscription("#")])),
    (
        (V5,),
        CLIENT,
        "82 09 | 000a | 02 0b 07 | 0001 61 2e",
        Subscribe(10, [Subscription("a", 2, True, True, 2)], SubscribeProperties(7)),
    ),
    (OLD, SERVER, "90 04 | 0001 | 00 02", Suback(1, [0, 2])),
    ((V311,), SERVER, "90 03 | 0001 | 80", Suback(1, [128])),
    ((V5,), SERVER, "90 05 | 0001 | 00 | 01 a2", Suback(1, [1, 0xA2])),
    (OLD, CLIENT, "a2 08 | 0001 | 0001 61 0001 62", Unsubscribe(1, ["a", "b"])),
    ((V5,), CLIENT, "a2 06 | 0001 | 00 | 0001 61", Unsubscribe(1, ["a"])),
    (OLD, SERVER, "b0 02 | 0001", Unsuback(1)),
    ((V5,), SERVER, "b0 05 | 0001 | 00 | 00 11", Unsuback(1, [0, 0x11])),
    (ALL, CLIENT, "c0 00", Pingreq()),
    (ALL, SERVER, "d0 00", Pingresp()),
    (ALL, CLIENT, "e0 00", Disconnect()),
    ((V5,), SERVER, "e0 01 | 8e", Disconnect(0x8E)),
    (
        (V5,),
        CLIENT,
        "e0 07 | 04 | 05 11 00000001",
        Disconnect(4, DisconnectProperties(session_expiry_interval=1)),
    ),
    ((V5,), SERVER, "f0 06 | 18 | 04 15 0001 6d", Auth(0x18, AuthProperties(authentication_method="m"))),
]  # fmt: skip
CASES = [(version, *rest) for versions, *rest in EXAMPLES for version in versions]


def packed(text: str) -> bytes:
    return bytes.fromhex(text.replace("|", ""))


@pytest.mark.parametrize(("version", "sender", "text", "packet"), CASES)
def test_example(version: int, sender: int, text: str, packet: Packet) -> None:
    data = packed(text)
    assert reference.decode(version, sender, data) == packet
    assert reference.encode(version, packet) == data
    dissection = reference.parse(version, sender, data)
    assert dissection.packet == packet
    assert dissection.violation is None


def test_every_packet_has_an_example_in_each_of_its_versions() -> None:
    from mqtt_ref.wire.generated.catalogue import PACKETS

    have = {(type(packet).TYPE, version) for version, _, _, packet in CASES}
    assert have == {(row.code, version) for row in PACKETS for version in row.senders}


@pytest.mark.parametrize(("version", "sender", "text", "packet"), CASES)
def test_packet_cut_off_anywhere(version: int, sender: int, text: str, packet: Packet) -> None:
    data = packed(text)
    for end in range(len(data)):
        found = reference.decode(version, sender, data[:end])
        assert isinstance(found, Violation)
        # A Remaining Length that is not there at all is missed at byte 1, where it should begin.
        assert (found.statement.endswith("field-truncated"), found.offset) == (True, end)
        assert reference.parse(version, sender, data[:end]).violation == found


@pytest.mark.parametrize(("version", "sender", "text", "packet"), CASES)
def test_bytes_behind_the_packet(version: int, sender: int, text: str, packet: Packet) -> None:
    data = packed(text)
    found = reference.decode(version, sender, data + b"\0")
    assert isinstance(found, Violation)
    assert (found.statement.split("-", 1)[1], found.offset, found.field) == ("trailing-bytes", len(data), "")


# One row of docs/design/offsets.md each, at least: (version, sender, bytes, statement, reason, offset, field).
OFFSETS: list[tuple[str, int, int, str, str, int, int, str]] = [
    ("type that the version lacks", V311, CLIENT, "f0 00", "X311-packet-type-reserved", 0x81, 0, "fixed_header"),
    ("type 0", V5, CLIENT, "00 00", "X5-packet-type-reserved", 0x81, 0, "fixed_header"),
    ("wrong sender", V5, CLIENT, "20 03 00 00 00", "X5-packet-direction", 0x82, 0, "fixed_header"),
    ("wrong sender in 3.1.1 only", V311, SERVER, "e0 00", "X311-packet-direction", 0x82, 0, "fixed_header"),
    ("flags", V5, CLIENT, "c1 00", "MQTT5-2.1.3-1", 0x81, 0, "fixed_header"),
    ("flags with a rule of their own", V311, CLIENT, "80 06 0001 0001 61 00", "MQTT311-3.8.1-1", 0x81, 0,
     "fixed_header"),
    ("QoS 3", V5, CLIENT, "36 04 0001 61 00", "MQTT5-3.3.1-4", 0x81, 0, "fixed_header"),
    ("DUP of QoS 0", V311, CLIENT, "38 03 0001 61", "MQTT311-3.3.1-2", 0x82, 0, "fixed_header"),
    ("continuation bit in the fourth byte", V5, CLIENT, "c0 80 80 80 80 00", "X5-vbi-four-bytes", 0x81, 4,
     "remaining_length"),
    ("Remaining Length too long in 5.0", V5, CLIENT, "c0 80 00", "MQTT5-1.5.5-1", 0x81, 2, "remaining_length"),
    ("Property Length too long", V5, CLIENT, "30 05 0001 61 80 00", "MQTT5-1.5.5-1", 0x81, 6, "properties"),
    ("Property Length cut off", V5, CLIENT, "30 04 0001 61 80", "X5-field-truncated", 0x81, 5, "properties"),
    ("Property Length missing", V5, CLIENT, "30 03 0001 61", "X5-field-truncated", 0x81, 5, "properties"),
    ("Subscription Identifier cut off by its list", V5, CLIENT, "82 09 0001 02 0b80 0001 61 00", "X5-field-truncated",
     0x81, 6, "properties.subscription_identifier"),
    ("Subscription Identifier missing at the list's end", V5, CLIENT, "82 08 0001 01 0b 0001 61 00",
     "X5-field-truncated", 0x81, 6, "properties.subscription_identifier"),
    ("integer that does not fit", V5, CLIENT, "40 01 00", "X5-field-truncated", 0x81, 2, "packet_id"),
    ("integer that is not there", V5, CLIENT, "40 00", "X5-field-truncated", 0x81, 2, "packet_id"),
    ("property value that does not fit", V5, CLIENT, "30 07 0001 61 03 02 0000", "X5-field-truncated", 0x81, 7,
     "properties.message_expiry_interval"),
    ("string whose high byte promises too much", V311, CLIENT, "30 04 0100 6161", "X311-field-truncated", 0x81, 2,
     "topic"),
    ("string whose low byte promises too much", V311, CLIENT, "30 04 0003 6161", "X311-field-truncated", 0x81, 3,
     "topic"),
    ("string with half a length", V311, CLIENT, "30 01 00", "X311-field-truncated", 0x81, 2, "topic"),
    ("string that its own statement misses", V311, CLIENT, "30 00", "MQTT311-3.3.2-1", 0x81, 2, "topic"),
    ("Property Length beyond the packet", V5, CLIENT, "30 06 0001 61 81 01 00", "X5-field-truncated", 0x81, 6,
     "properties"),
    ("unknown property", V5, CLIENT, "30 06 0001 61 02 05 00", "X5-property-unknown", 0x81, 6, "properties"),
    ("identifier of two bytes", V5, CLIENT, "30 07 0001 61 03 8101 00", "X5-property-unknown", 0x81, 6, "properties"),
    ("identifier longer than needed", V5, CLIENT, "30 07 0001 61 03 8100 00", "X5-property-unknown", 0x81, 6,
     "properties"),
    ("property that may not stand there", V5, CLIENT, "30 07 0001 61 03 210001", "X5-receive_maximum-placement", 0x81,
     6, "properties.receive_maximum"),
    ("property that this side may not send", V5, CLIENT, "30 06 0001 61 02 0b01", "MQTT5-3.3.4-6", 0x82, 6,
     "properties.subscription_identifier"),
    ("property twice", V5, CLIENT, "30 0a 0001 61 06 230001 230002", "X5-topic_alias-once", 0x82, 9,
     "properties.topic_alias"),
    ("will property twice", V5, CLIENT, "10 17 0004 4d515454 05 06 0000 00 0000 04 0100 0100 0001 74 0000",
     "X5-payload_format_indicator-once", 0x82, 18, "will_properties.payload_format_indicator"),
    ("ill-formed UTF-8: a byte that never stands", V311, CLIENT, "30 05 0003 61ff61", "MQTT311-1.5.3-1", 0x81, 5,
     "topic"),
    ("ill-formed UTF-8: the byte behind a lead byte", V5, CLIENT, "30 06 0003 e28061 00", "MQTT5-1.5.4-1", 0x81, 6,
     "topic"),
    ("ill-formed UTF-8: overlong", V5, CLIENT, "30 06 0003 e08080 00", "MQTT5-1.5.4-1", 0x81, 5, "topic"),
    ("ill-formed UTF-8: surrogate", V5, CLIENT, "30 06 0003 eda080 00", "MQTT5-1.5.4-1", 0x81, 5, "topic"),
    ("ill-formed UTF-8: above U+10FFFF", V5, CLIENT, "30 07 0004 f4908080 00", "MQTT5-1.5.4-1", 0x81, 5, "topic"),
    ("ill-formed UTF-8: a lead byte without room", V5, CLIENT, "30 06 0003 61e280 00", "MQTT5-1.5.4-1", 0x81, 5,
     "topic"),
    ("ill-formed UTF-8 in a pair", V5, CLIENT, "30 0a 0001 61 06 26 0000 0001 ff", "MQTT5-1.5.7-1", 0x81, 11,
     "properties.user_property"),
    ("U+0000", V31, CLIENT, "30 05 0003 610061", "X31-utf8-no-null", 0x81, 5, "topic"),
    ("wildcard in a topic", V5, CLIENT, "30 06 0003 612f2b 00", "MQTT5-3.3.2-2", 0x81, 6, "topic"),
    ("wildcard in a Response Topic", V5, CLIENT, "30 09 0001 61 05 08 0002 6123", "MQTT5-3.3.2-14", 0x81, 10,
     "properties.response_topic"),
    ("wildcard before ill-formed UTF-8", V5, CLIENT, "30 06 0003 2361ff 00", "MQTT5-3.3.2-2", 0x81, 4, "topic"),
    ("# not on its own", V311, CLIENT, "82 07 0001 0002 6123 00", "MQTT311-4.7.1-2", 0x81, 7,
     "subscriptions.topic_filter"),
    ("# that is not last", V5, CLIENT, "a2 08 0001 00 0003 232f61", "MQTT5-4.7.1-1", 0x81, 7,
     "topic_filters.topic_filter"),
    ("+ behind something", V5, CLIENT, "a2 07 0001 00 0002 612b", "MQTT5-4.7.1-2", 0x81, 8,
     "topic_filters.topic_filter"),
    ("+ before something", V5, CLIENT, "a2 07 0001 00 0002 2b61", "MQTT5-4.7.1-2", 0x81, 8,
     "topic_filters.topic_filter"),
    ("empty topic", V311, CLIENT, "30 02 0000", "MQTT311-4.7.3-1", 0x81, 3, "topic"),
    ("empty filter", V5, CLIENT, "a2 05 0001 00 0000", "MQTT5-4.7.3-1", 0x81, 6, "topic_filters.topic_filter"),
    ("ShareName empty", V5, CLIENT, "a2 0e 0001 00 0009 2473686172652f2f61", "MQTT5-4.8.2-1", 0x81, 14,
     "topic_filters.topic_filter"),
    ("ShareName missing", V5, CLIENT, "a2 0c 0001 00 0007 2473686172652f", "MQTT5-4.8.2-1", 0x81, 13,
     "topic_filters.topic_filter"),
    ("ShareName with a wildcard", V5, CLIENT, "a2 0f 0001 00 000a 2473686172652f2b2f61", "MQTT5-4.8.2-2", 0x81, 14,
     "topic_filters.topic_filter"),
    ("ShareName without a filter", V5, CLIENT, "a2 0d 0001 00 0008 2473686172652f67", "MQTT5-4.8.2-2", 0x81, 14,
     "topic_filters.topic_filter"),
    ("bit of a byte", V5, CLIENT, "10 0d 0004 4d515454 05 03 0000 00 0000", "MQTT5-3.1.2-3", 0x81, 9, "connect_flags"),
    ("bits of a subscription", V311, CLIENT, "82 06 0001 0001 61 04", "MQTT311-3.8.3-4", 0x81, 7,
     "subscriptions.options"),
    ("Packet Identifier 0", V5, SERVER, "32 06 0001 61 0000 00", "MQTT5-2.2.1-4", 0x82, 6, "packet_id"),
    ("value of two bytes", V5, CLIENT, "30 07 0001 61 03 230000", "MQTT5-3.3.2-8", 0x94, 8, "properties.topic_alias"),
    ("value of four bytes", V5, CLIENT, "10 12 0004 4d515454 05 02 0000 05 2700000000 0000",
     "X5-maximum_packet_size-range", 0x82, 17, "properties.maximum_packet_size"),
    ("value of a Variable Byte Integer", V5, CLIENT, "82 09 0001 02 0b00 0001 61 00",
     "X5-subscription_identifier-range", 0x82, 6, "properties.subscription_identifier"),
    ("Reason Code", V5, CLIENT, "40 03 0001 92", "MQTT5-3.4.2-1", 0x82, 4, "reason_code"),
    ("Reason Code that only the other side sends", V5, CLIENT, "40 03 0001 10", "MQTT5-3.4.2-1", 0x82, 4,
     "reason_code"),
    ("Reason Code in a list", V31, SERVER, "90 04 0001 0080", "X31-suback-codes", 0x82, 5, "reason_codes"),
    ("empty list", V5, CLIENT, "82 03 0001 00", "MQTT5-3.8.3-2", 0x82, 5, "subscriptions"),
    ("bytes behind the last field", V311, CLIENT, "40 03 0001 00", "X311-trailing-bytes", 0x81, 4, ""),
    ("rule between fields", V5, CLIENT, "30 03 0000 00", "X5-publish-topic-or-alias", 0x82, 4, "properties"),
    ("rule between properties", V5, CLIENT, "10 10 0004 4d515454 05 02 0000 03 160000 0000",
     "X5-authentication_data-needs", 0x82, 15, "properties"),
    ("rule whose later field is left out", V5, CLIENT, "f0 00", "X5-auth-authentication_method-required", 0x82, 1,
     "properties"),
    ("rule on No Local", V5, CLIENT, "82 10 0001 00 000a 2473686172652f672f61 04", "MQTT5-3.8.3-4", 0x82, 17,
     "subscriptions.options"),
    ("Session Present in a refusal", V311, SERVER, "20 02 01 05", "MQTT311-3.2.2-4", 0x82, 3, "reason_code"),
    ("protocol name that is none", 0, CLIENT, "10 0c 0004 4d515458 04 02 0000 0000", "MQTT5-3.1.2-1", 0x84, 7,
     "protocol_version"),
    ("protocol name of another length", 0, CLIENT, "10 0b 0003 4d5154 04 02 0000 0000", "MQTT5-3.1.2-1", 0x84, 3,
     "protocol_version"),
    ("protocol name that does not fit", 0, CLIENT, "10 03 0004 4d", "X5-field-truncated", 0x81, 3,
     "protocol_version"),
]  # fmt: skip


@pytest.mark.parametrize("case", OFFSETS, ids=[c[0] for c in OFFSETS])
def test_offset(case: tuple[str, int, int, str, str, int, int, str]) -> None:
    _, version, sender, text, statement, reason, offset, field = case
    data = packed(text)
    found = reference.decode(version, sender, data)
    given = {"X311": 4, "MQTT311": 4, "X31": 3}.get(statement.split("-")[0], 5)
    # A CONNECT is judged by the version it names, once that is read.
    expected_version = 0 if version == 0 else given
    assert found == Violation(statement, reason, data[0] >> 4, offset, expected_version, sender, field)
    assert reference.parse(version, sender, data).violation == found


@pytest.mark.parametrize(
    ("name", "level", "statement", "version"),
    [
        ("MQTT", 6, "MQTT5-3.1.2-2", V5),
        ("MQTT", 0x85, "MQTT5-3.1.2-2", V5),
        ("MQTT", 0x84, "MQTT311-3.1.2-2", V311),
        ("MQTT", 3, "MQTT311-3.1.2-2", V311),
        ("MQTT", 0, "MQTT311-3.1.2-2", V311),
        ("MQIsdp", 4, "X31-protocol-version", V31),
        ("MQIsdp", 0, "X31-protocol-version", V31),
        ("MQIsdp", 0x83, "X31-protocol-version", V31),
    ],
)
def test_protocol_level(name: str, level: int, statement: str, version: int) -> None:
    body = len(name).to_bytes(2, "big") + name.encode() + bytes((level, 2, 0, 0, 0, 0))
    found = reference.decode(0, CLIENT, bytes((0x10, len(body))) + body)
    assert isinstance(found, Violation)
    assert found[:6] == (statement, 0x84, 1, len(name) + 4, version, CLIENT)


@pytest.mark.parametrize("given", [0, V31, V311, V5])
@pytest.mark.parametrize("named", ALL)
def test_connect_is_decoded_by_the_version_it_names(given: int, named: int) -> None:
    packet = Connect("c", protocol_version=named)
    assert reference.decode(given, CLIENT, reference.encode(named, packet)) == packet


def test_remaining_length_of_connect_is_judged_by_the_version_it_names() -> None:
    def padded(version: int) -> bytes:
        data = reference.encode(version, Connect("c", protocol_version=version))
        return data[:1] + bytes((data[1] | 128, 0)) + data[2:]

    for given in (0, V311, V5):
        assert isinstance(reference.decode(given, CLIENT, padded(V311)), Connect)
        found = reference.decode(given, CLIENT, padded(V5))
        assert found == Violation("MQTT5-1.5.5-1", 0x81, 1, 2, V5, CLIENT, "remaining_length")


def test_3_1_does_not_check_reserved_flags() -> None:
    assert reference.decode(V31, CLIENT, packed("8a 06 0001 0001 61 00")) == Subscribe(1, [Subscription("a")])


def test_3_1_lets_a_connect_end_before_user_name_and_password() -> None:
    data = packed("10 0f 0006 4d5149736470 03 c2 0000 0001 63")
    assert reference.decode(0, CLIENT, data) == Connect("c", protocol_version=3)
    found = reference.decode(0, CLIENT, packed("10 0d 0004 4d515454 04 c2 0000 0001 63"))
    assert isinstance(found, Violation)
    assert (found.statement, found.offset) == ("MQTT311-3.1.2-19", 15)


def test_nothing_at_all() -> None:
    found = reference.decode(V5, CLIENT, b"")
    assert found == Violation("X5-field-truncated", 0x81, 0, 0, V5, CLIENT, "fixed_header")
    assert reference.parse(V5, CLIENT, b"").violation == found


def test_kinds_break_a_tie_at_one_byte() -> None:
    """Length before type: the last byte of a list, with its continuation bit set, is cut off and unknown."""
    found = reference.decode(V5, CLIENT, packed("30 05 0001 61 01 80"))
    assert isinstance(found, Violation)
    assert (found.statement, found.offset, found.field) == ("X5-field-truncated", 6, "properties")


def test_packet_that_the_version_lacks_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="AUTH"):
        reference.encode(V311, Auth())


@pytest.mark.parametrize(
    "packet",
    [
        Publish("x" * 65_536),
        Puback(65_536),
        Puback(-1),
        Publish("a", properties=PublishProperties(subscription_identifier=[268_435_456])),
    ],
)
def test_values_that_do_not_fit_are_not_encoded(packet: Packet) -> None:
    with pytest.raises(ValueError):
        reference.encode(V5, packet)


def test_dissection_names_fields_and_offsets() -> None:
    data = packed("32 0c 0003 612f62 000a 03 230001 78")
    dissection = reference.parse(V5, CLIENT, data)
    assert [(n.name, n.start, n.end, n.value) for n in dissection.fields] == [
        ("fixed_header", 0, 1, 0x32),
        ("remaining_length", 1, 2, 12),
        ("topic", 2, 7, "a/b"),
        ("packet_id", 7, 9, 10),
        ("properties", 9, 13, None),
        ("payload", 13, 14, b"x"),
    ]
    alias = dissection.field("properties.topic_alias")
    assert alias is not None
    assert (alias.start, alias.end, alias.value) == (10, 13, 1)
    assert [(n.name, n.start, n.end, n.value) for n in alias.children] == [
        ("identifier", 10, 11, 0x23),
        ("value", 11, 13, 1),
    ]
    assert dissection.field("properties.nothing") is None
    assert dissection.field("fixed_header.qos") is not None


def test_dissection_of_a_broken_packet_ends_with_what_broke() -> None:
    dissection = reference.parse(V5, CLIENT, packed("30 0c 0001 61 06 230001 230002 78 78"))
    names = [n.name for _, n in dissection.walk()]
    assert names[-1] == "topic_alias"
    broken = [n for _, n in dissection.walk()][-1]
    assert (broken.start, broken.value) == (9, None)


@pytest.mark.parametrize(("version", "sender", "text", "packet"), CASES)
def test_leaves_of_the_dissection_cover_the_packet(version: int, sender: int, text: str, packet: Packet) -> None:
    dissection = reference.parse(version, sender, packed(text))
    at = 0
    for node in dissection.fields:
        assert node.start == at
        at = node.end
    assert at == len(dissection.data)
    for _, node in dissection.walk():
        assert all(node.start <= child.start and child.end <= node.end for child in node.children)


def _vbi(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + _vbi(len(body)) + body


MANY = 3000
GREEDY: dict[str, tuple[int, bytes]] = {
    "user properties": (CLIENT, _packet(0x30, b"\0\1a" + _vbi(5 * MANY) + b"\x26\0\0\0\0" * MANY)),
    "user properties, broken": (CLIENT, _packet(0x30, b"\0\1a" + _vbi(5 * MANY + 1) + b"\x26\0\0\0\0" * MANY + b"\0")),
    "subscription identifiers": (SERVER, _packet(0x30, b"\0\1a" + _vbi(2 * MANY) + b"\x0b\x01" * MANY)),
    "subscriptions": (CLIENT, _packet(0x82, b"\0\1\0" + b"\0\1a\0" * MANY)),
    "filters": (CLIENT, _packet(0xA2, b"\0\1\0" + b"\0\2ab" * MANY)),
    "reason codes": (SERVER, _packet(0x90, b"\0\1\0" + b"\1" * 4 * MANY)),
    "payload": (CLIENT, _packet(0x30, b"\0\1a\0" + bytes(100 * MANY))),
    "zeros": (CLIENT, bytes(MANY)),
    "ones": (CLIENT, b"\xff" * MANY),
    "levels": (CLIENT, _packet(0x82, b"\0\1\0\xff\xff" + b"+/" * 32767 + b"+\0")),
}


@pytest.mark.parametrize("name", GREEDY)
@pytest.mark.parametrize("function", [reference.decode, reference.parse])
def test_memory_is_bounded(name: str, function: Any) -> None:
    sender, data = GREEDY[name]
    function(V5, sender, data)
    tracemalloc.start()
    try:
        function(V5, sender, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 65_536 + 64 * len(data)


def test_importing_the_fast_side_does_not_import_construct() -> None:
    import subprocess
    import sys

    code = "import sys, mqtt_ref.wire.framing, mqtt_ref.wire.jsonform; assert 'construct' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
