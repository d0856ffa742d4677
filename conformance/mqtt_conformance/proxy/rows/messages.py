# SPDX-License-Identifier: MIT
"""Faults of a message on its way to a subscriber: its properties, flags, QoS, payload, order, and identifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both, published
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Packet, Puback, Pubcomp, Publish, Pubrec, Pubrel

__all__ = ["at", "rows"]

Change = Callable[[Link, Delivery], Packet | bytes | None]

PATHS = ("live", "queued", "resent", "retained", "retained-wildcard", "will", "retained-will")


def at(path: str, change: Change, qos: int | None = None) -> Callable[[], Rule]:
    """Change each PUBLISH of a path, if `change` returns something."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if path not in ("any", d.path) or (qos is not None and d.packet.qos != qos):
                return None
            made = change(link, d)
            return None if made is None else [made]

        return Hooks(publish=publish)

    return make


def _prop(packet: Publish, name: str) -> Any:
    return getattr(packet.properties, name) if packet.properties is not None else None


def _lose(name: str) -> Change:
    def change(link: Link, d: Delivery) -> Packet | None:
        if not _prop(d.packet, name) and _prop(d.packet, name) != 0:
            return None
        return published(d.packet, **{name: [] if name == "user_property" else None})

    return change


def _alter(name: str) -> Change:
    def change(link: Link, d: Delivery) -> Packet | None:
        value = _prop(d.packet, name)
        if value is None or value == []:
            return None
        if name == "payload_format_indicator":
            return published(d.packet, payload_format_indicator=0) if value else None
        if name == "user_property":
            return published(d.packet, user_property=[(key, text + "x") for key, text in value])
        if isinstance(value, bytes):
            return published(d.packet, correlation_data=value[:-1] + b"\0\1") if value else None
        return published(d.packet, **{name: f"{value}x"})

    return change


def _reorder(link: Link, d: Delivery) -> Packet | None:
    value = _prop(d.packet, "user_property")
    return published(d.packet, user_property=value[::-1]) if value and value != value[::-1] else None


def _sort(link: Link, d: Delivery) -> Packet | None:
    value = _prop(d.packet, "user_property")
    made = list(dict(value or []).items())
    return published(d.packet, user_property=made) if value and made != value else None


PROPERTIES = (
    ("payload_format_indicator", "MQTT5-3.3.2-4"),
    ("content_type", "MQTT5-3.3.2-20"),
    ("response_topic", "MQTT5-3.3.2-15"),
    ("correlation_data", "MQTT5-3.3.2-16"),
    ("user_property", "MQTT5-3.3.2-17"),
)


def _properties() -> list[Fault]:
    found = []
    for name, statement in PROPERTIES:
        short = name.replace("_", "-")
        for path in PATHS:
            will = "will" in path
            first = "X5-will-properties-published" if will else statement
            also = (statement,) if will else ()
            found.append(
                Fault(f"{short}-lost-{path}", first, path, 5, None, f"{name} is lost", at(path, _lose(name)), also)
            )
            if path in ("live", "queued", "retained", "will"):
                found.append(
                    Fault(
                        f"{short}-changed-{path}",
                        first,
                        path,
                        5,
                        None,
                        f"{name} is changed",
                        at(path, _alter(name)),
                        also,
                    )
                )
    for path in PATHS:
        first = "MQTT5-3.1.3-10" if "will" in path else "MQTT5-3.3.2-18"
        also = ("MQTT5-3.3.2-18",) if "will" in path else ()
        found.append(
            Fault(
                f"user-property-order-{path}",
                first,
                path,
                5,
                None,
                "User Properties reversed",
                at(path, _reorder),
                also,
            )
        )
    for qos in (1, 2):
        found.append(
            Fault(
                f"content-type-lost-live-{qos}",
                "MQTT5-3.3.2-20",
                "live",
                5,
                qos,
                "Content Type is lost",
                at("live", _lose("content_type"), qos),
            )
        )
        found.append(
            Fault(
                f"correlation-lost-live-{qos}",
                "MQTT5-3.3.2-16",
                "live",
                5,
                qos,
                "Correlation Data is lost",
                at("live", _lose("correlation_data"), qos),
            )
        )
    found.append(
        Fault(
            "user-property-repeated-name",
            "MQTT5-3.3.2-17",
            "live",
            5,
            None,
            "of User Properties with one name only one is sent",
            at("live", _sort),
        )
    )
    return found


# ---------------------------------------------------------------- Message Expiry Interval


def _expiry_as_sent(link: Link, d: Delivery) -> Packet | None:
    left = _prop(d.packet, "message_expiry_interval")
    if left is None or d.message is None:
        return None
    given = _prop(d.message.publish, "message_expiry_interval")
    return published(d.packet, message_expiry_interval=given) if given and given != left else None


def _expiry_zero(link: Link, d: Delivery) -> Packet | None:
    left = _prop(d.packet, "message_expiry_interval")
    return published(d.packet, message_expiry_interval=max(0, left - 60)) if left else None


def _expiry_invented(link: Link, d: Delivery) -> Packet | None:
    if _prop(d.packet, "message_expiry_interval") is not None:
        return None
    return published(d.packet, message_expiry_interval=3600)


def _keep_expired(path: str) -> Callable[[], Rule]:
    """Take the interval away on the way to the broker and give what is left of it back on the way out."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Publish) and _prop(packet, "message_expiry_interval") is not None:
                if packet.retain == (path == "retained"):
                    link.world.fired -= 1
                    return [published(packet, message_expiry_interval=None)]
            return None

        def publish(link: Link, d: Delivery) -> Out:
            if d.message is None:
                return None
            given = _prop(d.message.publish, "message_expiry_interval")
            if given is None or _prop(d.packet, "message_expiry_interval") is not None:
                return None
            left = given - int(link.world.now() - d.message.at)
            if left > 0:
                link.world.fired -= 1
            return [published(d.packet, message_expiry_interval=max(left, 1))]

        return Hooks(up=up, publish=publish)

    return make


def _expiry() -> list[Fault]:
    found = []
    for path in PATHS:
        will = "will" in path
        first = "X5-will-message-expiry-sent" if will else "MQTT5-3.3.2-6"
        found.append(
            Fault(
                f"expiry-lost-{path}",
                first,
                path,
                5,
                None,
                "the Message Expiry Interval is lost",
                at(path, _lose("message_expiry_interval")),
            )
        )
    for path in ("queued", "retained", "retained-wildcard", "resent"):
        found.append(
            Fault(
                f"expiry-not-lessened-{path}",
                "MQTT5-3.3.2-6",
                path,
                5,
                None,
                "the Message Expiry Interval is sent as received",
                at(path, _expiry_as_sent),
            )
        )
    for path in ("live", "retained"):
        found.append(
            Fault(
                f"expiry-too-small-{path}",
                "MQTT5-3.3.2-6",
                path,
                5,
                None,
                "the Message Expiry Interval is a minute too small",
                at(path, _expiry_zero),
            )
        )
    found.append(
        Fault(
            "expiry-invented-live",
            "MQTT5-3.3.2-6",
            "live",
            5,
            None,
            "a message without a Message Expiry Interval gets one",
            at("live", _expiry_invented),
            ("X5-message-expiry-absent",),
        )
    )
    found.append(
        Fault(
            "expiry-invented-will",
            "X5-will-message-expiry-sent",
            "will",
            5,
            None,
            "a will without a Message Expiry Interval gets one",
            at("will", _expiry_invented),
        )
    )
    found.append(
        Fault(
            "expired-queued-sent",
            "MQTT5-3.3.2-5",
            "queued",
            5,
            None,
            "an expired message is sent to a client that comes back",
            _keep_expired("queued"),
        )
    )
    found.append(
        Fault(
            "expired-retained-sent",
            "X5-retained-expired",
            "retained",
            5,
            None,
            "an expired retained message is sent",
            _keep_expired("retained"),
            ("MQTT5-3.3.2-5",),
        )
    )
    return found


# ---------------------------------------------------------------- flags and QoS


def _flag(**changes: Any) -> Change:
    def change(link: Link, d: Delivery) -> Packet | None:
        if all(getattr(d.packet, name) == value for name, value in changes.items()):
            return None
        return published(d.packet, **changes)

    return change


def _dup0(link: Link, d: Delivery) -> bytes | None:
    """DUP 1 with QoS 0: no codec makes it."""
    if d.packet.qos:
        return None
    data = encode(link.version, d.packet)
    return bytes((data[0] | 8,)) + data[1:]


def _rap(retain: bool) -> Change:
    def change(link: Link, d: Delivery) -> Packet | None:
        if not d.subs or not all(sub.options.retain_as_published for sub in d.subs) or d.message is None:
            return None
        return published(d.packet, retain=retain) if d.packet.retain != retain else None

    return change


def _no_rap(link: Link, d: Delivery) -> Packet | None:
    if d.packet.retain or any(sub.options.retain_as_published for sub in d.subs):
        return None
    return published(d.packet, retain=True) if d.message is not None and d.message.publish.retain else None


def _dup_carried(link: Link, d: Delivery) -> Packet | None:
    if not d.packet.qos or d.message is None or not d.message.publish.dup:
        return None
    return published(d.packet, dup=True)


def _flags() -> list[Fault]:
    found: list[Fault] = []
    for path in ("live", "queued", "will"):
        found += both(
            f"retain-set-{path}",
            "MQTT5-3.3.1-12",
            "MQTT311-3.3.1-9",
            path,
            None,
            "RETAIN 1 is kept towards an established subscription",
            at(path, _no_rap) if path != "will" else at(path, _will_retain),
        )
    for path in ("retained", "retained-wildcard", "retained-will"):
        found += both(
            f"retain-clear-{path}",
            "X5-retained-retain-flag",
            "MQTT311-3.3.1-8",
            path,
            None,
            "a retained message is sent with RETAIN 0",
            at(path, _flag(retain=False)),
        )
    found.append(
        Fault(
            "rap-retain-lost",
            "MQTT5-3.3.1-13",
            "live",
            5,
            None,
            "Retain As Published 1, RETAIN 1 becomes 0",
            at("live", _rap(False)),
        )
    )
    found.append(
        Fault(
            "rap-retain-lost-queued",
            "MQTT5-3.3.1-13",
            "queued",
            5,
            None,
            "Retain As Published 1, RETAIN 1 becomes 0",
            at("queued", _rap(False)),
        )
    )
    found.append(
        Fault(
            "rap-retain-added",
            "MQTT5-3.3.1-13",
            "live",
            5,
            None,
            "Retain As Published 1, RETAIN 0 becomes 1",
            at("live", _rap(True)),
        )
    )
    found += both(
        "dup-qos0",
        "MQTT5-3.3.1-2",
        "MQTT311-3.3.1-2",
        "live",
        0,
        "DUP 1 with QoS 0",
        at("live", _dup0),
        ("MQTT5-4.3.1-1", "MQTT311-4.3.1-1"),
    )
    found += both(
        "dup-first-1",
        "MQTT5-4.3.2-2",
        "MQTT311-4.3.2-1",
        "live",
        1,
        "DUP 1 on the first PUBLISH",
        at("live", _flag(dup=True), 1),
        ("MQTT5-3.3.1-3", "MQTT311-3.3.1-3", "X311-dup-meaning"),
    )
    found += both(
        "dup-first-2",
        "MQTT5-4.3.3-2",
        "MQTT311-4.3.3-1",
        "live",
        2,
        "DUP 1 on the first PUBLISH",
        at("live", _flag(dup=True), 2),
        ("MQTT5-3.3.1-3", "MQTT311-3.3.1-3", "X311-dup-meaning"),
    )
    for path in ("queued", "retained", "will"):
        found.append(
            Fault(
                f"dup-first-{path}",
                "MQTT5-3.3.1-3",
                path,
                5,
                None,
                "DUP 1 on the first PUBLISH",
                at(path, lambda link, d: published(d.packet, dup=True) if d.packet.qos else None),
                ("MQTT5-4.3.2-2", "MQTT5-4.3.3-2"),
            )
        )
    found += both(
        "dup-carried-over",
        "MQTT5-3.3.1-3",
        "MQTT311-3.3.1-3",
        "live",
        None,
        "DUP 1 of the publisher is passed on",
        at("live", _dup_carried),
    )
    for qos in (1, 2):
        found += both(
            f"dup-missing-{qos}",
            "MQTT5-3.3.1-1",
            "MQTT311-3.3.1-1",
            "resent",
            qos,
            "a resent PUBLISH has DUP 0",
            at("resent", _flag(dup=False), qos),
        )
    return found


def _will_retain(link: Link, d: Delivery) -> Packet | None:
    if d.packet.retain or any(sub.options.retain_as_published for sub in d.subs):
        return None
    return published(d.packet, retain=True)


def _lower(to: int, origin: int) -> Change:
    """Deliver with a lower QoS, and complete the flow of the broker."""

    def change(link: Link, d: Delivery) -> Packet | None:
        if d.packet.qos != origin:
            return None
        link.settle(d.packet)
        return published(d.packet, qos=to, packet_id=d.packet.packet_id if to else 0)

    return change


def _raise(link: Link, d: Delivery) -> Packet | None:
    if d.packet.qos:
        return None
    made = published(d.packet, qos=1, packet_id=60_000 + link.world.next() % 5000)
    link.ours.add(made.packet_id)
    return made


def _qos() -> list[Fault]:
    found: list[Fault] = []
    for path, origin, to in (
        ("live", 1, 0),
        ("live", 2, 1),
        ("live", 2, 0),
        ("queued", 1, 0),
        ("queued", 2, 1),
        ("retained", 1, 0),
        ("retained", 2, 0),
        ("retained-wildcard", 1, 0),
    ):
        found += both(
            f"qos-{origin}-as-{to}-{path}",
            "MQTT5-3.8.4-8",
            "MQTT311-3.8.4-6",
            path,
            origin,
            f"a message of QoS {origin} is delivered with QoS {to}",
            at(path, _lower(to, origin)),
            ("MQTT5-3.3.4-2", "MQTT311-3.3.5-1"),
        )
    for path in ("live", "retained"):
        found += both(
            f"qos-0-as-1-{path}",
            "MQTT5-3.8.4-8",
            "MQTT311-3.8.4-6",
            path,
            0,
            "a message of QoS 0 is delivered with QoS 1",
            at(path, _raise),
        )
    for origin, to in ((1, 0), (2, 1)):
        found += both(
            f"will-qos-{origin}-as-{to}",
            "X5-will-published-qos",
            "X311-will-qos",
            "will",
            origin,
            f"a will of QoS {origin} is delivered with QoS {to}",
            at("will", _lower(to, origin)),
            ("MQTT5-3.8.4-8", "MQTT311-3.8.4-6"),
        )
    found += both(
        "qos-3",
        "MQTT5-3.3.1-4",
        "MQTT311-3.3.1-4",
        "live",
        2,
        "both QoS bits are 1",
        at("live", lambda link, d: _bits(link, d, 6) if d.packet.qos == 2 else None),
    )
    return found


def _bits(link: Link, d: Delivery, bits: int) -> bytes:
    data = encode(link.version, d.packet)
    return bytes((data[0] | bits,)) + data[1:]


# ---------------------------------------------------------------- payload, topic, identifiers


def _with_payload(change: Callable[[bytes], bytes]) -> Change:
    def done(link: Link, d: Delivery) -> Packet | None:
        made = change(d.packet.payload)
        return published(d.packet, payload=made) if made != d.packet.payload else None

    return done


def _cut(payload: bytes) -> bytes:
    return payload[:-1]


def _topic(change: Callable[[str], str]) -> Change:
    def done(link: Link, d: Delivery) -> Packet | None:
        if not d.packet.topic:
            return None
        made = change(d.packet.topic)
        return published(d.packet, topic=made) if made != d.packet.topic else None

    return done


def _same_id(link: Link, d: Delivery) -> Packet | None:
    if not d.packet.qos:
        return None
    used = [
        one for one in link.inflight if one != d.packet.packet_id and one not in link.memo.setdefault("doubled", set())
    ]
    if not used:
        return None
    link.memo["doubled"].add(d.packet.packet_id)
    if d.packet.qos == 1:
        link.to_server(Puback(d.packet.packet_id))
    else:
        link.settle(d.packet)
    return published(d.packet, packet_id=used[0])


def _other_id(link: Link, d: Delivery) -> Packet | None:
    if not d.packet.qos:
        return None
    link.settle(d.packet)
    made = published(d.packet, packet_id=d.packet.packet_id % 65_000 + 500)
    link.ours.add(made.packet_id)
    return made


def _id_zero(link: Link, d: Delivery) -> bytes | None:
    if not d.packet.qos or not d.packet.topic:
        return None
    link.settle(d.packet)
    data = encode(link.version, d.packet)
    where = data.index(d.packet.topic.encode()) + len(d.packet.topic.encode())
    return data[:where] + b"\0\0" + data[where + 2 :]


def _id_in_qos0(link: Link, d: Delivery) -> bytes | None:
    if d.packet.qos:
        return None
    made = encode(link.version, published(d.packet, qos=1, packet_id=7))
    return bytes((made[0] & 0xF9,)) + made[1:]


def _rows_of_fields() -> list[Fault]:
    found: list[Fault] = []
    for path, five, four in (
        ("live", "MQTT5-4.5.0-1", "MQTT311-4.5.0-1"),
        ("queued", "MQTT5-4.5.0-1", "MQTT311-4.5.0-1"),
        ("resent", "MQTT5-4.4.0-1", "MQTT311-4.4.0-1"),
        ("retained", "MQTT5-3.3.1-5", "MQTT311-3.3.1-5"),
        ("will", "X5-will-payload-published", "X311-will-payload"),
        ("retained-will", "X5-will-payload-published", "X311-will-payload"),
    ):
        found += both(
            f"payload-cut-{path}",
            five,
            four,
            path,
            None,
            "the last byte of the payload is lost",
            at(path, _with_payload(_cut)),
        )
    found += both(
        "will-payload-with-length",
        "X5-will-payload-published",
        "X311-will-payload",
        "will",
        None,
        "the length bytes are sent in the payload of a will",
        at("will", _with_payload(lambda p: len(p).to_bytes(2, "big") + p)),
    )
    found += both(
        "topic-other-live",
        "MQTT5-3.3.2-3",
        "MQTT311-3.3.2-3",
        "live",
        None,
        "the Topic Name gets a further level",
        at("live", _topic(lambda t: t + "/x")),
    )
    found += both(
        "topic-lower-case",
        "MQTT5-4.7.3-4",
        "MQTT311-4.7.3-4",
        "live",
        None,
        "the Topic Name is sent in lower case",
        at("live", _topic(str.lower)),
        ("X5-topic-case-sensitive", "X311-topic-case"),
    )
    found += both(
        "topic-wildcard-live",
        "MQTT5-3.3.2-2",
        "MQTT311-3.3.2-2",
        "live",
        None,
        "the Topic Name ends in a wildcard",
        at("live", _topic(lambda t: t + "/+")),
        ("MQTT5-4.7.0-1", "MQTT311-4.7.1-1"),
    )
    found += both(
        "topic-leading-slash-lost",
        "X5-topic-slash-distinct",
        "X311-topic-outer-slash",
        "live",
        None,
        "the slash at the begin of a Topic Name is lost",
        at("live", _topic(lambda t: t[1:] if t.startswith("/") and len(t) > 1 else t)),
        ("MQTT5-4.7.3-4", "MQTT311-4.7.3-4"),
    )
    found += both(
        "topic-empty-level-lost",
        "MQTT5-4.7.3-4",
        "MQTT311-4.7.3-4",
        "live",
        None,
        "two slashes become one",
        at("live", _topic(lambda t: t.replace("//", "/"))),
        ("X5-topic-level-empty", "X311-topic-empty-level"),
    )
    found += both(
        "topic-bom-stripped",
        "MQTT5-1.5.4-3",
        "MQTT311-1.5.3-3",
        "live",
        None,
        "U+FEFF is stripped from the Topic Name",
        at("live", _topic(lambda t: t.replace("\ufeff", ""))),
    )
    found.append(
        Fault(
            "response-topic-wildcard",
            "MQTT5-3.3.2-14",
            "live",
            5,
            None,
            "the Response Topic ends in a wildcard",
            at(
                "live",
                lambda link, d: (
                    published(d.packet, response_topic=_prop(d.packet, "response_topic") + "/#")
                    if _prop(d.packet, "response_topic")
                    else None
                ),
            ),
        )
    )
    for qos in (1, 2):
        found += both(
            f"packet-id-zero-{qos}",
            "MQTT5-2.2.1-4",
            "MQTT311-2.3.1-4" if qos == 1 else "MQTT311-2.3.1-1",
            "live",
            qos,
            "the Packet Identifier is 0",
            at("live", _id_zero, qos),
            ("MQTT311-2.3.1-1",),
        )
        found += both(
            f"packet-id-in-use-{qos}",
            "MQTT5-2.2.1-4",
            "MQTT311-2.3.1-4",
            "live",
            qos,
            "the Packet Identifier of a message in flight is used again",
            at("live", _same_id, qos),
            ("MQTT5-4.3.2-1", "MQTT5-4.3.3-1", "MQTT311-4.3.2-1", "MQTT311-4.3.3-1"),
        )
        found += both(
            f"packet-id-changed-{qos}",
            "MQTT5-4.4.0-1",
            "MQTT311-4.4.0-1",
            "resent",
            qos,
            "a resent PUBLISH has another Packet Identifier",
            at("resent", _other_id, qos),
        )
    found += both(
        "packet-id-qos0",
        "MQTT5-2.2.1-2",
        "MQTT311-2.3.1-5",
        "live",
        0,
        "a PUBLISH of QoS 0 has a Packet Identifier",
        at("live", _id_in_qos0),
    )
    return found


# ---------------------------------------------------------------- lost, twice, out of order


def _drop(path: str, qos: int | None, when: Callable[[Link, Delivery], bool] | None = None) -> Callable[[], Rule]:
    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if d.path != path or (qos is not None and d.packet.qos != qos) or (when is not None and not when(link, d)):
                return None
            link.settle(d.packet)
            link.ours.discard(d.packet.packet_id)
            link.inflight.pop(d.packet.packet_id, None)
            return []

        return Hooks(publish=publish)

    return make


def _drop_pubrel() -> Rule:
    """PUBREL is not resent: the first one of a resumed session for a message that was released before."""

    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Pubrel) or link.session is None:
            return None
        sent: set[int] = link.session.memo.setdefault("released", set())
        if packet.packet_id in sent and packet.packet_id not in link.inflight:
            link.to_server(Pubcomp(packet.packet_id))
            return []
        sent.add(packet.packet_id)
        return None

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Pubcomp) and link.session is not None:
            link.session.memo.setdefault("released", set()).discard(packet.packet_id)
        return None

    return Hooks(down=down, up=up)


def _publish_after_pubrec() -> Rule:
    """On resumption a PUBLISH comes in place of the PUBREL."""

    def publish(link: Link, d: Delivery) -> Out:
        if d.packet.qos == 2 and link.session is not None:
            link.session.memo.setdefault("sent2", {})[d.packet.packet_id] = d.packet
        return None

    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Pubrel) or link.session is None or packet.packet_id in link.inflight:
            return None
        old = link.session.memo.get("sent2", {}).get(packet.packet_id)
        if old is None:
            return None
        link.ours.add(packet.packet_id)
        link.to_server(Pubcomp(packet.packet_id))
        return [published(old, dup=True)]

    return Hooks(publish=publish, down=down)


def _twice(path: str, qos: int) -> Callable[[], Rule]:
    def change(link: Link, d: Delivery) -> Out:
        if d.path != path or d.packet.qos != qos:
            return None
        if not qos:
            return [d.packet, d.packet]
        other = d.packet.packet_id % 65_000 + 300
        link.ours.add(other)
        return [d.packet, published(d.packet, packet_id=other)]

    return lambda: Hooks(publish=change)


def _swapped(path: str, qos: int) -> Callable[[], Rule]:
    """Hold a message back until the next of the same topic has been sent."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if d.path != path or d.packet.qos != qos:
                return None
            held: dict[str, Publish] = link.memo.setdefault("held", {})
            before = held.pop(d.topic, None)
            if before is not None:
                return [d.packet, before]
            held[d.topic] = d.packet

            def late() -> None:
                waiting = held.get(d.topic)
                if waiting is d.packet:
                    link.to_client(held.pop(d.topic))

            link.later(0.25, late)
            link.world.fired -= 1
            return []

        return Hooks(publish=publish)

    return make


def _retry(qos: int) -> Callable[[], Rule]:
    """Resend on a live connection what is not acknowledged yet."""

    def make() -> Rule:
        def publish(link: Link, d: Delivery) -> Out:
            if d.packet.qos == qos:

                def again() -> None:
                    if link.inflight.get(d.packet.packet_id) is d and not link.memo.get(("rec", d.packet.packet_id)):
                        link.fired()
                        link.to_client(published(d.packet, dup=True))

                link.memo.pop(("rec", d.packet.packet_id), None)
                link.later(0.1, again)
            return None

        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Pubrec):
                link.memo["rec", packet.packet_id] = True
            return None

        return Hooks(publish=publish, up=up)

    return make


def _retry_pubrel() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Pubrel) and packet.packet_id in link.inflight:
            waiting = link.inflight[packet.packet_id]

            def again() -> None:
                if link.inflight.get(packet.packet_id) is waiting:
                    link.fired()
                    link.to_client(packet)

            link.later(0.1, again)
        return None

    return Hooks(down=down)


def _resend_after_pubrel() -> Rule:
    """A PUBLISH of QoS 2 comes again after its PUBREL."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Pubrel) and packet.packet_id in link.inflight:
            return [packet, published(link.inflight[packet.packet_id].packet, dup=True)]
        return None

    return Hooks(down=down)


def _lost() -> list[Fault]:
    found: list[Fault] = []
    for qos in (0, 1, 2):
        found += both(
            f"lost-live-{qos}",
            "MQTT5-4.5.0-1",
            "MQTT311-4.5.0-1",
            "live",
            qos,
            "a message is not delivered",
            _drop("live", qos),
            ("X5-message-to-every-match", "X311-deliver-to-matching"),
        )
        found += both(
            f"order-live-{qos}",
            "MQTT5-4.6.0-5",
            "MQTT311-4.6.0-6",
            "live",
            qos,
            "two messages of one topic change places",
            _swapped("live", qos),
            ("MQTT5-4.6.0-6", "MQTT311-4.6.0-5"),
        )
    for qos in (1, 2):
        found += both(
            f"lost-queued-{qos}",
            "X5-session-state-outbound",
            "MQTT311-3.1.2-5",
            "queued",
            qos,
            "a message for an absent client is lost",
            _drop("queued", qos),
            ("MQTT5-4.5.0-1", "MQTT311-4.5.0-1", "X311-session-state-server"),
        )
        found += both(
            f"order-queued-{qos}",
            "MQTT5-4.6.0-5",
            "MQTT311-4.6.0-6",
            "queued",
            qos,
            "two queued messages change places",
            _swapped("queued", qos),
            ("MQTT5-4.6.0-6", "MQTT311-4.6.0-5"),
        )
        found += both(
            f"not-resent-{qos}",
            "MQTT5-4.4.0-1",
            "MQTT311-4.4.0-1",
            "resent",
            qos,
            "an unacknowledged PUBLISH is not resent",
            _drop("resent", qos),
            (
                "X5-session-state-outbound",
                "X311-session-state-server",
                "MQTT5-4.3.2-3",
                "MQTT5-4.3.3-3",
                "MQTT311-4.3.2-1",
                "MQTT311-4.3.3-1",
            ),
        )
        found += both(
            f"order-resent-{qos}",
            "MQTT5-4.6.0-5",
            "MQTT311-4.6.0-6",
            "resent",
            qos,
            "two resent messages change places",
            _swapped("resent", qos),
            ("MQTT5-4.6.0-6", "MQTT311-4.6.0-5"),
        )
        found.append(
            Fault(
                f"retry-{qos}", "MQTT5-4.4.0-1", "live", 5, qos, "PUBLISH is resent on a live connection", _retry(qos)
            )
        )
    found.append(
        Fault("retry-pubrel", "MQTT5-4.4.0-1", "qos2", 5, 2, "PUBREL is resent on a live connection", _retry_pubrel)
    )
    found += both(
        "not-resent-pubrel",
        "MQTT5-4.4.0-1",
        "MQTT311-4.4.0-1",
        "resent",
        2,
        "an unacknowledged PUBREL is not resent",
        _drop_pubrel,
        ("MQTT5-4.3.3-5", "MQTT311-4.3.3-1", "X5-session-state-outbound"),
    )
    found += both(
        "publish-for-pubrel",
        "MQTT5-4.3.3-6",
        "MQTT311-4.3.3-1",
        "resent",
        2,
        "on resumption PUBLISH comes in place of PUBREL",
        _publish_after_pubrec,
        ("MQTT5-4.4.0-1", "MQTT311-4.4.0-1"),
    )
    found += both(
        "publish-after-pubrel",
        "MQTT5-4.3.3-6",
        "MQTT311-4.3.3-1",
        "qos2",
        2,
        "PUBLISH comes again after its PUBREL",
        _resend_after_pubrel,
        ("MQTT5-4.4.0-1",),
    )
    found += both(
        "twice-live-0",
        "X5-qos0-no-response",
        "X311-qos0-no-retry",
        "live",
        0,
        "a message of QoS 0 is sent twice",
        _twice("live", 0),
    )
    found += both(
        "twice-live-2",
        "MQTT5-4.3.3-10",
        "MQTT311-4.3.3-2",
        "live",
        2,
        "a message of QoS 2 is delivered twice",
        _twice("live", 2),
    )
    found += both(
        "twice-queued-2",
        "MQTT5-4.3.3-10",
        "MQTT311-4.3.3-2",
        "queued",
        2,
        "a queued message of QoS 2 is delivered twice",
        _twice("queued", 2),
    )
    found += both(
        "twice-live-1",
        "MQTT5-4.4.0-1",
        "MQTT311-4.5.0-1",
        "live",
        1,
        "a message of QoS 1 is delivered twice",
        _twice("live", 1),
    )
    return found


def rows() -> list[Fault]:
    """Return the faults of this module."""
    return _properties() + _expiry() + _flags() + _qos() + _rows_of_fields() + _lost()
