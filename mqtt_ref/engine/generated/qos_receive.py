# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/qos_receive.toml`. Change that, then run it again.
"""Messages from a client with QoS 1 or 2: the transition table."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTION",
    "ACTIONS",
    "BREACH",
    "CITES",
    "DO_DELIVER_PUBACK",
    "DO_DELIVER_PUBREC",
    "DO_IN_USE",
    "DO_PUBCOMP",
    "DO_PUBCOMP_NOT_FOUND",
    "DO_PUBREC",
    "DO_REFUSE_PUBACK",
    "DO_REFUSE_PUBREC",
    "DO_SILENT",
    "FREE",
    "HELD",
    "IMPOSSIBLE",
    "INPUTS",
    "NEXT",
    "ON_PUBLISH_QOS1",
    "ON_PUBLISH_QOS2",
    "ON_PUBREL",
    "ON_REFUSED_QOS1",
    "ON_REFUSED_QOS2",
    "REASON",
    "STATES",
    "WIDTH",
]

# States.
FREE: Final = 0  # No exchange of QoS 2 has this identifier.
HELD: Final = 1  # The PUBREC was sent; the PUBREL is awaited.

# Inputs.
ON_PUBLISH_QOS1: Final = 0  # PUBLISH with QoS 1 that is accepted.
ON_PUBLISH_QOS2: Final = 1  # PUBLISH with QoS 2 that is accepted.
ON_REFUSED_QOS1: Final = 2  # PUBLISH with QoS 1 that is refused with a reason of 0x80 or above.
ON_REFUSED_QOS2: Final = 3  # PUBLISH with QoS 2 that is refused with a reason of 0x80 or above.
ON_PUBREL: Final = 4  # PUBREL, whatever its reason.

# Actions.
BREACH: Final = 0  # The sender broke the statement that the row cites.
DO_DELIVER_PUBACK: Final = 1  # Deliver the message and answer with a PUBACK.
DO_DELIVER_PUBREC: Final = 2  # Deliver the message, keep the identifier, answer with a PUBREC.
DO_REFUSE_PUBACK: Final = 3  # Deliver nothing; the PUBACK carries the reason (3.x: a plain one).
DO_REFUSE_PUBREC: Final = 4  # Deliver nothing; the PUBREC carries the reason (3.x: a plain one).
DO_PUBREC: Final = 5  # A repeat: answer with a PUBREC, deliver nothing.
DO_PUBCOMP: Final = 6  # Free the identifier and answer with a PUBCOMP.
DO_PUBCOMP_NOT_FOUND: Final = 7  # Answer with a PUBCOMP that says 0x92 (a plain one in 3.x).
DO_IN_USE: Final = 8  # Deliver nothing; the PUBACK says 0x91.
DO_SILENT: Final = 9  # Deliver nothing and answer nothing; no row of the standard does this.

WIDTH: Final = 5
STATES: Final = (
    "free", "held",
)
INPUTS: Final = (
    "publish_qos1", "publish_qos2", "refused_qos1", "refused_qos2", "pubrel",
)
ACTIONS: Final = (
    "violation", "deliver_puback", "deliver_pubrec", "refuse_puback", "refuse_pubrec", "pubrec", "pubcomp",
    "pubcomp_not_found", "in_use", "silent",
)

# Indexed by state * WIDTH + input.
ACTION: list[int] = [
    1, 2, 3, 4, 7,  # free
    8, 5, 8, 5, 6,  # held
]
NEXT: list[int] = [
    0, 1, 0, 0, 0,  # free
    1, 1, 1, 1, 0,  # held
]
CITES: list[tuple[str, ...]] = [
    # free
    ("MQTT5-4.3.2-4", "MQTT5-4.3.2-5", "MQTT311-4.3.2-2"),
    ("MQTT5-4.3.3-8", "MQTT5-4.3.3-12", "MQTT311-4.3.3-2"),
    ("MQTT5-3.4.2-1", "MQTT311-3.3.5-2", "X31-publish-unauthorized"),
    ("MQTT5-3.5.2-1", "MQTT5-4.3.3-9", "MQTT311-3.3.5-2", "X31-publish-unauthorized"),
    ("MQTT5-4.3.3-11", "MQTT5-3.7.2-1", "MQTT311-4.3.3-2"),
    # held
    ("MQTT5-2.2.1-3", "MQTT5-3.4.2-1", "MQTT311-2.3.1-2"),
    ("MQTT5-4.3.3-10", "MQTT311-4.3.3-2"),
    ("MQTT5-2.2.1-3", "MQTT5-3.4.2-1", "MQTT311-2.3.1-2"),
    ("MQTT5-4.3.3-10", "MQTT311-4.3.3-2"),
    ("MQTT5-4.3.3-11", "MQTT311-4.3.3-2"),
]
REASON: list[str] = [
    "", "", "", "", "",  # free
    "", "", "", "", "",  # held
]

# Pairs of state and input that cannot happen.
IMPOSSIBLE: Final = frozenset[int]()
