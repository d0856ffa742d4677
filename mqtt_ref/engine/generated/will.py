# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/will.toml`. Change that, then run it again.
"""The Will Message: the transition table."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTION",
    "ACTIONS",
    "ARMED",
    "BREACH",
    "CITES",
    "DELAYED",
    "DO_DELAY",
    "DO_DELETE",
    "DO_NOTHING",
    "DO_PUBLISH",
    "DO_STORE",
    "IMPOSSIBLE",
    "INPUTS",
    "NEXT",
    "NONE",
    "ON_ABSENT",
    "ON_CLOSED",
    "ON_CLOSED_DELAY",
    "ON_ELAPSED",
    "ON_ENDED",
    "ON_GOODBYE",
    "ON_RESUMED",
    "ON_STORED",
    "ON_TAKEN_OVER",
    "REASON",
    "STATES",
    "WIDTH",
]

# States.
NONE: Final = 0  # There is no Will Message.
ARMED: Final = 1  # The Will Message is stored and its Network Connection is open.
DELAYED: Final = 2  # The Network Connection closed and the Will Delay Interval is running.

# Inputs.
ON_STORED: Final = 0  # An accepted CONNECT brought a Will Message.
ON_ABSENT: Final = 1  # An accepted CONNECT brought none.
ON_GOODBYE: Final = 2  # DISCONNECT with reason 0x00, and every DISCONNECT of 3.x.
ON_CLOSED: Final = 3  # Closed otherwise, with no Will Delay or with a session that ends at the close.
ON_CLOSED_DELAY: Final = 4  # Closed otherwise, with a Will Delay and a session that goes on.
ON_TAKEN_OVER: Final = 5  # Closed by a new connection that goes on with the session, while the Will Delay is not 0.
ON_ELAPSED: Final = 6  # The Will Delay Interval has passed.
ON_RESUMED: Final = 7  # A new connection goes on with the session.
ON_ENDED: Final = 8  # The session ends.

# Actions.
BREACH: Final = 0  # The sender broke the statement that the row cites.
DO_STORE: Final = 1  # Keep the Will Message.
DO_NOTHING: Final = 2  # Nothing is to be done.
DO_DELETE: Final = 3  # Delete the Will Message without publishing it.
DO_PUBLISH: Final = 4  # Publish the Will Message and delete it.
DO_DELAY: Final = 5  # Let the Will Delay Interval run.

WIDTH: Final = 9
STATES: Final = (
    "none", "armed", "delayed",
)
INPUTS: Final = (
    "stored", "absent", "goodbye", "closed", "closed_delay", "taken_over", "elapsed", "resumed", "ended",
)
ACTIONS: Final = (
    "violation", "store", "nothing", "delete", "publish", "delay",
)

# Indexed by state * WIDTH + input.
ACTION: list[int] = [
    1, 2, 2, 2, 0, 0, 0, 2, 2,  # none
    0, 0, 3, 4, 5, 3, 0, 0, 4,  # armed
    0, 0, 0, 0, 0, 0, 4, 3, 4,  # delayed
]
NEXT: list[int] = [
    1, 0, 0, 0, 0, 0, 0, 0, 0,  # none
    1, 1, 0, 0, 2, 0, 1, 1, 0,  # armed
    2, 2, 2, 2, 2, 2, 0, 0, 0,  # delayed
]
CITES: list[tuple[str, ...]] = [
    # none
    ("MQTT5-3.1.2-7", "MQTT311-3.1.2-8"),
    ("MQTT311-3.1.2-12", "MQTT5-3.1.2-8"),
    ("MQTT311-3.1.2-12", "MQTT5-3.1.2-8"),
    ("MQTT311-3.1.2-12", "MQTT5-3.1.2-8"),
    (),
    (),
    (),
    ("MQTT311-3.1.2-12", "MQTT5-3.1.2-8"),
    ("MQTT311-3.1.2-12", "MQTT5-3.1.2-8"),
    # armed
    (),
    (),
    ("MQTT5-3.1.2-10", "MQTT5-3.14.4-3", "MQTT311-3.1.2-10", "MQTT311-3.14.4-3"),
    ("MQTT5-3.1.2-8", "MQTT5-3.1.2-10", "MQTT311-3.1.2-8", "MQTT311-3.1.2-10", "X31-will-situations"),
    ("MQTT5-3.1.2-8",),
    ("MQTT5-3.1.3-9",),
    (),
    (),
    ("MQTT5-3.1.2-8",),
    # delayed
    (),
    (),
    (),
    (),
    (),
    (),
    ("MQTT5-3.1.2-8", "MQTT5-3.1.2-10"),
    ("MQTT5-3.1.3-9",),
    ("MQTT5-3.1.2-8", "MQTT5-3.1.2-10"),
]
REASON: list[str] = [
    "", "", "", "", "", "", "", "", "",  # none
    "", "", "", "", "", "", "", "", "",  # armed
    "", "", "", "", "", "", "", "", "",  # delayed
]

# Pairs of state and input that cannot happen.
IMPOSSIBLE: Final = frozenset(
    {
        4,  # a will that is not there has no Will Delay Interval
        5,  # a will that is not there has no Will Delay Interval
        6,  # a will that is not there has no Will Delay Interval
        9,  # the connection that armed it is still open
        10,  # the connection that armed it is still open
        15,  # the connection that armed it is still open
        16,  # the connection that armed it is still open
        18,  # resumed or ended comes first, and no connection is open
        19,  # resumed or ended comes first, and no connection is open
        20,  # resumed or ended comes first, and no connection is open
        21,  # resumed or ended comes first, and no connection is open
        22,  # resumed or ended comes first, and no connection is open
        23,  # resumed or ended comes first, and no connection is open
    }
)
