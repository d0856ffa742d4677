# SPDX-License-Identifier: MIT
"""How the server ends a connection: after a breach, or for its own reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks
from mqtt_ref.engine.ends import LOST
from mqtt_ref.engine.generated.connection import (
    AUTHENTICATING,
    AWAIT_CONNECT,
    CONNECTED,
    DECIDING,
    DO_EXPEL,
    DO_IGNORE,
    DO_REACT,
    DO_REFUSE,
    ON_DISMISSED,
    ON_REFUSED,
    ON_VIOLATION,
)
from mqtt_ref.engine.generated.decisions import SERVER_DISCONNECT_WAIT
from mqtt_ref.wire.codes import SERVER_SHUTTING_DOWN, SERVER_UNAVAILABLE, UNSPECIFIED_ERROR
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, ConnackProperties
from mqtt_ref.wire.primitives import CLIENT, V5, V311
from mqtt_ref.wire.reasons import REASON_TITLES, RETURN_CODES, ConnackReason
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection

__all__ = ["breach", "dismiss", "leave", "react", "refuse"]

_CONNACK_CODES: Final = frozenset(int(code) for code in ConnackReason)

_PHASES: Final = {AWAIT_CONNECT: "new", AUTHENTICATING: "connecting", DECIDING: "connecting", CONNECTED: "connected"}
_PREFIXES: Final = {3: ("X31-",), 4: ("MQTT311-", "X311-"), 5: ("MQTT5-", "X5-")}


def breach(
    connection: Connection,
    cites: tuple[str, ...],
    reason: int,
    packet: int,
    now: int,
    text: str = "",
    version: int = -1,
) -> None:
    """React to a breach that the decoder could not see. `cites` has the broken statement of each version."""
    if version < 0:
        version = connection.version
    statement = cites[0]
    for prefix in _PREFIXES.get(version, ("MQTT5-", "X5-")):
        for one in cites:
            if one.startswith(prefix):
                statement = one
                break
    react(connection, Violation(statement, reason, packet, 0, version, CLIENT, ""), now, text)


def react(connection: Connection, violation: Violation, now: int, text: str = "") -> None:
    """Do what the reaction table says about a breach: ignore it, or close the connection with the packet it names.

    Cites: MQTT5-4.13.1-1, MQTT5-4.13.2-1, MQTT311-4.8.0-1, X31-protocol-violation, X5-error-server-disconnect,
    X5-error-connect-connack, X5-error-generic-codes, X5-error-other-sessions, X5-second-connect-code,
    X5-first-packet-not-connect, X5-connect-format-connack, X5-packet-too-large-server, X5-utf8-ill-formed-malformed,
    X5-utf8-null-malformed, X5-fixed-header-flags-malformed, X5-publish-qos-malformed, X5-will-qos-malformed,
    X5-subscribe-empty-payload, X5-unsubscribe-empty-payload, X5-string-pair-malformed,
    X5-connect-reserved-flag-malformed, MQTT311-2.2.2-2
    """
    broker = connection.broker
    if broker.tables.connection_action[connection.base + ON_VIOLATION] != DO_REACT:
        connection.done(connection.step(ON_VIOLATION), now)
        return
    phase = _PHASES[connection.state]
    broker.counters.violations += 1
    found = broker.tables.reaction(violation.statement, violation.reason, violation.version, phase)
    if found.action == "ignore":
        return
    why = text or f"{_title(violation.reason)}: {violation.field or 'rule'} at byte {violation.offset}"
    connection.note(why, violation.reason, violation.statement)
    if broker.tables.go_on and phase == "connected" and not connection.decoder.broken:
        return
    at = connection.step(ON_VIOLATION)
    if phase != "connected":
        broker.counters.connections_refused += 1
    if found.action == "connack":
        # Before a valid CONNECT the version is unknown. The broken statement tells which form to use.
        if not connection.version:
            connection.version = V5 if violation.statement.startswith(("MQTT5", "X5")) else V311
        _connack(connection, found.code, text, "")
    elif found.action == "disconnect" and connection.version == V5 and phase == "connected":
        wanted = connection.agreement.problem_information
        _farewell(connection, found.code, text or (_title(found.code) if wanted else ""))
    connection.done(at, now)


def dismiss(
    connection: Connection,
    code: int,
    text: str,
    now: int,
    how: int = LOST,
    server_reference: str = "",
    why: str = "",
) -> None:
    """End a connection for the server's own reasons, with a DISCONNECT if the client was accepted and speaks 5.0.

    The log says `why`, else `text`.

    Cites: MQTT5-3.14.4-2, MQTT5-3.14.0-1
    """
    at = connection.step(ON_DISMISSED)
    if connection.broker.tables.connection_action[at] != DO_IGNORE:
        connection.note(text, code, routine=bool(why), why=why)
        if connection.session is None:
            connection.broker.counters.connections_refused += 1
        connection.how = how
    leave(connection, at, code, text, now, server_reference)


def refuse(
    connection: Connection,
    code: int,
    text: str,
    now: int,
    server_reference: str = "",
    *,
    silent: bool = False,
    routine: bool = False,
    why: str = "",
) -> None:
    """Refuse a CONNECT: answer it with a reason, unless `silent`, and close. The log says `why`, else `text`.

    Cites: MQTT5-3.2.2-7, MQTT311-3.2.2-5
    """
    at = connection.step(ON_REFUSED)
    if connection.broker.tables.connection_action[at] != DO_IGNORE:
        connection.note(text, code, routine=routine, why=why)
        connection.broker.counters.connections_refused += 1
    if silent:
        connection.done(at, now)
    else:
        leave(connection, at, code, text, now, server_reference)


def leave(connection: Connection, at: int, code: int, text: str, now: int, server_reference: str = "") -> None:
    """Carry out a step that ends the connection for another reason than a breach.

    The action `expel` sends a DISCONNECT to a 5.0 client. `refuse` sends a CONNACK with a reason of 0x80 or above. A
    3.x client gets the nearest return code, or no CONNACK if none is near. All other actions send nothing.

    Cites: MQTT311-3.2.2-6
    """
    action = connection.broker.tables.connection_action[at]
    if action == DO_EXPEL:
        if connection.version == V5:
            _farewell(connection, code, text, server_reference)
    elif action == DO_REFUSE:
        _connack(connection, code, text, server_reference)
    connection.done(at, now)


def _farewell(connection: Connection, code: int, text: str, server_reference: str = "") -> None:
    acks.disconnect(connection, code, text, server_reference)
    connection.outbox.patient = connection.broker.decisions.server_disconnect == SERVER_DISCONNECT_WAIT


def _connack(connection: Connection, code: int, text: str, server_reference: str) -> None:
    """Send a CONNACK that refuses, with Session Present 0.

    A code that is invalid in a CONNACK is replaced by a valid one.

    Cites: MQTT5-3.2.2-6, MQTT311-3.2.2-4, MQTT5-3.2.2-8, X311-connack-codes-reserved, X31-connack-codes
    """
    if code not in _CONNACK_CODES:
        code = SERVER_UNAVAILABLE if code == SERVER_SHUTTING_DOWN else UNSPECIFIED_ERROR
    if connection.version != V5:
        returned = RETURN_CODES.get(code)
        if returned:
            connection.send(encode(connection.version, Connack(returned)))
        return
    reference = server_reference or None
    shortest = Connack(code)
    if text and connection.broker.options.reason_strings:
        # [MQTT5-3.2.2-19]
        properties = ConnackProperties(reason_string=text, server_reference=reference)
        if acks.fit(connection, Connack(code, False, properties), None):
            return
    if reference is not None:
        acks.fit(connection, Connack(code, False, ConnackProperties(server_reference=reference)), shortest)
    else:
        acks.fit(connection, shortest, None)


def _title(code: int) -> str:
    return REASON_TITLES.get(code, f"0x{code:02X}")
