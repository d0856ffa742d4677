# SPDX-License-Identifier: MIT
"""Faults of a second author: close."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import answering, client_prop, fault
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.packets import Connack, Disconnect, DisconnectProperties
from mqtt_ref.wire.violation import Violation

__all__: list[str] = []


def _stays_open(test: Callable[[Link, Any], bool], quiet: bool = False) -> Rule:
    """The client is not told that the broker closed, if the broker sent a packet before for which `test` holds."""

    def down(link: Link, packet: Any) -> Out:
        if test(link, packet):
            link.memo["stay"] = True
            return [] if quiet else None
        return None

    def server_gone(link: Link) -> bool:
        if link.memo.get("stay"):
            link.fired()
            return True
        return False

    return Hooks(down=down, server_gone=server_gone)


fault(
    "close-missing-after-protocol-error",
    "MQTT5-3.14.4-2",
    "close",
    5,
    None,
    "after its DISCONNECT 0x82 (Protocol Error) the broker leaves the connection open",
    ("MQTT5-4.13.1-1", "MQTT5-4.13.2-1"),
)(lambda: _stays_open(lambda link, packet: isinstance(packet, Disconnect) and packet.reason_code == 0x82))
fault(
    "close-missing-after-refusal-311",
    "MQTT311-3.2.2-5",
    "refusal",
    4,
    None,
    "after a CONNACK with a return code other than 0 the connection stays open",
    ("MQTT311-3.1.3-8",),
)(lambda: _stays_open(lambda link, packet: isinstance(packet, Connack) and packet.reason_code != 0))
fault(
    "close-missing-after-refusal-31",
    "X31-connack-refused-close",
    "refusal",
    3,
    None,
    "after a CONNACK with a return code other than 0 the connection stays open",
)(lambda: _stays_open(lambda link, packet: isinstance(packet, Connack) and packet.reason_code != 0))
fault(
    "close-missing-after-bad-method",
    "MQTT5-3.2.2-7",
    "auth",
    5,
    None,
    "after CONNACK 0x8C (Bad authentication method) the connection stays open",
    ("MQTT5-4.12.0-1", "MQTT5-4.13.2-1"),
)(lambda: _stays_open(lambda link, packet: isinstance(packet, Connack) and packet.reason_code == 0x8C))


@fault(
    "close-disconnect-before-connack",
    "MQTT5-3.14.0-1",
    "close",
    5,
    None,
    "if the first packet of a client is not CONNECT, it gets DISCONNECT 0x82 before the broker closes",
    ("X5-first-packet-not-connect",),
)
def _() -> Rule:
    def server_gone(link: Link) -> bool:
        if link.connect is None and link.packets_up:
            link.to_client(b"\xe0\x02\x82\x00")
            link.fired()
        return False

    return Hooks(server_gone=server_gone)


@fault(
    "close-pingreq-before-connect-answered-311",
    "MQTT311-3.2.0-1",
    "close",
    4,
    None,
    "a PINGREQ as the first packet is answered by PINGRESP",
    ("MQTT311-4.8.0-1",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if link.connect is None and data[:1] == b"\xc0":
            link.to_client(b"\xd0\x00")
            return []
        return None

    return Hooks(up=up)


@fault(
    "close-first-packet-ignored",
    "X5-first-packet-not-connect",
    "close",
    5,
    None,
    "packets before CONNECT are ignored: the connection stays open, and a CONNECT after them is accepted",
    ("MQTT5-4.13.1-1",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        return [] if link.connect is None and data[0] >> 4 != 1 else None

    return Hooks(up=up)


fault(
    "close-connack-code-in-disconnect",
    "MQTT5-3.14.2-1",
    "close",
    5,
    None,
    "for a Protocol Error the broker sends DISCONNECT 0x85, which is a code of CONNACK only",
)(answering(Disconnect, lambda link, packet: b"\xe0\x02\x85\x00" if packet.reason_code == 0x82 else None))


@fault(
    "close-hits-others",
    "X5-error-other-sessions",
    "close",
    5,
    None,
    "a malformed packet of one client closes the connections of the other clients too",
    ("X5-closing-code-alone",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Violation) and link.accepted:
            for one in link.world.others(link):
                one.end_client()
                one.end_server()
                one.fired()
        return None

    return Hooks(up=up)


fault(
    "close-silent-on-bad-disconnect-flags",
    "MQTT5-3.14.1-1",
    "close",
    5,
    None,
    "a DISCONNECT with reserved bits set is answered by closing without DISCONNECT 0x81",
)(lambda: _silent_on_bad_disconnect())


def _silent_on_bad_disconnect() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Violation) and data[0] >> 4 == 14 and data[0] & 15:
            link.memo["bad"] = True
        return None

    def down(link: Link, packet: Any) -> Out:
        return [] if isinstance(packet, Disconnect) and link.memo.get("bad") else None

    return Hooks(up=up, down=down)


fault(
    "close-reason-string-too-large",
    "MQTT5-3.14.2-3",
    "close",
    5,
    None,
    "DISCONNECT has a Reason String by which it exceeds the client's Maximum Packet Size (below 100 bytes)",
    ("MQTT5-3.1.2-24",),
)(
    answering(
        Disconnect,
        lambda link, packet: (
            Disconnect(packet.reason_code, DisconnectProperties(reason_string="that was wrong " * 8))
            if 0 < (client_prop(link, "maximum_packet_size") or 0) < 100
            else None
        ),
    )
)
