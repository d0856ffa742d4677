# SPDX-License-Identifier: MIT
"""Chapters 3.1.2.11.2, 3.14 and 4.1, edge cases: what belongs to a session, and how long it is kept."""

from __future__ import annotations

import asyncio

from mqtt_conformance.case import case
from mqtt_conformance.cases.qos import come_back, forget
from mqtt_conformance.peer import ANSWER, ClosedType, Peer
from mqtt_conformance.rules import DELIVERY, QUEUED, RESEND, WILL
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Publish,
    PublishProperties,
    Subscription,
    Will,
)
from mqtt_ref.wire.primitives import SERVER, V5, V31, V311


@case(
    "X5-session-state-existence", "X311-session-state-server", "MQTT5-3.1.2-4", slug="empty-session", needs=["session"]
)
async def session_without_anything_in_it_is_kept(peer: Peer) -> None:
    """A session exists even if it is empty."""
    await peer.connect(clean=peer.version == V5, expiry=60)
    await peer.disconnect()
    reply = await peer.connect(clean=False, expiry=60)
    peer.equal(reply.session_present, True, "Session Present")
    await forget(peer)


@case("X5-session-expiry-never", slug="never-expires", needs=["session"])
async def session_that_never_expires(peer: Peer) -> None:
    """A session with Session Expiry Interval 0xFFFFFFFF does not expire at once."""
    reply = await peer.connect(clean=True, expiry=0xFFFFFFFF)
    told = reply.properties.session_expiry_interval if reply.properties else None
    if told is not None and told < 5:
        raise Inconclusive(f"the server set the Session Expiry Interval to {told} s")
    await peer.disconnect()
    await asyncio.sleep(1.2)
    second = await peer.connect(clean=False)
    peer.equal(second.session_present, True, "Session Present")


@case("X5-session-expiry-changed-connack", slug="expiry-told", needs=["setting"],
      settings={"maximum_session_expiry": 1})  # fmt: skip
async def changed_expiry_is_told(peer: Peer) -> None:
    """A server that uses another Session Expiry Interval than the client requested sends it in the CONNACK."""
    reply = await peer.connect(expiry=600)
    told = reply.properties.session_expiry_interval if reply.properties else None
    peer.equal(told, 1, "the Session Expiry Interval of the CONNACK")


@case("X5-session-state-subscriptions", slug="identifiers-kept", needs=["session", "subscription_identifiers"])
async def session_keeps_subscription_identifiers(peer: Peer) -> None:
    """A session keeps its subscriptions with their options and Subscription Identifiers."""
    await peer.connect(clean=True, expiry=60)
    await peer.subscribe(Subscription(peer.topic("a"), retain_as_published=True), identifier=5)
    await peer.subscribe(Subscription(peer.topic("b"), no_local=True), identifier=6)
    await peer.disconnect()
    await come_back(peer)
    await peer.publish(peer.topic("b"), b"own")
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic("a"), b"a", retain=peer.target.capabilities.retain)
    await other.publish(peer.topic("b"), b"b")
    seen = sorted(  # no order is guaranteed between topics
        (m.payload, m.retain, m.properties.subscription_identifier if m.properties else [])
        for m in await peer.messages(2)
    )
    wanted = [(b"a", peer.target.capabilities.retain, [5]), (b"b", False, [6])]
    peer.equal(seen, wanted, "payload, RETAIN and Subscription Identifiers")
    await forget(peer)


@case("X31-qos0-not-stored", slug="qos0-not-stored", needs=["session", "qos1"])
async def qos0_does_not_wait_in_3_1(peer: Peer) -> None:
    """QoS 0 messages should not be queued for a disconnected 3.1 client; later versions allow it."""
    await peer.connect(clean=False)
    await peer.subscribe(peer.topic(), qos=1)
    await peer.disconnect()
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"zero")
    await other.publish(peer.topic(), b"one", qos=1)
    await peer.connect(clean=False)
    (message,) = await peer.messages(1, under=QUEUED)
    peer.advise(message.payload == b"one", "a QoS 0 message waited", expected="b'one'", seen=message.payload)
    await peer.silent()
    await forget(peer)


@case("X31-clean-session-set", slug="clean-ends")
async def clean_session_ends_in_3_1(peer: Peer) -> None:
    """A session that began with Clean Session 1 ends with its connection: it keeps no subscription."""
    await peer.connect(clean=True)
    await peer.subscribe(peer.topic(), qos=1)
    await peer.disconnect()
    await peer.connect(clean=False)
    await peer.publish(peer.topic(), b"m", qos=1)
    await peer.silent()
    await forget(peer)


@case("X31-connack-reserved-byte", slug="no-session-present")
async def no_session_present_in_3_1(peer: Peer) -> None:
    """The first byte of a 3.1 CONNACK is reserved and should be 0, even if a session is resumed."""
    await peer.connect(clean=False)
    await peer.disconnect()
    await peer.open()
    peer.decoder = Decoder(V311, SERVER)  # 3.1.1 has Session Present where 3.1 has a reserved byte
    await peer.send(peer.connect_packet(clean=False))
    reply = await peer.expect(Connack)
    peer.equal(reply.reason_code, 0, "the return code")
    peer.advise(not reply.session_present, "a reserved byte that is not 0", expected="0", seen="1")
    await forget(peer)


@case("X5-retain-handling-only-subscribe", slug="retain-handling-later", needs=["retain"])
async def retain_handling_is_for_subscribing_alone(peer: Peer) -> None:
    """Retain Handling 2 does not hold back messages that are published later, with RETAIN 0 or 1."""
    await peer.connect()
    await peer.subscribe(Subscription(peer.topic(), retain_handling=2))
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m", retain=True)
    (message,) = await peer.messages(1)
    peer.equal(message.payload, b"m", "the message")


@case("X5-retained-qos0-stored", "X311-retain-qos0-store", slug="retained-qos0", needs=["retain"])
async def retained_qos0_message_is_kept(peer: Peer) -> None:
    """A QoS 0 message with RETAIN 1 should be kept as the retained message of its topic."""
    await peer.connect()
    await peer.publish(peer.topic(), b"m", retain=True)
    await peer.barrier()
    await peer.subscribe(peer.topic())
    (message,) = await peer.messages(1)
    peer.equal((message.payload, message.retain), (b"m", True), "payload and RETAIN")


@case("X5-disconnect-received-close", "X311-disconnect-server-closes", "X31-disconnect-server-closes",
      slug="closes-after-disconnect")  # fmt: skip
async def server_closes_after_a_disconnect(peer: Peer) -> None:
    """A server that gets a DISCONNECT should close the connection, without waiting for the client."""
    await peer.connect()
    await peer.send(b"\xe0\x00")
    await peer.expect_closed()


@case("X5-disconnect-short-read", slug="disconnect-short")
async def disconnect_of_every_length(peer: Peer) -> None:
    """A DISCONNECT without Reason Code is a normal one; without Property Length it has no properties."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic("w"))
    for raw, published in ((b"\xe0\x00", False), (b"\xe0\x01\x00", False), (b"\xe0\x02\x00\x00", False),
                           (b"\xe0\x02\x04\x00", True), (b"\xe0\x01\x04", True)):  # fmt: skip
        await peer.connect(will=Will(peer.topic("w"), b"will"))
        await peer.send(raw)
        await peer._wait(lambda: peer.closed, 1.0)  # the close by the server is a SHOULD; otherwise the client closes
        await peer.drop()
        if published:
            if len(raw) == 4 and not await watcher.comes(Publish):
                raise Inconclusive("a DISCONNECT 0x04 with Property Length does not publish the Will Message either")
            await watcher.messages(1)
        else:
            await watcher.silent()


@case("X5-nonshared-own-session", "MQTT311-3.10.4-1", slug="own-subscription")
async def subscriptions_belong_to_one_session(peer: Peer) -> None:
    """UNSUBSCRIBE ends the client's own subscription, not that of another client to the same filter."""
    other = peer.another("other")
    for one in (peer, other):
        await one.connect()
        await one.subscribe(peer.topic())
    await peer.unsubscribe(peer.topic())
    await peer.publish(peer.topic(), b"m")
    await other.messages(1)
    await peer.silent()


@case("X5-connect-version-selects", "MQTT311-3.1.2-1", "X31-protocol-violation", slug="versions-side-by-side")
async def versions_are_served_side_by_side(peer: Peer) -> None:
    """Each connection is served in the version of its CONNECT, and messages pass between versions."""
    spoken = sorted(peer.target.capabilities.versions)
    others = [peer.another(f"v{v}", v) for v in spoken]
    for other in others:
        await other.connect()
        await other.subscribe(peer.topic())
    await peer.connect()
    await peer.publish(peer.topic(), b"m")
    for other in others:
        (message,) = await other.messages(1)
        peer.equal(
            (message.topic, message.payload), (peer.topic(), b"m"), f"what a client of level {other.version} got"
        )


@case("X5-assigned-client-id-reason", slug="no-assigned-id")
async def own_client_id_is_not_assigned(peer: Peer) -> None:
    """A client that provides a Client Identifier is not assigned another one."""
    reply = await peer.connect()
    seen = reply.properties.assigned_client_identifier if reply.properties else None
    peer.equal(seen, None, "the Assigned Client Identifier", proven=True)


@case("X31-client-id-empty", "X31-connack-refused-close", slug="empty-id")
async def empty_client_id_in_3_1(peer: Peer) -> None:
    """An empty Client Identifier gets return code 0x02 in 3.1, and the close."""
    for clean in (True, False):
        await peer.open()
        await peer.send(peer.connect_packet(client_id="", clean=clean))
        reply = await peer.expect(Connack, or_closed=True)
        if isinstance(reply, ClosedType):
            raise Inconclusive("closed without CONNACK")
        if reply.reason_code == 0:
            raise Inconclusive("empty Client Identifiers are accepted, as later versions allow")
        peer.equal(reply.reason_code, 2, "the return code")
        await peer.expect_closed()


@case("X31-user-name-missing", slug="no-user-name")
async def missing_user_name_in_3_1(peer: Peer) -> None:
    """A 3.1 CONNECT may end before the User Name that its flag announces."""
    await _flagged(peer, 0x80)


@case("X31-password-missing", slug="no-password")
async def missing_password_in_3_1(peer: Peer) -> None:
    """A 3.1 CONNECT may end before the Password that its flag announces."""
    await _flagged(peer, 0xC0, b"\x00\x01u")


async def _flagged(peer: Peer, flags: int, more: bytes = b"") -> None:
    if peer.target.username is not None:
        raise Inconclusive("this broker is used with a user name")
    name = peer.client_id.encode()
    body = b"\x00\x06MQIsdp\x03" + bytes([flags | 2]) + b"\x00\x3c" + len(name).to_bytes(2, "big") + name + more
    await peer.open()
    await peer.send(b"\x10" + bytes([len(body)]) + body)
    reply = await peer._next((Connack,), ANSWER)
    if isinstance(reply, Connack) and reply.reason_code in (3, 4, 5):
        raise Inconclusive("a client without credentials is refused, or the server is not available")
    accepted = isinstance(reply, Connack) and reply.reason_code == 0
    peer.check(accepted, "the CONNECT is not accepted", expected="CONNACK 0x00", seen=repr(reply))


@case("X31-will-message-published", "X311-will-payload", "X5-will-payload-published", slug="will-empty")
async def will_of_every_size(peer: Peer) -> None:
    """The payload of the Will Message has exactly the bytes of the CONNECT: none, or any."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic("w"))
    for payload in (b"", b"\x00\x04will", b"x" * 1000):
        if peer.version == V31 and not payload:
            continue
        await peer.connect(will=Will(peer.topic("w"), payload))
        await peer.drop()
        (message,) = await watcher.messages(1, under=WILL)
        peer.equal(message.payload, payload, "the payload")


@case("X5-will-message-expiry-sent", slug="will-expiry")
async def will_keeps_its_expiry(peer: Peer) -> None:
    """The Message Expiry Interval of the Will Message is that of the CONNECT, or absent as there."""
    from mqtt_ref.wire.packets import WillProperties

    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic("w"))
    for wanted in (None, 1000):
        will = Will(peer.topic("w"), b"m", properties=WillProperties(message_expiry_interval=wanted))
        await peer.connect(will=will)
        await peer.drop()
        (message,) = await watcher.messages(1, under=WILL)
        left = message.properties.message_expiry_interval if message.properties else None
        fits = left is None if wanted is None else left is not None and 995 <= left <= 1000
        peer.check(fits, "the Message Expiry Interval", expected=str(wanted), seen=str(left))


@case("X5-message-expiry-absent", slug="no-expiry-made-up", needs=["session", "qos1"])
async def no_expiry_is_made_up(peer: Peer) -> None:
    """A message without Message Expiry Interval should reach its subscribers without one, even after it was queued.

    A server may still limit how long it keeps such a message.
    """
    await peer.connect(clean=True, expiry=60)
    await peer.subscribe(peer.topic(), qos=1)
    await peer.disconnect()
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m", qos=1, properties=PublishProperties(content_type="t"))
    await asyncio.sleep(1.1)
    await come_back(peer)
    (message,) = await peer.messages(1, under=QUEUED)
    left = message.properties.message_expiry_interval if message.properties else None
    peer.advise(left is None, "a Message Expiry Interval that no client set", expected="none", seen=left)
    await forget(peer)


@case("X5-subscription-identifier-no-revert", slug="no-revert", needs=["session", "qos1", "subscription_identifiers"])
async def new_identifier_is_not_taken_back(peer: Peer) -> None:
    """A retransmission has the old or the new Subscription Identifier; after the new one never the old one."""
    await peer.connect(clean=True, expiry=60)
    await peer.subscribe(peer.topic(), qos=1, identifier=1)
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m", qos=1)
    await peer.expect(Publish, under=DELIVERY)
    await peer.subscribe(peer.topic(), qos=1, identifier=2)
    seen: list[list[int]] = []
    for _ in range(2):
        await peer.drop()
        await come_back(peer)
        message = await peer.again(Publish, under=RESEND)
        seen.append(message.properties.subscription_identifier if message.properties else [])
    peer.check(seen in ([[1], [1]], [[1], [2]], [[2], [2]]), "the Subscription Identifiers",
               expected="1 or 2, and never 1 after 2", seen=seen)  # fmt: skip
    await forget(peer)


@case("X5-subscription-identifier-removed", slug="identifier-unsubscribed", needs=["subscription_identifiers"])
async def unsubscribing_drops_the_identifier(peer: Peer) -> None:
    """After an UNSUBSCRIBE, or with Clean Start 1, the Subscription Identifier is gone."""
    await peer.connect()
    await peer.subscribe(peer.topic(), identifier=9)
    await peer.unsubscribe(peer.topic())
    for _ in range(2):
        await peer.subscribe(peer.topic())
        await peer.publish(peer.topic(), b"m")
        (message,) = await peer.messages(1, under=DELIVERY)
        seen = message.properties.subscription_identifier if message.properties else []
        peer.equal(seen, [], "the Subscription Identifiers")
        await peer.subscribe(peer.topic(), identifier=9)
        await peer.disconnect()
        await peer.connect(clean=True)


@case("X5-subscription-identifier-identical", slug="identifiers-alike", needs=["wildcard", "subscription_identifiers"])
async def identical_identifiers_are_all_sent(peer: Peer) -> None:
    """If matching subscriptions share a Subscription Identifier, a single copy carries it once for each of them."""
    await peer.connect()
    await peer.subscribe(peer.topic("a/b"), identifier=3)
    await peer.subscribe(peer.topic("a/+"), identifier=3)
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic("a/b"), b"m")
    copies = [await peer.find(Publish, under=DELIVERY)]
    while isinstance(more := await peer._next((Publish,), 0.15), Publish):
        copies.append(more)
    seen = [n for m in copies for n in (m.properties.subscription_identifier if m.properties else [])]
    peer.equal(seen, [3, 3], "the identifiers of all copies")


@case("MQTT5-3.1.2-4", "MQTT5-3.2.2-2", "MQTT311-3.1.2-6", slug="clean-takeover", needs=["session"])
async def clean_start_over_a_live_connection(peer: Peer) -> None:
    """A connection with Clean Start 1 that takes over a live connection also begins a new session."""
    await peer.connect(clean=False, expiry=60)
    await peer.subscribe(peer.topic())
    other = peer.another("other")
    reply = await other.connect(client_id=peer.client_id, clean=True)
    peer.equal(reply.session_present, False, "Session Present")
    await other.publish(peer.topic(), b"m")
    await other.silent()


RESUMED = ("MQTT5-3.1.2-5", "MQTT311-3.1.2-4", "X31-client-id-in-use")


@case("MQTT5-3.1.4-3", "MQTT5-3.1.2-5", "MQTT311-3.1.4-2", "MQTT311-3.1.2-4", "X31-client-id-in-use",
      slug="takeover-resumes", needs=["session"])  # fmt: skip
async def takeover_goes_on_with_the_session(peer: Peer) -> None:
    """A connection that takes over with Clean Start 0 continues the session of the one that it ends."""
    await peer.connect(clean=False, expiry=60)
    await peer.subscribe(peer.topic(), qos=1)
    other = peer.another("other")
    packet: Connect = other.connect_packet(
        client_id=peer.client_id, clean=False, properties=ConnectProperties(session_expiry_interval=60)
    )
    await other.send(packet)
    reply = await other.expect(Connack)
    peer.equal(reply.reason_code, 0, "the Reason Code")
    if peer.version != V31:
        peer.equal(reply.session_present, True, "Session Present", under=RESUMED)
    await peer.expect_closed()
    await other.publish(peer.topic(), b"m", qos=1)
    (message,) = await other.messages(1, under=RESUMED)
    peer.equal(message.payload, b"m", "the message")
    await other.connect(client_id=peer.client_id, clean=True)
