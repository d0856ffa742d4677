# SPDX-License-Identifier: MIT
"""Faults of a second author: subscription."""

from __future__ import annotations

from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule, published
from mqtt_conformance.proxy.second.retained import options
from mqtt_conformance.proxy.second.tools import fault, forge, prop, rewriting, skip
from mqtt_conformance.proxy.world import Delivery, Link, matches
from mqtt_ref.wire.packets import (
    Connack,
    Pubcomp,
    Publish,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)

__all__: list[str] = []

fault(
    "no-local-ignored-with-wildcard",
    "MQTT5-3.8.3-3",
    "subscription",
    5,
    0,
    "No Local has no effect for a filter with a wildcard",
)(
    options(
        lambda link, packet, at, one: (
            {"no_local": False} if one.no_local and ("#" in one.topic_filter or "+" in one.topic_filter) else {}
        )
    )
)


@fault(
    "no-local-lost-on-resume",
    "MQTT5-3.8.3-3",
    "session",
    5,
    1,
    "No Local is forgotten when the Session is resumed",
    ("X5-session-state-subscriptions",),
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.session_present and link.session is not None:
            link.memo["old"] = set(link.session.subs)
        return None

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and link.session is not None and "old" in link.memo:
            topic = link.topic_up(packet)
            subs = [sub for sub in link.session.matching(topic) if not sub.share]
            if (
                subs
                and all(sub.options.no_local for sub in subs)
                and any(sub.topic_filter in link.memo["old"] for sub in subs)
            ):
                forge(link, topic, packet.payload)
        return None

    return Hooks(down=down, up=up)


@fault(
    "resubscribe-keeps-rap",
    "MQTT5-3.8.4-3",
    "subscription",
    5,
    None,
    "a SUBSCRIBE for an existing filter changes its QoS but leaves Retain As Published as it was",
    ("MQTT5-3.3.1-12", "MQTT5-3.3.1-13"),
)
def _() -> Rule:
    def change(link: Link, packet: Subscribe, at: int, one: Subscription) -> dict[str, Any]:
        old = link.session.subs.get(one.topic_filter) if link.session is not None else None
        if old is None:
            return {}
        kept = old.memo.get("rap", old.options.retain_as_published)
        # The first value stays: the proxy's own record is replaced by the new one.
        link.session.memo.setdefault("raps", {}).setdefault(one.topic_filter, kept)  # type: ignore[union-attr]
        return {"retain_as_published": link.session.memo["raps"][one.topic_filter]}  # type: ignore[union-attr]

    return options(change)()


@fault(
    "resubscribe-adds-second",
    "MQTT5-3.8.4-3",
    "subscription",
    5,
    0,
    "a SUBSCRIBE for an existing filter adds a second subscription: QoS 0 messages come twice",
)
def _() -> Rule:
    return _twice()


@fault(
    "resubscribe-adds-second-wildcard-311",
    "MQTT311-3.8.4-3",
    "subscription",
    4,
    0,
    "a SUBSCRIBE for an existing filter with a wildcard adds a second subscription: QoS 0 messages come twice",
)
def _() -> Rule:
    return _twice(True)


def _twice(wildcard: bool = False) -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "live" or d.packet.qos or not d.subs:
            return None
        again = [sub for sub in d.subs if sub.again and (not wildcard or "#" in sub.plain or "+" in sub.plain)]
        return [d.packet, d.packet] if again else None

    return Hooks(publish=publish)


@fault(
    "resubscribe-keeps-higher-qos-311",
    "MQTT311-3.8.4-3",
    "subscription",
    4,
    1,
    "a SUBSCRIBE for an existing filter with a lower QoS is granted, but messages still come at the old QoS",
    ("MQTT311-3.8.4-6",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Subscribe) or link.session is None:
            return None
        first: dict[str, int] = link.session.memo.setdefault("first", {})
        made = []
        for one in packet.subscriptions:
            if one.topic_filter in link.session.subs and one.qos < first.get(one.topic_filter, 0):
                made.append(one.replace(qos=first[one.topic_filter]))
            else:
                first[one.topic_filter] = one.qos
                made.append(one)
        if made == packet.subscriptions:
            return None
        link.memo.setdefault("codes", {})[packet.packet_id] = [one.qos for one in packet.subscriptions]
        return [packet.replace(subscriptions=made)]

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Suback) and packet.packet_id in link.memo.get("codes", {}):
            return [packet.replace(reason_codes=link.memo["codes"].pop(packet.packet_id))]
        return None

    return Hooks(up=up, down=down)


@fault(
    "subscription-identifier-first-only",
    "MQTT5-3.3.4-4",
    "subscription",
    5,
    None,
    "a message for several matching subscriptions with identifiers has the first identifier only",
    ("MQTT5-3.3.4-3",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        found = prop(d.packet, "subscription_identifier") or []
        return [published(d.packet, subscription_identifier=found[:1])] if len(found) > 1 else None

    return Hooks(publish=publish)


@fault(
    "subscription-identifier-lost-on-resume",
    "X5-session-state-subscriptions",
    "session",
    5,
    None,
    "Subscription Identifiers are forgotten when the Session is resumed (live messages after it)",
    ("MQTT5-3.3.4-3",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "live" or not prop(d.packet, "subscription_identifier"):
            return None
        return [published(d.packet, subscription_identifier=[])] if all(sub.seq < link.seq for sub in d.subs) else None

    return Hooks(publish=publish)


@fault(
    "subscription-identifier-kept-on-resubscribe",
    "X5-subscription-identifier-removed",
    "subscription",
    5,
    None,
    "a SUBSCRIBE without identifier for an existing filter leaves the old Subscription Identifier in place",
    ("X5-subscription-identifier-stored", "MQTT5-3.8.4-3", "X5-subscription-identifier-foreign"),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe) and link.session is not None:
            kept: dict[str, int] = link.session.memo.setdefault("kept", {})
            number = prop(packet, "subscription_identifier")
            for one in packet.subscriptions:
                if number:
                    kept[one.topic_filter] = number
        return None

    def publish(link: Link, d: Delivery) -> Out:
        if prop(d.packet, "subscription_identifier") or link.session is None:
            return None
        kept: dict[str, int] = link.session.memo.get("kept", {})
        found = [kept[sub.topic_filter] for sub in d.subs if sub.topic_filter in kept]
        return [published(d.packet, subscription_identifier=found)] if found else None

    return Hooks(up=up, publish=publish)


@fault(
    "subscription-identifier-large-truncated",
    "MQTT5-3.3.4-3",
    "subscription",
    5,
    None,
    "a Subscription Identifier above 16,383 is cut to 14 bits in the messages",
    ("X5-subscription-identifier-foreign", "X5-subscription-identifier-stored"),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        found = prop(d.packet, "subscription_identifier") or []
        cut = [one & 0x3FFF or 1 for one in found]
        return [published(d.packet, subscription_identifier=cut)] if cut != found else None

    return Hooks(publish=publish)


@fault(
    "unsubscribe-takes-covered-filters-311",
    "MQTT311-3.10.4-1",
    "subscription",
    4,
    None,
    "UNSUBSCRIBE of a filter with a wildcard deletes the subscriptions whose filters it covers: a/# takes a/b along",
)
def _() -> Rule:
    def change(link: Link, packet: Unsubscribe) -> Any:
        more = [
            held
            for wanted in packet.topic_filters
            if "#" in wanted or "+" in wanted
            for held in (link.session.subs if link.session is not None else ())
            if held not in packet.topic_filters and matches(wanted, held)
        ]
        return packet.replace(topic_filters=[*packet.topic_filters, *more]) if more else None

    return rewriting(Unsubscribe, change)()


def _first_filter(five: bool) -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Unsubscribe) or len(packet.topic_filters) < 2:
            return None
        link.memo.setdefault("asked", {})[packet.packet_id] = len(packet.topic_filters)
        return [packet.replace(topic_filters=packet.topic_filters[:1])]

    def down(link: Link, packet: Any) -> Out:
        if five and isinstance(packet, Unsuback) and packet.packet_id in link.memo.get("asked", {}):
            return [packet.replace(reason_codes=[0] * link.memo["asked"].pop(packet.packet_id))]
        return None

    return Hooks(up=up, down=down)


fault(
    "unsubscribe-first-filter-only",
    "MQTT5-3.10.4-6",
    "subscription",
    5,
    None,
    "of an UNSUBSCRIBE with several filters only the first is carried out, the others are answered 0x00 as well",
    ("MQTT5-3.10.4-2", "MQTT5-3.10.4-1"),
)(lambda: _first_filter(True))
fault(
    "unsubscribe-first-filter-only-311",
    "MQTT311-3.10.4-6",
    "subscription",
    4,
    None,
    "of an UNSUBSCRIBE with several filters only the first is carried out",
    ("MQTT311-3.10.4-2", "MQTT311-3.10.4-1"),
)(lambda: _first_filter(False))


@fault(
    "unsubscribe-unknown-unanswered-311",
    "MQTT311-3.10.4-5",
    "subscription",
    4,
    None,
    "an UNSUBSCRIBE that deletes no subscription is not answered",
    ("MQTT311-3.10.4-4",),
)
def _() -> Rule:
    def change(link: Link, packet: Unsubscribe) -> Any:
        known = link.session.subs if link.session is not None else {}
        return None if any(one in known for one in packet.topic_filters) else []

    return rewriting(Unsubscribe, change)()


@fault(
    "unsubscribe-stops-pubrel-311",
    "MQTT311-3.10.4-3",
    "subscription",
    4,
    2,
    "after UNSUBSCRIBE a QoS 2 delivery that has begun is given up: PUBREC is not answered by PUBREL",
    ("MQTT311-4.3.3-1",),
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Pubrel) or packet.packet_id not in link.inflight or link.session is None:
            return None
        begun = link.inflight[packet.packet_id]
        if not begun.subs or link.session.matching(begun.topic):
            return None
        link.to_server(Pubcomp(packet.packet_id))
        return []

    return Hooks(down=down)


@fault(
    "unsubscribe-drops-in-flight",
    "MQTT5-3.10.4-3",
    "subscription",
    5,
    1,
    "a QoS 1 message in flight when its subscription was deleted is not sent again after a reconnection",
    ("MQTT5-4.4.0-1",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return skip(link, d) if d.path == "resent" and d.packet.qos == 1 and not d.subs else None

    return Hooks(publish=publish)


@fault(
    "subscribe-beyond-eighth-filter-ignored",
    "MQTT5-3.8.4-5",
    "subscription",
    5,
    None,
    "of a SUBSCRIBE with more than eight filters only the first eight are carried out, though all are granted",
    ("MQTT5-3.8.4-7", "MQTT5-4.5.0-1"),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Subscribe) or len(packet.subscriptions) <= 8:
            return None
        link.memo.setdefault("rest", {})[packet.packet_id] = [one.qos for one in packet.subscriptions[8:]]
        return [packet.replace(subscriptions=packet.subscriptions[:8])]

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Suback) and packet.packet_id in link.memo.get("rest", {}):
            rest = link.memo["rest"].pop(packet.packet_id)
            return [packet.replace(reason_codes=[*packet.reason_codes, *rest])]
        return None

    return Hooks(up=up, down=down)
