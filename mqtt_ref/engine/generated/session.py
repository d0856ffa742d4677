# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/session.toml`. Change that, then run it again.
"""The session: the transition table."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ABSENT",
    "ACTION",
    "ACTIONS",
    "ACTIVE",
    "BREACH",
    "CITES",
    "DORMANT",
    "DO_CREATE",
    "DO_CREATE_PRESENT",
    "DO_END",
    "DO_KEEP",
    "DO_REPLACE",
    "DO_RESUME",
    "DO_RESUME_UNANNOUNCED",
    "IMPOSSIBLE",
    "INPUTS",
    "NEXT",
    "ON_CLOSED_ENDING",
    "ON_CLOSED_KEEPING",
    "ON_CONNECT_CLEAN",
    "ON_CONNECT_RESUME",
    "ON_EXPIRED",
    "ON_REMOVED",
    "REASON",
    "STATES",
    "WIDTH",
]

# States.
ABSENT: Final = 0  # The server has no state for the client identifier.
ACTIVE: Final = 1  # A Network Connection is open.
DORMANT: Final = 2  # The client is away; its state is kept until the session expires.

# Inputs.
ON_CONNECT_CLEAN: Final = 0  # An accepted CONNECT with Clean Start 1.
ON_CONNECT_RESUME: Final = 1  # An accepted CONNECT with Clean Start 0.
ON_CLOSED_ENDING: Final = 2  # The Network Connection closed and the Session Expiry Interval is 0.
ON_CLOSED_KEEPING: Final = 3  # The Network Connection closed and the Session Expiry Interval is not 0.
ON_EXPIRED: Final = 4  # The Session Expiry Interval has passed since the close.
ON_REMOVED: Final = 5  # An administrator removes the session of a client that is away.

# Actions.
BREACH: Final = 0  # The sender broke the statement that the row cites.
DO_CREATE: Final = 1  # Make a new session; Session Present is 0.
DO_REPLACE: Final = 2  # Discard the old session, make a new one; Session Present is 0.
DO_RESUME: Final = 3  # Go on with the session and resend what is not acknowledged; Session Present is 1.
DO_END: Final = 4  # Discard the session.
DO_KEEP: Final = 5  # Keep the session until it expires.
DO_RESUME_UNANNOUNCED: Final = 6  # Go on with the session but say Session Present 0; no row of the standard does this.
DO_CREATE_PRESENT: Final = 7  # Make a new session but say Session Present 1; no row of the standard does this.

WIDTH: Final = 6
STATES: Final = (
    "absent", "active", "dormant",
)
INPUTS: Final = (
    "connect_clean", "connect_resume", "closed_ending", "closed_keeping", "expired", "removed",
)
ACTIONS: Final = (
    "violation", "create", "replace", "resume", "end", "keep", "resume_unannounced", "create_present",
)

# Indexed by state * WIDTH + input.
ACTION: list[int] = [
    1, 1, 0, 0, 0, 0,  # absent
    0, 0, 4, 5, 0, 0,  # active
    2, 3, 0, 0, 4, 4,  # dormant
]
NEXT: list[int] = [
    1, 1, 0, 0, 0, 0,  # absent
    1, 1, 0, 2, 1, 1,  # active
    1, 1, 2, 2, 0, 0,  # dormant
]
CITES: list[tuple[str, ...]] = [
    # absent
    ("MQTT5-3.1.2-4", "MQTT5-3.2.2-2", "MQTT311-3.1.2-6", "MQTT311-3.2.2-1"),
    ("MQTT5-3.1.2-6", "MQTT5-3.2.2-3", "MQTT311-3.1.2-4", "MQTT311-3.2.2-3"),
    (),
    (),
    (),
    (),
    # active
    (),
    (),
    ("MQTT5-4.1.0-2", "MQTT311-3.1.2-6"),
    ("MQTT5-3.1.2-23", "MQTT311-3.1.2-4", "MQTT311-3.1.2-5"),
    (),
    (),
    # dormant
    ("MQTT5-3.1.2-4", "MQTT5-3.2.2-2", "MQTT311-3.1.2-6", "MQTT311-3.2.2-1"),
    ("MQTT5-3.1.2-5", "MQTT5-3.2.2-3", "MQTT311-3.1.2-4", "MQTT311-3.2.2-2"),
    (),
    (),
    ("MQTT5-4.1.0-2",),
    ("X311-session-discarded",),
]
REASON: list[str] = [
    "", "", "", "", "", "",  # absent
    "", "", "", "", "", "",  # active
    "", "", "", "", "", "",  # dormant
]

# Pairs of state and input that cannot happen.
IMPOSSIBLE: Final = frozenset(
    {
        2,  # there is nothing to close or to end
        3,  # there is nothing to close or to end
        4,  # there is nothing to close or to end
        5,  # there is nothing to close or to end
        6,  # the open connection is closed first, and an open session does not expire
        7,  # the open connection is closed first, and an open session does not expire
        10,  # the open connection is closed first, and an open session does not expire
        11,  # the open connection is closed first, and an open session does not expire
        14,  # no connection is open
        15,  # no connection is open
    }
)
