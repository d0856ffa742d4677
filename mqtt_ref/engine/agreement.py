# SPDX-License-Identifier: MIT
"""What CONNECT and CONNACK settled for one connection: limits in both directions, Keep Alive, Topic Aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.wire.primitives import MAXIMUM_PACKET_SIZE

if TYPE_CHECKING:
    from mqtt_ref.engine.options import Capabilities

__all__ = ["Agreement"]


class Agreement:
    """The terms of one connection. Before its CONNECT, they are what the server offers."""

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
        """What the server offers this client: the broker's capabilities, or fewer if the listener limits them."""
        self.clean_start = False
        self.lasting = False
        """True if the CONNECT had a Session Expiry Interval above 0, even if less was granted."""
        self.packet_limit: int = MAXIMUM_PACKET_SIZE
        """Bytes of the largest packet that the client takes."""
        self.quota_maximum = 0
        """Unacknowledged QoS 1 and 2 messages that the client may be sent."""
        self.receive_maximum = 0
        """Unacknowledged QoS 1 and 2 messages that the client may send."""
        self.alias_in_maximum = 0
        self.alias_out_maximum = 0
        self.problem_information = True
        self.response_information = False
        self.keep_alive_seconds = 0
        self.keep_alive = 0
        """Nanoseconds of silence after which the connection is closed, or 0."""
        self.will_denied = False
        """True if the will is not published and the client is not told: 3.x has no way to, or it is so decided."""
