# SPDX-License-Identifier: MIT
"""Chapters 3.1 and 3.2: CONNECT, CONNACK, Client Identifiers, and which client stays connected."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.credentials import refusals
from mqtt_conformance.peer import ANSWER, ClosedType, Peer
from mqtt_conformance.rules import CONNACK, DELIVERY, Rules
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import V5, V31
from mqtt_ref.wire.violation import Violation

REFUSED = ("MQTT5-3.2.2-6", "MQTT311-3.2.2-4")
"""The rule that a CONNACK breaks if it refuses a connection with Session Present 1. The decoder rejects it."""
CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def with_level(peer: Peer, level: int) -> bytes:
    """Return a legal CONNECT with another byte as its protocol version."""
    raw = bytearray(encode(peer.version, peer.connect_packet()))
    raw[raw.index(b"MQTT") + 4 if b"MQTT" in raw else raw.index(b"MQIsdp") + 6] = level
    return bytes(raw)


@case(
    "MQTT5-3.1.0-1",
    "MQTT311-3.1.0-1",
    "X5-first-packet-not-connect",
    "X31-protocol-violation",
    slug="first-packet-pingreq",
)
async def first_packet_pingreq(peer: Peer) -> None:
    """A connection whose first packet is a PINGREQ is closed, and the PINGREQ is not answered."""
    await peer.open()
    await peer.send(Pingreq())
    await peer.expect_closed()


@case("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", slug="first-packet-publish")
async def first_packet_publish(peer: Peer) -> None:
    """A PUBLISH before any CONNECT closes the connection and is not delivered."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic())
    await peer.open()
    await peer.send(Publish(peer.topic(), b"early"))
    await peer.expect_closed()
    await watcher.silent()


@case("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation", slug="first-packet-any")
async def no_packet_may_come_before_the_connect(peer: Peer) -> None:
    """Any first packet other than a CONNECT closes the connection."""
    for packet in (
        Publish(peer.topic(), b"m", 1, packet_id=1), Puback(1), Pubrec(1), Pubrel(1), Pubcomp(1),
        Subscribe(1, [Subscription(peer.topic())]), Unsubscribe(1, [peer.topic()]), Pingreq(), Disconnect(),
        *((Auth(0x18, AuthProperties(authentication_method="any")),) if peer.version == V5 else ()),
    ):  # fmt: skip
        await peer.open()
        await peer.send(packet)
        await peer.expect_closed()


@case("MQTT5-3.1.0-2", "MQTT311-3.1.0-2", slug="second-connect")
async def second_connect_closes(peer: Peer) -> None:
    """A second CONNECT on a connection makes the server close it."""
    await peer.connect()
    await peer.send(peer.connect_packet())
    await peer.expect_closed()


@case("MQTT5-3.1.0-2", "MQTT311-3.1.0-2", slug="second-connect-other-id")
async def second_connect_with_another_id(peer: Peer) -> None:
    """A second CONNECT closes the connection, with the same Client Identifier or another."""
    await peer.connect()
    await peer.send(peer.connect_packet(client_id=peer.client_id[:20] + "x"))
    await peer.expect_closed()


@case("MQTT5-3.1.2-1", "MQTT311-3.1.2-1", slug="protocol-name")
async def wrong_protocol_name(peer: Peer) -> None:
    """A CONNECT with another protocol name is not served as MQTT: it is refused, or the connection is closed."""
    raw = encode(peer.version, peer.connect_packet()).replace(b"\x00\x04MQTT", b"\x00\x04MQTX")
    await peer.open()
    await peer.send(raw)
    await peer._wait(lambda: peer.closed, ANSWER)
    # The server may take it for another protocol and answer in its form. So only an acceptance is a breach.
    accepted = any(isinstance(p, Connack) and not p.reason_code for p in peer.inbox)
    peer.check(not accepted, "a CONNECT with the protocol name MQTX is accepted", proven=True)
    peer.check(peer.closed, "the connection stays open", expected="closed", seen="open")


@case("MQTT5-3.1.2-2", slug="unknown-version")
async def unknown_version_closes(peer: Peer) -> None:
    """A CONNECT with an unknown protocol version is closed, with or without a CONNACK before."""
    await peer.open()
    await peer.send(with_level(peer, 99))
    # A CONNACK may come in the form of an older version, so only an acceptance is a breach.
    await peer._wait(lambda: peer.closed, 3.0)
    peer.check(peer.closed, "the connection stays open", expected="closed", seen="open")


@case("MQTT311-3.1.2-2", "X31-unacceptable-version", "X311-connack-attempt", slug="unsupported-level")
async def unsupported_level_is_told(peer: Peer) -> None:
    """A CONNECT with protocol level 2 gets a CONNACK with return code 0x01, then the close.

    A server of 5.0 may refuse it in the form of 5.0, or close without an answer, because level 2 selects no version. A
    server of 3.1 may do so too.
    """
    await peer.open()
    await peer.send(with_level(peer, 2))
    await peer._wait(lambda: peer.closed, ANSWER)
    peer.check(peer.closed, "the connection stays open", expected="closed", seen=repr(peer.inbox))
    reply = next(iter(peer.inbox), None)
    if isinstance(reply, Connack):
        peer.equal(reply.reason_code, 1, "the return code")
        return
    free = peer.version == V31 or V5 in peer.target.capabilities.versions
    peer.check(free, "no readable CONNACK came", expected="CONNACK 0x01", seen=repr(reply or "closed"))


@case("MQTT5-3.1.2-3", "MQTT311-3.1.2-3", "X5-connect-reserved-flag-malformed", slug="reserved-flag")
async def reserved_connect_flag(peer: Peer) -> None:
    """A CONNECT whose reserved flag is 1 is refused."""
    raw = bytearray(encode(peer.version, peer.connect_packet()))
    raw[raw.index(b"MQTT") + 5] |= 1
    await peer.open()
    await peer.send(bytes(raw))
    reply = await peer.expect_closed()
    peer.check(not isinstance(reply, Connack) or reply.reason_code != 0, "the CONNECT is accepted", proven=True)


@case("MQTT5-3.1.4-1", "MQTT311-3.1.4-1", slug="cut-payload")
async def connect_that_lacks_its_payload(peer: Peer) -> None:
    """A CONNECT without a Client Identifier is not accepted; 3.1.1 requires a close without CONNACK."""
    meaningless = await refusals(peer)
    raw = b"\x10\x0b\x00\x04MQTT\x05\x02\x00\x3c\x00" if peer.version == V5 else b"\x10\x0a\x00\x04MQTT\x04\x02\x00\x3c"
    await peer.open()
    await peer.send(raw)
    reply = await peer.expect_closed()
    reaction = ("connack", reply.reason_code) if isinstance(reply, Connack) and reply.reason_code else ("close", 0)
    if reaction in meaningless:
        raise Inconclusive("a valid CONNECT without credentials, for which this one has no room, is refused likewise")
    if isinstance(reply, Connack):
        if peer.version != V5 and reply.reason_code == 3:
            raise Inconclusive("the server says that it is unavailable, so it may not have checked the CONNECT")
        peer.check(
            peer.version == V5,
            "a CONNACK is sent for a malformed CONNECT",
            expected="closed",
            seen=repr(reply),
            proven=True,
        )
        peer.check(reply.reason_code >= 0x80, "the CONNECT is accepted", proven=True)


def _refused(peer: Peer) -> Rules:
    """Return what a broker broke by not closing: if it refused nothing, the rule about unknown versions."""
    told = any(isinstance(p, Violation) or (isinstance(p, Connack) and p.reason_code) for p in peer.inbox)
    return () if told else ("MQTT5-3.1.2-2", "MQTT311-3.1.2-2", "X31-unacceptable-version")


@case("MQTT5-3.1.4-2", "MQTT5-4.13.2-1", slug="refused-means-closed")
async def refusal_closes(peer: Peer) -> None:
    """After a CONNACK of 0x80 or above the connection is closed."""
    await peer.open()
    await peer.send(with_level(peer, 99))
    await peer._wait(lambda: peer.closed, 3.0)
    peer.check(peer.closed, "the connection stays open", expected="closed", seen="open", under=_refused(peer))


@case("MQTT5-3.1.4-3", "MQTT311-3.1.4-2", "MQTT5-3.1.3-2", "MQTT311-3.1.3-2", "X31-client-id-in-use", slug="takeover")
async def takeover_closes_the_old_connection(peer: Peer) -> None:
    """A second connection with the same Client Identifier ends the first one."""
    await peer.connect()
    await peer.barrier()
    other = peer.another("other")
    await other.connect(client_id=peer.client_id)
    peer.closing_code(await peer.expect_closed(), 0x8E)
    await other.served()


@case("MQTT5-3.1.4-3", slug="takeover-reason")
async def takeover_is_told(peer: Peer) -> None:
    """The client whose session is taken over gets a DISCONNECT with Reason Code 0x8E before the close."""
    await peer.connect()
    other = peer.another("other")
    await other.connect(client_id=peer.client_id)
    last = await peer.expect_closed()
    peer.advise(
        isinstance(last, Disconnect) and last.reason_code == 0x8E,
        "no DISCONNECT 0x8E before the close",
        expected="DISCONNECT 0x8E",
        seen=repr(last),
    )


@case("MQTT5-3.2.0-2", slug="one-connack")
async def only_one_connack(peer: Peer) -> None:
    """The server sends one CONNACK on a connection, and no more."""
    await peer.connect()
    await peer.silent(Connack, proven=True)


@case("MQTT5-3.2.2-1", "X311-connack-reserved-bits", "X31-connack-reserved-byte", slug="acknowledge-flags")
async def acknowledge_flags(peer: Peer) -> None:
    """Bits 7 to 1 of the Connect Acknowledge Flags are 0."""
    await peer.open()
    await peer.send(peer.connect_packet())
    await peer.accepted()


@case("MQTT5-3.2.2-2", "MQTT311-3.2.2-1", slug="clean-start", needs=["session"])
async def clean_start_has_no_session(peer: Peer) -> None:
    """A connection with Clean Start or Clean Session 1 gets Session Present 0, even if a session was stored."""
    await peer.connect(clean=peer.version == V5, expiry=60)
    await peer.disconnect()
    await peer.open()
    await peer.send(peer.connect_packet(clean=True, expiry=60))
    reply = await peer.expect(Connack, under=CONNACK)
    peer.equal((reply.reason_code, reply.session_present), (0, False), "Reason Code and Session Present")
    if peer.version == V5:
        await peer.disconnect()
        reply = await peer.connect(clean=False)
        peer.equal(reply.session_present, True, "Session Present once the new session is there")


@case(
    "MQTT5-3.2.2-3",
    "MQTT311-3.2.2-2",
    "MQTT5-3.1.2-5",
    "MQTT311-3.1.2-4",
    "X5-session-duration",
    "X5-session-expiry-changed-connack",
    "X5-session-expiry-absent-connack",
    "MQTT5-4.1.0-2",
    slug="session-present",
    needs=["session"],
)
async def kept_session_is_told(peer: Peer) -> None:
    """A stored session is resumed, and Session Present is 1."""
    await peer.connect(clean=False, expiry=60)
    await peer.subscribe(peer.topic())
    await peer.disconnect()
    for _ in range(2):
        reply = await peer.connect(clean=False, expiry=60)
        peer.equal(reply.session_present, True, "Session Present")
        await peer.disconnect()
    await peer.connect(clean=False, expiry=60)
    await peer.publish(peer.topic(), b"again")
    await peer.messages(1)
    await peer.connect(clean=True)


@case("MQTT5-3.2.2-3", "MQTT5-3.1.2-6", "MQTT311-3.2.2-3", "MQTT311-3.1.2-4", slug="no-session")
async def unknown_session_is_told(peer: Peer) -> None:
    """If no session is stored, a new one is created, and Session Present is 0."""
    await peer.open()
    await peer.send(peer.connect_packet(clean=False))
    reply = await peer.expect(Connack, under=CONNACK)
    peer.equal((reply.reason_code, reply.session_present), (0, False), "Reason Code and Session Present")
    await peer.barrier()
    await peer.connect(clean=True)


@case("MQTT5-3.2.2-6", "MQTT311-3.2.2-4", slug="refusal")
async def connack_refusal_claims_no_session(peer: Peer) -> None:
    """A CONNACK that refuses the connection has Session Present 0."""
    await peer.open()
    if peer.version == V5:
        raw = bytearray(encode(V5, peer.connect_packet()))
        raw[raw.index(b"MQTT") + 5] |= 1  # the reserved flag
        await peer.send(bytes(raw))
    else:
        await peer.send(with_level(peer, 2))
    await peer._wait(lambda: peer.closed or bool(peer.inbox), ANSWER)
    reply = next(iter(peer.inbox), None)
    if isinstance(reply, Violation):
        peer.check(
            reply.statement not in REFUSED,
            "a CONNACK that refuses the connection has Session Present 1",
            seen="Session Present 1",
        )
    if not isinstance(reply, Connack):
        raise Inconclusive("closed without a CONNACK of this version, which the standard allows")
    if not reply.reason_code:
        raise Inconclusive("the CONNECT is accepted, which breaks another rule")
    peer.equal(reply.session_present, False, "Session Present")


@case("MQTT5-3.2.2-7", "MQTT311-3.2.2-5", slug="refusal-closes")
async def connack_refusal_is_followed_by_a_close(peer: Peer) -> None:
    """After a CONNACK that refuses the connection, the server closes it."""
    await peer.open()
    await peer.send(with_level(peer, 2))
    await peer._wait(lambda: peer.closed, 3.0)
    peer.check(peer.closed, "the connection stays open", expected="closed", seen="open", under=_refused(peer))


@case("MQTT5-3.1.3-5", "MQTT311-3.1.3-5", "X31-client-id-too-long", slug="client-id-23")
async def client_id_of_23_characters(peer: Peer) -> None:
    """A Client Identifier of 23 digits and letters is accepted."""
    await _named(peer, (peer.client_id + CHARACTERS)[:23])


@case("MQTT5-3.1.3-5", "MQTT311-3.1.3-5", slug="client-id-characters")
async def client_id_of_every_character(peer: Peer) -> None:
    """A Client Identifier may contain every digit and every letter from a to z and A to Z."""
    for start in range(0, len(CHARACTERS), 12):
        await _named(peer, peer.client_id[:11] + CHARACTERS[start : start + 12])


async def _named(peer: Peer, client_id: str) -> None:
    await peer.open()
    await peer.send(peer.connect_packet(client_id=client_id))
    reply = await peer.expect(Connack)
    if reply.reason_code in (0x87, 5):
        raise Inconclusive("the server has rules of its own for Client Identifiers")
    peer.equal(reply.reason_code, 0, "the Reason Code")


@case("MQTT5-3.1.3-6", "MQTT5-3.1.3-7", "MQTT5-3.2.2-16", slug="assigned-id")
async def empty_client_id_is_replaced(peer: Peer) -> None:
    """If a client without a Client Identifier is accepted, the CONNACK carries an Assigned Client Identifier."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id=""))
    reply = await peer.expect(Connack, or_closed=True)
    if isinstance(reply, ClosedType) or reply.reason_code:
        raise Inconclusive("a client without Client Identifier is refused, which the standard allows")
    given = reply.properties.assigned_client_identifier if reply.properties else None
    peer.check(bool(given), "no Assigned Client Identifier", expected="an identifier", seen=repr(given), proven=True)
    peer.equal(reply.session_present, False, "Session Present")
    other = peer.another("other")
    await other.open()
    await other.send(other.connect_packet(client_id=""))
    second = await other.accepted()
    same = second.properties.assigned_client_identifier if second.properties else None
    peer.check(same != given, "two clients get the same identifier", expected="a new one", seen=repr(same), proven=True)


@case("MQTT5-3.1.3-7", slug="assigned-id-works")
async def assigned_id_names_the_session(peer: Peer) -> None:
    """The Assigned Client Identifier is the client's own: a connection with that identifier takes over."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id=""))
    reply = await peer.expect(Connack, or_closed=True)
    given = (
        None if isinstance(reply, ClosedType) or not reply.properties else reply.properties.assigned_client_identifier
    )
    if not given:
        raise Inconclusive("a client without Client Identifier is refused, which the standard allows")
    other = peer.another("other")
    await other.connect(client_id=given)
    await peer.expect_closed()


@case("MQTT311-3.1.3-6", slug="empty-id")
async def empty_client_id_is_unique(peer: Peer) -> None:
    """Two accepted clients without a Client Identifier are different clients."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id="", clean=True))
    reply = await peer.expect(Connack, or_closed=True)
    if isinstance(reply, ClosedType) or reply.reason_code:
        raise Inconclusive("a client without Client Identifier is refused, which the standard allows")
    other = peer.another("other")
    await other.connect(client_id="", clean=True)
    await peer.served()
    await other.served()


@case(
    "MQTT311-3.1.3-8",
    "X311-connack-code-2",
    "X311-connect-refused-close",
    "X311-connect-refused-connack",
    slug="empty-id-keeps-session",
)
async def empty_client_id_cannot_keep_a_session(peer: Peer) -> None:
    """An empty Client Identifier with Clean Session 0 gets return code 0x02 and the close."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id="", clean=False))
    reply = await peer.expect(Connack)
    peer.equal(reply.reason_code, 2, "the return code")
    await peer.expect_closed()


@case("MQTT5-3.1.3-8", slug="refused-id-closes")
async def refused_client_id_closes(peer: Peer) -> None:
    """A refused Client Identifier leads to a close, with Reason Code 0x85 if a CONNACK is sent."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id="x" * 65_000))
    reply = await peer.expect(Connack, or_closed=True)
    if isinstance(reply, ClosedType):
        return
    if reply.reason_code == 0:
        peer.note("Client Identifiers of 65,000 bytes are accepted")
        return
    peer.refusal_code(reply.reason_code, 0x85, 0x95)
    await peer.expect_closed()


@case("MQTT5-3.1.3-8", slug="empty-id-refused", needs=["setting"], settings={"empty_client_id": False})
async def empty_client_id_is_refused(peer: Peer) -> None:
    """A server that assigns no Client Identifiers refuses an empty one, possibly with 0x85, and closes."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id=""))
    last = await peer.expect_closed()
    if isinstance(last, Connack):
        peer.check(last.reason_code >= 0x80, "the client is accepted", expected="0x85", seen=hex(last.reason_code))
        if last.reason_code != 0x85:
            peer.note(f"refuses an empty Client Identifier with {last.reason_code:#x} instead of 0x85")


@case("MQTT5-3.1.2-28", "X5-request-response-information-absent", slug="response-information")
async def response_information_only_on_request(peer: Peer) -> None:
    """A client that requests no Response Information gets none."""
    for properties in (None, ConnectProperties(request_response_information=0)):
        reply = await peer.connect(properties=properties)
        seen = reply.properties.response_information if reply.properties else None
        peer.equal(seen, None, "Response Information", proven=True)


@case("MQTT5-3.2.2-8", "X311-connack-codes-reserved", "X31-connack-codes", slug="connack-code")
async def connack_code_is_defined(peer: Peer) -> None:
    """A CONNACK carries one of the Reason Codes that the standard defines."""
    await peer.open()
    await peer.send(peer.connect_packet())
    await peer.expect(Connack, under=CONNACK)


@case("MQTT5-3.2.2-19", "MQTT5-3.2.2-20", slug="connack-size")
async def connack_fits_the_maximum_packet_size(peer: Peer) -> None:
    """A CONNACK has no Reason String or User Properties if they would exceed the client's Maximum Packet Size."""
    for limit in (30, 60, 100):
        await peer.open()
        await peer.send(peer.connect_packet(properties=ConnectProperties(maximum_packet_size=limit)))
        reply = await peer.expect(Connack, or_closed=True, under=CONNACK)
        if not isinstance(reply, ClosedType):
            size = len(encode(V5, reply))
            text = reply.properties and (reply.properties.reason_string or reply.properties.user_property)
            peer.check(
                not (size > limit and text),
                "the CONNACK is too large",
                expected=f"{limit} bytes",
                seen=size,
                proven=True,
            )


@case("MQTT5-3.1.2-24", slug="connack-size-limit")
async def no_packet_above_the_maximum_packet_size(peer: Peer) -> None:
    """No packet, including the CONNACK, is larger than the client's Maximum Packet Size."""
    reply = await peer.connect(properties=ConnectProperties(maximum_packet_size=128))
    peer.check(len(encode(V5, reply)) <= 128, "the CONNACK is too large", proven=True)
    await peer.subscribe(peer.topic())
    other = peer.another("other")
    await other.connect()
    await other.publish(peer.topic(), b"x" * 200)
    await other.publish(peer.topic(), b"small")
    (message,) = await peer.messages(1, under=DELIVERY)
    peer.equal(message.payload, b"small", "the first message", proven=True)


@case("MQTT5-3.1.2-25", slug="too-large-is-done", needs=["qos1"])
async def too_large_counts_as_delivered(peer: Peer) -> None:
    """A message that is too large for a client is discarded as if it had been delivered, and later messages arrive."""
    await peer.connect(properties=ConnectProperties(maximum_packet_size=100, receive_maximum=1))
    await peer.subscribe(peer.topic(), qos=1)
    other = peer.another("other")
    await other.connect()
    for payload in (b"x" * 300, b"y" * 300, b"small"):
        await other.publish(peer.topic(), payload, qos=1)
    (message,) = await peer.messages(1)
    peer.equal(message.payload, b"small", "the first message", proven=True)


@case("X31-client-id-too-long", "X31-connack-refused-close", slug="long-id")
async def long_client_id_in_3_1(peer: Peer) -> None:
    """A Client Identifier of 24 characters gets return code 0x02 from a server that follows 3.1."""
    await peer.open()
    await peer.send(peer.connect_packet(client_id="x" * 24))
    reply = await peer.expect(Connack, or_closed=True)
    if isinstance(reply, ClosedType):
        raise Inconclusive("closed without CONNACK")
    if reply.reason_code == 0:
        raise Inconclusive("longer Client Identifiers are accepted, as later versions allow")
    peer.equal(reply.reason_code, 2, "the return code")
    await peer.expect_closed()
