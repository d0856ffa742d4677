# SPDX-License-Identifier: MIT
"""Faults of a second author: takeover."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.session import expiry_of
from mqtt_conformance.proxy.second.tools import answering, client_prop, connect_props, fault, prop, skip
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import Connect, Disconnect, DisconnectProperties, Publish

__all__: list[str] = ["will_message"]


class Taken(Rule):
    """Knows which clients were taken over: `world.memo["taken"]` has the time by Client Identifier."""

    def __init__(
        self,
        publish: Callable[[Link, Delivery], Out] | None = None,
        down: Callable[[Link, Any], Out] | None = None,
        test: Callable[[Link, Connect, Link], bool] = lambda link, packet, old: True,
    ) -> None:
        self._publish = publish
        self._down = down
        self._test = test

    def up(self, link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.connect is None:
            old = link.world.current.get(packet.client_id)
            if old is not None and old.client_open and old.server_open and self._test(link, packet, old):
                link.world.memo.setdefault("taken", {})[packet.client_id] = link.world.now()
                link.memo["took"] = True
                old.memo["taken"] = link
        return None

    def down(self, link: Link, packet: Any, data: bytes) -> Out:
        return self._down(link, packet) if self._down is not None else None

    def publish(self, link: Link, delivery: Delivery) -> Out:
        return self._publish(link, delivery) if self._publish is not None else None


def _will_of_taken(link: Link, d: Delivery) -> Out:
    if d.message is None or not d.message.will or d.path not in ("will", "retained-will"):
        return None
    since = link.world.memo.get("taken", {}).get(d.message.publisher)
    return skip(link, d) if since is not None and link.world.now() - since < 1 else None


fault(
    "takeover-will-lost",
    "X5-takeover-will-no-delay",
    "takeover",
    5,
    None,
    "the Will Message of a client that is taken over with Clean Start 0 is not published, also without Will Delay",
    ("X5-takeover-will", "MQTT5-3.1.2-8"),
)(lambda: Taken(_will_of_taken, test=lambda link, packet, old: not packet.clean_start))
fault(
    "takeover-will-lost-at-session-end",
    "X5-takeover-will-session-end",
    "takeover",
    5,
    None,
    "the Will Message of a client that is taken over with Clean Start 1 is not published",
    ("X5-takeover-will", "MQTT5-3.1.2-8"),
)(lambda: Taken(_will_of_taken, test=lambda link, packet, old: packet.clean_start))
fault(
    "takeover-will-lost-311",
    "MQTT311-3.1.2-8",
    "takeover",
    4,
    None,
    "the Will Message of a client that is taken over is not published",
)(lambda: Taken(_will_of_taken))


def _quiet_takeover(link: Link, packet: Any) -> Out:
    return [] if isinstance(packet, Disconnect) and packet.reason_code == 0x8E and "taken" in link.memo else None


fault(
    "takeover-without-disconnect-on-clean-start",
    "MQTT5-3.1.4-3",
    "takeover",
    5,
    None,
    "a client that is taken over with Clean Start 1 is closed without DISCONNECT 0x8E",
)(lambda: Taken(down=_quiet_takeover, test=lambda link, packet, old: packet.clean_start))
fault(
    "takeover-other-code",
    "MQTT5-3.1.4-3",
    "takeover",
    5,
    None,
    "a client that is taken over gets DISCONNECT 0x98 (Administrative action)",
)(answering(Disconnect, lambda link, packet: Disconnect(0x98) if packet.reason_code == 0x8E else None))
fault(
    "takeover-disconnect-with-session-expiry",
    "MQTT5-3.14.2-2",
    "takeover",
    5,
    None,
    "DISCONNECT 0x8E has a Session Expiry Interval",
)(
    answering(
        Disconnect,
        lambda link, packet: bytes.fromhex("e0078e051100000000") if packet.reason_code == 0x8E else None,
    )
)


@fault(
    "takeover-old-stays-open-311",
    "MQTT311-3.1.4-2",
    "takeover",
    4,
    None,
    "the connection of a client with CleanSession 1 stays open when another one with its Client Identifier connects",
)
def _() -> Rule:
    return _old_stays(lambda link: link.connect is not None and link.connect.clean_start)


@fault(
    "takeover-old-stays-open-31",
    "X31-client-id-in-use",
    "takeover",
    3,
    None,
    "the connection of a client stays open when another one with its Client Identifier connects",
)
def _() -> Rule:
    return _old_stays(lambda link: True)


def _old_stays(test: Callable[[Link], bool]) -> Rule:
    inner = Taken()

    def server_gone(link: Link) -> bool:
        if "taken" in link.memo and test(link):
            link.fired()
            return True
        return False

    return Hooks(up=inner.up, server_gone=server_gone)


@fault(
    "takeover-in-flight-lost",
    "MQTT5-4.4.0-1",
    "takeover",
    5,
    1,
    "messages in flight are not sent again when the Session is resumed by takeover",
    ("X5-session-state-outbound", "MQTT5-3.1.2-5"),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return skip(link, d) if d.path == "resent" and link.memo.get("took") else None

    return Taken(publish)


@fault(
    "takeover-inherits-session-of-expiry-0",
    "X5-session-expiry-zero",
    "takeover",
    5,
    None,
    "a takeover with Clean Start 0 resumes the Session of the old connection although its Session Expiry Interval is 0",
    ("MQTT5-3.2.2-3",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.connect is None and expiry_of(packet) == 0 and packet.client_id:
            link.memo["short"] = True
            return [connect_props(packet, session_expiry_interval=2)]
        if isinstance(packet, Disconnect) and link.memo.pop("short", None):
            old = packet.properties or DisconnectProperties()
            return [packet.replace(properties=old.replace(session_expiry_interval=0))]
        return None

    def client_gone(link: Link) -> None:
        if link.memo.get("short") and link.accepted:
            code = 4 if link.connect is not None and link.connect.will is not None else 0
            link.to_server(Disconnect(code, DisconnectProperties(session_expiry_interval=0)))

    return Hooks(up=up, client_gone=client_gone)


def will_message(link: Link) -> Publish | None:
    """The will of a connection as a PUBLISH of QoS 0."""
    will = link.connect.will if link.connect is not None else None
    return Publish(will.topic, will.payload, 0, False) if will is not None else None


@fault(
    "takeover-will-not-cancelled",
    "MQTT5-3.1.3-9",
    "takeover",
    5,
    None,
    "the Will Message with a Will Delay is published at once when a takeover with Clean Start 0 resumes the Session",
    ("MQTT5-3.1.2-8", "X5-takeover-will"),
)
def _() -> Rule:
    def found(link: Link, packet: Connect, old: Link) -> bool:
        will = old.connect.will if old.connect is not None else None
        delay = prop(will, "will_delay_interval") if will is not None else None
        if delay and not packet.clean_start and client_prop(old, "session_expiry_interval"):
            message = will_message(old)
            assert message is not None
            link.world.publish(message)
            link.fired()
        return True

    return Taken(test=found)
