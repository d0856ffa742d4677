# SPDX-License-Identifier: MIT
"""Chapters 3.15 and 4.12: enhanced authentication, as far as a client without a secret can test it."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.peer import ANSWER, Peer
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.packets import Auth, AuthProperties, Connack, ConnectProperties, Disconnect, Publish


@case("MQTT5-4.12.0-1", slug="unknown-method")
async def unknown_method_is_refused(peer: Peer) -> None:
    """A CONNECT with an Authentication Method that the server does not support is refused and closed."""
    await peer.open()
    await peer.send(peer.connect_packet(properties=ConnectProperties(authentication_method="no-such-method")))
    last = await peer.expect_closed()
    if isinstance(last, Connack):
        peer.check(last.reason_code in (0x8C, 0x87, 0x82, 0x83, 0x80), "the Reason Code", expected="0x8C or 0x87",
                   seen=hex(last.reason_code))  # fmt: skip


@case("MQTT5-4.12.0-6", "X5-authentication-method-absent", slug="no-method-no-auth")
async def no_method_no_auth(peer: Peer) -> None:
    """If the CONNECT has no Authentication Method, the CONNACK has none either, and no AUTH comes."""
    reply = await peer.connect()
    seen = reply.properties.authentication_method if reply.properties else None
    peer.equal(seen, None, "the Authentication Method of the CONNACK", proven=True)
    await peer.silent(Auth, proven=True)


@case("MQTT5-4.12.0-7", "MQTT5-4.13.1-1", "X5-auth-other-method", "MQTT5-4.12.1-1", slug="auth-without-method")
async def auth_without_a_method(peer: Peer) -> None:
    """An AUTH on a connection whose CONNECT had no Authentication Method is a Protocol Error."""
    await peer.connect()
    await peer.send(Auth(0x19, AuthProperties(authentication_method="any")))
    last = await peer.expect_closed()
    if isinstance(last, Disconnect):
        peer.check(last.reason_code >= 0x80, "the Reason Code", expected="0x82", seen=hex(last.reason_code))


@case("MQTT5-3.1.4-6", slug="auth-after-refusal")
async def nothing_but_auth_before_the_connack(peer: Peer) -> None:
    """A PUBLISH after a CONNECT with an unknown Authentication Method is not delivered."""
    watcher = peer.another("watcher")
    await watcher.connect()
    await watcher.subscribe(peer.topic())
    await peer.open()
    connect = peer.connect_packet(properties=ConnectProperties(authentication_method="no-such-method"))
    await peer.send(connect, Publish(peer.topic(), b"m"))
    await peer._wait(lambda: peer.closed or any(isinstance(p, Connack) for p in peer.inbox), ANSWER)
    if any(isinstance(p, Connack) and not p.reason_code for p in peer.inbox):
        raise Inconclusive("the method is accepted, which breaks another rule")
    await peer.expect_closed(under=("MQTT5-4.12.0-1",))
    await watcher.silent()
