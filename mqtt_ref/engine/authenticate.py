# SPDX-License-Identifier: MIT
"""Enhanced authentication (4.12): the exchange of AUTH packets, before the CONNACK and for re-authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import acks, connect
from mqtt_ref.engine.access import ACCEPT, CHALLENGE, REFUSE, Verdict
from mqtt_ref.engine.generated.auth import (
    BREACH,
    CITES,
    DO_ACCEPT,
    DO_ASK,
    DO_EXPEL,
    DO_REFUSE,
    DO_SEND_CONTINUE,
    DO_SEND_SUCCESS,
    ON_CHALLENGE,
    ON_CONTINUE,
    ON_FAILURE,
    ON_METHOD,
    ON_OTHER_METHOD,
    ON_REAUTHENTICATE,
    ON_SUCCESS,
    ON_TIMEOUT,
    REASKED,
    RECHALLENGED,
    UNUSED,
    WIDTH,
)
from mqtt_ref.engine.generated.connection import CONNECTED, DO_WAIT, ON_CHALLENGED
from mqtt_ref.engine.message import SECOND
from mqtt_ref.engine.reacting import breach, dismiss
from mqtt_ref.wire.codes import (
    AUTH,
    CONTINUE_AUTHENTICATION,
    NOT_AUTHORIZED,
    PACKET_TOO_LARGE,
    PROTOCOL_ERROR,
)

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.wire.packets import Auth, Connect

__all__ = ["Authentication", "answered", "begin", "received", "timed_out"]


class Authentication:
    """The authentication of a client: its open question, and the exchange of AUTH packets if its CONNECT began one."""

    __slots__ = ("connect", "deadline", "method", "question", "state")

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.method = ""
        """The Authentication Method of the CONNECT, or empty."""
        self.state: int = UNUSED
        self.deadline = 0
        """Time by which it must be complete, or 0."""
        self.question = 0
        """The number of the open question, or 0."""


def begin(connection: Connection, auth: Authentication, data: bytes | None, now: int) -> None:
    """Begin the exchange for a CONNECT whose Authentication Method is supported.

    Cites: MQTT5-4.12.0-1
    """
    broker = connection.broker
    at = connection.step(ON_CHALLENGED)
    if broker.tables.connection_action[at] == DO_WAIT:
        auth.deadline = now + broker.options.bounds.answer_timeout * SECOND
        broker.timers.wake(connection, auth.deadline)
        _step(connection, auth, ON_METHOD, data, now)
    connection.done(at, now)


def received(connection: Connection, packet: Auth, now: int) -> None:
    """Handle an AUTH from the client. Its Authentication Method must be that of the CONNECT.

    Cites: MQTT5-4.12.0-5, MQTT5-4.12.1-1, X5-auth-other-method, X5-reauthentication-data-first
    """
    properties = packet.properties
    method = None if properties is None else properties.authentication_method
    code = packet.reason_code
    data = None if properties is None else properties.authentication_data
    auth = connection.auth
    if auth is not None and method != auth.method:
        event = ON_OTHER_METHOD
    elif code == CONTINUE_AUTHENTICATION:
        event = ON_CONTINUE
    else:
        event = ON_REAUTHENTICATE  # the decoder takes no other reason from a client [MQTT5-3.15.2-1]
    if auth is None:
        # The CONNECT named no method, so there is no exchange. The row of its first state applies.
        at = UNUSED * WIDTH + event
        if connection.broker.tables.auth_action[at] == BREACH:
            breach(connection, CITES[at], PROTOCOL_ERROR, AUTH, now, "An AUTH that does not belong here")
        return
    if event == ON_REAUTHENTICATE and connection.state == CONNECTED and auth.deadline == 0:
        auth.deadline = now + connection.broker.options.bounds.answer_timeout * SECOND
        connection.broker.timers.wake(connection, auth.deadline)
    _step(connection, auth, event, data, now)


def answered(connection: Connection, verdict: Verdict, now: int) -> None:
    """Continue an authentication with the answer to its question.

    Cites: X5-authentication-accepted, X5-reauthentication-reply, X5-auth-reauthenticate-client,
    X5-reauthentication-continue
    """
    auth = connection.auth
    if auth is None or auth.state == UNUSED:
        connect.answered(connection, verdict, now)
        return
    auth.question = 0
    if verdict.outcome == ACCEPT:
        event = ON_SUCCESS
    elif verdict.outcome == CHALLENGE:
        event = ON_CHALLENGE
    else:
        event = ON_FAILURE
    _step(connection, auth, event, verdict.data, now, verdict)


def timed_out(connection: Connection, now: int) -> None:
    """End a re-authentication that took too long."""
    auth = connection.auth
    if auth is not None:
        _step(connection, auth, ON_TIMEOUT, None, now)


def _step(
    connection: Connection,
    auth: Authentication,
    event: int,
    data: bytes | None,
    now: int,
    verdict: Verdict | None = None,
) -> None:
    """Make one transition of the auth machine. It is separate from the connection's, so that other packets continue.

    Cites: X5-reauthentication-other-packets
    """
    tables = connection.broker.tables
    at = auth.state * WIDTH + event
    action = tables.auth_action[at]
    auth.state = tables.auth_next[at]
    if action == DO_ASK:
        _ask(connection, auth, data, now)
    elif action == DO_SEND_CONTINUE:
        _send(connection, CONTINUE_AUTHENTICATION, auth.method, data, now)
    elif action == DO_ACCEPT:
        auth.deadline = 0
        connect.accept(connection, auth.connect, verdict, now)
    elif action == DO_REFUSE:
        auth.deadline = 0
        if verdict is None:
            verdict = Verdict(REFUSE)
        connect.deny(connection, verdict, now)
    elif action == DO_SEND_SUCCESS:
        auth.deadline = 0
        if verdict is not None and verdict.username and verdict.username != connection.username:
            session = connection.session
            if session is not None and connection.broker.reading.strange(session, verdict.username):
                dismiss(connection, NOT_AUTHORIZED, "Another user needs a session of its own", now)
                return
            _rename(connection, verdict.username)
        _send(connection, 0, auth.method, data, now)
    elif action == DO_EXPEL:
        dismiss(connection, NOT_AUTHORIZED, "The re-authentication failed", now)
    elif action == BREACH:
        breach(connection, CITES[at], PROTOCOL_ERROR, AUTH, now, "An AUTH that does not belong here")


def _send(connection: Connection, code: int, method: str, data: bytes | None, now: int) -> None:
    if not acks.auth(connection, code, method, data):
        dismiss(connection, PACKET_TOO_LARGE, "The AUTH is larger than the client's Maximum Packet Size", now)


def _rename(connection: Connection, username: str) -> None:
    """Change the user of a client: from now on it has the rights of that user."""
    broker = connection.broker
    connection.username = username
    session = connection.session
    if session is not None:
        session.username = username
        broker.reading.reconsider(session)
        if broker.journal is not None:
            broker.journal.session(session)


def _ask(connection: Connection, auth: Authentication, data: bytes | None, now: int) -> None:
    """Ask the mechanism. If it does not answer at once, the question leaves as an effect."""
    broker = connection.broker
    access = broker.access
    renewal = auth.state in (REASKED, RECHALLENGED)
    verdict: Verdict | None = None
    if access is not None and access.on_auth_packet is not None:
        verdict = access.on_auth_packet(connection, auth.method, data, renewal)
    if verdict is None:
        broker.questions.ask(connection, auth, data, renewal, now)
    else:
        answered(connection, verdict, now)
