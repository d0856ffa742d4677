# SPDX-License-Identifier: MIT
"""Faults of a second author: session."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.queued import filters, note_filters
from mqtt_conformance.proxy.second.tools import client_prop, connect_props, fault, forge, prop, rewriting
from mqtt_conformance.proxy.world import Link, Sub, matches
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    DisconnectProperties,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)

__all__: list[str] = ["expiry_of"]


def expiry_of(packet: Connect) -> int:
    """Return the Session Expiry Interval of a CONNECT, in seconds."""
    found = prop(packet, "session_expiry_interval")
    return int(found or 0)


fault(
    "session-expiry-never-is-minus-one",
    "X5-session-expiry-never",
    "session",
    5,
    None,
    "a Session Expiry Interval of 0xFFFFFFFF is taken for -1: the Session ends with the connection",
    ("MQTT5-3.1.2-23",),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            connect_props(packet, session_expiry_interval=0) if expiry_of(packet) == 0xFFFFFFFF else None
        ),
    )
)

fault(
    "session-expiry-outlived",
    "MQTT5-4.1.0-2",
    "session",
    5,
    None,
    "a Session is kept an hour longer than its Session Expiry Interval",
    ("X5-session-duration",),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            connect_props(packet, session_expiry_interval=expiry_of(packet) + 3600)
            if 0 < expiry_of(packet) < 0x7FFFFFFF
            else None
        ),
    )
)


@fault(
    "session-expiry-from-connect",
    "X5-session-duration",
    "session",
    5,
    None,
    "the Session Expiry Interval runs from CONNECT on: a client connected for longer than it loses its Session at once",
    ("MQTT5-3.1.2-23",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect):
            link.memo["began"] = link.world.now()
        if isinstance(packet, Disconnect) and prop(packet, "session_expiry_interval") is None:
            link.memo["said"] = True
            left = _left(link)
            if left is not None:
                old = packet.properties or DisconnectProperties()
                return [packet.replace(properties=old.replace(session_expiry_interval=left))]
        return None

    def client_gone(link: Link) -> None:
        left = None if link.memo.get("said") or not link.accepted else _left(link)
        if left is not None:
            link.to_server(Disconnect(4, DisconnectProperties(session_expiry_interval=left)))
            link.fired()

    def _left(link: Link) -> int | None:
        limit = client_prop(link, "session_expiry_interval") or 0
        if not 0 < limit < 0xFFFFFFFF or link.world.now() - link.memo["began"] < 1:
            return None
        return max(0, int(limit - (link.world.now() - link.memo["began"])))

    return Hooks(up=up, client_gone=client_gone)


fault(
    "session-expiry-zero-at-disconnect-ignored",
    "X5-disconnect-session-expiry",
    "session",
    5,
    None,
    "a Session Expiry Interval of 0 in DISCONNECT is taken for an absent one: the Session is kept",
)(
    rewriting(
        Disconnect,
        lambda link, packet: (
            packet.replace(properties=packet.properties.replace(session_expiry_interval=None))
            if prop(packet, "session_expiry_interval") == 0
            else None
        ),
    )
)


@fault(
    "session-survives-clean-session-311",
    "MQTT311-3.1.2-6",
    "session",
    4,
    1,
    "a connection with CleanSession 1 puts the stored Session aside: the next one with CleanSession 0 resumes it",
)
def _() -> Rule:
    def change(link: Link, packet: Connect) -> Any:
        stored: set[str] = link.world.memo.setdefault("stored", set())
        if not packet.clean_start:
            stored.add(packet.client_id)
            return None
        there = link.world.current.get(packet.client_id)
        if packet.client_id in stored and (there is None or not there.client_open):
            return packet.replace(client_id=packet.client_id + "-aside")
        return None

    return rewriting(Connect, change)()


@fault(
    "session-clean-start-keeps-subscriptions",
    "MQTT5-3.1.2-4",
    "session",
    5,
    None,
    "Clean Start 1 does not discard a stored Session: its subscriptions go on, though Session Present is 0",
    ("MQTT5-3.1.4-4",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.clean_start and packet.client_id in link.world.sessions:
            return [packet.replace(clean_start=False)]
        return None

    def down(link: Link, packet: Any) -> Out:
        if (
            isinstance(packet, Connack)
            and packet.session_present
            and link.connect is not None
            and link.connect.clean_start
        ):
            return [packet.replace(session_present=False)]
        return None

    return Hooks(up=up, down=down)


@fault(
    "session-qos0-subscriptions-lost-311",
    "X311-session-state-server",
    "session",
    4,
    0,
    "subscriptions with QoS 0 are not part of the stored Session: after a reconnection they are gone",
    ("MQTT311-3.1.2-4",),
)
def _() -> Rule:
    return _forgetting(lambda sub: sub.qos == 0)


@fault(
    "session-wildcard-subscriptions-lost",
    "X5-session-state-subscriptions",
    "session",
    5,
    None,
    "subscriptions with + are not part of the stored Session: after a reconnection they are gone",
    ("MQTT5-3.1.2-5", "MQTT5-3.1.2-23"),
)
def _() -> Rule:
    return _forgetting(lambda sub: "+" in sub.plain)


@fault(
    "session-qos2-subscriptions-lost-31",
    "X31-clean-session-unset",
    "session",
    3,
    2,
    "subscriptions with QoS 2 are not kept for a client that is away: after a reconnection they are gone",
)
def _() -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Unsuback) and packet.packet_id == FORGET:
            return []
        if (
            isinstance(packet, Connack)
            and not packet.reason_code
            and link.connect is not None
            and not link.connect.clean_start
        ):
            gone = [one for one, qos in filters(link).items() if qos == 2]
            if gone:
                link.to_server(Unsubscribe(FORGET, gone))
                link.fired()
                for one in gone:
                    del filters(link)[one]
        return None

    return Hooks(up=lambda link, packet, data: note_filters(link, packet), down=down)


FORGET = 63_999


def _forgetting(test: Callable[[Sub], bool]) -> Rule:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Unsuback) and packet.packet_id == FORGET:
            return []
        known = link.world.sessions.get(link.client_id)
        if (
            isinstance(packet, Connack)
            and known is not None
            and link.connect is not None
            and not link.connect.clean_start
        ):
            gone = [sub.topic_filter for sub in known.subs.values() if test(sub)]
            if gone and not packet.reason_code:
                link.to_server(Unsubscribe(FORGET, gone))
                link.fired()
        return None

    return Hooks(down=down)


@fault(
    "session-unsubscribed-comes-back-311",
    "MQTT311-3.10.4-1",
    "session",
    4,
    0,
    "a subscription deleted by UNSUBSCRIBE is there again after a reconnection with CleanSession 0",
    ("MQTT311-3.10.4-2", "X311-session-state-server"),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Unsubscribe) and link.session is not None:
            gone: dict[str, int] = link.session.memo.setdefault("gone", {})
            for one in packet.topic_filters:
                if one in link.session.subs:
                    gone[one] = link.session.subs[one].qos
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Suback) and packet.packet_id == FORGET:
            return []
        if isinstance(packet, Connack) and packet.session_present and link.session is not None:
            gone = link.session.memo.pop("gone", {})
            again = [Subscription(one, qos) for one, qos in gone.items() if one not in link.session.subs]
            if again:
                link.to_server(Subscribe(FORGET, again))
                link.fired()
        return None

    return Hooks(up=up, down=down)


@fault(
    "session-qos0-stored-31",
    "X31-qos0-not-stored",
    "session",
    3,
    0,
    "QoS 0 messages are stored for a client that is away and delivered when it comes back",
)
def _() -> Rule:
    def client_gone(link: Link) -> None:
        if link.session is not None:
            link.session.memo["left"] = link.world.next()

    def down(link: Link, packet: Any) -> Out:
        if not isinstance(packet, Connack) or packet.reason_code or link.connect is None or link.connect.clean_start:
            return None
        session = link.world.sessions.get(link.client_id)
        left = session.memo.get("left") if session is not None else None
        if session is None or left is None:
            return None
        subs = session.memo.get("subs", {})
        for (topic, payload), message in link.world.messages.items():
            if message.publish.qos == 0 and left < message.seq < link.seq and any(matches(one, topic) for one in subs):
                link.later(0.02, partial(forge, link, topic, payload))
        return None

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe) and link.session is not None:
            subs = link.session.memo.setdefault("subs", {})
            subs.update({one.topic_filter: one for one in packet.subscriptions})
        return None

    return Hooks(up=up, down=down, client_gone=client_gone)


@fault(
    "session-will-of-earlier-connection-311",
    "MQTT311-3.1.2-12",
    "will",
    4,
    0,
    "the Will Message of an earlier connection of the client is published when a connection without will breaks",
)
def _() -> Rule:
    def client_gone(link: Link) -> None:
        wills: dict[str, Publish] = link.world.memo.setdefault("wills", {})
        if link.connect is None or not link.accepted:
            return
        if link.connect.will is not None:
            will = link.connect.will
            wills[link.client_id] = Publish(will.topic, will.payload, will.qos, False)
        elif link.client_id in wills and not link.normal_end:
            left = wills.pop(link.client_id)
            number = 1 if left.qos else 0
            link.world.publish(left.replace(packet_id=number))
            link.fired()

    return Hooks(client_gone=client_gone)
