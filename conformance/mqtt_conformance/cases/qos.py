# SPDX-License-Identifier: MIT
"""Chapters 3.4 to 3.7, 4.3, 4.4, 4.6 and 4.9: delivery protocols, resending, order, quotas."""

from __future__ import annotations

import asyncio

from mqtt_conformance.case import case
from mqtt_conformance.peer import ClosedType, Peer
from mqtt_conformance.rules import DELIVERY, DUP, IN_USE, PUBACK, PUBCOMP, PUBREC, PUBREL, QUEUED, RESEND
from mqtt_conformance.verdict import Advised, Inconclusive
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
)
from mqtt_ref.wire.primitives import V5, V31


async def pair(peer: Peer, qos: int, *, properties: ConnectProperties | None = None, expiry: int | None = None) -> Peer:
    """Subscribe the peer to its topic, and return another client that publishes."""
    await peer.connect(clean=peer.version == V5 or expiry is None, expiry=expiry, properties=properties)
    await peer.subscribe(peer.topic(), qos=qos)
    other = peer.another("publisher")
    await other.connect()
    return other


async def resume(peer: Peer, *, expiry: int = 60) -> None:
    """Drop the link and reconnect to the session. It has to be present."""
    await peer.drop()
    await come_back(peer, expiry=expiry)


async def come_back(peer: Peer, *, expiry: int = 60, properties: ConnectProperties | None = None) -> None:
    """Connect to the stored session. It has to be present; 3.1 does not tell."""
    reply = await peer.connect(clean=False, expiry=expiry, properties=properties)
    if peer.version != V31 and not reply.session_present:
        raise Inconclusive("the session was not kept")


async def forget(peer: Peer) -> None:
    """End the session that a case created."""
    await peer.connect(clean=True)
    await peer.disconnect()


def resumed_in_order(peer: Peer, seen: list[bytes], old: list[bytes], new: list[bytes]) -> None:
    """Check the order on a resumed session: resent messages in their order, then new ones in theirs.

    Late resends are inconclusive: section 4.6 orders each group by itself, and sets no time for resends.
    """
    each = [[p for p in seen if p in part] for part in (old, new)]
    if each == [old, new] and seen != old + new:
        raise Inconclusive("the resent messages come after the new ones; the standard sets no time for a resend")
    peer.equal(seen, old + new, "the order")


# ---------------------------------------------------------------- the server as receiver


@case("MQTT5-4.3.2-4", "MQTT311-4.3.2-2", "MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "MQTT5-2.2.1-5", "MQTT311-2.3.1-6",
      "MQTT5-3.4.2-1", "X5-packet-id-in-use", slug="puback", needs=["qos1"])  # fmt: skip
async def qos1_is_acknowledged(peer: Peer) -> None:
    """A QoS 1 PUBLISH gets a PUBACK with its Packet Identifier, including the highest one."""
    await peer.connect()
    for number in (1, 65_535, 256):
        await peer.send(Publish(peer.topic(), b"m", 1, packet_id=number))
        reply = await peer.expect(Puback)
        peer.equal(reply.packet_id, number, "the Packet Identifier", proven=True)
        peer.taken(reply)
        peer.check(reply.reason_code in (0, 0x10), "the Reason Code", expected="0x00", seen=hex(reply.reason_code))


@case("MQTT5-4.3.3-8", "MQTT5-4.3.3-11", "MQTT311-4.3.3-2", "MQTT5-2.2.1-5", "MQTT311-2.3.1-6", "MQTT5-3.5.2-1",
      "MQTT5-3.7.2-1", slug="pubrec-pubcomp", needs=["qos2"])  # fmt: skip
async def qos2_is_acknowledged(peer: Peer) -> None:
    """A QoS 2 PUBLISH gets a PUBREC and its PUBREL a PUBCOMP, both with its Packet Identifier."""
    await peer.connect()
    for number in (1, 65_535):
        await peer.send(Publish(peer.topic(), b"m", 2, packet_id=number))
        answer = await peer.expect(Pubrec)
        peer.equal(answer.packet_id, number, "the Packet Identifier of the PUBREC", proven=True)
        peer.taken(answer)
        await peer.send(Pubrel(number))
        reply = await peer.expect(Pubcomp)
        peer.equal(reply.packet_id, number, "the Packet Identifier of the PUBCOMP", proven=True)
        peer.equal(reply.reason_code, 0, "the Reason Code of the PUBCOMP")


@case("MQTT5-4.3.2-5", "MQTT311-4.3.2-2", "X5-packet-id-reuse", "X31-dup-hint", slug="puback-ends", needs=["qos1"])
async def identifier_is_new_after_puback(peer: Peer) -> None:
    """After its PUBACK a Packet Identifier means a new message, whatever its DUP flag."""
    other = await pair(peer, 1)
    for payload, dup in ((b"one", False), (b"two", True), (b"three", False)):
        await other.send(Publish(peer.topic(), payload, 1, dup=dup, packet_id=5))
        peer.taken(await other.find(Puback, under=() if dup else PUBACK))
    seen = [m.payload for m in await peer.messages(3)]
    peer.equal(seen, [b"one", b"two", b"three"], "the messages")


@case("MQTT5-4.3.3-10", "MQTT311-4.3.3-2", slug="no-duplicate", needs=["qos2"])
async def qos2_repeat_is_not_delivered_twice(peer: Peer) -> None:
    """A QoS 2 PUBLISH that is repeated before its PUBREL gets a PUBREC again and is delivered once."""
    other = await pair(peer, 2)
    await other.send(Publish(peer.topic(), b"once", 2, packet_id=7))
    peer.taken(await other.expect(Pubrec, under=PUBREC))
    await other.send(Publish(peer.topic(), b"once", 2, dup=True, packet_id=7))
    reply = await other.expect(Pubrec, or_closed=True) if peer.version != V5 else await other._next(None, 3.0)
    if isinstance(reply, (Disconnect, ClosedType)) or (isinstance(reply, Pubrec) and reply.reason_code == 0x91):
        raise Inconclusive("a repeat on a live connection is refused, as 4.4.0-1 forbids clients to send one")
    peer.check(isinstance(reply, Pubrec), "the repeat gets no PUBREC", expected="PUBREC", seen=repr(reply))
    assert isinstance(reply, Pubrec)
    peer.equal(reply.packet_id, 7, "the Packet Identifier", proven=True)
    peer.check(reply.reason_code < 0x80, "the repeat is refused", seen=hex(reply.reason_code))
    await other.send(Pubrel(7))
    await other.expect(Pubcomp, under=PUBCOMP)
    await peer.messages(1, under=DELIVERY)
    await peer.silent()


@case("MQTT5-4.3.3-12", "MQTT311-4.3.3-2", "X5-packet-id-reuse", slug="pubcomp-ends", needs=["qos2"])
async def identifier_is_new_after_pubcomp(peer: Peer) -> None:
    """After its PUBCOMP a Packet Identifier means a new message."""
    other = await pair(peer, 2)
    for payload in (b"one", b"two"):
        await other.publish(peer.topic(), payload, qos=2, packet_id=3)
    seen = [m.payload for m in await peer.messages(2)]
    peer.equal(seen, [b"one", b"two"], "the messages")


@case(
    "MQTT5-4.3.3-11",
    "MQTT311-4.3.3-2",
    "X5-pubcomp-id-not-found",
    "MQTT5-3.7.2-1",
    slug="pubrel-unknown",
    needs=["qos2"],
)
async def unknown_pubrel_is_answered(peer: Peer) -> None:
    """A PUBREL with an unknown Packet Identifier gets a PUBCOMP with that identifier."""
    await peer.connect()
    await peer.send(Pubrel(77))
    reply = await peer.expect(Pubcomp)
    peer.equal(reply.packet_id, 77, "the Packet Identifier", proven=True)
    if peer.version == V5:
        peer.check(
            reply.reason_code in (0, 0x92), "the Reason Code", expected="0x92", seen=hex(reply.reason_code), proven=True
        )
    await peer.served()


@case(
    "MQTT5-4.3.3-10",
    "MQTT311-4.3.3-2",
    "X5-session-state-inbound",
    "X311-session-state-server",
    slug="no-duplicate-after-resume",
    needs=["qos2", "session"],
)
async def qos2_repeat_after_resume(peer: Peer) -> None:
    """A QoS 2 PUBLISH that is repeated on a resumed session is delivered once."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic(), qos=2)
    await peer.connect(clean=False, expiry=60)
    await peer.send(Publish(peer.topic(), b"once", 2, packet_id=9))
    peer.taken(await peer.expect(Pubrec, under=PUBREC))
    await resume(peer)
    await peer.send(Publish(peer.topic(), b"once", 2, dup=True, packet_id=9))
    await peer.find(Pubrec)
    await peer.send(Pubrel(9))
    peer.equal((await peer.find(Pubcomp, under=PUBCOMP)).reason_code, 0, "the Reason Code of the PUBCOMP")
    await watcher.messages(1, under=DELIVERY)
    await watcher.silent()
    await forget(peer)


@case("X5-receive-maximum-exceeded-server", "MQTT5-3.3.4-7", slug="receive-maximum-exceeded", needs=["qos2"])
async def receive_maximum_is_enforced(peer: Peer) -> None:
    """Exceeding the server's Receive Maximum with QoS 2 messages leads to DISCONNECT 0x93, or at least a close."""
    await peer.connect()
    limit = peer.target.capabilities.receive_maximum
    if limit > 2000:
        raise Inconclusive(f"the server's Receive Maximum is {limit}")
    await peer.send(*(Publish(peer.topic(), b"", 2, packet_id=i) for i in range(1, limit + 2)))
    await peer._wait(lambda: peer.closed or sum(isinstance(p, Pubrec) for p in peer.inbox) > limit, 5)
    refused = next((p for p in peer.inbox if isinstance(p, Pubrec) and p.reason_code >= 0x80), None)
    if refused is not None and not peer.closed:
        raise Advised(
            "the excess messages are refused, and the connection is kept",
            expected="DISCONNECT 0x93",
            seen=repr(refused),
        )
    last = await peer.expect_closed(within=5)
    peer.closing_code(last, 0x93)


# ---------------------------------------------------------------- the server as sender


@case("MQTT5-4.3.2-1", "MQTT5-4.3.2-2", "MQTT311-4.3.2-1", "MQTT5-2.2.1-4", "MQTT311-2.3.1-4",
      "X5-packet-id-single-set", "X311-dup-meaning", slug="send-qos1", needs=["qos1"])  # fmt: skip
async def qos1_is_sent_with_an_identifier(peer: Peer) -> None:
    """A QoS 1 message is sent with DUP 0 and a Packet Identifier that no other unacknowledged message has."""
    other = await pair(peer, 1)
    for number in range(5):
        await other.publish(peer.topic(), b"%d" % number, qos=1)
    seen = await peer.messages(5, acknowledge=False)
    peer.equal([(m.qos, m.dup) for m in seen], [(1, False)] * 5, "QoS and DUP", proven=peer.version == V5)
    peer.equal(len({m.packet_id for m in seen}), 5, "the number of Packet Identifiers",
               proven=peer.version == V5)  # fmt: skip
    peer.check(all(m.packet_id for m in seen), "a Packet Identifier is 0", proven=True)


@case(
    "MQTT5-4.3.3-1",
    "MQTT5-4.3.3-2",
    "MQTT5-4.3.3-4",
    "MQTT311-4.3.3-1",
    "X31-pubrel-flags",
    slug="send-qos2",
    needs=["qos2"],
)
async def qos2_is_sent_and_released(peer: Peer) -> None:
    """A QoS 2 message is sent with DUP 0, and its PUBREC is answered with a PUBREL with the same identifier."""
    other = await pair(peer, 2)
    await other.publish(peer.topic(), b"m", qos=2)
    message = await peer.expect(Publish)
    peer.equal((message.qos, message.dup), (2, False), "QoS and DUP", proven=True)
    await peer.send(Pubrec(message.packet_id))
    peer.equal(
        (await peer.expect(Pubrel)).packet_id, message.packet_id, "the Packet Identifier of the PUBREL", proven=True
    )
    await peer.send(Pubcomp(message.packet_id))
    await peer.silent()


@case("MQTT5-4.4.0-1", "MQTT311-4.4.0-1", "MQTT5-3.3.1-1", "MQTT311-3.3.1-1", "MQTT5-4.3.2-3", "MQTT311-4.3.2-1",
      "X311-dup-meaning", "X5-session-state-outbound", "X31-clean-session-unset", slug="resend-qos1", needs=["qos1",
      "session"])  # fmt: skip
async def unacknowledged_qos1_is_resent(peer: Peer) -> None:
    """Unacknowledged QoS 1 messages are sent again on a resumed session: same identifier, DUP 1, in order."""
    other = await pair(peer, 1, expiry=60)
    for number in range(3):
        await other.publish(peer.topic(), b"%d" % number, qos=1)
    first = await peer.messages(3, acknowledge=False, under=DELIVERY)
    await resume(peer)
    again = await peer.messages(3, again=True)
    peer.equal([m.payload for m in again], [m.payload for m in first], "the messages")
    peer.equal([m.packet_id for m in again], [m.packet_id for m in first], "the Packet Identifiers", proven=True)
    peer.equal([m.dup for m in again], [True] * 3, "DUP", under=DUP, proven=True)
    await forget(peer)


@case("MQTT5-4.4.0-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-3", "MQTT311-4.3.3-1", "MQTT5-3.3.1-1", "MQTT311-3.3.1-1",
      slug="resend-qos2",
      needs=["qos2", "session"])  # fmt: skip
async def unacknowledged_qos2_is_resent(peer: Peer) -> None:
    """A QoS 2 message without PUBREC is sent again on a resumed session: same identifier, DUP 1."""
    other = await pair(peer, 2, expiry=60)
    await other.publish(peer.topic(), b"m", qos=2)
    first = await peer.expect(Publish, under=DELIVERY)
    await resume(peer)
    again = await peer.again(Publish)
    peer.equal((again.packet_id, again.payload), (first.packet_id, b"m"), "the message", proven=True)
    peer.equal(again.dup, True, "DUP", under=DUP, proven=True)
    await peer.acknowledge(again)
    await forget(peer)


@case("MQTT5-4.4.0-1", "MQTT311-4.4.0-1", "MQTT5-4.3.3-5", "MQTT5-4.3.3-6", "MQTT311-4.3.3-1", slug="resend-pubrel",
      needs=["qos2", "session"])  # fmt: skip
async def owed_pubrel_is_resent(peer: Peer) -> None:
    """A PUBREL without PUBCOMP is sent again each time the session is resumed, and the PUBLISH is not."""
    other = await pair(peer, 2, expiry=60)
    await other.publish(peer.topic(), b"m", qos=2)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.send(Pubrec(message.packet_id))
    await peer.expect(Pubrel, under=PUBREL)
    for _ in range(2):
        await resume(peer)
        release = await peer.again(Pubrel)
        peer.equal(release.packet_id, message.packet_id, "the Packet Identifier", proven=True)
    await peer.send(Pubcomp(message.packet_id))
    await peer.silent()
    await forget(peer)


@case("MQTT5-4.4.0-1", slug="no-resend-while-connected", needs=["qos1"])
async def nothing_is_resent_on_a_live_connection(peer: Peer) -> None:
    """No message is sent again on a live connection, even if its acknowledgement is late."""
    other = await pair(peer, 1)
    await other.publish(peer.topic(), b"m", qos=1)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.silent(settle=1.5, proven=True)
    await peer.send(Puback(message.packet_id))


@case("MQTT5-4.4.0-2", slug="refused-is-done", needs=["qos1", "session"])
async def refused_message_is_not_resent(peer: Peer) -> None:
    """A message that the client refused with a PUBACK or PUBREC of 0x80 or above is not sent again."""
    other = await pair(peer, 2, expiry=60)
    await other.publish(peer.topic(), b"m", qos=1)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.send(Puback(message.packet_id, 0x83))
    if peer.target.capabilities.maximum_qos == 2:
        await other.publish(peer.topic(), b"n", qos=2)
        message = await peer.expect(Publish, under=DELIVERY)
        await peer.send(Pubrec(message.packet_id, 0x83))
    await peer.silent(Pubrel, under=PUBREL, proven=True)
    await resume(peer)
    await peer.silent()
    await forget(peer)


@case(
    "MQTT5-4.3.3-4",
    "X5-packet-id-reuse",
    "X5-negative-ack-alone",
    "MQTT5-4.4.0-2",
    "X5-quota-pubrec",
    slug="refused-is-not-released",
    needs=["qos2"],
)
async def no_pubrel_after_a_refusing_pubrec(peer: Peer) -> None:
    """A PUBREC of 0x80 or above is not answered with a PUBREL, and frees the Packet Identifier."""
    other = await pair(peer, 2, properties=ConnectProperties(receive_maximum=1))
    await other.publish(peer.topic(), b"m", qos=2)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.send(Pubrec(message.packet_id, 0x80))
    await peer.silent(Pubrel, proven=True)
    await other.publish(peer.topic(), b"n", qos=2)
    (following,) = await peer.messages(1, under=("X5-quota-pubrec",))
    peer.equal(following.payload, b"n", "the message")


@case("MQTT5-4.3.3-7", "MQTT5-4.3.3-13", slug="no-expiry-in-flight", needs=["qos2", "session"])
async def expiry_does_not_end_an_exchange(peer: Peer) -> None:
    """A QoS 2 message that was sent before it expired is completed, even on a resumed session."""
    other = await pair(peer, 2, expiry=60)
    await other.publish(peer.topic(), b"m", qos=2, properties=PublishProperties(message_expiry_interval=1))
    message = await peer.expect(Publish, under=DELIVERY)
    await asyncio.sleep(2.3)
    await resume(peer)
    again = await peer.again(Publish)
    peer.equal(again.packet_id, message.packet_id, "the Packet Identifier", proven=True)
    await peer.acknowledge(again)
    await forget(peer)


@case("MQTT5-4.3.3-7", "MQTT5-4.3.3-13", slug="no-expiry-at-takeover", needs=["qos2", "session"])
async def expiry_does_not_end_an_exchange_at_takeover(peer: Peer) -> None:
    """A QoS 2 message that was sent before it expired is completed on a connection that takes over."""
    other = await pair(peer, 2, expiry=60)
    await other.publish(peer.topic(), b"m", qos=2, properties=PublishProperties(message_expiry_interval=1))
    message = await peer.expect(Publish, under=DELIVERY)
    await asyncio.sleep(2.3)
    taker = peer.another("taker")
    await taker.connect(client_id=peer.client_id, clean=False, expiry=60)
    again = await taker.again(Publish)
    peer.equal(again.packet_id, message.packet_id, "the Packet Identifier", proven=True)
    await taker.acknowledge(again)
    await taker.disconnect()
    await forget(peer)


@case("MQTT5-3.8.4-8", "MQTT311-3.8.4-6", "X31-delivery-qos", slug="downgrade", needs=["qos2"])
async def qos_is_the_lower_of_both(peer: Peer) -> None:
    """A message arrives at the lower of the QoS it was published with and the QoS granted."""
    await peer.connect()
    other = peer.another("publisher")
    await other.connect()
    for granted in (0, 1, 2):
        topic = peer.topic(f"q{granted}")
        await peer.subscribe(topic, qos=granted)
        for qos in (0, 1, 2):
            await other.publish(topic, b"m", qos=qos)
            (message,) = await peer.messages(1, under=DELIVERY)
            peer.equal(
                message.qos,
                min(granted, qos),
                f"the QoS of a QoS {qos} message to a QoS {granted} subscription",
                proven=True,
            )


# ---------------------------------------------------------------- order


@case("MQTT5-4.6.0-5", "MQTT5-4.6.0-6", "MQTT311-4.6.0-5", "MQTT311-4.6.0-6", slug="order")
async def order_is_kept(peer: Peer) -> None:
    """Messages of one client to one topic at one QoS arrive in the order they were sent."""
    for qos in range(peer.target.capabilities.maximum_qos + 1):
        topic = peer.topic(f"q{qos}")
        await peer.connect()
        await peer.subscribe(topic, qos=qos)
        other = peer.another(f"publisher{qos}")
        await other.connect()
        wanted = [b"%d" % n for n in range(15)]
        at_once = min(15, peer.target.capabilities.receive_maximum) if qos else 15
        for start in range(0, 15, at_once):
            numbers = range(start, min(15, start + at_once))
            await other.send(*(Publish(topic, wanted[n], qos, packet_id=n + 1 if qos else 0) for n in numbers))
            for number in numbers if qos else ():
                if qos == 1:
                    peer.taken(await other.find(Puback, under=PUBACK))
                    continue
                wanted_id = number + 1
                peer.taken(await other.find(Pubrec, where=lambda p, i=wanted_id: p.packet_id == i, under=PUBREC))  # type: ignore[misc]
                await other.send(Pubrel(number + 1))
                await other.find(Pubcomp, under=PUBCOMP)
        seen: list[bytes] = []
        for number in range(15):
            seen += [m.payload for m in await peer.messages(1, under=DELIVERY)]
            peer.equal(seen, wanted[: number + 1], f"the order at QoS {qos}")


@case("MQTT5-4.6.0-5", "MQTT311-4.6.0-6", slug="order-resend", needs=["qos1", "session"])
async def order_is_kept_over_a_resume(peer: Peer) -> None:
    """Unacknowledged messages come first on a resumed session, then those published meanwhile."""
    other = await pair(peer, 1, expiry=60)
    for number in range(3):
        await other.publish(peer.topic(), b"%d" % number, qos=1)
    first = await peer.messages(3, acknowledge=False, under=DELIVERY)
    await peer.drop()
    for number in range(3, 6):
        await other.publish(peer.topic(), b"%d" % number, qos=1)
    await come_back(peer)
    held = {m.packet_id: m.payload for m in first}
    seen = []
    for number in range(6):
        (message,) = await peer.messages(1, acknowledge=False, again=True, under=RESEND if number < 3 else QUEUED)
        taken = held.get(message.packet_id, message.payload) != message.payload
        peer.check(not taken, "a Packet Identifier that is in use", seen=message.packet_id, under=IN_USE, proven=True)
        seen.append(message.payload)
        await peer.acknowledge(message)
        held.pop(message.packet_id, None)
    resumed_in_order(peer, seen, [b"0", b"1", b"2"], [b"3", b"4", b"5"])
    await forget(peer)


# ---------------------------------------------------------------- flow control


@case(
    "MQTT5-3.3.4-9",
    "MQTT5-4.9.0-1",
    "MQTT5-4.9.0-2",
    "X5-quota-ack",
    "MQTT5-4.9.0-3",
    slug="receive-maximum",
    needs=["qos1"],
)
async def receive_maximum_of_the_client(peer: Peer) -> None:
    """The server never has more unacknowledged QoS 1 and 2 messages than the client's Receive Maximum."""
    for limit in (1, 2, 5):
        other = await pair(peer, 1, properties=ConnectProperties(receive_maximum=limit))
        for number in range(limit + 2):
            await other.publish(peer.topic(), b"%d" % number, qos=1)
        first = await peer.messages(limit, acknowledge=False, under=DELIVERY)
        await peer.silent(proven=True)
        await peer.send(Puback(first[0].packet_id))
        (following,) = await peer.messages(1, acknowledge=False)
        seen = [m.payload for m in [*first, following]]
        peer.equal(seen, [b"%d" % n for n in range(limit + 1)], "the messages, with what follows an acknowledgement")
        await peer.silent(proven=True)
        await other.disconnect()


@case("MQTT5-3.3.4-9", "X5-quota-pubrec", "X5-quota-ack", "MQTT5-4.3.3-5", "MQTT5-4.9.0-3", slug="receive-maximum-qos2",
      needs=["qos2"])  # fmt: skip
async def receive_maximum_counts_to_pubcomp(peer: Peer) -> None:
    """A QoS 2 message counts until its PUBCOMP, not only until its PUBREC."""
    other = await pair(peer, 2, properties=ConnectProperties(receive_maximum=1))
    for payload in (b"0", b"1"):
        await other.publish(peer.topic(), payload, qos=2)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.send(Pubrec(message.packet_id))
    await peer.expect(Pubrel)
    await peer.silent(proven=True)
    await peer.send(Pubcomp(message.packet_id))
    (following,) = await peer.messages(1, under=("X5-quota-ack",))
    peer.equal([message.payload, following.payload], [b"0", b"1"], "the messages")


@case("MQTT5-3.3.4-10", "MQTT5-4.9.0-3", "X5-quota-qos0", slug="quota-zero-goes-on", needs=["qos1"])
async def other_packets_are_not_held_back(peer: Peer) -> None:
    """With a send quota of 0 the server still answers; it may send QoS 0 messages or hold them back."""
    other = await pair(peer, 1, properties=ConnectProperties(receive_maximum=1))
    await peer.subscribe(peer.topic("zero"), qos=0)
    for _ in range(2):
        await other.publish(peer.topic(), b"one", qos=1)
    await peer.expect(Publish, under=DELIVERY)
    await peer.served()
    number = peer.packet_id()
    await peer.send(Publish(peer.topic("up"), b"m", 1, packet_id=number))
    reply = await peer.find(Puback)
    peer.equal(reply.packet_id, number, "the Packet Identifier", proven=True)
    await other.publish(peer.topic("zero"), b"zero")
    await other.barrier()
    if not await peer.comes(Publish):
        peer.note("holds back QoS 0 messages too while the send quota is 0")


@case("X5-quota-reset", "MQTT5-3.3.4-9", slug="quota-new-connection", needs=["qos1", "session"])
async def quota_is_new_with_each_connection(peer: Peer) -> None:
    """A resumed session has the quota of the new connection: resent messages count, and later ones wait for quota."""
    other = await pair(peer, 1, properties=ConnectProperties(receive_maximum=3), expiry=60)
    for number in range(4):
        await other.publish(peer.topic(), b"%d" % number, qos=1)
    await peer.messages(3, acknowledge=False, under=DELIVERY)
    await peer.drop()
    await come_back(peer, properties=ConnectProperties(receive_maximum=2))
    first = await peer.messages(2, acknowledge=False, again=True, under=RESEND)
    await peer.silent(under=("MQTT5-3.3.4-9",), proven=True)
    for message in first:
        await peer.send(Puback(message.packet_id))
    seen = [m.payload for m in [*first, *await peer.messages(2)]]
    resumed_in_order(peer, seen, [b"0", b"1", b"2"], [b"3"])
    await forget(peer)
