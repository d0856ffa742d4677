# SPDX-License-Identifier: MIT
"""Chapter 6: MQTT over WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mqtt_conformance.case import case
from mqtt_conformance.peer import Peer
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Pingreq, Pingresp

if TYPE_CHECKING:
    from mqtt_conformance.websocket import WebSocketStream


def _stream(peer: Peer) -> WebSocketStream:
    return cast("WebSocketStream", peer.stream)


@case("MQTT5-6.0.0-4", "MQTT311-6.0.0-4", slug="sub-protocol", needs=["ws"])
async def sub_protocol_is_mqtt(peer: Peer) -> None:
    """The sub-protocol that the server selects is `mqtt`."""
    await peer.open()
    peer.equal(_stream(peer).connection.subprotocol, "mqtt", "the sub-protocol", proven=True)


@case("MQTT5-6.0.0-1", "MQTT311-6.0.0-1", slug="text-frame", needs=["ws"])
async def text_frame_closes(peer: Peer) -> None:
    """A text frame closes the connection."""
    await peer.connect()
    await _stream(peer).connection.send("text")
    await peer.expect_closed()


@case("MQTT5-6.0.0-1", "MQTT311-6.0.0-1", slug="binary-frames", needs=["ws"])
async def packets_come_in_binary_frames(peer: Peer) -> None:
    """The server's packets come in binary frames."""
    await peer.connect()
    await peer.barrier()
    peer.equal(_stream(peer).texts, 0, "the number of text frames", proven=True)


@case("MQTT5-6.0.0-2", "MQTT311-6.0.0-2", slug="split-frames", needs=["ws"])
async def packets_may_be_split_over_frames(peer: Peer) -> None:
    """Packets that are split over frames byte by byte, or joined in one frame, are served."""
    await peer.open()
    raw = encode(peer.version, peer.connect_packet()) + encode(peer.version, Pingreq()) * 2
    for at in range(len(raw)):
        await _stream(peer).write(raw[at : at + 1])
    await peer.expect(Connack)
    await peer.expect(Pingresp)
    await peer.expect(Pingresp)
    await peer.open()
    await peer.send(raw)
    await peer.expect(Connack)
    await peer.expect(Pingresp)
    await peer.expect(Pingresp)
