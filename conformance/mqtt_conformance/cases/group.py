# SPDX-License-Identifier: MIT
"""Chapter 4.8.2, edge cases: the members of a Shared Subscription, and what happens to its messages."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.cases.topics import group, received
from mqtt_conformance.peer import Peer
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import Publish


@case("X5-shared-end", slug="shared-end", needs=["shared", "session", "qos1"])
async def shared_subscription_ends_with_its_last_session(peer: Peer) -> None:
    """A Shared Subscription without any session ends, and its queued messages are deleted."""
    member = peer.another("member")
    name = f"$share/g/{peer.topic()}"
    await member.connect(clean=True, expiry=60)
    await member.subscribe(name, qos=1)
    await member.disconnect()
    await peer.connect()
    await peer.publish(peer.topic(), b"old", qos=1)
    await member.connect(clean=True)
    await member.disconnect()
    late = peer.another("late")
    await late.connect()
    await late.subscribe(name, qos=1)
    await peer.publish(peer.topic(), b"new", qos=1)
    (message,) = await late.messages(1)
    peer.equal(message.payload, b"new", "the message")
    await late.silent()


@case("X5-shared-session-end", "MQTT5-4.1.0-2", slug="shared-leaves-with-session", needs=["shared"])
async def session_that_ends_leaves_its_group(peer: Peer) -> None:
    """A session that ended no longer gets a share of the messages: the others get all."""
    members = await group(peer, 2)
    await members[0].disconnect()
    await peer.connect()
    wanted = [b"%d" % n for n in range(6)]
    for payload in wanted:
        await peer.publish(peer.topic(), payload)
    await peer.barrier()
    (seen,) = await received(members[1:])
    # Order is guaranteed for non-shared subscriptions only [MQTT5-4.6.0-6].
    peer.equal(sorted(seen), wanted, "the messages of the client that stayed")


@case("X5-shared-subscribed-twice", "MQTT5-3.8.4-3", slug="shared-twice", needs=["shared", "qos1"])
async def shared_subscription_counts_once(peer: Peer) -> None:
    """A repeated SUBSCRIBE replaces a client's membership in a Shared Subscription, so one UNSUBSCRIBE ends it."""
    name = f"$share/g/{peer.topic()}"
    await peer.connect()
    other = peer.another("publisher")
    await other.connect()
    for qos in (0, 1):
        await peer.subscribe(name, qos=qos)
        await other.publish(peer.topic(), b"m", qos=1)
        (message,) = await peer.messages(1)
        peer.equal(message.qos, qos, "the QoS")
        await peer.silent()
    await peer.unsubscribe(name)
    await other.publish(peer.topic(), b"m", qos=1)
    await peer.silent()


@case("X5-subscription-identifier-shared", slug="shared-identifiers", needs=["shared", "subscription_identifiers"])
async def members_get_their_own_identifier(peer: Peer) -> None:
    """A message of a Shared Subscription carries the Subscription Identifier of the client that gets it."""
    members = [peer.another(f"m{n}") for n in range(2)]
    for number, member in enumerate(members):
        await member.connect()
        await member.subscribe(f"$share/g/{peer.topic()}", identifier=number + 1)
    await peer.connect()
    for number in range(8):
        await peer.publish(peer.topic(), b"%d" % number)
    await peer.barrier()
    await received(members)
    for number, member in enumerate(members):
        for packet in member.inbox:
            if isinstance(packet, Publish):
                seen = packet.properties.subscription_identifier if packet.properties else []
                peer.equal(seen, [number + 1], f"the Subscription Identifiers of {member.name}")


@case("X5-shared-qos1-session-end", slug="shared-moves-on", needs=["shared", "qos1"])
async def unacknowledged_message_moves_on(peer: Peer) -> None:
    """A QoS 1 message whose client leaves for good without acknowledging it should be sent to another client."""
    members = await group(peer, 2, qos=1)
    await peer.connect()
    await peer.publish(peer.topic(), b"m", qos=1)
    await received(members)
    taker = next((m for m in members if any(isinstance(p, Publish) for p in m.inbox)), None)
    if taker is None:
        raise Inconclusive("no member got the message")
    other = next(m for m in members if m is not taker)
    await taker.disconnect()
    (message,) = await other.messages(1)
    peer.equal(message.payload, b"m", "the message")
