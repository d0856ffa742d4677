# SPDX-License-Identifier: MIT
"""Chapter 3.1 and 3.2: CONNECT, CONNACK, and who may stay connected."""

from __future__ import annotations

from mqtt_conformance.case import case
from mqtt_conformance.peer import ClosedType, Peer
from mqtt_conformance.verdict import Inconclusive
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Disconnect, Pingreq


@case("MQTT5-3.1.0-2", "MQTT311-3.1.0-2", slug="second-connect")
async def second_connect_closes(peer: Peer) -> None:
    """A second CONNECT on a connection makes the server close it."""
    await peer.connect()
    await peer.send(peer.connect_packet())
    await peer.expect_closed()


@case("MQTT5-3.2.2-6", "MQTT311-3.2.2-4", slug="refusal")
async def connack_refusal_claims_no_session(peer: Peer) -> None:
    """A CONNACK that refuses the connection carries Session Present 0."""
    await peer.open()
    connect = bytearray(encode(peer.version, peer.connect_packet()))
    connect[8] = 99 if peer.version == 5 else 2
    await peer.send(bytes(connect))
    reply = await peer.expect(Connack, or_closed=True)
    if isinstance(reply, ClosedType):
        raise Inconclusive("closed without CONNACK, which the standard allows")
    peer.check(reply.reason_code != 0, "an unsupported protocol level is accepted")
    peer.equal(reply.session_present, False, "Session Present")


@case("MQTT5-3.1.4-3", "MQTT311-3.1.4-2", slug="takeover")
async def takeover_closes_the_old_connection(peer: Peer) -> None:
    """A second connection with the same Client Identifier ends the first one."""
    await peer.connect()
    await peer.barrier()
    other = peer.another("other")
    await other.connect(client_id=peer.client_id)
    last = await peer.expect_closed()
    if peer.version == 5 and isinstance(last, Disconnect):
        peer.equal(last.reason_code, 0x8E, "the Reason Code of the DISCONNECT")
    await other.barrier()


@case("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", slug="first-packet-pingreq")
async def first_packet_is_connect(peer: Peer) -> None:
    """A connection whose first packet is not a CONNECT gets no answer but a close."""
    await peer.open()
    await peer.send(Pingreq())
    await peer.expect_closed()
