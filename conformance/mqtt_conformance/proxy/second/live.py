# SPDX-License-Identifier: MIT
"""Faults of a second author: live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule, published
from mqtt_conformance.proxy.second.tools import LIVE, After, changing, fault, prop, renouncing, requalified
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import Pubcomp, Publish, Pubrec, Pubrel

__all__: list[str] = ["changed", "retain_kept"]


def _by_name(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    names = list(dict.fromkeys(name for name, _ in pairs))
    return [pair for name in names for pair in pairs if pair[0] == name]


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Publish, Delivery], dict[str, Any] | None]:
    """Change a property if it is there and becomes another."""

    def changes(packet: Publish, d: Delivery) -> dict[str, Any] | None:
        old = prop(packet, name)
        if old is None or old == []:
            return None
        new = change(old)
        return {name: new} if new != old else None

    return changes


fault(
    "live-user-properties-grouped",
    "MQTT5-3.3.2-18",
    "live",
    5,
    None,
    "User Properties are kept as name -> list of values, so those of one name stand together: a, b, a becomes a, a, b",
)(changing(LIVE, changed("user_property", _by_name)))

fault(
    "live-user-property-last-of-name",
    "MQTT5-3.3.2-17",
    "live",
    5,
    None,
    "of several User Properties with the same name only the last is forwarded (live)",
)(changing(LIVE, changed("user_property", lambda pairs: list(dict(pairs).items()))))

fault(
    "live-user-property-empty-value-lost",
    "MQTT5-3.3.2-17",
    "live",
    5,
    None,
    "a User Property with an empty value is not forwarded (live)",
)(changing(LIVE, changed("user_property", lambda pairs: [pair for pair in pairs if pair[1]])))

fault(
    "live-content-type-lost-at-qos2",
    "MQTT5-3.3.2-20",
    "live",
    5,
    2,
    "the Content Type is lost when a message is delivered live at QoS 2",
)(
    changing(
        LIVE, lambda packet, d: {"content_type": None} if packet.qos == 2 and prop(packet, "content_type") else None
    )
)

fault(
    "live-correlation-data-cut-at-nul",
    "MQTT5-3.3.2-16",
    "live",
    5,
    None,
    "Correlation Data ends at its first zero byte, as a C string (live)",
)(changing(LIVE, changed("correlation_data", lambda old: old.split(b"\0")[0])))

fault(
    "live-correlation-data-empty-lost",
    "MQTT5-3.3.2-16",
    "live",
    5,
    None,
    "Correlation Data of zero length is not forwarded (live)",
)(changing(LIVE, lambda packet, d: {"correlation_data": None} if prop(packet, "correlation_data") == b"" else None))

fault(
    "live-response-topic-lost-without-correlation",
    "MQTT5-3.3.2-15",
    "live",
    5,
    None,
    "a Response Topic without Correlation Data is not forwarded (live)",
)(
    changing(
        LIVE,
        lambda packet, d: (
            {"response_topic": None}
            if prop(packet, "response_topic") and prop(packet, "correlation_data") is None
            else None
        ),
    )
)

fault(
    "live-payload-format-lost-with-content-type",
    "MQTT5-3.3.2-4",
    "live",
    5,
    None,
    "the Payload Format Indicator is lost when the message has a Content Type too (live)",
)(
    changing(
        LIVE,
        lambda packet, d: (
            {"payload_format_indicator": None}
            if prop(packet, "payload_format_indicator") is not None and prop(packet, "content_type") is not None
            else None
        ),
    )
)

fault(
    "live-rap-at-qos0-only",
    "MQTT5-3.3.1-13",
    "live",
    5,
    1,
    "Retain As Published has no effect on messages delivered at QoS 1 or 2: they have RETAIN 0 (live)",
)(changing(LIVE, lambda packet, d: {"retain": False} if packet.retain and packet.qos else None))


def retain_kept(packet: Publish, d: Delivery) -> dict[str, Any] | None:
    """Keep RETAIN as it was published."""
    if d.message is None or not d.message.publish.retain or packet.retain or not d.message.publish.payload:
        return None
    return {"retain": True}


fault(
    "live-retain-kept-at-qos2",
    "MQTT5-3.3.1-12",
    "live",
    5,
    2,
    "a QoS 2 message published with RETAIN 1 has RETAIN 1 for a subscription without Retain As Published (live)",
)(changing(LIVE, lambda packet, d: retain_kept(packet, d) if packet.qos == 2 else None))

fault(
    "live-retain-kept-for-wildcard-311",
    "MQTT311-3.3.1-9",
    "live",
    4,
    0,
    "a message published with RETAIN 1 keeps it if only wildcard subscriptions match (live)",
)(
    changing(
        LIVE,
        lambda packet, d: (
            retain_kept(packet, d) if d.subs and all("#" in sub.plain or "+" in sub.plain for sub in d.subs) else None
        ),
    )
)

fault(
    "live-retain-clear-has-retain-311",
    "X311-retain-empty-live",
    "live",
    4,
    0,
    "a message of zero bytes published with RETAIN 1 has RETAIN 1 for existing subscribers",
    ("MQTT311-3.3.1-9",),
)(
    changing(
        LIVE,
        lambda packet, d: (
            {"retain": True}
            if d.message is not None and d.message.publish.retain and not packet.payload and not packet.retain
            else None
        ),
    )
)

fault(
    "live-retain-clear-not-forwarded-311",
    "MQTT311-3.3.1-10",
    "live",
    4,
    1,
    "a message of zero bytes with RETAIN 1 clears the retained message but is not sent to existing subscribers",
)(renouncing(LIVE, lambda link, d: d.message is not None and d.message.publish.retain and not d.packet.payload))

fault(
    "live-empty-payload-lost",
    "MQTT5-4.5.0-1",
    "live",
    5,
    1,
    "a QoS 1 or 2 message with an empty payload and RETAIN 0 is acknowledged but not delivered",
    ("X5-message-to-every-match",),
)(
    renouncing(
        LIVE,
        lambda link, d: (
            d.message is not None and not d.message.publish.retain and not d.packet.payload and d.packet.qos > 0
        ),
    )
)

fault(
    "live-dup-forwarded",
    "MQTT5-3.3.1-3",
    "live",
    5,
    1,
    "the DUP flag of the publisher is passed on to subscribers (live, QoS 1)",
)(
    changing(
        LIVE,
        lambda packet, d: (
            {"dup": True} if d.message is not None and d.message.publish.dup and packet.qos == 1 else None
        ),
    )
)

fault(
    "live-dup-at-qos0-311",
    "MQTT311-3.3.1-2",
    "live",
    4,
    0,
    "a QoS 1 message that came with DUP 1 has DUP 1 also for a subscriber with QoS 0",
    ("MQTT311-3.3.1-3", "MQTT311-4.3.1-1"),
)(
    changing(
        LIVE,
        lambda packet, d: (
            {"dup": True} if d.message is not None and d.message.publish.dup and packet.qos == 0 else None
        ),
    )
)


@fault(
    "live-qos0-upgraded-311",
    "MQTT311-3.8.4-6",
    "live",
    4,
    0,
    "a QoS 0 message is delivered at the granted QoS of the subscription, if that is 1 or 2 (live)",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        granted = max((sub.qos for sub in d.subs), default=0)
        return requalified(link, d.packet, granted) if d.path == "live" and d.packet.qos == 0 and granted else None

    return Hooks(publish=publish)


@fault(
    "live-qos2-capped-at-1",
    "MQTT5-3.8.4-8",
    "live",
    5,
    2,
    "a QoS 2 message for a wildcard subscription granted QoS 2 is delivered at QoS 1 (live)",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path == "live" and d.packet.qos == 2 and all("#" in sub.plain or "+" in sub.plain for sub in d.subs):
            return requalified(link, d.packet, 1)
        return None

    return Hooks(publish=publish)


@fault(
    "live-overlap-lowest-qos",
    "MQTT5-3.3.4-2",
    "live",
    5,
    1,
    "with overlapping subscriptions of one client the lowest granted QoS is used (live)",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        lowest = min((sub.qos for sub in d.subs if not sub.share), default=2)
        return requalified(link, d.packet, lowest) if d.path == "live" and lowest < d.packet.qos else None

    return Hooks(publish=publish)


@fault(
    "live-overlap-latest-qos-311",
    "MQTT311-3.3.5-1",
    "live",
    4,
    1,
    "with overlapping subscriptions the QoS of the one made last is used, also if it is the lower (live)",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if d.path != "live" or len(d.subs) < 2:
            return None
        last = max(d.subs, key=lambda sub: sub.seq)
        return requalified(link, d.packet, last.qos) if last.qos < d.packet.qos else None

    return Hooks(publish=publish)


LARGE = 65_535

fault(
    "live-large-lost",
    "MQTT5-4.5.0-1",
    "live",
    5,
    1,
    "a message whose payload has more than 65,535 bytes is acknowledged but not delivered",
    ("X5-message-to-every-match", "X5-maximum-packet-size-absent-connect"),
)(renouncing(LIVE, lambda link, d: len(d.packet.payload) > LARGE))

fault(
    "live-three-byte-length-lost-311",
    "MQTT311-4.5.0-1",
    "live",
    4,
    1,
    "a message of which the Remaining Length needs three bytes (16,384 bytes or more) is not delivered",
    ("X311-deliver-to-matching",),
)(renouncing(LIVE, lambda link, d: len(d.packet.payload) >= 16_384))

fault(
    "live-small-overtakes-large-311",
    "MQTT311-4.6.0-6",
    "live",
    4,
    1,
    "a QoS 1 message of more than 8 KiB is overtaken by the next message of the same topic",
)(
    lambda: After(
        lambda link, d: d.path == "live" and d.packet.qos == 1 and len(d.packet.payload) > 8192, 0.5, with_next=True
    )
)

fault(
    "live-order-swapped-qos2",
    "MQTT5-4.6.0-5",
    "live",
    5,
    2,
    "every fifth QoS 2 message that a client gets is delivered behind the one that follows it",
    ("MQTT5-4.6.0-6",),
)(lambda: _EveryFifth())


class _EveryFifth(After):
    def __init__(self) -> None:
        super().__init__(self._fifth, 0.4, with_next=True)

    @staticmethod
    def _fifth(link: Link, d: Delivery) -> bool:
        if d.path != "live" or d.packet.qos != 2:
            return False
        link.memo["count"] = link.memo.get("count", 0) + 1
        return bool(link.memo["count"] % 5 == 0)


fault(
    "live-bom-stripped",
    "MQTT5-1.5.4-3",
    "live",
    5,
    0,
    "U+FEFF at the start of a Topic Name is taken off when the message is forwarded",
)(
    changing(
        LIVE,
        lambda packet, d: {"topic": packet.topic[1:]} if packet.topic[:1] == "\ufeff" and packet.topic[1:] else None,
    )
)

fault(
    "live-bom-in-user-property-stripped",
    "MQTT5-1.5.4-3",
    "live",
    5,
    None,
    "U+FEFF at the start of the value of a User Property is taken off (live)",
    ("MQTT5-3.3.2-17", "MQTT5-1.5.7-1"),
)(
    changing(
        LIVE,
        changed("user_property", lambda pairs: [(name, value.removeprefix("\ufeff")) for name, value in pairs]),
    )
)


@fault(
    "live-packet-id-shared-by-qos",
    "MQTT5-2.2.1-4",
    "live",
    5,
    2,
    "QoS 1 and QoS 2 have their own counters: a QoS 2 PUBLISH has the Packet Identifier of a QoS 1 PUBLISH in flight",
    ("MQTT5-4.3.3-1",),
)
def _() -> Rule:
    return _shared_ids()


@fault(
    "live-packet-id-shared-by-qos-311",
    "MQTT311-4.3.3-1",
    "live",
    4,
    2,
    "QoS 1 and QoS 2 have their own counters: a QoS 2 PUBLISH has the Packet Identifier of a QoS 1 PUBLISH in flight",
    ("MQTT311-2.3.1-4",),
)
def _() -> Rule:
    return _shared_ids()


def _shared_ids() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        names: dict[int, int] = link.memo.setdefault("names", {})
        if d.packet.qos != 2:
            return None
        for number, other in link.inflight.items():
            if other.packet.qos == 1 and number not in names:
                names[number] = d.packet.packet_id
                return [published(d.packet, packet_id=number)]
        return None

    def up(link: Link, packet: Any, data: bytes) -> Out:
        names: dict[int, int] = link.memo.setdefault("names", {})
        if isinstance(packet, Pubrec | Pubcomp) and packet.packet_id in names:
            return [packet.replace(packet_id=names[packet.packet_id])]
        return None

    def down(link: Link, packet: Any) -> Out:
        names: dict[int, int] = link.memo.setdefault("names", {})
        if isinstance(packet, Pubrel):
            for number, real in names.items():
                if real == packet.packet_id:
                    return [packet.replace(packet_id=number)]
        return None

    return Hooks(up=up, down=down, publish=publish)
