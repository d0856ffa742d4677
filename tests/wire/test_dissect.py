# SPDX-License-Identifier: MIT
"""What the dissector says: packets of a stream in order, guesses told, breaches explained with a caret at the byte."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mqtt_ref.wire import reference
from mqtt_ref.wire.dissect import Found, Stream, explain, json_line, to_json
from mqtt_ref.wire.packets import Connect, Disconnect, Packet, Pingreq, Puback, Publish, Subscribe, Subscription
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from tests.work import Copied, grows_linearly


def all_of(data: bytes, version: int | None = None, sender: int | None = None) -> list[Found]:
    stream = Stream(version, sender)
    return [*stream.feed(data), *stream.rest()]


def packets(found: list[Found]) -> list[Packet | None]:
    return [f.dissection.packet for f in found]


def test_any_chunking_gives_the_same_packets() -> None:
    wanted: list[Packet] = [Connect("c", protocol_version=4), Publish("a", b"x" * 200), Pingreq(), Disconnect()]
    data = b"".join(reference.encode(V311, p) for p in wanted)
    for size in (1, 2, 3, 7, len(data)):
        stream = Stream()
        found = [f for at in range(0, len(data), size) for f in stream.feed(data[at : at + size])]
        assert packets(found) == wanted
        assert list(stream.rest()) == []
        assert [f.offset for f in found] == [0, 15, 221, 223]


def test_version_of_a_connect_holds_for_both_directions() -> None:
    stream = Stream()
    list(stream.feed(reference.encode(V311, Connect("c", protocol_version=4)), CLIENT))
    found = list(stream.feed(b"\x90\x03\x00\x01\x80", SERVER))
    assert found[0].dissection.version == V311
    assert found[0].notes == ()


def test_guessed_version_is_told_and_what_else_the_bytes_could_be() -> None:
    (found,) = all_of(b"\x40\x02\0\1")
    assert found.notes == (
        "no CONNECT seen before: read as MQTT 5.0",
        "the bytes are legal in MQTT 3.1.1 and MQTT 3.1 too",
    )
    (found,) = all_of(reference.encode(V311, Publish("a", b"\0x")))
    assert found.notes[1] == "the bytes are legal in MQTT 3.1.1 and MQTT 3.1 too, with another meaning"
    (found,) = all_of(reference.encode(V311, Publish("a", b"xyz")))
    assert found.dissection.violation is not None
    assert found.notes[1] == "the bytes are legal in MQTT 3.1.1 and MQTT 3.1"


@pytest.mark.parametrize("sender", [None, CLIENT])
def test_the_flags_of_a_connect_are_not_judged_by_a_guessed_version(sender: int | None) -> None:
    data = bytes.fromhex("1f0f 0006 4d5149736470 03 02 003c 0001 61")
    for size in (1, 2, 7, len(data)):
        stream = Stream(sender=sender)
        found = [f for at in range(0, len(data), size) for f in stream.feed(data[at : at + size])]
        assert packets(found) == [Connect("a", protocol_version=V31, keep_alive=60)]
        assert (found[0].notes, found[0].dissection.version) == ((), V31)
        flags = found[0].dissection.field("fixed_header.flags")
        assert flags is not None
        assert flags.value == 15
        assert packets(list(stream.feed(b"\xc5\x00"))) == [Pingreq()]  # 3.1 holds for what follows
    (cut,) = all_of(data[:9], sender=sender)
    assert cut.dissection.violation is not None
    assert cut.dissection.violation.statement == "X5-field-truncated"
    for broken, version in ((data, V5), (data, V311), (data[:4] + bytes.fromhex("4d515454") + data[8:], None)):
        violation = all_of(broken, version, sender)[0].dissection.violation
        assert violation is not None
        assert (violation.offset, violation.field, violation.version) == (0, "fixed_header", version or V5)


def test_given_version_is_no_guess() -> None:
    (found,) = all_of(b"\x40\x02\0\1", V31)
    assert (found.dissection.version, found.notes) == (V31, ())
    (found,) = all_of(reference.encode(V5, Puback(1, 0x10)), V311, SERVER)
    assert found.notes == ("the bytes are legal in MQTT 5.0",)


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("c000", CLIENT),
        ("d000", SERVER),
        ("20020000", SERVER),
        ("4003000110", SERVER),  # 0x10 is the server's
        ("300600016102 0101".replace(" ", ""), CLIENT),
        ("e00104", CLIENT),
        ("e0018e", SERVER),
        ("2002ffff", SERVER),  # broken, but only a server sends a CONNACK
        ("1000", CLIENT),
    ],
)
def test_sender_is_guessed(text: str, sender: int) -> None:
    found = all_of(bytes.fromhex(text))[0]
    assert found.dissection.sender == sender


def test_breach_is_explained() -> None:
    (found,) = all_of(bytes.fromhex("82080001000003612f23"), V5)
    lines = explain(found).splitlines()
    assert lines[0] == "SUBSCRIBE (MQTT 5.0, from the client, 10 bytes)"
    dump = next(n for n, line in enumerate(lines) if "82 08 00 01" in line)
    assert lines[dump + 1].index("^^") == lines[dump].index("82") + 3 * 10
    assert "after the last one, field subscriptions.options" in lines[dump + 2]
    assert "X5-field-truncated" in lines[dump + 3]
    assert lines[-1] == "  breach: 0x81 Malformed Packet"


def test_caret_stands_under_the_byte_in_a_long_packet() -> None:
    data = reference.encode(V5, Subscribe(1, [Subscription("a" * 40), Subscription("b")]))
    data = data[:-1] + b"\x03"
    (found,) = all_of(data, V5)
    assert found.dissection.violation is not None
    lines = explain(found).splitlines()
    caret = next(n for n, line in enumerate(lines) if line.strip() == "^^")
    at = lines[caret].index("^^")
    assert lines[caret - 1][at : at + 2] == "03"
    assert lines[caret - 1].split()[0] == str(found.dissection.violation.offset // 16 * 16)


def test_legal_packet_is_shown_field_by_field() -> None:
    (found,) = all_of(reference.encode(V5, Publish("a/b", b"\x00\xff", 1, packet_id=7)), V5, CLIENT)
    rows = [line.split() for line in explain(found).splitlines()]
    assert ["2", "00", "03", "61", "2f", "62", "topic", "'a/b'"] in rows
    assert ["0", "qos", "1"] in rows
    assert ["10", "00", "ff", "payload", "00", "ff"] in rows


def test_what_cannot_be_a_packet_behind_a_broken_one_is_not_decoded() -> None:
    stream = Stream(V5)
    found = list(stream.feed(bytes.fromhex("82080001000003612f23 00 00 ff".replace(" ", ""))))
    assert len(found) == 1
    assert stream.unread == 3
    assert list(stream.feed(b"\xc0\0")) == []


def test_lost_bytes_end_a_packet() -> None:
    stream = Stream(V5)
    assert list(stream.feed(b"\x30\x10\0\1", CLIENT)) == []
    (found,) = stream.lose(CLIENT)
    assert found.dissection.violation is not None
    assert packets(list(stream.feed(b"\xc0\0", CLIENT))) == [Pingreq()]


def test_json() -> None:
    (found,) = all_of(reference.encode(V5, Pingreq()), V5)
    form = to_json(found)
    assert form["packet"] == {"v": 1, "type": "PINGREQ"}
    assert (form["hex"], form["sender"], form["protocol"], form["offset"]) == ("c000", "client", 5, 0)
    assert [f["name"] for f in form["fields"]] == ["fixed_header", "remaining_length"]
    (found,) = all_of(b"\xc1\0", V5)
    form = to_json(found)
    assert form["violation"]["statement"] == "MQTT5-2.1.3-1"
    assert form["meaning"].endswith(".")


def test_nothing_raises() -> None:
    import random

    draw = random.Random(3)
    for _ in range(2000):
        data = draw.randbytes(draw.randrange(1, 30))
        for found in all_of(data, draw.choice([None, V5, V311, V31])):
            assert explain(found)
            assert to_json(found)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: b"\xc0\0" * n,
        lambda n: b"".join(reference.encode(V5, Publish("t", b"%d" % i)) for i in range(n)),
        lambda n: b"".join(b"\x36\x05\0\1a%c\0" % (i % 100) for i in range(n)),
        lambda n: reference.encode(V5, Subscribe(1, [Subscription(f"t{i}") for i in range(n)])),
        lambda n: b"\0" * n,
    ],
    ids=["alike", "different", "broken", "one of many parts", "not a packet"],
)
def test_the_work_is_in_proportion_to_the_bytes(make: Callable[[int], bytes]) -> None:
    def work(size: int) -> Callable[[], object]:
        data = make(size)
        return lambda: [(explain(one), json_line(one)) for one in all_of(data)]

    assert grows_linearly(work, 100)


def test_a_long_packet_in_many_pieces_is_copied_once() -> None:
    data = reference.encode(V5, Publish("t", bytes(50_000)))
    stream = Stream()
    Copied.total = 0
    found = [one for at in range(0, len(data), 100) for one in stream.feed(Copied(data[at : at + 100]))]
    assert packets(found) == [Publish("t", bytes(50_000))]
    assert Copied.total <= 2 * len(data)


def test_packets_that_come_again_are_dissected_once() -> None:
    stream = Stream(V5, CLIENT)
    first, second = stream.feed(b"\xc0\0\xc0\0")
    assert first.dissection is second.dissection
    assert (first.offset, second.offset) == (0, 2)
    assert json.loads(json_line(second, "1 [::1]:5")) == {"conn": "1 [::1]:5", **to_json(second)}
    long = reference.encode(V5, Publish("t", bytes(100)))
    first, second = stream.feed(long + long)
    assert first.dissection is not second.dissection
    assert explain(first) == explain(second)
