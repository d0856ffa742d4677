# SPDX-License-Identifier: MIT
"""Chapters 3.1.2.4, 3.1.2.11.2, 3.14 and 4.1: the content of a session, its lifetime, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mqtt_conformance.case import case
from mqtt_conformance.peer import Peer
from mqtt_conformance.rules import FIRST, MALFORMED, RETAINED, SECOND_CONNECT, WILL
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import (
    Connack,
    Disconnect,
    DisconnectProperties,
    Packet,
    Pingreq,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
)
from mqtt_ref.wire.primitives import V5, V31


async def keep(peer: Peer, qos: int = 1) -> None:
    """Create a session that is subscribed to the peer's topic, and disconnect."""
    await peer.connect(clean=False, expiry=60)
    await peer.subscribe(peer.topic(), qos=qos)
    await peer.disconnect()


@case(
    "MQTT5-3.1.2-4",
    "MQTT311-3.1.2-6",
    "MQTT5-3.1.4-4",
    "MQTT311-3.1.4-3",
    "X31-clean-session-set",
    slug="clean-discards",
    needs=["session"],
)
async def clean_start_discards_the_session(peer: Peer) -> None:
    """Clean Start or Clean Session 1 ends the stored session: its subscriptions and messages are gone."""
    await keep(peer, 0)
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic(), b"queued")
    await peer.connect(clean=True)
    await other.publish(peer.topic(), b"live")
    await peer.silent()


@case("MQTT5-3.1.2-4", "MQTT311-3.1.2-6", slug="clean-accepted")
async def clean_start_is_no_ground_for_refusal(peer: Peer) -> None:
    """A client without a session is accepted with Clean Start or Clean Session 1 if it is accepted with 0."""
    for number in range(2):
        await peer.connect(clean=False)
        await peer.disconnect()
        other = peer.another(f"clean{number}")
        await other.open()
        await other.send(other.connect_packet(clean=True))
        reply = await other.expect(Connack, or_closed=True)
        peer.check(isinstance(reply, Connack) and not reply.reason_code, "a clean start is refused",
                   expected="CONNACK 0x00, as without it", seen=repr(reply))  # fmt: skip
        await other.disconnect()
    await peer.connect(clean=True)


@case("MQTT311-3.1.2-6", slug="clean-session-is-not-kept")
async def clean_session_is_not_reused(peer: Peer) -> None:
    """A session that began with Clean Session 1 ends with its connection."""
    await peer.connect(clean=True)
    await peer.subscribe(peer.topic())
    await peer.disconnect()
    reply = await peer.connect(clean=False)
    peer.equal(reply.session_present, False, "Session Present")
    await peer.connect(clean=True)


@case("MQTT5-3.1.2-23", "MQTT311-3.1.2-5", "MQTT5-4.5.0-1", "MQTT311-4.5.0-1", "MQTT5-4.1.0-1", "MQTT311-4.1.0-1",
      "X5-session-state-outbound", "X5-session-state-subscriptions", "X311-session-state-server",
      "X31-clean-session-unset", slug="queued-qos1", needs=["session", "qos1"])  # fmt: skip
async def messages_wait_for_a_session(peer: Peer) -> None:
    """QoS 1 messages that match a session's subscriptions are kept for its client."""
    await keep(peer)
    other = peer.another("other")
    await other.connect()
    for number in range(3):
        await other.publish(peer.topic(), b"%d" % number, qos=1)
    await peer.connect(clean=False, expiry=60)
    messages = await peer.messages(3)
    seen = [m.payload for m in messages]
    peer.equal(seen, [b"0", b"1", b"2"], "what waited")
    _for_the_first_time(peer, messages)
    await peer.connect(clean=True)


def _for_the_first_time(peer: Peer, messages: Sequence[Publish]) -> None:
    """A message published while the client was disconnected was never sent to it before, so its DUP flag is 0."""
    seen = [m.dup for m in messages]
    if peer.version != V31:
        peer.equal(seen, [False] * len(seen), "DUP of what is sent for the first time", under=FIRST[messages[0].qos])


@case("MQTT5-3.1.2-23", "MQTT311-3.1.2-5", "MQTT5-4.5.0-1", "MQTT311-4.5.0-1", slug="queued-qos2",
      needs=["session", "qos2"])  # fmt: skip
async def qos2_messages_wait_for_a_session(peer: Peer) -> None:
    """QoS 2 messages that match a session's subscriptions are kept for its client."""
    await keep(peer, 2)
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic(), b"twice", qos=2)
    await peer.connect(clean=False, expiry=60)
    (message,) = await peer.messages(1)
    peer.equal((message.payload, message.qos), (b"twice", 2), "the message", proven=True)
    _for_the_first_time(peer, [message])
    await peer.silent()
    await peer.connect(clean=True)


@case(
    "MQTT5-4.1.0-2",
    "X5-session-duration",
    "X5-session-expiry-absent-connack",
    "X5-session-state-end-time",
    slug="expiry",
    needs=["session"],
)
async def session_ends_with_its_expiry(peer: Peer) -> None:
    """A session is discarded once its Session Expiry Interval has passed."""
    reply = await peer.connect(clean=True, expiry=1)
    told = reply.properties.session_expiry_interval if reply.properties else None
    if told not in (None, 1):
        raise Inconclusive(f"the server set the Session Expiry Interval to {told} s")
    await peer.disconnect()
    await asyncio.sleep(2.5 * peer.target.factor)
    second = await peer.connect(clean=False)
    peer.equal(second.session_present, False, "Session Present after 2.5 s")


@case("MQTT5-4.1.0-2", "MQTT5-3.1.2-23", "X5-session-duration", slug="expiry-anew", needs=["session"])
async def each_connection_begins_the_expiry_anew(peer: Peer) -> None:
    """A session lasts for its Session Expiry Interval after its last connection, and no longer."""
    expiry = 4
    for number in range(2):
        reply = await peer.connect(clean=not number, expiry=expiry)
        told = reply.properties.session_expiry_interval if reply.properties else None
        if told not in (None, expiry):
            raise Inconclusive(f"the server set the Session Expiry Interval to {told} s")
        peer.equal(reply.session_present, bool(number), f"Session Present of connection {number + 1}")
        await peer.disconnect()
        await asyncio.sleep(1 if not number else expiry + 1.5 * max(1, peer.target.factor))
    reply = await peer.connect(clean=False)
    peer.equal(reply.session_present, False, "Session Present once the interval has passed")


@case("MQTT5-4.1.0-2", "X5-session-expiry-zero", slug="expiry-zero")
async def session_of_no_expiry_ends_at_once(peer: Peer) -> None:
    """A session without Session Expiry Interval ends with its connection."""
    await peer.connect(clean=True)
    await peer.subscribe(peer.topic())
    await peer.disconnect()
    reply = await peer.connect(clean=False)
    peer.equal(reply.session_present, False, "Session Present")


@case("MQTT5-4.1.0-2", "MQTT5-3.2.2-3", slug="expiry-zero-takeover")
async def session_of_no_expiry_is_not_taken_over(peer: Peer) -> None:
    """A session with Session Expiry Interval 0 ends when its connection is taken over: the new session is empty."""
    await peer.connect(clean=True)
    await peer.subscribe(peer.topic())
    other = peer.another("other")
    reply = await other.connect(client_id=peer.client_id, clean=False)
    peer.equal(reply.session_present, False, "Session Present")


@case("MQTT5-4.1.0-1", "MQTT311-4.1.0-2", slug="lasts-while-connected")
async def session_lasts_while_connected(peer: Peer) -> None:
    """A session lasts at least as long as its connection, with any Session Expiry Interval."""
    await peer.connect(clean=True, expiry=0 if peer.version == V5 else None)
    await peer.subscribe(peer.topic())
    await asyncio.sleep(1.2 * peer.target.factor)
    await peer.publish(peer.topic(), b"still")
    await peer.messages(1)


@case("X5-disconnect-session-expiry", slug="disconnect-extends", needs=["session"])
async def disconnect_sets_the_expiry(peer: Peer) -> None:
    """A Session Expiry Interval in DISCONNECT replaces that of CONNECT."""
    await peer.connect(clean=True, expiry=600)
    await peer.disconnect(Disconnect(0, DisconnectProperties(session_expiry_interval=0)))
    reply = await peer.connect(clean=False)
    peer.equal(reply.session_present, False, "Session Present")


@case("X5-disconnect-session-expiry-after-zero", "X5-disconnect-session-expiry-refused", slug="disconnect-after-zero")
async def expiry_in_disconnect_after_none(peer: Peer) -> None:
    """A DISCONNECT that sets a Session Expiry Interval after 0 in CONNECT is a Protocol Error: no session is kept."""
    await peer.connect(clean=True)
    await peer.subscribe(peer.topic())
    await peer.send(Disconnect(0, DisconnectProperties(session_expiry_interval=600)))
    last = await peer.expect_closed()
    peer.closing_code(last, 0x82)
    reply = await peer.connect(clean=False)
    peer.equal(reply.session_present, False, "Session Present")


@case(
    "MQTT5-3.14.4-3",
    "MQTT311-3.14.4-3",
    "MQTT5-3.1.2-10",
    "MQTT311-3.1.2-10",
    "X5-disconnect-short-read",
    "X31-will-situations",
    slug="disconnect-drops-will",
)
async def disconnect_discards_the_will(peer: Peer) -> None:
    """A DISCONNECT with Reason Code 0x00 discards the Will Message."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic("w"))
    await peer.connect(will=Will(peer.topic("w"), b"will"))
    await peer.disconnect()
    await watcher.silent(settle=0.2)


@case(
    "MQTT311-3.1.2-7", "X5-retained-outlive-session", "X311-retained-kept", slug="retained-outlives", needs=["retain"]
)
async def retained_messages_outlive_the_session(peer: Peer) -> None:
    """A retained message is kept when the session of its publisher ends."""
    await peer.connect(clean=True)
    await peer.publish(peer.topic(), b"kept", qos=min(1, peer.target.capabilities.maximum_qos), retain=True)
    await peer.barrier()
    early = peer.another("early")
    await early.connect()
    await early.subscribe(peer.topic())
    await early.messages(1, under=RETAINED)
    await peer.disconnect()
    other = peer.another("other")
    await other.connect()
    await other.subscribe(peer.topic())
    (message,) = await other.messages(1)
    peer.equal(message.payload, b"kept", "the payload")


@case("MQTT5-3.14.1-1", "MQTT311-3.14.1-1", slug="disconnect-flags")
async def disconnect_with_reserved_bits(peer: Peer) -> None:
    """A DISCONNECT with reserved bits set is malformed and leads to a close; in 5.0 the Will Message is published.

    In 3.1.1 the server discards the Will Message on receipt of a DISCONNECT; the text does not exclude a malformed one.
    """
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic("w"))
    await peer.connect(will=Will(peer.topic("w"), b"will"))
    await peer.send(b"\xe1\x00")
    last = await peer.expect_closed()
    peer.closing_code(last, 0x81)
    if peer.version == V5:
        (message,) = await watcher.messages(1, under=WILL)
        peer.equal(message.payload, b"will", "the payload")


@case("MQTT5-3.14.4-1", "MQTT5-3.14.4-2", slug="closed-after-own-disconnect")
async def server_sends_nothing_after_its_disconnect(peer: Peer) -> None:
    """After the client's DISCONNECT the server sends nothing more and closes."""
    wrong: tuple[Packet | bytes, ...] = (
        b"\x00\x00",
        peer.connect_packet(),
    )  # an unknown packet type, a second CONNECT
    behind: tuple[Packet, ...] = (
        Publish(peer.topic(), b"m", 1, packet_id=9), Pingreq(), Subscribe(8, [Subscription(peer.topic())]), Pubrec(5),
        Unsubscribe(7, [peer.topic()]), Pubrel(6), Pingreq(), peer.connect_packet(),
    )  # fmt: skip
    for number, after in enumerate(behind):
        await peer.connect()
        await peer.subscribe(peer.topic())
        await peer.send(wrong[number % 2], after)
        await peer._wait(lambda: peer.closed, 3.0)
        seen = [type(p).__name__ for p in peer.inbox]
        told = "Disconnect" in seen
        late = seen[seen.index("Disconnect") + 1 :] if told else []
        peer.check(not late, "a packet came after a DISCONNECT", seen=", ".join(seen), proven=True)
        rule = () if told else SECOND_CONNECT if number % 2 else MALFORMED
        peer.check(peer.closed, "the connection stays open", expected="closed", seen="open", under=rule)


@case("MQTT5-3.14.0-1", "X5-first-packet-not-connect", slug="no-disconnect-before-connack")
async def no_disconnect_before_the_connack(peer: Peer) -> None:
    """A server that has not accepted a connection sends no DISCONNECT."""
    await peer.open()
    await peer.send(b"\x30\x03\x00\x01t")
    last = await peer.expect_closed(under=("X5-first-packet-not-connect",))
    peer.check(not isinstance(last, Disconnect), "a DISCONNECT came", expected="closed", seen=repr(last), proven=True)
