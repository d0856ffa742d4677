# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/auth.toml`. Change that, then run it again.
"""Enhanced authentication: the transition table."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTION",
    "ACTIONS",
    "ASKED",
    "BREACH",
    "CHALLENGED",
    "CITES",
    "DO_ACCEPT",
    "DO_ASK",
    "DO_EXPEL",
    "DO_REFUSE",
    "DO_SEND_CONTINUE",
    "DO_SEND_SUCCESS",
    "IMPOSSIBLE",
    "INPUTS",
    "NEXT",
    "ON_CHALLENGE",
    "ON_CONTINUE",
    "ON_FAILURE",
    "ON_METHOD",
    "ON_OTHER_METHOD",
    "ON_REAUTHENTICATE",
    "ON_SUCCESS",
    "ON_TIMEOUT",
    "REASKED",
    "REASON",
    "RECHALLENGED",
    "SETTLED",
    "STATES",
    "UNUSED",
    "WIDTH",
]

# States.
UNUSED: Final = 0  # The CONNECT named no Authentication Method.
ASKED: Final = 1  # The mechanism was asked about the CONNECT or an AUTH before the CONNACK.
CHALLENGED: Final = 2  # An AUTH with 0x18 was sent before the CONNACK; the client answers next.
SETTLED: Final = 3  # The client is authenticated and no exchange is running.
REASKED: Final = 4  # The mechanism was asked about an AUTH of a re-authentication.
RECHALLENGED: Final = 5  # An AUTH with 0x18 was sent in a re-authentication; the client answers next.

# Inputs.
ON_METHOD: Final = 0  # The CONNECT names a method that the server supports.
ON_CONTINUE: Final = 1  # AUTH with reason 0x18 and the method of the CONNECT.
ON_REAUTHENTICATE: Final = 2  # AUTH with reason 0x19 and the method of the CONNECT.
ON_OTHER_METHOD: Final = 3  # AUTH without a method or with another one than the CONNECT.
ON_CHALLENGE: Final = 4  # The mechanism answers: more is needed.
ON_SUCCESS: Final = 5  # The mechanism answers: authenticated.
ON_FAILURE: Final = 6  # The mechanism answers: no.
ON_TIMEOUT: Final = 7  # The exchange took too long.

# Actions.
BREACH: Final = 0  # The sender broke the statement that the row cites.
DO_ASK: Final = 1  # Ask the mechanism.
DO_SEND_CONTINUE: Final = 2  # Send AUTH with 0x18 and the mechanism's data.
DO_ACCEPT: Final = 3  # Accept the CONNECT; the CONNACK carries method and data.
DO_REFUSE: Final = 4  # Refuse the CONNECT.
DO_SEND_SUCCESS: Final = 5  # Send AUTH with 0x00: the re-authentication is done.
DO_EXPEL: Final = 6  # Send a DISCONNECT with 0x87 and close.

WIDTH: Final = 8
STATES: Final = (
    "unused", "asked", "challenged", "settled", "reasked", "rechallenged",
)
INPUTS: Final = (
    "method", "continue", "reauthenticate", "other_method", "challenge", "success", "failure", "timeout",
)
ACTIONS: Final = (
    "violation", "ask", "send_continue", "accept", "refuse", "send_success", "expel",
)

# Indexed by state * WIDTH + input.
ACTION: list[int] = [
    1, 0, 0, 0, 0, 0, 0, 0,  # unused
    0, 0, 0, 0, 2, 3, 4, 0,  # asked
    0, 1, 0, 0, 0, 0, 0, 0,  # challenged
    0, 0, 1, 0, 0, 0, 0, 0,  # settled
    0, 0, 0, 0, 2, 5, 6, 6,  # reasked
    0, 1, 0, 0, 0, 0, 0, 6,  # rechallenged
]
NEXT: list[int] = [
    1, 0, 0, 0, 0, 0, 0, 0,  # unused
    1, 1, 1, 1, 2, 3, 0, 1,  # asked
    2, 1, 2, 2, 2, 2, 2, 2,  # challenged
    3, 3, 4, 3, 3, 3, 3, 3,  # settled
    4, 4, 4, 4, 5, 3, 3, 3,  # reasked
    5, 4, 5, 5, 5, 5, 5, 3,  # rechallenged
]
CITES: list[tuple[str, ...]] = [
    # unused
    ("MQTT5-4.12.0-1",),
    ("MQTT5-4.12.0-7",),
    ("MQTT5-4.12.0-7",),
    (),
    (),
    (),
    (),
    (),
    # asked
    (),
    ("MQTT5-4.12.0-3",),
    ("MQTT5-4.12.1-1",),
    ("MQTT5-4.12.0-5",),
    ("MQTT5-4.12.0-2", "MQTT5-4.12.0-5"),
    ("MQTT5-4.12.0-5",),
    ("MQTT5-4.12.0-4",),
    (),
    # challenged
    (),
    ("MQTT5-4.12.0-3",),
    ("MQTT5-4.12.1-1",),
    ("MQTT5-4.12.0-5",),
    (),
    (),
    (),
    (),
    # settled
    (),
    ("MQTT5-4.12.0-3",),
    ("MQTT5-4.12.1-1",),
    ("MQTT5-4.12.0-5",),
    (),
    (),
    (),
    (),
    # reasked
    (),
    ("MQTT5-4.12.0-3",),
    ("MQTT5-4.12.1-1",),
    ("MQTT5-4.12.0-5",),
    ("MQTT5-4.12.0-2", "MQTT5-4.12.0-5"),
    ("MQTT5-4.12.1-1", "MQTT5-4.12.0-5"),
    ("MQTT5-4.12.1-2",),
    ("MQTT5-4.12.1-2",),
    # rechallenged
    (),
    ("MQTT5-4.12.0-3",),
    ("MQTT5-4.12.1-1",),
    ("MQTT5-4.12.0-5",),
    (),
    (),
    (),
    ("MQTT5-4.12.1-2",),
]
REASON: list[str] = [
    "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "", "",  # unused
    "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "",  # asked
    "", "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "",  # challenged
    "", "PROTOCOL_ERROR", "", "PROTOCOL_ERROR", "", "", "", "",  # settled
    "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "",  # reasked
    "", "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "",  # rechallenged
]

# Pairs of state and input that cannot happen.
IMPOSSIBLE: Final = frozenset(
    {
        3,  # there is no method that it could differ from
        4,  # nobody was asked
        5,  # nobody was asked
        6,  # nobody was asked
        7,  # nobody was asked
        8,  # a connection has one CONNECT
        15,  # the time for a connection to be accepted is that of the connection
        16,  # a connection has one CONNECT
        20,  # nobody was asked
        21,  # nobody was asked
        22,  # nobody was asked
        23,  # the time for a connection to be accepted is that of the connection
        24,  # a connection has one CONNECT
        28,  # nobody was asked
        29,  # nobody was asked
        30,  # no exchange is running
        31,  # no exchange is running
        32,  # a connection has one CONNECT
        40,  # a connection has one CONNECT
        44,  # nobody was asked
        45,  # nobody was asked
        46,  # nobody was asked
    }
)
