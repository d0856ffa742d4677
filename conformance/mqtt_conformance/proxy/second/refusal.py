# SPDX-License-Identifier: MIT
"""Faults of a second author: refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import Make, answering, body_of, fault, remade, rewriting
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.packets import Connack, Connect, Publish
from mqtt_ref.wire.violation import Violation

__all__: list[str] = []


def _identifier(change: Callable[[str], str], test: Callable[[Connect], bool] = lambda packet: True) -> Make:
    def make(link: Link, packet: Connect) -> Any:
        made = change(packet.client_id)
        return packet.replace(client_id=made) if made != packet.client_id and test(packet) else None

    return rewriting(Connect, make)


@fault(
    "refusal-empty-id-without-clean-session-accepted-311",
    "MQTT311-3.1.3-8",
    "refusal",
    4,
    None,
    "a CONNECT with an empty ClientId and CleanSession 0 is accepted",
)
def _() -> Rule:
    return _empty_id()


@fault(
    "refusal-empty-id-accepted-31",
    "X31-client-id-empty",
    "refusal",
    3,
    None,
    "a CONNECT with an empty Client Identifier is accepted",
)
def _() -> Rule:
    return _empty_id()


def _empty_id() -> Rule:
    """Any CONNECT with an empty Client Identifier gets one. It may be a Violation, so the bytes are changed."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if data[0] != 0x10 or link.connect is not None:
            return None
        at = body_of(data)
        at += 2 + int.from_bytes(data[at : at + 2], "big") + 4
        if data[at : at + 2] != b"\0\0" or (link.level == 4 and data[at - 3] & 2):
            return None
        name = f"anon{link.seq}".encode()
        link.version = link.level
        return [remade(0x10, data[body_of(data) : at] + len(name).to_bytes(2, "big") + name + data[at + 2 :])]

    return Hooks(up=up)


fault(
    "refusal-long-id-accepted-31",
    "X31-client-id-too-long",
    "refusal",
    3,
    None,
    "a Client Identifier of more than 23 characters is accepted",
)(lambda: _long_id())


def _long_id() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if data[0] != 0x10 or link.connect is not None:
            return None
        at = body_of(data)
        at += 2 + int.from_bytes(data[at : at + 2], "big") + 4
        size = int.from_bytes(data[at : at + 2], "big")
        if size <= 23:
            return None
        link.version = link.level
        name = data[at + 2 : at + 24]
        return [remade(0x10, data[body_of(data) : at] + b"\0\x16" + name + data[at + 2 + size :])]

    return Hooks(up=up)


@fault(
    "refusal-23-byte-id",
    "MQTT5-3.1.3-5",
    "refusal",
    5,
    None,
    "a Client Identifier of exactly 23 bytes is refused with CONNACK 0x85",
)
def _() -> Rule:
    return _refusing(lambda packet: len(packet.client_id) == 23, b"\x20\x03\x00\x85\x00")


@fault(
    "refusal-id-of-digits-311",
    "MQTT311-3.1.3-5",
    "refusal",
    4,
    None,
    "a ClientId that has digits only is refused with CONNACK 0x02",
    ("MQTT311-3.1.4-4",),
)
def _() -> Rule:
    return _refusing(lambda packet: packet.client_id.isdigit() and packet.client_id.isascii(), b"\x20\x02\x00\x02")


def _refusing(test: Callable[[Connect], bool], answer: bytes) -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.connect is None and test(packet):
            link.to_client(answer)
            link.end_client()
            link.end_server()
            return []
        return None

    return Hooks(up=up)


fault(
    "refusal-code-of-five-311",
    "X311-connack-codes-reserved",
    "refusal",
    4,
    None,
    "a ClientId is refused with CONNACK 0x85 as in 5.0",
    ("MQTT311-3.1.3-8", "MQTT311-3.1.3-9"),
)(answering(Connack, lambda link, packet: b"\x20\x02\x00\x85" if packet.reason_code == 2 else None))
fault(
    "refusal-of-version-silent-311",
    "MQTT311-3.1.2-2",
    "refusal",
    4,
    None,
    "a CONNECT with a Protocol Level that is not supported is answered by closing without CONNACK 0x01",
)(lambda: _silent_version())


def _silent_version() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Violation) and data[0] == 0x10 and link.connect is None:
            at = body_of(data)
            name = data[at + 2 : at + 2 + int.from_bytes(data[at : at + 2], "big")]
            level = data[at + 2 + len(name)] if len(data) > at + 2 + len(name) else 0
            if name == b"MQTT" and level not in (3, 4, 5):
                link.end_client()
                link.end_server()
                return []
        return None

    return Hooks(up=up)


fault(
    "refusal-id-cut-to-23-311",
    "MQTT311-3.1.3-2",
    "session",
    4,
    None,
    "Client Identifiers are cut to 23 bytes: two longer ones that begin alike are taken for one client",
    ("MQTT311-3.1.4-2",),
)(_identifier(lambda name: name[:23]))
fault(
    "refusal-id-case-folded",
    "MQTT5-3.1.3-2",
    "session",
    5,
    None,
    "Client Identifiers that differ in letter case only are taken for one client",
)(_identifier(lambda name: name.lower()))


@fault(
    "refusal-publish-behind-refused-connect-311",
    "MQTT311-3.1.4-5",
    "refusal",
    4,
    0,
    "a PUBLISH that was sent right behind a CONNECT that is refused (empty ClientId, CleanSession 0) is processed",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if data[0] == 0x10:
            at = body_of(data)
            at += 2 + int.from_bytes(data[at : at + 2], "big") + 4
            if data[at : at + 2] == b"\0\0" and not data[at - 3] & 2:
                link.memo["doomed"] = True
                link.version = link.level = 4
        elif isinstance(packet, Publish) and link.memo.get("doomed"):
            link.world.publish(packet.replace(qos=0, packet_id=0))
            link.fired()
        return None

    return Hooks(up=up)
