# SPDX-License-Identifier: MIT
"""Adapter for Eclipse paho-mqtt 2.x: one network thread per client, callbacks of version 2."""

import socket
import struct
import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from interop.peer import (
    DEADLINE,
    KEPT_FOR,
    NO_PROPERTIES,
    V5,
    ClientFailure,
    Inbox,
    Message,
    Options,
    Properties,
)


def new_properties(packet: int) -> PahoProperties:
    """Return an empty property set of paho, which has no type annotations."""
    return PahoProperties(packet)  # type: ignore[no-untyped-call]


def to_paho(properties: Properties, packet: int) -> PahoProperties | None:
    """Return the properties as paho's, or None if there are none."""
    if properties == NO_PROPERTIES:
        return None
    result = new_properties(packet)
    if properties.payload_format_indicator is not None:
        result.PayloadFormatIndicator = properties.payload_format_indicator
    if properties.message_expiry_interval is not None:
        result.MessageExpiryInterval = properties.message_expiry_interval
    if properties.content_type is not None:
        result.ContentType = properties.content_type
    if properties.response_topic is not None:
        result.ResponseTopic = properties.response_topic
    if properties.correlation_data is not None:
        result.CorrelationData = properties.correlation_data
    if properties.user_property:
        result.UserProperty = list(properties.user_property)
    return result


def from_paho(properties: PahoProperties | None) -> Properties:
    """Convert paho's properties of a PUBLISH."""
    if properties is None:
        return NO_PROPERTIES
    return Properties(
        payload_format_indicator=getattr(properties, "PayloadFormatIndicator", None),
        message_expiry_interval=getattr(properties, "MessageExpiryInterval", None),
        content_type=getattr(properties, "ContentType", None),
        response_topic=getattr(properties, "ResponseTopic", None),
        correlation_data=getattr(properties, "CorrelationData", None),
        user_property=tuple(getattr(properties, "UserProperty", ())),
        subscription_identifier=tuple(getattr(properties, "SubscriptionIdentifier", ())),
    )


def from_paho_message(message: mqtt.MQTTMessage) -> Message:
    """Convert a message that paho received."""
    return Message(
        message.topic,
        bytes(message.payload),
        message.qos,
        message.retain,
        message.dup,
        from_paho(message.properties),
    )


def session_arguments(options: Options) -> "tuple[bool | None, mqtt.CleanStartOption, PahoProperties | None]":
    """Return (clean_session for 3.x, clean_start for 5.0, CONNECT properties for 5.0)."""
    if options.version != V5:
        return options.session == "clean", mqtt.MQTT_CLEAN_START_FIRST_ONLY, None
    properties = None
    if options.session != "clean":
        properties = new_properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = KEPT_FOR
    return None, options.session != "resume", properties


def cut(link: "mqtt.SocketLike | None") -> None:
    """End a link at once in both directions, so that nothing more can be sent on it, not even a DISCONNECT."""
    end: object = getattr(link, "_socket", link)  # over WebSocket paho wraps the socket
    if isinstance(end, socket.socket):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)


class _Answer:
    """Passes the result of a callback to the thread that waits for it."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.value: Any = None

    def set(self, value: Any) -> None:
        self.value = value
        self.came.set()

    def wait(self, what: str) -> Any:
        if not self.came.wait(DEADLINE):
            raise ClientFailure(f"waited {DEADLINE:g} s for {what}")
        return self.value


class PahoClient:
    """`interop.peer.Client` on paho-mqtt."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._client: mqtt.Client | None = None
        self._version = 0
        self._leaving = False
        self._answers: dict[tuple[str, int], _Answer] = {}
        self._lock = threading.Lock()

    def connect(self, options: Options) -> bool | None:
        """Connect and wait for the CONNACK."""
        self.close()
        clean_session, clean_start, properties = session_arguments(options)
        self._version = options.version
        self._leaving = False
        self._answers = {}
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=clean_session,
            protocol=MQTTProtocolVersion(options.version),
            transport="websockets" if options.websocket else "tcp",
            reconnect_on_failure=False,
        )
        connected = _Answer()
        client.on_connect = lambda _c, _u, flags, reason, _p: connected.set((reason, flags.session_present))
        client.on_message = lambda _c, _u, message: self.inbox.put(from_paho_message(message))
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._answer("suback", mid).set(reasons)
        client.on_unsubscribe = lambda _c, _u, mid, reasons, _p: self._answer("unsuback", mid).set(reasons)
        client.on_disconnect = lambda _c, _u, _flags, reason, _p: self._lost(str(reason))
        client.on_publish = lambda _c, _u, mid, reason, _p: self._answer("publish", mid).set(reason)
        if options.will is not None:
            will = options.will
            will_properties = to_paho(will.properties, PacketTypes.WILLMESSAGE)
            client.will_set(will.topic, will.payload, will.qos, will.retain, will_properties)
        self._client = client
        client.connect(options.host, options.port, options.keep_alive, clean_start=clean_start, properties=properties)
        client.loop_start()
        reason, session_present = connected.wait("CONNACK")
        if reason.is_failure:
            raise ClientFailure(f"CONNACK {reason}")
        return bool(session_present)

    def subscribe(self, filters: list[str], qos: int, identifier: int | None = None) -> list[int]:
        """Subscribe to all filters with one SUBSCRIBE."""
        properties = None
        if identifier is not None:
            properties = new_properties(PacketTypes.SUBSCRIBE)
            properties.SubscriptionIdentifier = identifier
        if self._version == V5:
            asked = [(name, SubscribeOptions(qos=qos)) for name in filters]
            result, mid = self._link().subscribe(asked, properties=properties)
        else:
            result, mid = self._link().subscribe([(name, qos) for name in filters])
        if result != mqtt.MQTT_ERR_SUCCESS or mid is None:
            raise ClientFailure(f"subscribe: {mqtt.error_string(result)}")
        reasons: list[ReasonCode] = self._answer("suback", mid).wait("SUBACK")
        return [reason.value for reason in reasons]

    def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe from one filter."""
        result, mid = self._link().unsubscribe(topic_filter)
        if result != mqtt.MQTT_ERR_SUCCESS or mid is None:
            raise ClientFailure(f"unsubscribe: {mqtt.error_string(result)}")
        self._answer("unsuback", mid).wait("UNSUBACK")

    def publish(self, message: Message) -> None:
        """Publish and wait for PUBACK or PUBCOMP. A negative one is a failure."""
        properties = to_paho(message.properties, PacketTypes.PUBLISH) if self._version == V5 else None
        info = self._link().publish(message.topic, message.payload, message.qos, message.retain, properties)
        if info.rc not in (mqtt.MQTT_ERR_SUCCESS, mqtt.MQTT_ERR_NO_CONN):
            raise ClientFailure(f"publish: {mqtt.error_string(info.rc)}")
        reason = self._answer("publish", info.mid).wait(f"the end of the QoS {message.qos} exchange")
        if reason.is_failure:
            raise ClientFailure(f"PUBLISH was refused: {reason}")

    def disconnect(self) -> None:
        """Send DISCONNECT. paho's thread ends when the link is closed."""
        client = self._link()
        self._leaving = True
        client.disconnect()
        client.loop_stop()
        self._client = None

    def drop(self) -> None:
        """Shut down the socket under paho."""
        client = self._link()
        self._leaving = True
        cut(client.socket())
        client.loop_stop()
        self._client = None

    def close(self) -> None:
        """Drop the link if it is still there."""
        if self._client is not None:
            try:
                self.disconnect()
            except OSError:
                self._client = None

    def _link(self) -> mqtt.Client:
        if self._client is None:
            raise ClientFailure("not connected")
        return self._client

    def _lost(self, why: str) -> None:
        if not self._leaving:
            self.inbox.link_lost(why)

    def _answer(self, kind: str, mid: int) -> _Answer:
        # The answer may come before the call that requests it has returned the identifier.
        with self._lock:
            return self._answers.setdefault((kind, mid), _Answer())
