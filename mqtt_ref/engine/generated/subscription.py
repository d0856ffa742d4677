# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/subscription.toml`. Change that, then run it again.
"""The subscription: the transition table."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ABSENT",
    "ACTION",
    "ACTIONS",
    "BREACH",
    "CITES",
    "DO_DELETE",
    "DO_NOT_FOUND",
    "DO_PUT",
    "DO_PUT_RETAINED",
    "IMPOSSIBLE",
    "INPUTS",
    "NEXT",
    "ON_HANDLING_0",
    "ON_HANDLING_1",
    "ON_HANDLING_2",
    "ON_SHARED",
    "ON_UNSUBSCRIBE",
    "PRESENT",
    "REASON",
    "STATES",
    "WIDTH",
]

# States.
ABSENT: Final = 0  # The session has no subscription with this filter.
PRESENT: Final = 1  # The session has a subscription with this filter.

# Inputs.
ON_HANDLING_0: Final = 0  # SUBSCRIBE with Retain Handling 0, and every SUBSCRIBE of 3.x.
ON_HANDLING_1: Final = 1  # SUBSCRIBE with Retain Handling 1.
ON_HANDLING_2: Final = 2  # SUBSCRIBE with Retain Handling 2.
ON_SHARED: Final = 3  # SUBSCRIBE with a Shared Subscription, whatever its Retain Handling.
ON_UNSUBSCRIBE: Final = 4  # UNSUBSCRIBE.

# Actions.
BREACH: Final = 0  # The sender broke the statement that the row cites.
DO_PUT: Final = 1  # Make the subscription or replace it; send no retained messages.
DO_PUT_RETAINED: Final = 2  # Make the subscription or replace it, then send the retained messages that match.
DO_DELETE: Final = 3  # Delete the subscription: 0x00.
DO_NOT_FOUND: Final = 4  # There is nothing to delete: 0x11.

WIDTH: Final = 5
STATES: Final = (
    "absent", "present",
)
INPUTS: Final = (
    "handling_0", "handling_1", "handling_2", "shared", "unsubscribe",
)
ACTIONS: Final = (
    "violation", "put", "put_retained", "delete", "not_found",
)

# Indexed by state * WIDTH + input.
ACTION: list[int] = [
    2, 2, 1, 1, 4,  # absent
    2, 1, 1, 1, 3,  # present
]
NEXT: list[int] = [
    1, 1, 1, 1, 0,  # absent
    1, 1, 1, 1, 0,  # present
]
CITES: list[tuple[str, ...]] = [
    # absent
    ("MQTT5-3.3.1-9", "MQTT311-3.3.1-6", "X31-retain-new-subscription"),
    ("MQTT5-3.3.1-10",),
    ("MQTT5-3.3.1-11",),
    ("MQTT5-3.8.4-3",),
    ("MQTT5-3.10.4-5", "MQTT311-3.10.4-5"),
    # present
    ("MQTT5-3.3.1-9", "MQTT5-3.8.4-3", "MQTT5-3.8.4-4", "MQTT311-3.8.4-3"),
    ("MQTT5-3.3.1-10", "MQTT5-3.8.4-3"),
    ("MQTT5-3.3.1-11",),
    ("MQTT5-3.8.4-3",),
    ("MQTT5-3.10.4-1", "MQTT5-3.10.4-2", "MQTT311-3.10.4-1", "MQTT311-3.10.4-2"),
]
REASON: list[str] = [
    "", "", "", "", "",  # absent
    "", "", "", "", "",  # present
]

# Pairs of state and input that cannot happen.
IMPOSSIBLE: Final = frozenset[int]()
