# SPDX-License-Identifier: MIT
"""State that a server still has after a restart or a kill. A profile has to provide the commands.

A profile that provides `persistence` states that data survives an orderly restart; `durability` means that it also
survives a kill. The standards do not require a server to store anything. One that claims to is checked against the
rules about sessions and retained messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mqtt_conformance.case import add_case
from mqtt_conformance.cases.qos import come_back, forget
from mqtt_conformance.peer import Peer
from mqtt_conformance.rules import DELIVERY, PUBREC, PUBREL
from mqtt_ref.wire.packets import Puback, Pubcomp, Publish, Pubrec, Pubrel
from mqtt_ref.wire.primitives import V5, V31

__all__: list[str] = []

Body = Callable[[Peer, bool], Awaitable[None]]


def after_restart(*statements: str, slug: str, needs: tuple[str, ...] = ("session",)) -> Callable[[Body], Body]:
    """Register a case twice: for a broker that is restarted, and for one that is killed."""

    def register(body: Body) -> Body:
        for kill in (False, True):
            what, kept = ("kill", "durability") if kill else ("restart", "persistence")

            async def play(peer: Peer, kill: bool = kill) -> None:
                await body(peer, kill)

            intent = (body.__doc__ or "").replace("a restart", "a kill") if kill else body.__doc__ or ""
            add_case(play, intent, *statements, slug=f"{slug}-after-{what}", needs=[*needs, what, kept], isolated=True)
        return body

    return register


async def settle(peer: Peer) -> None:
    """Connect with a session that is kept, in the way of the version."""
    await peer.connect(clean=True, expiry=600)
    if peer.version != V5:
        await peer.disconnect()
        await peer.connect(clean=False)


@after_restart("MQTT5-3.1.2-23", "MQTT311-3.1.2-4", "X31-clean-session-unset", slug="session")
async def session_is_there(peer: Peer, kill: bool) -> None:
    """A session and its subscriptions exist after a restart."""
    await settle(peer)
    await peer.subscribe(peer.topic(), qos=1)
    await peer.disconnect()
    await peer.restart(kill=kill)
    reply = await peer.connect(clean=False, expiry=600)
    if peer.version != V31:
        peer.check(reply.session_present, "the session is gone", expected="Session Present 1", seen="0")
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic(), b"still", qos=1)
    (message,) = await peer.messages(1)
    peer.equal((message.payload, message.qos), (b"still", 1), "payload and QoS")
    await forget(peer)


@after_restart("MQTT5-3.1.2-23", "MQTT5-4.5.0-1", "MQTT311-3.1.2-5", "X31-clean-session-unset", slug="queued",
               needs=("session", "qos2"))  # fmt: skip
async def queued_messages_are_there(peer: Peer, kill: bool) -> None:
    """Acknowledged QoS 1 and 2 messages for a disconnected subscriber reach it after a restart."""
    await settle(peer)
    await peer.subscribe(peer.topic("+"), qos=2)
    await peer.disconnect()
    other = peer.another("other")
    await other.connect()
    for number in range(6):
        await other.publish(peer.topic("m"), b"%d" % number, qos=1 + number % 2)
    await peer.restart(kill=kill)
    await come_back(peer, expiry=600)
    seen = [(m.payload, m.qos) for m in await peer.messages(6)]
    peer.equal(sorted(seen), [(b"%d" % n, 1 + n % 2) for n in range(6)], "payloads and QoS")
    await peer.silent()
    await forget(peer)


@after_restart("MQTT5-4.4.0-1", "MQTT311-4.4.0-1", "X31-clean-session-unset", slug="in-flight",
               needs=("session", "qos2"))  # fmt: skip
async def what_is_in_flight_comes_again(peer: Peer, kill: bool) -> None:
    """Unacknowledged messages come again after a restart, with their identifiers; so does a PUBREL."""
    await settle(peer)
    await peer.subscribe(peer.topic("+"), qos=2)
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic("one"), b"one", qos=1)
    one = await peer.expect(Publish, under=DELIVERY)
    await other.publish(peer.topic("two"), b"two", qos=2)
    two = await peer.expect(Publish, under=DELIVERY)
    await peer.send(Pubrec(two.packet_id))
    await peer.expect(Pubrel, under=PUBREL)
    await peer.restart(kill=kill)
    await come_back(peer, expiry=600)
    again = await peer.again(Publish)
    peer.equal((again.packet_id, again.payload), (one.packet_id, b"one"), "identifier and payload")
    await peer.send(Puback(again.packet_id))
    peer.equal((await peer.again(Pubrel)).packet_id, two.packet_id, "the Packet Identifier of the PUBREL", proven=True)
    await peer.send(Pubcomp(two.packet_id))
    await peer.silent()
    await forget(peer)


@after_restart("MQTT5-4.3.3-10", "MQTT5-4.3.3-11", "MQTT311-4.3.3-2", "X31-dup-hint", slug="received",
               needs=("session", "qos2"))  # fmt: skip
async def half_received_message_is_delivered_once(peer: Peer, kill: bool) -> None:
    """A QoS 2 message that got its PUBREC is delivered once, even if its sender sends it again after a restart."""
    other = peer.another("other")
    await settle(other)
    await other.subscribe(peer.topic(), qos=2)
    await settle(peer)
    await peer.send(Publish(peer.topic(), b"once", 2, packet_id=11))
    peer.taken(await peer.expect(Pubrec, under=PUBREC))
    await other.barrier()
    await peer.restart(kill=kill)
    await come_back(peer, expiry=600)
    await peer.send(Publish(peer.topic(), b"once", 2, dup=True, packet_id=11))
    await peer.find(Pubrec)
    await peer.send(Pubrel(11))
    peer.equal((await peer.find(Pubcomp)).packet_id, 11, "the Packet Identifier of the PUBCOMP", proven=True)
    await come_back(other, expiry=600)
    copies = await other.messages(1, again=True)
    await other.barrier()
    copies += [p for p in other.inbox if isinstance(p, Publish) and p.packet_id != copies[0].packet_id]
    peer.equal(len(copies), 1, "the number of copies")
    await forget(peer)
    await forget(other)


@after_restart("MQTT5-3.3.1-5", "MQTT311-3.3.1-5", "X5-retained-outlive-session", "X31-retain-restart",
               slug="retained", needs=("retain", "qos1"))  # fmt: skip
async def retained_messages_are_there(peer: Peer, kill: bool) -> None:
    """An acknowledged retained message exists after a restart, and a removed one does not."""
    await peer.connect()
    await peer.publish(peer.topic("kept"), b"old", qos=1, retain=True)
    await peer.publish(peer.topic("kept"), b"new", qos=1, retain=True)
    await peer.publish(peer.topic("gone"), b"gone", qos=1, retain=True)
    await peer.publish(peer.topic("gone"), b"", qos=1, retain=True)
    await peer.restart(kill=kill)
    await peer.connect()
    await peer.subscribe(peer.topic("+"), qos=1)
    (message,) = await peer.messages(1)
    peer.equal((message.topic, message.payload, message.retain), (peer.topic("kept"), b"new", True), "the message")
    await peer.silent()
