# SPDX-License-Identifier: MIT
"""What CONNECT and CONNACK settled for one connection: limits in both directions, Keep Alive, Topic Aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.wire.primitives import MAXIMUM_PACKET_SIZE

if TYPE_CHECKING:
    from mqtt_ref.engine.options import Capabilities

__all__ = ["Agreement"]


class Agreement:
    """The terms of one connection. Until its CONNECT came, they are what the server offers."""

    __slots__ = (
        "alias_in_maximum",
        "alias_out_maximum",
        "capabilities",
        "clean_start",
        "keep_alive",
        "keep_alive_seconds",
        "lasting",
        "packet_limit",
        "problem_information",
        "quota_maximum",
        "receive_maximum",
        "response_information",
        "will_denied",
    )

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        """What the server offers this client: its capabilities, or fewer where its listener says so."""
        self.clean_start = False
        self.lasting = False
        """Whether the CONNECT asked for a session that outlives its connection, whatever was granted."""
        self.packet_limit: int = MAXIMUM_PACKET_SIZE
        """Bytes of the largest packet that the client takes."""
        self.quota_maximum = 0
        """QoS 1 and 2 messages that may be sent to the client and not acknowledged."""
        self.receive_maximum = 0
        """QoS 1 and 2 messages that the client may send before they are acknowledged."""
        self.alias_in_maximum = 0
        self.alias_out_maximum = 0
        self.problem_information = True
        self.response_information = False
        self.keep_alive_seconds = 0
        self.keep_alive = 0
        """Nanoseconds of silence after which the connection is closed, or 0."""
        self.will_denied = False
        """Whether the will is not published and the client is not told: 3.x has no way to, or it is so decided."""
