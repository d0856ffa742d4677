# SPDX-License-Identifier: MIT
"""Faults in delivered messages: which ones come, when, how often and in which form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Out, by_hand, drop, on, set_, twice
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Publish,
    Subscribe,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    yield by_hand(
        "publish/lost",
        """MQTT5-3.3.2-3 MQTT311-3.3.2-3 MQTT5-4.3.1-1 X5-message-to-every-match X311-deliver-to-matching
        X5-nonshared-own-copy X5-nonshared-own-session X5-multi-level-wildcard-matches
        X5-single-level-wildcard-matches X311-multi-level-wildcard X311-single-level-wildcard
        X5-topic-match-exact X311-topic-match-exact X5-topic-slash-distinct X311-topic-outer-slash
        X5-topic-level-empty X311-topic-empty-level X311-topic-separator X311-qos0-ownership MQTT311-4.3.1-1
        X5-subscription-created X5-retain-available-absent X311-new-subscription-retained
        X5-shared-created X5-shared-joined X5-shared-subscription-absent
        X5-shared-one-receiver X5-shared-filter-syntax X5-shared-independent X5-shared-session-end
        X5-shared-and-nonshared X5-shared-outlives-creator X5-wildcard-subscription-absent
        X5-maximum-packet-size-absent-connect X5-property-order-free X5-payload-format-zero
        X311-topic-slash-only X5-utf8-string-any-length X5-retain-handling-only-subscribe
        X5-unsubscribe-no-match
        X5-topic-level-count X311-topic-levels-unlimited X311-clients-independent
        X5-packet-id-reuse MQTT5-3.3.1-9
        MQTT311-3.3.1-6 X5-session-state-subscriptions MQTT311-4.1.0-2
        MQTT5-3.8.4-4 MQTT311-3.8.4-3
        X5-topic-case-sensitive X311-topic-case X31-retain-new-subscription
        X31-delivery-qos X5-session-state-outbound MQTT5-4.3.3-12 X5-topic-alias-known-empty
        X5-topic-alias-known-name X5-topic-alias-unknown-name X5-topic-alias-remapped MQTT5-3.3.2-12""",
        down=drop(Publish),
    )
    yield by_hand(
        "publish/twice",
        """X5-shared-one-receiver MQTT5-4.3.3-10 MQTT311-4.3.3-2 MQTT5-3.8.4-3 MQTT311-3.8.4-3 X31-dup-hint
        X5-qos0-no-response X311-qos0-no-retry X5-session-state-inbound""",
        down=twice(Publish),
    )
    yield by_hand(
        "publish/dup-set",
        """MQTT5-3.3.1-3 MQTT311-3.3.1-3 MQTT5-4.3.2-2 MQTT5-4.3.3-2 MQTT311-4.3.2-1 MQTT311-4.3.3-1
        X311-dup-meaning""",
        down=set_(Publish, lambda talk, p: p.qos > 0, dup=True),
    )
    yield by_hand(
        "publish/never-resent",
        "MQTT5-4.3.3-3 MQTT5-4.3.3-7 MQTT5-4.3.3-13 MQTT5-4.4.0-1 MQTT311-4.4.0-1",
        down=drop(Publish, when=lambda talk, p: p.dup),
    )
    yield by_hand("publish/wildcard-topic", "MQTT5-3.3.2-2", down=set_(Publish, topic=lambda p: p.topic + "/+"))
    yield by_hand("publish/long-length", "MQTT5-1.5.5-1", down=on(Publish)(_long_length))
    yield by_hand(
        "publish/dup-never",
        "MQTT5-3.3.1-1 MQTT311-3.3.1-1 MQTT5-4.4.0-1 X311-dup-meaning",
        down=set_(Publish, dup=False),
    )
    yield by_hand(
        "publish/dup-at-qos0",
        "MQTT5-4.3.1-1 MQTT311-4.3.1-1 MQTT5-3.3.1-2 MQTT311-3.3.1-2",
        down=on(Publish, when=lambda talk, p: p.qos == 0)(
            lambda talk, p: (bytes([0x38]) + encode(talk.version, p)[1:],)
        ),
    )
    yield by_hand(
        "publish/retain-set",
        "MQTT5-3.3.1-12 MQTT311-3.3.1-9 MQTT5-3.3.1-13 X31-retain-live X311-retain-empty-live",
        down=set_(Publish, retain=True),
    )
    yield by_hand(
        "publish/retain-cleared",
        "MQTT311-3.3.1-8 X5-retained-retain-flag MQTT5-3.3.1-13 X31-retain-new-subscription",
        down=set_(Publish, retain=False),
    )
    yield by_hand(
        "publish/qos-zero",
        """MQTT5-4.3.2-1 MQTT5-4.3.3-1 MQTT5-3.8.4-8 MQTT311-3.8.4-6 MQTT5-3.3.4-2 MQTT311-3.3.5-1
        X31-delivery-qos MQTT5-4.8.2-3 X5-shared-granted-qos""",
        down=set_(Publish, qos=0, packet_id=0, dup=False),
    )
    yield by_hand(
        "publish/qos-raised",
        "MQTT5-3.8.4-8 MQTT311-3.8.4-6 MQTT5-4.8.2-3 X5-shared-granted-qos X31-delivery-qos X5-shared-subscribed-twice",
        down=set_(Publish, lambda talk, p: p.qos == 0, qos=1, packet_id=999),
    )
    yield by_hand(
        "publish/one-identifier",
        "MQTT5-2.2.1-4 MQTT311-2.3.1-4 X5-packet-id-single-set",
        down=set_(Publish, lambda talk, p: p.qos > 0, packet_id=5),
    )
    yield by_hand(
        "publish/no-identifier",
        "MQTT5-2.2.1-2 MQTT311-2.3.1-5",
        down=on(Publish, when=lambda talk, p: p.qos == 0)(lambda talk, p: (_with_identifier(talk, p),)),
    )
    yield by_hand(
        "publish/other-topic",
        "MQTT5-3.3.2-3 MQTT311-3.3.2-3",
        down=set_(Publish, lambda talk, p: bool(p.topic), topic=lambda p: p.topic + "/"),
    )
    yield by_hand(
        "publish/no-bom",
        "MQTT5-1.5.4-3 MQTT311-1.5.3-3",
        down=set_(Publish, topic=lambda p: p.topic.replace("\ufeff", "")),
    )
    yield by_hand("publish/normalized", "MQTT5-4.7.3-4 MQTT311-4.7.3-4", up=on(Publish)(_normalized))
    yield by_hand(
        "publish/upper-case",
        "X5-topic-case-sensitive X311-topic-case MQTT5-4.7.3-4",
        down=set_(Publish, topic=lambda p: p.topic.upper()),
    )
    yield by_hand(
        "publish/cut",
        "X5-will-payload-published X5-property-order-free",
        down=set_(Publish, payload=lambda p: p.payload[1:]),
        thorough=False,
    )
    yield by_hand(
        "publish/reordered", "MQTT5-4.6.0-5 MQTT5-4.6.0-6 MQTT311-4.6.0-5 MQTT311-4.6.0-6", down=on(Publish)(_swapped)
    )
    yield by_hand(
        "publish/resend-reordered",
        "MQTT5-4.6.0-1 MQTT311-4.6.0-1 MQTT5-4.4.0-1",
        thorough=False,
        down=on(Publish, when=lambda talk, p: p.dup)(_swapped),
    )
    yield by_hand(
        "publish/resent-unasked",
        "MQTT5-4.4.0-1",
        down=on(Publish, when=lambda talk, p: p.qos == 1)(
            lambda talk, p: (p, Publish(p.topic, p.payload, 1, p.retain, True, p.packet_id, p.properties))
        ),
    )
    yield by_hand("publish/not-to-own", "X5-message-to-every-match", up=on(Subscribe)(_all_no_local))
    yield by_hand("publish/no-local-ignored", "MQTT5-3.8.3-3", up=on(Subscribe)(_no_no_local))


def _with_identifier(talk: Talk, packet: Any) -> bytes:
    raw = bytearray(encode(talk.version, packet))
    name = packet.topic.encode()
    at = raw.index(name) + len(name)
    raw[at:at] = b"\x00\x01"
    raw[1] += 2
    return bytes(raw)


def _normalized(talk: Talk, packet: Any) -> None:
    import unicodedata

    packet.topic = unicodedata.normalize("NFC", packet.topic)


def _long_length(talk: Talk, packet: Any) -> Out | None:
    raw = encode(talk.version, packet)
    return (raw[:1] + bytes([raw[1] | 0x80, 0]) + raw[2:],) if raw[1] < 0x80 else None


def _swapped(talk: Talk, packet: Any) -> Out:
    """Send every second message before the first."""
    held = talk.here.pop("held", None)
    if held is None:
        talk.here["held"] = packet
        return ()
    return (packet, held)


def _all_no_local(talk: Talk, packet: Any) -> None:
    for one in packet.subscriptions:
        one.no_local = talk.version == V5 and not one.topic_filter.startswith("$share")


def _no_no_local(talk: Talk, packet: Any) -> None:
    for one in packet.subscriptions:
        one.no_local = False
