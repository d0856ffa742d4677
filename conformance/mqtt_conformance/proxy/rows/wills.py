# SPDX-License-Identifier: MIT
"""Faults of Will Messages: sent when they must not be, not sent when they must be, too early, too late, or changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Fault, Hooks, Out, Rule, both
from mqtt_conformance.proxy.rows.sessions import expiry_of, on_connect
from mqtt_conformance.proxy.world import Link
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Publish,
    PublishProperties,
    Will,
    WillProperties,
)
from mqtt_ref.wire.violation import Violation

__all__ = ["rows"]


def _will(change: Callable[[Will], Will | None]) -> Callable[[], Rule]:
    """Change the will that the broker stores."""

    def done(link: Link, packet: Connect) -> Out:
        made = change(packet.will) if packet.will is not None else None
        return None if made is None else [packet.replace(will=made)]

    return on_connect(done)


def _delay(packet: Connect) -> int:
    given = packet.will.properties if packet.will is not None else None
    return (given.will_delay_interval or 0) if given is not None else 0


def _with_delay(seconds: int | None, when: Callable[[int], bool]) -> Callable[[], Rule]:
    def done(link: Link, packet: Connect) -> Out:
        if packet.will is None or not when(_delay(packet)):
            return None
        props = (packet.will.properties or WillProperties()).replace(will_delay_interval=seconds)
        return [packet.replace(will=packet.will.replace(properties=props))]

    return on_connect(done)


def _delay_and_session() -> Callable[[], Rule]:
    """The will waits for its delay although the session ends first: the session is made to last."""

    def done(link: Link, packet: Connect) -> Out:
        if _delay(packet) <= expiry_of(packet) or not packet.client_id:
            return None
        props = (packet.properties or ConnectProperties()).replace(session_expiry_interval=_delay(packet))
        return [packet.replace(properties=props)]

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and link.memo.get("changed") and packet.properties is not None:
            if packet.properties.session_expiry_interval is not None:
                return [packet.replace(properties=packet.properties.replace(session_expiry_interval=None))]
        return None

    return on_connect(done, down)


def _has_will(link: Link) -> bool:
    return link.connect is not None and link.connect.will is not None


def _swallow_disconnect(when: Callable[[Disconnect], bool]) -> Callable[[], Rule]:
    """The DISCONNECT does not reach the broker; the connection is closed without one."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Disconnect) and _has_will(link) and when(packet):
                link.end_server()
                return []
            return None

        return Hooks(up=up)

    return make


def _as_normal(when: Callable[[Disconnect], bool]) -> Callable[[], Rule]:
    """A DISCONNECT with another Reason Code deletes the will."""

    def make() -> Rule:
        def up(link: Link, packet: Any, data: bytes) -> Out:
            if isinstance(packet, Disconnect) and _has_will(link) and packet.reason_code and when(packet):
                return [packet.replace(reason_code=0)]
            return None

        return Hooks(up=up)

    return make


def _silent_close() -> Rule:
    """The client closes without DISCONNECT: the broker is told a normal end."""

    def gone(link: Link) -> None:
        if _has_will(link) and link.server_open and link.accepted and not link.memo.get("bye"):
            link.fired()
            link.to_server(Disconnect())

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Disconnect | Violation):
            link.memo["bye"] = True
        return None

    return Hooks(up=up, client_gone=gone)


def _silent_timeout() -> Rule:
    """A client that exceeds its Keep Alive is disconnected, and its will is deleted."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code == 0 and _has_will(link):
            keep = link.connect.keep_alive if link.connect is not None else 0
            if keep:
                _watch(link, keep * 1.5 - 0.02)
        return None

    def _watch(link: Link, limit: float) -> None:
        def look() -> None:
            idle = link.world.now() - link.memo.get("heard", 0.0)
            if not link.server_open or not link.client_open:
                return
            if idle >= limit - 0.005:
                link.fired()
                link.to_server(Disconnect())
                if link.version == 5:
                    link.to_client(Disconnect(0x8D))
                link.end_client()
            else:
                link.later(limit - idle, look)

        link.later(limit, look)

    return Hooks(down=down)


def _silent_error() -> Rule:
    """A client that breaks a rule is disconnected, and its will is deleted."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Violation) and _has_will(link) and link.accepted:
            if link.version == 5:
                link.to_client(Disconnect(packet.reason if packet.reason >= 0x80 else 0x81))
            link.end_client()
            return [Disconnect()]
        return None

    return Hooks(up=up)


def _silent_takeover() -> Rule:
    """The will of a client that is taken over is deleted."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.packets_up == 1:
            old = link.world.current.get(packet.client_id)
            if old is not None and old is not link and old.client_open and old.server_open and _has_will(old):
                link.fired()
                old.to_server(Disconnect())
                if old.version == 5:
                    old.to_client(Disconnect(0x8E))
                old.end_client()
        return None

    return Hooks(up=up)


def _publish_will(link: Link, will: Will) -> None:
    props = will.properties
    made = PublishProperties(
        content_type=props.content_type, user_property=list(props.user_property)
    ) if props is not None else None  # fmt: skip
    link.fired()
    link.world.publish(Publish(will.topic, will.payload, 0, will.retain, properties=made))


def _after_reconnect() -> Rule:
    """The will comes although the client is back before the Will Delay Interval has passed."""

    def gone(link: Link) -> None:
        if link.connect is not None and _delay(link.connect) and not link.normal_end:
            link.world.memo.setdefault("absent", {})[link.client_id] = link.connect.will

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect):
            will = link.world.memo.get("absent", {}).pop(packet.client_id, None)
            if will is not None and not packet.clean_start:
                _publish_will(link, will)
        return None

    return Hooks(up=up, client_gone=gone)


def _old_will_kept() -> Rule:
    """A will that was published or deleted is used again for the next connection, which has none."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and link.packets_up == 1:
            wills: dict[str, Will] = link.world.memo.setdefault("wills", {})
            if packet.will is not None:
                wills[packet.client_id] = packet.will
            elif packet.client_id in wills:
                return [packet.replace(will=wills[packet.client_id])]
        return None

    return Hooks(up=up)


def _will_twice() -> Rule:
    """The will is published twice."""

    def gone(link: Link) -> None:
        if _has_will(link) and link.accepted and not link.normal_end and link.connect is not None:
            will = link.connect.will
            if will is not None and not _delay(link.connect):
                link.later(0.2, lambda: _publish_will(link, will))

    return Hooks(client_gone=gone)


def _at_connect() -> Rule:
    """The will is published as soon as the client is connected."""

    def down(link: Link, packet: Any) -> Out:
        if isinstance(packet, Connack) and packet.reason_code == 0 and link.connect is not None:
            if link.connect.will is not None:
                _publish_will(link, link.connect.will)
        return None

    return Hooks(down=down)


def _session_end(link: Link, packet: Connect) -> Out:
    """A takeover with Clean Start 1 does not publish a delayed will: the session goes on."""
    old = link.world.current.get(packet.client_id)
    if not packet.clean_start or old is None or old.connect is None or not _delay(old.connect) or not old.client_open:
        return None
    return [packet.replace(clean_start=False)]


def _not_present(link: Link, packet: Any) -> Out:
    if isinstance(packet, Connack) and link.memo.get("changed") and packet.session_present:
        return [packet.replace(session_present=False)]
    return None


def _property(name: str) -> Callable[[Will], Will | None]:
    def change(will: Will) -> Will | None:
        if will.properties is None or getattr(will.properties, name) in (None, []):
            return None
        return will.replace(properties=will.properties.replace(**{name: [] if name == "user_property" else None}))

    return change


def _reordered(will: Will) -> Will | None:
    given = will.properties.user_property if will.properties is not None else []
    if will.properties is None or given == given[::-1]:
        return None
    return will.replace(properties=will.properties.replace(user_property=given[::-1]))


def _expiry_kept_running(seconds: int) -> Callable[[Will], Will | None]:
    def change(will: Will) -> Will | None:
        if will.properties is None or not will.properties.message_expiry_interval:
            return None
        made = max(1, will.properties.message_expiry_interval - seconds)
        if made == will.properties.message_expiry_interval:
            return None
        return will.replace(properties=will.properties.replace(message_expiry_interval=made))

    return change


def _no_qos(qos: int) -> Callable[[Will], Will | None]:
    return lambda will: will.replace(qos=0) if will.qos == qos else None


def rows() -> list[Fault]:
    """Return the faults of this module."""
    found: list[Fault] = []
    found += both(
        "will-after-disconnect",
        "MQTT5-3.14.4-3",
        "MQTT311-3.14.4-3",
        "will",
        None,
        "a will is published after a normal DISCONNECT",
        _swallow_disconnect(lambda p: p.reason_code == 0),
        ("MQTT5-3.1.2-10", "MQTT311-3.1.2-10", "MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    )
    found += both(
        "will-not-on-close",
        "X5-will-on-client-close",
        "MQTT311-3.1.2-8",
        "will",
        None,
        "a will is not published when the client closes without DISCONNECT",
        _silent_close,
        ("MQTT5-3.1.2-8", "X311-will-situations", "X5-will-on-network-failure"),
    )
    found += both(
        "will-not-on-timeout",
        "X5-will-on-keep-alive-timeout",
        "X311-will-situations",
        "will",
        None,
        "a will is not published when the Keep Alive is exceeded",
        _silent_timeout,
        ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8", "MQTT5-3.1.2-22", "MQTT311-3.1.2-24"),
    )
    found += both(
        "will-not-on-error",
        "X5-will-on-server-close",
        "X311-will-situations",
        "will",
        None,
        "a will is not published when the server closes after an error",
        _silent_error,
        ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    )
    found += both(
        "will-not-on-takeover",
        "X5-takeover-will-no-delay",
        "MQTT311-3.1.2-8",
        "takeover",
        None,
        "a will is not published when the client is taken over",
        _silent_takeover,
        ("X5-takeover-will", "MQTT5-3.1.2-8", "X311-will-situations", "X5-takeover-will-session-end"),
    )
    found.append(
        Fault(
            "will-not-on-0x04",
            "X5-disconnect-with-will",
            "will",
            5,
            None,
            "DISCONNECT 0x04 deletes the will",
            _as_normal(lambda p: p.reason_code == 4),
            ("MQTT5-3.1.2-8",),
        )
    )
    found.append(
        Fault(
            "will-not-on-0x80",
            "MQTT5-3.1.2-8",
            "will",
            5,
            None,
            "a DISCONNECT with an error deletes the will",
            _as_normal(lambda p: p.reason_code != 4),
            ("MQTT5-3.1.2-10", "X5-will-on-client-close", "MQTT5-3.14.4-3"),
        )
    )
    found += both(
        "will-at-connect",
        "MQTT5-3.1.2-8",
        "MQTT311-3.1.2-8",
        "will",
        None,
        "a will is published as soon as the client is connected",
        _at_connect,
    )
    found += both(
        "will-twice", "MQTT5-3.1.2-10", "MQTT311-3.1.2-10", "will", None, "a will is published twice", _will_twice
    )
    found += both(
        "will-of-older-connection",
        "MQTT5-3.1.2-10",
        "MQTT311-3.1.2-10",
        "will",
        None,
        "the will of an earlier connection is published for one without a will",
        _old_will_kept,
        ("MQTT311-3.1.2-12",),
    )
    found += both(
        "will-retain-added",
        "MQTT5-3.1.2-14",
        "MQTT311-3.1.2-16",
        "retained-will",
        None,
        "a will with Will Retain 0 is retained",
        _will(lambda w: w.replace(retain=True) if not w.retain else None),
    )
    found += both(
        "will-retain-lost",
        "MQTT5-3.1.2-15",
        "MQTT311-3.1.2-17",
        "retained-will",
        None,
        "a will with Will Retain 1 is not retained",
        _will(lambda w: w.replace(retain=False) if w.retain else None),
    )
    for qos in (1, 2):
        found += both(
            f"will-stored-qos-{qos}",
            "X5-will-published-qos",
            "X311-will-qos",
            "will",
            qos,
            f"a will of QoS {qos} is published with QoS 0",
            _will(_no_qos(qos)),
        )
    found += both(
        "will-empty-payload-lost",
        "X5-will-payload-published",
        "X311-will-payload",
        "will",
        None,
        "a will without a payload is not published",
        on_connect(lambda link, p: [p.replace(will=None)] if p.will is not None and not p.will.payload else None),
        ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    )
    found += both(
        "will-not-stored",
        "MQTT5-3.1.2-7",
        "MQTT311-3.1.2-8",
        "will",
        None,
        "wills are ignored",
        on_connect(lambda link, p: [p.replace(will=None)] if p.will is not None else None),
        ("MQTT5-3.1.2-8",),
    )
    found += both(
        "will-other-topic",
        "X5-will-payload-published",
        "X311-will-payload",
        "will",
        None,
        "a will is published to another topic",
        _will(lambda w: w.replace(topic=w.topic + "/x")),
        ("MQTT5-3.1.2-8", "MQTT311-3.1.2-8"),
    )
    for name in (
        "payload_format_indicator",
        "content_type",
        "response_topic",
        "correlation_data",
        "user_property",
        "message_expiry_interval",
    ):
        statement = (
            "X5-will-message-expiry-sent" if name == "message_expiry_interval" else "X5-will-properties-published"
        )
        found.append(
            Fault(
                f"will-stored-without-{name.replace('_', '-')}",
                statement,
                "will",
                5,
                None,
                f"the broker does not store the {name} of a will",
                _will(_property(name)),
                ("X5-will-properties-published",),
            )
        )
    found.append(
        Fault(
            "will-stored-reordered",
            "MQTT5-3.1.3-10",
            "will",
            5,
            None,
            "the User Properties of a will are stored in another order",
            _will(_reordered),
            ("MQTT5-3.3.2-18",),
        )
    )
    found.append(
        Fault(
            "will-expiry-changed",
            "X5-will-message-expiry-sent",
            "will",
            5,
            None,
            "the Message Expiry Interval of a will is too small",
            _will(_expiry_kept_running(5)),
        )
    )
    found.append(
        Fault(
            "will-delay-ignored",
            "X5-will-delay-first-event",
            "will",
            5,
            None,
            "a delayed will is published at once",
            _with_delay(None, lambda d: d > 0),
            ("MQTT5-3.1.2-8", "MQTT5-3.1.3-9"),
        )
    )
    found.append(
        Fault(
            "will-delay-invented",
            "X5-will-delay-absent",
            "will",
            5,
            None,
            "a will without delay is delayed by a minute",
            _delayed,
            ("MQTT5-3.1.2-8",),
        )
    )
    found.append(
        Fault(
            "will-delay-longer",
            "X5-will-delay-first-event",
            "will",
            5,
            None,
            "a will is delayed by an hour whatever its delay",
            _with_delay(3600, lambda d: 0 < d < 3600),
            ("MQTT5-3.1.2-8",),
        )
    )
    found.append(
        Fault(
            "will-delay-outlives-session",
            "X5-will-delay-first-event",
            "will",
            5,
            None,
            "a will waits for its delay although the session has ended",
            _delay_and_session(),
            ("MQTT5-3.1.2-8",),
        )
    )
    found.append(
        Fault(
            "will-after-reconnect",
            "MQTT5-3.1.3-9",
            "will",
            5,
            None,
            "a delayed will is published although the client is back",
            _after_reconnect,
            ("MQTT5-3.1.2-8",),
        )
    )
    found.append(
        Fault(
            "will-not-at-session-end",
            "X5-takeover-will-session-end",
            "takeover",
            5,
            None,
            "Clean Start 1 does not end the session whose will is delayed",
            on_connect(_session_end, _not_present),
            ("X5-takeover-will", "X5-will-delay-first-event"),
        )
    )
    return found


def _delayed() -> Rule:
    """Every will without delay is delayed, and the session lasts as long."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.will is not None and not _delay(packet) and expiry_of(packet) > 60:
            props = (packet.will.properties or WillProperties()).replace(will_delay_interval=60)
            return [packet.replace(will=packet.will.replace(properties=props))]
        return None

    return Hooks(up=up)
