# SPDX-License-Identifier: MIT
"""Captures in which something is missing, doubled or out of order accuse nobody of what it hides."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import pytest

from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.oracle.faults.client import Client
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.oracle.report import as_text
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, ConnectProperties, Puback, Publish
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from mqtt_ref.wire.recording import RecordingError
from tests.oracle.rig import End, Rig
from tests.oracle.tap import KINDS, Record, Tap, TappedRig, damaged, written

TOPICS = ("a", "a/b", "c")
SEEDS = 12
"""Sessions for each version and kind of damage."""


def session(version: int, seed: int, reuse: bool = False) -> TappedRig:
    """What two strict clients say on a link that is lost now and then."""
    draw = random.Random(seed)
    capabilities = Capabilities(receive_maximum=draw.choice((1, 3, 1024)) if version == V5 else 1024)
    if version == V5:
        capabilities.topic_alias_maximum = draw.choice((0, 10))
    rig = TappedRig(Options(capabilities), [Client("one", version), Client("two", version)], reuse)
    for end in rig.ends:
        connect(end, version, draw, False)
        end.settle()
        end.act("subscribe", "#", 2)
        end.settle()
    for _ in range(60):
        rig.now += 3_000_000
        act(rig, draw.choice(rig.ends), version, draw)
    for end in rig.ends:
        end.settle()
    assert not rig.judge.findings
    return rig


def connect(end: End, version: int, draw: random.Random, clean: bool) -> None:
    more: dict[str, Any] = {"properties": ConnectProperties(3600)} if version == V5 else {}
    end.connect(clean_start=clean, keep_alive=draw.choice((0, 5)), **more)


def act(rig: Rig, end: End, version: int, draw: random.Random) -> None:
    name = draw.choice(
        ("publish",) * 8 + ("short", "settle", "settle", "up", "down", "drop", "connect", "time", "ping", "disconnect")
    )
    if name == "publish":
        end.act("publish", draw.choice(TOPICS), draw.randbytes(draw.choice((0, 3, 50))), draw.randrange(3))
    elif name == "short":
        if version == V5:
            end.act("publish_short", draw.choice(TOPICS), b"x")
    elif name == "connect":
        connect(end, version, draw, draw.random() < 0.2)
    elif name == "time":
        rig.pass_time(draw.choice((0.3, 2.0, 12.0)))
    elif name in ("settle", "drop"):
        getattr(end, name)()
    elif name in ("up", "down"):
        getattr(end, f"deliver_{name}")()
    else:
        end.act(name)


@pytest.mark.parametrize("version", [V5, V311, V31])
def test_a_whole_capture_of_strict_clients_is_judged_in_full(version: int) -> None:
    for seed in range(SEEDS):
        for reuse in (False, True):
            rig = session(version, seed, reuse)
            records = rig.tap.records
            judge = judge_recording(written(records))
            assert not judge.findings
            assert not judge.holes
            assert judge.unjudged == rig.judge.unjudged
            assert judge.connections == rig.judge.connections


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [V5, V311, V31])
def test_damage_accuses_nobody(version: int, kind: str) -> None:
    for seed in range(SEEDS):
        records = session(version, seed, seed % 2 == 1).tap.records
        try:
            judge = judge_recording(damaged(records, kind, random.Random(seed)))
        except RecordingError:
            assert kind in ("cut off", "begun late")  # nothing is left
            continue
        told = "\n\n".join(as_text(finding) for finding in judge.findings)
        assert not judge.findings, f"{kind}, seed {seed}\n{told}"


# ---------------------------------------------------------------- by hand


FLAGS = b"\xc1\x00"
"""A PINGREQ with a reserved flag: wrong whatever the server says."""
PUBACK = encode(V5, Puback(7))
MESSAGE = encode(V5, Publish("t", b"", 1, packet_id=7))
RULE_OF_FLAGS = "MQTT5-2.1.3-1"


class Hand:
    """One connection, segment by segment; both sides have got all that was said, captured or not."""

    def __init__(self, keep_alive: int = 0) -> None:
        self.tap = Tap()
        self.now = 1_000_000_000
        self.link = self.tap.open(self.now)
        self.say(CLIENT, encode(V5, Connect("c", keep_alive=keep_alive)))
        self.say(SERVER, encode(V5, Connack()))

    def say(self, side: int, data: bytes, lost: bool = False, seconds: float = 0.02, flags: int = 24) -> None:
        self.now += int(seconds * 1_000_000_000)
        self.link.say(self.now, side, data, flags)
        self.link.heard[1 - side] = self.link.next[side]
        if lost:
            self.tap.records.pop()

    def judged(self, complete: bool = False) -> tuple[list[str], list[str]]:
        judge = judge_recording(written(self.tap.records), Judge(complete=complete))
        return [one.rule for one in judge.findings], [str(one) for one in judge.holes.values()]


WHO = "connection 1 10.0.0.1:40000: "
OF_CLIENT = "nothing that the client does after that is judged"
OF_SERVER = (
    "from there on, nothing is judged that depends on the server: acknowledgements, Packet Identifiers, flow control, "
    "sessions, Keep Alive"
)


def test_what_the_server_said_last_is_missing() -> None:
    """Only the client's acknowledgement shows that there was something."""
    hand = Hand()
    hand.say(SERVER, MESSAGE, lost=True)
    hand.say(CLIENT, PUBACK)
    hand.say(CLIENT, FLAGS)
    assert hand.judged() == (
        [RULE_OF_FLAGS],
        [f"{WHO}8 bytes of the server are missing after byte 5; {OF_SERVER}"],
    )


def test_before_the_hole_all_is_judged() -> None:
    hand = Hand()
    hand.say(CLIENT, PUBACK)
    hand.say(SERVER, encode(V5, Publish("t", b"")))
    hand.say(SERVER, MESSAGE, lost=True)
    hand.say(CLIENT, PUBACK)
    assert hand.judged()[0] == ["MQTT5-2.2.1-5"]


def test_behind_a_hole_in_what_the_client_sent_no_packet_is_looked_for() -> None:
    """What follows may be the middle of a packet, though it looks like one that breaks a rule."""
    hand = Hand()
    hand.say(CLIENT, encode(V5, Publish("a", bytes(90)))[:50], lost=True)
    hand.say(CLIENT, FLAGS)
    hand.say(SERVER, MESSAGE)
    assert hand.judged() == (
        [],
        [f"{WHO}50 bytes of the client are missing after byte 16; {OF_CLIENT}"],
    )


def test_silence_is_not_held_against_a_client_whose_packets_are_missing() -> None:
    for lost in (False, True):
        hand = Hand(keep_alive=5)
        hand.say(CLIENT, b"\xc0\x00", lost, seconds=4)
        hand.say(SERVER, b"\xd0\x00")
        hand.say(CLIENT, b"\xc0\x00", seconds=24)
        rules, holes = hand.judged()
        assert rules == ([] if lost else ["MQTT5-3.1.2-20"])
        assert len(holes) == lost


def test_a_segment_that_was_cut_short_is_a_hole() -> None:
    hand = Hand()
    hand.say(CLIENT, encode(V5, Publish("a", bytes(90))))
    record = hand.tap.records.pop()
    hand.tap.records.append(replace(record, data=record.data[:30]))
    hand.say(CLIENT, FLAGS)
    rules, holes = hand.judged()
    assert rules == []
    assert holes == [f"{WHO}66 bytes of the client are missing after byte 46; {OF_CLIENT}"]


def test_an_answer_recorded_before_what_it_answers() -> None:
    hand = Hand()
    hand.say(SERVER, MESSAGE)
    hand.say(CLIENT, PUBACK)
    one, two = hand.tap.records[-2:]
    hand.tap.records[-2:] = replace(two, time=one.time), replace(one, time=two.time)
    hand.say(CLIENT, PUBACK)
    assert hand.judged() == (["MQTT5-2.2.1-5"], [])


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_one_direction_alone(side: int) -> None:
    hand = Hand()
    hand.say(SERVER, MESSAGE)
    hand.say(CLIENT, PUBACK)
    hand.say(CLIENT, FLAGS)
    hand.tap.records = [one for one in hand.tap.records if one.side == side]
    rules, (hole,) = hand.judged()
    if side == CLIENT:
        assert rules == [RULE_OF_FLAGS]
        assert hole == f"{WHO}13 bytes of the server are missing after byte 0; {OF_SERVER}"
    else:
        assert rules == []
        assert hole == (f"{WHO}16 bytes of the client are missing after byte 0; nothing of this connection is judged")


def test_a_client_that_may_have_been_here_meanwhile() -> None:
    """On a connection whose CONNECT is missing, or all of it, the exchange may have ended: it need not be taken up."""
    kept = ConnectProperties(3600)
    message = encode(V5, Publish("a", b"", 1, packet_id=1))
    for lost in (False, True):
        hand = Hand()
        hand.tap.records.clear()
        for number in range(3):
            link = hand.link = hand.tap.open(hand.now)
            hand.say(CLIENT, encode(V5, Connect("c", 0, False, properties=kept)), lost=number == 1)
            hand.say(SERVER, encode(V5, Connack(session_present=number > 0)))
            if number == 0:
                hand.say(CLIENT, message)
            if number == 1 and not lost:
                hand.tap.records = [one for one in hand.tap.records if one.connection != link.number]
            if number == 2:
                hand.say(CLIENT, encode(V5, Publish("b", b"")), seconds=29)
            hand.say(CLIENT, b"", flags=17)
        assert hand.judged()[0] == []
        rules, holes = hand.judged(complete=True)
        assert rules == ([] if lost else ["MQTT5-4.4.0-1"])
        assert len(holes) == lost


def test_a_reset_does_not_show_that_the_client_was_there() -> None:
    """The machine may have been started again, and knows nothing of the connection."""
    for flags, found in ((4, []), (17, ["MQTT5-3.1.2-20"])):
        hand = Hand(keep_alive=5)
        hand.say(CLIENT, b"", seconds=24, flags=flags)
        assert hand.judged()[0] == found


def test_a_port_that_is_used_again_with_the_same_numbers() -> None:
    """As programs do that make up captures: what comes behind the end is another connection."""
    hand = Hand()
    hand.say(CLIENT, b"", flags=17)
    hand.say(SERVER, b"", flags=17)
    first = list(hand.tap.records)
    again = [replace(one, time=one.time + 200_000_000) for one in first]
    judge = judge_recording(written(first + again))
    assert judge.connections == 2
    assert not judge.findings
    assert not judge.holes


def test_many_segments_behind_a_hole_take_no_time_for_each_other() -> None:
    hand = Hand()
    segments: list[Record] = []
    for _ in range(20_000):
        hand.say(CLIENT, b"\xc0\x00", seconds=0.000_01)
        segments.append(hand.tap.records.pop())
    begin = time.process_time()
    judge = judge_recording(written([*hand.tap.records, *segments[:0:-1]]))
    assert time.process_time() - begin < 8
    (hole,) = judge.holes.values()
    assert (hole.size, hole.behind, hole.count) == (2, 16, 1)
