# SPDX-License-Identifier: MIT
"""Chapters 2.1.4, 2.2.2, 3.2.2.3 and 4.13: sizes, properties of the CONNACK, refusals and their Reason Codes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mqtt_conformance.case import add_case, case
from mqtt_conformance.peer import ANSWER, ClosedType, Peer
from mqtt_conformance.rules import CONNACK, DELIVERY, MALFORMED, PUBACK, SECOND_CONNECT, Rules
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Puback,
    Publish,
    PublishProperties,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from mqtt_ref.wire.primitives import V5, V31


@case("X5-packet-size-definition", "MQTT5-3.1.2-24", slug="exact-size")
async def packet_size_is_that_of_the_whole_packet(peer: Peer) -> None:
    """A message of exactly the client's Maximum Packet Size arrives; one byte more, and it does not arrive."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    other = peer.another("publisher")
    await other.connect()
    for payload in (b"x" * 30, b"x" * 300):
        await peer.connect()
        await peer.subscribe(peer.topic())
        await other.publish(peer.topic(), payload)
        (message,) = await peer.messages(1, under=DELIVERY)
        size = len(encode(V5, message))
        for limit, arrives in ((size, True), (size - 1, False)):
            await peer.connect(properties=ConnectProperties(maximum_packet_size=limit))
            await peer.subscribe(peer.topic())
            await other.publish(peer.topic(), payload)
            if arrives:
                await peer.messages(1)
            else:
                await peer.silent(under=("MQTT5-3.1.2-24",), proven=True)


@case("X5-maximum-packet-size-absent-connect", slug="no-size-limit")
async def no_limit_without_maximum_packet_size(peer: Peer) -> None:
    """A client that sets no Maximum Packet Size gets large messages."""
    size = 200_000
    limit = peer.target.capabilities.maximum_packet_size
    if limit and limit < size + 1000:
        size = max(1000, limit - 1000)
    await peer.connect()
    await peer.subscribe(peer.topic())
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"x" * size)
    await other.barrier()
    (message,) = await peer.messages(1)
    peer.equal(len(message.payload), size, "the size of the payload", proven=True)


CONNACK_ONCE = (
    "assigned_client_identifier", "maximum_qos", "response_information", "retain_available", "server_keep_alive",
    "server_reference", "shared_subscription_available", "subscription_identifier_available",
    "wildcard_subscription_available",
)  # fmt: skip
CONNACK_RANGE = (
    "maximum_qos", "retain_available", "shared_subscription_available", "subscription_identifier_available",
    "wildcard_subscription_available",
)  # fmt: skip


@case(*(f"X5-{name}-once" for name in CONNACK_ONCE), *(f"X5-{name}-range" for name in CONNACK_RANGE),
      slug="connack-properties")  # fmt: skip
async def properties_of_the_connack(peer: Peer) -> None:
    """Each property of a CONNACK occurs once, with an allowed value, whatever the client requested."""
    for packet in (
        peer.connect_packet(),
        peer.connect_packet(client_id=""),
        peer.connect_packet(keep_alive=0),
        peer.connect_packet(keep_alive=65_535),
        peer.connect_packet(properties=ConnectProperties(request_response_information=1)),
        peer.connect_packet(expiry=4_294_967_295),
        peer.connect_packet(clean=True, expiry=0),
    ):
        await peer.open()
        await peer.send(packet)
        await peer.expect(Connack, or_closed=True, under=CONNACK)


@case("X5-property-order-free", slug="property-order")
async def order_of_properties_does_not_matter(peer: Peer) -> None:
    """The properties of a PUBLISH are read in any order."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    name = peer.topic().encode()
    parts = [b"\x01\x01", b"\x02\x00\x00\x03\xe8", b"\x03\x00\x01t", b"\x08\x00\x01r", b"\x09\x00\x01c",
             b"\x26\x00\x01a\x00\x01b"]  # fmt: skip
    for ordered in (parts, parts[::-1], parts[3:] + parts[:3]):
        properties = b"".join(ordered)
        body = len(name).to_bytes(2, "big") + name + bytes([len(properties)]) + properties + b"m"
        await peer.send(bytes([0x30, len(body)]) + body)
        (message,) = await peer.messages(1)
        p = message.properties or PublishProperties()
        seen = (message.payload, p.payload_format_indicator, p.content_type, p.response_topic, p.correlation_data,
                p.user_property)  # fmt: skip
        peer.equal(seen, (b"m", 1, "t", "r", b"c", [("a", "b")]), "payload and properties", proven=True)


@case("X5-payload-format-zero", slug="payload-format-zero")
async def payload_format_zero_is_any_bytes(peer: Peer) -> None:
    """A payload that is not UTF-8 arrives with Payload Format Indicator 0, and without one."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    for properties in (PublishProperties(payload_format_indicator=0), None):
        await peer.publish(peer.topic(), b"\xff\xfe\x00\xc3(", properties=properties)
        (message,) = await peer.messages(1)
        peer.equal(message.payload, b"\xff\xfe\x00\xc3(", "the payload")


@case("X5-utf8-string-any-length", slug="long-strings")
async def strings_of_every_length(peer: Peer) -> None:
    """A User Property may be empty, or as long as a string can be."""
    limit = peer.target.capabilities.maximum_packet_size
    long = 65_535 if not limit or limit > 140_000 else 10
    await peer.connect()
    await peer.subscribe(peer.topic())
    pairs = [("", ""), ("a", "x" * long), ("y" * long, "")]
    await peer.publish(peer.topic(), b"m", properties=PublishProperties(user_property=list(pairs)))
    (message,) = await peer.messages(1)
    seen = message.properties.user_property if message.properties else []
    peer.check(
        seen == pairs, "the User Properties are not the same", seen=[(len(a), len(b)) for a, b in seen], proven=True
    )


@case("X5-topic-alias-unknown-empty", slug="alias-unknown", needs=["topic_alias"])
async def alias_that_was_never_set(peer: Peer) -> None:
    """An empty Topic Name with an unknown Topic Alias is a Protocol Error."""
    await peer.connect()
    await peer.send(Publish("", b"m", properties=PublishProperties(topic_alias=1)))
    last = await peer.expect_closed()
    peer.closing_code(last, 0x82, 0x94)


@case("X5-second-connect-code", "X5-error-server-disconnect", slug="errors-are-told")
async def errors_are_told(peer: Peer) -> None:
    """The server should send a DISCONNECT before it closes because of an error: 0x82 for a second CONNECT."""
    await peer.connect()
    await peer.send(peer.connect_packet())
    last = await peer.expect_closed(under=SECOND_CONNECT)
    fine = isinstance(last, Disconnect) and last.reason_code == 0x82
    peer.advise(fine, "a second CONNECT is not answered so", expected="DISCONNECT 0x82", seen=repr(last))
    await peer.connect()
    await peer.send(b"\x00\x00")
    last = await peer.expect_closed(under=MALFORMED)
    peer.advise(isinstance(last, Disconnect), "a malformed packet is not answered so", expected="DISCONNECT",
                seen=repr(last))  # fmt: skip


@case("X5-dollar-topic-clients", "X311-dollar-exchange", slug="dollar-exchange")
async def dollar_topics_are_not_for_clients(peer: Peer) -> None:
    """Clients should not be able to exchange messages on topics that begin with `$`."""
    await peer.connect()
    await peer.subscribe("$other/" + peer.topic())
    other = peer.another("publisher")
    await other.connect()
    await other.send(Publish("$other/" + peer.topic(), b"m"), Pingreq())
    await other._wait(lambda: other.closed or bool(other.inbox), ANSWER)
    await peer.silent()


@case("X5-topic-level-count", "X311-topic-levels-unlimited", slug="levels")
async def any_number_of_levels(peer: Peer) -> None:
    """A Topic Name with very many levels is served; a server may refuse it if it exceeds a limit of the server."""
    name = peer.topic("/".join("x" * 3000))
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription(name)]))
    reply = await peer.expect(Suback, or_closed=True) if peer.version != V5 else await peer._next(None, ANSWER)
    if not isinstance(reply, Suback) or reply.reason_codes[0] >= 0x80:
        if isinstance(reply, Disconnect) and reply.reason_code in (0x81, 0x82):
            peer.note("takes a Topic Filter of 3,000 levels for malformed")
        raise Inconclusive("the broker has its own limit for the number of levels")
    await peer._settle()
    await peer.publish(name, b"m")
    (message,) = await peer.messages(1)
    peer.equal(message.topic, name, "the Topic Name", proven=True)


@case("X311-topic-slash-only", "X5-topic-only-slash", slug="slash")
async def single_slash(peer: Peer) -> None:
    """A single slash is a valid Topic Name and a valid Topic Filter."""
    await peer.connect()
    await peer.subscribe("/")
    token = peer.topic().encode()
    await peer.publish("/", token)
    await peer.find(Publish, where=lambda m: m.topic == "/" and m.payload == token, say="the message to /")


@case("X5-maximum-qos-exceeded", "MQTT5-3.2.2-11", slug="above-maximum-qos", needs=["setting"],
      settings={"maximum_qos": 1})  # fmt: skip
async def publish_above_the_maximum_qos(peer: Peer) -> None:
    """A PUBLISH above the Maximum QoS closes the connection, with 0x9B if a DISCONNECT is sent."""
    await peer.connect()
    await peer.send(Publish(peer.topic(), b"m", 2, packet_id=1))
    await _refused(peer, 0x9B)


@case("MQTT5-3.2.2-12", slug="will-qos", needs=["setting"], settings={"maximum_qos": 1})
async def will_above_the_maximum_qos(peer: Peer) -> None:
    """A Will QoS above the server's Maximum QoS is refused with 0x9B."""
    await peer.open()
    await peer.send(peer.connect_packet(will=Will(peer.topic("w"), b"w", 2)))
    reply = await peer.expect_closed()
    if isinstance(reply, Connack):
        peer.refusal_code(reply.reason_code, 0x9B)


@case("MQTT5-3.2.2-13", slug="will-retain", needs=["setting"], settings={"retain_available": False})
async def will_retain_where_there_is_none(peer: Peer) -> None:
    """A Will Retain of 1 is refused with 0x9A if the server does not support retained messages."""
    await peer.open()
    await peer.send(peer.connect_packet(will=Will(peer.topic("w"), b"w", 0, True)))
    reply = await peer.expect_closed()
    if isinstance(reply, Connack):
        peer.refusal_code(reply.reason_code, 0x9A)


@case("MQTT5-3.2.2-9", slug="maximum-qos-told", needs=["setting"], settings={"maximum_qos": 1})
async def maximum_qos_is_told(peer: Peer) -> None:
    """A server that does not support QoS 2 states that in its CONNACK."""
    reply = await peer.connect()
    peer.equal(reply.properties.maximum_qos if reply.properties else None, 1, "Maximum QoS")


@case("MQTT5-3.2.2-10", slug="subscribe-above-maximum", needs=["setting"], settings={"maximum_qos": 0})
async def subscribe_above_the_maximum_qos(peer: Peer) -> None:
    """A SUBSCRIBE with QoS 2 is accepted by a server whose Maximum QoS is 0."""
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription(peer.topic(), 2)]))
    reply = await peer.expect(Suback)
    peer.equal(reply.reason_codes, [0], "the granted QoS")


@case("X5-retain-not-supported-protocol-error", "X5-retain-not-supported-disconnect", "MQTT5-3.2.2-14",
      slug="retain-not-supported", needs=["setting"], settings={"retain_available": False})  # fmt: skip
async def retain_where_there_is_none(peer: Peer) -> None:
    """A PUBLISH with RETAIN 1 closes the connection, with 0x9A, if retained messages are not supported."""
    await peer.connect()
    await peer.send(Publish(peer.topic(), b"m", retain=True))
    last = await _refused(peer, 0x9A)
    peer.advise(isinstance(last, Disconnect), "no DISCONNECT came", expected="DISCONNECT 0x9A", seen=repr(last))


@case("X5-wildcard-not-supported", slug="wildcard-not-supported", needs=["setting"],
      settings={"wildcard_sub_available": False})  # fmt: skip
async def wildcard_where_there_is_none(peer: Peer) -> None:
    """A Wildcard Subscription closes the connection with 0xA2, or is refused with it, if the server supports none."""
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription(peer.topic("#"))]))
    await _refused(peer, 0xA2)


@case("X5-shared-not-supported", slug="shared-not-supported", needs=["setting"],
      settings={"shared_sub_available": False})  # fmt: skip
async def shared_where_there_is_none(peer: Peer) -> None:
    """A Shared Subscription closes the connection with 0x9E, or is refused with it, if the server supports none."""
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription(f"$share/g/{peer.topic()}")]))
    await _refused(peer, 0x9E)


@case("X5-packet-too-large-server", "MQTT5-3.2.2-15", slug="too-large", needs=["setting"],
      settings={"maximum_packet_size": 1000})  # fmt: skip
async def packet_above_the_servers_limit(peer: Peer) -> None:
    """A packet above the server's Maximum Packet Size closes the connection, with 0x95 if a DISCONNECT is sent."""
    await peer.connect()
    await peer.publish(peer.topic(), b"x" * 900)
    await peer.barrier()
    await peer.send(encode(V5, Publish(peer.topic(), b"x" * 1000)))
    await _refused(peer, 0x95)


async def _refused(peer: Peer, code: int) -> object:
    reply = await peer._next((Suback, Disconnect), ANSWER)
    if isinstance(reply, Suback):
        peer.refusal_code(reply.reason_codes[0], code)
        return reply
    if reply is None:
        peer.check(False, "the broker has to close the connection", expected=hex(code), seen="nothing")
    peer.closing_code(reply, code)
    await peer.expect_closed()
    return reply


@case("X31-subscribe-unauthorized", "X31-suback-codes", "X311-suback-failure", "X5-topic-authorization",
      slug="subscribe-denied", needs=["users"])  # fmt: skip
async def unauthorized_subscription_is_answered(peer: Peer) -> None:
    """A SUBSCRIBE that is not authorized gets a SUBACK with a refusal; 3.1 has no refusal code."""
    await peer.connect()
    await peer.send(Subscribe(1, [Subscription("denied/topic")]))
    reply = await peer.expect(Suback, or_closed=True)
    if isinstance(reply, ClosedType):
        raise Inconclusive("an unauthorized SUBSCRIBE closes the connection")
    (code,) = reply.reason_codes
    fits = code <= 2 if peer.version == V31 else code == 0x80 if peer.version != V5 else code >= 0x80
    peer.check(fits, "the code of the SUBACK", expected="0x87, 0x80 in 3.1.1, granted in 3.1", seen=hex(code))


@case("MQTT5-3.4.2-1", "X5-puback-no-subscribers-server", "MQTT311-4.3.2-2", slug="puback-code", needs=["qos1"])
async def puback_says_what_happened(peer: Peer) -> None:
    """A message that has subscribers is acknowledged with 0x00; 0x10 is for messages that have none."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    await peer.send(Publish(peer.topic(), b"m", 1, packet_id=1))
    reply = await peer.find(Puback, under=PUBACK)
    peer.taken(reply)
    peer.equal(reply.reason_code, 0, "the Reason Code of a message that has a subscriber")
    await peer.send(Publish(peer.topic("nobody"), b"m", 1, packet_id=2))
    reply = await peer.find(Puback, under=PUBACK)
    peer.taken(reply)
    peer.check(
        reply.reason_code in (0, 0x10),
        "the Reason Code",
        expected="0x00 or 0x10",
        seen=hex(reply.reason_code),
        proven=True,
    )


# ---------------------------------------------------------------- byte by byte

WRONG = [
    ("X5-publish-qos-malformed MQTT311-3.3.1-4", "publish-qos-3", "36 07 0001 74 0001 00 6d",
     "A PUBLISH with both QoS bits set is malformed."),
    ("X5-subscribe-empty-payload MQTT311-3.8.3-3", "subscribe-nothing", "82 03 0001 00",
     "A SUBSCRIBE without Topic Filters is a Protocol Error."),
    ("X5-unsubscribe-empty-payload MQTT311-3.10.3-2", "unsubscribe-nothing", "a2 03 0001 00",
     "An UNSUBSCRIBE without Topic Filters is a Protocol Error."),
    ("X5-string-pair-malformed", "string-pair", "30 0e 0001 74 09 26 0002 c328 0002 6162 6d",
     "A User Property whose name is not UTF-8 makes its packet malformed."),
    ("X5-utf8-ill-formed-malformed MQTT311-1.5.3-1", "ill-formed", "30 06 0002 c328 00 6d",
     "A Topic Name that is not UTF-8 makes its packet malformed."),
    ("X5-utf8-null-malformed MQTT311-1.5.3-2", "null", "30 07 0003 610062 00 6d",
     "A Topic Name with U+0000 makes its packet malformed."),
    ("X5-fixed-header-flags-malformed MQTT311-2.2.2-2", "flags", "80 07 0001 00 0001 61 00",
     "A SUBSCRIBE whose reserved flags are wrong is malformed."),
    ("X5-error-generic-codes MQTT311-4.8.0-1", "no-such-packet", "00 00",
     "A packet type that does not exist is malformed."),
    ("X5-closing-code-alone", "closing-code", "f0 02 18 00", "A misplaced AUTH ends only its own connection."),
]  # fmt: skip
"""Statements, slug, what is sent on an accepted connection, and why it is wrong."""


def _wrong(data: bytes, under: Rules) -> Callable[[Peer], Awaitable[None]]:
    async def body(peer: Peer) -> None:
        bystander = peer.another("bystander")
        await bystander.connect()
        await peer.connect()
        await peer.send(data)
        last = await peer.expect_closed(under=under)
        peer.closing_code(last, 0x81, 0x82)
        await bystander.served()

    return body


def _without_properties(data: bytes) -> bytes:
    """Return the same packet for 3.1.1, without its Property Length: the last zero byte before the payload."""
    at = {3: 4 + int.from_bytes(data[2:4], "big"), 8: 4, 10: 4}.get(data[0] >> 4, 0)
    return data[:1] + bytes([data[1] - 1]) + data[2:at] + data[at + 1 :] if at else data


for statements, slug, sent, why in WRONG:
    raw = bytes.fromhex(sent)
    if raw[0] >> 4 == Publish.TYPE and raw[0] & 6:
        older = raw[:1] + bytes([raw[1] - 1]) + raw[2:7] + raw[8:]
    else:
        older = _without_properties(raw)
    for prefixes, data in ((("MQTT5", "X5"), raw), (("MQTT311", "X311"), older)):
        cited = [s for s in statements.split() if s.startswith(prefixes)]
        if cited:
            under = MALFORMED if slug == "closing-code" else ()
            add_case(
                _wrong(data, under), why + " The connection is closed, and no other.", *cited, slug=f"wrong-{slug}"
            )


@case("X5-will-qos-malformed", "MQTT311-3.1.2-14", slug="will-qos-3")
async def will_qos_3(peer: Peer) -> None:
    """A CONNECT with Will QoS 3 is not accepted."""
    packet = bytearray(encode(peer.version, peer.connect_packet(will=Will(peer.topic("w"), b"w"))))
    packet[packet.index(b"MQTT") + 5] |= 0x18
    await peer.open()
    await peer.send(bytes(packet))
    reply = await peer.expect_closed()
    if isinstance(reply, Connack):
        peer.check(reply.reason_code != 0, "the CONNECT is accepted", proven=True)
