# SPDX-License-Identifier: MIT
"""Faults of a second author: malformed."""

from __future__ import annotations

from collections.abc import Callable

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import body_of, fault, id_at, publish_parts, remade, tolerating, with_first
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.primitives import read_vbi
from mqtt_ref.wire.violation import Violation

__all__: list[str] = ["of"]


def of(kind: int, more: Callable[[bytes], bool] = lambda data: True) -> Callable[[Link, Violation, bytes], bool]:
    """Return a test for a packet type, and for its bytes."""
    return lambda link, found, data: data[0] >> 4 == kind and more(data) and link.accepted


def _flags(data: bytes) -> bool:
    return data[0] & 15 != 2


fault(
    "malformed-subscribe-flags",
    "MQTT5-3.8.1-1",
    "malformed",
    5,
    None,
    "a SUBSCRIBE with Fixed Header flags 0000 is carried out",
    ("X5-fixed-header-flags-malformed", "MQTT5-4.13.1-1"),
)(tolerating(of(8, lambda data: data[0] == 0x80), with_first(0x82)))
fault(
    "malformed-unsubscribe-flags-311",
    "MQTT311-3.10.1-1",
    "malformed",
    4,
    None,
    "an UNSUBSCRIBE with other Fixed Header flags than 0010 is carried out",
    ("MQTT311-2.2.2-2",),
)(tolerating(of(10, _flags), with_first(0xA2)))
fault(
    "malformed-pubrel-flags",
    "MQTT5-3.6.1-1",
    "malformed",
    5,
    2,
    "a PUBREL with other Fixed Header flags than 0010 is answered by PUBCOMP",
    ("X5-fixed-header-flags-malformed", "MQTT5-4.13.1-1"),
)(tolerating(of(6, _flags), with_first(0x62)))
fault(
    "malformed-pubrel-dup-311",
    "MQTT311-3.6.1-1",
    "malformed",
    4,
    2,
    "a PUBREL with the DUP bit of 3.1 (0x6A) is answered by PUBCOMP",
    ("MQTT311-2.2.2-2",),
)(tolerating(of(6, lambda data: data[0] == 0x6A), with_first(0x62)))
fault(
    "malformed-pingreq-flags-311",
    "MQTT311-2.2.2-2",
    "malformed",
    4,
    None,
    "a PINGREQ with Fixed Header flags other than 0000 is answered",
    ("MQTT311-2.2.2-1",),
)(tolerating(of(12, lambda data: data[0] & 15 != 0)))
fault(
    "malformed-puback-flags",
    "X5-fixed-header-flags-malformed",
    "malformed",
    5,
    1,
    "a PUBACK with Fixed Header flags other than 0000 is accepted",
    ("MQTT5-2.1.3-1", "MQTT5-4.13.1-1"),
)(tolerating(of(4, lambda data: data[0] & 15 != 0), with_first(0x40)))
fault(
    "malformed-subscribe-reserved-option-bits",
    "MQTT5-3.8.3-5",
    "malformed",
    5,
    None,
    "reserved bits of the Subscription Options are ignored",
)(tolerating(of(8, lambda data: bool(data[-1] & 0xC0)), lambda link, data: [data[:-1] + bytes((data[-1] & 0x3F,))]))
fault(
    "malformed-retain-handling-3",
    "X5-subscribe-retain-handling",
    "malformed",
    5,
    None,
    "Retain Handling 3 is taken for 2",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(8, lambda data: data[-1] & 0xF0 == 0x30), lambda link, data: [data[:-1] + bytes((data[-1] & 0xEF,))]))
fault(
    "malformed-subscribe-qos3",
    "X5-subscribe-qos",
    "malformed",
    5,
    None,
    "a SUBSCRIBE that asks for QoS 3 is granted QoS 2",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(8, lambda data: data[-1] & 3 == 3), lambda link, data: [data[:-1] + bytes((data[-1] & 0xFE,))]))
fault(
    "malformed-subscribe-options-of-five-311",
    "MQTT311-3.8.3-4",
    "malformed",
    4,
    None,
    "the bits 2 to 5 of a requested QoS byte, which 5.0 uses for options, are ignored",
)(
    tolerating(
        of(8, lambda data: bool(data[-1] & 0x3C) and not data[-1] & 0xC0),
        lambda link, data: [data[:-1] + bytes((data[-1] & 0xC3,))],
    )
)
fault(
    "malformed-publish-qos3",
    "X5-publish-qos-malformed",
    "malformed",
    5,
    None,
    "a PUBLISH with both QoS bits set is ignored, the connection stays open",
    ("MQTT5-3.3.1-4", "MQTT5-4.13.1-1"),
)(tolerating(of(3, lambda data: data[0] & 6 == 6), lambda link, data: []))
fault(
    "malformed-publish-qos3-as-2-311",
    "MQTT311-3.3.1-4",
    "malformed",
    4,
    2,
    "a PUBLISH with both QoS bits set is answered by PUBREC",
)(tolerating(of(3, lambda data: data[0] & 6 == 6)))
fault(
    "malformed-topic-with-plus",
    "MQTT5-3.3.2-2",
    "malformed",
    5,
    1,
    "a PUBLISH with + in its Topic Name is acknowledged, the connection stays open",
    ("MQTT5-4.7.0-1", "MQTT5-4.13.1-1"),
)(tolerating(of(3, lambda data: b"+" in publish_parts(data)[0])))
fault(
    "malformed-topic-with-hash-311",
    "MQTT311-3.3.2-2",
    "malformed",
    4,
    0,
    "a QoS 0 PUBLISH with # in its Topic Name is dropped, the connection stays open",
    ("MQTT311-4.7.1-1", "MQTT311-4.8.0-1"),
)(tolerating(of(3, lambda data: b"#" in publish_parts(data)[0] and not data[0] & 6)))
fault(
    "malformed-topic-empty-311",
    "MQTT311-4.7.3-1",
    "malformed",
    4,
    1,
    "a PUBLISH with an empty Topic Name is acknowledged, the connection stays open",
)(tolerating(of(3, lambda data: publish_parts(data)[0] == b"")))
fault(
    "malformed-filter-with-nul-311",
    "MQTT311-4.7.3-2",
    "malformed",
    4,
    None,
    "a SUBSCRIBE with U+0000 in its filter is granted",
    ("MQTT311-1.5.3-2",),
)(tolerating(of(8, lambda data: b"\0" in data[body_of(data) + 4 : -1])))
fault(
    "malformed-surrogate-in-user-property",
    "MQTT5-1.5.4-1",
    "malformed",
    5,
    1,
    "an encoded surrogate in a User Property of a PUBLISH is accepted",
    ("MQTT5-1.5.7-1", "X5-utf8-ill-formed-malformed", "X5-string-pair-malformed"),
)(tolerating(of(3, lambda data: b"\xed\xa0" in data and b"\xed\xa0" not in publish_parts(data)[0])))
fault(
    "malformed-overlong-utf8-topic-311",
    "MQTT311-1.5.3-1",
    "malformed",
    4,
    1,
    "a PUBLISH whose Topic Name is not well-formed UTF-8 is acknowledged, the connection stays open",
)(tolerating(of(3, lambda data: _ill_formed(publish_parts(data)[0]))))


def _ill_formed(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


@fault(
    "malformed-remaining-length-of-five-bytes",
    "X5-vbi-four-bytes",
    "malformed",
    5,
    None,
    "a Remaining Length whose fourth byte has a continuation bit does not close the connection",
    ("MQTT5-4.13.1-1",),
)
def _() -> Rule:
    return Hooks(lost=lambda link, data: [])


@fault(
    "malformed-remaining-length-of-five-bytes-311",
    "X311-vbi-four-bytes",
    "malformed",
    4,
    None,
    "a Remaining Length whose fourth byte has a continuation bit does not close the connection",
    ("MQTT311-4.8.0-1",),
)
def _() -> Rule:
    return Hooks(lost=lambda link, data: [])


fault(
    "malformed-message-expiry-twice",
    "X5-message_expiry_interval-once",
    "malformed",
    5,
    1,
    "a PUBLISH with two Message Expiry Intervals is acknowledged, the connection stays open",
    ("MQTT5-4.13.1-1",),
)(tolerating(lambda link, found, data: data[0] >> 4 == 3 and found.statement == "X5-message_expiry_interval-once"))
fault(
    "malformed-subscription-identifier-from-client",
    "MQTT5-3.3.4-6",
    "malformed",
    5,
    1,
    "a PUBLISH of a client with a Subscription Identifier is acknowledged, the connection stays open",
    ("X5-subscription_identifier-placement", "MQTT5-4.13.1-1"),
)(tolerating(of(3, lambda data: _has_property(data, 0x0B))))
fault(
    "malformed-session-expiry-in-publish",
    "X5-session_expiry_interval-placement",
    "malformed",
    5,
    1,
    "a PUBLISH with a property that it cannot have, Session Expiry Interval, is acknowledged",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(3, lambda data: _has_property(data, 0x11))))
fault(
    "malformed-unknown-property",
    "X5-property-unknown",
    "malformed",
    5,
    1,
    "a PUBLISH with a Property Identifier that is not defined is acknowledged",
    ("MQTT5-4.13.1-1",),
)(
    tolerating(
        of(
            3,
            lambda data: (
                _first_property(data) is not None
                and _first_property(data)
                not in (
                    1,
                    2,
                    3,
                    8,
                    9,
                    11,
                    17,
                    18,
                    19,
                    21,
                    22,
                    23,
                    24,
                    25,
                    26,
                    28,
                    31,
                    33,
                    34,
                    35,
                    36,
                    37,
                    38,
                    39,
                    40,
                    41,
                    42,
                )
            ),
        )
    )
)


def _first_property(data: bytes) -> int | None:
    """The first Property Identifier of a PUBLISH."""
    _, _, at = publish_parts(data)
    found = read_vbi(data, at, len(data), False)
    at += found & 7
    return data[at] if found > 0 and found >> 3 and at < len(data) else None


def _has_property(data: bytes, number: int) -> bool:
    return _first_property(data) == number


fault(
    "malformed-subscription-identifier-0",
    "X5-subscription_identifier-range",
    "malformed",
    5,
    None,
    "a SUBSCRIBE with Subscription Identifier 0 is granted",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(8, lambda data: data[body_of(data) + 2 : body_of(data) + 5] == b"\x02\x0b\x00")))
fault(
    "malformed-payload-format-2",
    "X5-payload_format_indicator-range",
    "malformed",
    5,
    1,
    "a PUBLISH with Payload Format Indicator 2 is acknowledged, the connection stays open",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(3, lambda data: _has_property(data, 1))))
fault(
    "malformed-response-topic-with-wildcard",
    "MQTT5-3.3.2-14",
    "malformed",
    5,
    1,
    "a PUBLISH with a wildcard in its Response Topic is acknowledged, the connection stays open",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(3, lambda data: _has_property(data, 8))))
fault(
    "malformed-alias-0",
    "X5-topic-alias-invalid",
    "malformed",
    5,
    1,
    "a PUBLISH with Topic Alias 0 is acknowledged, the connection stays open",
    ("MQTT5-3.3.2-8", "MQTT5-4.13.1-1"),
)(tolerating(of(3, lambda data: _has_property(data, 0x23))))


def _granted(link: Link, data: bytes) -> Out:
    """Answer a SUBSCRIBE with a SUBACK that has one Reason Code."""
    link.to_client(remade(0x90, data[2:4] + b"\0"))
    return []


fault(
    "malformed-subscribe-empty",
    "X5-subscribe-empty-payload",
    "malformed",
    5,
    None,
    "a SUBSCRIBE without Topic Filters is answered by a SUBACK without Reason Codes",
    ("MQTT5-3.8.3-2", "MQTT5-4.13.1-1"),
)(
    tolerating(
        of(8, lambda data: len(data) == body_of(data) + 3),
        _granted,
    )
)
fault(
    "malformed-unsubscribe-empty-311",
    "MQTT311-4.8.0-1",
    "malformed",
    4,
    None,
    "an UNSUBSCRIBE without Topic Filters is answered by UNSUBACK",
    ("MQTT311-3.10.3-2",),
)(tolerating(of(10, lambda data: len(data) == body_of(data) + 2)))
fault(
    "malformed-subscribe-id-0-311",
    "MQTT311-2.3.1-1",
    "malformed",
    4,
    None,
    "a SUBSCRIBE with Packet Identifier 0 is answered by a SUBACK with 0",
    ("MQTT311-4.8.0-1",),
)(tolerating(of(8, lambda data: id_at(data) == 0)))
fault(
    "malformed-filter-hash-not-last",
    "MQTT5-4.7.1-1",
    "malformed",
    5,
    None,
    "a filter with # before its last level, such as a/#/b, is granted",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(8, lambda data: b"#/" in data)))
fault(
    "malformed-filter-plus-in-level",
    "MQTT5-4.7.1-2",
    "malformed",
    5,
    None,
    "a filter in which + is only a part of its level, such as a+/b, is granted",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(8, lambda data: b"+" in data and b"$share" not in data)))
fault(
    "malformed-type-15-ignored-311",
    "X311-packet-type-reserved",
    "malformed",
    4,
    None,
    "a packet of the reserved type 15 is ignored",
    ("MQTT311-4.8.0-1",),
)(tolerating(of(15), lambda link, data: []))
fault(
    "malformed-type-0-ignored",
    "X5-packet-type-reserved",
    "malformed",
    5,
    None,
    "a packet of the reserved type 0 is ignored",
    ("MQTT5-4.13.1-1",),
)(tolerating(of(0), lambda link, data: []))
fault(
    "malformed-suback-from-client-ignored",
    "X5-packet-direction",
    "malformed",
    5,
    None,
    "a SUBACK, UNSUBACK or PINGRESP from a client is ignored",
    ("MQTT5-4.13.1-1",),
)(tolerating(lambda link, found, data: link.accepted and data[0] >> 4 in (9, 11, 13), lambda link, data: []))
fault(
    "malformed-pingreq-with-body-311",
    "X311-trailing-bytes",
    "malformed",
    4,
    None,
    "a PINGREQ with a Remaining Length other than 0 is answered",
    ("MQTT311-4.8.0-1",),
)(tolerating(of(12, lambda data: len(data) > 2)))
