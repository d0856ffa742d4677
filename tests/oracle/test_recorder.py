# SPDX-License-Identifier: MIT
"""What is kept of the traffic, and the forms that it comes in."""

from __future__ import annotations

import json

import pytest

from mqtt_ref.oracle.fields import check_fields, matches
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.oracle.recorder import Recorder
from mqtt_ref.testing.oracle import Oracle
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connect, ConnectProperties, Pingreq, Publish
from mqtt_ref.wire.pcap import streams


def test_the_oldest_go_first_and_are_counted() -> None:
    recorder = Recorder(maximum_bytes=25)
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
