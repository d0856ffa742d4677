# SPDX-License-Identifier: MIT
"""UNSUBSCRIBE: delete subscriptions and answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks, subscribe
from mqtt_ref.engine.generated.subscription import ABSENT, DO_DELETE, DO_NOT_FOUND, ON_UNSUBSCRIBE, PRESENT, WIDTH
from mqtt_ref.engine.intercept import LATER, Refusal
from mqtt_ref.engine.reacting import breach, dismiss
from mqtt_ref.engine.topics import DISALLOWED, disallowed
from mqtt_ref.engine.waiting import Suspended
from mqtt_ref.wire.codes import (
    FAILURE,
    MALFORMED_PACKET,
    NO_SUBSCRIPTION_EXISTED,
    PACKET_IDENTIFIER_IN_USE,
    PACKET_TOO_LARGE,
    UNSPECIFIED_ERROR,
    UNSUBSCRIBE,
)
from mqtt_ref.wire.packets import Unsubscribe
from mqtt_ref.wire.primitives import V5
from mqtt_ref.wire.reasons import UnsubackReason

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session

__all__ = ["go_on", "unsubscribe"]

_UNSUBACK_CODES: Final = frozenset(int(code) for code in UnsubackReason if code >= FAILURE)

# Stages at which an UNSUBSCRIBE may be suspended.
SEEN = 1
"""`on_unsubscribe` was asked."""
DELETING = 2
"""Some of the subscriptions are deleted. `codes` has their Reason Codes, `progress` the answer of the hooks."""
COST: Final = 4
"""Units of work of a filter."""
LONG: Final = 8
"""Characters of a filter that are another unit."""


def unsubscribe(connection: Connection, session: Session, packet: Unsubscribe, now: int) -> None:
    """Show an UNSUBSCRIBE to the hooks, then carry it out and answer it."""
    broker = connection.broker
    broker.work -= len(packet.topic_filters)  # it was decoded as a whole
    if broker.strict_text:
        for name in packet.topic_filters:
            if disallowed(name):
                text = "A character that is not allowed in the Topic Filter"
                breach(connection, DISALLOWED, MALFORMED_PACKET, UNSUBSCRIBE, now, text)
                return
    intercept = broker.intercept
    outcome: object = None
    if intercept.on_unsubscribe is not None:
        outcome = intercept.on_unsubscribe(connection, packet)
        if outcome is LATER:
            connection.suspend(Suspended("on_unsubscribe", SEEN, packet), now, packet)
            return
    _delete(connection, session, packet, outcome, [], now)


def go_on(
    connection: Connection, session: Session, packet: Unsubscribe, suspended: Suspended, answer: object, now: int
) -> None:
    """Continue a suspended UNSUBSCRIBE."""
    _delete(connection, session, packet, answer, suspended.codes, now)


def _delete(
    connection: Connection, session: Session, packet: Unsubscribe, answer: object, codes: list[int], now: int
) -> None:
    """Delete the subscriptions whose filters are equal, character by character. Answer with one UNSUBACK.

    Messages that were sent already are completed.

    Cites: MQTT5-3.10.4-1, MQTT5-3.10.4-2, MQTT5-3.10.4-3, MQTT5-3.10.4-6, MQTT311-3.10.4-1, MQTT311-3.10.4-3,
    MQTT311-3.10.4-6, X5-unsuback-no-subscription, X5-unsubscribe-no-match, X5-unsubscribe-shared,
    X5-shared-unsubscribe-filter, X5-shared-outlives-creator, X5-unsubscribe-buffered, X311-unsubscribe-buffered,
    X311-unsubscribe-in-progress
    """
    broker = connection.broker
    tables = broker.tables
    # The identifiers of SUBSCRIBE, UNSUBSCRIBE and PUBLISH are one set [X5-packet-id-single-set].
    refused = 0
    if packet.packet_id in session.received and connection.version == V5:
        refused = PACKET_IDENTIFIER_IN_USE
    elif isinstance(answer, Refusal):
        refused = answer.code if answer.code in _UNSUBACK_CODES else UNSPECIFIED_ERROR
    elif isinstance(answer, Unsubscribe):
        packet = answer
    for name in packet.topic_filters[len(codes) :]:
        if broker.work <= 0:
            connection.suspend_work(Suspended("", DELETING, packet, codes=codes), answer)
            return
        broker.work -= COST + len(name) // LONG
        if refused:
            codes.append(refused)
            continue
        state = PRESENT if name in session.subscriptions else ABSENT
        at = state * WIDTH + ON_UNSUBSCRIBE
        action = tables.subscription_action[at]
        subscribe.enter(connection, session, name, tables.subscription_next[at], 0, 0)
        if action == DO_DELETE:
            codes.append(0)
        else:
            codes.append(NO_SUBSCRIPTION_EXISTED if action == DO_NOT_FOUND else UNSPECIFIED_ERROR)
    inherited = None if packet.properties is None else acks.inherited(connection, packet.properties.user_property)
    if not acks.unsuback(connection, packet.packet_id, codes, "", inherited):
        dismiss(connection, PACKET_TOO_LARGE, "The UNSUBACK is larger than the client's Maximum Packet Size", now)
        return
    watch = broker.watch
    if watch.on_unsubscribed is not None:
        watch.on_unsubscribed(connection, packet, codes)
