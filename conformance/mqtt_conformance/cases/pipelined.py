# SPDX-License-Identifier: MIT
"""Packets that a client sends directly after its CONNECT, without waiting for the CONNACK."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.cases.connect import with_level
from mqtt_conformance.peer import ClosedType, Peer, show
from mqtt_conformance.rules import PUBACK, PUBREC
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from mqtt_ref.wire.primitives import V5


async def _accepted(peer: Peer) -> None:
    reply = await peer.expect(Connack, or_closed=True, under=("MQTT5-3.2.0-1", "MQTT311-3.2.0-1", "X31-pipelining"))
    if isinstance(reply, ClosedType):
        rules = ("MQTT5-3.1.4-5", "X311-pipelining", "X31-pipelining")
        raise peer.blame(rules, "closed without a CONNACK", expected="CONNACK 0x00", seen=show(reply))
    peer.equal(reply.reason_code, 0, "the code of the CONNACK")


async def _answered(peer: Peer, kind: type[object]) -> None:
    """Blame another rule if even a message that does not directly follow the CONNECT is not acknowledged."""
    if kind is Puback:
        await peer.send(Publish(peer.topic("other"), b"later", 1, packet_id=11))
        number = (await peer.find(Puback, under=PUBACK)).packet_id
    else:
        wrong = next((p for p in peer.inbox if isinstance(p, Puback) and p.packet_id == 3), None)
        peer.check(wrong is None, "a PUBACK answers a message of QoS 2", seen=repr(wrong), under=PUBREC)
        await peer.send(Publish(peer.topic("other"), b"later", 2, packet_id=12))
        number = (await peer.find(Pubrec, under=PUBREC)).packet_id
    peer.check(number in (2, 3), "packets directly after the CONNECT are not acknowledged", seen=f"identifier {number}")


@case("MQTT5-3.8.4-1", "MQTT5-3.3.4-1", "MQTT5-3.10.4-4", "MQTT5-3.12.4-1", "MQTT5-3.1.4-5", "MQTT5-3.2.0-1",
      "MQTT311-3.8.4-1", "MQTT311-3.3.4-1", "MQTT311-3.10.4-4", "MQTT311-3.12.4-1", "MQTT311-3.1.4-4",
      "MQTT311-3.2.0-1", "X311-pipelining", "X31-pipelining", slug="behind-connect", needs=["qos2"])  # fmt: skip
async def what_comes_behind_the_connect_is_served(peer: Peer) -> None:
    """Packets directly after a CONNECT are served once it is accepted: the CONNACK comes first, then their answers."""
    await peer.open()
    await peer.send(
        peer.connect_packet(),
        Subscribe(1, [Subscription(peer.topic(), 0)]),
        Publish(peer.topic("other"), b"one", 1, packet_id=2),
        Publish(peer.topic("other"), b"two", 2, packet_id=3),
        Publish(peer.topic(), b"zero"),
        Unsubscribe(4, [peer.topic("nothing")]),
        Pingreq(),
    )
    await _accepted(peer)
    for kind in (Suback, Puback, Pubrec, Unsuback, Pingresp):
        if kind in (Puback, Pubrec) and not await peer.comes(kind):
            await _answered(peer, kind)
        await peer.find(kind)
    await peer.barrier()
    if not await peer.comes(Publish):
        raise Inconclusive("a message that was published before the SUBACK came is not delivered")


@case("MQTT5-4.3.3-11", "MQTT311-4.3.3-2", "X311-pipelining", "X31-pipelining", slug="pubrel-behind-connect",
      needs=["qos2", "session"])  # fmt: skip
async def owed_pubrel_behind_the_connect(peer: Peer) -> None:
    """A PUBREL that is due from the previous connection may follow the CONNECT directly; a PUBCOMP answers it."""
    await peer.connect(clean=True, expiry=60)
    if peer.version != V5:
        await peer.disconnect()
        await peer.connect(clean=False)
    await peer.send(Publish(peer.topic(), b"m", 2, packet_id=9))
    peer.taken(await peer.expect(Pubrec, under=PUBREC))
    await peer.drop()
    await peer.open()
    await peer.send(peer.connect_packet(clean=False, expiry=60), Pubrel(9))
    await _accepted(peer)
    peer.equal((await peer.find(Pubcomp)).packet_id, 9, "the Packet Identifier of the PUBCOMP", proven=True)


@case("MQTT5-3.14.4-3", "MQTT311-3.14.4-3", "X31-pipelining", slug="goodbye-behind-connect")
async def goodbye_behind_the_connect(peer: Peer) -> None:
    """A DISCONNECT directly after the CONNECT takes effect: the Will Message is not published."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic("w"))
    await peer.open()
    await peer.send(peer.connect_packet(will=Will(peer.topic("w"), b"gone")), Disconnect())
    await peer._wait(lambda: peer.closed, 1.0)
    await peer.drop()
    await watcher.silent()


@case("MQTT5-3.1.0-2", "MQTT311-3.1.0-2", "X31-protocol-violation", slug="two-connects-at-once")
async def second_connect_behind_the_first(peer: Peer) -> None:
    """A second CONNECT closes the connection even directly after the first."""
    await peer.open()
    await peer.send(peer.connect_packet(), peer.connect_packet())
    await peer.expect_closed()


@case("MQTT5-4.13.1-1", "MQTT311-4.8.0-1", slug="malformed-behind-connect")
async def malformed_behind_the_connect(peer: Peer) -> None:
    """A malformed packet closes the connection even directly after the CONNECT."""
    await peer.open()
    await peer.send(peer.connect_packet(), b"\x00\x00")
    await peer.expect_closed()


@case("MQTT5-4.12.0-7", slug="auth-behind-connect")
async def auth_behind_the_connect(peer: Peer) -> None:
    """An AUTH closes the connection, even directly after the CONNECT, if that has no Authentication Method."""
    await peer.open()
    await peer.send(peer.connect_packet(), Auth(0x18, AuthProperties(authentication_method="any")))
    await peer.expect_closed()


@case("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", slug="nothing-after-refusal")
async def nothing_is_processed_after_a_refusal(peer: Peer) -> None:
    """A PUBLISH directly after a CONNECT that is refused is not delivered."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic())
    await peer.open()
    await peer.send(with_level(peer, 99 if peer.version == V5 else 2), Publish(peer.topic(), b"late"))
    await peer._wait(lambda: peer.closed, 3.0)
    await watcher.silent()


@case(
    "MQTT5-3.1.4-5",
    "MQTT311-3.1.4-4",
    "MQTT5-3.2.0-1",
    "MQTT311-3.2.0-1",
    "X5-delivery-after-connack",
    "X311-connect-accepted-start",
    slug="connack-first",
)
async def connack_comes_first(peer: Peer) -> None:
    """Packets directly after the CONNECT are answered, but the CONNACK comes first."""
    await peer.open()
    await peer.send(peer.connect_packet(), Subscribe(1, [Subscription(peer.topic())]), Pingreq())
    await _accepted(peer)
    await peer.find(Pingresp)
