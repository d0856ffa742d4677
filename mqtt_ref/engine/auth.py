# SPDX-License-Identifier: MIT
"""Enhanced authentication (4.12): the exchange of AUTH packets, before the CONNACK and again later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import acks, connecting
from mqtt_ref.engine.access import ACCEPT, CHALLENGE, Verdict
from mqtt_ref.engine.generated.auth import (
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
    ON_SUCCESS_CODE,
    ON_TIMEOUT,
    REASKED,
    RECHALLENGED,
    WIDTH,
)
from mqtt_ref.engine.generated.connection import CONNECTED, ON_CHALLENGED
from mqtt_ref.engine.generated.connection import WIDTH as CONNECTION_WIDTH
from mqtt_ref.engine.message import SECOND
from mqtt_ref.engine.reacting import breach, expel

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link
    from mqtt_ref.wire.packets import Auth

__all__ = ["answered", "begin", "received", "timed_out"]

AUTH = 15
CONTINUE_AUTHENTICATION = 0x18
RE_AUTHENTICATE = 0x19
PROTOCOL_ERROR = 0x82
NOT_AUTHORIZED = 0x87
PACKET_TOO_LARGE = 0x95


def begin(link: Link, data: bytes | None, now: int) -> None:
    """The CONNECT names a method that is supported: ask it [MQTT5-4.12.0-1]."""
    hub = link.hub
    link.state = hub.tables.connection_next[link.base + ON_CHALLENGED]
    link.base = link.state * CONNECTION_WIDTH
    link.auth_deadline = now + hub.options.bounds.answer_timeout * SECOND
    hub.wake(link, link.auth_deadline)
    _step(link, ON_METHOD, data, now)


def received(link: Link, packet: Auth, now: int) -> None:
    """An AUTH of the client; it has the method of the CONNECT [MQTT5-4.12.0-5, MQTT5-4.12.1-1].

    [X5-auth-other-method, X5-reauthentication-data-first]
    """
    properties = packet.properties
    method = None if properties is None else properties.authentication_method
    code = packet.reason_code
    data = None if properties is None else properties.authentication_data
    if link.method and method != link.method:
        _step(link, ON_OTHER_METHOD, data, now)
    elif code == CONTINUE_AUTHENTICATION:
        _step(link, ON_CONTINUE, data, now)
    elif code == RE_AUTHENTICATE:
        if link.state == CONNECTED and link.auth_deadline == 0:
            link.auth_deadline = now + link.hub.options.bounds.answer_timeout * SECOND
            link.hub.wake(link, link.auth_deadline)
        _step(link, ON_REAUTHENTICATE, data, now)
    else:
        _step(link, ON_SUCCESS_CODE, data, now)


def answered(link: Link, verdict: Verdict, now: int) -> None:
    """The mechanism's answer.

    [X5-authentication-accepted, X5-reauthentication-reply, X5-auth-reauthenticate-client,
    X5-reauthentication-continue]
    """
    link.question = 0
    if verdict.outcome == ACCEPT:
        event = ON_SUCCESS
    elif verdict.outcome == CHALLENGE:
        event = ON_CHALLENGE
    else:
        event = ON_FAILURE
    _step(link, event, verdict.data, now, verdict)


def timed_out(link: Link, now: int) -> None:
    """The exchange took too long."""
    _step(link, ON_TIMEOUT, None, now, Verdict(2, NOT_AUTHORIZED, text="The authentication took too long"))


def _step(link: Link, event: int, data: bytes | None, now: int, verdict: Verdict | None = None) -> None:
    """One transition of the auth machine; that of the connection stays where it is, so that other packets go on.

    [X5-reauthentication-other-packets]
    """
    tables = link.hub.tables
    at = link.auth_state * WIDTH + event
    action = tables.auth_action[at]
    link.auth_state = tables.auth_next[at]
    if action == DO_ASK:
        _ask(link, data, now)
    elif action == DO_SEND_CONTINUE:
        if not acks.auth(link, CONTINUE_AUTHENTICATION, link.method, data):
            expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of an AUTH", now)
    elif action == DO_ACCEPT:
        link.auth_deadline = 0
        if verdict is not None:
            connecting.answered(link, verdict, now)
    elif action == DO_REFUSE:
        if verdict is not None:
            connecting.answered(link, verdict, now)
    elif action == DO_SEND_SUCCESS:
        link.auth_deadline = 0
        if verdict is not None and verdict.username and verdict.username != link.username:
            _rename(link, verdict.username)
        if not acks.auth(link, 0, link.method, data):
            expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of an AUTH", now)
    elif action == DO_EXPEL:
        expel(link, NOT_AUTHORIZED, "The re-authentication failed", now)
    else:
        breach(link, CITES[at], PROTOCOL_ERROR, AUTH, now, "An AUTH that does not belong here")


def _rename(link: Link, username: str) -> None:
    """The client has proved to be another user: that one's rights hold from now on."""
    hub = link.hub
    link.username = username
    session = link.session
    if session is not None:
        session.username = username
        hub.reconsider(session)
        if hub.keeper is not None:
            hub.keeper.session(session)


def _ask(link: Link, data: bytes | None, now: int) -> None:
    """Put the question to the mechanism; without an answer at once it leaves as an effect."""
    hub = link.hub
    access = hub.access
    packet = link.connect
    assert packet is not None
    renewal = link.auth_state in (REASKED, RECHALLENGED)
    verdict: Verdict | None = None
    if access is not None and access.exchange is not None:
        verdict = access.exchange(link, packet, link.method, data, renewal)
    if verdict is None:
        hub.ask(link, packet, link.method, data, renewal, now)
    else:
        answered(link, verdict, now)
