# SPDX-License-Identifier: MIT
"""Faults of acknowledgements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Out, by_hand, drop, on, set_, twice
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    yield by_hand(
        "acks/puback-lost",
        """MQTT5-4.3.2-4 MQTT311-3.3.5-2 X31-publish-unauthorized MQTT5-3.3.4-1
        MQTT311-3.3.4-1 MQTT311-4.3.2-2""",
        down=drop(Puback),
    )
    yield by_hand(
        "acks/puback-other-id",
        "MQTT5-2.2.1-5 MQTT311-2.3.1-6 MQTT5-4.3.2-4 MQTT311-4.3.2-2",
        down=set_(Puback, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield by_hand("acks/pubrec-lost", "MQTT5-4.3.3-8 MQTT311-4.3.3-2", down=drop(Pubrec))
    yield by_hand(
        "acks/pubrec-other-id",
        "MQTT5-2.2.1-5 MQTT5-4.3.3-8",
        down=set_(Pubrec, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield by_hand("acks/pubrel-lost", "MQTT5-4.3.3-4 MQTT5-4.3.3-5 MQTT311-4.3.3-1 MQTT5-4.3.3-6", down=drop(Pubrel))
    yield by_hand("acks/pubrel-other-id", "MQTT5-4.3.3-4", down=set_(Pubrel, packet_id=lambda p: p.packet_id ^ 1 or 3))
    yield by_hand(
        "acks/pubrel-flags",
        "MQTT311-4.3.3-1 MQTT311-3.6.1-1",
        thorough=False,
        down=on(Pubrel)(lambda talk, p: (b"\x60\x02" + p.packet_id.to_bytes(2, "big"),)),
    )
    yield by_hand(
        "acks/pubrel-after-refusal",
        "MQTT5-4.3.3-4 MQTT5-4.4.0-2",
        up=set_(Pubrec, lambda talk, p: p.reason_code >= 0x80, reason_code=0),
    )
    yield by_hand(
        "acks/pubcomp-lost", "MQTT5-4.3.3-11 MQTT311-4.3.3-2 X5-pubrel-short-read X31-pubrel-flags", down=drop(Pubcomp)
    )
    yield by_hand(
        "acks/pubcomp-not-found",
        "MQTT5-3.7.2-1 X5-session-state-inbound",
        down=set_(Pubcomp, lambda talk, p: talk.version == V5, reason_code=0x92),
    )
    yield by_hand(
        "acks/pubcomp-unknown-code",
        "X5-pubcomp-id-not-found MQTT5-3.7.2-1",
        down=on(Pubcomp, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x70\x03" + p.packet_id.to_bytes(2, "big") + b"\x91",)
        ),
    )
    yield by_hand(
        "acks/pubrel-unknown-code",
        "X5-pubrel-id-not-found MQTT5-3.6.2-1",
        down=on(Pubrel, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x62\x03" + p.packet_id.to_bytes(2, "big") + b"\x91",)
        ),
    )
    yield by_hand(
        "acks/puback-unknown-code",
        "MQTT5-3.4.2-1 X5-packet-id-in-use",
        thorough=False,
        down=on(Puback, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x40\x03" + p.packet_id.to_bytes(2, "big") + b"\x05",)
        ),
    )
    yield by_hand(
        "acks/in-use-always",
        "X5-packet-id-in-use MQTT5-3.4.2-1",
        down=set_(Puback, lambda talk, p: talk.version == V5, reason_code=0x91),
    )
    yield by_hand(
        "acks/pubrec-unknown-code",
        "MQTT5-3.5.2-1",
        down=on(Pubrec, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (b"\x50\x03" + p.packet_id.to_bytes(2, "big") + b"\x05",)
        ),
    )
    yield by_hand(
        "acks/no-subscribers-always",
        "X5-puback-no-subscribers-server",
        down=set_(Puback, lambda talk, p: talk.version == V5, reason_code=0x10),
    )
    yield by_hand(
        "acks/qos0-acknowledged",
        "MQTT5-3.3.4-1 X5-qos0-no-response X311-qos0-no-response MQTT311-3.3.4-1",
        up=on(Publish, when=lambda talk, p: p.qos == 0)(_as_qos1),
    )
    yield by_hand("acks/suback-lost", "MQTT5-3.8.4-1 MQTT311-3.8.4-1", down=drop(Suback))
    yield by_hand(
        "acks/suback-other-id",
        "MQTT5-3.8.4-2 MQTT311-3.8.4-2 MQTT5-2.2.1-6 MQTT311-2.3.1-7",
        down=set_(Suback, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield by_hand(
        "acks/suback-reversed",
        "MQTT5-3.8.4-7 MQTT5-3.9.3-1 MQTT311-3.9.3-1 MQTT5-3.8.4-6 MQTT311-3.8.4-5",
        down=set_(Suback, reason_codes=lambda p: p.reason_codes[::-1]),
    )
    yield by_hand(
        "acks/suback-short",
        """MQTT5-3.8.4-5 MQTT311-3.8.4-4 MQTT5-3.8.4-6 MQTT311-3.8.4-5 MQTT5-3.9.3-1 MQTT311-3.9.3-1""",
        down=set_(Suback, reason_codes=lambda p: p.reason_codes[:1]),
    )
    yield by_hand(
        "acks/suback-undefined", "MQTT5-3.9.3-2 MQTT311-3.9.3-2 X31-suback-codes", down=on(Suback)(_undefined)
    )
    yield by_hand(
        "acks/suback-granted-more",
        "MQTT5-3.8.4-7 X311-suback-granted",
        down=set_(Suback, reason_codes=lambda p: [2 for _ in p.reason_codes]),
    )
    yield by_hand(
        "acks/suback-granted-always",
        "MQTT311-3.8.3-2 X311-suback-failure",
        down=set_(Suback, reason_codes=lambda p: [0 for _ in p.reason_codes]),
    )
    yield by_hand(
        "acks/suback-refused",
        "MQTT5-3.2.2-10 X31-subscribe-unauthorized",
        down=on(Suback)(lambda talk, p: (encode(talk.version, p)[:-1] + b"\x80",)),
    )
    yield by_hand("acks/suback-parts", "MQTT5-3.8.4-5 MQTT311-3.8.4-4 MQTT5-3.8.4-6", up=on(Subscribe)(_apart))
    yield by_hand(
        "acks/unsuback-lost", "MQTT5-3.10.4-4 MQTT5-3.10.4-5 MQTT311-3.10.4-4 MQTT311-3.10.4-5", down=drop(Unsuback)
    )
    yield by_hand(
        "acks/unsuback-other-id",
        "MQTT5-2.2.1-6 MQTT311-2.3.1-7 MQTT5-3.10.4-4 MQTT311-3.10.4-4",
        down=set_(Unsuback, packet_id=lambda p: p.packet_id ^ 1 or 3),
    )
    yield by_hand(
        "acks/unsuback-reversed",
        "MQTT5-3.11.3-1 X5-unsuback-no-subscription",
        thorough=False,
        down=set_(Unsuback, reason_codes=lambda p: sorted(p.reason_codes)),
    )
    yield by_hand(
        "acks/unsuback-short",
        "MQTT5-3.10.4-6 X5-unsuback-reason-codes MQTT5-3.11.3-1",
        down=set_(Unsuback, lambda talk, p: talk.version == V5, reason_codes=lambda p: p.reason_codes[:1]),
    )
    yield by_hand(
        "acks/unsuback-undefined",
        "MQTT5-3.11.3-2",
        down=on(Unsuback, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (encode(V5, Unsuback(p.packet_id, [0]))[:-1] + b"\x01",)
        ),
    )
    yield by_hand(
        "acks/unsuback-all-found",
        "X5-unsuback-no-subscription MQTT5-3.11.3-2",
        thorough=False,
        down=set_(Unsuback, reason_codes=lambda p: [0 for _ in p.reason_codes]),
    )
    yield by_hand(
        "acks/unsuback-payload",
        "X311-unsuback-no-payload X31-unsuback-no-payload",
        down=on(Unsuback, when=lambda talk, p: talk.version != V5)(
            lambda talk, p: (b"\xb0\x03" + p.packet_id.to_bytes(2, "big") + b"\x00",)
        ),
    )
    yield by_hand("acks/unsuback-twice", "MQTT5-3.10.4-6 MQTT311-3.10.4-6", down=twice(Unsuback))
    yield by_hand("acks/pingresp-lost", "MQTT5-3.12.4-1 MQTT311-3.12.4-1", down=drop(Pingresp))
    yield by_hand("acks/pings-merged", "MQTT5-3.12.4-1", up=on(Pingreq)(_every_other), thorough=False)
    yield by_hand(
        "acks/no-property-length",
        "MQTT5-2.2.2-1",
        down=on(Publish, when=lambda talk, p: talk.version == V5)(
            lambda talk, p: (encode(4, Publish(p.topic, p.payload, p.qos, p.retain, p.dup, p.packet_id)),)
        ),
    )


def _as_qos1(talk: Talk, packet: Any) -> None:
    packet.qos, packet.packet_id, packet.dup = 1, 4242, False


def _undefined(talk: Talk, packet: Any) -> Out:
    return (encode(talk.version, packet)[:-1] + b"\x03",)


def _apart(talk: Talk, packet: Any) -> Out:
    """Send each filter of a SUBSCRIBE in a SUBSCRIBE of its own, so that several SUBACKs come."""
    return [Subscribe(packet.packet_id, [one], packet.properties) for one in packet.subscriptions]


def _every_other(talk: Talk, packet: Any) -> Out | None:
    talk.here["n"] = talk.here.get("n", 0) + 1
    return () if talk.here["n"] == 2 else None
