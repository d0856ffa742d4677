# SPDX-License-Identifier: MIT
"""Chapters 3.15 and 4.12 with a server that supports an Authentication Method, which a profile has to provide.

A profile that provides `enhanced_auth` states that the server knows the method `conformance`. The server answers any
first data of the client with AUTH 0x18. It accepts the client's answer `yes` and refuses any other. Re-authentication
works the same way.
"""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.peer import ANSWER, Peer
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import V5

METHOD = "conformance"
NEEDS = ("enhanced_auth",)


def step(code: int, data: bytes, method: str = METHOD) -> Auth:
    """Return an AUTH of the client."""
    return Auth(code, AuthProperties(authentication_method=method, authentication_data=data))


async def begin(peer: Peer, *, maximum_packet_size: int | None = None) -> Auth:
    """Connect up to the server's challenge."""
    await peer.open()
    properties = ConnectProperties(
        authentication_method=METHOD, authentication_data=b"hello", maximum_packet_size=maximum_packet_size
    )
    await peer.send(peer.connect_packet(properties=properties))
    return _challenge(peer, await peer.expect(Auth))


async def authenticate(peer: Peer) -> Connack:
    """Connect with the complete authentication exchange."""
    await begin(peer)
    await peer.send(step(0x18, b"yes"))
    reply = await peer.expect(Connack)
    peer.equal(reply.reason_code, 0, "the Reason Code of the CONNACK")
    return reply


def _challenge(peer: Peer, reply: Auth) -> Auth:
    method = reply.properties.authentication_method if reply.properties else None
    peer.equal((reply.reason_code, method), (0x18, METHOD), "Reason Code and Authentication Method of the AUTH")
    return reply


@case("MQTT5-4.12.0-2", "MQTT5-4.12.0-5", "MQTT5-4.12.0-1", "X5-authentication-accepted", "X5-authentication-data-sent",
      "X5-auth-reauthenticate-client", "MQTT5-3.1.4-5", "MQTT5-3.2.0-1", slug="exchange", needs=NEEDS)  # fmt: skip
async def exchange_ends_with_a_connack(peer: Peer) -> None:
    """All AUTH packets up to the CONNACK carry the method of the CONNECT, and so does the CONNACK."""
    first = await begin(peer)
    data = first.properties.authentication_data if first.properties else None
    peer.check(bool(data), "no Authentication Data", expected="a challenge", seen=repr(data))
    await peer.send(step(0x18, b"yes"))
    reply = await peer.expect(Connack)
    method = reply.properties.authentication_method if reply.properties else None
    peer.equal((reply.reason_code, method), (0, METHOD), "Reason Code and Authentication Method of the CONNACK")
    await peer.barrier()


@case("MQTT5-4.12.0-4", "MQTT5-3.1.4-2", "MQTT5-3.2.2-7", slug="exchange-refused", needs=NEEDS)
async def exchange_that_fails_closes(peer: Peer) -> None:
    """A client with a wrong answer is refused and its connection is closed."""
    await begin(peer)
    await peer.send(step(0x18, b"no"))
    last = await peer.expect_closed()
    if isinstance(last, Connack):
        peer.check(last.reason_code >= 0x80, "the client is accepted", expected="0x87", seen=hex(last.reason_code))


@case("MQTT5-3.1.2-30", "MQTT5-3.1.0-2", "MQTT5-3.14.0-1", "MQTT5-4.13.1-1", slug="exchange-interrupted", needs=NEEDS)
async def nothing_else_during_the_exchange(peer: Peer) -> None:
    """Any packet but AUTH and DISCONNECT before the CONNACK closes the connection, without a DISCONNECT."""
    wrong: list[Packet | bytes] = [
        Publish(peer.topic(), b"m", 1, packet_id=1), Puback(1), Pubrec(1), Pubrel(1), Pubcomp(1), Pingreq(),
        Subscribe(1, [Subscription(peer.topic())]), Unsubscribe(1, [peer.topic()]), peer.connect_packet(), b"\x00\x00",
    ]  # fmt: skip
    for packet in wrong:
        await begin(peer)
        await peer.send(packet)
        last = await peer.expect_closed()
        peer.check(
            not isinstance(last, Disconnect), "a DISCONNECT came", expected="closed", seen=repr(last), proven=True
        )


@case("MQTT5-3.1.2-30", slug="exchange-goodbye", needs=NEEDS)
async def disconnect_during_the_exchange(peer: Peer) -> None:
    """A DISCONNECT before the CONNACK ends the connection."""
    await begin(peer)
    await peer.send(b"\xe0\x00")
    await peer.expect_closed()


@case("MQTT5-4.12.1-1", "MQTT5-4.12.0-2", "MQTT5-4.12.0-5", "X5-reauthentication-reply", "MQTT5-4.12.0-3",
      slug="again", needs=NEEDS)  # fmt: skip
async def client_authenticates_again(peer: Peer) -> None:
    """A client may re-authenticate: AUTH 0x18, then AUTH 0x00; other packets are served meanwhile."""
    await authenticate(peer)
    for _ in range(2):
        await peer.send(step(0x19, b"hello"))
        _challenge(peer, await peer.expect(Auth))
        await peer.barrier()
        await peer.send(step(0x18, b"yes"))
        reply = await peer.expect(Auth)
        method = reply.properties.authentication_method if reply.properties else None
        peer.equal((reply.reason_code, method), (0, METHOD), "Reason Code and Authentication Method of the AUTH")
    await peer.barrier()


@case("MQTT5-4.12.1-2", "MQTT5-3.2.0-2", slug="again-refused", needs=NEEDS)
async def failing_again_closes(peer: Peer) -> None:
    """If re-authentication fails, the server sends DISCONNECT with 0x80 or above, not a CONNACK, and closes."""
    await authenticate(peer)
    await peer.send(step(0x19, b"hello"))
    await peer.expect(Auth)
    await peer.send(step(0x18, b"no"))
    last = await peer.expect_closed()
    peer.check(
        not isinstance(last, Connack), "a second CONNACK", expected="DISCONNECT 0x87", seen=repr(last), proven=True
    )
    if isinstance(last, Disconnect):
        peer.check(last.reason_code in (0x87, 0x80, 0x82, 0x83), "the Reason Code", expected="0x87",
                   seen=hex(last.reason_code))  # fmt: skip


@case("MQTT5-4.12.0-5", "X5-auth-other-method", slug="other-method", needs=NEEDS)
async def other_method_closes(peer: Peer) -> None:
    """An AUTH with another method than the CONNECT closes the connection at any time."""
    await begin(peer)
    await peer.send(step(0x18, b"yes", "another"))
    await _closed(peer)
    await authenticate(peer)
    await peer.send(step(0x19, b"hello", "another"))
    await _closed(peer)
    await authenticate(peer)
    await peer.send(step(0x19, b"hello"))
    await peer.expect(Auth)
    await peer.send(step(0x18, b"yes", "another"))
    await _closed(peer)


@case("MQTT5-3.15.2-1", slug="success-from-client", needs=NEEDS)
async def success_is_for_the_server_to_say(peer: Peer) -> None:
    """An AUTH 0x00 from a client closes the connection at any time."""
    await begin(peer)
    await peer.send(step(0x00, b"yes"))
    await _closed(peer)
    await authenticate(peer)
    await peer.send(step(0x00, b"yes"))
    await _closed(peer)
    await authenticate(peer)
    await peer.send(step(0x19, b"hello"))
    await peer.expect(Auth)
    await peer.send(step(0x00, b"yes"))
    await _closed(peer)


@case("MQTT5-4.12.0-3", "MQTT5-4.12.1-1", slug="out-of-turn", needs=NEEDS)
async def auth_out_of_turn_closes(peer: Peer) -> None:
    """AUTH 0x18 during an exchange, and AUTH 0x19 outside of one, close the connection, however fast they come."""
    await authenticate(peer)
    await peer.send(step(0x18, b"yes"))
    await _closed(peer)
    await begin(peer)
    await peer.send(step(0x18, b"yes"), step(0x18, b"yes"))
    await _closed(peer)
    await begin(peer)
    await peer.send(step(0x19, b"hello"))
    await _closed(peer)
    await peer.open()
    properties = ConnectProperties(authentication_method=METHOD, authentication_data=b"hello")
    await peer.send(peer.connect_packet(properties=properties), step(0x19, b"hello"))
    await _closed(peer)
    await authenticate(peer)
    await peer.send(step(0x19, b"hello"))
    await peer.expect(Auth)
    await peer.send(step(0x19, b"hello"))
    await _closed(peer)
    await authenticate(peer)
    await peer.send(step(0x19, b"hello"), step(0x19, b"hello"))
    await _closed(peer)


@case("MQTT5-3.15.2-2", "MQTT5-3.15.2-3", slug="small-auth", needs=NEEDS)
async def auth_fits_the_maximum_packet_size(peer: Peer) -> None:
    """An AUTH has no Reason String or User Properties if they would exceed the client's Maximum Packet Size."""
    reply = await begin(peer, maximum_packet_size=100)
    peer.check(len(encode(V5, reply)) <= 100, "the AUTH is too large", seen=repr(reply), proven=True)


async def _closed(peer: Peer) -> None:
    """Expect that the connection is closed. A server may also refuse the client as if authentication had failed."""
    await peer._wait(lambda: peer.closed or any(isinstance(p, Pingresp) for p in peer.inbox), ANSWER)
    last = await peer.expect_closed()
    if isinstance(last, (Connack, Disconnect)):
        peer.check(last.reason_code >= 0x80, "the Reason Code", expected="0x82", seen=hex(last.reason_code))
