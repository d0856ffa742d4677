# SPDX-License-Identifier: MIT
"""Faults of sizes, and of how connections end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Out, by_hand, drop, on, set_
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Disconnect,
    DisconnectProperties,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    PubackProperties,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    SubackProperties,
    Unsuback,
    UnsubackProperties,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    yield from _sizes()
    yield from _ends()


def _sizes() -> Iterator[Fault]:
    small: Callable[[Talk, Any], bool] = lambda talk, p: bool(  # noqa: E731
        talk.connect and talk.connect.properties and talk.connect.properties.maximum_packet_size
    )
    made: dict[type[Any], tuple[type[Any], str, str]] = {
        Puback: (PubackProperties, "MQTT5-3.4.2-2", "MQTT5-3.4.2-3"),
        Suback: (SubackProperties, "MQTT5-3.9.2-1", "MQTT5-3.9.2-2"),
        Unsuback: (UnsubackProperties, "MQTT5-3.11.2-1", "MQTT5-3.11.2-2"),
        Auth: (AuthProperties, "MQTT5-3.15.2-2", "MQTT5-3.15.2-3"),
        Disconnect: (DisconnectProperties, "MQTT5-3.14.2-3", "MQTT5-3.14.2-4"),
    }
    import mqtt_ref.wire.packets as all_packets

    for kind, number in ((Pubrec, 5), (Pubrel, 6), (Pubcomp, 7)):
        properties = getattr(all_packets, kind.__name__ + "Properties")
        made[kind] = (properties, f"MQTT5-3.{number}.2-2", f"MQTT5-3.{number}.2-3")
    for kind, (properties, reason, user) in made.items():
        name = kind.__name__.lower()
        method = {"authentication_method": "conformance"} if kind is Auth else {}
        texts: dict[str, tuple[str, Any]] = {
            "reason-string": (reason, properties(reason_string="why" * 30, **method)),
            "user-properties": (user, properties(user_property=[("a", "b" * 90)], **method)),
        }
        for word, (statement, value) in texts.items():
            yield by_hand(f"size/{name}-{word}", statement, down=set_(kind, small, properties=value))
    yield by_hand(
        "size/problem-information",
        "MQTT5-3.1.2-29",
        down=on(Puback, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (Puback(p.packet_id, p.reason_code, PubackProperties(reason_string="why")),)
        ),
    )


def _ends() -> Iterator[Fault]:
    yield by_hand(
        "end/stays-open",
        """MQTT5-3.1.0-1 MQTT311-3.1.0-1 MQTT5-3.1.0-2 MQTT311-3.1.0-2 MQTT5-3.1.2-2 MQTT5-3.1.4-2
        MQTT5-4.13.2-1 MQTT5-3.2.2-7 MQTT311-3.2.2-5 X31-connack-refused-close X311-connect-refused-close
        MQTT5-4.13.1-1 MQTT311-4.8.0-1 MQTT311-2.2.2-2 MQTT5-3.1.4-1 MQTT311-3.1.4-1
        MQTT5-3.1.4-3 MQTT311-3.1.4-2 X31-client-id-in-use MQTT5-4.12.0-1 MQTT5-4.12.0-7
        X5-auth-other-method X5-first-packet-not-connect MQTT5-3.8.3-4 X5-connect-reserved-flag-malformed
        MQTT5-3.1.2-3 MQTT311-3.1.2-3 MQTT311-3.1.3-8 MQTT311-3.1.3-9
        X5-disconnect-session-expiry-after-zero X5-disconnect-session-expiry-refused
        X5-topic-alias-unknown-empty X5-topic-alias-invalid X5-receive-maximum-exceeded-server MQTT5-3.3.4-7
        X5-publish-qos-malformed X5-subscribe-empty-payload X5-unsubscribe-empty-payload
        X5-string-pair-malformed X5-utf8-ill-formed-malformed X5-utf8-null-malformed
        X5-fixed-header-flags-malformed X5-error-generic-codes X5-will-qos-malformed MQTT5-3.1.2-1
        MQTT311-3.1.2-1 MQTT5-3.1.2-22 MQTT311-3.1.2-24 X31-keep-alive MQTT5-3.3.4-6 X5-closing-code-alone
        X5-disconnect-short-read MQTT5-3.1.3-2 MQTT311-3.1.3-2 X5-maximum-qos-exceeded MQTT5-3.2.2-11
        X5-retain-not-supported-protocol-error MQTT5-3.2.2-14 X5-wildcard-not-supported
        X5-shared-not-supported X5-packet-too-large-server MQTT5-3.2.2-15
        X5-subscription-identifier-not-supported MQTT5-3.2.2-12 MQTT5-3.2.2-13 MQTT5-3.1.3-8
        MQTT5-4.7.3-2 MQTT311-4.7.3-2 MQTT5-4.12.0-4""",
        linger=True,
        down=drop(Disconnect),
    )
    yield by_hand(
        "end/all-close",
        """X5-error-other-sessions X5-closing-code-alone MQTT311-4.8.0-1 MQTT311-2.2.2-2 X5-negative-ack-alone
        MQTT5-4.13.1-1""",
        thorough=False,
        down=on(Pingresp)(_closed_once),
        up=on(Pingreq)(_mark),
    )
    yield by_hand(
        "end/disconnect-code",
        """X5-error-generic-codes MQTT5-3.1.4-3 MQTT5-3.1.2-22 X5-second-connect-code X5-maximum-qos-exceeded
        X5-receive-maximum-exceeded-server X5-packet-too-large-server X5-shared-not-supported
        X5-wildcard-not-supported X5-subscription-identifier-not-supported
        X5-retain-not-supported-disconnect""",
        down=set_(Disconnect, reason_code=0x8B),
    )
    yield by_hand(
        "end/disconnect-before-connack", "MQTT5-3.14.0-1 X5-first-packet-not-connect", farewell=b"\xe0\x02\x82\x00"
    )
    yield by_hand(
        "end/early-messages", "MQTT5-3.1.4-6 MQTT311-3.1.4-5 MQTT5-3.1.0-1 MQTT311-3.1.0-1", up=_kept_early, down=_early
    )
    yield by_hand(
        "end/disconnect-with-expiry",
        "MQTT5-3.14.2-2",
        down=on(Disconnect)(lambda talk, p: (b"\xe0\x07" + bytes([p.reason_code]) + b"\x05\x11\x00\x00\x00\x01",)),
    )
    yield by_hand(
        "end/disconnect-will",
        "X5-disconnect-with-will-client MQTT5-3.14.2-1",
        thorough=False,
        down=on(Disconnect)(lambda talk, p: (b"\xe0\x02\x04\x00",)),
    )
    yield by_hand("end/after-disconnect", "MQTT5-3.14.4-1", down=on(Disconnect)(lambda talk, p: (p, Pingresp())))
    yield by_hand(
        "end/will-after-goodbye",
        """MQTT5-3.14.4-3 MQTT311-3.14.4-3 MQTT5-3.1.2-10 MQTT311-3.1.2-10 X31-will-situations
        X5-disconnect-short-read""",
        up=drop(Disconnect),
    )
    yield by_hand(
        "end/expiry-in-disconnect-ignored",
        "X5-disconnect-session-expiry X5-disconnect-session-expiry-after-zero X5-disconnect-session-expiry-refused",
        up=on(Disconnect)(lambda talk, p: (Disconnect(p.reason_code),)),
        thorough=False,
    )


def _closed_once(talk: Talk, packet: Any) -> Out | None:
    return ()


def _mark(talk: Talk, packet: Any) -> None:
    talk.here["pinged"] = True


def _kept_early(talk: Talk, packet: Packet) -> Out:
    """Keep a message that comes after a refused CONNECT, or without a CONNECT."""
    if talk.connect is None and isinstance(packet, Publish):
        talk.all.setdefault("early", []).append(packet)
    return (packet,)


def _early(talk: Talk, packet: Packet) -> Out:
    """Deliver such a message to each connected client."""
    early = talk.all.get("early", [])
    return (*early, packet) if isinstance(packet, Pingresp) else (packet,)
