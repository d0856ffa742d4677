# SPDX-License-Identifier: MIT
"""What is kept of the traffic, and the forms that it comes in."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from mqtt_ref.oracle import facade as facade_module
from mqtt_ref.oracle import recorder as recorder_module
from mqtt_ref.oracle import rules as rules_module
from mqtt_ref.oracle.actions import Drop
from mqtt_ref.oracle.fields import check_fields, matches
from mqtt_ref.oracle.matching import Match, Passing
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.oracle.recorder import Condition, Recorder, weight
from mqtt_ref.oracle.rules import Fired, Rule, Script
from mqtt_ref.testing.oracle import Oracle
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import decode, encode
from mqtt_ref.wire.packets import Connect, ConnectProperties, Pingreq, Publish, Subscribe, Subscription
from mqtt_ref.wire.pcap import streams


def test_the_oldest_go_first_and_are_counted() -> None:
    recorder = Recorder(maximum_bytes=2 * weight(Publish("0"), bytes(10)))
    for number in range(4):
        recorder.packet(1, "in", Publish(str(number)), bytes(10), 5, "melon")
    assert [one.number for one in recorder.seen()] == [3, 4]
    assert recorder.dropped == 2
    assert recorder.written().startswith("(2 earlier events were dropped)\n")
    recorder.clear()
    assert recorder.seen() == []
    assert recorder.written() == ""


def test_both_forms_can_be_judged_later() -> None:
    with Oracle() as oracle:
        with RawClient(oracle.port) as client:
            client.connect("melon")
            client.send(b"\xc1\x00")
            client.disconnect()
        oracle.allow("MQTT5-2.1.3-1")
        oracle.wait_for(lambda: oracle.recorder.seen()[-1].way == "close")
    jsonl = oracle.recorder.written("jsonl")
    assert [json.loads(line)["dir"] for line in jsonl.splitlines()] == ["open", "in", "out", "in", "in", "close"]
    for form in (jsonl.encode(), oracle.recorder.pcap()):
        assert [one.rule for one in judge_recording(form).findings] == ["MQTT5-2.1.3-1"]


def test_clients_without_an_address_get_one() -> None:
    recorder = Recorder()
    recorder.event(1, "open", "memory:1")
    recorder.packet(1, "in", Pingreq(), b"\xc0\x00", 5, "melon")
    recorder.event(2, "open", "[::1]:40000")
    recorder.packet(2, "in", Pingreq(), b"\xc0\x00", 5, "melon")
    found = list(streams(recorder.pcap()))
    assert [(one.source, one.target, one.target_port) for one in found] == [
        ("127.0.0.1", "127.0.0.1", 1883),
        ("::1", "::1", 1883),
    ]
    assert found[1].source_port == 40000


@pytest.mark.parametrize(
    ("fields", "fit"),
    [
        ({}, True),
        ({"client_id": "melon", "clean_start": True}, True),
        ({"client_id": "lemon"}, False),
        ({"password": "secret"}, True),
        ({"session_expiry_interval": 60}, True),
        ({"receive_maximum": None}, True),
        ({"keep_alive": lambda seconds: seconds > 0}, False),
        ({"keep_alive": lambda seconds: seconds == 0}, True),
    ],
)
def test_fields_and_properties(fields: dict[str, object], fit: bool) -> None:
    packet = Connect("melon", username="carol", password=b"secret", properties=ConnectProperties(60), keep_alive=0)
    assert matches(packet, fields) is fit


def test_a_property_that_the_packet_does_not_have() -> None:
    assert matches(Connect("melon", protocol_version=4), {"session_expiry_interval": None})
    with pytest.raises(TypeError, match="Pingreq has no field 'topic'"):
        check_fields(Pingreq, ["topic"])
    with pytest.raises(TypeError, match=r"Publish has no field 'topik'; it has topic, .*topic_alias"):
        check_fields(Publish, ["topic", "topik"])


def kept_bytes(recorder: Recorder) -> int:
    """The bytes of the packets that can be reached from the recorder, each counted once."""
    raws = {id(one.data): len(one.data) for one in recorder.seen()}
    raws |= {id(one.passing.data): len(one.passing.data) for one in recorder.happenings if one.passing is not None}
    return sum(raws.values())


def test_large_packets_are_not_kept_for_those_that_wait_either() -> None:
    recorder = Recorder(maximum_bytes=100_000)
    for number in range(300):
        recorder.packet(1, "in", Publish("t", bytes(10_000)), bytes(10_010 + number % 2), 5, "melon")
        recorder.fired(Fired("rule", "melon", 0, b"", None))
    assert kept_bytes(recorder) <= 100_000
    kept = [one.number for one in recorder.happenings if one.kind == "packet"]
    assert len(kept) == len(recorder.seen()) == 300 - recorder.dropped
    assert 0 < len(kept) < 10
    assert recorder.count(Condition(fired="rule")) == len(kept) + 1  # that after the last one dropped
    recorder.packet(1, "in", Publish("t", bytes(500_000)), bytes(500_010), 5, "melon")
    assert [len(one.data) for one in recorder.seen()] == [500_010]  # the latest is always there
    recorder.clear()
    recorder.packet(1, "in", Publish("t", b""), bytes(10), 5, "melon")
    assert kept_bytes(recorder) == 10


def test_a_packet_of_many_parts_counts_as_what_it_uses_in_memory() -> None:
    packet = Subscribe(1, [Subscription(f"{n}") for n in range(1000)])
    raw = encode(5, packet)
    tracemalloc.start()
    decoded = decode(5, 0, raw, 0, 3, len(raw))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert decoded == packet
    assert used / 2 < weight(packet, raw)
    assert weight(Publish("t", bytes(1000)), bytes(1005)) < 2500


def test_client_identifiers_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "VISITORS", 10)
    monkeypatch.setattr(rules_module, "CLIENTS", 10)
    recorder = Recorder()
    script = Script([Rule(when=Match(packet="CONNECT", by="*", nth=2), do=Drop())])
    for number in range(100):
        connect = Connect(f"c{number}")
        recorder.packet(number, "in", connect, b"\x10\0", 5, "")
        recorder.packet(1000 + number, "in", Connect("often"), b"\x10\0", 5, "")
        script.arrived(f"c{number}")
        assert script.arrived("often") == number + 1
        assert script.acting(Passing(0, b"\x10\0", connect, 5, f"c{number}")) == []
    assert len(recorder._visits) == len(script._connections) == len(script._seen) == 10
    passing = recorder.happenings[-1].passing
    assert passing is not None
    assert passing.connection == 100
    assert len(script.acting(Passing(0, b"\x10\0", Connect("c99"), 5, "c99"))) == 1


def test_findings_are_kept_up_to_a_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facade_module, "FINDINGS", 5)
    with Oracle(check=False) as oracle:
        for _ in range(8):
            with RawClient(oracle.port) as client:
                client.connect("melon")
                client.send(b"\xc1\x00")
                client.disconnect()
        oracle.wait_for(lambda: oracle.judge.counts.total() == 8)
        assert len(oracle.findings) == 5
        with pytest.raises(AssertionError, match=r"MQTT5-2\.1\.3-1"):
            oracle.check()
        oracle.check()
