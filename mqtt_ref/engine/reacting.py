# SPDX-License-Identifier: MIT
"""What is done about a client that breaks a rule: the reaction table says, this does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks
from mqtt_ref.engine.generated.connection import (
    AUTHENTICATING,
    AWAIT_CONNECT,
    CLOSED,
    CONNECTED,
    DECIDING,
    WIDTH,
)
from mqtt_ref.engine.generated.decisions import SERVER_DISCONNECT_WAIT
from mqtt_ref.engine.link import LOST
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, ConnackProperties
from mqtt_ref.wire.primitives import CLIENT, V5, V311
from mqtt_ref.wire.reasons import REASON_TITLES, RETURN_CODES, ConnackReason
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link

__all__ = ["breach", "expel", "react", "refuse", "stop"]

_CONNACK_CODES: Final = frozenset(int(code) for code in ConnackReason)
SERVER_UNAVAILABLE = 0x88
SERVER_SHUTTING_DOWN = 0x8B
UNSPECIFIED_ERROR = 0x80

_PHASES: Final = {AWAIT_CONNECT: "new", AUTHENTICATING: "connecting", DECIDING: "connecting", CONNECTED: "connected"}
_PREFIXES: Final = {3: ("X31-",), 4: ("MQTT311-", "X311-"), 5: ("MQTT5-", "X5-")}


def breach(
    link: Link, cites: tuple[str, ...], reason: int, packet: int, now: int, text: str = "", version: int = -1
) -> None:
    """React to a rule that the client broke and the decoder could not see; `cites` names it in each version."""
    if version < 0:
        version = link.version
    statement = cites[0]
    for prefix in _PREFIXES.get(version, ("MQTT5-", "X5-")):
        for one in cites:
            if one.startswith(prefix):
                statement = one
                break
    react(link, Violation(statement, reason, packet, 0, version, CLIENT, ""), now, text)


def react(link: Link, violation: Violation, now: int, text: str = "") -> None:
    """Close the connection on a broken rule, with the packet that the reaction table asks for.

    [MQTT5-4.13.1-1, MQTT5-4.13.2-1, MQTT311-4.8.0-1, X31-protocol-violation]
    [X5-error-server-disconnect, X5-error-connect-connack, X5-error-generic-codes, X5-error-other-sessions,
    X5-second-connect-code, X5-first-packet-not-connect, X5-connect-format-connack, X5-packet-too-large-server,
    X5-utf8-ill-formed-malformed, X5-utf8-null-malformed, X5-fixed-header-flags-malformed, X5-publish-qos-malformed,
    X5-will-qos-malformed, X5-subscribe-empty-payload, X5-unsubscribe-empty-payload, X5-string-pair-malformed,
    X5-connect-reserved-flag-malformed, MQTT311-2.2.2-2]
    """
    phase = _PHASES.get(link.state, "")
    if not phase:
        return
    link.hub.counters.violations += 1
    found = link.hub.tables.reaction(violation.statement, violation.reason, violation.version, phase)
    action = found.action
    if action == "ignore":
        return
    why = text or f"{_title(violation.reason)}: {violation.field or 'rule'} at byte {violation.offset}"
    link.note(why, violation.reason, violation.statement)
    if link.hub.tables.go_on and phase == "connected" and not link.decoder.broken:
        return
    if action == "connack":
        # A client whose version is not spoken is answered in the form that its CONNECT suggests.
        if not link.version:
            link.version = V5 if violation.statement.startswith(("MQTT5", "X5")) else V311
        _connack(link, found.code, text, "")
        link.hub.counters.connections_refused += 1
    elif action == "disconnect" and link.version == V5 and phase == "connected":
        _farewell(link, found.code, text or (_title(violation.reason) if link.problem_information else ""))
    elif phase != "connected":
        link.hub.counters.connections_refused += 1
    stop(link, now, LOST)


def expel(link: Link, code: int, text: str, now: int, how: int = LOST, server_reference: str = "") -> None:
    """Send a DISCONNECT to a 5.0 client that was accepted, then close [MQTT5-3.14.4-2, MQTT5-3.14.0-1]."""
    if link.state == CLOSED:
        return
    link.note(text, code)
    if link.state == CONNECTED and link.version == V5:
        _farewell(link, code, text, server_reference)
    stop(link, now, how)


def _farewell(link: Link, code: int, text: str, server_reference: str = "") -> None:
    acks.disconnect(link, code, text, server_reference)
    link.patient = link.hub.decisions.server_disconnect == SERVER_DISCONNECT_WAIT


def refuse(link: Link, code: int, text: str, now: int, server_reference: str = "", data: bytes | None = None) -> None:
    """Answer the CONNECT with a reason of 0x80 or above and close [MQTT5-3.2.2-7, MQTT311-3.2.2-5].

    3.x gets the return code that comes nearest, or none where none does [MQTT311-3.2.2-6].
    """
    if link.state == CLOSED:
        return
    link.note(text, code)
    link.hub.counters.connections_refused += 1
    _connack(link, code, text, server_reference, data)
    stop(link, now, LOST)


def _connack(link: Link, code: int, text: str, server_reference: str, data: bytes | None = None) -> None:
    """A CONNACK that refuses: Session Present is 0 [MQTT5-3.2.2-6, MQTT311-3.2.2-4].

    A code that a CONNACK cannot have becomes one that it can [MQTT5-3.2.2-8].
    [X311-connack-codes-reserved, X31-connack-codes]
    """
    if code not in _CONNACK_CODES:
        code = SERVER_UNAVAILABLE if code == SERVER_SHUTTING_DOWN else UNSPECIFIED_ERROR
    if link.version != V5:
        returned = RETURN_CODES.get(code)
        if returned:
            link.send(encode(link.version, Connack(returned)))
        return
    reference = server_reference or None
    shortest = Connack(code)
    if text and link.hub.options.reason_strings:
        # [MQTT5-3.2.2-19]
        properties = ConnackProperties(reason_string=text, server_reference=reference)
        if acks.fit(link, Connack(code, False, properties), None):
            return
    if reference is not None:
        acks.fit(link, Connack(code, False, ConnackProperties(server_reference=reference)), shortest)
    else:
        acks.fit(link, shortest, None)


def stop(link: Link, now: int, how: int) -> None:
    """Nothing is read any more, and nothing follows what is queued [MQTT5-3.14.4-1].

    [X5-will-on-server-close]
    """
    if link.state == CLOSED:
        return
    link.state = CLOSED
    link.base = CLOSED * WIDTH
    link.how = how
    link.held = None
    link.behind = None
    link.shut()
    link.hub.counters.connections_closed += 1
    link.hub.settle(link, now, how)


def _title(code: int) -> str:
    return REASON_TITLES.get(code, f"0x{code:02X}")
