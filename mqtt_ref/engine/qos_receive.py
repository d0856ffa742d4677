# SPDX-License-Identifier: MIT
"""QoS 1 and 2 messages from a client: the exchange of one packet identifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks
from mqtt_ref.engine.acks import HEADS
from mqtt_ref.engine.generated.qos_receive import (
    CITES,
    DO_DELIVER_PUBACK,
    DO_DELIVER_PUBREC,
    DO_IN_USE,
    DO_PUBCOMP,
    DO_PUBCOMP_NOT_FOUND,
    DO_PUBREC,
    DO_REFUSE_PUBACK,
    DO_REFUSE_PUBREC,
    FREE,
    HELD,
    ON_PUBLISH_QOS1,
    ON_PUBLISH_QOS2,
    ON_PUBREL,
    ON_REFUSED_QOS1,
    ON_REFUSED_QOS2,
    WIDTH,
)
from mqtt_ref.engine.reacting import breach, dismiss
from mqtt_ref.wire.codes import (
    FAILURE,
    PACKET_IDENTIFIER_IN_USE,
    PACKET_IDENTIFIER_NOT_FOUND,
    PACKET_TOO_LARGE,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    QOS_NOT_SUPPORTED,
    RECEIVE_MAXIMUM_EXCEEDED,
)
from mqtt_ref.wire.primitives import V5

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session

_PUBACK: Final = HEADS[PUBACK]

__all__ = ["answered", "is_new", "released", "within_limits"]


def within_limits(connection: Connection, session: Session, qos: int, packet_id: int, now: int) -> bool:
    """Check a PUBLISH against the server's Maximum QoS and Receive Maximum. If it is above, end the connection.

    Return False then. QoS 1 counts until its PUBACK is sent, QoS 2 until its PUBCOMP or a refusing PUBREC is sent. A
    repeat of an identifier that is held counts once on each connection.

    Cites: MQTT5-3.3.4-7, X5-receive-maximum-exceeded-server, X5-maximum-qos-exceeded
    """
    agreement = connection.agreement
    if qos > agreement.capabilities.maximum_qos:
        breach(connection, ("MQTT5-3.2.2-11",), QOS_NOT_SUPPORTED, PUBLISH, now, "A QoS above the maximum")
        return False
    if connection.receiving + connection.outbox.unsettled < agreement.receive_maximum:
        return True
    if connection.version != V5:
        # 3.x has no Receive Maximum. The number of packet identifiers limits the client.
        return True
    if qos == 2 and session.received.get(packet_id) == connection.serial:
        return True
    text = "More unacknowledged messages than the Receive Maximum allows"
    breach(connection, ("MQTT5-3.3.4-7",), RECEIVE_MAXIMUM_EXCEEDED, PUBLISH, now, text)
    return False


def is_new(connection: Connection, session: Session, qos: int, packet_id: int) -> bool:
    """True if a PUBLISH is to be delivered.

    A PUBLISH whose QoS 2 identifier is held is a repeat and is not delivered again.

    Cites: MQTT5-4.3.3-10, MQTT311-4.3.3-2, X31-dup-hint
    """
    state = HELD if packet_id in session.received else FREE
    at = state * WIDTH + (ON_PUBLISH_QOS1 if qos == 1 else ON_PUBLISH_QOS2)
    action = connection.broker.tables.qos_receive_action[at]
    return action in (DO_DELIVER_PUBACK, DO_DELIVER_PUBREC)


def answered(
    connection: Connection,
    session: Session,
    qos: int,
    packet_id: int,
    code: int,
    now: int,
    inherited: list[tuple[str, str]] | None = None,
) -> None:
    """Answer a PUBLISH with its PUBACK or PUBREC.

    No state is kept for a QoS 1 message: if the client sends it again, it is published again, also to QoS 0
    subscriptions.

    Cites: MQTT5-3.3.4-1, MQTT5-2.2.1-5, MQTT311-3.3.4-1, X5-granted-qos0-duplicates, MQTT5-4.3.2-4, MQTT311-4.3.2-2,
    X5-packet-id-in-use
    """
    tables = connection.broker.tables
    received = session.received
    state = HELD if packet_id in received else FREE
    if qos == 1:
        at = state * WIDTH + (ON_PUBLISH_QOS1 if code < FAILURE else ON_REFUSED_QOS1)
    else:
        at = state * WIDTH + (ON_PUBLISH_QOS2 if code < FAILURE else ON_REFUSED_QOS2)
    action = tables.qos_receive_action[at]
    if state == HELD and qos == 2 and received[packet_id] != connection.serial:
        # A repeat counts once on each connection.
        received[packet_id] = connection.serial
        connection.receiving += 1
    after = tables.qos_receive_next[at]
    if after != state:
        _enter(connection, session, packet_id, after)
    if qos == 1 and connection.outbox.touched:
        connection.outbox.acks += 1
        connection.outbox.unsettled += 1
    if action == DO_DELIVER_PUBACK and not code and inherited is None and connection.agreement.packet_limit >= 4:
        outbox = connection.outbox
        outbox.packets.append(_PUBACK + packet_id.to_bytes(2, "big"))
        if not outbox.queued:
            outbox.queued = True
            connection.broker.dirty.append(connection)
        return
    if action in (DO_DELIVER_PUBACK, DO_REFUSE_PUBACK):
        fine = acks.answer(connection, PUBACK, packet_id, code, "", inherited)
    elif action in (DO_DELIVER_PUBREC, DO_REFUSE_PUBREC):
        fine = acks.answer(connection, PUBREC, packet_id, code, "", inherited)
    elif action == DO_PUBREC:
        fine = acks.answer(connection, PUBREC, packet_id, 0)
    elif action == DO_IN_USE:
        if connection.version == V5:
            fine = acks.answer(connection, PUBACK, packet_id, PACKET_IDENTIFIER_IN_USE)
        else:
            breach(connection, CITES[at], PACKET_IDENTIFIER_IN_USE, 3, now, "A packet identifier that is in use")
            return
    else:
        return
    if not fine:
        dismiss(connection, PACKET_TOO_LARGE, "The answer is larger than the client's Maximum Packet Size", now)


def released(connection: Connection, session: Session, packet_id: int, now: int) -> None:
    """Answer a PUBREL with a PUBCOMP of the same identifier, which is free from now on.

    This does not depend on the message, which may have expired.

    Cites: MQTT5-4.3.3-13, MQTT5-4.3.3-11, MQTT5-4.3.3-12, MQTT311-4.3.3-2, X5-pubcomp-id-not-found
    """
    tables = connection.broker.tables
    state = HELD if packet_id in session.received else FREE
    at = state * WIDTH + ON_PUBREL
    action = tables.qos_receive_action[at]
    after = tables.qos_receive_next[at]
    if after != state:
        _enter(connection, session, packet_id, after)
    if action == DO_PUBCOMP:
        fine = acks.answer(connection, PUBCOMP, packet_id, 0)
    elif action == DO_PUBCOMP_NOT_FOUND:
        connection.broker.counters.unknown_acks += 1
        fine = acks.answer(connection, PUBCOMP, packet_id, PACKET_IDENTIFIER_NOT_FOUND)
    else:
        return
    if not fine:
        dismiss(connection, PACKET_TOO_LARGE, "The PUBCOMP is larger than the client's Maximum Packet Size", now)


def _enter(connection: Connection, session: Session, packet_id: int, after: int) -> None:
    """Change the state of a packet identifier: `held` means that it is in `session.received`, `free` that it is not."""
    journal = connection.broker.journal
    if after == HELD:
        session.received[packet_id] = connection.serial
        connection.receiving += 1
        connection.broker.budget.identified(session, 1)
        if journal is not None:
            journal.received(session, packet_id)
        return
    if session.received.pop(packet_id) == connection.serial:
        connection.receiving -= 1
    connection.broker.budget.identified(session, -1)
    if journal is not None:
        journal.received_gone(session, packet_id)
