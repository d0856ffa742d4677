# SPDX-License-Identifier: MIT
"""Faults of subscriptions: options, identifiers, replacement, matching, and Shared Subscriptions."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both, published
from mqtt_conformance.proxy.rows.messages import at
from mqtt_conformance.proxy.world import Delivery, Link, Sub, loosely, matches
from mqtt_ref.wire.packets import (
    Packet,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Suback,
    Subscribe,
    SubscribeProperties,
    Unsuback,
    Unsubscribe,
)

__all__ = ["rows"]


def _options(change: Callable[[Link, Any], Any]) -> Callable[[], Rule]:
    """Change the Subscription Options that the broker sees."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, Subscribe):
                return None
            made = [change(link, one) for one in packet.subscriptions]
            return None if made == packet.subscriptions else [packet.replace(subscriptions=made)]

        return Hooks(up=up)

    return make


# ---------------------------------------------------------------- Subscription Identifiers


def _ids(d: Delivery) -> list[int]:
    return list(d.packet.properties.subscription_identifier) if d.packet.properties is not None else []


def _with_ids(d: Delivery, ids: list[int]) -> Packet:
    props = d.packet.properties or PublishProperties()
    return d.packet.replace(properties=props.replace(subscription_identifier=ids))


def _no_ids(link: Link, d: Delivery) -> Packet | None:
    return _with_ids(d, []) if _ids(d) else None


def _one_id(link: Link, d: Delivery) -> Packet | None:
    ids = _ids(d)
    return _with_ids(d, ids[:1]) if len(ids) > 1 and len(set(ids)) > 1 else None


def _identical_once(link: Link, d: Delivery) -> Packet | None:
    ids = _ids(d)
    return _with_ids(d, sorted(set(ids))) if len(set(ids)) < len(ids) else None


def _foreign_id(link: Link, d: Delivery) -> Packet | None:
    return _with_ids(d, [*_ids(d), 4_321]) if d.subs else None


def _wrong_id(link: Link, d: Delivery) -> Packet | None:
    ids = _ids(d)
    return _with_ids(d, [one + 1 for one in ids]) if ids else None


def _other_clients_id(link: Link, d: Delivery) -> Packet | None:
    """A PUBLISH for a Shared Subscription has the identifiers of the other subscribers too."""
    if not any(sub.share for sub in d.subs):
        return None
    more = [
        sub.identifier
        for other in link.world.others(link)
        if other.session is not None
        for sub in other.session.matching(d.topic)
        if sub.share and sub.identifier and sub.identifier not in _ids(d)
    ]
    return _with_ids(d, _ids(d) + more) if more else None


def _old_id() -> Rule:
    """A SUBSCRIBE that replaces a subscription leaves its identifier."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Subscribe) or link.session is None:
            return None
        given = packet.properties.subscription_identifier if packet.properties is not None else None
        old = {
            link.session.subs[one.topic_filter].memo.get("first", link.session.subs[one.topic_filter].identifier)
            for one in packet.subscriptions
            if one.topic_filter in link.session.subs
        }
        if len(old) != 1 or old == {given or 0}:
            return None
        before = old.pop()
        for one in packet.subscriptions:
            link.memo.setdefault("firsts", {})[one.topic_filter] = before
        props = (packet.properties or SubscribeProperties()).replace(subscription_identifier=before or None)
        return [packet.replace(properties=props)]

    return Hooks(up=up)


# ---------------------------------------------------------------- replacement and removal


def _twice_after_replacing() -> Rule:
    """An identical SUBSCRIBE makes a second subscription: messages come twice."""

    def publish(link: Link, d: Delivery) -> Out:
        again = [sub for sub in d.subs if sub.again and not sub.share]
        if d.path != "live" or not again or len(d.subs) != 1:
            return None
        if not d.packet.qos:
            return [d.packet, d.packet]
        other = d.packet.packet_id % 65_000 + 300
        link.ours.add(other)
        return [d.packet, published(d.packet, packet_id=other)]

    return Hooks(publish=publish)


def _not_replaced() -> Rule:
    """An identical SUBSCRIBE changes nothing: QoS and options stay those of the first."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Subscribe) or link.session is None:
            return None
        made = []
        for one in packet.subscriptions:
            old = link.session.subs.get(one.topic_filter)
            first = one if old is None else link.memo.setdefault("options", {}).get(one.topic_filter, old.options)
            link.memo.setdefault("options", {})[one.topic_filter] = first
            made.append(first.replace(retain_handling=one.retain_handling))
        if made == packet.subscriptions:
            return None
        link.memo["asked", packet.packet_id] = [one.qos for one in packet.subscriptions]
        return [packet.replace(subscriptions=made)]

    def down(link: Link, packet: Any) -> Out:
        asked = link.memo.pop(("asked", packet.packet_id), None) if isinstance(packet, Suback) else None
        return None if asked is None else [packet.replace(reason_codes=asked)]

    return Hooks(up=up, down=down)


def _lost_while_replacing() -> Rule:
    """Messages that come within half a second of a replacing SUBSCRIBE are lost."""

    def publish(link: Link, d: Delivery) -> Out:
        replaced = link.memo.get("replaced", -10.0)
        if d.path == "live" and link.world.now() - replaced < 0.5:
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            return []
        return None

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe) and link.session is not None:
            if any(one.topic_filter in link.session.subs for one in packet.subscriptions):
                link.memo["replaced"] = link.world.now()
        return None

    return Hooks(up=up, publish=publish)


def _not_unsubscribed(when: Callable[[Link, str], bool]) -> Callable[[], Rule]:
    """An UNSUBSCRIBE is acknowledged and not carried out."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, Unsubscribe) or link.session is None:
                return None
            known = link.session.subs
            if not any(when(link, one) for one in packet.topic_filters if one in known):
                return None
            link.to_client(Unsuback(packet.packet_id, [0 if one in known else 0x11 for one in packet.topic_filters]))
            return []

        return Hooks(up=up)

    return make


def _by_matching() -> Rule:
    """An UNSUBSCRIBE also deletes the subscriptions that its filter matches."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Unsubscribe) or link.session is None:
            return None
        more = [
            name
            for name in link.session.subs
            for one in packet.topic_filters
            if name not in packet.topic_filters and ("+" in one or "#" in one) and loosely(one, name)
        ]
        if not more:
            return None
        link.memo["count"] = packet.packet_id, len(packet.topic_filters)
        return [packet.replace(topic_filters=packet.topic_filters + more)]

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Unsuback) and link.version == 5 and link.memo.get("count", (0, 0))[0] == packet.packet_id:
            return [packet.replace(reason_codes=packet.reason_codes[: link.memo.pop("count")[1]])]
        return None

    return Hooks(up=up, down=down)


def _by_case() -> Rule:
    """An UNSUBSCRIBE deletes a subscription whose filter differs in case, or by a slash at the end."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if not isinstance(packet, Unsubscribe) or link.session is None:
            return None
        made = []
        for one in packet.topic_filters:
            same = [n for n in link.session.subs if n.lower().rstrip("/") == one.lower().rstrip("/")]
            made.append(one if one in link.session.subs or not same else same[0])
        return [packet.replace(topic_filters=made)] if made != packet.topic_filters else None

    return Hooks(up=up)


def _inflight_dropped() -> Rule:
    """After UNSUBSCRIBE what was started to be sent is not completed: no PUBREL, nothing resent."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Unsubscribe) and link.session is not None and link.inflight:
            link.session.memo["dropped"] = set(link.inflight)
        return None

    def down(link: Link, packet: Any) -> Out:
        dropped = link.session.memo.get("dropped", ()) if link.session is not None else ()
        return [] if type(packet).__name__ == "Pubrel" and packet.packet_id in dropped else None

    def publish(link: Link, d: Delivery) -> Out:
        dropped = link.session.memo.get("dropped", ()) if link.session is not None else ()
        if d.packet.packet_id in dropped and d.path == "resent":
            link.settle(d.packet)
            return []
        return None

    return Hooks(up=up, down=down, publish=publish)


def _to_others(make_copy: Callable[[Link, Sub, str, Publish], bool]) -> Callable[[], Rule]:
    """Deliver a copy of QoS 0 to each subscription for which `make_copy` says so, though it does not match."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not isinstance(packet, Publish) or (packet.qos == 2 and packet.packet_id in link.up_open):
                return None
            topic = link.topic_up(packet)
            for other in [*link.world.others(link), link]:
                subs = list(other.session.subs.values()) if other.session is not None else []
                if other.version != link.world.version or any(matches(sub.plain, topic) for sub in subs):
                    continue
                if any(make_copy(other, sub, topic, packet) for sub in subs):
                    link.fired()
                    other.later(0.02, lambda other=other: _late(other, topic, packet))  # type: ignore[misc]
            return None

        return Hooks(up=up)

    return make


def _late(other: Link, topic: str, packet: Publish) -> None:
    other.forge(topic, packet.payload)


def _dropped_if(when: Callable[[Sub, str], bool]) -> Callable[[], Rule]:
    """Do not deliver what matches only through a rule of wildcards."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if not d.subs or not all(when(sub, d.topic) for sub in d.subs):
                return None
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            return []

        return Hooks(publish=publish)

    return make


def _parent(sub: Sub, topic: str) -> bool:
    return sub.plain.endswith("/#") and sub.plain.count("/") == topic.count("/") + 1


def _deeper(sub: Sub, topic: str) -> bool:
    return sub.plain.endswith("#") and topic.count("/") > sub.plain.count("/")


def _empty_level(sub: Sub, topic: str) -> bool:
    return any(a == "+" and not b for a, b in zip(sub.plain.split("/"), topic.split("/"), strict=False))


def _long(sub: Sub, topic: str) -> bool:
    return topic.count("/") >= 20


def _more_levels(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return (
        sub.plain.endswith("+")
        and "#" not in sub.plain
        and loosely(sub.plain[:-1] + "#", topic)
        and topic.count("/") > sub.plain.count("/")
    )


def _dollar(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return topic.startswith("$") and sub.plain[:1] in ("#", "+") and loosely(sub.plain, topic)


def _case(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return matches(sub.plain.lower(), topic.lower())


def _slashes(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return matches(sub.plain.strip("/"), topic.strip("/"))


def _normal(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return matches(unicodedata.normalize("NFC", sub.plain), unicodedata.normalize("NFC", topic))


def _bom(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return matches(sub.plain.replace("\ufeff", ""), topic.replace("\ufeff", ""))


def _double(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return matches(sub.plain.replace("//", "/"), topic.replace("//", "/"))


def _prefix(link: Link, sub: Sub, topic: str, packet: Publish) -> bool:
    return (
        "+" not in sub.plain
        and "#" not in sub.plain
        and not sub.share
        and topic.startswith(sub.plain)
        and topic != sub.plain
    )


def _sys_to_hash() -> Rule:
    """A subscription to # is sent a message of $SYS."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Suback) and link.session is not None and not link.memo.get("told"):
            if "#" in link.session.subs or "+/#" in link.session.subs:
                link.memo["told"] = True
                return [packet, Publish("$SYS/broker/version", b"proxy")]
        return None

    return Hooks(down=down)


def _overlap_low() -> Rule:
    """With overlapping subscriptions the lowest QoS counts."""

    def publish(link: Link, d: Delivery) -> Out:
        lowest = min((sub.qos for sub in d.subs if not sub.share), default=3)
        if d.path != "live" or len(d.subs) < 2 or lowest >= d.packet.qos or d.message is None:
            return None
        link.settle(d.packet)
        return [published(d.packet, qos=lowest, packet_id=d.packet.packet_id if lowest else 0)]

    return Hooks(publish=publish)


def _one_client_only() -> Rule:
    """A message goes to one of several clients with the same subscription."""

    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "live" or d.message is None or any(sub.share for sub in d.subs):
            return None
        first = d.message.memo.setdefault("first", link.client_id)
        if first == link.client_id:
            return None
        link.settle(d.packet)
        link.ours.discard(d.packet.packet_id)
        return []

    return Hooks(publish=publish)


# ---------------------------------------------------------------- Shared Subscriptions


def _unshared() -> Callable[[], Rule]:
    """A Shared Subscription is made an ordinary one: every member gets every message."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Subscribe):
                made = [one.replace(topic_filter=_plain(one.topic_filter)) for one in packet.subscriptions]
                made = [
                    one.replace(retain_handling=2) if old.topic_filter != one.topic_filter else one
                    for one, old in zip(made, packet.subscriptions, strict=True)
                ]
                return [packet.replace(subscriptions=made)] if made != packet.subscriptions else None
            if isinstance(packet, Unsubscribe):
                names = [_plain(one) for one in packet.topic_filters]
                return [packet.replace(topic_filters=names)] if names != packet.topic_filters else None
            return None

        return Hooks(up=up)

    return make


def _plain(topic_filter: str) -> str:
    if topic_filter.startswith("$share/") and topic_filter.count("/") > 1:
        return topic_filter.split("/", 2)[2]
    return topic_filter


def _share_only(d: Delivery) -> bool:
    return bool(d.subs) and all(sub.share for sub in d.subs)


def _shared_none() -> Rule:
    """Every second message of a Shared Subscription goes to nobody."""

    def publish(link: Link, d: Delivery) -> Out:
        if not _share_only(d) or d.path != "live":
            return None
        link.world.memo["count"] = link.world.memo.get("count", 0) + 1
        if link.world.memo["count"] % 2:
            return None
        link.settle(d.packet)
        link.ours.discard(d.packet.packet_id)
        return []

    return Hooks(publish=publish)


def _shared_second(qos: int) -> Callable[[], Rule]:
    """A message of a Shared Subscription also goes to a second member."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if not _share_only(d) or d.path != "live" or d.packet.qos != qos:
                return None
            filters = {sub.topic_filter for sub in d.subs}
            for other in link.world.others(link):
                if other.session is not None and filters & set(other.session.subs):
                    link.fired()
                    other.forge(d.topic, d.packet.payload)
                    break
            return None

        return Hooks(publish=publish)

    return make


def _other_member(link: Link, d: Delivery) -> Link | None:
    filters = {sub.topic_filter for sub in d.subs}
    for other in link.world.others(link):
        if other.session is not None and filters & set(other.session.subs):
            return other
    return None


def _refused_goes_on() -> Rule:
    """A message that a member refuses goes to another one."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Puback | Pubrec) and packet.reason_code >= 0x80:
            d = link.inflight.get(packet.packet_id)
            other = _other_member(link, d) if d is not None and _share_only(d) else None
            if d is not None and other is not None:
                link.fired()
                other.forge(d.topic, d.packet.payload)
        return None

    return Hooks(up=up)


def _session_end_goes_on() -> Rule:
    """A message in flight to a member whose session ends goes to another one."""

    def gone(link: Link) -> None:
        for d in link.inflight.values():
            other = _other_member(link, d) if _share_only(d) else None
            if other is not None:
                link.fired()
                other.forge(d.topic, d.packet.payload)

    return Hooks(client_gone=gone)


def _share_qos(link: Link, d: Delivery) -> Packet | None:
    if not _share_only(d) or not d.packet.qos:
        return None
    link.settle(d.packet)
    return published(d.packet, qos=0, packet_id=0)


def _share_not_resumed() -> Rule:
    """A message of a Shared Subscription in flight is not delivered when its receiver is back."""

    def publish(link: Link, d: Delivery) -> Out:
        if not _share_only(d) or d.path != "resent":
            return None
        link.settle(d.packet)
        return []

    return Hooks(publish=publish)


def _share_hides_plain() -> Rule:
    """A client with a Shared and an ordinary Subscription gets only the message of one."""

    def publish(link: Link, d: Delivery) -> Out:
        if not any(sub.share for sub in d.subs) or all(sub.share for sub in d.subs) or d.message is None:
            return None
        served: set[str] = d.message.memo.setdefault("served", set())
        if link.client_id not in served:
            served.add(link.client_id)
            return None
        link.settle(d.packet)
        link.ours.discard(d.packet.packet_id)
        return []

    return Hooks(publish=publish)


def _share_plain_lost() -> Rule:
    """A client with an ordinary Subscription gets nothing while a Shared Subscription of it matches too."""

    def publish(link: Link, d: Delivery) -> Out:
        if not any(sub.share for sub in d.subs) or all(sub.share for sub in d.subs):
            return None
        link.settle(d.packet)
        link.ours.discard(d.packet.packet_id)
        return []

    return Hooks(publish=publish)


def _share_name_case() -> Rule:
    """All Shared Subscriptions with one filter are one, whatever their names."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe):
            made = [one.replace(topic_filter=_one_name(one.topic_filter)) for one in packet.subscriptions]
            return [packet.replace(subscriptions=made)] if made != packet.subscriptions else None
        if isinstance(packet, Unsubscribe):
            names = [_one_name(one) for one in packet.topic_filters]
            return [packet.replace(topic_filters=names)] if names != packet.topic_filters else None
        return None

    return Hooks(up=up)


def _one_name(topic_filter: str) -> str:
    plain = _plain(topic_filter)
    return topic_filter if plain == topic_filter else f"$share/all/{plain}"


def _share_ends_with_first() -> Rule:
    """A Shared Subscription ends for all when its first subscriber unsubscribes."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        owners: dict[str, str] = link.world.memo.setdefault("owners", {})
        if isinstance(packet, Subscribe):
            for one in packet.subscriptions:
                if one.topic_filter.startswith("$share/"):
                    owners.setdefault(one.topic_filter, link.client_id)
        elif isinstance(packet, Unsubscribe):
            for name in packet.topic_filters:
                if owners.get(name) == link.client_id:
                    owners[name] = ""
        return None

    def publish(link: Link, d: Delivery) -> Out:
        owners = link.world.memo.get("owners", {})
        if not _share_only(d) or not all(owners.get(sub.topic_filter) == "" for sub in d.subs):
            return None
        link.settle(d.packet)
        link.ours.discard(d.packet.packet_id)
        return []

    return Hooks(up=up, publish=publish)


def _share_counted() -> Rule:
    """A Shared Subscription that was subscribed twice has to be unsubscribed twice."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Unsubscribe) and link.session is not None:
            for name in packet.topic_filters:
                sub = link.session.subs.get(name)
                if sub is not None and sub.share and sub.again:
                    link.to_client(Unsuback(packet.packet_id, [0] * len(packet.topic_filters)))
                    return []
        return None

    return Hooks(up=up)


def _share_absent() -> Rule:
    """A member whose session has ended still gets its turn: its messages are lost."""

    def publish(link: Link, d: Delivery) -> Out:
        if not _share_only(d) or d.path != "live" or d.message is None:
            return None
        gone: list[str] = link.world.memo.get("left", [])
        turn = link.world.memo.get("turn", 0)
        link.world.memo["turn"] = turn + 1
        if any(name in gone for name in {sub.topic_filter for sub in d.subs}) and turn % 2 == 0:
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            return []
        return None

    def client_gone(link: Link) -> None:
        if link.session is not None:
            link.world.memo.setdefault("left", []).extend(
                sub.topic_filter for sub in link.session.subs.values() if sub.share
            )

    return Hooks(publish=publish, client_gone=client_gone)


def rows() -> list[Fault]:
    """Return the faults of this module."""
    found: list[Fault] = []
    found.append(
        Fault(
            "no-local-ignored",
            "MQTT5-3.8.3-3",
            "subscription",
            5,
            None,
            "No Local is ignored",
            _options(lambda link, s: s.replace(no_local=False)),
        )
    )
    found.append(
        Fault(
            "no-local-always",
            "MQTT5-4.5.0-1",
            "subscription",
            5,
            None,
            "No Local 0 is taken as 1",
            _options(lambda link, s: s if s.topic_filter.startswith("$share/") else s.replace(no_local=True)),
            ("X5-message-to-every-match", "MQTT5-3.8.3-3"),
        )
    )
    found.append(
        Fault(
            "rap-ignored",
            "MQTT5-3.3.1-13",
            "subscription",
            5,
            None,
            "Retain As Published is ignored",
            _options(lambda link, s: s.replace(retain_as_published=False)),
        )
    )
    found.append(
        Fault(
            "rap-always",
            "MQTT5-3.3.1-12",
            "subscription",
            5,
            None,
            "Retain As Published 0 is taken as 1",
            _options(lambda link, s: s.replace(retain_as_published=True)),
        )
    )
    for path in ("live", "queued", "resent", "retained", "retained-wildcard"):
        found.append(
            Fault(
                f"identifier-missing-{path}",
                "MQTT5-3.3.4-3",
                path,
                5,
                None,
                "the Subscription Identifier is not sent",
                at(path, _no_ids),
                ("MQTT5-3.3.4-4", "X5-subscription-identifier-stored"),
            )
        )
        found.append(
            Fault(
                f"identifier-foreign-{path}",
                "X5-subscription-identifier-foreign",
                path,
                5,
                None,
                "a Subscription Identifier that no SUBSCRIBE had",
                at(path, _foreign_id),
            )
        )
    for path in ("live", "queued", "retained"):
        found.append(
            Fault(
                f"identifier-wrong-{path}",
                "MQTT5-3.3.4-3",
                path,
                5,
                None,
                "another Subscription Identifier is sent",
                at(path, _wrong_id),
                ("X5-subscription-identifier-foreign", "MQTT5-3.3.4-4"),
            )
        )
    for qos in (1, 2):
        found.append(
            Fault(
                f"identifier-missing-live-{qos}",
                "MQTT5-3.3.4-3",
                "live",
                5,
                qos,
                "the Subscription Identifier is not sent",
                at("live", _no_ids, qos),
                ("MQTT5-3.3.4-4", "X5-subscription-identifier-stored"),
            )
        )
    found.append(
        Fault(
            "identifier-one-of-several",
            "MQTT5-3.3.4-4",
            "live",
            5,
            None,
            "of several Subscription Identifiers one is sent",
            at("any", _one_id),
            ("MQTT5-3.3.4-3",),
        )
    )
    found.append(
        Fault(
            "identifier-identical-once",
            "X5-subscription-identifier-identical",
            "live",
            5,
            None,
            "a Subscription Identifier used twice is sent once",
            at("any", _identical_once),
            ("MQTT5-3.3.4-4",),
        )
    )
    found.append(
        Fault(
            "identifier-not-replaced",
            "X5-subscription-identifier-removed",
            "subscription",
            5,
            None,
            "a repeated SUBSCRIBE does not change the Subscription Identifier",
            _old_id,
            ("X5-subscription-identifier-stored", "MQTT5-3.8.4-3", "X5-subscription-identifier-foreign"),
        )
    )
    found.append(
        Fault(
            "identifier-of-others-shared",
            "X5-subscription-identifier-shared",
            "shared",
            5,
            None,
            "a member gets the Subscription Identifiers of the others",
            at("any", _other_clients_id),
            ("X5-subscription-identifier-foreign",),
        )
    )
    found.append(
        Fault(
            "identifier-big-lost",
            "MQTT5-3.3.4-3",
            "live",
            5,
            None,
            "Subscription Identifiers above 127 are cut to 7 bits",
            at(
                "any",
                lambda link, d: (
                    _with_ids(d, [one & 127 or 1 for one in _ids(d)]) if any(one > 127 for one in _ids(d)) else None
                ),
            ),
            ("X5-subscription-identifier-foreign", "X5-subscription-identifier-stored"),
        )
    )
    found.append(
        Fault(
            "identifier-zero",
            "X5-subscription_identifier-range",
            "live",
            5,
            None,
            "a PUBLISH has the Subscription Identifier 0",
            _zero_identifier,
        )
    )
    found += both(
        "subscription-doubled",
        "MQTT5-3.8.4-3",
        "MQTT311-3.8.4-3",
        "subscription",
        None,
        "an identical SUBSCRIBE makes a second subscription",
        _twice_after_replacing,
    )
    found += both(
        "subscription-not-replaced",
        "MQTT5-3.8.4-3",
        "MQTT311-3.8.4-3",
        "subscription",
        None,
        "an identical SUBSCRIBE changes nothing",
        _not_replaced,
        ("MQTT5-3.8.4-7", "MQTT311-3.8.4-6", "MQTT5-3.8.4-8", "MQTT311-3.8.4-5"),
    )
    found += both(
        "subscription-interrupted",
        "MQTT5-3.8.4-4",
        "MQTT311-3.8.4-3",
        "subscription",
        None,
        "messages are lost while a subscription is replaced",
        _lost_while_replacing,
    )
    found += both(
        "unsubscribe-ignored",
        "MQTT5-3.10.4-1",
        "MQTT311-3.10.4-1",
        "subscription",
        None,
        "an UNSUBSCRIBE is not carried out",
        _not_unsubscribed(lambda link, f: True),
        ("MQTT5-3.10.4-2", "MQTT311-3.10.4-2"),
    )
    found += both(
        "unsubscribe-wildcard-ignored",
        "MQTT5-3.10.4-1",
        "MQTT311-3.10.4-1",
        "subscription",
        None,
        "an UNSUBSCRIBE of a filter with wildcards is not carried out",
        _not_unsubscribed(lambda link, f: "+" in f or "#" in f),
        ("MQTT5-3.10.4-2", "MQTT311-3.10.4-2"),
    )
    found.append(
        Fault(
            "unsubscribe-shared-ignored",
            "X5-unsubscribe-shared",
            "shared",
            5,
            None,
            "an UNSUBSCRIBE of a Shared Subscription is not carried out",
            _not_unsubscribed(lambda link, f: f.startswith("$share/")),
            ("X5-shared-unsubscribe-filter", "MQTT5-3.10.4-1", "MQTT5-3.10.4-2"),
        )
    )
    found += both(
        "unsubscribe-by-matching",
        "MQTT5-3.10.4-1",
        "MQTT311-3.10.4-1",
        "subscription",
        None,
        "an UNSUBSCRIBE deletes what its filter matches",
        _by_matching,
        ("X5-unsubscribe-no-match",),
    )
    found += both(
        "unsubscribe-by-case",
        "MQTT5-3.10.4-1",
        "MQTT311-3.10.4-1",
        "subscription",
        None,
        "an UNSUBSCRIBE ignores case and slashes",
        _by_case,
        ("X5-unsubscribe-no-match", "X5-topic-case-sensitive", "X311-topic-case"),
    )
    found += both(
        "unsubscribe-drops-inflight",
        "MQTT5-3.10.4-3",
        "MQTT311-3.10.4-3",
        "subscription",
        None,
        "an UNSUBSCRIBE ends deliveries that have begun",
        _inflight_dropped,
    )
    found += both(
        "dollar-matches",
        "MQTT5-4.7.2-1",
        "MQTT311-4.7.2-1",
        "matching",
        None,
        "a wildcard at the begin matches a topic that begins with $",
        _to_others(_dollar),
    )
    found += both(
        "sys-to-hash",
        "MQTT5-4.7.2-1",
        "MQTT311-4.7.2-1",
        "matching",
        None,
        "a subscription to # gets messages of $SYS",
        _sys_to_hash,
    )
    found += both(
        "case-ignored",
        "X5-topic-case-sensitive",
        "X311-topic-case",
        "matching",
        None,
        "topics match in upper and lower case",
        _to_others(_case),
        (
            "X5-topic-match-exact",
            "X311-topic-match-exact",
            "MQTT5-4.7.3-4",
            "MQTT311-4.7.3-4",
            "MQTT5-3.3.2-3",
            "MQTT311-3.3.2-3",
        ),
    )
    found += both(
        "slashes-ignored",
        "X5-topic-slash-distinct",
        "X311-topic-outer-slash",
        "matching",
        None,
        "slashes at begin and end do not count",
        _to_others(_slashes),
        (
            "MQTT5-4.7.3-4",
            "MQTT311-4.7.3-4",
            "X5-topic-level-empty",
            "X311-topic-empty-level",
            "MQTT5-3.3.2-3",
            "MQTT311-3.3.2-3",
        ),
    )
    found += both(
        "unicode-normalized",
        "MQTT5-4.7.3-4",
        "MQTT311-4.7.3-4",
        "matching",
        None,
        "topics match after Unicode normalization",
        _to_others(_normal),
    )
    found += both(
        "bom-ignored",
        "MQTT5-1.5.4-3",
        "MQTT311-1.5.3-3",
        "matching",
        None,
        "U+FEFF does not count in a topic",
        _to_others(_bom),
    )
    found += both(
        "double-slash-collapsed",
        "X5-topic-level-empty",
        "X311-topic-empty-level",
        "matching",
        None,
        "two slashes count as one",
        _to_others(_double),
        ("MQTT5-4.7.3-4", "MQTT311-4.7.3-4", "X5-topic-match-exact", "X311-topic-match-exact"),
    )
    found += both(
        "prefix-matches",
        "X5-topic-match-exact",
        "X311-topic-match-exact",
        "matching",
        None,
        "a filter matches topics that begin with it",
        _to_others(_prefix),
        ("MQTT5-3.3.2-3", "MQTT311-3.3.2-3"),
    )
    found += both(
        "plus-several-levels",
        "X5-single-level-wildcard-matches",
        "X311-single-level-wildcard",
        "matching",
        None,
        "+ at the end matches several levels",
        _to_others(_more_levels),
        ("MQTT5-3.3.2-3", "MQTT311-3.3.2-3"),
    )
    found += both(
        "plus-not-empty-level",
        "X5-single-level-wildcard-matches",
        "X311-single-level-wildcard",
        "matching",
        None,
        "+ does not match an empty level",
        _dropped_if(_empty_level),
        ("X5-topic-level-empty", "X311-topic-empty-level"),
    )
    found += both(
        "hash-not-parent",
        "X5-multi-level-wildcard-matches",
        "X311-multi-level-wildcard",
        "matching",
        None,
        "# does not match the parent level",
        _dropped_if(_parent),
    )
    found += both(
        "hash-one-level",
        "X5-multi-level-wildcard-matches",
        "X311-multi-level-wildcard",
        "matching",
        None,
        "# matches one level",
        _dropped_if(_deeper),
    )
    found += both(
        "levels-limited",
        "X5-topic-level-count",
        "X311-topic-levels-unlimited",
        "matching",
        None,
        "topics of more than 20 levels are not delivered",
        _dropped_if(_long),
    )
    found += both(
        "slash-only-lost",
        "X5-topic-level-empty",
        "X311-topic-slash-only",
        "matching",
        None,
        "the topic / is not delivered",
        _dropped_if(lambda sub, topic: topic == "/"),
    )
    found += both(
        "overlap-lowest",
        "MQTT5-3.3.4-2",
        "MQTT311-3.3.5-1",
        "live",
        None,
        "of overlapping subscriptions the lowest QoS counts",
        _overlap_low,
        ("MQTT5-3.8.4-8", "MQTT311-3.8.4-6"),
    )
    found += both(
        "one-client-only",
        "X5-nonshared-own-copy",
        "X311-clients-independent",
        "live",
        None,
        "of several clients with one subscription one gets the message",
        _one_client_only,
        (
            "MQTT5-4.5.0-1",
            "MQTT311-4.5.0-1",
            "X5-message-to-every-match",
            "X311-deliver-to-matching",
            "X5-nonshared-own-session",
        ),
    )
    found.append(
        Fault(
            "shared-to-all",
            "X5-shared-one-receiver",
            "shared",
            5,
            None,
            "a Shared Subscription is an ordinary one",
            _unshared(),
        )
    )
    for qos in (0, 1, 2):
        found.append(
            Fault(
                f"shared-to-two-{qos}",
                "X5-shared-one-receiver",
                "shared",
                5,
                qos,
                "a message goes to two members",
                _shared_second(qos),
            )
        )
    found.append(
        Fault(
            "shared-to-none",
            "X5-shared-one-receiver",
            "shared",
            5,
            None,
            "every second message goes to no member",
            _shared_none,
            ("MQTT5-4.5.0-1",),
        )
    )
    found.append(
        Fault(
            "shared-refused-goes-on",
            "MQTT5-4.8.2-6",
            "shared",
            5,
            None,
            "a message that a member refuses goes to another",
            _refused_goes_on,
        )
    )
    found.append(
        Fault(
            "shared-ended-goes-on",
            "MQTT5-4.8.2-5",
            "shared",
            5,
            None,
            "a message in flight to a member whose session ends goes to another",
            _session_end_goes_on,
        )
    )
    found.append(
        Fault(
            "shared-qos-0",
            "MQTT5-4.8.2-3",
            "shared",
            5,
            None,
            "members get QoS 0",
            at("any", _share_qos),
            ("MQTT5-3.8.4-8",),
        )
    )
    found.append(
        Fault(
            "shared-not-completed",
            "MQTT5-4.8.2-4",
            "shared",
            5,
            None,
            "a message in flight is not delivered when the member is back",
            _share_not_resumed,
            ("MQTT5-4.4.0-1",),
        )
    )
    found.append(
        Fault(
            "shared-hides-plain",
            "X5-shared-and-nonshared",
            "shared",
            5,
            None,
            "a client with both kinds of subscription gets one copy",
            _share_hides_plain,
        )
    )
    found.append(
        Fault(
            "shared-plain-lost",
            "X5-shared-and-nonshared",
            "shared",
            5,
            None,
            "a client with both kinds of subscription gets nothing",
            _share_plain_lost,
        )
    )
    found.append(
        Fault(
            "shared-names-ignored",
            "X5-shared-independent",
            "shared",
            5,
            None,
            "Shared Subscriptions with one filter are one",
            _share_name_case,
            ("X5-shared-created",),
        )
    )
    found.append(
        Fault(
            "shared-ends-with-first",
            "X5-shared-outlives-creator",
            "shared",
            5,
            None,
            "a Shared Subscription ends with its first subscriber",
            _share_ends_with_first,
        )
    )
    found.append(
        Fault(
            "shared-counted",
            "X5-shared-subscribed-twice",
            "shared",
            5,
            None,
            "two SUBSCRIBEs need two UNSUBSCRIBEs",
            _share_counted,
        )
    )
    found.append(
        Fault(
            "shared-absent-member",
            "X5-shared-session-end",
            "shared",
            5,
            None,
            "a member whose session has ended still gets its turn",
            _share_absent,
            ("X5-shared-one-receiver",),
        )
    )
    return found


def _zero_identifier() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if not _ids(d) or d.packet.topic.encode() == b"" or d.packet.qos:
            return None
        rest = b"\x0b\0"
        topic = d.packet.topic.encode()
        body = len(topic).to_bytes(2, "big") + topic + bytes((len(rest),)) + rest + d.packet.payload
        if len(body) > 127:
            return None
        return [bytes((0x30 | int(d.packet.retain), len(body))) + body]

    return Hooks(publish=publish)
