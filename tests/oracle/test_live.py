# SPDX-License-Identifier: MIT
"""The judge on a running broker, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.hooks import AllowAll
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import Live, policy
from mqtt_ref.oracle.state import QUIET, SECOND
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Pingreq, Pingresp, Publish

REFUSED_FLAGS = b"\xc1\x00"


def served(play: Callable[[int], Any], name: str = "record") -> tuple[Any, Judge]:
    """What `play` gives, with a judged broker at that port."""
    judge = Judge()
    live = Live(judge)

    async def run() -> Any:
        async with Server(hooks=[AllowAll()], tables=policy(name), channels=live.channel) as server:
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
