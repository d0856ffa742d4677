# SPDX-License-Identifier: MIT
"""Faults of a second author: will."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule, published
from mqtt_conformance.proxy.second.live import changed
from mqtt_conformance.proxy.second.session import expiry_of
from mqtt_conformance.proxy.second.takeover import will_message
from mqtt_conformance.proxy.second.tools import Make, changing, fault, prop, renouncing, requalified, rewriting, skip
from mqtt_conformance.proxy.world import Delivery, Link
from mqtt_ref.wire.packets import Connect, Disconnect, WillProperties
from mqtt_ref.wire.violation import Violation

__all__: list[str] = ["BOTH_WILLS", "WILL", "break_off", "will_retain"]

WILL = ("will",)
BOTH_WILLS = ("will", "retained-will")

fault(
    "will-user-properties-reversed",
    "MQTT5-3.1.3-10",
    "will",
    5,
    None,
    "the User Properties of a Will Message are published in reverse order",
)(changing(WILL, changed("user_property", lambda old: old[::-1])))
fault(
    "will-content-type-lost",
    "X5-will-properties-published",
    "will",
    5,
    None,
    "the Content Type of the Will Properties is not published",
    ("MQTT5-3.3.2-20",),
)(changing(BOTH_WILLS, changed("content_type", lambda old: None)))
fault(
    "will-correlation-data-lost",
    "X5-will-properties-published",
    "will",
    5,
    None,
    "the Response Topic of the Will Properties is published, the Correlation Data is not",
    ("MQTT5-3.3.2-16",),
)(changing(BOTH_WILLS, changed("correlation_data", lambda old: None)))
fault(
    "retained-will-payload-format-lost",
    "X5-will-properties-published",
    "retained-will",
    5,
    None,
    "a retained Will Message is sent to later subscribers without its Payload Format Indicator",
    ("MQTT5-3.3.2-4",),
)(changing(("retained-will",), changed("payload_format_indicator", lambda old: None)))


@fault(
    "will-expiry-from-connect",
    "X5-will-message-expiry-sent",
    "will",
    5,
    None,
    "the Message Expiry Interval of a Will Message runs from CONNECT on: it is lower by the seconds of the connection",
)
def _() -> Rule:
    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect) and packet.will is not None:
            link.world.memo[packet.will.topic, packet.will.payload] = link.world.now()
        return None

    def publish(link: Link, d: Delivery) -> Out:
        now = prop(d.packet, "message_expiry_interval")
        began = link.world.memo.get((d.topic, d.packet.payload))
        if d.path != "will" or now is None or began is None:
            return None
        left = max(0, now - int(link.world.now() - began))
        return [published(d.packet, message_expiry_interval=left)] if left != now else None

    return Hooks(up=up, publish=publish)


@fault(
    "will-qos1-as-qos0-311",
    "X311-will-qos",
    "will",
    4,
    1,
    "a Will Message with Will QoS 1 is published at QoS 0",
    ("MQTT311-3.1.2-9", "MQTT311-3.8.4-6"),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return requalified(link, d.packet, 0) if d.path == "will" and d.packet.qos == 1 else None

    return Hooks(publish=publish)


@fault(
    "retained-will-qos2-as-qos0",
    "X5-will-published-qos",
    "retained-will",
    5,
    2,
    "a Will Message with Will QoS 2 and Will Retain 1 is sent to later subscribers at QoS 0",
    ("MQTT5-3.8.4-8",),
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        return requalified(link, d.packet, 0) if d.path == "retained-will" and d.packet.qos == 2 else None

    return Hooks(publish=publish)


def will_retain(value: bool, test: Callable[[Link, Connect], bool] = lambda link, packet: True) -> Make:
    """Make a rule that changes Will Retain."""

    def change(link: Link, packet: Connect) -> Any:
        if packet.will is None or packet.will.retain == value or not test(link, packet):
            return None
        return packet.replace(will=packet.will.replace(retain=value))

    return rewriting(Connect, change)


fault(
    "will-retained-unasked-311",
    "MQTT311-3.1.2-16",
    "retained-will",
    4,
    0,
    "a Will Message with Will Retain 0 is kept as a retained message if its QoS is 0",
)(will_retain(True, lambda link, packet: packet.will is not None and packet.will.qos == 0))
fault(
    "will-delayed-not-retained",
    "MQTT5-3.1.2-15",
    "retained-will",
    5,
    None,
    "a Will Message with Will Retain 1 and a Will Delay is published as a non-retained message",
)(will_retain(False, lambda link, packet: packet.will is not None and bool(prop(packet.will, "will_delay_interval"))))


@fault(
    "retained-will-older-kept-311",
    "MQTT311-3.1.2-17",
    "retained-will",
    4,
    None,
    "a Will Message with Will Retain 1 does not replace the retained message: later subscribers get the old",
)
def _() -> Rule:
    def publish(link: Link, d: Delivery) -> Out:
        old = link.world.retained.get(d.topic)
        if d.path != "retained-will" or old is None or d.message is None or old.seq > d.message.seq:
            return None
        return [published(d.packet, payload=old.publish.payload)]

    return Hooks(publish=publish)


fault(
    "retained-will-flag-lost-311",
    "MQTT311-3.3.1-8",
    "retained-will",
    4,
    None,
    "a retained Will Message is sent to later subscribers with RETAIN 0",
    ("MQTT311-3.1.2-17",),
)(changing(("retained-will",), lambda packet, d: {"retain": False}))


def break_off(link: Link, packet: Disconnect) -> Any:
    """End the connection to the broker without the DISCONNECT."""
    link.end_server()
    return []


fault(
    "will-published-after-disconnect-311",
    "MQTT311-3.14.4-3",
    "will",
    4,
    2,
    "a Will Message with Will QoS 2 is published although the client sent DISCONNECT",
    ("MQTT311-3.1.2-8", "MQTT311-3.1.2-10"),
)(
    rewriting(
        Disconnect,
        lambda link, packet: (
            break_off(link, packet)
            if link.connect is not None and link.connect.will is not None and link.connect.will.qos == 2
            else None
        ),
    )
)
fault(
    "will-published-after-disconnect-with-properties",
    "MQTT5-3.14.4-3",
    "will",
    5,
    None,
    "a Will Message is published after a DISCONNECT 0x00 with a Session Expiry Interval or User Property",
    ("MQTT5-3.1.2-8", "MQTT5-3.1.2-10"),
)(
    rewriting(
        Disconnect,
        lambda link, packet: (
            packet.replace(reason_code=4)
            if packet.reason_code == 0
            and (prop(packet, "session_expiry_interval") is not None or prop(packet, "user_property"))
            and link.connect is not None
            and link.connect.will is not None
            else None
        ),
    )
)
fault(
    "will-lost-after-disconnect-0x04",
    "X5-disconnect-with-will",
    "will",
    5,
    None,
    "after DISCONNECT 0x04 the Will Message is not published",
    ("MQTT5-3.1.2-8",),
)(rewriting(Disconnect, lambda link, packet: packet.replace(reason_code=0) if packet.reason_code == 4 else None))
fault(
    "will-lost-after-error-disconnect",
    "MQTT5-3.1.2-8",
    "will",
    5,
    None,
    "after a DISCONNECT of the client with 0x80 or greater the Will Message is not published",
    ("MQTT5-3.1.2-10",),
)(rewriting(Disconnect, lambda link, packet: packet.replace(reason_code=0) if packet.reason_code >= 0x80 else None))


def _will_lost(test: Callable[[Link], bool]) -> Rule:
    """The will of a connection for which `test` holds is not delivered."""

    def up(link: Link, packet: Any, data: bytes) -> Out:
        if isinstance(packet, Connect):
            link.world.memo.setdefault("last", {})[packet.client_id] = link
        if isinstance(packet, Violation):
            link.memo["bad"] = True
        return None

    def server_gone(link: Link) -> bool:
        link.memo["server first"] = True
        return False

    def publish(link: Link, d: Delivery) -> Out:
        if d.path not in BOTH_WILLS or d.message is None:
            return None
        last = link.world.memo.get("last", {}).get(d.message.publisher)
        return skip(link, d) if last is not None and test(last) else None

    return Hooks(up=up, server_gone=server_gone, publish=publish)


def _silent(link: Link) -> bool:
    limit = link.connect.keep_alive if link.connect is not None else 0
    mine = link.client_open or bool(link.memo.get("server first"))
    return bool(limit and mine and link.world.now() - link.memo["heard"] >= 1.4 * limit)


fault(
    "will-lost-on-keep-alive-timeout-311",
    "X311-will-situations",
    "will",
    4,
    None,
    "when the broker closes because of the Keep Alive, the Will Message is not published",
    ("MQTT311-3.1.2-8", "MQTT311-3.1.2-24"),
)(lambda: _will_lost(_silent))
fault(
    "will-lost-on-keep-alive-timeout",
    "X5-will-on-keep-alive-timeout",
    "will",
    5,
    None,
    "when the broker closes because of the Keep Alive, the Will Message is not published",
    ("MQTT5-3.1.2-8", "MQTT5-3.1.2-22"),
)(lambda: _will_lost(_silent))
fault(
    "will-lost-on-protocol-error",
    "X5-will-on-server-close",
    "will",
    5,
    None,
    "when the broker closes because of a malformed packet or Protocol Error, the Will Message is not published",
    ("MQTT5-3.1.2-8",),
)(lambda: _will_lost(lambda link: bool(link.memo.get("bad"))))
fault(
    "will-lost-on-protocol-error-311",
    "MQTT311-3.1.2-8",
    "will",
    4,
    None,
    "when the broker closes because of a malformed packet, the Will Message is not published",
    ("X311-will-situations",),
)(lambda: _will_lost(lambda link: bool(link.memo.get("bad"))))
fault(
    "will-empty-lost-311",
    "X311-will-payload",
    "will",
    4,
    None,
    "a Will Message of zero bytes is not published",
    ("MQTT311-3.1.2-8",),
)(renouncing(BOTH_WILLS, lambda link, d: not d.packet.payload))


@fault(
    "will-with-length-bytes-31",
    "X31-will-message-published",
    "will",
    3,
    None,
    "the Will Message is published with the two bytes of its length in front",
)
def _() -> Rule:
    return changing(
        BOTH_WILLS, lambda packet, d: {"payload": len(packet.payload).to_bytes(2, "big") + packet.payload}
    )()


def _will_delay(change: Callable[[Connect, int], int | None]) -> Make:
    def make(link: Link, packet: Connect) -> Any:
        delay = prop(packet.will, "will_delay_interval") if packet.will is not None else None
        new = change(packet, delay) if delay else delay
        if new == delay or packet.will is None:
            return None
        properties = (packet.will.properties or WillProperties()).replace(will_delay_interval=new)
        return packet.replace(will=packet.will.replace(properties=properties))

    return rewriting(Connect, make)


fault(
    "will-delay-ignored-at-qos0",
    "X5-will-delay-first-event",
    "will",
    5,
    0,
    "the Will Delay Interval has no effect on a Will Message of QoS 0: it is published at once",
    ("MQTT5-3.1.2-8", "MQTT5-3.1.3-9"),
)(_will_delay(lambda packet, delay: 0 if packet.will is not None and packet.will.qos == 0 else delay))
fault(
    "will-delayed-lost-with-session",
    "MQTT5-3.1.2-8",
    "will",
    5,
    None,
    "a Will Message whose Will Delay is longer than the Session Expiry Interval is lost when the Session ends",
    ("X5-will-delay-first-event",),
)(
    lambda: _will_lost(
        lambda link: (
            link.connect is not None
            and link.connect.will is not None
            and (prop(link.connect.will, "will_delay_interval") or 0) > expiry_of(link.connect)
        )
    )
)


@fault(
    "will-not-cancelled-by-return",
    "MQTT5-3.1.3-9",
    "will",
    5,
    None,
    "the Will Message is published when its Will Delay is over although the client has come back before",
    ("MQTT5-3.1.2-8",),
)
def _() -> Rule:
    def client_gone(link: Link) -> None:
        will = link.connect.will if link.connect is not None else None
        delay = prop(will, "will_delay_interval") if will is not None else None
        if not delay or link.normal_end or not link.accepted or delay >= expiry_of(link.connect):  # type: ignore[arg-type]
            return

        def due() -> None:
            there = link.world.current.get(link.client_id)
            message = will_message(link)
            if there is not None and there.client_open and message is not None:
                link.world.publish(message)
                link.fired()

        link.later(delay, due)

    return Hooks(client_gone=client_gone)
