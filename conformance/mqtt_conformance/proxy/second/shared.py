# SPDX-License-Identifier: MIT
"""Faults of a second author: shared."""

from __future__ import annotations

from functools import partial
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import client_prop, fault, forge, requalified, skip, tolerating
from mqtt_conformance.proxy.world import Delivery, Link, Sub, matches
from mqtt_ref.wire.packets import Puback, Pubrec, Suback, Subscribe, Unsuback, Unsubscribe
from mqtt_ref.wire.violation import Violation

__all__: list[str] = []


def _members(link: Link, topic_filter: str) -> list[Link]:
    """The other connected clients with this Shared Subscription."""
    return [
        one
        for one in link.world.others(link)
        if one.session is not None and topic_filter in one.session.subs and one.session is not link.session
    ]


def _share_of(d: Delivery) -> Sub | None:
    """The shared subscription that a delivery comes from, if it is certain."""
    return d.subs[0] if d.subs and all(sub.share for sub in d.subs) else None


@fault(
    "shared-qos0-to-all",
    "X5-shared-one-receiver",
    "shared",
    5,
    0,
    "a QoS 0 message of a Shared Subscription is sent to all its members",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        sub = _share_of(d)
        if sub is not None and d.packet.qos == 0:
            for one in _members(link, sub.topic_filter):
                forge(one, d.topic, d.packet.payload)
        return None

    return Hooks(publish=publish)


@fault(
    "shared-goes-on-after-unsubscribe",
    "X5-unsubscribe-shared",
    "shared",
    5,
    0,
    "a client that unsubscribed from a Shared Subscription while others are subscribed still gets its messages",
    ("MQTT5-3.10.4-2",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Unsubscribe) and link.session is not None:
            for one in packet.topic_filters:
                if one.startswith("$share/") and one in link.session.subs and _members(link, one):
                    link.world.memo.setdefault("ghosts", {})[link.client_id] = (link, one)
        return None

    def publish(link: Link, d: Delivery) -> Out:
        sub = _share_of(d)
        for ghost, topic_filter in link.world.memo.get("ghosts", {}).values():
            if sub is not None and topic_filter == sub.topic_filter and ghost.client_open and ghost.session is not None:
                if topic_filter not in ghost.session.subs:
                    forge(ghost, d.topic, d.packet.payload)
                    return skip(link, d)
        return None

    return Hooks(up=up, publish=publish)


@fault(
    "shared-groups-merged",
    "X5-shared-independent",
    "shared",
    5,
    None,
    "of several Shared Subscriptions that match, only one is served",
    ("X5-shared-one-receiver",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        sub = _share_of(d)
        if sub is None or d.message is None or d.path != "live":
            return None
        first = d.message.memo.setdefault("group", sub.topic_filter)
        return skip(link, d) if first != sub.topic_filter else None

    return Hooks(publish=publish)


@fault(
    "shared-swallows-own-copy",
    "X5-shared-and-nonshared",
    "shared",
    5,
    None,
    "a client whose Shared Subscription gets a message gets no copy for its Non-shared Subscription",
    ("X5-message-to-every-match",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        both = any(sub.share for sub in d.subs) and any(not sub.share for sub in d.subs)
        if not both or d.message is None or d.path != "live":
            return None
        got: set[str] = d.message.memo.setdefault("got", set())
        if link.client_id in got:
            return skip(link, d)
        got.add(link.client_id)
        return None

    return Hooks(publish=publish)


@fault(
    "shared-qos-of-first-member",
    "MQTT5-4.8.2-3",
    "shared",
    5,
    1,
    "the messages of a Shared Subscription have the QoS granted to the member that subscribed first",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        sub = _share_of(d)
        if sub is None or d.message is None or d.path != "live":
            return None
        members = [
            session.subs[sub.topic_filter]
            for session in link.world.sessions.values()
            if sub.topic_filter in session.subs
        ]
        first = min(members, key=lambda one: one.seq)
        wanted = min(first.qos, d.message.publish.qos)
        return requalified(link, d.packet, wanted) if wanted > d.packet.qos else None

    return Hooks(publish=publish)


@fault(
    "shared-rejected-goes-to-another",
    "MQTT5-4.8.2-6",
    "shared",
    5,
    1,
    "a message of a Shared Subscription that its receiver rejects by PUBACK 0x80 or greater is sent to another member",
)
def _() -> Rule:
    return _pass_on(Puback)


@fault(
    "shared-rejected-by-pubrec-goes-to-another",
    "MQTT5-4.8.2-6",
    "shared",
    5,
    2,
    "a message of a Shared Subscription that its receiver rejects by PUBREC 0x80 or greater is sent to another member",
)
def _() -> Rule:
    return _pass_on(Pubrec)


def _pass_on(kind: type) -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, kind) and packet.reason_code >= 0x80:  # type: ignore[attr-defined]
            begun = link.inflight.get(packet.packet_id)  # type: ignore[attr-defined]
            sub = _share_of(begun) if begun is not None else None
            if begun is not None and sub is not None:
                for one in _members(link, sub.topic_filter)[:1]:
                    forge(one, begun.topic, begun.packet.payload, begun.packet.qos)
        return None

    return Hooks(up=up)


@fault(
    "shared-qos2-of-ended-session-to-another",
    "MQTT5-4.8.2-5",
    "shared",
    5,
    2,
    "a QoS 2 message of a Shared Subscription in delivery to a client whose Session ends is sent to another member",
)
def _() -> Rule:
    def client_gone(link: Link) -> None:
        if client_prop(link, "session_expiry_interval"):
            return
        for begun in link.inflight.values():
            sub = _share_of(begun)
            if sub is not None and begun.packet.qos == 2:
                for one in _members(link, sub.topic_filter)[:1]:
                    forge(one, begun.topic, begun.packet.payload, 2)

    return Hooks(client_gone=client_gone)


@fault(
    "shared-qos2-not-completed-on-return",
    "MQTT5-4.8.2-4",
    "shared",
    5,
    2,
    "a QoS 2 message of a Shared Subscription in delivery is not sent again when its client returns",
    ("MQTT5-4.4.0-1",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return skip(link, d) if d.path == "resent" and d.packet.qos == 2 and _share_of(d) is not None else None

    return Hooks(publish=publish)


@fault(
    "shared-retained-to-first-member",
    "X5-shared-no-retained",
    "shared",
    5,
    None,
    "the first member of a Shared Subscription is sent the retained messages that match",
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Suback) or link.session is None:
            return None
        for sub in link.session.subs.values():
            if sub.share and not sub.memo.get("told"):
                sub.memo["told"] = True
                if _members(link, sub.topic_filter):
                    continue
                for topic, message in link.world.retained.items():
                    if matches(sub.plain, topic):
                        link.later(0.01, partial(forge, link, topic, message.publish.payload, retain=True))
        return None

    return Hooks(down=down)


@fault(
    "shared-left-by-plain-unsubscribe",
    "X5-shared-unsubscribe-filter",
    "shared",
    5,
    None,
    "UNSUBSCRIBE of a filter deletes the client's Shared Subscription with the same filter behind its ShareName",
    ("MQTT5-3.10.4-1",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Unsubscribe) or link.session is None:
            return None
        more = [
            sub.topic_filter for sub in link.session.subs.values() if sub.share and sub.plain in packet.topic_filters
        ]
        if not more:
            return None
        link.memo.setdefault("asked", {})[packet.packet_id] = len(packet.topic_filters)
        return [packet.replace(topic_filters=[*packet.topic_filters, *more])]

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Unsuback) and packet.packet_id in link.memo.get("asked", {}):
            return [packet.replace(reason_codes=packet.reason_codes[: link.memo["asked"].pop(packet.packet_id)])]
        return None

    return Hooks(up=up, down=down)


def _cut_no_local(link: Link, data: bytes) -> Out:
    return [data[:-1] + bytes((data[-1] & ~4,))]


fault(
    "shared-no-local-accepted",
    "MQTT5-3.8.3-4",
    "malformed",
    5,
    None,
    "a Shared Subscription with No Local 1 is accepted",
    ("MQTT5-4.13.1-1",),
)(lambda: _shared_no_local())


def _shared_no_local() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if data[0] >> 4 != 8:
            return None
        if isinstance(packet, Violation):
            return _cut_no_local(link, data) if b"$share/" in data and data[-1] & 4 else None
        if isinstance(packet, Subscribe) and any(
            one.no_local and one.topic_filter.startswith("$share/") for one in packet.subscriptions
        ):
            return [packet.replace(subscriptions=[one.replace(no_local=False) for one in packet.subscriptions])]
        return None

    return Hooks(up=up)


fault(
    "shared-name-with-wildcard-accepted",
    "MQTT5-4.8.2-2",
    "malformed",
    5,
    None,
    "a Shared Subscription with + or # in its ShareName is granted",
    ("MQTT5-4.13.1-1",),
)(tolerating(lambda link, found, data: data[0] >> 4 == 8 and b"$share/" in data))
