# SPDX-License-Identifier: MIT
"""Faults of a second author: retained."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule, published
from mqtt_conformance.proxy.second.live import changed
from mqtt_conformance.proxy.second.queued import expiry
from mqtt_conformance.proxy.second.tools import (
    Make,
    changing,
    client_prop,
    fault,
    forge,
    losing,
    prop,
    renouncing,
    requalified,
    rewriting,
    skip,
)
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import Connack, Publish, Suback, Subscribe, Subscription, Unsubscribe

__all__: list[str] = ["RETAINED", "options"]

RETAINED = ("retained", "retained-wildcard")


@fault(
    "retained-at-stored-qos",
    "MQTT5-3.8.4-8",
    "retained",
    5,
    1,
    "a retained message is sent to a new subscription at the QoS it was published with, above the one granted",
)
def _() -> Rule:
    return _stored_qos(("retained",))


@fault(
    "retained-wildcard-at-stored-qos-311",
    "MQTT311-3.8.4-6",
    "retained-wildcard",
    4,
    2,
    "a retained message is sent to a new wildcard subscription at the QoS it was published with, above the one granted",
)
def _() -> Rule:
    return _stored_qos(("retained-wildcard",))


def _stored_qos(paths: tuple[str, ...]) -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path not in paths or d.message is None or d.message.publish.qos <= d.packet.qos:
            return None
        return requalified(link, d.packet, d.message.publish.qos)

    return Hooks(publish=publish)


@fault(
    "retained-always-qos0",
    "MQTT5-3.8.4-8",
    "retained-wildcard",
    5,
    1,
    "retained messages are sent to a new wildcard subscription at QoS 0 although published and granted with QoS 1 or 2",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return requalified(link, d.packet, 0) if d.path == "retained-wildcard" and d.packet.qos else None

    return Hooks(publish=publish)


@fault(
    "retained-wildcard-first-only-311",
    "MQTT311-3.3.1-6",
    "retained-wildcard",
    4,
    None,
    "a new wildcard subscription gets the first retained message that matches and no others",
    ("X311-new-subscription-retained",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "retained-wildcard" or not d.subs:
            return None
        newest = max(d.subs, key=lambda sub: sub.seq)
        seen = newest.memo.setdefault("first", d.topic)
        return skip(link, d) if seen != d.topic else None

    return Hooks(publish=publish)


fault(
    "retained-parent-missed",
    "X5-multi-level-wildcard-matches",
    "retained-wildcard",
    5,
    None,
    "a new subscription a/# does not get the retained message of a",
    ("MQTT5-3.3.1-9", "X5-retained-on-subscribe"),
)(losing(lambda sub, topic: sub.plain == topic + "/#", ("retained-wildcard",)))

fault(
    "retained-deep-missed-311",
    "X311-multi-level-wildcard",
    "retained-wildcard",
    4,
    None,
    "# in a new subscription does not reach retained messages more than one level below",
    ("MQTT311-3.3.1-6", "X311-new-subscription-retained"),
)(
    losing(
        lambda sub, topic: sub.plain.endswith("#") and topic.count("/") > sub.plain.count("/"), ("retained-wildcard",)
    )
)

fault(
    "retained-flag-by-rap",
    "X5-retained-retain-flag",
    "retained",
    5,
    None,
    "a retained message sent because of a new subscription has RETAIN 0 if the subscription has no Retain As Published",
)(
    changing(
        ("retained",),
        lambda packet, d: {"retain": False} if not any(sub.options.retain_as_published for sub in d.subs) else None,
    )
)

fault(
    "retained-flag-lost-at-qos2-311",
    "MQTT311-3.3.1-8",
    "retained",
    4,
    2,
    "a retained message sent at QoS 2 because of a new subscription has RETAIN 0",
)(changing(RETAINED, lambda packet, d: {"retain": False} if packet.qos == 2 else None))


def options(change: Callable[[Link, Subscribe, int, Subscription], dict[str, Any]]) -> Make:
    """A rule that subscribes with other options."""

    def replace(link: Link, packet: Subscribe) -> Any:
        made = []
        for at, one in enumerate(packet.subscriptions):
            made.append(one.replace(**change(link, packet, at, one)))
        return packet.replace(subscriptions=made) if made != packet.subscriptions else None

    return rewriting(Subscribe, replace)


@fault(
    "retain-handling-1-forgotten-on-resume",
    "MQTT5-3.3.1-10",
    "retained",
    5,
    None,
    "Retain Handling 1 takes a subscription that a resumed Session has for a new one and sends retained messages",
)
def _() -> Rule:
    def change(link: Link, packet: Subscribe, at: int, one: Subscription) -> dict[str, Any]:
        mine = link.memo.setdefault("mine", set())
        known = link.session is not None and one.topic_filter in link.session.subs
        fresh = one.topic_filter not in mine
        mine.add(one.topic_filter)
        return {"retain_handling": 0} if one.retain_handling == 1 and known and fresh else {}

    return options(change)()


@fault(
    "retain-handling-1-after-unsubscribe",
    "MQTT5-3.3.1-10",
    "retained",
    5,
    None,
    "with Retain Handling 1 a filter that was unsubscribed before counts as existing: no retained messages",
)
def _() -> Rule:
    def change(link: Link, packet: Subscribe, at: int, one: Subscription) -> dict[str, Any]:
        gone = link.session.memo.get("gone", set()) if link.session is not None else set()
        return {"retain_handling": 2} if one.retain_handling == 1 and one.topic_filter in gone else {}

    inner = options(change)()

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Unsubscribe) and link.session is not None:
            link.session.memo.setdefault("gone", set()).update(packet.topic_filters)
        return inner.up(link, packet, data)

    return Hooks(up=up)


fault(
    "retain-handling-2-ignored-for-wildcard",
    "MQTT5-3.3.1-11",
    "retained-wildcard",
    5,
    None,
    "Retain Handling 2 has no effect for a filter with a wildcard",
)(
    options(
        lambda link, packet, at, one: (
            {"retain_handling": 0}
            if one.retain_handling == 2 and ("#" in one.topic_filter or "+" in one.topic_filter)
            else {}
        )
    )
)

fault(
    "retain-handling-of-first-filter",
    "MQTT5-3.3.1-11",
    "retained",
    5,
    None,
    "in a SUBSCRIBE with several filters the Retain Handling of the first holds for all",
    ("MQTT5-3.8.4-5", "MQTT5-3.3.1-9"),
)(options(lambda link, packet, at, one: {"retain_handling": packet.subscriptions[0].retain_handling} if at else {}))

fault(
    "rap-only-if-first",
    "MQTT5-3.8.4-5",
    "subscription",
    5,
    None,
    "in a SUBSCRIBE with several filters the Retain As Published of the first holds for all",
    ("MQTT5-3.3.1-13", "MQTT5-3.3.1-12"),
)(
    options(
        lambda link, packet, at, one: {"retain_as_published": packet.subscriptions[0].retain_as_published} if at else {}
    )
)


@fault(
    "retained-not-replaced-by-qos0-311",
    "MQTT311-3.3.1-7",
    "retained",
    4,
    0,
    "a QoS 0 message with RETAIN 1 does not replace the retained message of its topic: new subscribers get the old one",
)
def _() -> Rule:
    def change(link: Link, packet: Publish) -> Any:
        if packet.retain and packet.qos == 0 and packet.payload and packet.topic in link.world.retained:
            return packet.replace(retain=False)
        return None

    return rewriting(Publish, change)()


fault(
    "retained-not-cleared-at-qos2-311",
    "MQTT311-3.3.1-10",
    "retained",
    4,
    2,
    "a message of zero bytes with RETAIN 1 does not remove the retained message if it is of QoS 2",
)(
    rewriting(
        Publish,
        lambda link, packet: (
            packet.replace(retain=False) if packet.retain and packet.qos == 2 and not packet.payload else None
        ),
    )
)

fault(
    "retained-cleared-by-unretained-empty-311",
    "MQTT311-3.3.1-12",
    "retained",
    4,
    None,
    "a message of zero bytes with RETAIN 0 removes the retained message of its topic",
)(
    rewriting(
        Publish, lambda link, packet: packet.replace(retain=True) if not packet.retain and not packet.payload else None
    )
)


@fault(
    "retained-replaced-by-unretained",
    "MQTT5-3.3.1-8",
    "retained",
    5,
    None,
    "a message with RETAIN 0 on a topic that has a retained message is what later subscribers get as retained",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path not in RETAINED or d.message is None:
            return None
        newer = [
            message
            for (topic, payload), message in link.world.messages.items()
            if topic == d.topic and message.seq > d.message.seq and not message.publish.retain and payload
        ]
        if not newer:
            return None
        return [published(d.packet, payload=max(newer, key=lambda one: one.seq).publish.payload)]

    return Hooks(publish=publish)


@fault(
    "retained-empty-kept",
    "MQTT5-3.3.1-7",
    "retained",
    5,
    None,
    "a message of zero bytes with RETAIN 1 is kept: new subscribers get an empty retained message",
    ("MQTT5-3.3.1-6",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.retain:
            empty: set[str] = link.world.memo.setdefault("empty", set())
            topic = link.topic_up(packet)
            (empty.discard if packet.payload else empty.add)(topic)
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Suback) and link.session is not None:
            for topic in link.world.memo.get("empty", ()):
                for sub in link.session.matching(topic):
                    if not sub.share and not sub.memo.get("sent") and sub.options.retain_handling == 0:
                        link.later(0.01, partial(forge, link, topic, b"", retain=True))
            for sub in link.session.subs.values():
                sub.memo["sent"] = True
        return None

    return Hooks(up=up, down=down)


fault(
    "retained-expiry-not-reduced",
    "MQTT5-3.3.2-6",
    "retained",
    5,
    None,
    "the Message Expiry Interval of a retained message is the one received, though it was kept for a second or more",
)(changing(RETAINED, expiry))


@fault(
    "retained-expired-sent",
    "X5-retained-expired",
    "retained",
    5,
    None,
    "a retained message whose Message Expiry Interval has passed is sent to a new subscription",
    ("MQTT5-3.3.2-5",),
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Suback) or link.session is None:
            return None
        now = link.world.now()
        for topic, message in link.world.retained.items():
            limit = prop(message.publish, "message_expiry_interval")
            if limit is None or message.at + limit > now:
                continue
            for sub in link.session.matching(topic):
                if not sub.share and not sub.memo.get("sent") and sub.options.retain_handling == 0:
                    link.later(0.01, partial(forge, link, topic, message.publish.payload, retain=True))
        for sub in link.session.subs.values():
            sub.memo["sent"] = True
        return None

    return Hooks(down=down)


@fault(
    "retained-not-again-on-resubscribe",
    "MQTT5-3.8.4-4",
    "retained",
    5,
    None,
    "a SUBSCRIBE with Retain Handling 0 for a filter that the Session has does not send retained messages again",
    ("MQTT5-3.3.1-9",),
)
def _() -> Rule:
    return _not_again()


@fault(
    "retained-not-again-on-resubscribe-311",
    "MQTT311-3.8.4-3",
    "retained-wildcard",
    4,
    None,
    "a SUBSCRIBE for a filter with a wildcard that the Session has already does not send retained messages again",
)
def _() -> Rule:
    return _not_again(True)


def _not_again(wildcard: bool = False) -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path not in RETAINED or (wildcard and d.path != "retained-wildcard") or not d.subs:
            return None
        return skip(link, d) if max(d.subs, key=lambda sub: sub.seq).again else None

    return Hooks(publish=publish)


@fault(
    "retained-again-on-resume",
    "X5-retain-handling-only-subscribe",
    "retained",
    5,
    None,
    "when a Session is resumed, the retained messages of its subscriptions are sent again",
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.session_present and link.session is not None:
            for topic, message in link.world.retained.items():
                if any(not sub.share for sub in link.session.matching(topic)):
                    link.later(0.02, partial(forge, link, topic, message.publish.payload, retain=True))
        return None

    return Hooks(down=down)


def _publisher_left(link: Link, d: Delivery) -> bool:
    if d.message is None or d.message.will:
        return False
    there = link.world.current.get(d.message.publisher)
    return there is None or not there.client_open


fault(
    "retained-gone-with-session-311",
    "MQTT311-3.1.2-7",
    "retained",
    4,
    None,
    "retained messages are deleted when the connection of their publisher ends",
)(renouncing(RETAINED, _publisher_left))

fault(
    "retained-content-type-lost",
    "MQTT5-3.3.2-20",
    "retained",
    5,
    None,
    "the Content Type of a retained message is lost",
)(changing(RETAINED, changed("content_type", lambda old: None)))

fault(
    "retained-payload-format-lost",
    "MQTT5-3.3.2-4",
    "retained-wildcard",
    5,
    None,
    "the Payload Format Indicator of a retained message is lost if a wildcard subscription gets it",
)(
    changing(
        ("retained-wildcard",),
        lambda packet, d: (
            {"payload_format_indicator": None} if prop(packet, "payload_format_indicator") is not None else None
        ),
    )
)

fault(
    "retained-user-properties-lost",
    "MQTT5-3.3.2-17",
    "retained",
    5,
    None,
    "a retained message has its first User Property only",
)(changing(RETAINED, changed("user_property", lambda old: old[:1])))

fault(
    "retained-subscription-identifier-lost",
    "MQTT5-3.3.4-3",
    "retained",
    5,
    None,
    "retained messages are sent without Subscription Identifier",
)(changing(RETAINED, changed("subscription_identifier", lambda old: [])))

fault(
    "retained-topic-alias-kept",
    "MQTT5-3.1.2-27",
    "retained",
    5,
    None,
    "a retained message that was published with a Topic Alias is sent with that alias to a client that allows none",
    ("MQTT5-3.1.2-26", "MQTT5-3.3.2-11"),
)(
    changing(
        RETAINED,
        lambda packet, d: (
            {"topic_alias": prop(d.message.publish, "topic_alias")}
            if d.message is not None and prop(d.message.publish, "topic_alias")
            else None
        ),
        lambda link, d: not client_prop(link, "topic_alias_maximum"),
    )
)
