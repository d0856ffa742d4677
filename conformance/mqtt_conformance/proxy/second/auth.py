# SPDX-License-Identifier: MIT
"""Faults of a second author: auth."""

from __future__ import annotations

from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import answering, client_prop, connect_props, fault, prop, rewriting
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.packets import Auth, Connack, ConnackProperties, Connect, Disconnect

__all__: list[str] = []

fault(
    "auth-unknown-method-accepted",
    "MQTT5-4.12.0-1",
    "auth",
    5,
    None,
    "a CONNECT with an Authentication Method that the broker does not support is accepted as one without",
    ("MQTT5-4.12.0-5",),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            connect_props(packet, authentication_method=None, authentication_data=None)
            if (prop(packet, "authentication_method") or "conformance") not in ("conformance", "SCRAM-SHA-256")
            else None
        ),
    )
)
fault(
    "auth-method-in-connack-unasked",
    "MQTT5-4.12.0-6",
    "auth",
    5,
    None,
    "CONNACK has an Authentication Method although the CONNECT of a client with a User Name had none",
)(
    answering(
        Connack,
        lambda link, packet: (
            packet.replace(
                properties=(packet.properties or ConnackProperties()).replace(authentication_method="password")
            )
            if packet.reason_code == 0
            and client_prop(link, "authentication_method") is None
            and link.connect is not None
            and link.connect.username is not None
            else None
        ),
    )
)


@fault(
    "auth-without-method-ignored",
    "X5-auth-other-method",
    "auth",
    5,
    None,
    "an AUTH of a client whose CONNECT had no Authentication Method is ignored",
    ("MQTT5-4.12.0-7", "MQTT5-4.13.1-1"),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        asked = client_prop(link, "authentication_method")
        return [] if data[0] >> 4 == 15 and link.accepted and asked is None else None

    return Hooks(up=up)


@fault(
    "auth-reauthentication-answered-0x19",
    "X5-auth-reauthenticate-client",
    "auth",
    5,
    None,
    "a re-authentication is answered by AUTH 0x19 instead of 0x18 (needs a broker with enhanced authentication)",
    ("X5-reauthentication-reply", "MQTT5-4.12.0-2"),
)
def _() -> Rule:
    return answering(
        Auth,
        lambda link, packet: packet.replace(reason_code=0x19) if link.accepted and packet.reason_code == 0x18 else None,
    )()


@fault(
    "auth-method-missing-in-connack",
    "MQTT5-4.12.0-5",
    "auth",
    5,
    None,
    "the CONNACK after an enhanced authentication has no Authentication Method (needs a broker with one)",
)
def _() -> Rule:
    return answering(
        Connack,
        lambda link, packet: (
            packet.replace(properties=packet.properties.replace(authentication_method=None, authentication_data=None))
            if packet.reason_code == 0 and prop(packet, "authentication_method")
            else None
        ),
    )()


@fault(
    "auth-failed-reauthentication-stays-open",
    "MQTT5-4.12.1-2",
    "auth",
    5,
    None,
    "when a re-authentication fails the connection stays open (needs a broker with enhanced authentication)",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Auth) and link.accepted:
            link.memo["again"] = True
        return None

    def down(link: Link, packet: Any) -> Out:
        return [] if isinstance(packet, Disconnect) and link.memo.get("again") else None

    def server_gone(link: Link) -> bool:
        if link.memo.get("again"):
            link.fired()
            return True
        return False

    return Hooks(up=up, down=down, server_gone=server_gone)
