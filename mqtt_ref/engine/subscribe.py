# SPDX-License-Identifier: MIT
"""SUBSCRIBE: what is granted, what is refused, and the retained messages that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks, qos_send
from mqtt_ref.engine.generated.decisions import NO_LOCAL_RETAINED_APPLY, NOT_AUTHORIZED_OBSCURE
from mqtt_ref.engine.generated.subscription import (
    ABSENT,
    DO_PUT_RETAINED,
    ON_HANDLING_0,
    ON_HANDLING_1,
    ON_HANDLING_2,
    ON_SHARED,
    PRESENT,
    WIDTH,
)
from mqtt_ref.engine.intercept import ASK, LATER, Refusal
from mqtt_ref.engine.reacting import breach, dismiss
from mqtt_ref.engine.topics import DISALLOWED, disallowed
from mqtt_ref.engine.waiting import Suspended
from mqtt_ref.wire.codes import (
    FAILURE,
    IMPLEMENTATION_SPECIFIC_ERROR,
    MALFORMED_PACKET,
    NOT_AUTHORIZED,
    PACKET_IDENTIFIER_IN_USE,
    PACKET_TOO_LARGE,
    QUOTA_EXCEEDED,
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
    SUBSCRIBE,
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
    TOPIC_FILTER_INVALID,
    UNSPECIFIED_ERROR,
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
)
from mqtt_ref.wire.packets import Subscribe
from mqtt_ref.wire.primitives import V5, V31
from mqtt_ref.wire.reasons import SubackReason

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = ["enter", "go_on", "subscribe"]

# Stages at which a SUBSCRIBE may be suspended.
SEEN = 1
"""`on_subscribe` was asked."""
PERMITTED = 2
"""`on_acl_check` was asked about one filter."""

_HANDLING: Final = (ON_HANDLING_0, ON_HANDLING_1, ON_HANDLING_2)
"""By Retain Handling: the input of the machine."""
_SUBACK_CODES: Final = frozenset(int(code) for code in SubackReason if code >= FAILURE)

RETAINED_COST = 256
"""Bytes that a retained message counts for beside its own: a short one is work and memory too."""


def subscribe(connection: Connection, session: Session, packet: Subscribe, now: int) -> None:
    """Let the hooks see a SUBSCRIBE, judge it as a whole, then filter by filter, and answer it."""
    intercept = connection.broker.intercept
    outcome: object = None
    if intercept.on_subscribe is not None:
        outcome = intercept.on_subscribe(connection, packet)
        if outcome is LATER:
            connection.suspend(Suspended("on_subscribe", SEEN, packet), now, packet)
            return
    _seen(connection, session, packet, outcome, now)


def go_on(
    connection: Connection, session: Session, packet: Subscribe, suspended: Suspended, answer: object, now: int
) -> None:
    """Go on with a SUBSCRIBE that was suspended, with the answer."""
    if suspended.stage == SEEN:
        _seen(connection, session, packet, answer, now)
    else:
        suspended.codes.append(answer if isinstance(answer, int) else NOT_AUTHORIZED)
        _permit(connection, session, packet, suspended.codes, now)


def _seen(connection: Connection, session: Session, packet: Subscribe, answer: object, now: int) -> None:
    """The hooks have seen the SUBSCRIBE: go on with theirs, or refuse all of it.

    Where a filter asks for what the server has said it lacks, the connection ends and none of them takes effect.
    """
    if isinstance(answer, Refusal):
        code = answer.code if answer.code in _SUBACK_CODES else UNSPECIFIED_ERROR
        _make(connection, session, packet, [code for _ in packet.subscriptions], now)
        return
    if isinstance(answer, Subscribe):
        packet = answer
    if _possible(connection, packet, now):
        _permit(connection, session, packet, [], now)


def _permit(connection: Connection, session: Session, packet: Subscribe, codes: list[int], now: int) -> None:
    """Ask who may subscribe, filter by filter, from the first that has no code yet."""
    access = connection.broker.access
    if access is None or access.on_acl_check_subscribe is None:
        _make(connection, session, packet, None, now)
        return
    for wanted in packet.subscriptions[len(codes) :]:
        name = wanted.topic_filter
        code = access.on_acl_check_subscribe(connection, name, wanted.qos)
        if code == ASK:
            connection.suspend(Suspended("on_acl_check", PERMITTED, packet, name, codes), now, packet, name)
            return
        codes.append(code)
    _make(connection, session, packet, codes, now)


def _possible(connection: Connection, packet: Subscribe, now: int) -> bool:
    """Whether nothing in it breaks a rule; else the connection ends."""
    broker = connection.broker
    capabilities = connection.agreement.capabilities
    if broker.strict_text:
        for wanted in packet.subscriptions:
            if disallowed(wanted.topic_filter):
                text = "A character that is not allowed in the Topic Filter"
                breach(connection, DISALLOWED, MALFORMED_PACKET, SUBSCRIBE, now, text)
                return False
    if _identifier(packet) and not capabilities.subscription_identifier_available:
        _lacking(connection, SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED, "Subscription Identifiers are not supported", now)
        return False
    if connection.version == V5:
        for wanted in packet.subscriptions:
            name = wanted.topic_filter
            if not capabilities.shared_subscription_available and broker.router.is_shared(name, V5):
                _lacking(connection, SHARED_SUBSCRIPTIONS_NOT_SUPPORTED, "Shared Subscriptions are not supported", now)
                return False
            if not capabilities.wildcard_subscription_available and ("+" in name or "#" in name):
                _lacking(connection, WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED, "Wildcards are not supported", now)
                return False
    return True


def _identifier(packet: Subscribe) -> int:
    properties = packet.properties
    return 0 if properties is None else properties.subscription_identifier or 0


def _make(connection: Connection, session: Session, packet: Subscribe, verdicts: list[int] | None, now: int) -> None:
    """Make the subscriptions of a SUBSCRIBE one after the other and answer with one SUBACK.

    `verdicts` has, for each, 0 or why this client may not have it.
    Once the retained messages for its filters come to more than may wait for a session, further filters are refused;
    and its next packets are not looked at before it is written to. Else a few bytes would ask for any amount.

    Cites: MQTT5-3.8.4-1, MQTT5-3.8.4-5, MQTT311-3.8.4-1, MQTT311-3.8.4-4, MQTT5-3.2.2-10, X5-granted-qos-lower,
    X31-subscribe-lower-qos, X5-retain-handling-only-subscribe
    """
    broker = connection.broker
    capabilities = connection.agreement.capabilities
    identifier = _identifier(packet)
    codes: list[int] = []
    retained: list[tuple[list[Message], int, bool]] = []
    size = 0
    # The identifiers of SUBSCRIBE, UNSUBSCRIBE and PUBLISH are one set [X5-packet-id-single-set].
    taken = packet.packet_id in session.received and connection.version == V5
    for at, wanted in enumerate(packet.subscriptions):
        name = wanted.topic_filter
        verdict = 0 if verdicts is None else verdicts[at]
        if taken:
            code = PACKET_IDENTIFIER_IN_USE
        elif size > broker.options.bounds.queued_bytes:
            code = QUOTA_EXCEEDED
        else:
            code = _refused(connection, session, name, verdict)
        if code:
            if code == NOT_AUTHORIZED and broker.decisions.not_authorized == NOT_AUTHORIZED_OBSCURE:
                code = UNSPECIFIED_ERROR
            codes.append(code)
            continue
        granted = min(wanted.qos, capabilities.maximum_qos) if capabilities.maximum_qos < 2 else wanted.qos
        codes.append(granted)
        options = (
            granted
            | (4 if wanted.no_local else 0)
            | (8 if wanted.retain_as_published else 0)
            | wanted.retain_handling << 4
        )
        if _put(connection, session, name, options, identifier, wanted.retain_handling):
            matched = name
            if broker.router.is_shared(name, connection.version):
                matched = name.split("/", 2)[2]  # without `$share` and the ShareName
            messages = [] if connection.gone else broker.retained.matching(matched, now)
            if messages:
                retained.append((messages, granted, wanted.no_local))
                size += sum([message.size + RETAINED_COST for message in messages])
    inherited = None if packet.properties is None else acks.inherited(connection, packet.properties.user_property)
    if not acks.suback(connection, packet.packet_id, _spoken(connection, codes), _why(codes), inherited):
        dismiss(connection, PACKET_TOO_LARGE, "The client takes no packet of the size of its SUBACK", now)
        return
    watch = broker.watch
    if watch.on_subscribed is not None:
        watch.on_subscribed(connection, packet, codes)
    connection.outbox.burst += size
    identifiers = (identifier,) if identifier else ()
    for messages, granted, no_local in retained:
        _send_retained(connection, session, messages, granted, no_local, identifiers, now)


def _lacking(connection: Connection, code: int, text: str, now: int) -> None:
    """End the connection of a client that asks for what the CONNACK said is not there (3.2.2.3.11 to 3.2.2.3.13)."""
    cites = {
        SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: "X5-shared-not-supported",
        SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: "X5-subscription-identifier-not-supported",
        WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: "X5-wildcard-not-supported",
    }
    breach(connection, (cites[code],), code, SUBSCRIBE, now, text)


def _refused(connection: Connection, session: Session, name: str, verdict: int) -> int:
    """0, or the Reason Code for a filter that this client may not have; `verdict` is what those said who decide.

    Cites: X5-topic-filter-refused, X5-wildcard-refused-suback
    """
    broker = connection.broker
    capabilities = connection.agreement.capabilities
    refused = broker.options.refused_filters
    if refused and name in refused:
        return NOT_AUTHORIZED
    if verdict:
        return verdict if verdict in _SUBACK_CODES else UNSPECIFIED_ERROR  # [MQTT5-3.9.3-2]
    if broker.store_fails and session.kept:
        return IMPLEMENTATION_SPECIFIC_ERROR
    if name.count("/") >= broker.options.bounds.topic_levels:
        return TOPIC_FILTER_INVALID
    if len(session.subscriptions) >= broker.options.bounds.subscriptions and name not in session.subscriptions:
        return QUOTA_EXCEEDED
    if connection.version != V5:
        # [MQTT311-3.8.3-2]
        if not capabilities.wildcard_subscription_available and ("+" in name or "#" in name):
            return WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
        if not capabilities.shared_subscription_available and broker.router.is_shared(name, connection.version):
            return SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    return 0


def _put(connection: Connection, session: Session, name: str, options: int, identifier: int, handling: int) -> bool:
    """Make or replace one subscription; True if retained messages are to be sent.

    A filter that is there already is replaced, and no message is lost by it. A Shared Subscription gets no retained
    messages.

    Cites: MQTT5-3.8.4-3, MQTT5-3.8.4-4, MQTT311-3.8.4-3, X5-shared-no-retained, X5-subscription-created,
    X5-shared-created, X5-shared-joined, X5-shared-subscribed-twice, X5-subscription-identifier-stored,
    X5-subscription-identifier-removed, X5-nonshared-own-session, X311-new-subscription-retained
    """
    broker = connection.broker
    tables = broker.tables
    state = PRESENT if name in session.subscriptions else ABSENT
    shared = broker.router.is_shared(name, connection.version)
    at = state * WIDTH + (ON_SHARED if shared else _HANDLING[handling])
    enter(connection, session, name, tables.subscription_next[at], options, identifier)
    return tables.subscription_action[at] == DO_PUT_RETAINED


def enter(connection: Connection, session: Session, name: str, after: int, options: int, identifier: int) -> None:
    """A subscription enters its next state: present, as it is asked for now, or absent."""
    broker = connection.broker
    if after == PRESENT:
        shared = broker.router.is_shared(name, connection.version)
        broker.router.subscribe(session.handle, name, options, identifier, shared)
        session.subscriptions[name] = (options, identifier)
        if broker.journal is not None:
            broker.journal.subscription(session, name, options, identifier)
    elif name in session.subscriptions:
        broker.router.unsubscribe(session.handle, name)
        del session.subscriptions[name]
        if broker.journal is not None:
            broker.journal.subscription_gone(session, name)


def _spoken(connection: Connection, codes: list[int]) -> list[int]:
    """The codes as the client's version has them: 3.1.1 knows 0x80 alone, 3.1 no failure at all.

    Cites: MQTT5-3.9.3-2, MQTT311-3.9.3-2, X31-subscribe-unauthorized, X31-suback-codes
    """
    if connection.version == V5:
        return codes
    failure = 0 if connection.version == V31 else UNSPECIFIED_ERROR
    return [code if code < FAILURE else failure for code in codes]


def _why(codes: list[int]) -> str:
    refused = [code for code in codes if code >= FAILURE]
    return "" if not refused else f"{len(refused)} of {len(codes)} filters refused"


def _send_retained(
    connection: Connection,
    session: Session,
    messages: list[Message],
    granted: int,
    no_local: bool,
    identifiers: tuple[int, ...],
    now: int,
) -> None:
    """Send retained messages with RETAIN 1 at the lower of their QoS and the granted one.

    Cites: MQTT5-3.3.1-9, MQTT5-3.8.4-8, MQTT5-3.3.4-3, MQTT311-3.3.1-6, MQTT311-3.3.1-8, MQTT311-3.8.4-6,
    X5-retained-on-subscribe, X5-retained-retain-flag
    """
    broker = connection.broker
    hide = no_local and broker.decisions.no_local_retained == NO_LOCAL_RETAINED_APPLY
    most = min(granted, broker.limits.retained_qos_maximum)
    guarded = broker.access is not None and broker.access.on_acl_check_read is not None
    watch = broker.watch
    for message in messages:
        if hide and message.publisher == connection.client_id:
            continue  # [MQTT5-3.8.3-3]
        if guarded and not broker.reading.may_read(session, message.topic):
            broker.counters.dropped_denied += 1
            if broker.watch.on_publish_dropped is not None:
                broker.watch.on_publish_dropped(session, message, "denied")
            continue
        if watch.on_retain_published is not None:
            watch.on_retain_published(session, message)
        qos_send.deliver(connection, session, message, min(message.qos, most), True, identifiers, now)
