# SPDX-License-Identifier: MIT
"""SUBSCRIBE and UNSUBSCRIBE: what is granted, what is refused, and the retained messages that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine import acks, qos_send
from mqtt_ref.engine.generated.decisions import NO_LOCAL_RETAINED_APPLY, NOT_AUTHORIZED_OBSCURE
from mqtt_ref.engine.generated.subscription import (
    ABSENT,
    DO_DELETE,
    DO_PUT_RETAINED,
    ON_HANDLING_0,
    ON_SHARED,
    ON_UNSUBSCRIBE,
    PRESENT,
    WIDTH,
)
from mqtt_ref.engine.intercept import ASK, LATER, SUBSCRIBE_ACCESS, Pending, Refusal
from mqtt_ref.engine.intercept import SUBSCRIBE as SUBSCRIBE_STAGE
from mqtt_ref.engine.intercept import UNSUBSCRIBE as UNSUBSCRIBE_STAGE
from mqtt_ref.engine.reacting import breach, expel
from mqtt_ref.engine.texts import DISALLOWED, disallowed
from mqtt_ref.wire.primitives import V5, V31
from mqtt_ref.wire.reasons import SubackReason, UnsubackReason

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Subscribe, Unsubscribe

__all__ = ["offered", "permit", "subscribe", "unsubscribe", "unsubscribe_offered"]

_SUBACK_CODES: Final = frozenset(int(code) for code in SubackReason if code >= 0x80)
_UNSUBACK_CODES: Final = frozenset(int(code) for code in UnsubackReason if code >= 0x80)

RETAINED_COST = 256
"""Bytes that a retained message counts for beside its own: a short one is work and memory too."""
SUBSCRIBE = 8
NO_SUBSCRIPTION_EXISTED = 0x11
UNSPECIFIED_ERROR = 0x80
MALFORMED_PACKET = 0x81
NOT_AUTHORIZED = 0x87
TOPIC_FILTER_INVALID = 0x8F
PACKET_IDENTIFIER_IN_USE = 0x91
PACKET_TOO_LARGE = 0x95
QUOTA_EXCEEDED = 0x97
SHARED_NOT_SUPPORTED = 0x9E
IDENTIFIERS_NOT_SUPPORTED = 0xA1
WILDCARDS_NOT_SUPPORTED = 0xA2


def subscribe(link: Link, session: Session, packet: Subscribe, now: int) -> None:
    """A SUBSCRIBE: hooks may change it, then it is judged as a whole, then filter by filter."""
    intercept = link.hub.intercept
    if intercept is not None and intercept.subscribe is not None:
        outcome = intercept.subscribe(link, packet)
        if outcome is LATER:
            link.hub.suspend(link, Pending(SUBSCRIBE_STAGE, packet), "on_subscribe", now, packet)
        elif isinstance(outcome, Refusal):
            offered(link, session, packet, outcome, now)
        else:
            offered(link, session, packet if outcome is None else outcome, None, now)
        return
    offered(link, session, packet, None, now)


def offered(link: Link, session: Session, packet: Subscribe, refusal: Refusal | None, now: int) -> None:
    """Judge a SUBSCRIBE as a whole. Where a filter asks for what the server has said it lacks, the connection ends and
    none of them takes effect.
    """
    hub = link.hub
    if refusal is not None:
        code = refusal.code if refusal.code in _SUBACK_CODES else UNSPECIFIED_ERROR
        _make(link, session, packet, [code for _ in packet.subscriptions], now)
        return
    if not _possible(link, session, packet, now):
        return
    if hub.access is None or hub.access.subscribe is None:
        _make(link, session, packet, None, now)
    else:
        permit(link, session, packet, [], now)


def permit(link: Link, session: Session, packet: Subscribe, codes: list[int], now: int) -> None:
    """Ask who may subscribe, filter by filter, from the first that has no code yet."""
    hub = link.hub
    access = hub.access
    for wanted in packet.subscriptions[len(codes) :]:
        code = 0
        if access is not None and access.subscribe is not None:
            name = wanted.topic_filter
            code = access.subscribe(link, name, wanted.qos)
            if code == ASK:
                hub.suspend(link, Pending(SUBSCRIBE_ACCESS, packet, "", codes), "on_acl_check", now, packet, name)
                return
        codes.append(code)
    _make(link, session, packet, codes, now)


def _possible(link: Link, session: Session, packet: Subscribe, now: int) -> bool:
    """Whether nothing in it breaks a rule; else the connection ends."""
    hub = link.hub
    offered = link.offered
    if hub.strict_text:
        for wanted in packet.subscriptions:
            if disallowed(wanted.topic_filter):
                text = "A character that is not allowed in the Topic Filter"
                breach(link, DISALLOWED, MALFORMED_PACKET, SUBSCRIBE, now, text)
                return False
    if _identifier(packet) and not offered.subscription_identifier_available:
        lacking(link, IDENTIFIERS_NOT_SUPPORTED, "Subscription Identifiers are not supported", now)
        return False
    if not offered.wildcard_subscription_available or not offered.shared_subscription_available:
        for wanted in packet.subscriptions:
            name = wanted.topic_filter
            if hub.is_shared(session, name):
                if not offered.shared_subscription_available and link.version == V5:
                    lacking(link, SHARED_NOT_SUPPORTED, "Shared Subscriptions are not supported", now)
                    return False
            if ("+" in name or "#" in name) and not offered.wildcard_subscription_available and link.version == V5:
                lacking(link, WILDCARDS_NOT_SUPPORTED, "Wildcards are not supported", now)
                return False
    return True


def _identifier(packet: Subscribe) -> int:
    properties = packet.properties
    return 0 if properties is None else properties.subscription_identifier or 0


def _make(link: Link, session: Session, packet: Subscribe, verdicts: list[int] | None, now: int) -> None:
    """Make the subscriptions of a SUBSCRIBE one after the other and answer with one SUBACK.

    `verdicts` has, for each, 0 or why this client may not have it.
    [MQTT5-3.8.4-1, MQTT5-3.8.4-5, MQTT311-3.8.4-1, MQTT311-3.8.4-4]
    [MQTT5-3.2.2-10, X5-granted-qos-lower, X31-subscribe-lower-qos, X5-retain-handling-only-subscribe]
    Once the retained messages for its filters come to more than may wait for a session, further filters are refused;
    and its next packets are not looked at before it is written to. Else a few bytes would ask for any amount.
    """
    hub = link.hub
    offered = link.offered
    identifier = _identifier(packet)
    codes: list[int] = []
    retained: list[tuple[list[Message], int, bool]] = []
    size = 0
    # The identifiers of SUBSCRIBE, UNSUBSCRIBE and PUBLISH are one set [X5-packet-id-single-set].
    taken = packet.packet_id in session.received and link.version == V5
    for at, wanted in enumerate(packet.subscriptions):
        name = wanted.topic_filter
        verdict = 0 if verdicts is None else verdicts[at]
        if taken:
            code = PACKET_IDENTIFIER_IN_USE
        elif size > hub.options.bounds.queued_bytes:
            code = QUOTA_EXCEEDED
        else:
            code = _refused(link, session, name, verdict)
        if code:
            if code == NOT_AUTHORIZED and hub.decisions.not_authorized == NOT_AUTHORIZED_OBSCURE:
                code = UNSPECIFIED_ERROR
            codes.append(code)
            continue
        granted = min(wanted.qos, offered.maximum_qos) if offered.maximum_qos < 2 else wanted.qos
        codes.append(granted)
        options = (
            granted
            | (4 if wanted.no_local else 0)
            | (8 if wanted.retain_as_published else 0)
            | wanted.retain_handling << 4
        )
        if _put(link, session, name, options, identifier, wanted.retain_handling):
            messages = [] if link.gone else hub.retained(name, now)
            if messages:
                retained.append((messages, granted, wanted.no_local))
                size += sum([message.size + RETAINED_COST for message in messages])
    inherited = None if packet.properties is None else acks.inherited(link, packet.properties.user_property)
    if not acks.suback(link, packet.packet_id, _spoken(link, codes), _why(codes), inherited):
        expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of its SUBACK", now)
        return
    watch = hub.watch
    if watch is not None and watch.subscribed is not None:
        watch.subscribed(link, packet, codes)
    link.burst += size
    identifiers = (identifier,) if identifier else ()
    for messages, granted, no_local in retained:
        _send_retained(link, session, messages, granted, no_local, identifiers, now)


def lacking(link: Link, code: int, text: str, now: int) -> None:
    """End the connection of a client that asks for what the CONNACK said is not there (3.2.2.3.11 to 3.2.2.3.13)."""
    cites = {
        SHARED_NOT_SUPPORTED: "X5-shared-not-supported",
        IDENTIFIERS_NOT_SUPPORTED: "X5-subscription-identifier-not-supported",
        WILDCARDS_NOT_SUPPORTED: "X5-wildcard-not-supported",
    }
    breach(link, (cites[code],), code, SUBSCRIBE, now, text)


def _refused(link: Link, session: Session, name: str, verdict: int) -> int:
    """0, or the Reason Code for a filter that this client may not have; `verdict` is what those said who decide.

    [X5-topic-filter-refused, X5-wildcard-refused-suback]
    """
    hub = link.hub
    offered = link.offered
    refused = hub.options.refused_filters
    if refused and name in refused:
        return NOT_AUTHORIZED
    if verdict:
        return verdict if verdict in _SUBACK_CODES else UNSPECIFIED_ERROR  # [MQTT5-3.9.3-2]
    if name.count("/") >= hub.options.bounds.topic_levels:
        return TOPIC_FILTER_INVALID
    if len(session.subscriptions) >= hub.options.bounds.subscriptions and name not in session.subscriptions:
        return QUOTA_EXCEEDED
    if link.version != V5:
        # [MQTT311-3.8.3-2]
        if not offered.wildcard_subscription_available and ("+" in name or "#" in name):
            return WILDCARDS_NOT_SUPPORTED
        if not offered.shared_subscription_available and hub.is_shared(session, name):
            return SHARED_NOT_SUPPORTED
    return 0


def _put(link: Link, session: Session, name: str, options: int, identifier: int, handling: int) -> bool:
    """Make or replace one subscription; True if retained messages are to be sent.

    A filter that is there already is replaced, and no message is lost by it [MQTT5-3.8.4-3, MQTT5-3.8.4-4,
    MQTT311-3.8.4-3]. A Shared Subscription gets no retained messages [X5-shared-no-retained].
    [X5-subscription-created, X5-shared-created, X5-shared-joined, X5-shared-subscribed-twice,
    X5-subscription-identifier-stored, X5-subscription-identifier-removed, X5-nonshared-own-session,
    X311-new-subscription-retained]
    """
    hub = link.hub
    tables = hub.tables
    state = PRESENT if name in session.subscriptions else ABSENT
    shared = hub.is_shared(session, name)
    at = state * WIDTH + (ON_SHARED if shared else ON_HANDLING_0 + handling)
    action = tables.subscription_action[at]
    if tables.subscription_next[at] == PRESENT:
        hub.subscribe(session, name, options, identifier)
        session.subscriptions[name] = (options, identifier)
        if hub.keeper is not None:
            hub.keeper.subscription(session, name, options, identifier)
    return action == DO_PUT_RETAINED


def _spoken(link: Link, codes: list[int]) -> list[int]:
    """The codes as the client's version has them: 3.1.1 knows 0x80 alone, 3.1 no failure at all.

    [MQTT5-3.9.3-2, MQTT311-3.9.3-2, X31-subscribe-unauthorized, X31-suback-codes]
    """
    if link.version == V5:
        return codes
    failure = 0 if link.version == V31 else UNSPECIFIED_ERROR
    return [code if code < 0x80 else failure for code in codes]


def _why(codes: list[int]) -> str:
    refused = [code for code in codes if code >= 0x80]
    return "" if not refused else f"{len(refused)} of {len(codes)} filters refused"


def _send_retained(
    link: Link,
    session: Session,
    messages: list[Message],
    granted: int,
    no_local: bool,
    identifiers: tuple[int, ...],
    now: int,
) -> None:
    """Send retained messages with RETAIN 1 at the lower of their QoS and the granted one.

    [MQTT5-3.3.1-9, MQTT5-3.8.4-8, MQTT5-3.3.4-3, MQTT311-3.3.1-6, MQTT311-3.3.1-8, MQTT311-3.8.4-6]
    [X5-retained-on-subscribe, X5-retained-retain-flag]
    """
    hub = link.hub
    hide = no_local and hub.decisions.no_local_retained == NO_LOCAL_RETAINED_APPLY
    most = min(granted, hub.limits.retained_qos_maximum)
    guarded = hub.access is not None and hub.access.read is not None
    watch = hub.watch
    for message in messages:
        if hide and message.publisher == link.client_id:
            continue  # [MQTT5-3.8.3-3]
        if guarded and not hub.may_read(session, message.topic):
            hub.counters.dropped_denied += 1
            hub.tell_dropped(session, message, "denied")
            continue
        if watch is not None and watch.retained_sent is not None:
            watch.retained_sent(session, message)
        qos_send.deliver(link, session, message, min(message.qos, most), True, identifiers, now)


def unsubscribe(link: Link, session: Session, packet: Unsubscribe, now: int) -> None:
    """An UNSUBSCRIBE: hooks may change it, then it is done."""
    intercept = link.hub.intercept
    if intercept is not None and intercept.unsubscribe is not None:
        outcome = intercept.unsubscribe(link, packet)
        if outcome is LATER:
            link.hub.suspend(link, Pending(UNSUBSCRIBE_STAGE, packet), "on_unsubscribe", now, packet)
        elif isinstance(outcome, Refusal):
            unsubscribe_offered(link, session, packet, outcome, now)
        else:
            unsubscribe_offered(link, session, packet if outcome is None else outcome, None, now)
        return
    unsubscribe_offered(link, session, packet, None, now)


def unsubscribe_offered(link: Link, session: Session, packet: Unsubscribe, refusal: Refusal | None, now: int) -> None:
    """Delete subscriptions whose filters are equal character by character, and answer with one UNSUBACK.

    What was sent already is completed [MQTT5-3.10.4-1, MQTT5-3.10.4-2, MQTT5-3.10.4-3, MQTT5-3.10.4-6,
    MQTT311-3.10.4-1, MQTT311-3.10.4-3, MQTT311-3.10.4-6].
    [X5-unsuback-no-subscription, X5-unsubscribe-no-match, X5-unsubscribe-shared, X5-shared-unsubscribe-filter,
    X5-shared-outlives-creator, X5-unsubscribe-buffered, X311-unsubscribe-buffered, X311-unsubscribe-in-progress]
    """
    hub = link.hub
    tables = hub.tables
    codes: list[int] = []
    # The identifiers of SUBSCRIBE, UNSUBSCRIBE and PUBLISH are one set [X5-packet-id-single-set].
    refused = 0
    if packet.packet_id in session.received and link.version == V5:
        refused = PACKET_IDENTIFIER_IN_USE
    elif refusal is not None:
        refused = refusal.code if refusal.code in _UNSUBACK_CODES else UNSPECIFIED_ERROR
    for name in packet.topic_filters:
        if refused:
            codes.append(refused)
            continue
        state = PRESENT if name in session.subscriptions else ABSENT
        at = state * WIDTH + ON_UNSUBSCRIBE
        action = tables.subscription_action[at]
        if state == PRESENT and tables.subscription_next[at] == ABSENT:
            hub.unsubscribe(session, name)
            del session.subscriptions[name]
            if hub.keeper is not None:
                hub.keeper.subscription_gone(session, name)
        codes.append(0 if action == DO_DELETE else NO_SUBSCRIPTION_EXISTED)
    inherited = None if packet.properties is None else acks.inherited(link, packet.properties.user_property)
    if not acks.unsuback(link, packet.packet_id, codes, "", inherited):
        expel(link, PACKET_TOO_LARGE, "The client takes no packet of the size of its UNSUBACK", now)
        return
    watch = hub.watch
    if watch is not None and watch.unsubscribed is not None:
        watch.unsubscribed(link, packet, codes)
