# SPDX-License-Identifier: MIT
"""Chapters 3.8 to 3.12: SUBSCRIBE, UNSUBSCRIBE, their answers, retained messages on subscribing, PINGREQ."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.peer import Peer
from mqtt_conformance.rules import DELIVERY, PUBACK, RETAINED, SUBACK
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import V5


async def retain(peer: Peer, *names: str, qos: int | None = None) -> None:
    """Connect, and publish a retained message on each of the peer's topics.

    Uses QoS 1 if the broker supports it, because a server may discard retained messages of QoS 0.
    """
    await peer.connect()
    if qos is None:
        qos = min(1, peer.target.capabilities.maximum_qos)
    for name in names or ("t",):
        await peer.publish(peer.topic(name), name.encode(), qos=qos, retain=True)
    await peer.barrier()


@case("MQTT5-3.8.4-1", "MQTT311-3.8.4-1", "MQTT5-3.8.4-2", "MQTT311-3.8.4-2", "MQTT5-2.2.1-6", "MQTT311-2.3.1-7",
      slug="suback")  # fmt: skip
async def subscribe_is_answered(peer: Peer) -> None:
    """A SUBSCRIBE gets a SUBACK with its Packet Identifier."""
    await peer.connect()
    for number in (1, 65_535, 77):
        await peer.send(Subscribe(number, [Subscription(peer.topic())]))
        peer.equal((await peer.expect(Suback)).packet_id, number, "the Packet Identifier", proven=True)


@case("MQTT5-3.8.4-5", "MQTT311-3.8.4-4", "MQTT5-3.8.4-6", "MQTT311-3.8.4-5", "MQTT5-3.9.3-1", "MQTT311-3.9.3-1",
      "MQTT5-3.9.3-2", "MQTT311-3.9.3-2", "X31-suback-codes", "MQTT5-3.8.4-7", slug="several-filters")  # fmt: skip
async def every_filter_has_a_code(peer: Peer) -> None:
    """A SUBSCRIBE with several Topic Filters is handled like several SUBSCRIBEs, with one code for each, in order."""
    await peer.connect()
    filters = [Subscription(peer.topic(str(n)), n % 3) for n in range(6)]
    await peer.send(Subscribe(1, filters))
    reply = await peer.expect(Suback, under=SUBACK)
    peer.equal(len(reply.reason_codes), 6, "the number of codes", proven=True)
    for wanted, code in zip(filters, reply.reason_codes, strict=True):
        peer.check(
            code <= wanted.qos or code >= 0x80,
            "a code out of order",
            expected=f"<= {wanted.qos}",
            seen=code,
            proven=True,
        )
    granted = [one.topic_filter for one, code in zip(filters, reply.reason_codes, strict=True) if code < 0x80]
    if not granted:
        raise Inconclusive("all of the subscriptions are refused", seen=repr(reply))
    await peer.publish(granted[-1], b"m")
    await peer.messages(1)


@case("MQTT5-3.8.4-7", "MQTT311-3.8.4-5", "X311-suback-granted", slug="granted")
async def granted_qos_is_told(peer: Peer) -> None:
    """The code of a subscription is the granted QoS, at most the requested one."""
    await peer.connect()
    for qos in (0, 1, 2):
        await peer.send(Subscribe(peer.packet_id(), [Subscription(peer.topic(f"g{qos}"), qos)]))
        reply = await peer.expect(Suback, under=SUBACK)
        if reply.reason_codes[0] >= 0x80:
            raise Inconclusive("the subscription is refused", seen=repr(reply))
        peer.check(
            reply.reason_codes[0] <= qos,
            "more than requested",
            expected=f"<= {qos}",
            seen=reply.reason_codes,
            proven=True,
        )


@case("MQTT5-3.8.4-3", "MQTT311-3.8.4-3", slug="replaced", needs=["qos1"])
async def same_filter_replaces_the_subscription(peer: Peer) -> None:
    """A second SUBSCRIBE with the same Topic Filter replaces the subscription: one copy, at the new QoS."""
    await peer.connect()
    await peer.subscribe(peer.topic(), qos=1)
    await peer.subscribe(peer.topic(), qos=0)
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m", qos=1)
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.qos, 0, "the QoS")
    await peer.silent()


@case("MQTT5-3.8.4-4", "MQTT311-3.8.4-3", slug="replaced-retained", needs=["retain"])
async def replacing_sends_retained_messages_again(peer: Peer) -> None:
    """A repeated subscription gets the retained messages again (Retain Handling 0)."""
    await retain(peer)
    for number in range(2):
        await peer.subscribe(peer.topic())
        (message,) = await peer.messages(1, under=() if number else RETAINED)
        peer.equal((message.payload, message.retain), (b"t", True), "payload and RETAIN")


@case("MQTT5-3.8.4-4", "MQTT311-3.8.4-3", slug="replaced-nothing-lost", needs=["qos1"])
async def replacing_loses_nothing(peer: Peer) -> None:
    """No message is lost while a subscription is replaced."""
    await peer.connect()
    await peer.subscribe(peer.topic(), qos=1)
    wanted = [b"%d" % n for n in range(min(20, peer.target.capabilities.receive_maximum))]
    for n, payload in enumerate(wanted):
        await peer.send(Publish(peer.topic(), payload, 1, packet_id=100 + n))
        if n % 5 == 0:
            await peer.send(Subscribe(200 + n, [Subscription(peer.topic(), 1)]))
    for n in range(len(wanted)):
        reply = await peer.find(Puback, where=lambda p, n=n: p.packet_id == 100 + n, under=PUBACK)  # type: ignore[misc]
        peer.taken(reply)
    seen = [m.payload for m in await peer.messages(len(wanted))]
    peer.equal(seen, wanted, "the messages")


@case("MQTT5-3.8.3-3", slug="no-local")
async def no_local(peer: Peer) -> None:
    """With No Local 1 a client does not get its own messages, but gets those of other clients."""
    await peer.connect()
    await peer.subscribe(Subscription(peer.topic(), no_local=True))
    await peer.publish(peer.topic(), b"own")
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"other")
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.payload, b"other", "the message")
    await peer.silent()


@case("X5-message-to-every-match", slug="local-without-the-option")
async def own_messages_without_no_local(peer: Peer) -> None:
    """With No Local 0 a client gets its own messages."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    await peer.publish(peer.topic(), b"own")
    await peer.messages(1)


@case("X5-message-to-every-match", "MQTT5-3.3.4-2", slug="no-local-one-of-two", needs=["wildcard"])
async def no_local_of_one_filter(peer: Peer) -> None:
    """No Local of one subscription does not affect the client's other subscriptions."""
    await peer.connect()
    await peer.subscribe(Subscription(peer.topic("a/#"), no_local=True), Subscription(peer.topic("a/b")))
    await peer.publish(peer.topic("a/b"), b"own")
    (message,) = await peer.messages(1, under=("MQTT5-3.3.4-2",))
    peer.equal(message.payload, b"own", "the message")
    await peer.silent()


@case("MQTT5-3.3.1-9", "MQTT311-3.3.1-6", "MQTT311-3.3.1-8", "X5-retained-retain-flag", "X5-subscription-created",
      "X5-retain-available-absent", "X311-new-subscription-retained", "X31-retain-new-subscription", slug="retained",
      needs=["retain", "wildcard"])  # fmt: skip
async def retained_message_on_subscribing(peer: Peer) -> None:
    """A new subscription gets the retained message of each matching topic, with RETAIN 1."""
    await retain(peer, "a/1", "a/2", "b/1")
    await peer.subscribe(peer.topic("a/+"))
    seen = sorted((m.topic, m.payload, m.retain) for m in await peer.messages(2))
    wanted = [(peer.topic("a/1"), b"a/1", True), (peer.topic("a/2"), b"a/2", True)]
    peer.equal(seen, wanted, "the retained messages")
    await peer.silent()
    await peer.publish(peer.topic("a/live"), b"live")
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal((message.payload, message.retain), (b"live", False), "what is published later")


@case("MQTT5-3.3.1-5", "MQTT311-3.3.1-5", slug="retained-replaced", needs=["retain"])
async def retained_message_is_replaced(peer: Peer) -> None:
    """A new retained message of a topic replaces the old one."""
    await peer.connect()
    qos = min(1, peer.target.capabilities.maximum_qos)
    for payload in (b"old", b"new"):
        await peer.publish(peer.topic(), payload, qos=qos, retain=True)
    await peer.barrier()
    await peer.subscribe(peer.topic())
    (message,) = await peer.messages(1, under=RETAINED)
    peer.equal(message.payload, b"new", "the payload")
    await peer.silent()


@case("MQTT311-3.3.1-7", slug="retained-qos0-replaces", needs=["retain", "qos1"])
async def retained_qos0_replaces(peer: Peer) -> None:
    """A retained QoS 0 message discards the previous retained message of any QoS."""
    await retain(peer, qos=1)
    await peer.publish(peer.topic(), b"new", retain=True)
    await peer.barrier()
    await peer.subscribe(peer.topic(), qos=1)
    await peer.barrier()
    message = await peer._next((Publish,), 0.3)
    if isinstance(message, Publish):
        peer.equal(message.payload, b"new", "the payload")


@case("MQTT5-3.3.1-6", "MQTT311-3.3.1-10", "MQTT5-3.3.1-7", "MQTT311-3.3.1-11", "X311-retain-empty-live",
      slug="retained-removed", needs=["retain"])  # fmt: skip
async def empty_payload_removes_the_retained_message(peer: Peer) -> None:
    """An empty payload with RETAIN 1 removes the retained message, is not stored itself, and is still delivered."""
    await retain(peer)
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic())
    await watcher.messages(1, under=RETAINED)
    await peer.publish(peer.topic(), b"", retain=True)
    (message,) = await watcher.messages(1)
    peer.equal((message.payload, message.retain), (b"", False), "what is delivered, and its RETAIN")
    await peer.barrier()
    await peer.subscribe(peer.topic())
    await peer.silent()


@case("MQTT5-3.3.1-8", "MQTT311-3.3.1-12", slug="not-retained", needs=["retain"])
async def retain_0_changes_nothing(peer: Peer) -> None:
    """A message with RETAIN 0 neither becomes a retained message nor removes one, even with an empty payload."""
    await retain(peer)
    await peer.publish(peer.topic(), b"live")
    await peer.publish(peer.topic(), b"")
    await peer.barrier()
    await peer.subscribe(peer.topic())
    (message,) = await peer.messages(1)
    peer.equal(message.payload, b"t", "the payload")
    await peer.silent()


@case("MQTT5-3.3.1-10", slug="retain-handling-1", needs=["retain"])
async def retain_handling_1(peer: Peer) -> None:
    """Retain Handling 1 brings retained messages for a new subscription only."""
    await retain(peer)
    wanted = Subscription(peer.topic(), retain_handling=1)
    await peer.subscribe(wanted)
    await peer.messages(1)
    again = Subscription(peer.topic(), min(1, peer.target.capabilities.maximum_qos), retain_handling=1)
    await peer.subscribe(again)
    await peer.silent()
    await peer.publish(peer.topic(), b"live", qos=again.qos)
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal((message.payload, message.qos), (b"live", again.qos), "what is published later, and its QoS")
    await peer.unsubscribe(peer.topic())
    await peer.subscribe(wanted)
    await peer.messages(1)


@case("MQTT5-3.3.1-10", slug="retain-handling-1-resumed", needs=["retain", "session"])
async def retain_handling_1_on_a_resumed_session(peer: Peer) -> None:
    """Retain Handling 1 brings nothing for a subscription that a resumed session already has."""
    await retain(peer)
    keeper = peer.another("keeper")
    await keeper.connect(clean=True, expiry=60)
    await keeper.subscribe(Subscription(peer.topic(), retain_handling=1))
    await keeper.messages(1)
    await keeper.disconnect()
    reply = await keeper.connect(clean=False, expiry=0)
    if not reply.session_present:
        raise Inconclusive("the session was not kept")
    await keeper.subscribe(Subscription(peer.topic(), retain_handling=1))
    await keeper.silent()


@case("MQTT5-3.3.1-11", slug="retain-handling-2", needs=["retain", "qos1"])
async def retain_handling_2(peer: Peer) -> None:
    """Retain Handling 2 brings no retained messages."""
    await retain(peer)
    for qos in (0, 1):
        await peer.subscribe(Subscription(peer.topic(), qos, retain_handling=2))
        await peer.silent()
        await peer.publish(peer.topic(), b"live", qos=1)
        (message,) = await peer.messages(1, under=DELIVERY)
        peer.equal((message.payload, message.qos), (b"live", qos), "what is published later, and its QoS")


@case("MQTT5-3.8.4-8", "MQTT311-3.8.4-6", slug="retained-qos", needs=["retain", "qos1"])
async def retained_message_at_the_granted_qos(peer: Peer) -> None:
    """A retained message is sent at the lower of its own QoS and the granted QoS."""
    await retain(peer, "t", qos=1)
    for granted in (0, 1):
        await peer.subscribe(peer.topic(), qos=granted)
        (message,) = await peer.messages(1, under=RETAINED)
        peer.equal(message.qos, granted, "the QoS")


@case("MQTT5-3.3.1-9", "X5-retained-on-subscribe", slug="retained-not-on-resume", needs=["retain", "session"])
async def retained_messages_are_not_sent_on_resuming(peer: Peer) -> None:
    """Resuming a session brings no retained messages: only a SUBSCRIBE does."""
    await retain(peer)
    keeper = peer.another("keeper")
    await keeper.connect(clean=True, expiry=60)
    await keeper.subscribe(peer.topic())
    await keeper.messages(1)
    await keeper.disconnect()
    await keeper.connect(clean=False, expiry=0)
    await keeper.silent()


@case("MQTT5-3.10.4-4", "MQTT311-3.10.4-4", "MQTT5-3.10.4-5", "MQTT311-3.10.4-5", "MQTT5-2.2.1-6", "MQTT311-2.3.1-7",
      "X311-unsuback-no-payload", "X31-unsuback-no-payload", slug="unsuback")  # fmt: skip
async def unsubscribe_is_answered(peer: Peer) -> None:
    """An UNSUBSCRIBE gets an UNSUBACK with its Packet Identifier, even without a subscription."""
    await peer.connect()
    for number in (1, 65_535):
        await peer.send(Unsubscribe(number, [peer.topic("never")]))
        peer.equal((await peer.expect(Unsuback)).packet_id, number, "the Packet Identifier", proven=True)


@case(
    "MQTT5-3.11.3-1",
    "MQTT5-3.11.3-2",
    "MQTT5-3.10.4-6",
    "X5-unsuback-no-subscription",
    "X5-unsuback-reason-codes",
    "MQTT5-3.10.4-1",
    "MQTT5-3.10.4-2",
    "MQTT5-3.10.4-5",
    slug="unsuback-codes",
)
async def every_unsubscribed_filter_has_a_code(peer: Peer) -> None:
    """An UNSUBACK has one Reason Code for each Topic Filter, in order: 0x00 for deleted, 0x11 for no subscription."""
    await peer.connect()
    await peer.subscribe(peer.topic("a"), peer.topic("c"))
    reply = await peer.unsubscribe(peer.topic("a"), peer.topic("b"), peer.topic("c"))
    peer.equal(reply.reason_codes, [0, 0x11, 0], "the Reason Codes")


@case("MQTT5-3.10.4-1", "MQTT311-3.10.4-1", "MQTT5-3.10.4-2", "MQTT311-3.10.4-2", slug="unsubscribed")
async def unsubscribing_ends_delivery(peer: Peer) -> None:
    """After an UNSUBSCRIBE no new messages are added for the client."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    await peer.unsubscribe(peer.topic())
    await peer.publish(peer.topic(), b"m")
    await peer.silent()


@case("MQTT5-3.10.4-1", "MQTT311-3.10.4-1", "X5-unsubscribe-no-match", slug="unsubscribed-exactly", needs=["wildcard"])
async def filters_are_compared_character_by_character(peer: Peer) -> None:
    """Only an identical Topic Filter is deleted, not one that matches the same topics."""
    await peer.connect()
    await peer.subscribe(peer.topic("a/+"))
    await peer.unsubscribe(peer.topic("a/b"), peer.topic("a/#"), peer.topic("+/+"), peer.topic("A/+"))
    await peer.publish(peer.topic("a/b"), b"m")
    await peer.messages(1)


@case("MQTT5-3.10.4-6", "MQTT311-3.10.4-6", slug="unsubscribed-several")
async def several_filters_are_unsubscribed(peer: Peer) -> None:
    """An UNSUBSCRIBE with several Topic Filters deletes them all and gets one UNSUBACK."""
    await peer.connect()
    names = ["a", "b", "c"]
    await peer.subscribe(*(peer.topic(n) for n in names))
    await peer.unsubscribe(*(peer.topic(n) for n in names))
    for name in names:
        await peer.publish(peer.topic(name), b"m")
    await peer.silent()
    await peer.silent(Unsuback, proven=True)


@case("MQTT5-3.10.4-3", "MQTT311-3.10.4-3", slug="unsubscribed-in-flight", needs=["qos1", "session"])
async def delivery_under_way_is_finished(peer: Peer) -> None:
    """A QoS 1 message that was sent before the UNSUBSCRIBE is completed: it is sent again after a resume."""
    await peer.connect(clean=False, expiry=60)
    await peer.subscribe(peer.topic(), qos=1)
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m", qos=1)
    message = await peer.expect(Publish, under=DELIVERY)
    await peer.unsubscribe(peer.topic())
    await peer.drop()
    reply = await peer.connect(clean=False, expiry=60)
    if not reply.session_present:
        raise Inconclusive("the session was not kept")
    again = await peer.again(Publish)
    peer.equal(again.packet_id, message.packet_id, "the Packet Identifier", proven=True)
    await peer.send(Puback(again.packet_id))
    await peer.connect(clean=True)


@case("MQTT5-3.12.4-1", "MQTT311-3.12.4-1", slug="pingresp")
async def pingreq_is_answered(peer: Peer) -> None:
    """Each PINGREQ gets one PINGRESP."""
    await peer.connect()
    await peer.send(Pingreq(), Pingreq(), Pingreq())
    for _ in range(3):
        await peer.expect(Pingresp)


@case("MQTT5-3.9.2-1", "MQTT5-3.9.2-2", "MQTT5-3.11.2-1", "MQTT5-3.11.2-2", "MQTT5-3.4.2-2", "MQTT5-3.4.2-3",
      "MQTT5-3.5.2-2", "MQTT5-3.5.2-3", "MQTT5-3.7.2-2", "MQTT5-3.7.2-3",
      slug="small-answers", needs=["qos2"])  # fmt: skip
async def answers_fit_the_maximum_packet_size(peer: Peer) -> None:
    """Answers have no Reason String or User Properties if they would exceed the client's Maximum Packet Size."""
    from mqtt_ref.wire.fast import encode

    limit = 30
    await peer.connect(properties=ConnectProperties(maximum_packet_size=limit))
    await peer.send(
        Subscribe(1, [Subscription("x/" * 40 + "y")]), Unsubscribe(2, [peer.topic("never")]),
        Publish("nobody/" + peer.topic(), b"", 1, packet_id=3), Publish("nobody/" + peer.topic(), b"", 2, packet_id=4),
        b"\x62\x02\x00\x63",
    )  # fmt: skip
    await peer.quiet()
    for packet in peer.inbox:
        if not isinstance(packet, tuple):
            size = len(encode(V5, packet))
            peer.check(
                size <= limit, "an answer is too large", expected=f"{limit} bytes", seen=repr(packet), proven=True
            )


@case("MQTT5-3.1.2-29", slug="no-problem-information", needs=["qos2"])
async def no_problem_information(peer: Peer) -> None:
    """With Request Problem Information 0, Reason Strings and User Properties come only where they are still allowed."""
    await peer.connect(properties=ConnectProperties(request_problem_information=0))
    await peer.send(
        Subscribe(1, [Subscription(peer.topic()), Subscription("$SYS/none"), Subscription("a/b")]),
        Unsubscribe(2, [peer.topic("never")]),
        Publish("nobody/" + peer.topic(), b"", 1, packet_id=3),
        Publish("nobody/" + peer.topic(), b"", 2, packet_id=4),
        b"\x62\x02\x00\x63",
    )
    await peer.quiet()
    for packet in peer.inbox:
        if isinstance(packet, (Publish, Disconnect, tuple)):
            continue
        properties = getattr(packet, "properties", None)
        if properties is not None:
            text = properties.reason_string is not None or properties.user_property
            peer.check(
                not text, "a Reason String or User Property came", expected="none", seen=repr(packet), proven=True
            )


@case("MQTT311-3.8.3-2", "X5-wildcard-refused-suback", slug="wildcard-refused", needs=["setting"],
      settings={"wildcard_sub_available": False})  # fmt: skip
async def wildcards_are_refused_where_not_supported(peer: Peer) -> None:
    """A server that does not support wildcard subscriptions refuses them, by a code or by a close."""
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription(peer.topic("#"))]))
    reply = await peer.expect(Suback, or_closed=True)
    if isinstance(reply, Suback):
        peer.check(reply.reason_codes[0] >= 0x80, "the subscription is granted", seen=reply.reason_codes)


@case("X5-subscription-identifier-not-supported", slug="identifiers-not-supported", needs=["setting"],
      settings={"sub_id_available": False})  # fmt: skip
async def identifiers_are_refused_where_not_supported(peer: Peer) -> None:
    """A server that does not support Subscription Identifiers refuses one with 0xA1."""
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription(peer.topic())], SubscribeProperties(subscription_identifier=3)))
    last = await peer.expect_closed()
    peer.closing_code(last, 0xA1)
