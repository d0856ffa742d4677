# SPDX-License-Identifier: MIT
"""Faults of limits: Receive Maximum, Maximum Packet Size, Topic Aliases, Keep Alive, and what CONNACK announces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both, published
from mqtt_conformance.proxy.rows.messages import at
from mqtt_conformance.proxy.rows.sessions import on_connect
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    ConnackProperties,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
)
from mqtt_ref.wire.violation import Violation

__all__ = ["keep_alive_ignored", "rows"]


def _connect_limit(name: str, value: int | None) -> Callable[[], Rule]:
    """The broker does not see a limit of the client."""

    def change(link: Link, packet: Connect) -> Out:
        if packet.properties is None or getattr(packet.properties, name) is None:
            return None
        return [packet.replace(properties=packet.properties.replace(**{name: value}))]

    return on_connect(change)


def _limit(link: Link, name: str) -> int | None:
    props = link.connect.properties if link.connect is not None else None
    return None if props is None else getattr(props, name)


# ---------------------------------------------------------------- Receive Maximum towards the client


def _connect_more(more: int) -> Callable[[], Rule]:
    def change(link: Link, packet: Connect) -> Out:
        if packet.properties is None or packet.properties.receive_maximum is None:
            return None
        made = min(packet.properties.receive_maximum + more, 65_535)
        return [packet.replace(properties=packet.properties.replace(receive_maximum=made))]

    return on_connect(change)


def _quota_not_reset() -> Rule:
    """On a new connection the quota is what was left on the old one: what is not resent waits."""

    def publish(link: Link, d: Delivery) -> Out:
        if d.packet.qos and d.path == "queued" and link.session is not None and link.session.memo.get("blocked"):
            link.settle(d.packet)
            return []
        return None

    def gone(link: Link) -> None:
        limit = _limit(link, "receive_maximum")
        if link.session is not None and limit is not None:
            link.session.memo["blocked"] = len(link.inflight) >= limit

    return Hooks(publish=publish, client_gone=gone)


def _quota_held(kind: type[Any], refused: bool) -> Callable[[], Rule]:
    """An acknowledgement frees no room: the next message never comes."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, kind) and (packet.reason_code >= 0x80) == refused and _limit(link, "receive_maximum"):
                link.memo["spent"] = link.memo.get("spent", 0) + 1
            return None

        def publish(link: Link, d: Delivery) -> Out:
            limit = _limit(link, "receive_maximum") or 0
            if d.packet.qos and limit and link.memo.get("spent", 0) >= limit:
                link.settle(d.packet)
                return []
            return None

        return Hooks(up=up, publish=publish)

    return make


def _answers_wait() -> Rule:
    """While Receive Maximum is reached, PINGRESP and SUBACK wait too."""

    def down(link: Link, packet: Any) -> Out:
        limit = _limit(link, "receive_maximum")
        if isinstance(packet, Pingresp | Suback | Puback | Pubrec) and limit and len(link.inflight) >= limit:
            link.memo.setdefault("held", []).append(packet)
            return []
        return None

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Puback | Pubcomp):
            link.to_client(*link.memo.pop("held", []))
        return None

    return Hooks(up=up, down=down)


def _qos0_waits() -> Rule:
    """While Receive Maximum is reached, a client's PUBLISH is not processed."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        limit = _limit(link, "receive_maximum")
        if isinstance(packet, Publish | Subscribe) and limit and len(link.inflight) >= limit:
            link.memo.setdefault("wait", []).append(data)
            return []
        if isinstance(packet, Puback | Pubcomp):
            link.to_server(*link.memo.pop("wait", []))
        return None

    return Hooks(up=up)


def _server_maximum() -> Rule:
    """More messages than the server's Receive Maximum are taken: the surplus waits in the proxy."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and packet.qos:
            waiting: set[int] = link.memo.setdefault("open", set())
            limit = link.memo.get("limit", 65_535)
            if packet.packet_id not in waiting and len(waiting) >= limit:
                link.memo.setdefault("surplus", []).append(data)
                return []
            waiting.add(packet.packet_id)
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.properties is not None:
            link.memo["limit"] = packet.properties.receive_maximum or 65_535
        elif isinstance(packet, Puback | Pubcomp):
            link.memo.get("open", set()).discard(packet.packet_id)
        return None

    return Hooks(up=up, down=down)


# ---------------------------------------------------------------- Maximum Packet Size


def _close_if_large() -> Rule:
    """A message that is too large for the client closes its connection."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish):
            topic = link.topic_up(packet)
            for other in link.world.others(link):
                limit = _limit(other, "maximum_packet_size")
                if limit and len(data) > limit and other.session is not None and other.session.matching(topic):
                    link.fired()
                    other.to_client(Disconnect(0x95))
                    other.end_client()
                    other.end_server()
        return None

    return Hooks(up=up)


def _blocked_by_large() -> Rule:
    """Behind a message that is too large nothing is delivered any more."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish):
            topic = link.topic_up(packet)
            for other in link.world.others(link):
                limit = _limit(other, "maximum_packet_size")
                if limit and len(data) > limit and other.session is not None and other.session.matching(topic):
                    other.memo["blocked"] = True
        return None

    def publish(link: Link, d: Delivery) -> Out:
        if not link.memo.get("blocked"):
            return None
        link.settle(d.packet)
        link.ours.discard(d.packet.packet_id)
        return []

    return Hooks(up=up, publish=publish)


def _large_cut() -> Rule:
    """A message that is too large is sent with a shorter payload."""

    def change(link: Link, packet: Connect) -> Out:
        if packet.properties is None or packet.properties.maximum_packet_size is None:
            return None
        link.world.fired -= 1
        return [packet.replace(properties=packet.properties.replace(maximum_packet_size=None))]

    inner = on_connect(change)()

    def publish(link: Link, d: Delivery) -> Out:
        limit = _limit(link, "maximum_packet_size")
        size = len(encode(link.version, d.packet))
        if not limit or size <= limit:
            return None
        return [published(d.packet, payload=d.packet.payload[: max(0, len(d.packet.payload) - (size - limit))])]

    return Hooks(up=inner.up, publish=publish)


def _server_size() -> Rule:
    """The CONNACK announces a Maximum Packet Size, and larger packets are taken."""
    return Hooks(down=_announce(maximum_packet_size=2_000))


def _announce(**limits: Any) -> Callable[[Link, Any], Out]:
    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code == 0:
            return [packet.replace(properties=(packet.properties or ConnackProperties()).replace(**limits))]
        return None

    return down


# ---------------------------------------------------------------- Topic Aliases


def _alias(value: Callable[[int], int | None], empty: bool = False) -> Callable[[], Rule]:
    def change(link: Link, d: Delivery) -> Packet | None:
        made = value(_limit(link, "topic_alias_maximum") or 0)
        if made is None or not d.packet.topic:
            return None
        return published(d.packet, topic_alias=made, **({"topic": ""} if empty else {}))

    return at("any", change)


def _alias_zero() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        topic = d.packet.topic.encode()
        if not topic or d.packet.qos or not _limit(link, "topic_alias_maximum"):
            return None
        body = len(topic).to_bytes(2, "big") + topic + b"\3\x23\0\0" + d.packet.payload
        return [bytes((0x30 | int(d.packet.retain), len(body))) + body] if len(body) < 128 else None

    return Hooks(publish=publish)


def _alias_other_topic() -> Rule:
    """The alias of another topic is sent."""

    def publish(link: Link, d: Delivery) -> Out:
        alias = d.packet.properties.topic_alias if d.packet.properties is not None else None
        if not alias or d.packet.topic:
            return None
        others = [one for one, topic in link.down_alias.items() if one != alias and topic != d.topic]
        return [published(d.packet, topic_alias=others[0])] if others else None

    return Hooks(publish=publish)


def _alias_carried() -> Rule:
    """The server takes an alias that the client set on an earlier connection."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        old: dict[str, dict[int, str]] = link.world.memo.setdefault("aliases", {})
        alias = None
        if isinstance(packet, Publish) and packet.properties is not None:
            alias = packet.properties.topic_alias
        if not alias or not isinstance(packet, Publish):
            return None
        kept = old.setdefault(link.client_id, {})
        if packet.topic:
            kept[alias] = packet.topic
        elif alias not in link.up_alias and alias in kept:
            return [published(packet, topic=kept[alias])]
        return None

    return Hooks(up=up)


def _alias_unknown_taken() -> Rule:
    """An unknown alias with an empty Topic Name is ignored."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Publish) and not packet.topic and not link.topic_up(packet):
            _acknowledge(link, packet)
            return []
        if isinstance(packet, Pubrel) and packet.packet_id in link.memo.get("mine", ()):
            link.to_client(Pubcomp(packet.packet_id))
            return []
        return None

    return Hooks(up=up)


def _acknowledge(link: Link, packet: Publish) -> None:
    if packet.qos == 1:
        link.to_client(Puback(packet.packet_id))
    elif packet.qos == 2:
        link.memo.setdefault("mine", set()).add(packet.packet_id)
        link.to_client(Pubrec(packet.packet_id))


def _alias_up(packet: Any) -> int | None:
    if isinstance(packet, Publish) and packet.properties is not None:
        return packet.properties.topic_alias
    return None


def _alias_above_taken() -> Rule:
    """A Topic Alias above the maximum of the server is taken."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        alias = _alias_up(packet)
        if alias and alias > link.memo.get("aliases", 0):
            return [published(packet, topic_alias=None)] if packet.topic else []
        return None

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.properties is not None:
            link.memo["aliases"] = packet.properties.topic_alias_maximum or 0
        return None

    return Hooks(up=up, down=down)


def _alias_refused(which: str) -> Callable[[], Rule]:
    """A legal alias is refused: the greatest, or a second mapping of one."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            alias = _alias_up(packet)
            if not alias:
                return None
            if (which == "greatest" and alias == link.memo.get("aliases", 0)) or (
                which == "again" and alias in link.up_alias and packet.topic and packet.topic != link.up_alias[alias]
            ):
                link.to_client(Disconnect(0x94))
                link.end_client()
                link.end_server()
                return []
            return None

        def down(link: Link, packet: Any) -> Out:
            if isinstance(packet, Connack) and packet.properties is not None:
                link.memo["aliases"] = packet.properties.topic_alias_maximum or 0
            return None

        return Hooks(up=up, down=down)

    return make


def _alias_not_changed() -> Rule:
    """A second Topic Name does not change the mapping of an alias."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        alias = _alias_up(packet)
        if not alias:
            return None
        first: dict[int, str] = link.memo.setdefault("first", {})
        if packet.topic and alias not in first:
            first[alias] = packet.topic
        elif packet.topic and first[alias] != packet.topic:
            return [published(packet, topic_alias=None)]
        return None

    return Hooks(up=up)


def _alias_mixed() -> Rule:
    """An alias that the server set is used for what the client sends."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        alias = _alias_up(packet)
        if alias and not packet.topic and link.down_alias.get(alias) not in (None, link.up_alias.get(alias)):
            return [published(packet, topic=link.down_alias[alias], topic_alias=None)]
        return None

    return Hooks(up=up)


def _alias_forwarded() -> Rule:
    """The alias of the publisher is passed on to a client that allows none."""

    def publish(link: Link, d: Delivery) -> Out:
        alias = _alias_up(d.message.publish) if d.message is not None else None
        if not alias or _limit(link, "topic_alias_maximum"):
            return None
        return [published(d.packet, topic_alias=alias)]

    return Hooks(publish=publish)


# ---------------------------------------------------------------- Keep Alive


def keep_alive_ignored() -> Rule:
    """A silent client is not disconnected: the proxy keeps the connection to the broker alive."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code == 0 and link.connect is not None:
            keep = link.connect.keep_alive
            if keep:
                _nudge(link, keep / 2)
        if isinstance(packet, Pingresp) and link.memo.get("nudged", 0):
            link.memo["nudged"] -= 1
            link.world.fired -= 1
            return []
        return None

    def _nudge(link: Link, every: float) -> None:
        def again() -> None:
            if not link.server_open or not link.client_open:
                return
            if link.world.now() - link.memo.get("heard", 0.0) > every * 1.5:
                link.fired()
                link.memo["nudged"] = link.memo.get("nudged", 0) + 1
                link.to_server(Pingreq())
            link.later(every, again)

        link.later(every, again)

    return Hooks(down=down)


def _close(link: Link, code: int) -> None:
    link.fired()
    if link.version == 5:
        link.to_client(Disconnect(code))
    link.end_client()
    link.end_server()


def _too_soon(after: Callable[[float], float], kinds: tuple[type[Any], ...] | None = None) -> Callable[[], Rule]:
    """A client is disconnected too soon; with `kinds`, only these packets count as a sign of life."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            if isinstance(packet, Connack) and packet.reason_code == 0 and link.connect is not None:
                link.memo["sign"] = link.world.now()
                limit = after(link.connect.keep_alive)
                if limit:
                    _watch(link, limit)
            return None

        def up(link: Link, packet: Any, data: bytes) -> Out:
            if kinds is None or isinstance(packet, kinds):
                link.memo["sign"] = link.world.now()
            return None

        def _watch(link: Link, limit: float) -> None:
            def look() -> None:
                idle = link.world.now() - link.memo["sign"]
                if not link.server_open or not link.client_open:
                    return
                if idle >= limit - 0.005:
                    _close(link, 0x8D)
                else:
                    link.later(limit - idle, look)

            link.later(limit, look)

        return Hooks(down=down, up=up)

    return make


def _later_timeout() -> Rule:
    """The Keep Alive is taken for five times what the client said."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and 0 < packet.keep_alive < 13_000:
            return [packet.replace(keep_alive=packet.keep_alive * 5)]
        return None

    return Hooks(up=up)


# ---------------------------------------------------------------- what CONNACK announces


def _take(when: Callable[[Any], bool], made: Callable[[Link, Any], Any] | None = None) -> Callable[[], Rule]:
    """Take a packet that the announced limits forbid. With `made`, the broker sees another packet."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Pubrel) and packet.packet_id in link.memo.get("mine", ()):
                link.to_client(Pubcomp(packet.packet_id))
                return []
            if isinstance(packet, Violation) or not when(packet):
                return None
            if made is not None:
                return [made(link, packet)]
            if isinstance(packet, Publish):
                _acknowledge(link, packet)
            elif isinstance(packet, Subscribe):
                link.to_client(Suback(packet.packet_id, [one.qos for one in packet.subscriptions]))
            return []

        return Hooks(up=up)

    return make


def _no_will(link: Link, packet: Any) -> Any:
    return packet.replace(will=None)


def rows() -> list[Fault]:
    """Return the faults of this module."""
    found: list[Fault] = []
    found.append(
        Fault(
            "receive-maximum-ignored",
            "MQTT5-3.3.4-9",
            "limits",
            5,
            None,
            "the Receive Maximum of the client is ignored",
            _connect_limit("receive_maximum", None),
            ("MQTT5-4.9.0-2", "MQTT5-4.9.0-1"),
        )
    )
    found.append(
        Fault(
            "receive-maximum-one-more",
            "MQTT5-4.9.0-2",
            "limits",
            5,
            None,
            "one message more than Receive Maximum is sent",
            _connect_more(1),
            ("MQTT5-3.3.4-9", "MQTT5-4.9.0-1"),
        )
    )
    found.append(
        Fault(
            "quota-not-reset",
            "X5-quota-reset",
            "limits",
            5,
            None,
            "the send quota of the old connection holds on the new one",
            _quota_not_reset,
        )
    )
    found.append(
        Fault("quota-puback", "X5-quota-ack", "limits", 5, 1, "PUBACK frees no room", _quota_held(Puback, False))
    )
    found.append(
        Fault(
            "quota-puback-refused",
            "X5-quota-ack",
            "limits",
            5,
            1,
            "a PUBACK with an error frees no room",
            _quota_held(Puback, True),
        )
    )
    found.append(
        Fault("quota-pubcomp", "X5-quota-ack", "limits", 5, 2, "PUBCOMP frees no room", _quota_held(Pubcomp, False))
    )
    found.append(
        Fault(
            "quota-pubrec-refused",
            "X5-quota-pubrec",
            "limits",
            5,
            2,
            "a PUBREC with an error frees no room",
            _quota_held(Pubrec, True),
        )
    )
    found.append(
        Fault(
            "quota-answers-wait",
            "MQTT5-3.3.4-10",
            "limits",
            5,
            None,
            "at Receive Maximum the other packets wait too",
            _answers_wait,
            ("MQTT5-4.9.0-3",),
        )
    )
    found.append(
        Fault(
            "quota-client-waits",
            "MQTT5-4.9.0-3",
            "limits",
            5,
            None,
            "at Receive Maximum the packets of the client are not processed",
            _qos0_waits,
            ("MQTT5-3.3.4-10",),
        )
    )
    found.append(
        Fault(
            "server-maximum-exceeded",
            "X5-receive-maximum-exceeded-server",
            "limits",
            5,
            None,
            "more than the Receive Maximum of the server is tolerated",
            _server_maximum,
            ("MQTT5-4.13.1-1",),
        )
    )
    found.append(
        Fault(
            "packet-size-ignored",
            "MQTT5-3.1.2-24",
            "limits",
            5,
            None,
            "the Maximum Packet Size of the client is ignored",
            _connect_limit("maximum_packet_size", None),
            ("MQTT5-3.1.2-25",),
        )
    )
    found.append(
        Fault(
            "packet-size-plus-1",
            "MQTT5-3.1.2-24",
            "limits",
            5,
            None,
            "the Maximum Packet Size counts without the Fixed Header",
            _size_plus,
            ("X5-packet-size-definition", "MQTT5-3.1.2-25"),
        )
    )
    found.append(
        Fault(
            "packet-size-closes",
            "MQTT5-3.1.2-25",
            "limits",
            5,
            None,
            "a message that is too large closes the connection of its receiver",
            _close_if_large,
        )
    )
    found.append(
        Fault(
            "packet-size-blocks",
            "MQTT5-3.1.2-25",
            "limits",
            5,
            None,
            "behind a message that is too large nothing is delivered",
            _blocked_by_large,
        )
    )
    found.append(
        Fault("packet-size-cut", "MQTT5-3.1.2-25", "limits", 5, None, "a message that is too large is cut", _large_cut)
    )
    found.append(
        Fault(
            "server-size-exceeded",
            "X5-packet-too-large-server",
            "limits",
            5,
            None,
            "packets above the announced Maximum Packet Size are tolerated",
            _server_size,
        )
    )
    found.append(
        Fault(
            "alias-ignored-maximum",
            "MQTT5-3.1.2-26",
            "alias",
            5,
            None,
            "a Topic Alias above the maximum of the client",
            _alias(lambda m: m + 1 if m else None),
            ("MQTT5-3.3.2-11",),
        )
    )
    found.append(
        Fault(
            "alias-without-maximum",
            "MQTT5-3.1.2-27",
            "alias",
            5,
            None,
            "a Topic Alias to a client that allows none",
            _alias(lambda m: None if m else 1),
            ("MQTT5-3.3.2-11", "MQTT5-3.1.2-26"),
        )
    )
    found.append(
        Fault(
            "alias-empty-unknown",
            "X5-publish-topic-or-alias",
            "alias",
            5,
            None,
            "an empty Topic Name and no alias",
            at(
                "any",
                lambda link, d: published(d.packet, topic="") if d.packet.topic and not _alias_up(d.packet) else None,
            ),
            ("MQTT5-4.7.3-1", "MQTT5-3.3.2-1"),
        )
    )
    found.append(
        Fault(
            "alias-not-set",
            "MQTT5-3.3.2-7",
            "alias",
            5,
            None,
            "an empty Topic Name with an alias that was never set on this connection",
            _alias(lambda m: m or None, True),
            ("MQTT5-3.3.2-1", "MQTT5-3.3.2-3"),
        )
    )
    found.append(Fault("alias-zero", "MQTT5-3.3.2-8", "alias", 5, None, "Topic Alias 0", _alias_zero))
    found.append(
        Fault(
            "alias-other-topic",
            "MQTT5-3.3.2-3",
            "alias",
            5,
            None,
            "the alias of another topic is sent",
            _alias_other_topic,
        )
    )
    found.append(
        Fault(
            "alias-carried-over",
            "MQTT5-3.3.2-7",
            "alias",
            5,
            None,
            "an alias of an earlier connection is taken",
            _alias_carried,
            ("X5-topic-alias-unknown-empty",),
        )
    )
    found.append(
        Fault(
            "alias-unknown-taken",
            "X5-topic-alias-unknown-empty",
            "alias",
            5,
            None,
            "an unknown alias is tolerated",
            _alias_unknown_taken,
            ("MQTT5-4.13.1-1",),
        )
    )
    found.append(
        Fault(
            "alias-above-taken",
            "X5-topic-alias-invalid",
            "alias",
            5,
            None,
            "an alias above the maximum of the server is tolerated",
            _alias_above_taken,
            ("MQTT5-4.13.1-1",),
        )
    )
    found.append(
        Fault(
            "alias-greatest-refused",
            "MQTT5-3.3.2-12",
            "alias",
            5,
            None,
            "the greatest legal alias is refused",
            _alias_refused("greatest"),
        )
    )
    found.append(
        Fault(
            "alias-again-refused",
            "X5-topic-alias-known-name",
            "alias",
            5,
            None,
            "a second Topic Name for an alias is refused",
            _alias_refused("again"),
            ("MQTT5-3.3.2-12",),
        )
    )
    found.append(
        Fault(
            "alias-not-changed",
            "X5-topic-alias-known-name",
            "alias",
            5,
            None,
            "a second Topic Name does not change the alias",
            _alias_not_changed,
            ("X5-topic-alias-known-empty",),
        )
    )
    found.append(
        Fault(
            "alias-directions-mixed",
            "X5-topic-alias-directions",
            "alias",
            5,
            None,
            "aliases of both directions are mixed up",
            _alias_mixed,
        )
    )
    found.append(
        Fault(
            "alias-forwarded",
            "MQTT5-3.1.2-27",
            "alias",
            5,
            None,
            "the alias of the publisher is passed on",
            _alias_forwarded,
            ("MQTT5-3.3.2-11", "MQTT5-3.1.2-26", "X5-topic-alias-directions"),
        )
    )
    found += both(
        "keep-alive-ignored",
        "MQTT5-3.1.2-22",
        "MQTT311-3.1.2-24",
        "keepalive",
        None,
        "a silent client is not disconnected",
        keep_alive_ignored,
    )
    found += both(
        "keep-alive-longer",
        "MQTT5-3.1.2-22",
        "MQTT311-3.1.2-24",
        "keepalive",
        None,
        "the Keep Alive is taken for five times its value",
        _later_timeout,
        ("MQTT5-3.2.2-22",),
    )
    found += both(
        "keep-alive-too-soon",
        "MQTT5-3.1.2-22",
        "MQTT311-3.1.2-24",
        "keepalive",
        None,
        "a client is disconnected after half its Keep Alive",
        _too_soon(lambda keep: keep * 0.5),
    )
    found += both(
        "keep-alive-pings-only",
        "MQTT5-3.1.2-22",
        "MQTT311-3.1.2-24",
        "keepalive",
        None,
        "only PINGREQ counts for the Keep Alive",
        _too_soon(lambda keep: keep * 1.5, (Pingreq,)),
    )
    found.append(
        Fault(
            "keep-alive-0-closes",
            "X5-keep-alive-zero",
            "keepalive",
            5,
            None,
            "Keep Alive 0 disconnects after a second",
            _too_soon(lambda keep: 0 if keep else 1.0),
        )
    )
    no_qos2 = (("maximum_qos", "1"),)
    found.append(
        Fault(
            "maximum-qos-exceeded",
            "X5-maximum-qos-exceeded",
            "limits",
            5,
            2,
            "a PUBLISH above the announced Maximum QoS is taken",
            _take(lambda p: isinstance(p, Publish) and p.qos == 2),
            ("MQTT5-4.13.1-1",),
            no_qos2,
        )
    )
    found.append(
        Fault(
            "maximum-qos-will",
            "MQTT5-3.2.2-12",
            "limits",
            5,
            2,
            "a Will QoS above the announced Maximum QoS is taken",
            _take(
                lambda p: isinstance(p, Connect) and p.will is not None and p.will.qos == 2,
                lambda link, p: p.replace(will=p.will.replace(qos=1)),
            ),
            (),
            no_qos2,
        )
    )
    found.append(
        Fault(
            "maximum-qos-subscribe",
            "MQTT5-3.2.2-10",
            "limits",
            5,
            2,
            "a SUBSCRIBE above the announced Maximum QoS closes the connection",
            _refuse_subscribe,
            (),
            no_qos2,
        )
    )
    found.append(
        Fault(
            "maximum-qos-untold",
            "MQTT5-3.2.2-9",
            "limits",
            5,
            2,
            "Maximum QoS is missing in CONNACK",
            _untold("maximum_qos"),
            (),
            no_qos2,
        )
    )
    no_retain = (("retain_available", "false"),)
    found.append(
        Fault(
            "retain-unavailable-taken",
            "X5-retain-not-supported-protocol-error",
            "limits",
            5,
            None,
            "RETAIN 1 is taken though retained messages are not available",
            _take(lambda p: isinstance(p, Publish) and p.retain),
            ("MQTT5-4.13.1-1",),
            no_retain,
        )
    )
    found.append(
        Fault(
            "retain-unavailable-will",
            "MQTT5-3.2.2-13",
            "limits",
            5,
            None,
            "Will Retain 1 is taken though retained messages are not available",
            _take(lambda p: isinstance(p, Connect) and p.will is not None and p.will.retain, _no_will),
            (),
            no_retain,
        )
    )
    found.append(
        Fault(
            "wildcards-unavailable-taken",
            "X5-wildcard-not-supported",
            "limits",
            5,
            None,
            "a filter with wildcards is taken though they are not available",
            _take(
                lambda p: (
                    isinstance(p, Subscribe)
                    and any("+" in s.topic_filter or "#" in s.topic_filter for s in p.subscriptions)
                )
            ),
            ("MQTT5-4.13.1-1",),
            (("wildcard_sub_available", "false"),),
        )
    )
    found.append(
        Fault(
            "identifiers-unavailable-taken",
            "X5-subscription-identifier-not-supported",
            "limits",
            5,
            None,
            "a Subscription Identifier is taken though they are not available",
            _take(
                lambda p: (
                    isinstance(p, Subscribe) and p.properties is not None and bool(p.properties.subscription_identifier)
                )
            ),
            ("MQTT5-4.13.1-1",),
            (("sub_id_available", "false"),),
        )
    )
    found.append(
        Fault(
            "shared-unavailable-taken",
            "X5-shared-not-supported",
            "limits",
            5,
            None,
            "a Shared Subscription is taken though they are not available",
            _take(
                lambda p: (
                    isinstance(p, Subscribe) and any(s.topic_filter.startswith("$share/") for s in p.subscriptions)
                )
            ),
            ("MQTT5-4.13.1-1",),
            (("shared_sub_available", "false"),),
        )
    )
    return found


def _size_plus() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.properties is not None and packet.properties.maximum_packet_size:
            made = packet.properties.maximum_packet_size + 2
            return [packet.replace(properties=packet.properties.replace(maximum_packet_size=made))]
        return None

    return Hooks(up=up)


def _refuse_subscribe() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Subscribe) and any(one.qos == 2 for one in packet.subscriptions):
            _close(link, 0x9B)
            return []
        return None

    return Hooks(up=up)


def _untold(name: str) -> Callable[[], Rule]:
    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            if (
                isinstance(packet, Connack)
                and packet.properties is not None
                and getattr(packet.properties, name) is not None
            ):
                return [packet.replace(properties=packet.properties.replace(**{name: None}))]
            return None

        return Hooks(down=down)

    return make
