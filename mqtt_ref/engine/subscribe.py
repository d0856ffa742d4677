# SPDX-License-Identifier: MIT
"""SUBSCRIBE: grant or refuse each filter, answer, and send the retained messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from mqtt_ref.engine import acks
from mqtt_ref.engine.generated.decisions import NOT_AUTHORIZED_OBSCURE, UNAUTHORIZED_SUBSCRIBE_GRANT
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
    from mqtt_ref.broker.replay import Wanted
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session

__all__ = ["enter", "go_on", "subscribe"]

# Stages at which a SUBSCRIBE may be suspended.
SEEN = 1
"""`on_subscribe` was asked."""
PERMITTED = 2
"""`on_acl_check` was asked about one filter."""
PERMITTING = 3
"""The turn ended between two filters that `on_acl_check` is asked about."""
MAKING = 4
"""Some of the subscriptions are made."""

_HANDLING: Final = (ON_HANDLING_0, ON_HANDLING_1, ON_HANDLING_2)
"""Input of the machine, by Retain Handling."""
_SUBACK_CODES: Final = frozenset(int(code) for code in SubackReason if code >= FAILURE)

COST: Final = 4
"""Units of work of a filter."""
LONG: Final = 8
"""Characters of a filter that are another unit."""
REPLAYS: Final = 10_000
"""Filters whose retained messages a session may wait for."""


class Making:
    """How far the subscriptions of a SUBSCRIBE are made.

    `verdicts` has for each filter 0, or the Reason Code that refuses it; None if all are allowed.
    """

    __slots__ = ("verdicts", "wanted")

    def __init__(self, verdicts: list[int] | None) -> None:
        self.verdicts = verdicts
        self.wanted: list[Wanted] = []
        """Filters whose retained messages are to be sent after the SUBACK."""


def subscribe(connection: Connection, session: Session, packet: Subscribe, now: int) -> None:
    """Show a SUBSCRIBE to the hooks, check it as a whole, then filter by filter, and answer it."""
    broker = connection.broker
    broker.work -= len(packet.subscriptions)  # it was decoded, and will be checked, as a whole
    intercept = broker.intercept
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
    """Continue a suspended SUBSCRIBE with the answer, or with what was done of it."""
    if suspended.stage == SEEN:
        _seen(connection, session, packet, answer, now)
    elif suspended.stage == PERMITTED:
        suspended.codes.append(answer if isinstance(answer, int) else NOT_AUTHORIZED)
        _permit(connection, session, packet, suspended.codes, now)
    elif suspended.stage == PERMITTING:
        _permit(connection, session, packet, suspended.codes, now)
    else:
        _make(connection, session, packet, cast("Making", answer), suspended.codes, now)


def _seen(connection: Connection, session: Session, packet: Subscribe, answer: object, now: int) -> None:
    """Continue after the hooks have seen a SUBSCRIBE: use the packet that they returned, or refuse all filters.

    If a filter needs something that the CONNACK said is not supported, the connection ends and no filter takes effect.
    """
    if isinstance(answer, Refusal):
        code = answer.code if answer.code in _SUBACK_CODES else UNSPECIFIED_ERROR
        refused = Making([code for _ in packet.subscriptions])
        _make(connection, session, packet, refused, [], now)
        return
    if isinstance(answer, Subscribe):
        packet = answer
    if _possible(connection, packet, now):
        _permit(connection, session, packet, [], now)


def _permit(connection: Connection, session: Session, packet: Subscribe, codes: list[int], now: int) -> None:
    """Ask for each filter if the client may subscribe, from the first that has no code yet."""
    broker = connection.broker
    access = broker.access
    if access is None or access.on_acl_check_subscribe is None:
        _make(connection, session, packet, Making(None), [], now)
        return
    for wanted in packet.subscriptions[len(codes) :]:
        if broker.work <= 0:
            connection.suspend_work(Suspended("", PERMITTING, packet, codes=codes), None)
            return
        broker.work -= COST
        name = wanted.topic_filter
        code = access.on_acl_check_subscribe(connection, name, wanted.qos)
        if code == ASK:
            connection.suspend(Suspended("on_acl_check", PERMITTED, packet, name, codes), now, packet, name)
            return
        codes.append(code)
    _make(connection, session, packet, Making(codes), [], now)


def _possible(connection: Connection, packet: Subscribe, now: int) -> bool:
    """True if nothing in the SUBSCRIBE breaks a rule; else the connection ends."""
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


def _make(
    connection: Connection, session: Session, packet: Subscribe, making: Making, codes: list[int], now: int
) -> None:
    """Make the subscriptions of a SUBSCRIBE one after the other. Answer with one SUBACK.

    `codes` has the Reason Codes of those that are made already.

    If so decided, the SUBACK grants filters that are not authorized. There is no subscription then.

    Cites: MQTT5-3.8.4-1, MQTT5-3.8.4-5, MQTT311-3.8.4-1, MQTT311-3.8.4-4, MQTT5-3.2.2-10, X5-granted-qos-lower,
    X31-subscribe-lower-qos, X5-retain-handling-only-subscribe
    """
    broker = connection.broker
    capabilities = connection.agreement.capabilities
    identifier = _identifier(packet)
    verdicts = making.verdicts
    pretends = broker.decisions.unauthorized_subscribe == UNAUTHORIZED_SUBSCRIBE_GRANT
    # The identifiers of SUBSCRIBE, UNSUBSCRIBE and PUBLISH are one set [X5-packet-id-single-set].
    taken = packet.packet_id in session.received and connection.version == V5
    for wanted in packet.subscriptions[len(codes) :]:
        if broker.work <= 0:
            connection.suspend_work(Suspended("", MAKING, packet, codes=codes), making)
            return
        name = wanted.topic_filter
        broker.work -= COST + len(name) // LONG
        if taken:
            code = PACKET_IDENTIFIER_IN_USE
        else:
            code = _refused(connection, session, name, identifier, 0 if verdicts is None else verdicts[len(codes)])
        if code:
            if code == NOT_AUTHORIZED and not pretends and broker.decisions.not_authorized == NOT_AUTHORIZED_OBSCURE:
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
        if _put(connection, session, name, options, identifier, wanted.retain_handling) and not connection.gone:
            matched = name
            if broker.router.is_shared(name, connection.version):
                matched = name.split("/", 2)[2]  # without `$share` and the ShareName
            making.wanted.append(broker.retained.wanted(name, matched, granted, wanted.no_local, identifier))
    inherited = None if packet.properties is None else acks.inherited(connection, packet.properties.user_property)
    told = codes
    if pretends and NOT_AUTHORIZED in codes:
        most = capabilities.maximum_qos
        told = [
            min(wanted.qos, most) if code == NOT_AUTHORIZED else code
            for wanted, code in zip(packet.subscriptions, codes, strict=True)
        ]
    if not acks.suback(connection, packet.packet_id, _spoken(connection, told), _why(told), inherited):
        dismiss(connection, PACKET_TOO_LARGE, "The SUBACK is larger than the client's Maximum Packet Size", now)
        return
    watch = broker.watch
    if watch.on_subscribed is not None:
        watch.on_subscribed(connection, packet, codes)
    if making.wanted:
        broker.retained.replay(session, making.wanted, now)


def _lacking(connection: Connection, code: int, text: str, now: int) -> None:
    """End the connection: the client uses what the CONNACK declared unavailable (3.2.2.3.11 to 3.2.2.3.13)."""
    cites = {
        SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: "X5-shared-not-supported",
        SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: "X5-subscription-identifier-not-supported",
        WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: "X5-wildcard-not-supported",
    }
    breach(connection, (cites[code],), code, SUBSCRIBE, now, text)


def _refused(connection: Connection, session: Session, name: str, identifier: int, verdict: int) -> int:
    """Return 0, or the Reason Code that refuses this filter. `verdict` is the answer of the access check.

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
    bounds = broker.options.bounds
    if session.replay is not None and len(session.replay) >= REPLAYS:
        return QUOTA_EXCEEDED
    if name not in session.subscriptions:
        if len(session.subscriptions) >= bounds.subscriptions or broker.budget.used >= broker.budget.state_limit:
            return QUOTA_EXCEEDED
        if broker.router.is_shared(name, connection.version):
            if broker.router.groups_of(session.handle) >= bounds.shared_subscriptions:
                return QUOTA_EXCEEDED
    if identifier and session.subscription_identifiers >= bounds.subscription_identifiers:
        before = session.subscriptions.get(name)
        if before is None or not before[1]:
            return QUOTA_EXCEEDED
    if connection.version != V5:
        # [MQTT311-3.8.3-2]
        if not capabilities.wildcard_subscription_available and ("+" in name or "#" in name):
            return WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
        if not capabilities.shared_subscription_available and broker.router.is_shared(name, connection.version):
            return SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    return 0


def _put(connection: Connection, session: Session, name: str, options: int, identifier: int, handling: int) -> bool:
    """Make or replace one subscription. Return True if retained messages are to be sent.

    Replacing a subscription loses no message. A Shared Subscription gets no retained messages.

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
    """Put a subscription into its next state: present, with these options, or absent."""
    broker = connection.broker
    if after == PRESENT:
        shared = broker.router.is_shared(name, connection.version)
        broker.router.subscribe(session.handle, name, options, identifier, shared)
        if name not in session.subscriptions:
            broker.budget.subscribed(session, name)
        session.subscribe(name, options, identifier)
        if broker.journal is not None:
            broker.journal.subscription(session, name, options, identifier)
    elif name in session.subscriptions:
        broker.router.unsubscribe(session.handle, name)
        session.unsubscribe(name)
        broker.budget.unsubscribed(session, name)
        if broker.journal is not None:
            broker.journal.subscription_gone(session, name)


def _spoken(connection: Connection, codes: list[int]) -> list[int]:
    """Convert the codes to the client's version: 3.1.1 has only 0x80 as a failure, 3.1 has none.

    Cites: MQTT5-3.9.3-2, MQTT311-3.9.3-2, X31-subscribe-unauthorized, X31-suback-codes
    """
    if connection.version == V5:
        return codes
    failure = 0 if connection.version == V31 else UNSPECIFIED_ERROR
    return [code if code < FAILURE else failure for code in codes]


def _why(codes: list[int]) -> str:
    refused = [code for code in codes if code >= FAILURE]
    return "" if not refused else f"{len(refused)} of {len(codes)} filters refused"
