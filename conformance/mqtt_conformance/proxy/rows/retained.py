# SPDX-License-Identifier: MIT
"""Faults of retained messages: stored, replaced, deleted and sent on subscription."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both, published
from mqtt_conformance.proxy.rows.messages import at
from mqtt_conformance.proxy.world import Delivery, Link, matches
from mqtt_ref.wire.packets import Disconnect, Packet, Publish, Suback, Subscribe

__all__ = ["rows"]


def _as_sent(link: Link, d: Delivery) -> Packet | None:
    """Give a live message the RETAIN flag back that the proxy took or added on the way in."""
    if d.message is None or d.path not in ("live", "queued") or not d.subs:
        return None
    wanted = d.message.publish.retain and any(sub.options.retain_as_published for sub in d.subs)
    return published(d.packet, retain=wanted) if d.packet.retain != wanted else None


def _flag_up(change: Callable[[Link, Publish, str], bool | None]) -> Callable[[], Rule]:
    """Change the RETAIN flag that the broker sees; established subscriptions do not notice."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, Publish):
                return None
            made = change(link, packet, link.topic_up(packet))
            return None if made is None or made == packet.retain else [published(packet, retain=made)]

        def publish(link: Link, d: Delivery) -> Out:
            made = _as_sent(link, d)
            if made is None:
                return None
            link.world.fired -= 1
            return [made]

        return Hooks(up=up, publish=publish)

    return make


def _had(link: Link, topic: str) -> bool:
    return topic in link.world.retained


def _hidden(drop: Callable[[Link, Any, str], bool], clear: bool = True) -> Callable[[], Rule]:
    """Retained messages of some topics are not sent any more to new subscriptions."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            hidden: set[str] = link.world.memo.setdefault("hidden", set())
            if isinstance(packet, Publish):
                topic = link.topic_up(packet)
                if packet.retain and clear:
                    hidden.discard(topic)
                if drop(link, packet, topic):
                    hidden.add(topic)
            return None

        def publish(link: Link, d: Delivery) -> Out:
            if d.path in ("retained", "retained-wildcard") and d.topic in link.world.memo.get("hidden", ()):
                link.settle(d.packet)
                link.ours.discard(d.packet.packet_id)
                return []
            return None

        return Hooks(up=up, publish=publish)

    return make


def _with_session() -> Rule:
    """Retained messages end with the session of their publisher."""

    def publish(link: Link, d: Delivery) -> Out:
        if d.path in ("retained", "retained-wildcard") and d.message is not None:
            if d.message.publisher not in link.world.current:
                link.settle(d.packet)
                link.ours.discard(d.packet.packet_id)
                return []
        return None

    return Hooks(publish=publish)


def _not_sent(path: str) -> Callable[[], Rule]:
    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if d.path != path:
                return None
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            return []

        return Hooks(publish=publish)

    return make


def _only_first() -> Rule:
    """A wildcard subscription gets only the first of several retained messages."""

    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "retained-wildcard":
            return None
        newest = max((sub.seq for sub in d.subs), default=0)
        if link.memo.get("served") == newest:
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            return []
        link.memo["served"] = newest
        return None

    return Hooks(publish=publish)


def _handling(change: Callable[[Link, Any], int | None]) -> Callable[[], Rule]:
    """Change the Retain Handling that the broker sees."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, Subscribe):
                return None
            made = []
            for one in packet.subscriptions:
                to = change(link, one)
                made.append(one if to is None else one.replace(retain_handling=to))
            return None if made == packet.subscriptions else [packet.replace(subscriptions=made)]

        return Hooks(up=up)

    return make


def _exists(link: Link, topic_filter: str) -> bool:
    return link.session is not None and topic_filter in link.session.subs


def _after_suback(send: Callable[[Link, Any], list[Publish]]) -> Callable[[], Rule]:
    """Send retained messages after a SUBACK that must not be sent."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Subscribe):
                link.memo["to send", packet.packet_id] = [
                    made for one in packet.subscriptions for made in send(link, one)
                ]
            return None

        def down(link: Link, packet: Any) -> Out:
            made = link.memo.pop(("to send", packet.packet_id), []) if isinstance(packet, Suback) else []
            return [packet, *made] if made else None

        return Hooks(up=up, down=down)

    return make


def _retained_of(link: Link, topic_filter: str) -> list[Publish]:
    return [
        Publish(topic, message.publish.payload, 0, True)
        for topic, message in link.world.retained.items()
        if matches(topic_filter, topic)
    ]


def _of_shared(link: Link, one: Any) -> list[Publish]:
    if not one.topic_filter.startswith("$share/") or one.topic_filter.count("/") < 2:
        return []
    return _retained_of(link, one.topic_filter.split("/", 2)[2])


def _emptied(link: Link, one: Any) -> list[Publish]:
    """A topic whose retained message was deleted has an empty one."""
    deleted: set[str] = link.world.memo.get("deleted", set())
    return [Publish(topic, b"", 0, True) for topic in sorted(deleted) if matches(one.topic_filter, topic)]


def _emptied_rule() -> Rule:
    """A retained message without payload is stored."""
    inner = _after_suback(_emptied)()

    def up(link: Link, packet: Any, data: bytes) -> Out:
        deleted: set[str] = link.world.memo.setdefault("deleted", set())
        if isinstance(packet, Publish) and packet.retain:
            topic = link.topic_up(packet)
            (deleted.discard if packet.payload else deleted.add)(topic)
        return inner.up(link, packet, data)

    return Hooks(up=up, down=lambda link, packet: inner.down(link, packet, b""))


def _stale() -> Rule:
    """The first retained message of a topic is sent, not the last."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.retain:
            first: dict[str, bytes] = link.world.memo.setdefault("first", {})
            topic = link.topic_up(packet)
            if not packet.payload:
                first.pop(topic, None)
            else:
                first.setdefault(topic, packet.payload)
        return None

    def publish(link: Link, d: Delivery) -> Out:
        old = link.world.memo.get("first", {}).get(d.topic)
        if d.path in ("retained", "retained-wildcard") and old is not None and old != d.packet.payload:
            return [published(d.packet, payload=old)]
        return None

    return Hooks(up=up, publish=publish)


def _empty_not_live() -> Rule:
    """A message that deletes a retained one is not delivered."""

    def publish(link: Link, d: Delivery) -> Out:
        if not d.packet.payload and d.message is not None and d.message.publish.retain:
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            return []
        return None

    return Hooks(publish=publish)


def _retained_at_qos0() -> Rule:
    """A retained message loses its QoS in the store."""

    def publish(link: Link, d: Delivery) -> Out:
        if d.path in ("retained", "retained-wildcard") and d.packet.qos:
            link.settle(d.packet)
            return [published(d.packet, qos=0, packet_id=0)]
        return None

    return Hooks(publish=publish)


def _late_retained() -> Rule:
    """A subscription with Retain Handling 2 gets live messages with RETAIN 1 only: none that was not retained."""

    def publish(link: Link, d: Delivery) -> Out:
        if d.path == "live" and d.subs and all(sub.options.retain_handling == 2 for sub in d.subs):
            if d.message is not None and d.message.publish.retain:
                link.settle(d.packet)
                link.ours.discard(d.packet.packet_id)
                return []
        return None

    return Hooks(publish=publish)


def _again_at_reconnect() -> Rule:
    """Retained messages are sent again when a session is resumed."""

    def down(link: Link, packet: Any) -> Out:
        if (
            type(packet).__name__ == "Connack"
            and getattr(packet, "session_present", False)
            and link.session is not None
        ):
            made = [one for sub in link.session.subs.values() if not sub.share for one in _retained_of(link, sub.plain)]
            return [packet, *made] if made else None
        return None

    return Hooks(down=down)


def _unless_first(qos: int) -> Callable[[Link, Publish, str], bool | None]:
    return lambda link, p, topic: False if p.payload and p.qos == qos and _had(link, topic) else None


def rows() -> list[Fault]:
    """Return the faults of this module."""
    found: list[Fault] = []
    found += both(
        "retain-ignored",
        "MQTT5-3.3.1-5",
        "MQTT311-3.3.1-5",
        "retained",
        None,
        "a message with RETAIN 1 is not stored",
        _flag_up(lambda link, p, t: False if p.payload else None),
        ("X5-retained-on-subscribe", "MQTT311-3.3.1-6"),
    )
    for qos in (0, 1, 2):
        found += both(
            f"retain-ignored-{qos}",
            "MQTT5-3.3.1-5",
            "MQTT311-3.3.1-5" if qos else "MQTT311-3.3.1-7",
            "retained",
            qos,
            f"a message of QoS {qos} with RETAIN 1 does not replace the one before",
            _flag_up(_unless_first(qos)),
        )
    found += both(
        "retain-not-replaced",
        "MQTT5-3.3.1-5",
        "MQTT311-3.3.1-5",
        "retained",
        None,
        "a second retained message does not replace the first",
        _stale,
        ("X5-retained-on-subscribe", "MQTT311-3.3.1-6", "MQTT311-3.3.1-7"),
    )
    found += both(
        "retain-0-stored",
        "MQTT5-3.3.1-8",
        "MQTT311-3.3.1-12",
        "retained",
        None,
        "a message with RETAIN 0 is stored",
        _flag_up(lambda link, p, t: True if p.payload and not _had(link, t) else None),
    )
    found += both(
        "retain-0-replaces",
        "MQTT5-3.3.1-8",
        "MQTT311-3.3.1-12",
        "retained",
        None,
        "a message with RETAIN 0 replaces the retained one",
        _flag_up(lambda link, p, t: True if p.payload and _had(link, t) else None),
    )
    found += both(
        "retain-0-removes",
        "MQTT5-3.3.1-8",
        "MQTT311-3.3.1-12",
        "retained",
        None,
        "a message with RETAIN 0 removes the retained one",
        _hidden(lambda link, p, t: not p.retain),
    )
    found += both(
        "retain-0-empty-removes",
        "MQTT5-3.3.1-8",
        "MQTT311-3.3.1-12",
        "retained",
        None,
        "an empty message with RETAIN 0 removes the retained one",
        _flag_up(lambda link, p, t: True if not p.payload else None),
    )
    found += both(
        "retain-empty-not-removed",
        "MQTT5-3.3.1-6",
        "MQTT311-3.3.1-10",
        "retained",
        None,
        "an empty message with RETAIN 1 removes nothing",
        _flag_up(lambda link, p, t: False if not p.payload else None),
    )
    found += both(
        "retain-empty-stored",
        "MQTT5-3.3.1-7",
        "MQTT311-3.3.1-11",
        "retained",
        None,
        "an empty message with RETAIN 1 is stored",
        _emptied_rule,
        ("MQTT5-3.3.1-6", "MQTT311-3.3.1-10"),
    )
    found += both(
        "retain-empty-not-delivered",
        "MQTT5-3.3.1-6",
        "MQTT311-3.3.1-10",
        "live",
        None,
        "an empty message with RETAIN 1 is not delivered",
        _empty_not_live,
        ("X311-retain-empty-live", "MQTT5-4.5.0-1", "MQTT311-4.5.0-1"),
    )
    found += both(
        "retained-not-sent",
        "MQTT5-3.3.1-9",
        "MQTT311-3.3.1-6",
        "retained",
        None,
        "a new subscription gets no retained message",
        _not_sent("retained"),
        (
            "X5-retained-on-subscribe",
            "X5-subscription-created",
            "X311-new-subscription-retained",
            "MQTT5-3.3.1-5",
            "MQTT311-3.3.1-5",
        ),
    )
    found += both(
        "retained-not-sent-wildcard",
        "MQTT5-3.3.1-9",
        "MQTT311-3.3.1-6",
        "retained-wildcard",
        None,
        "a new subscription with wildcards gets no retained message",
        _not_sent("retained-wildcard"),
        ("X5-retained-on-subscribe", "X5-subscription-created", "X311-new-subscription-retained"),
    )
    found += both(
        "retained-first-only",
        "MQTT5-3.3.1-9",
        "MQTT311-3.3.1-6",
        "retained-wildcard",
        None,
        "a subscription with wildcards gets one of several retained messages",
        _only_first,
        ("X5-retained-on-subscribe", "X5-subscription-created", "X311-new-subscription-retained"),
    )
    found += both(
        "retained-will-not-sent",
        "MQTT5-3.1.2-15",
        "MQTT311-3.1.2-17",
        "retained-will",
        None,
        "a retained will is not sent to a new subscription",
        _not_sent("retained-will"),
        ("MQTT5-3.3.1-9", "MQTT311-3.3.1-6"),
    )
    found += both(
        "retained-ends-with-session",
        "X5-retained-outlive-session",
        "MQTT311-3.1.2-7",
        "retained",
        None,
        "a retained message ends when its publisher is gone",
        _with_session,
        ("MQTT5-3.3.1-5", "MQTT311-3.3.1-5", "MQTT5-3.3.1-9", "MQTT311-3.3.1-6"),
    )
    found += both(
        "retained-qos-lost",
        "MQTT5-3.8.4-8",
        "MQTT311-3.3.1-5",
        "retained",
        None,
        "a retained message is sent with QoS 0",
        _retained_at_qos0,
        ("MQTT311-3.8.4-6",),
    )
    found += both(
        "retained-at-reconnect",
        "X5-retain-handling-only-subscribe",
        "MQTT311-3.3.1-6",
        "retained",
        None,
        "retained messages are sent again when a session is resumed",
        _again_at_reconnect,
    )[:1]
    found.append(
        Fault(
            "handling-0-as-2",
            "MQTT5-3.3.1-9",
            "retained",
            5,
            None,
            "Retain Handling 0 is taken as 2",
            _handling(lambda link, s: 2 if s.retain_handling == 0 else None),
            ("X5-retained-on-subscribe", "X5-subscription-created"),
        )
    )
    found.append(
        Fault(
            "handling-0-as-1",
            "MQTT5-3.8.4-4",
            "retained",
            5,
            None,
            "Retain Handling 0 is taken as 1",
            _handling(lambda link, s: 1 if s.retain_handling == 0 else None),
            ("MQTT5-3.3.1-9",),
        )
    )
    found.append(
        Fault(
            "handling-1-as-0",
            "MQTT5-3.3.1-10",
            "retained",
            5,
            None,
            "Retain Handling 1 is taken as 0",
            _handling(lambda link, s: 0 if s.retain_handling == 1 else None),
        )
    )
    found.append(
        Fault(
            "handling-1-as-2",
            "MQTT5-3.3.1-10",
            "retained",
            5,
            None,
            "Retain Handling 1 is taken as 2",
            _handling(lambda link, s: 2 if s.retain_handling == 1 else None),
        )
    )
    found.append(
        Fault(
            "handling-2-as-0",
            "MQTT5-3.3.1-11",
            "retained",
            5,
            None,
            "Retain Handling 2 is taken as 0",
            _handling(lambda link, s: 0 if s.retain_handling == 2 else None),
        )
    )
    found.append(
        Fault(
            "handling-2-as-1",
            "MQTT5-3.3.1-11",
            "retained",
            5,
            None,
            "Retain Handling 2 is taken as 1",
            _handling(lambda link, s: 1 if s.retain_handling == 2 else None),
        )
    )
    found.append(
        Fault(
            "handling-2-hides-live",
            "X5-retain-handling-only-subscribe",
            "live",
            5,
            None,
            "with Retain Handling 2 later messages with RETAIN 1 are not sent",
            _late_retained,
            ("MQTT5-4.5.0-1",),
        )
    )
    found.append(
        Fault(
            "resubscribe-no-retained-311",
            "MQTT311-3.8.4-3",
            "retained",
            4,
            None,
            "a repeated SUBSCRIBE gets no retained messages",
            _again_unsent,
        )
    )
    found.append(
        Fault(
            "shared-gets-retained",
            "X5-shared-no-retained",
            "shared",
            5,
            None,
            "a Shared Subscription gets retained messages",
            _after_suback(_of_shared),
        )
    )
    found.append(
        Fault(
            "retained-as-live-rap",
            "X5-retained-retain-flag",
            "retained",
            5,
            None,
            "with Retain As Published 0 a retained message has RETAIN 0",
            at(
                "retained",
                lambda link, d: (
                    published(d.packet, retain=False)
                    if d.subs and not any(s.options.retain_as_published for s in d.subs)
                    else None
                ),
            ),
        )
    )
    return found


def _again_unsent() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe):
            link.memo["again"] = {one.topic_filter for one in packet.subscriptions if _exists(link, one.topic_filter)}
        elif isinstance(packet, Disconnect):
            link.memo.pop("again", None)
        return None

    def publish(link: Link, d: Delivery) -> Out:
        again = link.memo.get("again")
        if again and d.path.startswith("retained") and any(sub.topic_filter in again for sub in d.subs):
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            return []
        return None

    return Hooks(up=up, publish=publish)
