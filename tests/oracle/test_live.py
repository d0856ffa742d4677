# SPDX-License-Identifier: MIT
"""The judge on a running broker, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import Live, policy
from mqtt_ref.oracle.state import QUIET, SECOND, SLOW
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Pingreq, Pingresp, Publish
from mqtt_ref.wire.primitives import SERVER

REFUSED_FLAGS = b"\xc1\x00"


def served(play: Callable[[int], Any], name: str = "record", options: Options | None = None) -> tuple[Any, Judge]:
    """What `play` gives, with a judged broker at that port."""
    judge = Judge()
    live = Live(judge)

    async def run() -> Any:
        async with Server(options, hooks=[AllowAll()], tables=policy(name), layers=live.layers) as server:
            return await asyncio.to_thread(play, server.port)

    return asyncio.run(run()), judge


def rules(judge: Judge) -> list[str]:
    return [finding.rule for finding in judge.findings]


def test_a_broker_that_records_goes_on() -> None:
    def play(port: int) -> None:
        client = RawClient(port)
        client.connect("c")
        client.send(REFUSED_FLAGS)
        client.send(Publish("a/#", b""))
        client.ping()
        client.disconnect()

    _, judge = served(play)
    assert rules(judge) == ["MQTT5-2.1.3-1", "MQTT5-3.3.2-2"]
    assert judge.connections == 1


def test_a_broker_that_closes_does_what_the_standard_asks() -> None:
    def play(port: int) -> list[Any]:
        client = RawClient(port)
        client.connect("c")
        client.send(REFUSED_FLAGS)
        said = client.until_closed()
        client.close()
        return said

    said, judge = served(play, "close")
    assert [type(packet) for packet in said] == [Disconnect]
    assert rules(judge) == ["MQTT5-2.1.3-1"]


@pytest.mark.parametrize("late", [False, True])
def test_a_connect_that_comes_late_may_have_come_through_a_proxy(late: bool) -> None:
    """Then nobody knows when the client has its CONNACK, though its address is on this machine."""

    def play(port: int) -> None:
        client = RawClient(port)
        end = time.monotonic_ns() + (SLOW + SLOW // 5 if late else 0)
        while time.monotonic_ns() < end:
            time.sleep(0.01)
        client.connect("c")
        client.send(Publish("a", b"", 1, packet_id=1))
        client.ping()
        client.disconnect()

    _, judge = served(play, options=Options(Capabilities(maximum_qos=0)))
    assert rules(judge) == ([] if late else ["MQTT5-3.2.2-11"])


def test_a_packet_without_an_end_closes_in_any_case() -> None:
    def play(port: int) -> None:
        client = RawClient(port)
        client.connect("c")
        client.send(b"\x30\xff\xff\xff\xff\x01")
        client.until_closed()
        client.close()

    _, judge = served(play)
    assert rules(judge) == ["X5-vbi-four-bytes"]


def test_what_comes_behind_a_second_connect_is_answered() -> None:
    def play(port: int) -> Any:
        client = RawClient(port)
        client.connect("c")
        client.send(Connect("c"))
        client.send(Pingreq())
        answer = client.read()
        client.close()
        return answer

    answer, judge = served(play)
    assert isinstance(answer, Pingresp)
    assert rules(judge) == ["X5-connect-once"]


def test_the_connack_is_held_until_it_is_clear_who_waits_for_it() -> None:
    def play(port: int) -> float:
        begin = time.monotonic()
        client = RawClient(port)
        client.connect("c")
        taken = time.monotonic() - begin
        client.send(Disconnect())
        client.until_closed()
        client.close()
        return taken

    taken, judge = served(play)
    assert taken >= QUIET / SECOND
    assert not judge.findings


def test_a_refusal_arrives() -> None:
    def play(port: int) -> list[Any]:
        client = RawClient(port, version=4)
        client.send(bytes.fromhex("100c00044d5154540400003c0000"))
        try:
            said = client.until_closed()
        except LinkClosed:
            said = []
        client.close()
        return said

    said, judge = served(play)
    assert [type(packet) for packet in said] == [Connack]
    assert rules(judge) == ["MQTT311-3.1.3-7"]


def test_a_policy_has_a_name() -> None:
    with pytest.raises(ValueError, match="record or close"):
        policy("forgive")


# ---------------------------------------------------------------- over WebSocket


def over_websocket(
    offers: list[str], *frames: bytes | str, version: int = 5, name: str = "record"
) -> tuple[list[Any], Judge]:
    """What a broker answers that gets these frames from a client which offers that, and who judged."""
    judge = Judge()
    listener = WebSocketListener(port=0)

    def play() -> list[Any]:
        decoder = Decoder(version, SERVER)
        got: list[Any] = []
        named = [Subprotocol(one) for one in offers]
        with connect(listener.urls[0], subprotocols=named or None, compression=None, proxy=None) as link:
            for frame in frames:
                link.send(frame)
            try:
                while not got or not isinstance(got[-1], Pingresp):
                    data = link.recv(timeout=10)
                    assert isinstance(data, bytes)
                    got += decoder.feed(data)
                    if isinstance(got[-1], Connack):
                        link.send(encode(version, Pingreq()))
                link.send(encode(version, Disconnect()))
            except ConnectionClosed:
                pass
        return got

    async def run() -> list[Any]:
        async with Server(listeners=[listener], hooks=[AllowAll()], tables=policy(name), layers=Live(judge).layers):
            return await asyncio.to_thread(play)

    return asyncio.run(run()), judge


def opening(version: int) -> bytes:
    return encode(version, Connect("c", protocol_version=version))


RULE = {5: "MQTT5-6.0.0-3", 4: "MQTT311-6.0.0-3", 3: "X31-websocket-subprotocol"}


@pytest.mark.parametrize("version", [5, 4, 3])
@pytest.mark.parametrize("offers", [[], ["chat"]], ids=["none", "another"])
def test_a_client_that_does_not_offer_the_sub_protocol_goes_on_and_is_named(offers: list[str], version: int) -> None:
    got, judge = over_websocket(offers, opening(version), version=version)
    assert [type(packet) for packet in got] == [Connack, Pingresp]
    (finding,) = judge.findings
    assert finding.rule == RULE[version]
    assert finding.level == ("should" if version == 3 else "must")
    assert finding.seen == f"the client offers {offers[0] if offers else 'none'}"


def test_a_broker_that_closes_refuses_the_handshake() -> None:
    """Which version the client would have spoken is not known then: nothing is said of it."""
    with pytest.raises(InvalidStatus):
        over_websocket([], opening(5), name="close")


@pytest.mark.parametrize(("offers", "version"), [("mqtt", 5), ("mqtt", 4), ("mqtt", 3), ("mqttv3.1", 3)])
def test_packets_in_any_binary_frames_are_not_accused(offers: str, version: int) -> None:
    """One frame for each byte, and one for all of them [MQTT5-6.0.0-2]."""
    data = opening(version)
    for frames in ([data], [bytes([byte]) for byte in data]):
        got, judge = over_websocket([offers], *frames, version=version)
        assert [type(packet) for packet in got] == [Connack, Pingresp]
        assert not judge.findings
        assert judge.connections == 1
        assert not judge.unjudged


@pytest.mark.parametrize("name", ["record", "close"])
def test_a_text_frame_is_named_and_ends_the_connection(name: str) -> None:
    got, judge = over_websocket(["mqtt"], encode(5, Connect("c")), "text", name=name)
    assert not any(isinstance(packet, Pingresp) for packet in got)
    (finding,) = judge.findings
    assert finding.rule == "MQTT5-6.0.0-1"
    assert finding.data == b"text"
    assert finding.client_id == "c"


def test_the_first_text_frame_is_named_too() -> None:
    """Its version is that of the packet in it."""
    for version, rule in ((5, "MQTT5-6.0.0-1"), (4, "MQTT311-6.0.0-1")):
        _, judge = over_websocket(["mqtt"], encode(version, Connect("c", protocol_version=version)).decode())
        assert rules(judge) == [rule]
