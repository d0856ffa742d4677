# SPDX-License-Identifier: MIT
"""The rules that the steps of many cases rest on: what a broker breaks if such a step fails.

Each group holds statements that ask for the same thing. Within a version the first one is blamed.
"""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.packets import Auth, Publish, Unsuback

__all__ = [
    "ALIKE", "CONNACK", "DELIVERY", "DUP", "FIRST", "IN_USE", "MALFORMED", "ORDER", "PINGRESP", "PUBACK", "PUBCOMP",
    "PUBREC", "PUBREL", "QUEUED", "RESEND", "RETAINED", "SECOND_CONNECT", "SUBACK", "TAKEOVER", "WILL", "Rules",
]  # fmt: skip

Rules = tuple[str, ...]

ALIKE: Final[dict[tuple[str, int], Rules]] = {
    ("X311-trailing-bytes", Unsuback.TYPE): ("X311-unsuback-no-payload",),
    ("X31-trailing-bytes", Unsuback.TYPE): ("X31-unsuback-no-payload",),
    ("MQTT5-3.15.2-1", Auth.TYPE): ("X5-auth-reauthenticate-client",),
    ("X5-field-truncated", Publish.TYPE): ("MQTT5-2.2.2-1",),
}
"""Further rules that a packet breaks, by the rule that the codec names. Some rules ask for the same thing."""

CONNACK: Final[Rules] = ("MQTT5-3.1.4-5", "MQTT5-3.2.0-1", "MQTT311-3.1.4-4", "MQTT311-3.2.0-1")
DUP: Final[Rules] = ("MQTT5-3.3.1-1", "MQTT311-3.3.1-1")
"""A packet that is sent again has DUP 1."""
FIRST: Final[dict[int, Rules]] = {
    0: ("MQTT5-3.3.1-2", "MQTT311-3.3.1-2"),
    1: ("MQTT5-4.3.2-2", "MQTT311-4.3.2-1"),
    2: ("MQTT5-4.3.3-2", "MQTT311-4.3.3-1"),
}
"""A packet that is sent for the first time has DUP 0, by its QoS."""
IN_USE: Final[Rules] = ("MQTT5-2.2.1-4", "MQTT311-2.3.1-4")
"""A new message has a Packet Identifier that no unacknowledged message has."""
ORDER: Final[Rules] = ("MQTT5-4.6.0-5", "MQTT5-4.6.0-6", "MQTT311-4.6.0-6", "MQTT311-4.6.0-5")
PUBACK: Final[Rules] = ("MQTT5-4.3.2-4", "MQTT311-4.3.2-2")
PUBREC: Final[Rules] = ("MQTT5-4.3.3-8", "MQTT311-4.3.3-2")
PUBREL: Final[Rules] = ("MQTT5-4.3.3-4", "MQTT311-4.3.3-1")
PUBCOMP: Final[Rules] = ("MQTT5-4.3.3-11", "MQTT311-4.3.3-2")
SUBACK: Final[Rules] = ("MQTT5-3.8.4-1", "MQTT311-3.8.4-1")
PINGRESP: Final[Rules] = ("MQTT5-3.12.4-1", "MQTT311-3.12.4-1")
DELIVERY: Final[Rules] = ("X5-message-to-every-match", "MQTT5-4.5.0-1", "X311-deliver-to-matching", "MQTT311-4.5.0-1")
"""A message reaches a client that is connected and has a matching subscription."""
QUEUED: Final[Rules] = ("MQTT5-4.5.0-1", "MQTT5-3.1.2-23", "MQTT311-4.5.0-1", "MQTT311-3.1.2-5",
                        "X31-clean-session-unset")  # fmt: skip
"""A message is kept for a session whose client is not connected."""
RESEND: Final[Rules] = ("MQTT5-4.4.0-1", "MQTT311-4.4.0-1", "X31-clean-session-unset")
"""A message that was not acknowledged comes again when the session is resumed."""
RETAINED: Final[Rules] = ("MQTT5-3.3.1-9", "MQTT311-3.3.1-6", "X31-retain-new-subscription")
"""A new subscription brings the retained message."""
WILL: Final[Rules] = ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8", "X31-will-situations")
TAKEOVER: Final[Rules] = ("MQTT5-3.1.4-3", "MQTT311-3.1.4-2", "X31-client-id-in-use")
"""A second connection with the same Client Identifier ends the first."""
SECOND_CONNECT: Final[Rules] = ("MQTT5-3.1.0-2", "MQTT311-3.1.0-2", "X31-protocol-violation")
"""A second CONNECT closes the connection."""
MALFORMED: Final[Rules] = ("MQTT5-4.13.1-1", "MQTT311-4.8.0-1", "X31-protocol-violation")
"""A malformed packet closes the connection."""
