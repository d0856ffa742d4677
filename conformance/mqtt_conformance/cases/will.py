# SPDX-License-Identifier: MIT
"""Chapters 3.1.2.5, 3.1.2.10 and 3.1.3.2: Will Messages, Will Delay, Keep Alive."""

from __future__ import annotations

import asyncio
import time

from mqtt_conformance.case import case
from mqtt_conformance.peer import Peer
from mqtt_conformance.rules import SECOND_CONNECT, TAKEOVER, WILL
from mqtt_conformance.verdict import Failed, Inconclusive
from mqtt_ref.wire.packets import Pingreq, Publish, PublishProperties, Will, WillProperties
from mqtt_ref.wire.primitives import V5


async def watch(peer: Peer, qos: int = 0) -> Peer:
    """Return another client that is subscribed to the peer's Will Topic."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic("w"), qos=qos)
    return watcher


@case(
    "MQTT5-3.1.2-8",
    "MQTT311-3.1.2-8",
    "MQTT5-3.1.2-7",
    "X5-will-on-network-failure",
    "X5-will-delay-absent",
    "X5-will-on-client-close",
    "X5-will-payload-published",
    "X5-will-publish-promptly",
    "X311-will-situations",
    "X311-will-payload",
    "X311-will-prompt",
    "X31-will-situations",
    "X31-will-message-published",
    slug="link-lost",
)
async def will_is_published_when_the_link_is_lost(peer: Peer) -> None:
    """The Will Message is published once when the link ends without a DISCONNECT, and not before."""
    for reset in (False, True):
        watcher = await watch(peer)
        await peer.connect(will=Will(peer.topic("w"), b"will"))
        await watcher.silent()
        await peer.drop(reset=reset)
        (message,) = await watcher.messages(1)
        peer.equal((message.payload, message.topic), (b"will", peer.topic("w")), "the Will Message")
        await watcher.silent()
        await watcher.disconnect()


@case("MQTT5-3.1.2-8", "MQTT311-3.1.2-8", "X5-will-on-server-close", "X311-will-situations", slug="protocol-error")
async def will_is_published_after_a_protocol_error(peer: Peer) -> None:
    """The Will Message is published when the server closes the connection because of an error."""
    watcher = await watch(peer)
    await peer.connect(will=Will(peer.topic("w"), b"will"))
    await peer.send(peer.connect_packet())
    await peer.expect_closed(under=SECOND_CONNECT)
    (message,) = await watcher.messages(1)
    peer.equal(message.payload, b"will", "the payload")


@case("MQTT5-3.1.2-8", "X5-disconnect-with-will", slug="disconnect-with-will")
async def disconnect_with_will(peer: Peer) -> None:
    """A DISCONNECT with Reason Code 0x04 publishes the Will Message."""
    watcher = await watch(peer)
    await peer.connect(will=Will(peer.topic("w"), b"will"))
    # At full length: whether a DISCONNECT may omit its properties is another case's subject.
    await peer.disconnect(b"\xe0\x02\x04\x00")
    await watcher.messages(1)


@case("MQTT311-3.1.2-12", slug="no-will")
async def no_will_no_message(peer: Peer) -> None:
    """With Will Flag 0 nothing is published when the link is lost."""
    watcher = await watch(peer)
    await peer.connect()
    await peer.drop()
    await watcher.silent(settle=0.2)


@case("MQTT5-3.1.2-10", "MQTT311-3.1.2-10", slug="will-is-removed")
async def will_is_removed_once_published(peer: Peer) -> None:
    """A published Will Message is removed: the next connection has none unless its CONNECT has one."""
    watcher = await watch(peer)
    await peer.connect(will=Will(peer.topic("w"), b"will"))
    await peer.drop()
    await watcher.messages(1, under=WILL)
    await peer.connect()
    await peer.drop()
    await watcher.silent(settle=0.2)


@case("MQTT5-3.1.2-12", "MQTT311-3.1.2-14", "X5-will-published-qos", "X311-will-qos", slug="will-qos", needs=["qos2"])
async def will_qos(peer: Peer) -> None:
    """The Will Message is published at its Will QoS."""
    watcher = await watch(peer, 2)
    for qos in (0, 1, 2):
        await peer.connect(will=Will(peer.topic("w"), b"will", qos))
        await peer.drop()
        (message,) = await watcher.messages(1, under=WILL)
        peer.equal(message.qos, qos, "the QoS", proven=True)


@case("MQTT5-3.1.2-14", "MQTT311-3.1.2-16", slug="will-not-retained")
async def will_without_retain(peer: Peer) -> None:
    """With Will Retain 0 the Will Message is not retained."""
    watcher = await watch(peer)
    await peer.connect(will=Will(peer.topic("w"), b"will"))
    await peer.drop()
    await watcher.messages(1, under=WILL)
    late = peer.another("late")
    await late.connect()
    await late.subscribe(peer.topic("w"))
    await late.silent()


@case("MQTT5-3.1.2-15", "MQTT311-3.1.2-17", slug="will-retained", needs=["retain"])
async def will_with_retain(peer: Peer) -> None:
    """With Will Retain 1 the Will Message is retained."""
    watcher = await watch(peer)
    # QoS 1 if supported, because a server may discard retained messages of QoS 0 at any time.
    qos = min(1, peer.target.capabilities.maximum_qos)
    await peer.connect(will=Will(peer.topic("w"), b"will", qos, True))
    await peer.drop()
    await watcher.messages(1, under=WILL)
    late = peer.another("late")
    await late.connect()
    await late.subscribe(peer.topic("w"))
    (message,) = await late.messages(1)
    peer.equal((message.payload, message.retain), (b"will", True), "payload and RETAIN")


@case("MQTT5-3.1.3-10", "X5-will-properties-published", "X5-will-message-expiry-sent", slug="will-properties")
async def will_properties(peer: Peer) -> None:
    """The Will Message carries its properties, User Properties in order, and no Will Delay Interval."""
    watcher = await watch(peer)
    pairs = [("z", "1"), ("a", "2"), ("z", "3")]
    properties = WillProperties(payload_format_indicator=1, content_type="t", response_topic="r",
                                correlation_data=b"\x00\xff", user_property=list(pairs),
                                message_expiry_interval=100)  # fmt: skip
    await peer.connect(will=Will(peer.topic("w"), b"will", properties=properties))
    await peer.drop()
    (message,) = await watcher.messages(1, under=WILL)
    seen = message.properties or PublishProperties()
    left = seen.message_expiry_interval
    peer.check(left is not None and 95 <= left <= 100, "Message Expiry Interval", expected="about 100", seen=left,
               under=("X5-will-message-expiry-sent",))  # fmt: skip
    peer.equal(seen.user_property, pairs, "the User Properties", proven=True)
    peer.equal((seen.payload_format_indicator, seen.content_type, seen.response_topic, seen.correlation_data),
               (1, "t", "r", b"\x00\xff"), "the other properties", under=("X5-will-properties-published",),
               proven=True)  # fmt: skip


@case("MQTT5-3.1.2-8", "X5-will-delay-first-event", "X5-session-state-will", slug="will-delay", needs=["session"])
async def will_delay(peer: Peer) -> None:
    """The Will Message is published when the Will Delay Interval has passed, not earlier."""
    watcher = await watch(peer)
    await peer.connect(expiry=60, will=Will(peer.topic("w"), b"will", properties=WillProperties(will_delay_interval=2)))
    begun = time.monotonic()
    await peer.drop()
    await watcher.find(Publish, within=6)
    took = time.monotonic() - begun
    peer.check(took >= 1.9, "the Will Message came too early", expected="2 s", seen=f"{took:.2f} s")
    await peer.connect(clean=True)


@case("MQTT5-3.1.3-9", "X5-takeover-will", slug="will-delay-cancelled", needs=["session"])
async def reconnecting_cancels_a_delayed_will(peer: Peer) -> None:
    """A new connection to the session before the Will Delay Interval has passed prevents the Will Message."""
    watcher = await watch(peer)
    await peer.connect(expiry=60, will=Will(peer.topic("w"), b"will", properties=WillProperties(will_delay_interval=2)))
    await peer.drop()
    await asyncio.sleep(0.2)
    reply = await peer.connect(clean=False, expiry=60)
    if not reply.session_present:
        raise Inconclusive("the session was not kept")
    await asyncio.sleep(2.2)
    await watcher.silent(settle=0.5)
    await peer.drop()
    await watcher.silent(settle=0.5)
    await peer.connect(clean=True)


@case("MQTT5-3.1.2-8", "X5-will-delay-first-event", slug="will-at-session-end", needs=["session"])
async def session_end_publishes_a_delayed_will(peer: Peer) -> None:
    """A session that ends before the Will Delay Interval has passed publishes the Will Message."""
    watcher = await watch(peer)
    will = Will(peer.topic("w"), b"will", properties=WillProperties(will_delay_interval=60))
    await peer.connect(expiry=1, will=will)
    await peer.drop()
    await watcher.find(Publish, within=5, under=("X5-will-delay-first-event",))


@case("MQTT5-3.1.2-8", "X5-takeover-will-session-end", "X5-will-delay-first-event", slug="will-at-clean-start",
      needs=["session"])  # fmt: skip
async def clean_start_publishes_a_delayed_will(peer: Peer) -> None:
    """Clean Start 1 ends the session, so its delayed Will Message is published."""
    watcher = await watch(peer)
    will = Will(peer.topic("w"), b"will", properties=WillProperties(will_delay_interval=60))
    await peer.connect(expiry=60, will=will)
    await peer.drop()
    await peer.connect(clean=True)
    await watcher.messages(1, under=("X5-will-delay-first-event",))


@case("MQTT5-3.1.2-8", "MQTT311-3.1.2-8", "X5-takeover-will-no-delay", slug="will-at-takeover")
async def takeover_publishes_the_will(peer: Peer) -> None:
    """A takeover publishes the Will Message without delay of the old connection if the session ends with it."""
    watcher = await watch(peer)
    for expiry, clean in ((0, True), (0, False), (60, True)):
        await _taken_over(peer, watcher, expiry=expiry, clean=clean)


@case("MQTT5-3.1.2-8", "MQTT311-3.1.2-8", "X5-takeover-will-no-delay", slug="will-at-takeover-resumed",
      needs=["session"])  # fmt: skip
async def takeover_that_resumes_publishes_the_will(peer: Peer) -> None:
    """A takeover publishes the Will Message without delay of the old connection, even if the session continues."""
    await _taken_over(peer, await watch(peer), expiry=60, clean=False)


async def _taken_over(peer: Peer, watcher: Peer, *, expiry: int, clean: bool) -> None:
    """Take over a client with a Will Message and this Session Expiry Interval, with this Clean Start."""
    will = Will(peer.topic("w"), b"will")
    await peer.connect(expiry=expiry, clean=peer.version == V5 or not expiry, will=will)
    other = peer.another(f"taker{len(peer.run.peers)}")
    await other.connect(client_id=peer.client_id, clean=clean, expiry=0)
    try:
        await watcher.messages(1)
    except Failed:
        if peer.closed:
            raise
        message = "the connection that was taken over stays open, and its Will Message is not due"
        raise peer.blame(TAKEOVER, message, expected="closed", seen="the connection stays open") from None
    await peer.drop()
    await other.disconnect()
    await other.connect(client_id=peer.client_id, clean=True)
    await other.disconnect()


@case(
    "MQTT5-3.1.2-22",
    "MQTT311-3.1.2-24",
    "X5-will-on-keep-alive-timeout",
    "X5-delivery-after-connack",
    "X311-connect-accepted-start",
    "X311-will-situations",
    "X31-keep-alive",
    "X31-will-situations",
    "MQTT5-3.2.2-22",
    slug="keep-alive",
)
async def keep_alive_runs_out(peer: Peer) -> None:
    """A client that is silent for one and a half times its Keep Alive is closed, and its Will Message is published."""
    watcher = await watch(peer)
    reply = await peer.connect(keep_alive=1, will=Will(peer.topic("w"), b"will"))
    seconds = 1
    if peer.version == V5 and reply.properties and reply.properties.server_keep_alive is not None:
        seconds = reply.properties.server_keep_alive
    if seconds > 5 or not seconds:
        raise Inconclusive(f"the server set the Keep Alive to {seconds} s")
    begun = time.monotonic()
    peer.mute = True
    last = await peer.expect_closed(within=seconds * 1.5 + 9)
    took = time.monotonic() - begun
    peer.check(took >= seconds * 0.95, "closed too early", expected=f"{seconds * 1.5} s", seen=f"{took:.2f} s")
    peer.closing_code(last, 0x8D)
    await watcher.messages(1)


@case("MQTT5-3.1.2-22", "MQTT311-3.1.2-24", "MQTT5-3.2.2-22", slug="keep-alive-kept")
async def keep_alive_is_kept_by_packets(peer: Peer) -> None:
    """A client that sends any packet within its Keep Alive stays connected."""
    await peer.connect(keep_alive=2)
    for packet in (Pingreq(), Publish(peer.topic(), b"m"), Pingreq(), Publish(peer.topic(), b"m")):
        await asyncio.sleep(1.2)
        await peer.send(packet)
    await peer.served()


@case("X5-keep-alive-zero", "X311-keep-alive-zero", "X31-keep-alive-zero", slug="keep-alive-off")
async def keep_alive_zero(peer: Peer) -> None:
    """A Keep Alive of 0 turns Keep Alive off."""
    reply = await peer.connect(keep_alive=0)
    if peer.version == V5 and reply.properties and reply.properties.server_keep_alive:
        raise Inconclusive("the server set a Keep Alive of its own")
    await asyncio.sleep(2.5)
    await peer.served()


@case("MQTT5-3.1.2-8", "MQTT5-3.1.2-10", "MQTT311-3.1.2-8", "MQTT311-3.1.2-12", "MQTT311-3.1.2-10",
      "X31-will-situations", slug="will-again", needs=["session"])  # fmt: skip
async def every_connection_has_its_own_will(peer: Peer) -> None:
    """Each connection to a session has its own Will Message, whatever happened to the previous one."""
    watcher = await watch(peer)
    await peer.connect(clean=True)
    clean = peer.version == V5
    delayed = ("delayed",) if clean else ()
    for number, before in enumerate(("lost", "goodbye", "none", "none goodbye", *delayed)):
        will = None if before.startswith("none") else Will(peer.topic("w"), b"before")
        if will is not None and before == "delayed":
            will.properties = WillProperties(will_delay_interval=1)
        await peer.connect(clean=clean, expiry=60, will=will)
        clean = False
        if before.endswith("goodbye"):
            await peer.disconnect()
        else:
            await peer.drop()
        if before in ("lost", "delayed"):
            await watcher.messages(1)
        await peer.connect(clean=False, expiry=60, will=Will(peer.topic("w"), b"%d" % number))
        await watcher.silent()
        await peer.drop()
        (message,) = await watcher.messages(1)
        peer.equal(message.payload, b"%d" % number, "the payload")
        await watcher.silent()
    await peer.connect(clean=True)


@case("MQTT5-3.1.3-9", "MQTT5-3.1.2-8", "X5-takeover-will", slug="takeover-new-will", needs=["session"])
async def takeover_brings_a_new_will(peer: Peer) -> None:
    """A takeover that continues the session discards a delayed Will Message; that of the new connection counts."""
    watcher = await watch(peer)
    delayed = WillProperties(will_delay_interval=30)
    other = peer.another("other")
    for alive in (True, False):
        await peer.connect(expiry=60, will=Will(peer.topic("w"), b"old", properties=delayed))
        if not alive:
            await peer.drop()
        await other.connect(client_id=peer.client_id, clean=False, expiry=60, will=Will(peer.topic("w"), b"new"))
        await watcher.silent()
        await other.drop()
        (message,) = await watcher.messages(1, under=WILL)
        peer.equal(message.payload, b"new", "the payload")
        await watcher.silent()
    await other.connect(client_id=peer.client_id, clean=True)
