# SPDX-License-Identifier: MIT
"""The oracle for tests, without pytest's fixtures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_ref.oracle.actions import Close, Drop, Freeze
from mqtt_ref.oracle.matching import Match
from mqtt_ref.testing.oracle import Oracle
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Pubrel,
)
from mqtt_ref.wire.pcap import is_capture

FLAGS = b"\xc1\x00"
RULE = "MQTT5-2.1.3-1"


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    oracle = Oracle()
    oracle.start()
    yield oracle
    oracle.stop()


@pytest.fixture
def client(oracle: Oracle) -> Iterator[RawClient]:
    with RawClient(oracle.port) as client:
        client.connect("melon")
        yield client


def test_a_clean_client_passes() -> None:
    with Oracle() as oracle:
        assert oracle.url == f"mqtt://{oracle.host}:{oracle.port}"
        with RawClient(oracle.port) as client:
            client.connect("melon")
            client.publish("a", b"ripe", qos=1)
            client.disconnect()
    assert oracle.findings == []


def test_a_broken_rule_is_raised_at_the_end_or_before() -> None:
    def play() -> None:
        with Oracle() as oracle, RawClient(oracle.port) as client:
            client.connect("melon")
            client.send(FLAGS)

    with pytest.raises(AssertionError, match=rf"1 rule.*\n\n1\. {RULE}"):
        play()
    with Oracle() as oracle, RawClient(oracle.port) as client:
        client.connect("melon")
        client.send(FLAGS)
        with pytest.raises(AssertionError):
            oracle.check()
        oracle.check()
        assert [one.rule for one in oracle.findings] == [RULE]


def test_an_error_of_the_test_is_not_hidden() -> None:
    def play() -> None:
        with Oracle() as oracle, RawClient(oracle.port) as client:
            client.connect("melon")
            client.send(FLAGS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play()


def test_rules_are_allowed_by_any_of_their_names(oracle: Oracle, client: RawClient) -> None:
    client.send(FLAGS)
    assert [one.rule for one in oracle.findings] == [RULE]
    oracle.allow("MQTT-2.1.3-1")
    assert oracle.findings == []
    oracle.check()
    with pytest.raises(ValueError, match=r"there is no rule 'MQTT5-9\.9\.9-9'"):
        oracle.allow("MQTT5-9.9.9-9")
    with pytest.raises(ValueError, match=r"did you mean X5-keep-alive"):
        oracle.allow("X5-keep-alive")


def test_a_policy_that_closes() -> None:
    with Oracle(on_violation="close", allow=[RULE]) as oracle, RawClient(oracle.port) as client:
        client.connect("melon")
        client.send(FLAGS)
        assert isinstance(client.until_closed()[-1], Disconnect)
        assert oracle.expect(Disconnect, sender="broker").reason_code == 0x81


def test_packets_are_given_once_and_in_order(oracle: Oracle, client: RawClient) -> None:
    client.publish("a", b"1")
    client.publish("b", b"2")
    client.ping()
    assert oracle.expect(Publish, topic="b", payload="2").payload == b"2"
    with pytest.raises(AssertionError, match=r"no expect\(Publish, topic='a'\) .*\n.*opened(.|\n)*PINGREQ"):
        oracle.expect(Publish, topic="a", within=0.0)
    oracle.expect(Pingreq)
    with pytest.raises(AssertionError):
        oracle.expect(Pingreq, within=0.0)
    assert [one.topic for one in oracle.packets(Publish)] == ["a", "b"]
    assert oracle.packets(Publish, topic="c") == []


def test_clients_are_told_apart(oracle: Oracle, client: RawClient) -> None:
    with RawClient(oracle.port) as other:
        other.connect("lemon")
        other.publish("b")
        assert oracle.expect(Publish, client="lemon").topic == "b"
        oracle.expect(Connect, client="melon", client_id="melon")
        oracle.expect(Connack, sender="broker", client="melon")
        with pytest.raises(AssertionError, match="from 'melon' within"):
            oracle.expect(Publish, client="melon", within=0.0)
    with pytest.raises(ValueError, match="`sender` is client or broker, not 'server'"):
        oracle.expect(Connect, sender="server")


def test_what_no_packet_has_is_said_at_once(oracle: Oracle) -> None:
    with pytest.raises(TypeError, match="Publish has no field 'topik'; it has topic, "):
        oracle.expect(Publish, topik="a")
    with pytest.raises(TypeError, match="Publish has no field 'quos'"):
        oracle.packets(Publish, quos=1)
    assert oracle.packets(Publish, topic_alias=1) == []


def test_expect_waits_for_what_comes(oracle: Oracle, client: RawClient) -> None:
    later = threading.Timer(0.05, client.publish, ("a",))
    later.start()
    oracle.expect(Publish, topic="a")
    later.join()


def test_wait_for_anything(oracle: Oracle, client: RawClient) -> None:
    client.subscribe("a")
    assert oracle.wait_for(lambda: oracle.server.subscriptions())
    begin = time.monotonic()
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: never; packets so far:\n(.|\n)*SUBSCRIBE"):
        oracle.wait_for(never, within=0.05)
    assert time.monotonic() - begin < 1.0


def never() -> bool:
    return False


def test_packets_are_counted_by_listener(oracle: Oracle, client: RawClient) -> None:
    client.ping()
    (listener,) = oracle.server.server.listeners
    assert oracle.count(Match(packet="PINGREQ", listener=listener.name)) == 1
    assert oracle.count(Match(packet="PINGREQ", listener="another")) == 0


def test_reset_forgets_everything(oracle: Oracle, client: RawClient) -> None:
    client.publish("a", b"kept", retain=True)
    client.send(FLAGS)
    assert oracle.findings
    assert oracle.server.retained()
    oracle.reset()
    assert (oracle.findings, oracle.trace, oracle.packets(Publish)) == ([], "", [])
    assert (oracle.server.clients(), oracle.server.retained()) == ([], [])
    assert isinstance(client.until_closed()[-1], Disconnect)
    with RawClient(oracle.port) as again:
        assert again.connect("melon").session_present is False
        oracle.expect(Connect)
        again.disconnect()
    oracle.check()


def test_the_judge_watches_after_a_restart(oracle: Oracle) -> None:
    """Also time: a Keep Alive that was not kept is seen, with another event loop below."""
    port = oracle.port
    with RawClient(port) as client:
        client.connect("melon")
        oracle.server.stop(0.0)
        oracle.start()
    assert oracle.port == port
    with RawClient(port) as client:
        client.connect("melon", keep_alive=1)
        oracle.wait_for(lambda: oracle.findings)
    assert "keep" in oracle.findings[0].meaning.lower()


def test_a_capture(oracle: Oracle, client: RawClient, tmp_path: Path) -> None:
    client.send(Publish("a"))
    oracle.expect(Publish)
    path = oracle.write_pcap(tmp_path / "it.pcap")
    assert is_capture(path.read_bytes())


def test_the_end_is_bounded_whatever_clients_do() -> None:
    oracle = Oracle()
    oracle.start()
    clients = [RawClient(oracle.port) for _ in range(5)]
    for number, client in enumerate(clients):
        client.connect(str(number))
    begin = time.monotonic()
    oracle.stop()
    taken = time.monotonic() - begin
    for client in clients:
        client.close()
    assert taken < 1.0
    oracle.stop()
    assert oracle.packets(Pubrel) == []


def test_rules_disturb_and_the_judge_sees_what_is_on_the_wire(oracle: Oracle, client: RawClient) -> None:
    oracle.rule(Drop(), packet="PUBACK", to="melon", nth=1, name="lost")
    client.send(Publish("a", b"1", 1, packet_id=1), Publish("a", b"2", 1, packet_id=2))
    answer = client.expect(Puback)
    assert answer.packet_id == 2
    assert oracle.fired("lost") == 1
    assert [one.packet_id for one in oracle.packets(Puback, sender="broker")] == [2]
    client.send(Publish("b", b"", 1, packet_id=1))  # it was not acknowledged, so its Packet Identifier is in use
    client.expect(Puback)
    assert len(oracle.findings) == 1
    oracle.reset()
    assert oracle.fired("lost") == 0


def test_rules_before_the_start() -> None:
    oracle = Oracle()
    oracle.rule([Close()], packet="CONNECT", by="*", times=1)
    with oracle:
        with RawClient(oracle.port) as client:
            client.send(Connect("melon"))
            assert client.until_closed() == []
        with RawClient(oracle.port) as client:
            client.connect("melon")
            client.disconnect()
    with pytest.raises(TypeError):
        oracle.rule(Drop(), paket="CONNECT")


def test_a_frozen_link_does_not_hold_up_the_end(oracle: Oracle, client: RawClient) -> None:
    oracle.rule(Freeze(), packet="PINGREQ", by="melon")
    client.send(Pingreq())
    oracle.expect(Pingreq)
    begin = time.monotonic()
    oracle.reset()
    oracle.stop()
    assert time.monotonic() - begin < 2.0
    assert oracle.packets(Pingresp, sender="broker") == []


def test_time_that_passes_at_once(oracle: Oracle) -> None:
    with RawClient(oracle.port) as client:
        client.connect("melon", properties=ConnectProperties(session_expiry_interval=3600))
        client.disconnect()
    assert oracle.server.client("melon") is not None
    oracle.jump(3601)
    oracle.wait_for(lambda: oracle.server.client("melon") is None)
