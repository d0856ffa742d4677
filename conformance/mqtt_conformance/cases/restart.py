# SPDX-License-Identifier: MIT
"""State that a server still has after a restart or a kill. A profile has to provide the commands.

A profile that provides `persistence` states that data survives an orderly restart; `durability` means that it also
survives a kill. The standards do not say that Session State has to survive a failure of the server, and mention its
loss. A server that claims to keep it is checked against the rules about sessions, wills and retained messages. For a
restart other cases may wait too, so it may take any time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from mqtt_conformance.case import add_case
from mqtt_conformance.cases.qos import come_back, forget
from mqtt_conformance.peer import Peer
from mqtt_conformance.rules import DELIVERY, PUBREC, PUBREL
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import (
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscription,
    Will,
    WillProperties,
)
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


@after_restart("MQTT5-3.1.2-23", "MQTT5-4.5.0-1", "MQTT5-4.6.0-5", "MQTT311-3.1.2-5", "MQTT311-4.6.0-6",
               "X31-clean-session-unset", slug="queued", needs=("session", "qos2"))  # fmt: skip
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
    for qos in (1, 2):
        mine = [payload for payload, its in seen if its == qos]
        peer.equal(mine, sorted(mine), f"the order of the messages with QoS {qos}")
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


@after_restart("MQTT5-4.4.0-1", "MQTT5-4.3.3-3", "MQTT311-4.4.0-1", "MQTT311-4.3.3-1", "X31-clean-session-unset",
               slug="in-flight-qos2", needs=("session", "qos2"))  # fmt: skip
async def qos2_without_pubrec_comes_again(peer: Peer, kill: bool) -> None:
    """A QoS 2 message without PUBREC comes again after a restart, with its identifier, and can be completed."""
    await settle(peer)
    await peer.subscribe(peer.topic(), qos=2)
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic(), b"m", qos=2)
    first = await peer.expect(Publish, under=DELIVERY)
    await peer.restart(kill=kill)
    await come_back(peer, expiry=600)
    again = await peer.again(Publish)
    seen = again.packet_id, again.payload, again.qos
    peer.equal(seen, (first.packet_id, b"m", 2), "identifier, payload and QoS", proven=True)
    await peer.acknowledge(again)
    await peer.silent()
    await forget(peer)


@after_restart("MQTT5-2.2.1-4", "MQTT311-2.3.1-4", slug="new-identifier", needs=("session", "qos2"))
async def new_messages_have_new_identifiers(peer: Peer, kill: bool) -> None:
    """After a restart no new message gets a Packet Identifier that an unacknowledged message or PUBREL has."""
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
    await other.connect()
    for qos in (1, 2):
        await other.publish(peer.topic("new"), b"new", qos=qos)
        if not await peer.comes(Publish):
            raise Inconclusive("the broker sends nothing new while something is in flight")
        new = await peer.find(Publish, where=lambda m: m.payload == b"new", under=DELIVERY)
        held = (one.packet_id, two.packet_id)
        peer.check(new.packet_id not in held, "a new message has an identifier that is in use",
                   expected=f"none of {held}", seen=new.packet_id, proven=True)  # fmt: skip
        await peer.acknowledge(new)
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


PAIRS = [("z", "1"), ("a", "2"), ("z", "3")]


@after_restart("MQTT5-3.3.2-17", "MQTT5-3.3.2-18", "MQTT5-3.3.2-4", "MQTT5-3.3.2-15", "MQTT5-3.3.2-16",
               "MQTT5-3.3.2-20", "MQTT5-3.3.2-6", slug="properties", needs=("session", "retain", "qos1"))  # fmt: skip
async def properties_are_there(peer: Peer, kill: bool) -> None:
    """The properties of queued and retained messages are unaltered after a restart; their expiry has gone on."""
    await settle(peer)
    await peer.subscribe(peer.topic("queued"), qos=1)
    await peer.disconnect()
    other = peer.another("other")
    await other.connect()
    sent = PublishProperties(payload_format_indicator=1, content_type="t", response_topic="r", user_property=PAIRS,
                             correlation_data=b"\x00\xff", message_expiry_interval=1000)  # fmt: skip
    await other.publish(peer.topic("queued"), b"m", qos=1, properties=sent)
    await other.publish(peer.topic("retained"), b"m", qos=1, retain=True, properties=sent)
    await asyncio.sleep(1.2)
    await peer.restart(kill=kill)
    await come_back(peer, expiry=600)
    (queued,) = await peer.messages(1)
    await peer.subscribe(peer.topic("retained"), qos=1)
    (retained,) = await peer.messages(1)
    for message in (queued, retained):
        seen = message.properties or PublishProperties()
        peer.equal(seen.user_property, PAIRS, "the User Properties", proven=True)
        peer.equal(seen.payload_format_indicator, 1, "the Payload Format Indicator", under=("MQTT5-3.3.2-4",))
        peer.equal(seen.response_topic, "r", "the Response Topic", under=("MQTT5-3.3.2-15",))
        peer.equal(seen.correlation_data, b"\x00\xff", "the Correlation Data", under=("MQTT5-3.3.2-16",))
        peer.equal(seen.content_type, "t", "the Content Type", under=("MQTT5-3.3.2-20",))
        left = seen.message_expiry_interval
        peer.check(left is not None and 800 <= left <= 999, "the Message Expiry Interval", under=("MQTT5-3.3.2-6",),
                   expected="below 1000", seen=left)  # fmt: skip
    await forget(peer)


@after_restart("X5-session-state-subscriptions", "MQTT5-3.8.3-3", "MQTT5-3.3.1-12", "MQTT5-3.3.1-13", slug="options",
               needs=("session", "retain", "qos1"))  # fmt: skip
async def subscription_options_are_there(peer: Peer, kill: bool) -> None:
    """Subscriptions have their No Local and Retain As Published after a restart."""
    await settle(peer)
    await peer.subscribe(
        Subscription(peer.topic("own"), 1, no_local=True),
        Subscription(peer.topic("kept"), 1, retain_as_published=True),
        Subscription(peer.topic("plain"), 1),
    )
    await peer.disconnect()
    await peer.restart(kill=kill)
    await come_back(peer, expiry=600)
    await peer.publish(peer.topic("own"), b"own", qos=1)
    await peer.silent(under=("MQTT5-3.8.3-3",))
    other = peer.another("other")
    await other.connect()
    for tail, rule in (("kept", "MQTT5-3.3.1-13"), ("plain", "MQTT5-3.3.1-12")):
        await other.publish(peer.topic(tail), b"m", qos=1, retain=True)
        (message,) = await peer.messages(1, under=("X5-session-state-subscriptions",))
        peer.equal(message.retain, tail == "kept", f"RETAIN of the message to {tail!r}", under=(rule,))
    await other.publish(peer.topic("own"), b"other", qos=1)
    await peer.messages(1, under=("X5-session-state-subscriptions",))
    await forget(peer)


@after_restart("X5-session-state-subscriptions", "MQTT5-3.3.4-3", slug="identifiers",
               needs=("session", "qos1", "subscription_identifiers"))  # fmt: skip
async def subscription_identifiers_are_there(peer: Peer, kill: bool) -> None:
    """Subscriptions have their Subscription Identifiers after a restart, and so have messages that waited."""
    await settle(peer)
    await peer.subscribe(peer.topic("a"), qos=1, identifier=7)
    await peer.subscribe(peer.topic("b"), qos=1, identifier=268_435_455)
    await peer.subscribe(peer.topic("c"), qos=1)
    await peer.disconnect()
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic("a"), b"before", qos=1)
    await peer.restart(kill=kill)
    await other.connect()
    await come_back(peer, expiry=600)
    (before,) = await peer.messages(1, under=("MQTT5-4.5.0-1",))
    seen = [_identifiers(before)]
    for tail in "abc":
        await other.publish(peer.topic(tail), b"after", qos=1)
        seen += [_identifiers(m) for m in await peer.messages(1)]
    peer.equal(seen, [[7], [7], [268_435_455], []], "the Subscription Identifiers", under=("MQTT5-3.3.4-3",))
    await forget(peer)


def _identifiers(message: Publish) -> list[int]:
    return [] if message.properties is None else list(message.properties.subscription_identifier)


@after_restart("X5-session-state-subscriptions", "X5-shared-one-receiver", slug="shared",
               needs=("session", "qos1", "shared"))  # fmt: skip
async def shared_subscriptions_are_there(peer: Peer, kill: bool) -> None:
    """A Shared Subscription exists after a restart, and each message still reaches one of its members."""
    members = peer, peer.another("other")
    for member in members:
        await settle(member)
        await member.subscribe(f"$share/group/{peer.topic()}", qos=1)
    await peer.restart(kill=kill)
    for member in members:
        await come_back(member, expiry=600)
    sender = peer.another("sender")
    await sender.connect()
    for number in range(4):
        await sender.publish(peer.topic(), b"%d" % number, qos=1)
    seen: list[bytes] = []
    for member in members:
        while await member.comes(Publish, 0.5):
            seen += [m.payload for m in await member.messages(1)]
    peer.check(bool(seen), "no message comes", expected="4 messages", seen="none")
    peer.equal(sorted(seen), [b"0", b"1", b"2", b"3"], "the messages", under=("X5-shared-one-receiver",))
    for member in members:
        await forget(member)


@after_restart("MQTT5-3.10.4-2", "MQTT311-3.10.4-2", slug="unsubscribed", needs=("session", "qos1"))
async def removed_subscriptions_are_gone(peer: Peer, kill: bool) -> None:
    """A subscription that an UNSUBACK has ended is not there after a restart; the others are."""
    await settle(peer)
    await peer.subscribe(peer.topic("gone"), peer.topic("kept"), qos=1)
    await peer.unsubscribe(peer.topic("gone"))
    await peer.restart(kill=kill)
    await come_back(peer, expiry=600)
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic("gone"), b"gone", qos=1)
    await other.publish(peer.topic("kept"), b"kept", qos=1)
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.payload, b"kept", "the payload")
    await peer.silent()
    await forget(peer)


@after_restart("MQTT5-3.1.2-4", "MQTT5-4.1.0-2", "MQTT311-3.1.2-6", "X31-clean-session-set", slug="ended",
               needs=("session", "qos1"))  # fmt: skip
async def ended_session_is_gone(peer: Peer, kill: bool) -> None:
    """A session that a client ended does not come back with a restart, nor do its messages and subscriptions."""
    await settle(peer)
    await peer.subscribe(peer.topic(), qos=1)
    await peer.disconnect()
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic(), b"before", qos=1)
    await peer.connect(clean=True)
    await peer.disconnect()
    await peer.restart(kill=kill)
    reply = await peer.connect(clean=False, expiry=600)
    if peer.version != V31:
        peer.check(not reply.session_present, "the session is there", expected="Session Present 0", seen="1")
    await other.connect()
    await other.publish(peer.topic(), b"after", qos=1)
    await peer.silent()
    await forget(peer)


SHORT = 2
"""Seconds."""


@after_restart("MQTT5-4.1.0-2", "X5-session-state-end-time", slug="expiry")
async def session_ends_despite_a_restart(peer: Peer, kill: bool) -> None:
    """The Session Expiry Interval ends a session at its time, even if there was a restart meanwhile."""
    reply = await peer.connect(clean=True, expiry=SHORT)
    told = reply.properties.session_expiry_interval if reply.properties else None
    if told not in (None, SHORT):
        raise Inconclusive(f"the server set the Session Expiry Interval to {told} s")
    await peer.disconnect()
    begun = time.monotonic()
    await peer.restart(kill=kill)
    await asyncio.sleep(begun + SHORT + 1.5 * max(1, peer.target.factor) - time.monotonic())
    reply = await peer.connect(clean=False)
    peer.equal(reply.session_present, False, f"Session Present after the {SHORT} s of the session")


@after_restart("MQTT5-3.3.2-5", "X5-retained-expired", slug="expired", needs=("session", "retain", "qos1"))
async def messages_expire_despite_a_restart(peer: Peer, kill: bool) -> None:
    """Queued and retained messages expire at their time, even if there was a restart meanwhile; others do not."""
    await settle(peer)
    await peer.subscribe(peer.topic("queued"), qos=1)
    await peer.disconnect()
    other = peer.another("other")
    await other.connect()
    for seconds in (SHORT, 1000):
        properties = PublishProperties(message_expiry_interval=seconds)
        await other.publish(peer.topic("queued"), b"%d" % seconds, qos=1, properties=properties)
        await other.publish(peer.topic(f"retained/{seconds}"), b"m", qos=1, retain=True, properties=properties)
    begun = time.monotonic()
    await peer.restart(kill=kill)
    await asyncio.sleep(begun + SHORT + 1.5 * max(1, peer.target.factor) - time.monotonic())
    await come_back(peer, expiry=600)
    (queued,) = await peer.messages(1, under=("MQTT5-4.5.0-1",))
    peer.equal(queued.payload, b"1000", "the payload of the queued message")
    for seconds in (SHORT, 1000):
        await peer.subscribe(peer.topic(f"retained/{seconds}"), qos=1)
    (retained,) = await peer.messages(1, under=("MQTT5-3.3.1-5",))
    peer.equal(retained.topic, peer.topic("retained/1000"), "the topic of the retained message",
               under=("X5-retained-expired",))  # fmt: skip
    await peer.silent()
    await forget(peer)


async def watch(peer: Peer) -> Peer:
    """Return another client with a session that is kept and subscribed to the peer's Will Topic, and is away."""
    watcher = peer.another("watcher")
    await settle(watcher)
    await watcher.subscribe(peer.topic("w"), qos=1)
    await watcher.disconnect()
    return watcher


@after_restart("MQTT5-3.1.2-8", "X5-session-state-will", "MQTT311-3.1.2-8", "X311-will-situations", slug="will",
               needs=("session", "qos1"))  # fmt: skip
async def will_is_published(peer: Peer, kill: bool) -> None:
    """The Will Message of a client that was connected until a restart is published once, before or after it."""
    watcher = await watch(peer)
    await settle(peer)
    await peer.disconnect()
    await peer.connect(clean=False, expiry=600, will=Will(peer.topic("w"), b"will", 1))
    await peer.restart(kill=kill)
    await come_back(watcher, expiry=600)
    (message,) = await watcher.messages(1)
    peer.equal((message.payload, message.topic), (b"will", peer.topic("w")), "the Will Message")
    await watcher.silent()
    await forget(peer)
    await forget(watcher)


@after_restart("MQTT5-3.1.2-8", "X5-session-state-will", slug="will-delay", needs=("session", "qos1"))
async def delayed_will_is_published(peer: Peer, kill: bool) -> None:
    """A delayed Will Message of a client that was away before a restart is published when its delay has passed."""
    watcher = await watch(peer)
    will = Will(peer.topic("w"), b"will", 1, properties=WillProperties(will_delay_interval=SHORT))
    await peer.connect(clean=True, expiry=600, will=will)
    await peer.drop()
    await peer.restart(kill=kill)
    await come_back(watcher, expiry=600)
    (message,) = await watcher.messages(1, within=SHORT + 3)
    peer.equal((message.payload, message.topic), (b"will", peer.topic("w")), "the Will Message")
    await watcher.silent()
    await forget(peer)
    await forget(watcher)


@after_restart(
    "MQTT5-3.1.3-9", "MQTT5-3.1.2-8", "X5-session-state-will", slug="will-cancelled", needs=("session", "qos1")
)
async def delayed_will_is_cancelled(peer: Peer, kill: bool) -> None:
    """A client that comes back after a restart, but within its Will Delay Interval, prevents its Will Message."""
    watcher = await watch(peer)
    will = Will(peer.topic("w"), b"will", 1, properties=WillProperties(will_delay_interval=300))
    await peer.connect(clean=True, expiry=600, will=will)
    await peer.drop()
    begun = time.monotonic()
    await peer.restart(kill=kill)
    await come_back(watcher, expiry=600)
    early = await watcher.comes(Publish, 0.2)
    await come_back(peer, expiry=600)
    if time.monotonic() - begun > 290:
        raise Inconclusive("the restart took longer than the Will Delay Interval")
    await peer.disconnect()
    await watcher.silent(settle=0.3, under=("MQTT5-3.1.2-8",) if early else ())
    await forget(peer)
    await forget(watcher)
