# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/connection.toml`. Change that, then run it again.
"""The Network Connection: the transition table."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ACTION",
    "ACTIONS",
    "AUTHENTICATING",
    "AWAIT_CONNECT",
    "BREACH",
    "CITES",
    "CLOSED",
    "CONNECTED",
    "DECIDING",
    "DO_ACKNOWLEDGE",
    "DO_AUTH",
    "DO_CLOSE",
    "DO_CONNECT",
    "DO_DISCONNECT",
    "DO_EXPEL",
    "DO_HOLD",
    "DO_IGNORE",
    "DO_PINGRESP",
    "DO_PUBLISH",
    "DO_REACT",
    "DO_REFUSE",
    "DO_RELEASE",
    "DO_SUBSCRIBE",
    "DO_UNSUBSCRIBE",
    "DO_WAIT",
    "DO_WELCOME",
    "IMPOSSIBLE",
    "INPUTS",
    "NEXT",
    "ON_ACCEPTED",
    "ON_ASKED",
    "ON_AUTH",
    "ON_CHALLENGED",
    "ON_CONNECT",
    "ON_DISCONNECT",
    "ON_DISMISSED",
    "ON_LOST",
    "ON_PINGREQ",
    "ON_PUBACK",
    "ON_PUBCOMP",
    "ON_PUBLISH",
    "ON_PUBREC",
    "ON_PUBREL",
    "ON_REFUSED",
    "ON_SUBSCRIBE",
    "ON_TIMEOUT",
    "ON_UNSUBSCRIBE",
    "ON_VIOLATION",
    "REASON",
    "STATES",
    "WIDTH",
]

# States.
AWAIT_CONNECT: Final = 0  # The link is open; nothing but a CONNECT may come.
AUTHENTICATING: Final = 1  # The CONNECT named an Authentication Method and the exchange of AUTH packets is running.
DECIDING: Final = 2  # The question whether the client may connect has left and its answer is awaited; packets are held.
CONNECTED: Final = 3  # The CONNACK with reason 0x00 was sent.
CLOSED: Final = 4  # Nothing is read any more, and nothing is sent after what was already queued.

# Inputs.
ON_VIOLATION: Final = 0  # The decoder found a broken rule.
ON_CONNECT: Final = 1  # CONNECT
ON_PUBLISH: Final = 3  # PUBLISH
ON_PUBACK: Final = 4  # PUBACK
ON_PUBREC: Final = 5  # PUBREC
ON_PUBREL: Final = 6  # PUBREL
ON_PUBCOMP: Final = 7  # PUBCOMP
ON_SUBSCRIBE: Final = 8  # SUBSCRIBE
ON_UNSUBSCRIBE: Final = 10  # UNSUBSCRIBE
ON_PINGREQ: Final = 12  # PINGREQ
ON_DISCONNECT: Final = 14  # DISCONNECT
ON_AUTH: Final = 15  # AUTH
ON_ACCEPTED: Final = 16  # The client may connect.
ON_REFUSED: Final = 17  # The client may not connect.
ON_ASKED: Final = 18  # A question left that must be answered before the client may connect.
ON_CHALLENGED: Final = 19  # The authentication mechanism wants more from the client.
ON_TIMEOUT: Final = 20  # No CONNECT, no answer or no packet within the time that is allowed.
ON_DISMISSED: Final = 21  # The server ends the connection: session taken over, shutdown, administrative action.
ON_LOST: Final = 22  # The link is gone.

# Actions.
BREACH: Final = 0  # The sender broke the statement that the row cites.
DO_CONNECT: Final = 1  # Check the CONNECT and decide on it.
DO_PUBLISH: Final = 2  # Take the message in.
DO_ACKNOWLEDGE: Final = 3  # Give the acknowledgement to the exchange of its packet identifier.
DO_RELEASE: Final = 4  # Give the PUBREL to the exchange of its packet identifier.
DO_SUBSCRIBE: Final = 5  # Make the subscriptions and answer with a SUBACK.
DO_UNSUBSCRIBE: Final = 6  # Delete the subscriptions and answer with an UNSUBACK.
DO_PINGRESP: Final = 7  # Answer with a PINGRESP.
DO_DISCONNECT: Final = 8  # The client says goodbye: settle the will and the session, close.
DO_AUTH: Final = 9  # Give the AUTH to the auth machine.
DO_HOLD: Final = 10  # Keep the packet until the answer has come.
DO_WELCOME: Final = 11  # Send the CONNACK with reason 0x00 and start the session.
DO_REFUSE: Final = 12  # Send a CONNACK with a reason of 0x80 or above where the version has one, and close.
DO_WAIT: Final = 13  # Nothing to send; wait for what comes next.
DO_CLOSE: Final = 14  # Close without a packet.
DO_EXPEL: Final = 15  # Send a DISCONNECT with the reason (5.0 only) and close.
DO_REACT: Final = 16  # Do what the reaction table says about the broken rule.
DO_IGNORE: Final = 17  # Do nothing.

WIDTH: Final = 23
STATES: Final = (
    "await_connect", "authenticating", "deciding", "connected", "closed",
)
INPUTS: Final = (
    "violation", "connect", "", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "", "unsubscribe",
    "", "pingreq", "", "disconnect", "auth", "accepted", "refused", "asked", "challenged", "timeout", "dismissed",
    "lost",
)
ACTIONS: Final = (
    "violation", "connect", "publish", "acknowledge", "release", "subscribe", "unsubscribe", "pingresp",
    "disconnect", "auth", "hold", "welcome", "refuse", "wait", "close", "expel", "react", "ignore",
)

# Indexed by state * WIDTH + input.
ACTION: list[int] = [
    16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 12, 13, 13, 14, 14, 14,  # await_connect
    16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 9, 11, 12, 0, 0, 12, 12, 14,  # authenticating
    16, 0, 0, 10, 10, 10, 10, 10, 10, 0, 10, 0, 10, 0, 10, 10, 11, 12, 0, 0, 12, 12, 14,  # deciding
    16, 0, 0, 2, 3, 3, 4, 3, 5, 0, 6, 0, 7, 0, 8, 9, 0, 0, 0, 0, 15, 15, 14,  # connected
    17, 17, 0, 17, 17, 17, 17, 17, 17, 0, 17, 0, 17, 0, 17, 17, 17, 17, 17, 17, 0, 17, 17,  # closed
]
NEXT: list[int] = [
    4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 4, 2, 1, 4, 4, 4,  # await_connect
    4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 3, 4, 1, 1, 4, 4, 4,  # authenticating
    4, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 2, 2, 4, 4, 4,  # deciding
    4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3, 3, 3, 3, 4, 4, 4,  # connected
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,  # closed
]
CITES: list[tuple[str, ...]] = [
    # await_connect
    ("MQTT5-3.14.0-1", "MQTT5-4.13.1-1", "MQTT311-4.8.0-1"),
    ("MQTT5-3.1.4-1", "MQTT5-3.1.4-5", "MQTT311-3.1.4-1", "MQTT311-3.1.4-4"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1", "X31-protocol-violation"),
    ("MQTT5-3.1.4-5", "MQTT5-3.2.0-1", "MQTT311-3.1.4-4", "MQTT311-3.2.0-1"),
    ("MQTT5-3.1.4-2", "MQTT5-3.2.2-7", "MQTT311-3.2.2-5", "X31-connack-refused-close"),
    ("MQTT5-3.1.4-2", "X311-connect-checks", "X311-pipelining"),
    ("MQTT5-4.12.0-2",),
    ("X311-connect-timeout",),
    ("MQTT5-3.14.0-1",),
    ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    # authenticating
    ("MQTT5-3.14.0-1", "MQTT5-4.13.1-1"),
    ("MQTT5-3.1.0-2",),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.2-30",),
    ("MQTT5-3.1.2-30",),
    ("MQTT5-3.1.2-30",),
    ("MQTT5-3.1.2-30",),
    ("MQTT5-3.1.2-30",),
    ("MQTT5-3.1.2-30",),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.2-30",),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.2-30",),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.2-30",),
    ("MQTT5-4.12.0-3",),
    ("MQTT5-3.1.4-5", "MQTT5-3.2.0-1"),
    ("MQTT5-4.12.0-4", "MQTT5-3.2.2-7"),
    (),
    (),
    ("MQTT5-4.12.0-4",),
    ("MQTT5-3.14.0-1", "MQTT5-4.12.0-4"),
    ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    # deciding
    ("MQTT5-3.14.0-1", "MQTT5-4.13.1-1", "MQTT311-4.8.0-1"),
    ("MQTT5-3.1.0-2", "MQTT311-3.1.0-2", "X31-protocol-violation"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining", "MQTT5-3.3.4-1", "MQTT311-3.3.4-1"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining", "MQTT5-4.3.3-11", "MQTT311-4.3.3-2"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining", "MQTT5-3.8.4-1", "MQTT311-3.8.4-1"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining", "MQTT5-3.10.4-4", "MQTT311-3.10.4-4"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining", "MQTT5-3.12.4-1", "MQTT311-3.12.4-1"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining", "MQTT5-3.14.4-3", "MQTT311-3.14.4-3"),
    ("MQTT5-3.1.4-6", "MQTT311-3.1.4-5", "X311-pipelining", "MQTT5-4.12.0-7"),
    ("MQTT5-3.1.4-5", "MQTT5-3.2.0-1", "MQTT311-3.1.4-4", "MQTT311-3.2.0-1"),
    ("MQTT5-3.1.4-2", "MQTT5-3.1.4-6", "MQTT5-3.2.2-7", "MQTT311-3.1.4-5", "MQTT311-3.2.2-5"),
    (),
    (),
    ("MQTT5-3.1.4-2", "X311-connect-refused-close"),
    ("MQTT5-3.14.0-1",),
    ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    # connected
    ("MQTT5-4.13.1-1", "MQTT311-4.8.0-1"),
    ("MQTT5-3.1.0-2", "MQTT311-3.1.0-2", "X311-connect-once"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1"),
    ("MQTT5-2.2.1-5", "MQTT5-4.9.0-3", "MQTT311-2.3.1-6"),
    ("MQTT5-2.2.1-5", "MQTT5-4.9.0-3", "MQTT311-2.3.1-6"),
    ("MQTT5-4.3.3-11", "MQTT5-4.9.0-3"),
    ("MQTT5-2.2.1-5", "MQTT5-4.9.0-3", "MQTT311-2.3.1-6"),
    ("MQTT5-3.8.4-1", "MQTT5-4.9.0-3", "MQTT311-3.8.4-1"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.10.4-4", "MQTT5-4.9.0-3", "MQTT311-3.10.4-4"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.12.4-1", "MQTT311-3.12.4-1"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.14.4-3", "MQTT311-3.14.4-3", "X311-disconnect-server-closes"),
    ("MQTT5-4.12.1-1",),
    (),
    (),
    (),
    (),
    ("MQTT5-3.1.2-22", "MQTT311-3.1.2-24", "X31-keep-alive"),
    ("MQTT5-3.1.4-3", "MQTT5-3.14.4-2", "MQTT311-3.1.4-2", "X31-client-id-in-use"),
    ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    # closed
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("X5-packet-direction", "X311-packet-direction", "X31-packet-direction"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    (),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
    ("MQTT5-3.14.4-1", "MQTT5-4.13.2-1", "MQTT311-3.1.4-5"),
]
REASON: list[str] = [
    "", "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR",
    "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR",
    "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "", "", "", "",  # await_connect
    "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR",
    "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "PROTOCOL_ERROR",
    "PROTOCOL_ERROR", "", "", "", "", "", "", "", "", "",  # authenticating
    "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "", "", "", "PROTOCOL_ERROR", "", "PROTOCOL_ERROR", "",
    "PROTOCOL_ERROR", "", "", "", "", "", "", "", "", "",  # deciding
    "", "PROTOCOL_ERROR", "PROTOCOL_ERROR", "", "", "", "", "", "", "PROTOCOL_ERROR", "", "PROTOCOL_ERROR", "",
    "PROTOCOL_ERROR", "", "", "", "", "", "", "", "", "",  # connected
    "", "", "PROTOCOL_ERROR", "", "", "", "", "", "", "PROTOCOL_ERROR", "", "PROTOCOL_ERROR", "", "PROTOCOL_ERROR",
    "", "", "", "", "", "", "", "", "",  # closed
]

# Pairs of state and input that cannot happen.
IMPOSSIBLE: Final = frozenset(
    {
        41,  # each further step of the exchange is one of the auth machine
        42,  # each further step of the exchange is one of the auth machine
        64,  # one question is asked about a client, and it is open
        65,  # one question is asked about a client, and it is open
        85,  # a connection has one CONNECT, and it was accepted
        86,  # a connection has one CONNECT, and it was accepted
        87,  # a connection has one CONNECT, and it was accepted
        88,  # a connection has one CONNECT, and it was accepted
        112,  # a closed connection has no time limit
    }
)
