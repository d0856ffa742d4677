# SPDX-License-Identifier: MIT
"""Faults of what answers a packet: PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    ConnackProperties,
    Disconnect,
    DisconnectProperties,
    Pingreq,
    Pingresp,
    Puback,
    PubackProperties,
    Pubcomp,
    PubcompProperties,
    Publish,
    Pubrec,
    PubrecProperties,
    Pubrel,
    PubrelProperties,
    Suback,
    SubackProperties,
    Subscribe,
    Unsuback,
    UnsubackProperties,
    Unsubscribe,
)

__all__ = ["answer", "rows"]


def answer(kind: type[Any], change: Callable[[Link, Any], Out]) -> Callable[[], Rule]:
    """Change each packet of one kind that the broker sends."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            return change(link, packet) if isinstance(packet, kind) else None

        return Hooks(down=down)

    return make


def _drop(link: Link, packet: Any) -> Out:
    return []


def _other_id(link: Link, packet: Any) -> Out:
    return [packet.replace(packet_id=packet.packet_id % 65_535 + 1)]


def _code(code: int) -> Callable[[Link, Any], Out]:
    """Send a PUBACK, PUBREC, PUBREL or PUBCOMP with a code that its table does not have."""

    def change(link: Link, packet: Any) -> Out:
        head = {Puback: 0x40, Pubrec: 0x50, Pubrel: 0x62, Pubcomp: 0x70}[type(packet)]
        return [bytes((head, 3)) + packet.packet_id.to_bytes(2, "big") + bytes((code,))]

    return change


def _publish_acks() -> list[Fault]:
    found: list[Fault] = []
    for kind, five, four, id5, id4, path, qos in (
        (Puback, "MQTT5-4.3.2-4", "MQTT311-4.3.2-2", "MQTT5-2.2.1-5", "MQTT311-2.3.1-6", "acks", 1),
        (Pubrec, "MQTT5-4.3.3-8", "MQTT311-4.3.3-2", "MQTT5-2.2.1-5", "MQTT311-2.3.1-6", "qos2", 2),
        (Pubrel, "MQTT5-4.3.3-4", "MQTT311-4.3.3-1", "MQTT5-2.2.1-5", "MQTT311-2.3.1-6", "qos2", 2),
        (Pubcomp, "MQTT5-4.3.3-11", "MQTT311-4.3.3-2", "MQTT5-2.2.1-5", "X311-pubcomp-packet-id", "qos2", 2),
    ):
        name = kind.__name__.lower()
        also = ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1") if kind in (Puback, Pubrec) else ()
        found += both(
            f"{name}-missing", five, four, path, qos, f"{kind.__name__.upper()} is not sent", answer(kind, _drop), also
        )
        found += both(
            f"{name}-other-id",
            id5,
            id4,
            path,
            qos,
            f"{kind.__name__.upper()} has another Packet Identifier",
            answer(kind, _other_id),
            (five, four),
        )
    for kind, code, statement in (
        (Puback, 0x18, "MQTT5-3.4.2-1"),
        (Puback, 0x01, "MQTT5-3.4.2-1"),
        (Pubrec, 0x92, "MQTT5-3.5.2-1"),
        (Pubrel, 0x10, "MQTT5-3.6.2-1"),
        (Pubcomp, 0x80, "MQTT5-3.7.2-1"),
    ):
        name = kind.__name__.lower()
        found.append(
            Fault(
                f"{name}-code-{code:02x}",
                statement,
                "acks",
                5,
                None,
                f"{name} has the Reason Code 0x{code:02X}",
                answer(kind, _code(code)),
            )
        )
    found += both(
        "puback-as-pubrec",
        "MQTT5-3.3.4-1",
        "MQTT311-3.3.4-1",
        "acks",
        1,
        "QoS 1 is answered by PUBREC",
        answer(Puback, lambda link, p: [Pubrec(p.packet_id)]),
        ("MQTT5-4.3.2-4", "MQTT311-4.3.2-2"),
    )
    found += both(
        "pubrec-as-puback",
        "MQTT5-3.3.4-1",
        "MQTT311-3.3.4-1",
        "qos2",
        2,
        "QoS 2 is answered by PUBACK",
        answer(Pubrec, lambda link, p: [Puback(p.packet_id)]),
        ("MQTT5-4.3.3-8", "MQTT311-4.3.3-2"),
    )
    found += both(
        "puback-qos0",
        "X5-qos0-no-response",
        "X311-qos0-no-response",
        "acks",
        0,
        "QoS 0 is answered by PUBACK",
        _answer_qos0,
        ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1"),
    )
    found += both(
        "pubrel-flags",
        "MQTT5-3.6.1-1",
        "MQTT311-3.6.1-1",
        "qos2",
        2,
        "PUBREL has the flags 0000",
        answer(Pubrel, lambda link, p: [b"\x60\x02" + p.packet_id.to_bytes(2, "big")]),
        ("MQTT5-2.1.3-1", "MQTT311-2.2.2-1"),
    )
    found += both(
        "puback-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-1",
        "acks",
        1,
        "PUBACK has the flags 0010",
        answer(Puback, lambda link, p: [b"\x42\x02" + p.packet_id.to_bytes(2, "big")]),
    )
    found += both(
        "pubrel-twice-refused",
        "MQTT5-4.3.3-11",
        "MQTT311-4.3.3-2",
        "qos2",
        2,
        "the second PUBREL of an identifier is not answered",
        _second_pubrel,
    )
    found += both(
        "pubrec-repeat-missing",
        "MQTT5-4.3.3-10",
        "MQTT311-4.3.3-2",
        "qos2",
        2,
        "the second PUBLISH of an identifier is not answered",
        _second_pubrec,
    )
    found += both(
        "qos2-duplicate-delivered",
        "MQTT5-4.3.3-10",
        "MQTT311-4.3.3-2",
        "qos2",
        2,
        "a repeated PUBLISH of QoS 2 is delivered again",
        _repeat_delivered,
    )
    found += both(
        "qos2-delivered-once-only",
        "MQTT5-4.3.3-12",
        "MQTT311-4.3.3-2",
        "qos2",
        2,
        "after PUBCOMP the same Packet Identifier is taken for a repeat",
        _reused_ignored,
    )
    found += both(
        "qos1-dup-ignored",
        "MQTT5-4.3.2-5",
        "MQTT311-4.3.2-2",
        "acks",
        1,
        "a PUBLISH of QoS 1 with DUP 1 is taken for a repeat",
        _dup1_ignored,
    )
    found.append(
        Fault(
            "pubrel-after-refusal",
            "MQTT5-4.3.3-4",
            "qos2",
            5,
            2,
            "a PUBREC with 0x80 or more is answered by PUBREL",
            _pubrel_after_refusal,
        )
    )
    return found


def _answer_qos0() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and not packet.qos and link.accepted:
            link.fired()
            link.to_client(Puback(1))
        return None

    return Hooks(up=up)


def _second_pubrel() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Pubrel):
            done: set[int] = link.memo.setdefault("released", set())
            if packet.packet_id in done:
                return []
            done.add(packet.packet_id)
        elif isinstance(packet, Publish) and packet.qos == 2:
            link.memo.setdefault("released", set()).discard(packet.packet_id)
        return None

    return Hooks(up=up)


def _second_pubrec() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id in link.up_open:
            return []
        return None

    return Hooks(up=up)


def _repeat_delivered() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id in link.up_open:
            topic = link.topic_up(packet)
            link.fired()
            link.world.publish(Publish(topic, packet.payload))
        return None

    return Hooks(up=up)


def _reused_ignored() -> Rule:
    """A second message with the identifier of a completed one is acknowledged and not delivered."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos == 2 and packet.packet_id not in link.up_open:
            used: set[int] = link.memo.setdefault("used", set())
            if packet.packet_id in used:
                link.memo.setdefault("swallow", set()).add(packet.packet_id)
                link.to_client(Pubrec(packet.packet_id))
                return []
            used.add(packet.packet_id)
        elif isinstance(packet, Pubrel) and packet.packet_id in link.memo.get("swallow", ()):
            link.memo["swallow"].discard(packet.packet_id)
            link.to_client(Pubcomp(packet.packet_id))
            return []
        return None

    return Hooks(up=up)


def _dup1_ignored() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos == 1:
            used: set[int] = link.memo.setdefault("used1", set())
            if packet.dup and packet.packet_id in used:
                link.to_client(Puback(packet.packet_id))
                return []
            used.add(packet.packet_id)
        return None

    return Hooks(up=up)


def _pubrel_after_refusal() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Pubrec) and packet.reason_code >= 0x80:
            link.fired()
            link.to_client(Pubrel(packet.packet_id))
        return None

    return Hooks(up=up)


# ---------------------------------------------------------------- SUBACK, UNSUBACK


def _reverse(link: Link, packet: Any) -> Out:
    codes = packet.reason_codes
    return [packet.replace(reason_codes=codes[::-1])] if codes != codes[::-1] else None


def _fewer(link: Link, packet: Any) -> Out:
    return [packet.replace(reason_codes=packet.reason_codes[:-1])] if len(packet.reason_codes) > 1 else None


def _more(link: Link, packet: Any) -> Out:
    return (
        [packet.replace(reason_codes=[*packet.reason_codes, packet.reason_codes[-1]])] if packet.reason_codes else None
    )


def _suback_code(code: int, when: Callable[[int], bool] = lambda old: old < 3) -> Callable[[Link, Any], Out]:
    """Put a code into the bytes: the codec refuses those that no table has."""

    def change(link: Link, packet: Any) -> Out:
        codes = packet.reason_codes
        if not codes or not any(when(one) for one in codes):
            return None
        data = encode(link.version, packet)
        return [data[: -len(codes)] + bytes(code if when(one) else one for one in codes)]

    return change


def _granted_more(link: Link, packet: Any) -> Out:
    """Grant 2 for a subscription that keeps its lower QoS: the code does not show what was granted."""
    if all(one in (2, 0x80) or one > 2 for one in packet.reason_codes):
        return None
    return [packet.replace(reason_codes=[2 if one < 2 else one for one in packet.reason_codes])]


def _split(link: Link, packet: Any) -> Out:
    if len(packet.reason_codes) < 2:
        return None
    return [packet.replace(reason_codes=[one]) for one in packet.reason_codes]


def _unsuback_payload(link: Link, packet: Any) -> Out:
    return [b"\xb0\x03" + packet.packet_id.to_bytes(2, "big") + b"\0"]


def _late_suback(link: Link, packet: Any) -> Out:
    return [packet, packet]


def _subscription_acks() -> list[Fault]:
    found: list[Fault] = []
    found += both(
        "suback-missing",
        "MQTT5-3.8.4-1",
        "MQTT311-3.8.4-1",
        "suback",
        None,
        "SUBACK is not sent",
        answer(Suback, _drop),
    )
    found += both(
        "suback-other-id",
        "MQTT5-3.8.4-2",
        "MQTT311-3.8.4-2",
        "suback",
        None,
        "SUBACK has another Packet Identifier",
        answer(Suback, _other_id),
        ("MQTT5-2.2.1-6", "MQTT311-2.3.1-7"),
    )
    found += both(
        "suback-order",
        "MQTT5-3.9.3-1",
        "MQTT311-3.9.3-1",
        "suback",
        None,
        "the codes of a SUBACK are reversed",
        answer(Suback, _reverse),
    )
    found += both(
        "suback-fewer",
        "MQTT5-3.8.4-6",
        "MQTT311-3.8.4-5",
        "suback",
        None,
        "SUBACK has a code too few",
        answer(Suback, _fewer),
    )
    found += both(
        "suback-more",
        "MQTT5-3.8.4-6",
        "MQTT311-3.8.4-5",
        "suback",
        None,
        "SUBACK has a code too many",
        answer(Suback, _more),
    )
    found += both(
        "suback-split",
        "MQTT5-3.8.4-5",
        "MQTT311-3.8.4-4",
        "suback",
        None,
        "each Topic Filter gets its own SUBACK",
        answer(Suback, _split),
        ("MQTT5-3.8.4-6", "MQTT311-3.8.4-5"),
    )
    found += both(
        "suback-code-03",
        "MQTT5-3.9.3-2",
        "MQTT311-3.9.3-2",
        "suback",
        None,
        "SUBACK has the code 0x03",
        answer(Suback, _suback_code(3)),
    )
    found += both(
        "suback-code-81",
        "MQTT5-3.9.3-2",
        "MQTT311-3.9.3-2",
        "suback",
        None,
        "SUBACK has the code 0x81",
        answer(Suback, _suback_code(0x81)),
    )
    found += both(
        "suback-granted-more",
        "MQTT5-3.8.4-7",
        "MQTT311-3.8.4-5",
        "suback",
        None,
        "SUBACK shows QoS 2 for lower grants",
        answer(Suback, _granted_more),
        ("X311-suback-granted", "MQTT5-3.8.4-8", "MQTT311-3.8.4-6"),
    )
    found += both(
        "suback-failed-but-subscribed",
        "MQTT5-3.8.4-7",
        "MQTT311-3.8.4-5",
        "suback",
        None,
        "SUBACK says failed, the subscription is made",
        answer(Suback, _suback_code(0x80)),
        ("X311-suback-failure",),
    )
    found += both(
        "suback-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-1",
        "suback",
        None,
        "SUBACK has the flags 0010",
        answer(Suback, lambda link, p: [b"\x92" + encode(link.version, p)[1:]]),
    )
    found += both(
        "unsuback-missing",
        "MQTT5-3.10.4-4",
        "MQTT311-3.10.4-4",
        "suback",
        None,
        "UNSUBACK is not sent",
        answer(Unsuback, _drop),
    )
    found += both(
        "unsuback-missing-unknown",
        "MQTT5-3.10.4-5",
        "MQTT311-3.10.4-5",
        "suback",
        None,
        "UNSUBACK is not sent if nothing was deleted",
        _no_unsuback_unknown,
    )
    found += both(
        "unsuback-other-id",
        "MQTT5-3.10.4-5",
        "MQTT311-3.10.4-4",
        "suback",
        None,
        "UNSUBACK has another Packet Identifier",
        answer(Unsuback, _other_id),
        ("MQTT5-2.2.1-6", "MQTT311-2.3.1-7"),
    )
    found.append(
        Fault(
            "unsuback-order",
            "MQTT5-3.11.3-1",
            "suback",
            5,
            None,
            "the codes of an UNSUBACK are reversed",
            answer(Unsuback, _reverse),
        )
    )
    found.append(
        Fault(
            "unsuback-fewer",
            "MQTT5-3.11.3-2",
            "suback",
            5,
            None,
            "UNSUBACK has a code too few",
            answer(Unsuback, _fewer),
            ("X5-unsuback-reason-codes",),
        )
    )
    found.append(
        Fault(
            "unsuback-none",
            "MQTT5-3.11.3-2",
            "suback",
            5,
            None,
            "UNSUBACK has no codes",
            answer(Unsuback, lambda link, p: [b"\xb0\x03" + p.packet_id.to_bytes(2, "big") + b"\0"]),
            ("X5-unsuback-reason-codes",),
        )
    )
    found.append(
        Fault(
            "unsuback-code-01",
            "MQTT5-3.11.3-2",
            "suback",
            5,
            None,
            "UNSUBACK has the code 0x01",
            answer(Unsuback, _suback_code(1, lambda old: old == 0)),
        )
    )
    found.append(
        Fault(
            "unsuback-success-unknown",
            "X5-unsuback-no-subscription",
            "suback",
            5,
            None,
            "0x00 for a filter without a subscription",
            answer(Unsuback, _suback_code(0, lambda old: old == 0x11)),
        )
    )
    found.append(
        Fault(
            "unsuback-unknown-success",
            "X5-unsuback-no-subscription",
            "suback",
            5,
            None,
            "0x11 for a deleted subscription",
            answer(Unsuback, _suback_code(0x11, lambda old: old == 0)),
        )
    )
    found.append(
        Fault(
            "unsuback-payload-311",
            "X311-unsuback-no-payload",
            "suback",
            4,
            None,
            "UNSUBACK has a payload",
            answer(Unsuback, _unsuback_payload),
        )
    )
    found += both(
        "pingresp-missing",
        "MQTT5-3.12.4-1",
        "MQTT311-3.12.4-1",
        "keepalive",
        None,
        "PINGREQ is not answered",
        answer(Pingresp, _drop),
    )
    found += both(
        "pingresp-flags",
        "MQTT5-2.1.3-1",
        "MQTT311-2.2.2-1",
        "keepalive",
        None,
        "PINGRESP has the flags 0001",
        answer(Pingresp, lambda link, p: [b"\xd1\0"]),
    )
    found += both(
        "pingresp-twice",
        "MQTT5-3.12.4-1",
        "MQTT311-3.12.4-1",
        "keepalive",
        None,
        "only every second PINGREQ is answered",
        _every_second_ping,
    )
    found += both(
        "subscribe-first-only",
        "MQTT5-3.8.4-5",
        "MQTT311-3.8.4-4",
        "subscription",
        None,
        "of several Topic Filters only the first is subscribed",
        _first_filter_only,
    )
    found += both(
        "unsubscribe-first-only",
        "MQTT5-3.10.4-6",
        "MQTT311-3.10.4-6",
        "subscription",
        None,
        "of several Topic Filters only the first is unsubscribed",
        _first_unsubscribed,
    )
    return found


def _no_unsuback_unknown() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Unsubscribe) and link.session is not None:
            if not any(one in link.session.subs for one in packet.topic_filters):
                return []
        return None

    return Hooks(up=up)


def _every_second_ping() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Pingreq):
            link.memo["pings"] = link.memo.get("pings", 0) + 1
            return [] if link.memo["pings"] % 2 == 0 else None
        return None

    return Hooks(up=up)


def _first_filter_only() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe) and len(packet.subscriptions) > 1:
            link.memo["asked", packet.packet_id] = packet.subscriptions
            return [packet.replace(subscriptions=packet.subscriptions[:1])]
        return None

    def down(link: Link, packet: Any) -> Out:
        asked = link.memo.pop(("asked", packet.packet_id), None) if isinstance(packet, Suback) else None
        if asked is None:
            return None
        return [packet.replace(reason_codes=packet.reason_codes + [one.qos for one in asked[1:]])]

    return Hooks(up=up, down=down)


def _first_unsubscribed() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Unsubscribe) and len(packet.topic_filters) > 1:
            known = link.session.subs if link.session is not None else {}
            link.memo["asked", packet.packet_id] = [0 if one in known else 0x11 for one in packet.topic_filters]
            return [packet.replace(topic_filters=packet.topic_filters[:1])]
        return None

    def down(link: Link, packet: Any) -> Out:
        asked = link.memo.pop(("asked", packet.packet_id), None) if isinstance(packet, Unsuback) else None
        if asked is None or link.version != 5:
            return None
        return [packet.replace(reason_codes=packet.reason_codes + asked[1:])]

    return Hooks(up=up, down=down)


# ---------------------------------------------------------------- properties of answers

PROPERTIES: dict[type[Any], type[Any]] = {
    Connack: ConnackProperties,
    Puback: PubackProperties,
    Pubrec: PubrecProperties,
    Pubrel: PubrelProperties,
    Pubcomp: PubcompProperties,
    Suback: SubackProperties,
    Unsuback: UnsubackProperties,
    Disconnect: DisconnectProperties,
}


def _too_large(kind: type[Any], name: str) -> Callable[[], Rule]:
    """Add a property that makes the packet larger than the client allows."""

    def change(link: Link, packet: Any) -> Out:
        given = link.connect.properties if link.connect is not None else None
        limit = given.maximum_packet_size if given is not None else None
        if limit is None or limit > 60_000 or (kind is Connack and packet.reason_code):
            return None
        value: Any = "x" * limit if name == "reason_string" else [("x", "y" * limit)]
        props = packet.properties or PROPERTIES[kind]()
        return [packet.replace(properties=props.replace(**{name: value}))]

    return answer(kind, change)


def _unwanted(kind: type[Any], name: str) -> Callable[[], Rule]:
    """Add a Reason String or a User Property although the client declined them."""

    def change(link: Link, packet: Any) -> Out:
        given = link.connect.properties if link.connect is not None else None
        if given is None or given.request_problem_information != 0:
            return None
        value: Any = "because" if name == "reason_string" else [("why", "because")]
        props = packet.properties or PROPERTIES[kind]()
        return [packet.replace(properties=props.replace(**{name: value}))]

    return answer(kind, change)


def _properties() -> list[Fault]:
    found: list[Fault] = []
    for kind, first, second in (
        (Connack, "MQTT5-3.2.2-19", "MQTT5-3.2.2-20"),
        (Puback, "MQTT5-3.4.2-2", "MQTT5-3.4.2-3"),
        (Pubrec, "MQTT5-3.5.2-2", "MQTT5-3.5.2-3"),
        (Pubrel, "MQTT5-3.6.2-2", "MQTT5-3.6.2-3"),
        (Pubcomp, "MQTT5-3.7.2-2", "MQTT5-3.7.2-3"),
        (Suback, "MQTT5-3.9.2-1", "MQTT5-3.9.2-2"),
        (Unsuback, "MQTT5-3.11.2-1", "MQTT5-3.11.2-2"),
        (Disconnect, "MQTT5-3.14.2-3", "MQTT5-3.14.2-4"),
    ):
        name = kind.__name__.lower()
        for prop, statement in (("reason_string", first), ("user_property", second)):
            short = prop.replace("_", "-")
            found.append(
                Fault(
                    f"{name}-{short}-too-large",
                    statement,
                    "limits",
                    5,
                    None,
                    f"a {prop} makes {name} larger than Maximum Packet Size",
                    _too_large(kind, prop),
                    ("MQTT5-3.1.2-24",),
                )
            )
            if kind not in (Connack, Disconnect):
                found.append(
                    Fault(
                        f"{name}-{short}-unwanted",
                        "MQTT5-3.1.2-29",
                        "acks",
                        5,
                        None,
                        f"{name} has a {prop} although Request Problem Information is 0",
                        _unwanted(kind, prop),
                    )
                )
    return found


def rows() -> list[Fault]:
    """Return the faults of this module."""
    return _publish_acks() + _subscription_acks() + _properties()
