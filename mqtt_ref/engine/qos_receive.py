# SPDX-License-Identifier: MIT
"""Messages from a client with QoS 1 or 2: the exchange of one packet identifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import acks
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
from mqtt_ref.engine.reacting import breach, expel
from mqtt_ref.wire.primitives import V5

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link
    from mqtt_ref.engine.session import Session

__all__ = ["accepted_qos1", "accepts", "answered", "counts", "plain", "released"]

PUBACK = 4
PUBREC = 5
PUBCOMP = 7
PACKET_IDENTIFIER_IN_USE = 0x91
PACKET_IDENTIFIER_NOT_FOUND = 0x92
RECEIVE_MAXIMUM_EXCEEDED = 0x93
PACKET_TOO_LARGE = 0x95


def counts(link: Link, session: Session, qos: int, packet_id: int, now: int) -> bool:
    """Count a PUBLISH against our Receive Maximum; False, and the end of the connection, if it is one too many.

    QoS 1 counts until its PUBACK is sent, QoS 2 until its PUBCOMP or a refusing PUBREC is sent [MQTT5-3.3.4-7]. A
    repeat of an identifier that is held counts once on each connection.
    [X5-receive-maximum-exceeded-server]
    """
    if qos == 2 and session.received.get(packet_id) == link.serial:
        return True
    if link.receiving + link.unsettled < link.receive_maximum:
        return True
    if link.version != V5:
        # 3.x has no Receive Maximum: the bound is ours alone, and packet identifiers bound the client.
        return True
    breach(link, ("MQTT5-3.3.4-7",), RECEIVE_MAXIMUM_EXCEEDED, 3, now, "More messages at once than we said we take")
    return False


def plain(link: Link, session: Session) -> bool:
    """Whether a QoS 1 message is simply delivered and acknowledged: nothing is held, nothing waits, the PUBACK fits."""
    return (
        not session.received
        and not link.unsettled
        and link.limit >= 4
        and link.hub.tables.qos_receive_action[FREE * WIDTH + ON_PUBLISH_QOS1] == DO_DELIVER_PUBACK
    )


def accepted_qos1(link: Link, packet_id: int) -> None:
    """Answer a plain QoS 1 PUBLISH with its PUBACK [MQTT5-4.3.2-4, MQTT311-4.3.2-2].

    Nothing of it is kept: whoever sends it again publishes it again, for QoS 0 too [X5-granted-qos0-duplicates].
    """
    if link.touched:
        link.acks += 1
        link.unsettled += 1
    link.out.append(b"\x40\x02" + packet_id.to_bytes(2, "big"))
    if not link.queued:
        link.queued = True
        link.hub.dirty.append(link)


def accepts(link: Link, session: Session, qos: int, packet_id: int, code: int) -> bool:
    """Whether a PUBLISH is to be delivered; `code` of 0x80 or above means that it is refused.

    A PUBLISH whose QoS 2 identifier is held is a repeat and is not delivered again [MQTT5-4.3.3-10, MQTT311-4.3.3-2].
    [X31-dup-hint]
    """
    state = HELD if packet_id in session.received else FREE
    if qos == 1:
        at = state * WIDTH + (ON_PUBLISH_QOS1 if code < 0x80 else ON_REFUSED_QOS1)
    else:
        at = state * WIDTH + (ON_PUBLISH_QOS2 if code < 0x80 else ON_REFUSED_QOS2)
    action = link.hub.tables.qos_receive_action[at]
    return action in (DO_DELIVER_PUBACK, DO_DELIVER_PUBREC)


def answered(
    link: Link,
    session: Session,
    qos: int,
    packet_id: int,
    code: int,
    now: int,
    inherited: list[tuple[str, str]] | None = None,
) -> None:
    """Answer a PUBLISH with its PUBACK or PUBREC [MQTT5-3.3.4-1, MQTT5-2.2.1-5, MQTT311-3.3.4-1].

    [X5-packet-id-in-use]
    """
    tables = link.hub.tables
    received = session.received
    state = HELD if packet_id in received else FREE
    if qos == 1:
        at = state * WIDTH + (ON_PUBLISH_QOS1 if code < 0x80 else ON_REFUSED_QOS1)
    else:
        at = state * WIDTH + (ON_PUBLISH_QOS2 if code < 0x80 else ON_REFUSED_QOS2)
    action = tables.qos_receive_action[at]
    after = tables.qos_receive_next[at]
    keeper = link.hub.keeper
    if qos == 2:
        if after == HELD:
            if received.get(packet_id) != link.serial:
                link.receiving += 1
            received[packet_id] = link.serial
            if state == FREE and keeper is not None:
                keeper.received(session, packet_id)
        elif state == HELD:
            _free(link, session, packet_id)
    elif keeper is not None and link.touched:
        link.acks += 1
        link.unsettled += 1
    if action in (DO_DELIVER_PUBACK, DO_REFUSE_PUBACK):
        fine = acks.answer(link, PUBACK, packet_id, code, "", inherited)
    elif action in (DO_DELIVER_PUBREC, DO_REFUSE_PUBREC):
        fine = acks.answer(link, PUBREC, packet_id, code, "", inherited)
    elif action == DO_PUBREC:
        fine = acks.answer(link, PUBREC, packet_id, 0)
    elif action == DO_IN_USE:
        if link.version == V5:
            fine = acks.answer(link, PUBACK, packet_id, PACKET_IDENTIFIER_IN_USE)
        else:
            breach(link, CITES[at], PACKET_IDENTIFIER_IN_USE, 3, now, "A packet identifier that is in use")
            return
    else:
        return
    if not fine:
        expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of an acknowledgement", now)


def released(link: Link, session: Session, packet_id: int, now: int) -> None:
    """Answer a PUBREL with a PUBCOMP of the same identifier, which is free from now on.

    What has become of the message, which may have expired, makes no difference [MQTT5-4.3.3-13].
    [MQTT5-4.3.3-11, MQTT5-4.3.3-12, MQTT311-4.3.3-2]
    [X5-pubcomp-id-not-found]
    """
    tables = link.hub.tables
    held = packet_id in session.received
    at = (HELD if held else FREE) * WIDTH + ON_PUBREL
    action = tables.qos_receive_action[at]
    if held and tables.qos_receive_next[at] == FREE:
        _free(link, session, packet_id)
    if action == DO_PUBCOMP:
        fine = acks.answer(link, PUBCOMP, packet_id, 0)
    elif action == DO_PUBCOMP_NOT_FOUND:
        link.hub.counters.unknown_acks += 1
        fine = acks.answer(link, PUBCOMP, packet_id, PACKET_IDENTIFIER_NOT_FOUND)
    else:
        return
    if not fine:
        expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of a PUBCOMP", now)


def _free(link: Link, session: Session, packet_id: int) -> None:
    serial = session.received.pop(packet_id)
    if serial == link.serial:
        link.receiving -= 1
    keeper = link.hub.keeper
    if keeper is not None:
        keeper.received_gone(session, packet_id)
