# SPDX-License-Identifier: MIT
"""Faults of the end of a connection, of packets in the wrong state, and of packets that are refused though legal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    DisconnectProperties,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from mqtt_ref.wire.violation import Violation

__all__ = ["rows"]


def _ignore(when: Callable[[Link, Any], bool], answer: Callable[[Link, Any], Any] | None = None) -> Callable[[], Rule]:
    """Ignore a packet that has to end the connection, or answer it."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not when(link, packet):
                return None
            if answer is not None:
                link.to_client(answer(link, packet))
            return []

        return Hooks(up=up)

    return make


def _refuse(when: Callable[[Link, Any, bytes], bool], code: int = 0x82) -> Callable[[], Rule]:
    """Close the connection on a legal packet."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if not when(link, packet, data):
                return None
            if link.version == 5:
                link.to_client(Disconnect(code) if link.accepted else Connack(code))
            link.end_client()
            link.end_server()
            return []

        return Hooks(up=up)

    return make


def _first(kind: type[Any]) -> Callable[[Link, Any], bool]:
    return lambda link, p: link.packets_up == 1 and isinstance(p, kind)


def _first_answer(link: Link, packet: Any) -> Any:
    if isinstance(packet, Pingreq):
        return Pingresp()
    if isinstance(packet, Subscribe):
        return Suback(packet.packet_id, [0] * len(packet.subscriptions))
    if isinstance(packet, Publish) and packet.qos:
        return Puback(packet.packet_id)
    return b""


def _disconnect(change: Callable[[Link, Disconnect], Out]) -> Callable[[], Rule]:
    """Change each DISCONNECT of the broker."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            return change(link, packet) if isinstance(packet, Disconnect) else None

        return Hooks(down=down)

    return make


def _stays(told: bool) -> Callable[[], Rule]:
    """After an error the connection stays open, and PINGREQ is answered."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            if isinstance(packet, Disconnect):
                link.memo["left"] = True
                return None if told else []
            return None

        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Violation) and link.accepted:
                link.memo["error"] = True
            if not link.server_open and isinstance(packet, Pingreq):
                link.to_client(Pingresp())
                return []
            return None

        def gone(link: Link) -> bool:
            if link.memo.get("left") or link.memo.get("error"):
                link.fired()
                return True
            return False

        return Hooks(down=down, up=up, server_gone=gone)

    return make


def _goodbye_311() -> Rule:
    """A client of 3.1.1 is sent a DISCONNECT before its connection is closed."""

    def gone(link: Link) -> bool:
        if link.accepted:
            link.fired()
            link.to_client(b"\xe0\0")
        return False

    return Hooks(server_gone=gone)


def _wrong_way(packet: Any) -> Callable[[], Rule]:
    """After SUBACK the server sends a packet that only clients send."""

    def make() -> Rule:
        def down(link: Link, found: Any) -> Out:
            if isinstance(found, Suback):
                return [found, packet if isinstance(packet, bytes) else encode(link.version, packet)]
            return None

        return Hooks(down=down)

    return make


def _hurts_others() -> Rule:
    """A malformed packet of one client ends the connection of another."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Violation) and link.accepted:
            others = link.world.others(link)
            if others:
                other = max(others, key=lambda one: one.seq)
                link.fired()
                if other.version == 5:
                    other.to_client(Disconnect(0x81))
                other.end_client()
                other.end_server()
        return None

    return Hooks(up=up)


def _packet_id_used() -> Rule:
    """A Packet Identifier that the server uses too is refused to the client."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos and packet.packet_id in link.inflight:
            link.to_client(Puback(packet.packet_id, 0x91) if packet.qos == 1 else Pubrec(packet.packet_id, 0x91))
            return []
        return None

    return Hooks(up=up)


def _subscribe_id_reused() -> Rule:
    """A SUBSCRIBE with a Packet Identifier that an earlier SUBSCRIBE had is not answered."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe | Unsubscribe):
            used: set[int] = link.memo.setdefault("ids", set())
            if packet.packet_id in used:
                return []
            used.add(packet.packet_id)
        return None

    return Hooks(up=up)


def _short(kind: type[Any], size: int) -> Callable[[Link, Any, bytes], bool]:
    return lambda link, p, data: isinstance(p, kind) and len(data) == size


def _disconnect_short() -> Rule:
    """A DISCONNECT of two bytes is taken for an error: the will is published."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if (
            isinstance(packet, Disconnect)
            and len(data) == 2
            and link.connect is not None
            and link.connect.will is not None
        ):
            return [Disconnect(4)]
        return None

    return Hooks(up=up)


def _unordered(data: bytes, packet: Any) -> bool:
    """Tell if the properties of a CONNECT are not in the order of their identifiers."""
    if not isinstance(packet, Connect) or packet.properties is None:
        return False
    return encode(5, packet) != data


def _connack_before_close_311() -> Rule:
    """A malformed CONNECT is answered by CONNACK 0x05 before the close."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Violation) and link.packets_up == 1 and data[0] >> 4 == 1 and packet.field not in (
            "protocol_version", "protocol_level", "client_id", "protocol_name",
        ):  # fmt: skip
            link.fired()
            link.to_client(b"\x20\2\0\5")
        return None

    return Hooks(up=up)


def _level_without_code() -> Rule:
    """An unknown protocol level is refused without CONNACK 0x01."""

    def down(link: Link, packet: Any) -> Out:
        return [] if isinstance(packet, Connack) and packet.reason_code in (1, 0x84) else None

    return Hooks(down=down)


def _publish_after(link: Link, packet: Disconnect) -> Out:
    return [packet, Pingresp()]


def _unknown_code(link: Link, packet: Disconnect) -> Out:
    return [b"\xe0\1\x03"]


def rows() -> list[Fault]:
    """Return the faults of this module."""
    found: list[Fault] = []

    def again(link: Link, p: Any) -> bool:
        return link.packets_up > 1 and (isinstance(p, Connect) or (isinstance(p, Violation) and p.packet == 1))

    found += both(
        "connect-again-ignored",
        "MQTT5-3.1.0-2",
        "MQTT311-3.1.0-2",
        "close",
        None,
        "a second CONNECT is ignored",
        _ignore(again),
    )
    found += both(
        "connect-again-answered",
        "MQTT5-3.1.0-2",
        "MQTT311-3.1.0-2",
        "close",
        None,
        "a second CONNECT is answered",
        _ignore(again, lambda link, p: Connack()),
        ("MQTT5-3.2.0-2",),
    )
    for kind in (Pingreq, Publish, Subscribe):
        name = kind.__name__.lower()
        found += both(
            f"first-packet-{name}",
            "X5-first-packet-not-connect",
            "MQTT311-3.1.0-1",
            "close",
            None,
            f"a first packet that is {name} is answered",
            _ignore(_first(kind), _first_answer),
            ("MQTT5-3.1.0-1", "MQTT311-4.8.0-1"),
        )
    found.append(
        Fault(
            "disconnect-session-expiry",
            "MQTT5-3.14.2-2",
            "close",
            5,
            None,
            "the server's DISCONNECT has a Session Expiry Interval",
            _disconnect(
                lambda link, p: [encode(5, Disconnect(p.reason_code, DisconnectProperties(session_expiry_interval=5)))]
            ),
        )
    )
    found.append(
        Fault(
            "disconnect-unknown-code",
            "MQTT5-3.14.2-1",
            "close",
            5,
            None,
            "the server's DISCONNECT has an unknown code",
            _disconnect(_unknown_code),
        )
    )
    found.append(
        Fault(
            "disconnect-0x04",
            "X5-disconnect-with-will-client",
            "close",
            5,
            None,
            "the server sends DISCONNECT 0x04",
            _disconnect(lambda link, p: [b"\xe0\1\4"]),
            ("MQTT5-3.14.2-1",),
        )
    )
    found.append(
        Fault(
            "disconnect-flags",
            "MQTT5-3.14.1-1",
            "close",
            5,
            None,
            "the server's DISCONNECT has flags 0001",
            _disconnect(lambda link, p: [b"\xe1" + encode(5, p)[1:]]),
            ("MQTT5-2.1.3-1",),
        )
    )
    found.append(
        Fault(
            "disconnect-not-last",
            "MQTT5-3.14.4-1",
            "close",
            5,
            None,
            "a packet follows the server's DISCONNECT",
            _disconnect(_publish_after),
        )
    )
    found.append(
        Fault(
            "disconnect-twice",
            "MQTT5-3.14.4-1",
            "close",
            5,
            None,
            "the server's DISCONNECT is sent twice",
            _disconnect(lambda link, p: [p, p]),
        )
    )
    found.append(
        Fault(
            "disconnect-server-reference",
            "X5-server-reference-codes",
            "close",
            5,
            None,
            "a DISCONNECT for an error has a Server Reference",
            _disconnect(
                lambda link, p: [
                    p.replace(properties=(p.properties or DisconnectProperties()).replace(server_reference="other"))
                    if p.reason_code not in (0x9C, 0x9D)
                    else p
                ]
            ),
        )
    )
    found.append(
        Fault(
            "disconnect-not-closed",
            "MQTT5-3.14.4-2",
            "close",
            5,
            None,
            "after its DISCONNECT the server does not close",
            _stays(True),
            ("MQTT5-4.13.2-1", "MQTT5-4.13.1-1"),
        )
    )
    found += both(
        "error-not-closed",
        "MQTT5-4.13.1-1",
        "MQTT311-4.8.0-1",
        "close",
        None,
        "after an error the connection stays open",
        _stays(False),
    )
    found.append(
        Fault(
            "disconnect-to-311",
            "X311-packet-direction",
            "close",
            4,
            None,
            "a client of 3.1.1 is sent a DISCONNECT",
            _goodbye_311,
        )
    )
    found += both(
        "pingreq-to-client",
        "X5-packet-direction",
        "X311-packet-direction",
        "suback",
        None,
        "the server sends PINGREQ",
        _wrong_way(Pingreq()),
    )
    found += both(
        "subscribe-to-client",
        "X5-packet-direction",
        "X311-packet-direction",
        "suback",
        None,
        "the server sends SUBSCRIBE",
        _wrong_way(Subscribe(1, [Subscription("a")])),
    )
    found += both(
        "type-0-to-client",
        "X5-packet-type-reserved",
        "X311-packet-type-reserved",
        "suback",
        None,
        "the server sends a packet of type 0",
        _wrong_way(b"\0\0"),
    )
    found.append(
        Fault(
            "type-15-to-client-311",
            "X311-packet-type-reserved",
            "suback",
            4,
            None,
            "the server sends a packet of type 15",
            _wrong_way(b"\xf0\0"),
        )
    )
    found.append(
        Fault(
            "error-hurts-others",
            "X5-error-other-sessions",
            "close",
            5,
            None,
            "a malformed packet ends the connection of another client",
            _hurts_others,
            ("X5-closing-code-alone",),
        )
    )
    found.append(
        Fault(
            "refusal-closes",
            "X5-negative-ack-alone",
            "close",
            5,
            None,
            "a PUBACK with an error ends the connection",
            _refuse(lambda link, p, data: isinstance(p, Puback | Pubrec) and p.reason_code >= 0x80),
        )
    )
    found.append(
        Fault(
            "pubrel-unknown-closes",
            "X5-pubcomp-id-not-found",
            "qos2",
            5,
            2,
            "a PUBREL with an unknown identifier ends the connection",
            _refuse(lambda link, p, data: isinstance(p, Pubrel) and p.packet_id not in link.up_open),
            ("MQTT5-4.3.3-11",),
        )
    )
    found += both(
        "pubrel-unknown-ignored",
        "MQTT5-4.3.3-11",
        "MQTT311-4.3.3-2",
        "qos2",
        2,
        "a PUBREL with an unknown identifier is not answered",
        _ignore(lambda link, p: isinstance(p, Pubrel) and p.packet_id not in link.up_open),
        ("X5-pubcomp-id-not-found",),
    )
    found.append(
        Fault(
            "pubrec-unknown-closes",
            "X5-pubrel-id-not-found",
            "qos2",
            5,
            2,
            "a PUBREC with an unknown identifier ends the connection",
            _refuse(lambda link, p, data: isinstance(p, Pubrec) and p.packet_id not in link.inflight),
        )
    )
    for short, statement in (
        (Puback, "X5-puback-short-read"),
        (Pubrec, "X5-pubrec-short-read"),
        (Pubrel, "X5-pubrel-short-read"),
        (Pubcomp, "X5-pubcomp-short-read"),
    ):
        name = short.__name__.lower()
        found.append(
            Fault(
                f"{name}-short-refused",
                statement,
                "acks",
                5,
                None,
                f"a {name} without Reason Code ends the connection",
                _refuse(_short(short, 4), 0x81),
            )
        )
        found.append(
            Fault(
                f"{name}-no-properties-refused",
                statement,
                "acks",
                5,
                None,
                f"a {name} without Property Length ends the connection",
                _refuse(_short(short, 5), 0x81),
            )
        )
    found.append(
        Fault(
            "disconnect-short-read",
            "X5-disconnect-short-read",
            "will",
            5,
            None,
            "a DISCONNECT without Reason Code is taken for 0x04",
            _disconnect_short,
            ("MQTT5-3.14.4-3", "MQTT5-3.1.2-10"),
        )
    )
    found.append(
        Fault(
            "property-order-refused",
            "X5-property-order-free",
            "refusal",
            5,
            None,
            "properties of CONNECT in another order are refused",
            _refuse(lambda link, p, data: link.packets_up == 1 and _unordered(data, p), 0x81),
        )
    )
    found.append(
        Fault(
            "user-name-empty-refused",
            "X5-utf8-string-any-length",
            "refusal",
            5,
            None,
            "an empty User Name is refused",
            _refuse(lambda link, p, data: isinstance(p, Connect) and p.username == "", 0x86),
        )
    )
    found.append(
        Fault(
            "user-property-empty-refused",
            "X5-utf8-string-any-length",
            "refusal",
            5,
            None,
            "an empty User Property ends the connection",
            _refuse(
                lambda link, p, data: (
                    isinstance(p, Publish)
                    and p.properties is not None
                    and any(not key or not text for key, text in p.properties.user_property)
                ),
                0x81,
            ),
        )
    )
    found += both(
        "topic-longest-refused",
        "MQTT5-4.7.3-3",
        "MQTT311-4.7.3-3",
        "refusal",
        None,
        "a Topic Name of more than 60,000 bytes ends the connection",
        _refuse(lambda link, p, data: isinstance(p, Publish) and len(p.topic.encode()) > 60_000, 0x90),
    )
    found += both(
        "packet-id-independent",
        "X5-packet-id-independent",
        "MQTT311-4.3.2-2",
        "acks",
        None,
        "an identifier that the server uses is refused to the client",
        _packet_id_used,
    )[:1]
    found.append(
        Fault(
            "subscribe-id-reused",
            "X5-packet-id-reuse",
            "suback",
            5,
            None,
            "an identifier that a SUBSCRIBE had is not free again",
            _subscribe_id_reused,
            ("MQTT5-3.8.4-1", "MQTT5-3.10.4-4"),
        )
    )
    found.append(
        Fault(
            "disconnect-expiry-after-0",
            "X5-disconnect-session-expiry-refused",
            "close",
            5,
            None,
            "a DISCONNECT that sets a Session Expiry Interval after 0 is taken",
            _expiry_after_zero,
        )
    )
    found.append(
        Fault(
            "auth-tolerated",
            "X5-auth-other-method",
            "auth",
            5,
            None,
            "an AUTH without Authentication Method in CONNECT is ignored",
            _ignore(lambda link, p: isinstance(p, Auth) and link.accepted),
            ("MQTT5-4.12.0-7", "MQTT5-4.13.1-1"),
        )
    )
    found.append(
        Fault(
            "auth-method-accepted",
            "MQTT5-4.12.0-1",
            "auth",
            5,
            None,
            "an unknown Authentication Method is accepted",
            _method_ignored,
        )
    )
    found.append(
        Fault(
            "connack-before-close-311",
            "MQTT311-3.1.4-1",
            "refusal",
            4,
            None,
            "a malformed CONNECT is answered by CONNACK 0x05",
            _connack_before_close_311,
        )
    )
    found.append(
        Fault(
            "level-without-code-311",
            "MQTT311-3.1.2-2",
            "refusal",
            4,
            None,
            "an unknown protocol level is refused without CONNACK 0x01",
            _level_without_code,
        )
    )
    return found


def _expiry_after_zero() -> Rule:
    """The DISCONNECT is taken for a normal one: no DISCONNECT 0x82, and the will is deleted."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if (
            not isinstance(packet, Disconnect)
            or packet.properties is None
            or not packet.properties.session_expiry_interval
        ):
            return None
        given = link.connect.properties if link.connect is not None else None
        if given is not None and given.session_expiry_interval:
            return None
        return [Disconnect()]

    return Hooks(up=up)


def _method_ignored() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.properties is not None and packet.properties.authentication_method:
            props = packet.properties.replace(authentication_method=None, authentication_data=None)
            return [packet.replace(properties=props)]
        return None

    return Hooks(up=up)
