# SPDX-License-Identifier: MIT
"""Faults of a second author: keepalive."""

from __future__ import annotations

from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import fault, rewriting
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import Connect, Pingreq, Pingresp

__all__: list[str] = []


@fault(
    "keepalive-own-traffic-counts-311",
    "MQTT311-3.1.2-24",
    "keepalive",
    4,
    None,
    "packets that the broker sends to a client count for its Keep Alive too: a silent subscriber is not closed",
)
def _() -> Rule:
    def watch(link: Link, limit: float) -> None:
        if not link.client_open or not link.server_open:
            return
        now = link.world.now()
        if now - max(link.memo["heard"], link.memo.get("told", 0)) > limit:
            link.end_server()
            link.end_client()
            return
        if now - link.memo["heard"] > limit and not link.memo.get("late"):
            link.memo["late"] = True
            link.fired()
        link.later(0.1, lambda: watch(link, limit))

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.keep_alive and link.connect is None:
            limit = packet.keep_alive * 1.5
            link.later(0.1, lambda: watch(link, limit))
            return [packet.replace(keep_alive=0)]
        return None

    def publish(link: Link, d: Delivery) -> Out:
        link.memo["told"] = link.world.now()
        return None

    return Hooks(up=up, publish=publish)


fault(
    "keepalive-twice-as-long",
    "MQTT5-3.1.2-22",
    "keepalive",
    5,
    None,
    "a silent client is closed after 3 times its Keep Alive",
)(
    rewriting(
        Connect,
        lambda link, packet: (
            packet.replace(keep_alive=packet.keep_alive * 2) if 0 < packet.keep_alive < 30_000 else None
        ),
    )
)
fault(
    "keepalive-off-31",
    "X31-keep-alive",
    "keepalive",
    3,
    None,
    "a silent client is never closed",
)(rewriting(Connect, lambda link, packet: packet.replace(keep_alive=0) if packet.keep_alive else None))
fault(
    "keepalive-off-after-pingreq-311",
    "MQTT311-3.1.2-24",
    "keepalive",
    4,
    None,
    "the Keep Alive of a client is no longer watched once it has sent a PINGREQ",
)(lambda: _pinging())


def _pinging() -> Rule:
    def ping(link: Link, every: float) -> None:
        if link.client_open and link.server_open:
            link.memo["own pings"] = link.memo.get("own pings", 0) + 1
            link.to_server(Pingreq())
            link.later(every, lambda: ping(link, every))

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if (
            isinstance(packet, Pingreq)
            and link.connect is not None
            and link.connect.keep_alive
            and not link.memo.get("on")
        ):
            link.memo["on"] = True
            link.fired()
            every = link.connect.keep_alive * 0.5
            link.later(every, lambda: ping(link, every))
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Pingresp) and link.memo.get("own pings"):
            link.memo["own pings"] -= 1
            return []
        return None

    return Hooks(up=up, down=down)


fault(
    "keepalive-halved-untold",
    "MQTT5-3.2.2-22",
    "keepalive",
    5,
    None,
    "the broker goes by half the Keep Alive of the client and sends no Server Keep Alive (Keep Alive of 2 or more)",
)(
    rewriting(
        Connect,
        lambda link, packet: packet.replace(keep_alive=packet.keep_alive // 2) if packet.keep_alive >= 2 else None,
    )
)


@fault(
    "keepalive-timeout-ends-session",
    "MQTT5-3.1.2-23",
    "keepalive",
    5,
    None,
    "a Session with a Session Expiry Interval is discarded when the broker closes because of the Keep Alive",
    ("X5-session-duration", "MQTT5-3.2.2-3", "MQTT5-3.1.2-5"),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.client_id in link.world.memo.get("timed out", ()):
            link.world.memo["timed out"].discard(packet.client_id)
            if not packet.clean_start:
                return [packet.replace(clean_start=True)]
        return None

    def server_gone(link: Link) -> bool:
        if link.connect is not None and _silent_now(link):
            link.world.memo.setdefault("timed out", set()).add(link.client_id)
        return False

    def _silent_now(link: Link) -> bool:
        limit = link.connect.keep_alive if link.connect is not None else 0
        return bool(limit and link.world.now() - link.memo["heard"] >= 1.4 * limit)

    return Hooks(up=up, server_gone=server_gone)
