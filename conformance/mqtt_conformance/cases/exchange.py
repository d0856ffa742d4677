# SPDX-License-Identifier: MIT
"""Chapters 2.2.1, 3.4 to 3.7 and 4.9, edge cases: short packets, wrong packets, identifiers, quotas."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.cases.qos import come_back, forget, pair, resume
from mqtt_conformance.peer import ANSWER, Peer, show
from mqtt_conformance.rules import DELIVERY, DUP, PUBREC, PUBREL, RESEND
from mqtt_conformance.verdict import Failed, Inconclusive
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import V5, V31

KINDLY = ("0x80", "0x83", "0x87", "0x90", "0x91")
"""Codes that may refuse a PUBLISH or SUBSCRIBE with an identifier in use. A topic may be reserved for the server."""


def raw(first: int, packet_id: int, *more: int) -> bytes:
    """Return the bytes of an acknowledgement."""
    return bytes([first, 2 + len(more), *packet_id.to_bytes(2, "big"), *more])


@case("X5-puback-short-read", "X5-pubrec-short-read", "X5-pubcomp-short-read", slug="short-acks", needs=["qos2"])
async def short_acknowledgements_are_read(peer: Peer) -> None:
    """A PUBACK, PUBREC or PUBCOMP without Reason Code means success; without Property Length it has no properties."""
    other = await pair(peer, 2, properties=ConnectProperties(receive_maximum=1))
    for more in ((), (0,), (0, 0)):
        await other.publish(peer.topic(), b"one", qos=1)
        message = await peer.expect(Publish, under=() if more else DELIVERY)
        await peer.send(raw(0x40, message.packet_id, *more))
        await other.publish(peer.topic(), b"two", qos=2)
        message = await peer.expect(Publish, say="a message after a PUBACK")
        await peer.send(raw(0x50, message.packet_id, *more))
        await peer.expect(Pubrel)
        await peer.send(raw(0x70, message.packet_id, *more))
    await other.publish(peer.topic(), b"last", qos=1)
    await peer.expect(Publish, say="a message after a PUBCOMP")


@case("X5-pubrel-short-read", slug="short-pubrel", needs=["qos2"])
async def short_pubrel_is_read(peer: Peer) -> None:
    """A PUBREL without Reason Code means success; without Property Length it has no properties."""
    await peer.connect()
    for more in ((), (0,), (0, 0)):
        await peer.send(Publish(peer.topic(), b"m", 2, packet_id=5))
        peer.taken(await peer.expect(Pubrec, under=PUBREC))
        await peer.send(raw(0x62, 5, *more))
        peer.equal((await peer.expect(Pubcomp)).packet_id, 5, "the Packet Identifier", proven=True)


@case("X31-pubrel-flags", slug="pubrel-dup", needs=["qos2"])
async def repeated_pubrel_of_3_1(peer: Peer) -> None:
    """A PUBREL with DUP 1, as a 3.1 client sends it on a retry, gets its PUBCOMP."""
    await peer.connect()
    await peer.send(Publish(peer.topic(), b"m", 2, packet_id=5))
    await peer.expect(Pubrec, under=PUBREC)
    for first in (0x62, 0x6A):
        await peer.send(raw(first, 5))
        peer.equal((await peer.expect(Pubcomp)).packet_id, 5, "the Packet Identifier", proven=True)


@case("MQTT5-4.3.3-4", "X5-pubrel-id-not-found", "MQTT5-3.6.2-1", slug="pubrec-unknown", needs=["qos2"])
async def unknown_pubrec_is_answered(peer: Peer) -> None:
    """A PUBREC with an unknown Packet Identifier is not an error; the PUBREL that answers it has 0x92."""
    await peer.connect()
    await peer.send(Pubrec(999))
    await peer.quiet()
    reply = next((p for p in peer.inbox if isinstance(p, Pubrel)), None)
    peer.advise(reply is not None, "no PUBREL came", expected="PUBREL", seen="closed" if peer.closed else "nothing")
    assert reply is not None
    peer.equal(reply.packet_id, 999, "the Packet Identifier", proven=True)
    peer.check(
        reply.reason_code in (0, 0x92), "the Reason Code", expected="0x92", seen=hex(reply.reason_code), proven=True
    )


@case("MQTT5-4.3.3-4", "MQTT5-4.3.3-6", "X5-quota-ack", slug="pubrec-again", needs=["qos2"])
async def repeated_pubrec_is_answered(peer: Peer) -> None:
    """A second PUBREC for a message gets its PUBREL again, and the PUBCOMP still ends the exchange."""
    other = await pair(peer, 2, properties=ConnectProperties(receive_maximum=1))
    for payload in (b"one", b"two"):
        await other.publish(peer.topic(), payload, qos=2)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.send(Pubrec(message.packet_id))
    await peer.find(Pubrel, under=PUBREL)
    await peer.send(Pubrec(message.packet_id))
    again = await peer._next((Pubrel, Disconnect), 1.0)
    if again is not None and not isinstance(again, Pubrel):
        raise Inconclusive("a second PUBREC is refused", expected="PUBREL", seen=repr(again))
    peer.advise(again is not None, "the second PUBREC is not answered", expected="PUBREL", seen="nothing")
    assert again is not None
    peer.equal(
        (again.packet_id, again.reason_code), (message.packet_id, 0), "Packet Identifier and Reason Code", proven=True
    )
    await peer.send(Pubcomp(message.packet_id))
    (following,) = await peer.messages(1, under=("X5-quota-ack",))
    peer.equal([message.payload, following.payload], [b"one", b"two"], "the messages")


@case("MQTT5-4.3.2-3", "MQTT311-4.3.2-1", "X31-clean-session-unset", slug="wrong-ack", needs=["qos2", "session"])
async def wrong_acknowledgement_ends_no_qos1(peer: Peer) -> None:
    """A QoS 1 message stays unacknowledged until its PUBACK; on another acknowledgement the server may close."""
    for code in [0, 0x80] if peer.version == V5 else [0]:
        for packet in (Pubcomp(0), Pubrec(0, code)):
            await _wrong(peer, "puback", packet)


@case("MQTT5-4.3.3-3", "MQTT5-4.3.3-5", "MQTT311-4.3.3-1", "X31-clean-session-unset", slug="wrong-ack-qos2",
      needs=["qos2", "session"])  # fmt: skip
async def wrong_acknowledgement_ends_no_qos2(peer: Peer) -> None:
    """A QoS 2 message waits for its PUBREC, and its PUBREL for a PUBCOMP; on another one the server may close."""
    for code in [0, 0x80] if peer.version == V5 else [0]:
        await _wrong(peer, "pubrec", Pubcomp(0))
        await _wrong(peer, "pubrec", Puback(0, code))
        await _wrong(peer, "pubcomp", Puback(0, code))


async def _wrong(peer: Peer, awaited: str, packet: Puback | Pubrec | Pubcomp) -> None:
    """Send a wrong acknowledgement. The unacknowledged packet has to come again when the session is resumed."""
    other = await pair(peer, 2, expiry=60)
    await other.publish(peer.topic(), b"m", qos=1 if awaited == "puback" else 2)
    message = await peer.expect(Publish, under=DELIVERY)
    if awaited == "pubcomp":
        await peer.send(Pubrec(message.packet_id))
        await peer.expect(Pubrel, under=PUBREL)
    packet.packet_id = message.packet_id
    await peer.send(packet, b"\xc0\x00")
    await peer._wait(lambda: peer.closed or any(type(p).__name__ == "Pingresp" for p in peer.inbox), ANSWER)
    await resume(peer)
    say = f"what waits for a {awaited.upper()} again, which a {type(packet).__name__.upper()} did not end"
    kind = Pubrel if awaited == "pubcomp" else Publish
    try:
        again: Publish | Pubrel = await peer.again(kind, say=say)
    except Failed as failed:
        if failed.seen == show(None):
            await _sends_again(peer, awaited, failed)
        raise
    peer.equal(again.packet_id, message.packet_id, "the Packet Identifier", under=RESEND, proven=True)
    if isinstance(again, Publish):
        peer.equal(again.dup, True, "DUP", under=DUP, proven=True)
    await other.disconnect()
    await forget(peer)


async def _sends_again(peer: Peer, awaited: str, failed: Failed) -> None:
    """Blame the resending itself if nothing comes again even without a wrong acknowledgement."""
    await forget(peer)
    other = peer.another("control")
    await peer.connect(clean=peer.version == V5, expiry=60)
    await peer.subscribe(peer.topic(), qos=2)
    await other.connect()
    await other.publish(peer.topic(), b"control", qos=1 if awaited == "puback" else 2)
    message = await peer.expect(Publish, under=DELIVERY)
    if awaited == "pubcomp":
        await peer.send(Pubrec(message.packet_id))
        await peer.expect(Pubrel, under=PUBREL)
    await resume(peer)
    if await peer.comes(Pubrel if awaited == "pubcomp" else Publish):
        return
    if peer.version == V31:
        raise Inconclusive("nothing is sent again, without a wrong acknowledgement either", seen=failed.seen)
    raise peer.blame(RESEND, f"nothing is sent again at all: {failed.message}", expected=failed.expected,
                     seen=failed.seen)  # fmt: skip


@case("MQTT5-2.2.1-4", "X5-packet-id-single-set", "MQTT311-2.3.1-4", slug="unique-ids", needs=["qos2"])
async def identifiers_in_use_are_all_different(peer: Peer) -> None:
    """Messages in flight have different Packet Identifiers at any QoS; a released one may be used again."""
    other = await pair(peer, 2)
    in_use: dict[int, Publish] = {}
    for number in range(12):
        if number % 2:
            await other.send(Publish(peer.topic(), b"%d" % number, 1, packet_id=other.packet_id()))
        else:
            await other.publish(peer.topic(), b"%d" % number, qos=2)
        if in_use and not await peer.comes(Publish):
            raise Inconclusive(f"the broker has no more than {len(in_use)} messages in flight to a client")
        message = await peer.expect(Publish, under=DELIVERY)
        peer.check(
            message.packet_id not in in_use, "a Packet Identifier that is in use", seen=message.packet_id, proven=True
        )
        in_use[message.packet_id] = message
        if number % 5 == 4:
            await peer.acknowledge(in_use.pop(next(iter(in_use))))  # the oldest [MQTT5-4.6.0-2]


@case("X5-packet-id-independent", "MQTT311-4.3.3-1", "X311-packet-id-spaces", "X31-message-id-spaces",
      "X31-clean-session-unset", slug="same-ids", needs=["qos2"])  # fmt: skip
async def both_sides_may_use_one_identifier(peer: Peer) -> None:
    """The client's exchange continues beside an exchange of the server with the same Packet Identifier."""
    other = await pair(peer, 2)
    await other.publish(peer.topic(), b"down", qos=2)
    message = await peer.expect(Publish, under=DELIVERY)
    number = message.packet_id
    await peer.send(Publish(peer.topic("up"), b"up", 2, packet_id=number))
    reply = await peer.expect(Pubrec)
    peer.taken(reply)
    await peer.send(Pubrec(number))
    peer.equal((await peer.expect(Pubrel)).packet_id, number, "the Packet Identifier of the PUBREL", proven=True)
    await peer.send(Pubrel(number))
    peer.equal((await peer.expect(Pubcomp)).packet_id, number, "the Packet Identifier of the PUBCOMP", proven=True)
    await peer.send(Pubcomp(number))
    await peer.send(Publish(peer.topic("up"), b"up", 1, packet_id=number))
    peer.equal((await peer.expect(Puback)).packet_id, number, "the Packet Identifier of the PUBACK", proven=True)


@case("MQTT5-2.2.1-3", "X5-packet-id-in-use", "MQTT311-2.3.1-2", "X31-protocol-violation", slug="id-in-use",
      needs=["qos2"])  # fmt: skip
async def identifier_that_is_in_use(peer: Peer) -> None:
    """A QoS 1 PUBLISH or a SUBSCRIBE with the identifier of a QoS 2 exchange is refused, closed, or served.

    In any case it does not end the exchange of QoS 2.
    """
    other = await pair(peer, 2)
    await other.send(Publish(peer.topic(), b"two", 2, packet_id=7))
    peer.taken(await other.expect(Pubrec, under=PUBREC))
    await other.send(Publish(peer.topic(), b"one", 1, packet_id=7), Publish("$none/x", b"one", 1, packet_id=7))
    await other.send(Subscribe(7, [Subscription(peer.topic("x"))]), Pubrel(7))

    def answered(*kinds: type) -> int:
        return sum(isinstance(p, kinds) for p in other.inbox)

    await other._wait(lambda: other.closed or (answered(Pubcomp) > 0 and answered(Puback, Suback) > 2), ANSWER)
    if other.closed:
        peer.note("closes a connection that uses an identifier twice")
        return
    for packet in other.inbox:
        if isinstance(packet, (Puback, Suback)):
            codes = [packet.reason_code] if isinstance(packet, Puback) else packet.reason_codes
            refused = [hex(c) for c in codes if c >= 0x80]
            peer.check(all(c in KINDLY for c in refused), "the Reason Code", expected="0x91", seen=refused)
    if answered(Puback) != 2 or answered(Suback) != 1:
        raise Inconclusive(
            "the packet that uses the identifier again is not answered, which no rule for servers forbids"
        )
    end = next((p for p in other.inbox if isinstance(p, Pubcomp)), None)
    peer.check(end is not None and end.reason_code == 0, "the exchange does not end", expected="PUBCOMP 0x00",
               seen=repr(end))  # fmt: skip
    first = (await peer.messages(1))[0].payload
    if first != b"two":
        raise Inconclusive("the message that uses the identifier again is delivered, which no rule for servers forbids")


@case("X5-quota-ack", "MQTT5-4.4.0-2", "MQTT5-4.9.0-2", slug="quota-error-ack", needs=["qos1"])
async def refusing_puback_gives_quota_back(peer: Peer) -> None:
    """A PUBACK of 0x80 or above ends the delivery and makes room for the next message, like any other PUBACK."""
    other = await pair(peer, 1, properties=ConnectProperties(receive_maximum=1))
    for payload in (b"0", b"1", b"2"):
        await other.publish(peer.topic(), payload, qos=1)
    seen = []
    for number in range(3):
        (message,) = await peer.messages(1, acknowledge=False, under=() if number else DELIVERY)
        seen.append(message.payload)
        await peer.send(Puback(message.packet_id, 0x97))
    peer.equal(seen, [b"0", b"1", b"2"], "the messages")


@case("X5-quota-ceiling", "MQTT5-4.9.0-1", slug="quota-ceiling", needs=["qos2", "session"])
async def quota_stays_below_its_first_value(peer: Peer) -> None:
    """The PUBCOMP of a PUBREL that is sent again does not raise the send quota above the Receive Maximum."""
    other = await pair(peer, 2, expiry=60)
    await other.publish(peer.topic(), b"old", qos=2)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.send(Pubrec(message.packet_id))
    await peer.expect(Pubrel, under=PUBREL)
    await peer.drop()
    await come_back(peer, properties=ConnectProperties(receive_maximum=1))
    release = await peer.again(Pubrel, under=RESEND)
    await peer.send(Pubcomp(release.packet_id))
    await peer.barrier()
    for payload in (b"0", b"1"):
        await other.publish(peer.topic(), payload, qos=1)
    await peer.messages(1, acknowledge=False, under=DELIVERY)
    await peer.silent(proven=True)
    await forget(peer)


@case(
    "MQTT5-4.4.0-1",
    "X5-quota-reset",
    "MQTT5-4.3.2-3",
    "MQTT311-4.3.2-1",
    "MQTT5-3.3.1-1",
    "MQTT311-3.3.1-1",
    slug="resend-ends",
    needs=["qos1", "session"],
)
async def resent_message_is_ended_by_its_puback(peer: Peer) -> None:
    """The PUBACK of a message that was sent again completes it: later messages come, and it does not come again."""
    other = await pair(peer, 1, expiry=60)
    for payload in (b"0", b"1"):
        await other.publish(peer.topic(), payload, qos=1)
    await peer.messages(2, acknowledge=False, under=DELIVERY)
    await peer.drop()
    await come_back(peer, properties=ConnectProperties(receive_maximum=1))
    again = []
    for _ in range(2):
        again.append(await peer.again(Publish))
        await peer.send(Puback(again[-1].packet_id))
    peer.equal([m.payload for m in again], [b"0", b"1"], "the messages")
    peer.equal([m.dup for m in again], [True, True], "DUP", under=DUP, proven=True)
    await peer.barrier()
    await resume(peer)
    await peer.silent()
    await forget(peer)


@case("X5-qos0-no-response", "X311-qos0-no-retry", slug="qos0-once", needs=["session"])
async def qos0_is_sent_once(peer: Peer) -> None:
    """A QoS 0 message is not sent again, even on a resumed session."""
    other = await pair(peer, 0, expiry=60)
    await other.publish(peer.topic(), b"m")
    await peer.messages(1, under=DELIVERY)
    await peer.silent()
    await resume(peer)
    await peer.silent()
    await forget(peer)


@case("X311-clients-independent", "MQTT5-3.3.4-9", slug="independent", needs=["qos1"])
async def clients_do_not_wait_for_each_other(peer: Peer) -> None:
    """A client that acknowledges nothing does not delay messages to another client."""
    slow = await pair(peer, 1)
    await slow.subscribe(peer.topic(), qos=1)
    other = peer.another("other")
    await other.connect()
    for number in range(30):
        await other.publish(peer.topic(), b"%d" % number, qos=1)
        # One message at a time: messages queued for the acknowledging client are not the subject, and may come twice.
        message = await peer.find(Publish, where=lambda m, n=number: m.payload == b"%d" % n)  # type: ignore[misc]
        await peer.acknowledge(message)


@case("X5-negative-ack-alone", slug="refusal-alone", needs=["qos1"])
async def refused_message_touches_no_other(peer: Peer) -> None:
    """A message that is refused by its PUBACK does not affect the others in flight."""
    other = await pair(peer, 1)
    for payload in (b"0", b"1", b"2"):
        await other.publish(peer.topic(), payload, qos=1)
    some = await peer.messages(3, acknowledge=False, under=DELIVERY)
    await peer.send(Puback(some[0].packet_id, 0x83))
    await peer.silent(Disconnect)
    await peer.send(Puback(some[1].packet_id), Puback(some[2].packet_id))
    await other.publish(peer.topic(), b"3", qos=1)
    (message,) = await peer.messages(1)
    peer.equal(message.payload, b"3", "the message")


@case("MQTT5-4.3.3-9", "MQTT5-3.5.2-1", "MQTT5-4.3.3-8", slug="refused-id-is-free", needs=["qos2"])
async def refused_message_leaves_its_identifier_free(peer: Peer) -> None:
    """After a PUBREC of 0x80 or above the identifier is free: a message with it is new, not a repeat."""
    other = await pair(peer, 2)
    await other.send(Publish("$none/" + peer.topic(), b"refused", 2, packet_id=4))
    reply = await other.expect(Pubrec, or_closed=True)
    if not isinstance(reply, Pubrec) or reply.reason_code < 0x80:
        raise Inconclusive("the server takes a message to a topic that begins with $, or closes the connection")
    peer.refusal_code(reply.reason_code, 0x90, 0x87)
    await other.publish(peer.topic(), b"new", qos=2, packet_id=4)
    (message,) = await peer.messages(1)
    peer.equal(message.payload, b"new", "the message")


@case("MQTT311-3.3.5-2", "X31-publish-unauthorized", "X5-topic-authorization", slug="unauthorized-qos2",
      needs=["users", "qos2"])  # fmt: skip
async def unauthorized_qos2_publish(peer: Peer) -> None:
    """A QoS 2 PUBLISH that is not authorized is acknowledged, or the connection is closed; it is not delivered."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe("#")
    await peer.connect()
    topic = "denied/" + peer.topic()
    await peer.send(Publish(topic, b"m", 2, packet_id=1))
    reply = await peer.expect(Pubrec, or_closed=True)
    if isinstance(reply, Pubrec):
        peer.equal(reply.packet_id, 1, "the Packet Identifier", proven=True)
        if reply.reason_code < 0x80:
            await peer.send(Pubrel(1))
            peer.equal((await peer.expect(Pubcomp)).packet_id, 1, "the Packet Identifier", proven=True)
    await watcher.barrier()
    seen = [p.topic for p in watcher.inbox if isinstance(p, Publish) and p.topic == topic]
    peer.equal(seen, [], "what others got")
