# SPDX-License-Identifier: MIT
"""Hooks that see or change outgoing packets. Packets are decoded for them just before they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mqtt_ref.broker.views import Client, client_of
from mqtt_ref.hooks.chain import Chain, Chains, Handler, unfit
from mqtt_ref.hooks.changing import legal
from mqtt_ref.wire.fast import decode, encode
from mqtt_ref.wire.framing import head_size
from mqtt_ref.wire.primitives import SERVER
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.generated.events import Watch
    from mqtt_ref.wire.packets import Packet

__all__ = ["output_of"]

FIXED = ("packet_id", "qos")
"""Fields of an outgoing packet that must stay the same: the engine depends on them."""


def output_of(chains: Chains, watch: Watch) -> Callable[[Connection, list[bytes]], list[bytes]] | None:
    """Build a function that passes outgoing packets through the hooks; None if no hook wants to see them."""
    encoding = chains["on_packet_encode"]
    if not encoding and watch.on_packet_sent is None:
        return None

    def output(connection: Connection, out: list[bytes]) -> list[bytes]:
        client = client_of(connection)
        changed: list[bytes] = []
        for data in out:
            packet = decode(connection.version, SERVER, data, 0, head_size(data), len(data))
            if not isinstance(packet, Violation):
                packet, data = _encode(encoding, client, connection, packet, data)
                if watch.on_packet_sent is not None:
                    watch.on_packet_sent(connection, packet, data)
            changed.append(data)
        return changed

    return output


def _encode(chain: Chain, client: Client, connection: Connection, packet: Packet, data: bytes) -> tuple[Packet, bytes]:
    """Return the packet as the handlers changed it. An illegal change is logged and ignored."""
    kept = [getattr(packet, name, 0) for name in FIXED]
    for handler in chain:
        try:
            answer = handler.call(client, packet)
            if answer is not None:
                packet, data = _checked(handler, connection, packet, kept, answer)
        except Exception as error:
            handler.failed(error)
            found = decode(connection.version, SERVER, data, 0, head_size(data), len(data))
            assert not isinstance(found, Violation)
            packet = found
    return packet, data


def _checked(
    handler: Handler, connection: Connection, packet: Packet, kept: list[object], answer: Packet
) -> tuple[Packet, bytes]:
    """Validate a changed packet and return it with its bytes.

    Raises:
        TypeError: the packet has another type.
        ValueError: it is illegal, too large for the client, or has another Packet Identifier or QoS.
    """
    if type(answer) is not type(packet):
        raise unfit(answer, f"a {type(packet).__name__} or None")
    if [getattr(answer, name, 0) for name in FIXED] != kept:
        raise ValueError(f"it changed the Packet Identifier or the QoS: {answer!r}")
    legal(answer, connection.version, SERVER)
    data = encode(connection.version, answer)
    if len(data) > connection.agreement.packet_limit:
        limit = connection.agreement.packet_limit
        raise ValueError(f"the packet has {len(data)} bytes, but the client accepts at most {limit}")
    return answer, data
