# SPDX-License-Identifier: MIT
"""A live broker under rules: what the client meets, what the broker knows of it, and how the oracle is used."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mqtt_ref.net.clock import Clock
from mqtt_ref.oracle.actions import (
    Close,
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Freeze,
    HalfOpen,
    Insert,
    Limit,
    Refuse,
    Reorder,
    Replace,
    Split,
    Truncate,
)
from mqtt_ref.oracle.facade import AsyncOracle, Oracle
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.oracle.rules import Rule
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
    Subscription,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import SERVER
from mqtt_ref.wire.violation import Violation


class Peer:
    """A client that does what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int) -> None:
        self.reader, self.writer, self.version = reader, writer, version
        self.decoder = Decoder(version, SERVER, go_on=True)
        self.got: list[Packet | Violation] = []

    @classmethod
    async def open(cls, oracle: AsyncOracle, connect: Connect | None = None, version: int = 5) -> Peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", oracle.port)
        peer = cls(reader, writer, version)
        if connect is not None:
            peer.send(connect)
        return peer

    def send(self, packet: Packet) -> None:
        self.writer.write(encode(self.version, packet))

    async def next(self, within: float = 5.0) -> Packet | Violation | None:
        """The next packet; None at the end."""
        async with asyncio.timeout(within):
            while not self.got:
                data = await self.reader.read(4096)
                if not data:
                    return None
                self.got += self.decoder.feed(data)
        return self.got.pop(0)

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            pass


def run(body: Callable[[AsyncOracle], Coroutine[Any, Any, None]], *rules: Rule, **more: Any) -> None:
    async def go() -> None:
        async with AsyncOracle(rules=rules, check=False, **more) as oracle:
            await body(oracle)

    asyncio.run(go())


async def connected(oracle: AsyncOracle, name: str = "X", version: int = 5, **more: Any) -> Peer:
    peer = await Peer.open(oracle, Connect(name, version, **more), version)
    connack = await peer.next()
    assert isinstance(connack, Connack)
    assert connack.reason_code == 0
    return peer


def test_the_second_pubrec_is_lost_and_the_rest_is_not() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        for packet_id in (1, 2, 3):
            peer.send(Publish("a", b"", 2, packet_id=packet_id))
        found = [await peer.next(), await peer.next()]
        assert [one.packet_id for one in found if isinstance(one, Pubrec)] == [1, 3]
        await oracle.wait(Condition(fired="lost"))
        assert oracle.script.fired == {"lost": 1}

    run(body, Rule(when=Match(packet="PUBREC", to="X", nth=2), do=Drop(), name="lost"))


def test_what_a_client_sent_can_be_lost_on_its_way_too() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Publish("lost", b"", 1, packet_id=1))
        peer.send(Publish("kept", b"", 1, packet_id=2))
        answer = await peer.next()
        assert isinstance(answer, Puback)
        assert answer.packet_id == 2
        assert oracle.count(Match(packet="PUBLISH", by="X")) == 2  # both were on the wire

    run(body, Rule(when=Match(packet="PUBLISH", by="X", topic="lost"), do=Drop()))


def test_a_delay_keeps_the_order_and_one_that_is_overtaken_does_not() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Publish("a", b"", 1, packet_id=1))
        peer.send(Pingreq())
        first, second = await peer.next(), await peer.next()
        assert [type(first), type(second)] == [Puback, Pingresp]
        oracle.rules = [Rule(when=Match(packet="PUBACK", to="X"), do=Delay(seconds=0.05, overtaken=True))]
        peer.send(Publish("a", b"", 1, packet_id=2))
        peer.send(Pingreq())
        first, second = await peer.next(), await peer.next()
        assert [type(first), type(second)] == [Pingresp, Puback]

    run(body, Rule(when=Match(packet="PUBACK", to="X"), do=Delay(seconds=0.05)))


def test_reordered_packets_change_places() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        for packet_id in (1, 2, 3):
            peer.send(Publish("a", b"", 1, packet_id=packet_id))
        found = [await peer.next() for _ in range(3)]
        assert [one.packet_id for one in found if isinstance(one, Puback)] == [2, 1, 3]

    run(body, Rule(when=Match(packet="PUBACK", to="X", nth=1), do=Reorder()))


def test_a_duplicate_comes_twice() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Pingreq())
        assert [await peer.next(), await peer.next()] == [Pingresp(), Pingresp()]

    run(body, Rule(when=Match(packet="PINGRESP"), do=Duplicate()))


@pytest.mark.parametrize(
    ("action", "data"),
    [
        (Corrupt(at=0, xor=0x01), "d100"),
        (Corrupt(fields={"remaining_length": 1}), "d001"),
        (Corrupt(fields={"flags": 15}), "df00"),
        (Corrupt(at=9), "d000"),
        (Truncate(length=1), "d0"),
        (Split(), "d000"),
        (Replace(hex="2002 0000"), "20020000"),
        (Replace(packet={"type": "PUBACK", "packet_id": 7}), "40020007"),
        (Replace(illegal="PINGRESP/flags-0001"), "d100"),
        (Insert(hex="d000", place="before"), "d000d000"),
        (Insert(hex="ff"), "d000ff"),
    ],
)
def test_bytes_on_the_wire(action: Any, data: str) -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Pingreq())
        wanted = bytes.fromhex(data)
        async with asyncio.timeout(5):
            assert await peer.reader.readexactly(len(wanted)) == wanted
            if isinstance(action, Truncate):
                assert await peer.reader.read() == b""

    run(body, Rule(when=Match(packet="PINGRESP", to="X"), do=action))


def test_a_field_of_a_packet_is_corrupted_by_its_name() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Publish("a", b"", 1, packet_id=9))
        async with asyncio.timeout(5):
            assert await peer.reader.readexactly(2) == b"\x40\x03"  # nobody had subscribed: with a Reason Code
            assert await peer.reader.readexactly(3) == b"\x00\x08\x10"

    run(body, Rule(when=Match(packet="PUBACK"), do=Corrupt(fields={"packet_id": 8})))


def test_a_connack_in_single_bytes_is_read_by_a_client_that_waits() -> None:
    async def body(oracle: AsyncOracle) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", oracle.port)
        writer.write(encode(4, Connect("X", 4)))
        async with asyncio.timeout(5):
            pieces = [await reader.read(100) for _ in range(4)]
        assert pieces == [b"\x20", b"\x02", b"\x00", b"\x00"]
        writer.close()

    run(body, Rule(when=Match(packet="CONNACK"), do=Split(pause=0.02)))


def test_a_publish_before_the_suback() -> None:
    early = {"type": "PUBLISH", "topic": "a", "payload": "early"}

    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Subscribe(1, [Subscription("a", 1)]))
        first, second = await peer.next(), await peer.next()
        assert isinstance(first, Publish)
        assert isinstance(second, Suback)

    run(body, Rule(when=Match(packet="SUBACK"), do=Insert(packet=early, place="before")))


def test_closing_before_and_after() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Publish("a", b"", 1, packet_id=1))
        assert isinstance(await peer.next(), Puback)
        peer.send(Pingreq())
        assert await peer.next() is None
        again = await connected(oracle)
        again.send(Publish("a", b"", 1, packet_id=1))
        assert isinstance(await again.next(), Puback)
        again.send(Publish("a", b"", 1, packet_id=2))
        assert isinstance(await again.next(), Puback)
        assert await again.next() is None
        await oracle.wait(Condition(disconnected="X", count=2))

    run(
        body,
        Rule(when=Match(packet="PINGRESP", to="X"), do=Close()),
        Rule(when=Match(packet="PUBACK", connection=2, packet_id=2), do=Close(place="after")),
    )


def test_nothing_comes_from_a_frozen_or_a_half_open_link() -> None:
    async def body(oracle: AsyncOracle) -> None:
        frozen, stuck = await connected(oracle, "frozen"), await connected(oracle, "stuck")
        for peer in (frozen, stuck):
            peer.send(Pingreq())
        await oracle.wait(Condition(fired="1"))
        await oracle.wait(Condition(fired="2"))
        for peer in (frozen, stuck):
            peer.send(Publish("a", b"", 1, packet_id=1))
            with pytest.raises(TimeoutError):
                await peer.next(0.05)
        assert oracle.count(Match(packet="PUBLISH", by="frozen")) == 1
        assert oracle.count(Match(packet="PUBLISH", by="stuck")) == 0  # it was not even read
        oracle.server.disconnect("stuck")
        with pytest.raises(TimeoutError):
            await stuck.next(0.05)

    run(
        body,
        Rule(when=Match(packet="PINGREQ", by="frozen"), do=Freeze()),
        Rule(when=Match(packet="PINGREQ", by="stuck"), do=HalfOpen()),
    )


def test_a_link_that_is_half_open_for_a_while_comes_back() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Pingreq())
        peer.send(Publish("a", b"", 1, packet_id=1))
        assert isinstance(await peer.next(), Pingresp)
        assert isinstance(await peer.next(), Puback)

    run(body, Rule(when=Match(packet="PINGREQ"), do=HalfOpen(seconds=0.05)))


@pytest.mark.parametrize(("version", "code"), [(5, 0x9C), (4, 3)])
def test_a_client_is_refused(version: int, code: int) -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await Peer.open(oracle, Connect("X", version), version)
        connack = await peer.next()
        assert isinstance(connack, Connack)
        assert connack.reason_code == code
        if version == 5:
            assert connack.properties is not None
            assert connack.properties.server_reference == "other:1883"
        assert await peer.next() is None
        assert oracle.server.client("X") is None
        await connected(oracle, "X", version)  # the rule acts once

    rule = Rule(when=Match(packet="CONNECT", by="X"), do=Refuse(code=0x9C, server_reference="other:1883"), times=1)
    run(body, rule)


def test_limits_are_told_and_kept() -> None:
    limit = Limit(
        receive_maximum=1,
        maximum_qos=1,
        retain_available=False,
        topic_alias_maximum=0,
        maximum_packet_size=100,
        server_keep_alive=7,
        maximum_session_expiry=5,
        assigned_client_identifier="given",
        server_reference="other:1883",
    )

    async def body(oracle: AsyncOracle) -> None:
        properties = ConnectProperties(session_expiry_interval=60)
        peer = await Peer.open(oracle, Connect("", 5, keep_alive=60, properties=properties))
        connack = await peer.next()
        assert isinstance(connack, Connack)
        told = connack.properties
        assert told is not None
        assert (told.receive_maximum, told.maximum_qos, told.retain_available) == (1, 1, 0)
        assert (told.topic_alias_maximum, told.maximum_packet_size, told.server_keep_alive) == (None, 100, 7)
        assert (told.session_expiry_interval, told.server_reference) == (5, "other:1883")
        assert told.assigned_client_identifier == "given"
        client = oracle.server.client("given")
        assert client is not None
        assert (client.keep_alive, client.session_expiry) == (7, 5)
        peer.send(Publish("a", bytes(100)))
        gone = await peer.next()
        assert isinstance(gone, Disconnect)
        assert gone.reason_code == 0x95
        other = await connected(oracle, "other")
        other.send(Publish("a", bytes(100), 2, retain=True, packet_id=1))
        assert isinstance(await other.next(), Pubrec)

    run(body, Rule(when=Match(packet="CONNECT", by=""), do=limit), on_violation="close")


def test_the_brokers_clock_goes_faster_and_leaps() -> None:
    async def body(oracle: AsyncOracle) -> None:
        watcher = await connected(oracle, "watcher")
        watcher.send(Subscribe(1, [Subscription("will", 0)]))
        assert isinstance(await watcher.next(), Suback)
        will = Will("will", b"gone", properties=WillProperties(will_delay_interval=3600))
        expiry = ConnectProperties(session_expiry_interval=7200)
        peer = await connected(oracle, "X", will=will, properties=expiry)
        await peer.close()
        await oracle.wait(Condition(disconnected="X"))
        oracle.clock.jump(3599)
        with pytest.raises(TimeoutError):
            await watcher.next(0.05)
        oracle.clock.jump(1)
        message = await watcher.next()
        assert isinstance(message, Publish)
        assert oracle.server.client("X") is not None
        oracle.clock.scale = 100_000
        async with asyncio.timeout(5):
            while oracle.server.client("X") is not None:  # noqa: ASYNC110  # the broker tells nobody
                await asyncio.sleep(0.005)

    run(body, clock=Clock())


def test_what_rules_hold_back_is_bounded() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Subscribe(1, [Subscription("a", 0)]))
        assert isinstance(await peer.next(), Suback)
        for _ in range(100):
            for _ in range(100):
                oracle.server.publish("a", b"x")
            await asyncio.sleep(0)
        (layer,) = oracle._live.disturbed
        assert 1000 < layer._disturbance.flows[SERVER].waiting < 2000
        assert layer.channel.choked
        peer.writer.write(encode(5, Publish("b", b"")) * 10_000)
        await oracle.wait(Match(packet="PUBLISH", by="X"))
        await oracle.reset()

    run(body, Rule(when=Match(packet="PUBLISH"), do=Delay(seconds=3600)))


def test_a_reset_leaves_nothing_behind() -> None:
    async def body(oracle: AsyncOracle) -> None:
        properties = ConnectProperties(session_expiry_interval=100)
        peer = await connected(oracle, "X", properties=properties, will=Will("w", b"", retain=True))
        peer.send(Publish("kept", b"1", 1, retain=True, packet_id=1))
        assert isinstance(await peer.next(), Puback)
        peer.send(Connect("X"))  # a second CONNECT: the client's fault
        await oracle.wait(Condition(finding="*"))
        oracle.add(Rule(when=Match(), do=Freeze(), name="more"))
        assert oracle.findings
        await oracle.reset()
        assert (oracle.findings, oracle.records, oracle.server.clients(), oracle.server.retained()) == ([], [], [], [])
        assert [rule.name for rule in oracle.rules] == ["one"]
        assert isinstance(await peer.next(), Disconnect)
        assert await peer.next() is None
        again = await connected(oracle, "X")
        again.send(Pingreq())
        assert await again.next() == Pingresp()

    run(body, Rule(when=Match(packet="PINGRESP", nth=2), do=Drop(), name="one"))


def test_waiting_ends_in_time_and_says_how_far_it_came() -> None:
    async def body(oracle: AsyncOracle) -> None:
        await connected(oracle)
        with pytest.raises(TimeoutError, match="1 of 2 times"):
            await oracle.wait(Condition(connected="X", count=2), within=0.02)

    run(body)


def test_clients_on_an_undisturbed_oracle_are_served_and_not_accused() -> None:
    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        peer.send(Subscribe(1, [Subscription("a", 1)]))
        assert isinstance(await peer.next(), Suback)
        peer.send(Publish("a", b"x", 1, packet_id=2))
        found = [await peer.next(), await peer.next()]
        assert {type(one) for one in found} == {Puback, Publish}
        (delivered,) = [one for one in found if isinstance(one, Publish)]
        peer.send(Puback(delivered.packet_id))
        peer.send(Disconnect())
        assert await peer.next() is None
        await oracle.wait(Condition(disconnected="X"))
        assert oracle.findings == []
        directions = [record["dir"] for record in oracle.records]
        assert directions[0] == "open"
        assert directions[-1] == "close"

    run(body)


def test_one_in_a_thread_of_its_own() -> None:
    with Oracle(rules=[Rule(when=Match(packet="PINGRESP"), do=Duplicate())]) as oracle:
        with socket.create_connection(("127.0.0.1", oracle.port), 5) as link:
            link.sendall(encode(4, Connect("X", 4)) + encode(4, Pingreq()))
            assert oracle.wait(Condition(connected="X")).name == "X"
            got = b""
            while len(got) < 8:
                got += link.recv(100)
            assert got == bytes.fromhex("20020000d000d000")
            assert oracle.count(Match(packet="PINGRESP")) == 2
            assert oracle.findings == []
            oracle.reset()
            assert oracle.records == []
            assert len(oracle.rules) == 1


def test_both_faces_ask_the_same() -> None:
    """What a test asks of an oracle in a thread, one in its own loop answers too."""

    async def body(oracle: AsyncOracle) -> None:
        peer = await connected(oracle)
        assert (await oracle.expect(Connect, client_id="X")).client_id == "X"
        with pytest.raises(AssertionError, match=r"no expect\(Publish\) from the client within 0.01 s"):
            await oracle.expect(Publish, within=0.01)
        oracle.rule(Drop(), packet="PINGRESP", name="lost")
        peer.send(Pingreq())
        assert await oracle.wait_for(lambda: oracle.fired("lost")) == 1
        with pytest.raises(AssertionError, match=r"not within 0.01 s"):
            await oracle.wait_for(lambda: oracle.fired("none"), within=0.01)
        assert len(oracle.packets(Pingreq)) == 1
        assert "PINGREQ" in oracle.trace
        oracle.jump(10)

    run(body)
    public = {name for name in dir(Oracle) if not name.startswith("_")}
    assert public - set(dir(AsyncOracle)) == {"settle"}
    assert {name for name in dir(AsyncOracle) if not name.startswith("_")} - public == set()


def test_the_end_of_the_block_raises_what_a_client_broke() -> None:
    async def go(**settings: Any) -> None:
        async with AsyncOracle(**settings) as oracle:
            peer = await connected(oracle)
            peer.send(Connect("X"))
            await oracle.wait(Condition(finding="*"))

    with pytest.raises(AssertionError, match="A client broke 1 rule of MQTT"):
        asyncio.run(go())
    asyncio.run(go(check=False))
    asyncio.run(go(allow=["X5-connect-once"]))
