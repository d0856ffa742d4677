# SPDX-License-Identifier: MIT
"""Faults of a second author: alias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule, published
from mqtt_conformance.proxy.second.tools import Make, connect_props, fault, prop, rewriting
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Puback, Publish, Pubrec

__all__: list[str] = []


@fault(
    "alias-not-remapped",
    "X5-topic-alias-known-name",
    "alias",
    5,
    0,
    "a PUBLISH that gives a known Topic Alias another Topic Name does not change the mapping: the old one is used",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        alias = prop(packet, "topic_alias") if isinstance(packet, Publish) else None
        if not alias or not packet.topic:
            return None
        known = link.memo.setdefault("known", {}).setdefault(alias, packet.topic)
        return [published(packet, topic_alias=None)] if known != packet.topic else None

    return Hooks(up=up)


@fault(
    "alias-outlives-connection",
    "MQTT5-3.3.2-7",
    "alias",
    5,
    0,
    "Topic Aliases of a client are part of its Session: an alias alone is accepted after a resume",
    ("X5-topic-alias-unknown-empty",),
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        alias = prop(packet, "topic_alias") if isinstance(packet, Publish) else None
        if not alias or link.session is None:
            return None
        kept: dict[int, str] = link.session.memo.setdefault("aliases", {})
        if packet.topic:
            kept[alias] = packet.topic
        elif alias not in link.up_alias and alias in kept:
            return [published(packet, topic=kept[alias])]
        return None

    return Hooks(up=up)


fault(
    "alias-sent-above-maximum",
    "MQTT5-3.1.2-26",
    "alias",
    5,
    None,
    "the broker uses one Topic Alias more than the Topic Alias Maximum of the client allows",
    ("MQTT5-3.3.2-11",),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            connect_props(packet, topic_alias_maximum=prop(packet, "topic_alias_maximum") + 1)
            if 0 < (prop(packet, "topic_alias_maximum") or 0) < 65535
            else None
        ),
    )
)
fault(
    "alias-sent-unasked",
    "MQTT5-3.1.2-27",
    "alias",
    5,
    None,
    "the broker sends Topic Aliases to a client whose CONNECT has no Topic Alias Maximum",
    ("MQTT5-3.3.2-11", "MQTT5-3.1.2-26"),
)(
    rewriting(
        Connect,
        lambda link, packet: (
            connect_props(packet, topic_alias_maximum=10) if prop(packet, "topic_alias_maximum") is None else None
        ),
    )
)


@fault(
    "alias-in-resent",
    "X5-topic-alias-unknown-empty",
    "alias",
    5,
    1,
    "a PUBLISH that was sent with a Topic Alias is sent again after a reconnection with that alias and no Topic Name",
    ("MQTT5-3.3.2-7",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        if link.session is None or not d.packet.qos:
            return None
        sent: dict[int, int] = link.session.memo.setdefault("sent", {})
        alias = prop(d.packet, "topic_alias")
        if d.path != "resent":
            sent[d.packet.packet_id] = alias or 0
            return None
        was = sent.get(d.packet.packet_id)
        return [published(d.packet, topic="", topic_alias=was)] if was else None

    return Hooks(publish=publish)


def _aliased(test: Callable[[Link, Publish, int], bool], do: Callable[[Link, Publish], Out]) -> Make:
    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            if isinstance(packet, Connack):
                link.memo["most"] = prop(packet, "topic_alias_maximum") or 0
            return None

        def up(link: Link, packet: Any, data: bytes) -> Out:
            alias = prop(packet, "topic_alias") if isinstance(packet, Publish) else None
            return do(link, packet) if alias and test(link, packet, alias) else None

        return Hooks(up=up, down=down)

    return make


def _refuse_alias(link: Link, packet: Publish) -> Out:
    link.to_client(Disconnect(0x94))
    link.end_client()
    link.end_server()
    return []


def _plainly(link: Link, packet: Publish) -> Out:
    return [published(packet, topic_alias=None)]


def _acknowledged(link: Link, packet: Publish) -> Out:
    if packet.qos == 1:
        link.to_client(Puback(packet.packet_id))
    elif packet.qos == 2:
        link.to_client(Pubrec(packet.packet_id))
    return []


fault(
    "alias-maximum-itself-refused",
    "MQTT5-3.3.2-12",
    "alias",
    5,
    0,
    "a Topic Alias equal to the Topic Alias Maximum of the broker is refused with 0x94",
)(_aliased(lambda link, packet, alias: alias == link.memo["most"], _refuse_alias))
fault(
    "alias-above-maximum-ignored",
    "X5-topic-alias-invalid",
    "alias",
    5,
    0,
    "a PUBLISH with a Topic Name and a Topic Alias above the Topic Alias Maximum of the broker is delivered",
    ("MQTT5-4.13.1-1", "MQTT5-3.3.2-9", "MQTT5-3.2.2-17"),
)(_aliased(lambda link, packet, alias: alias > link.memo["most"] and bool(packet.topic), _plainly))
fault(
    "alias-unknown-acknowledged",
    "X5-topic-alias-unknown-empty",
    "alias",
    5,
    1,
    "a PUBLISH without Topic Name and with an unknown Topic Alias is acknowledged, the connection stays open",
    ("MQTT5-4.13.1-1",),
)(
    _aliased(
        lambda link, packet, alias: not packet.topic and alias not in link.up_alias and alias <= link.memo["most"],
        _acknowledged,
    )
)
