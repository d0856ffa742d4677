# SPDX-License-Identifier: MIT
"""Chapters 1 and 2, and what every packet shows: identifiers, properties, aliases that the server chooses, sizes."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.peer import ANSWER, Peer
from mqtt_conformance.rules import DELIVERY, MALFORMED, PUBREL
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    ConnectProperties,
    Disconnect,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import V5


@case("MQTT5-2.2.1-2", "MQTT311-2.3.1-5", "MQTT5-1.5.5-1", slug="qos0-no-identifier")
async def qos0_carries_no_identifier(peer: Peer) -> None:
    """A QoS 0 message from the server has no Packet Identifier: its payload begins where the header ends."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    await peer.publish(peer.topic(), b"\x00\x01payload")
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.payload, b"\x00\x01payload", "the payload")


@case("MQTT5-2.2.2-1", slug="no-properties")
async def no_properties_is_a_length_of_zero(peer: Peer) -> None:
    """Packets of the server without properties have a Property Length of 0 where it must be present."""
    await peer.connect()
    await peer.subscribe(peer.topic())
    await peer.publish(peer.topic(), b"m")
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.payload, b"m", "the payload")
    await peer.unsubscribe(peer.topic())


@case("MQTT5-3.1.2-27", slug="no-aliases")
async def no_aliases_where_none_are_allowed(peer: Peer) -> None:
    """A client that allows no Topic Aliases gets none."""
    for properties in (None, ConnectProperties(topic_alias_maximum=0)):
        await peer.connect(properties=properties)
        name = peer.topic("long/enough/to/be/worth/an/alias")
        await peer.subscribe(name)
        for _ in range(3):
            await peer.publish(name, b"m")
        for message in await peer.messages(3, under=DELIVERY):
            alias = message.properties.topic_alias if message.properties else None
            peer.equal(alias, None, "the Topic Alias", proven=True)


@case("MQTT5-3.1.2-26", "MQTT5-3.3.2-11", "MQTT5-3.3.2-7", slug="aliases-in-range")
async def aliases_keep_to_the_maximum(peer: Peer) -> None:
    """Topic Aliases of the server are 1 to the client's maximum, defined before use, and new on each connection."""
    for limit in (1, 3):
        await peer.connect(properties=ConnectProperties(topic_alias_maximum=limit))
        names = [peer.topic(f"name/{n}") for n in range(5)]
        await peer.subscribe(*([peer.topic("#")] if peer.target.capabilities.wildcard else names))
        known: dict[int, str] = {}
        used = False
        for number in (0, 0, 1, 2, 3, 4, 0, 4):
            name = peer.topic(f"name/{number}")
            await peer.publish(name, b"%d" % number)
            (message,) = await peer.messages(1, under=DELIVERY)
            alias = message.properties.topic_alias if message.properties else None
            if alias is not None:
                used = True
                peer.check(1 <= alias <= limit, "the Topic Alias", expected=f"1 to {limit}", seen=alias, proven=True)
                if message.topic:
                    known[alias] = message.topic
            seen = message.topic or known.get(alias or 0, "nothing")
            peer.equal(seen, name, "the topic that the alias stands for", proven=True)
        peer.note("the server assigns Topic Aliases" if used else "the server assigns no Topic Aliases")


@case("MQTT5-3.6.2-2", "MQTT5-3.6.2-3", slug="small-pubrel", needs=["qos2"])
async def pubrel_fits_the_maximum_packet_size(peer: Peer) -> None:
    """A PUBREL has no Reason String or User Properties if they would exceed the client's Maximum Packet Size."""
    await peer.connect(properties=ConnectProperties(maximum_packet_size=60))
    await peer.subscribe(peer.topic(), qos=2)
    other = peer.another("publisher")
    await other.connect()
    await other.publish(peer.topic(), b"m", qos=2)
    message = await peer._next((Publish,), 3.0)
    if not isinstance(message, Publish):
        raise Inconclusive("the message does not fit")
    await peer.send(Pubrec(message.packet_id), Pubrec(999))
    releases = [await peer.find(Pubrel, under=PUBREL)]
    await peer.quiet()
    releases += [p for p in peer.inbox if isinstance(p, Pubrel)]
    for release in releases:
        peer.check(len(encode(V5, release)) <= 60, "the PUBREL is too large", seen=repr(release), proven=True)


@case(
    "MQTT5-3.14.2-2",
    "MQTT5-3.14.2-3",
    "MQTT5-3.14.2-4",
    "X5-disconnect-with-will-client",
    "MQTT5-3.14.2-1",
    slug="server-disconnect",
)
async def disconnect_of_the_server(peer: Peer) -> None:
    """A DISCONNECT of the server has no Session Expiry Interval and fits the client's Maximum Packet Size."""
    limit = 40
    await peer.connect(properties=ConnectProperties(maximum_packet_size=limit))
    await peer.send(b"\x00\x00")
    last = await peer.expect_closed(under=MALFORMED)
    if not isinstance(last, Disconnect):
        raise Inconclusive("closed without DISCONNECT, which the standard allows")
    peer.check(len(encode(V5, last)) <= limit, "the DISCONNECT is too large", seen=repr(last), proven=True)


@case("MQTT5-4.7.3-2", "MQTT311-4.7.3-2", slug="null-in-filter")
async def null_in_a_topic_filter(peer: Peer) -> None:
    """A Topic Filter with U+0000 is not served: the connection is closed, or the subscription is refused."""
    await peer.connect()
    raw = encode(peer.version, Subscribe(1, [Subscription("a/b/c")])).replace(b"a/b/c", b"a/\x00/c")
    await peer.send(raw)
    reply = await peer._next((Suback, Disconnect), ANSWER)
    if isinstance(reply, Suback):
        peer.check(reply.reason_codes[0] >= 0x80, "the subscription is granted", seen=repr(reply), proven=True)
    else:
        await peer.expect_closed()


@case("MQTT311-2.2.2-2", "MQTT311-4.8.0-1", slug="violation-closes")
async def violation_closes(peer: Peer) -> None:
    """A packet with invalid flags closes the connection it came on, and no other."""
    bystander = peer.another("bystander")
    await bystander.connect()
    await peer.connect()
    await peer.send(b"\xc1\x00")
    await peer.expect_closed()
    await bystander.served()


@case("MQTT5-4.13.1-1", "X5-error-other-sessions", "X5-closing-code-alone", slug="error-touches-no-other")
async def error_touches_no_other(peer: Peer) -> None:
    """A Malformed Packet closes the connection it came on, and no other."""
    bystander = peer.another("bystander")
    await bystander.connect()
    await peer.connect()
    await peer.send(b"\x00\x00")  # an unknown packet type
    await peer.expect_closed()
    await bystander.served()


@case("MQTT311-3.1.3-9", slug="refused-id")
async def refused_client_id_is_told(peer: Peer) -> None:
    """A refused Client Identifier gets a CONNACK with return code 0x02 and the close."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id="", clean=False))
    reply = await peer.expect(Connack)
    accepted = reply.reason_code == 0
    peer.check(not accepted, "the CONNECT is accepted", expected="CONNACK 0x02", seen=repr(reply),
               under=("MQTT311-3.1.3-8",))  # fmt: skip
    peer.equal(reply.reason_code, 2, "the return code")
    await peer.expect_closed()
