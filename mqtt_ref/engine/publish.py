# SPDX-License-Identifier: MIT
"""A PUBLISH from a client: validate it, refuse or deliver it, and acknowledge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import aliases, qos_receive, topics
from mqtt_ref.engine.effects import Dropped
from mqtt_ref.engine.generated.decisions import (
    ACKNOWLEDGEMENT_PROPERTIES_INHERIT,
    NO_MATCHING_SUBSCRIBERS_TELL,
    NOT_AUTHORIZED_OBSCURE,
    PAYLOAD_FORMAT_CHECK,
    UNAUTHORIZED_PUBLISH_CLOSE,
)
from mqtt_ref.engine.generated.qos_receive import DO_DELIVER_PUBACK, FREE, ON_PUBLISH_QOS1, WIDTH
from mqtt_ref.engine.intercept import ASK, LATER, Refusal
from mqtt_ref.engine.message import NEVER, Message, expiry_time
from mqtt_ref.engine.reacting import breach, dismiss
from mqtt_ref.engine.topics import DISALLOWED, disallowed
from mqtt_ref.engine.waiting import Suspended
from mqtt_ref.wire.block import Block, block_for
from mqtt_ref.wire.codes import (
    FAILURE,
    IMPLEMENTATION_SPECIFIC_ERROR,
    MALFORMED_PACKET,
    NO_MATCHING_SUBSCRIBERS,
    NOT_AUTHORIZED,
    PAYLOAD_FORMAT_INVALID,
    PROTOCOL_ERROR,
    PUBLISH,
    QUOTA_EXCEEDED,
    RETAIN_NOT_SUPPORTED,
    TOPIC_ALIAS_INVALID,
    TOPIC_NAME_INVALID,
    UNSPECIFIED_ERROR,
)
from mqtt_ref.wire.packets import Publish
from mqtt_ref.wire.primitives import CLIENT, V5, V31
from mqtt_ref.wire.reasons import PubackReason

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session

__all__ = ["PERMITTED", "SEEN", "publish", "refuse"]

_ACK_CODES: Final = frozenset(int(code) for code in PubackReason if code >= FAILURE)
"""Reason Codes that refuse a PUBLISH, the same for PUBACK and PUBREC."""

FREE_QOS1: Final = FREE * WIDTH + ON_PUBLISH_QOS1
"""Row of a QoS 1 message whose Packet Identifier is free."""

# Stages of a PUBLISH. It may be suspended before the second and the third.
RECEIVED = 1
PERMITTED = 2
"""`on_acl_check` was asked."""
SEEN = 3
"""`on_publish` was asked."""
DELIVERING = 4
"""Some of the subscribers have it. `answer` is the `Fanout`."""


def publish(
    connection: Connection,
    session: Session,
    packet: Publish,
    now: int,
    stage: int = RECEIVED,
    topic: str = "",
    answer: object = None,
) -> None:
    """Validate a PUBLISH, deliver it, and acknowledge it according to its QoS.

    The steps run from top to bottom. A step that has to wait for a hook suspends the packet. This function is then
    called again with the stage at which to continue, the resolved topic, and the answer.

    Cites: MQTT5-3.3.4-1, MQTT311-3.3.4-1, X5-topic-name-refused, X5-puback-no-subscribers-server,
    X5-pubrec-no-subscribers-server, X5-puback-no-subscribers, X5-pubrec-no-subscribers, X5-payload-format-zero,
    X5-qos0-no-response, X311-qos0-no-response, X311-qos0-ownership, X311-qos1-early-puback, X311-qos2-early-ack,
    X311-qos2-method
    """
    broker = connection.broker
    block = block_for(packet, CLIENT) if connection.version == V5 and packet.has_properties else None
    qos = packet.qos
    code = 0

    if stage == RECEIVED:
        # Rules whose breach ends the connection. A plain message cannot break some of them, so they are skipped.
        topic = packet.topic
        if block is not None or packet.retain or connection.version == V31 or broker.strict_text:
            topic = _checked(connection, packet, block, now)
            if not topic:
                return
        if qos:
            agreement = connection.agreement
            many = connection.receiving + connection.outbox.unsettled >= agreement.receive_maximum
            if many or qos > agreement.capabilities.maximum_qos:
                if not qos_receive.within_limits(connection, session, qos, packet.packet_id, now):
                    return
        # May its client publish there?
        if (topic[0] == "$" or len(topic) >= broker.topic_levels) and topics.refused(broker, topic):
            code = TOPIC_NAME_INVALID
        else:
            access = broker.access
            if access is not None and access.on_acl_check_publish is not None:
                code = access.on_acl_check_publish(connection, topic, qos, packet.retain)
                if code == ASK:
                    suspended = Suspended("on_acl_check", PERMITTED, packet, topic)
                    connection.suspend(suspended, now, packet, topic, True)
                    return
        if broker.message_size and len(packet.payload) > broker.message_size and not code:
            code = _too_large(connection)
        if not broker.budget.flights and qos and connection.version == V5 and not code:
            # Its subscribers would not get it. A 3.x client cannot be told.
            code = QUOTA_EXCEEDED
    elif stage == PERMITTED:
        code = answer if isinstance(answer, int) else NOT_AUTHORIZED

    if stage < SEEN:
        # Can it be accepted?
        if code:
            if code not in _ACK_CODES:
                code = UNSPECIFIED_ERROR  # [MQTT5-3.4.2-1, MQTT5-3.5.2-1]
        elif packet.retain or (block is not None and block.utf8):
            code = _acceptable(connection, packet, topic, block)
        if code:
            refuse(connection, session, packet, code, now)
            return
        # Is it a repeat? The row of most QoS 1 messages is read here, without a call.
        if (
            qos
            and (qos == 2 or session.received or broker.tables.qos_receive_action[FREE_QOS1] != DO_DELIVER_PUBACK)
            and not qos_receive.is_new(connection, session, qos, packet.packet_id)
        ):
            _answer(connection, session, packet, 0, now)
            return
        if qos and broker.store_fails:
            _refuse_unstored(connection, session, packet, now)
            return
        # Do the hooks want it changed, dropped or refused?
        intercept = broker.intercept
        if intercept.on_publish is None:
            answer = None
        else:
            # Hooks get a copy: changes have no effect unless they return it.
            shown = Publish(topic, packet.payload, qos, packet.retain, packet.dup, packet.packet_id)
            shown.block = None if block is None else block.kept()
            answer = intercept.on_publish(connection, shown)
            if answer is LATER:
                connection.suspend(Suspended("on_publish", SEEN, packet, topic), now, shown)
                return

    if stage == DELIVERING:
        matched = broker.deliverer.go_on(answer, now)
    else:
        given = packet
        if answer is not None:
            if isinstance(answer, Refusal):
                _turn_down(connection, session, packet, answer, now)
                return
            if isinstance(answer, Publish):
                given = answer
                topic = answer.topic
                block = block_for(answer, CLIENT)

        # Deliver it. The message inside the server keeps nothing that belongs to this connection alone.
        expires = NEVER
        if block is not None:
            expires = expiry_time(block, now)
            block = block.kept()
        ident = broker.last_message = broker.last_message + 1
        client_id = connection.client_id
        message = Message(ident, topic, given.payload, given.qos, given.retain, block, client_id, now, expires)
        matched = broker.deliverer.publish(message, now, True)
        answer = broker.deliverer.fanout
    if matched < 0:
        # There are so many subscribers that the others come in another turn.
        connection.suspend_work(Suspended("", DELIVERING, packet, topic), answer)
        return

    # Acknowledge it.
    if qos:
        journal = broker.journal
        if journal is not None and broker.deliverer.stored and not connection.outbox.touched:
            journal.touch(connection)
        code = 0
        if not matched and broker.decisions.no_matching_subscribers == NO_MATCHING_SUBSCRIBERS_TELL:
            code = NO_MATCHING_SUBSCRIBERS
        if block is None and not code:
            qos_receive.answered(connection, session, qos, packet.packet_id, 0, now)
        else:
            _answer(connection, session, packet, code, now)


def _checked(connection: Connection, packet: Publish, block: Block | None, now: int) -> str:
    """Return the Topic Name with its alias resolved, or "" if the packet broke a rule and the connection has ended.

    Cites: X5-retain-not-supported-protocol-error, X5-retain-not-supported-disconnect
    """
    broker = connection.broker
    agreement = connection.agreement
    topic = packet.topic
    if block is not None and block.topic_alias:
        topic = aliases.resolve(connection, topic, block.topic_alias)
        if topic == aliases.ABOVE_MAXIMUM:
            cites = ("MQTT5-3.2.2-18",) if agreement.alias_in_maximum == 0 else ("MQTT5-3.3.2-9", "MQTT5-3.2.2-17")
            breach(connection, cites, TOPIC_ALIAS_INVALID, PUBLISH, now, "A Topic Alias above the maximum")
            return ""
        if topic == aliases.UNKNOWN:
            cites = ("X5-topic-alias-unknown-empty",)
            breach(connection, cites, PROTOCOL_ERROR, PUBLISH, now, "A Topic Alias that was not set")
            return ""
    if len(topic) > broker.limits.topic_v31 and connection.version == V31:
        breach(connection, ("X31-topic-length",), TOPIC_NAME_INVALID, PUBLISH, now, "A Topic Name too long for 3.1")
        return ""
    if broker.strict_text and (disallowed(topic) or (block is not None and _response_disallowed(block))):
        where = "Topic Name" if disallowed(topic) else "Response Topic"
        text = f"A character that is not allowed in the {where}"
        breach(connection, DISALLOWED, MALFORMED_PACKET, PUBLISH, now, text)
        return ""
    if packet.retain and not agreement.capabilities.retain_available:
        text = "Retained messages are not supported"
        breach(connection, ("MQTT5-3.2.2-14",), RETAIN_NOT_SUPPORTED, PUBLISH, now, text)
        return ""
    return topic


def _too_large(connection: Connection) -> int:
    """Return the Reason Code for a payload above `message_size`, and count it for the log.

    A PUBACK or PUBREC cannot have 0x95 (Packet too large): the code for a limit of the administrator is 0x97.

    Cites: MQTT5-3.4.2-1, MQTT5-3.5.2-1
    """
    broker = connection.broker
    if broker.options.notes and broker.drops.add(connection.client_id, "message_size"):
        broker.effects.append(Dropped())
    return QUOTA_EXCEEDED


def _response_disallowed(block: Block) -> bool:
    response_topic = block.properties().response_topic
    return response_topic is not None and disallowed(response_topic)


def _acceptable(connection: Connection, packet: Publish, topic: str, block: Block | None) -> int:
    """Return 0, or the Reason Code for a payload that is not UTF-8 as indicated, or that cannot be retained."""
    broker = connection.broker
    if block is not None and block.utf8:
        code = _judge_payload(connection, packet.payload)
        if code:
            return code
    if packet.retain and packet.qos and packet.payload and connection.version == V5:
        # A message that cannot be retained must not be acknowledged as if it were. Only these clients can be told
        # [MQTT5-3.3.1-5].
        if broker.retained.full(topic, len(packet.payload) + len(topic) + (0 if block is None else len(block.data))):
            broker.counters.retained_refused += 1
            return QUOTA_EXCEEDED
    return 0


def _turn_down(connection: Connection, session: Session, packet: Publish, answer: Refusal, now: int) -> None:
    """Refuse a PUBLISH as a hook answered, or drop it and acknowledge it as if it had been delivered."""
    if not answer.dropped:
        refuse(connection, session, packet, answer.code if answer.code in _ACK_CODES else UNSPECIFIED_ERROR, now)
        return
    connection.broker.counters.dropped_by_hook += 1
    if packet.qos:
        _answer(connection, session, packet, 0, now)


def refuse(connection: Connection, session: Session, packet: Publish, code: int, now: int) -> None:
    """Refuse a PUBLISH. Answer it as the client's protocol version and the QoS allow."""
    broker = connection.broker
    broker.counters.publish_refused += 1
    if code == NOT_AUTHORIZED:
        if broker.decisions.unauthorized_publish == UNAUTHORIZED_PUBLISH_CLOSE and connection.version != V31:
            # [MQTT311-3.3.5-2]; 3.1 allows nothing but the acknowledgement [X31-publish-unauthorized].
            dismiss(connection, NOT_AUTHORIZED, "Not authorized to publish there", now)
            return
        if broker.decisions.not_authorized == NOT_AUTHORIZED_OBSCURE:
            code = UNSPECIFIED_ERROR
    if packet.qos:
        _answer(connection, session, packet, code, now)


def _refuse_unstored(connection: Connection, session: Session, packet: Publish, now: int) -> None:
    """Refuse a message of QoS 1 or 2 while the store fails. 3.x has no code for it, so its connection is closed.

    Cites: MQTT311-4.8.0-2
    """
    if connection.version == V5:
        refuse(connection, session, packet, IMPLEMENTATION_SPECIFIC_ERROR, now)
    else:
        connection.broker.counters.publish_refused += 1
        dismiss(connection, IMPLEMENTATION_SPECIFIC_ERROR, "The store fails: no message can be acknowledged", now)


def _answer(connection: Connection, session: Session, packet: Publish, code: int, now: int) -> None:
    """Send the PUBACK or PUBREC."""
    inherited: list[tuple[str, str]] | None = None
    if connection.broker.decisions.acknowledgement_properties == ACKNOWLEDGEMENT_PROPERTIES_INHERIT:
        properties = packet.properties
        inherited = None if properties is None else properties.user_property
    qos_receive.answered(connection, session, packet.qos, packet.packet_id, code, now, inherited)


def _judge_payload(connection: Connection, payload: bytes) -> int:
    """Return 0x99 if the payload is not UTF-8 and the decision `payload_format` is to check it; else 0.

    Cites: X5-payload-format-checked, X5-payload-format-utf8
    """
    if connection.broker.decisions.payload_format == PAYLOAD_FORMAT_CHECK:
        try:
            payload.decode()
        except UnicodeDecodeError:
            return PAYLOAD_FORMAT_INVALID
    return 0
