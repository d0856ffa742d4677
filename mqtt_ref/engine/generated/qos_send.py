# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/qos_send.toml`. Change that, then run it again.
"""Delivery to a client with QoS 1 or 2: the transition table."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTION",
    "ACTIONS",
    "AWAIT_PUBACK",
    "AWAIT_PUBCOMP",
    "AWAIT_PUBREC",
    "BREACH",
    "CITES",
    "DO_COMPLETE",
    "DO_IGNORE",
    "DO_PUBREL_NOT_FOUND",
    "DO_RESEND_PUBLISH",
    "DO_RESEND_PUBLISH_PLAIN",
    "DO_SEND_PUBLISH",
    "DO_SEND_PUBREL",
    "IDLE",
    "IMPOSSIBLE",
    "INPUTS",
    "NEXT",
    "ON_EXPIRED",
    "ON_PUBACK",
    "ON_PUBACK_ERROR",
    "ON_PUBCOMP",
    "ON_PUBREC",
    "ON_PUBREC_ERROR",
    "ON_RESUMED",
    "ON_SEND_QOS1",
    "ON_SEND_QOS2",
    "REASON",
    "STATES",
    "WIDTH",
]

# States.
IDLE: Final = 0  # The packet identifier is not in use.
AWAIT_PUBACK: Final = 1  # A PUBLISH with QoS 1 was sent.
AWAIT_PUBREC: Final = 2  # A PUBLISH with QoS 2 was sent.
AWAIT_PUBCOMP: Final = 3  # The PUBREL was sent.

# Inputs.
ON_SEND_QOS1: Final = 0  # A message is due with QoS 1.
ON_SEND_QOS2: Final = 1  # A message is due with QoS 2.
ON_PUBACK: Final = 2  # PUBACK with a reason below 0x80.
ON_PUBACK_ERROR: Final = 3  # PUBACK with a reason of 0x80 or above.
ON_PUBREC: Final = 4  # PUBREC with a reason below 0x80.
ON_PUBREC_ERROR: Final = 5  # PUBREC with a reason of 0x80 or above.
ON_PUBCOMP: Final = 6  # PUBCOMP, whatever its reason.
ON_RESUMED: Final = 7  # The session goes on over a new Network Connection.
ON_EXPIRED: Final = 8  # The Message Expiry Interval has passed.

# Actions.
BREACH: Final = 0  # The sender broke the statement that the row cites.
DO_SEND_PUBLISH: Final = 1  # Assign an unused packet identifier and send the PUBLISH with DUP 0.
DO_SEND_PUBREL: Final = 2  # Send a PUBREL, for the first time or again; the content of the message is not needed any more.
DO_COMPLETE: Final = 3  # The delivery is over: free the identifier, give the send quota back.
DO_RESEND_PUBLISH: Final = 4  # Send the PUBLISH again with its identifier and DUP 1.
DO_PUBREL_NOT_FOUND: Final = 5  # Answer with a PUBREL that says 0x92 (a plain one in 3.x).
DO_IGNORE: Final = 6  # Do nothing but count it.
DO_RESEND_PUBLISH_PLAIN: Final = 7  # Send the PUBLISH again with DUP 0; no row of the standard does this.

WIDTH: Final = 9
STATES: Final = (
    "idle", "await_puback", "await_pubrec", "await_pubcomp",
)
INPUTS: Final = (
    "send_qos1", "send_qos2", "puback", "puback_error", "pubrec", "pubrec_error", "pubcomp", "resumed", "expired",
)
ACTIONS: Final = (
    "violation", "send_publish", "send_pubrel", "complete", "resend_publish", "pubrel_not_found", "ignore",
    "resend_publish_plain",
)

# Indexed by state * WIDTH + input.
ACTION: list[int] = [
    1, 1, 6, 6, 5, 6, 6, 0, 0,  # idle
    0, 0, 3, 3, 0, 0, 0, 4, 6,  # await_puback
    0, 0, 0, 0, 2, 3, 0, 4, 6,  # await_pubrec
    0, 0, 0, 0, 2, 6, 3, 2, 0,  # await_pubcomp
]
NEXT: list[int] = [
    1, 2, 0, 0, 0, 0, 0, 0, 0,  # idle
    1, 1, 0, 0, 1, 1, 1, 1, 1,  # await_puback
    2, 2, 2, 2, 3, 0, 2, 2, 2,  # await_pubrec
    3, 3, 3, 3, 3, 3, 0, 3, 3,  # await_pubcomp
]
CITES: list[tuple[str, ...]] = [
    # idle
    ("MQTT5-4.3.2-1", "MQTT5-4.3.2-2", "MQTT5-2.2.1-4", "MQTT311-4.3.2-1", "MQTT311-2.3.1-4"),
    ("MQTT5-4.3.3-1", "MQTT5-4.3.3-2", "MQTT5-2.2.1-4", "MQTT311-4.3.3-1", "MQTT311-2.3.1-4"),
    ("MQTT5-4.4.0-2",),
    ("MQTT5-4.4.0-2",),
    ("MQTT5-4.3.3-4", "MQTT5-3.6.2-1"),
    ("MQTT5-4.4.0-2",),
    ("MQTT5-4.4.0-2",),
    (),
    (),
    # await_puback
    (),
    (),
    ("MQTT5-4.3.2-3", "MQTT311-4.3.2-1"),
    ("MQTT5-4.4.0-2", "MQTT5-4.8.2-6"),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-4.4.0-1", "MQTT5-3.3.1-1", "MQTT311-4.4.0-1", "MQTT311-3.3.1-1"),
    ("MQTT5-3.3.2-5",),
    # await_pubrec
    (),
    (),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-4.3.3-4", "MQTT5-4.3.3-3", "MQTT311-4.3.3-1"),
    ("MQTT5-4.4.0-2", "MQTT5-4.8.2-6"),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-4.4.0-1", "MQTT5-3.3.1-1", "MQTT311-4.4.0-1", "MQTT311-3.3.1-1"),
    ("MQTT5-4.3.3-7",),
    # await_pubcomp
    (),
    (),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1", "X31-protocol-violation"),
    ("MQTT5-4.3.3-4", "MQTT5-4.3.3-6"),
    ("MQTT5-4.3.3-5",),
    ("MQTT5-4.3.3-5", "MQTT311-4.3.3-1"),
    ("MQTT5-4.4.0-1", "MQTT5-4.3.3-6", "MQTT311-4.4.0-1"),
    (),
]
REASON: list[str] = [
    "", "", "", "", "", "", "", "", "",  # idle
    "", "", "", "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "",  # await_puback
    "", "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "PROTOCOL_ERROR", "", "",  # await_pubrec
    "", "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "", "",  # await_pubcomp
]

# Pairs of state and input that cannot happen.
IMPOSSIBLE: Final = frozenset(
    {
        7,  # an identifier that is not in use has no delivery
        8,  # an identifier that is not in use has no delivery
        9,  # only an unused identifier is assigned
        10,  # only an unused identifier is assigned
        18,  # only an unused identifier is assigned
        19,  # only an unused identifier is assigned
        27,  # only an unused identifier is assigned
        28,  # only an unused identifier is assigned
        35,  # a PUBREL carries no message that could expire
    }
)
