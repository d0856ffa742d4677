# SPDX-License-Identifier: MIT
"""Faults of a second author: suback, unsuback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import Make, answering, client_prop, fault, remade
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.packets import Suback, Subscribe, Unsuback, UnsubackProperties, Unsubscribe

__all__: list[str] = ["noting", "unique_codes"]


def noting(answer: Callable[[Link, Any, Any], Any], asked: type, answered: type) -> Make:
    """A rule that changes an answer and knows its question."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, asked):
                link.memo.setdefault("questions", {})[packet.packet_id] = packet  # type: ignore[attr-defined]
            return None

        def down(link: Link, packet: Any) -> Out:
            if not isinstance(packet, answered):
                return None
            made = answer(link, link.memo.get("questions", {}).pop(packet.packet_id, None), packet)  # type: ignore[attr-defined]
            return made if made is None or isinstance(made, list) else [made]

        return Hooks(up=up, down=down)

    return make


def unique_codes(link: Link, asked: Subscribe | None, packet: Suback) -> Any:
    """Answer a filter that was asked for twice only once."""
    if asked is None:
        return None
    codes = dict(zip([one.topic_filter for one in asked.subscriptions], packet.reason_codes, strict=False))
    return packet.replace(reason_codes=list(codes.values())) if len(codes) < len(packet.reason_codes) else None


fault(
    "suback-one-code-for-equal-filters",
    "MQTT5-3.8.4-6",
    "suback",
    5,
    None,
    "a SUBSCRIBE that has the same filter twice is answered with one Reason Code for both",
    ("MQTT5-3.9.3-2",),
)(noting(unique_codes, Subscribe, Suback))


def _sorted_codes(link: Link, asked: Subscribe | None, packet: Suback) -> Any:
    if asked is None:
        return None
    pairs = sorted(zip([one.topic_filter for one in asked.subscriptions], packet.reason_codes, strict=False))
    codes = [code for _, code in pairs]
    return packet.replace(reason_codes=codes) if codes != packet.reason_codes else None


fault(
    "suback-codes-sorted-by-filter-311",
    "MQTT311-3.9.3-1",
    "suback",
    4,
    None,
    "the return codes of a SUBACK stand in the alphabetical order of the filters",
)(noting(_sorted_codes, Subscribe, Suback))

fault(
    "suback-codes-last-first",
    "MQTT5-3.9.3-1",
    "suback",
    5,
    None,
    "in a SUBACK for three or more filters the last Reason Code stands first",
)(
    answering(
        Suback,
        lambda link, packet: (
            packet.replace(reason_codes=[packet.reason_codes[-1], *packet.reason_codes[:-1]])
            if len(packet.reason_codes) > 2 and len(set(packet.reason_codes)) > 1
            else None
        ),
    )
)

fault(
    "suback-id-signed",
    "MQTT5-3.8.4-2",
    "suback",
    5,
    None,
    "the Packet Identifier of a SUBACK loses its highest bit (identifiers from 32,769 on)",
    ("MQTT5-2.2.1-6",),
)(
    answering(
        Suback,
        lambda link, packet: packet.replace(packet_id=packet.packet_id & 0x7FFF) if packet.packet_id > 0x8000 else None,
    )
)

fault(
    "unsuback-id-one-byte-311",
    "MQTT311-3.10.4-4",
    "suback",
    4,
    None,
    "the Packet Identifier of an UNSUBACK has its low byte only (identifiers above 256)",
    ("MQTT311-2.3.1-7",),
)(
    answering(
        Unsuback,
        lambda link, packet: (
            packet.replace(packet_id=packet.packet_id & 0xFF)
            if packet.packet_id > 0xFF and packet.packet_id & 0xFF
            else None
        ),
    )
)

fault(
    "unsuback-has-codes-311",
    "X311-unsuback-no-payload",
    "suback",
    4,
    None,
    "an UNSUBACK has a Reason Code for each filter, as in 5.0, if there is more than one filter",
    ("X311-trailing-bytes",),
)(
    noting(
        lambda link, asked, packet: (
            remade(0xB0, packet.packet_id.to_bytes(2, "big") + bytes(len(asked.topic_filters)))
            if asked is not None and len(asked.topic_filters) > 1
            else None
        ),
        Unsubscribe,
        Unsuback,
    )
)

fault(
    "unsuback-has-code-31",
    "X31-unsuback-no-payload",
    "suback",
    3,
    None,
    "an UNSUBACK has a Reason Code as in 5.0",
    ("X31-trailing-bytes",),
)(
    noting(
        lambda link, asked, packet: remade(0xB0, packet.packet_id.to_bytes(2, "big") + b"\x00"),
        Unsubscribe,
        Unsuback,
    )
)

fault(
    "suback-has-property-length-311",
    "MQTT311-3.8.4-5",
    "suback",
    4,
    None,
    "a SUBACK for more than one filter has a Property Length of 0 before the return codes, as in 5.0",
    ("MQTT311-3.9.3-1",),
)(
    answering(
        Suback,
        lambda link, packet: (
            remade(0x90, packet.packet_id.to_bytes(2, "big") + b"\0" + bytes(packet.reason_codes))
            if len(packet.reason_codes) > 1
            else None
        ),
    )
)

fault(
    "unsuback-success-for-unknown",
    "X5-unsuback-no-subscription",
    "suback",
    5,
    None,
    "UNSUBACK has 0x00 for a filter that the client does not use, if the same UNSUBSCRIBE deletes another one",
)(
    answering(
        Unsuback,
        lambda link, packet: (
            packet.replace(reason_codes=[0] * len(packet.reason_codes))
            if 0 in packet.reason_codes and 0x11 in packet.reason_codes
            else None
        ),
    )
)

fault(
    "unsuback-one-code",
    "X5-unsuback-reason-codes",
    "suback",
    5,
    None,
    "an UNSUBACK for several filters has a single Reason Code",
    ("MQTT5-3.11.3-2",),
)(
    answering(
        Unsuback,
        lambda link, packet: (
            packet.replace(reason_codes=packet.reason_codes[:1]) if len(packet.reason_codes) > 1 else None
        ),
    )
)

fault(
    "unsuback-codes-successes-first",
    "MQTT5-3.11.3-1",
    "suback",
    5,
    None,
    "in an UNSUBACK the Reason Codes 0x00 stand before the others",
)(
    answering(
        Unsuback,
        lambda link, packet: (
            packet.replace(reason_codes=sorted(packet.reason_codes))
            if packet.reason_codes != sorted(packet.reason_codes)
            else None
        ),
    )
)

fault(
    "suback-qos2-refused-without-qos2",
    "MQTT5-3.2.2-10",
    "suback",
    5,
    2,
    "a broker whose Maximum QoS is 1 refuses a SUBSCRIBE that asks for QoS 2",
    (),
    (("maximum_qos", "1"),),
)(
    noting(
        lambda link, asked, packet: (
            packet.replace(
                reason_codes=[
                    0x80 if one.qos == 2 else code
                    for one, code in zip(asked.subscriptions, packet.reason_codes, strict=False)
                ]
            )
            if asked is not None and any(one.qos == 2 for one in asked.subscriptions)
            else None
        ),
        Subscribe,
        Suback,
    )
)
fault(
    "suback-failure-code-of-five-311",
    "MQTT311-3.9.3-2",
    "suback",
    4,
    None,
    "a filter that is refused gets 0xA2 as in 5.0: each with a wildcard, on a broker that supports none",
    (),
    (("wildcard_sub_available", "false"),),
)(
    answering(
        Suback,
        lambda link, packet: (
            remade(
                0x90,
                packet.packet_id.to_bytes(2, "big")
                + bytes(0xA2 if code >= 0x80 else code for code in packet.reason_codes),
            )
            if any(code >= 0x80 for code in packet.reason_codes)
            else None
        ),
    )
)
fault(
    "unsuback-reason-string-unasked",
    "MQTT5-3.1.2-29",
    "suback",
    5,
    None,
    "UNSUBACK with 0x11 has a Reason String although Request Problem Information is 0",
)(
    answering(
        Unsuback,
        lambda link, packet: (
            packet.replace(properties=UnsubackProperties(reason_string="no such subscription"))
            if 0x11 in packet.reason_codes and client_prop(link, "request_problem_information") == 0
            else None
        ),
    )
)
