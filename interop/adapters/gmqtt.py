# SPDX-License-Identifier: MIT
"""Adapter for gmqtt: asyncio, speaks 5.0 and 3.1.1.

It counts characters where MQTT counts bytes. So Client Identifiers, and filters to unsubscribe from, must be ASCII.
"""

import asyncio
import logging
from typing import Any

import gmqtt
from gmqtt.storage import PersistentStorage

from interop.adapters import loop
from interop.peer import (
    DEADLINE,
    KEPT_FOR,
    V5,
    ClientFailure,
    Inbox,
    Message,
    Options,
    Properties,
)

# gmqtt logs a traceback when the link is lost, which a scenario does on purpose.
_quiet = logging.getLogger("interop.gmqtt")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False
logging.getLogger("gmqtt.mqtt.protocol").setLevel(logging.ERROR)

# gmqtt reconnects while `failed connections <= reconnect_retries`: 0 means once, -1 forever.
_NEVER = -2


def to_gmqtt(properties: Properties) -> dict[str, Any]:
    """Return the properties under gmqtt's names."""
    named: dict[str, Any] = {
        "payload_format_id": properties.payload_format_indicator,
        "message_expiry_interval": properties.message_expiry_interval,
        "content_type": properties.content_type,
        "response_topic": properties.response_topic,
        "correlation_data": properties.correlation_data,
        "user_property": list(properties.user_property) or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def from_gmqtt(properties: dict[str, Any]) -> Properties:
    """Convert gmqtt's properties (name to list of values)."""

    def one(name: str) -> Any:
        values = properties.get(name)
        return values[0] if values else None

    data = one("correlation_data")
    return Properties(
        payload_format_indicator=one("payload_format_id"),
        message_expiry_interval=one("message_expiry_interval"),
        content_type=one("content_type"),
        response_topic=one("response_topic"),
        correlation_data=None if data is None else bytes(data),
        user_property=tuple(properties.get("user_property", ())),
        subscription_identifier=tuple(properties.get("subscription_identifier", ())),
    )


class GmqttClient:
    """`interop.peer.Client` on gmqtt."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._client: Any = None
        self._storage: Any = None
        self._version = 0
        self._leaving = False
        self._subacks: dict[int, asyncio.Future[tuple[int, ...]]] = {}

    def connect(self, options: Options) -> bool | None:
        """Connect and wait for the CONNACK."""
        self.close()
        return loop.run(self._connect(options), "CONNACK")

    def subscribe(self, filters: list[str], qos: int, identifier: int | None = None) -> list[int]:
        """Subscribe to all filters with one SUBSCRIBE."""
        return loop.run(self._subscribe(filters, qos, identifier), "SUBACK")

    def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe from one filter."""
        loop.run(self._unsubscribe(topic_filter), "UNSUBACK")

    def publish(self, message: Message) -> None:
        """Publish, and wait until gmqtt waits for no acknowledgement."""
        loop.run(self._publish(message), f"the end of the QoS {message.qos} exchange")

    def disconnect(self) -> None:
        """Send DISCONNECT and close."""
        client, self._client = self._link(), None
        self._leaving = True
        loop.run(client.disconnect(), "the end of the link")

    def drop(self) -> None:
        """Abort the transport under gmqtt."""
        client, self._client = self._link(), None
        self._leaving = True
        loop.run(self._drop(client), "the end of the link")

    def close(self) -> None:
        """Drop the link if it is still there."""
        if self._client is not None:
            self.drop()

    def _link(self) -> Any:
        if self._client is None:
            raise ClientFailure("not connected")
        return self._client

    async def _connect(self, options: Options) -> bool:
        will = None
        if options.will is not None:
            will = gmqtt.Message(
                options.will.topic,
                options.will.payload,
                qos=options.will.qos,
                retain=options.will.retain,
                **to_gmqtt(options.will.properties),
            )
        properties: dict[str, Any] = {}
        if options.version == V5:
            clean = options.session != "resume"
            if options.session != "clean":
                properties["session_expiry_interval"] = KEPT_FOR
        else:
            clean = options.session == "clean"
        self._version = options.version
        self._leaving = False
        self._subacks = {}
        self._storage = PersistentStorage()
        client: Any = gmqtt.Client(
            options.client_id,
            clean_session=clean,
            will_message=will,
            persistent_storage=self._storage,
            logger=_quiet,
            **properties,
        )
        client.set_config({"reconnect_retries": _NEVER})
        present: list[bool] = []
        client.on_connect = lambda _client, flags, _rc, _properties: present.append(bool(flags))
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = lambda _client, mid, reasons, _properties: self._answer(mid).set_result(reasons)
        client.on_unsubscribe = lambda _client, mid, reasons: self._answer(mid).set_result(reasons)
        self._client = client
        try:
            await client.connect(options.host, options.port, keepalive=options.keep_alive, version=options.version)
        except gmqtt.MQTTConnectError as refusal:
            raise ClientFailure(f"CONNACK {refusal}") from None
        if not present or not client.is_connected:
            raise ClientFailure("the link was closed instead of a CONNACK")
        return present[0]

    def _on_message(self, _client: Any, topic: str, payload: bytes, qos: int, properties: dict[str, Any]) -> int:
        retain, dup = bool(properties["retain"]), bool(properties["dup"])
        self.inbox.put(Message(topic, bytes(payload), qos, retain, dup, from_gmqtt(properties)))
        return 0

    def _on_disconnect(self, _client: Any, packet: object, *_rest: object) -> None:
        if not self._leaving:
            self.inbox.link_lost(f"gmqtt: {packet!r}")

    async def _subscribe(self, filters: list[str], qos: int, identifier: int | None) -> list[int]:
        asked = [gmqtt.Subscription(name, qos=qos, subscription_identifier=identifier) for name in filters]
        mid = self._link().subscribe(asked)
        return list(await self._answer(mid))

    async def _unsubscribe(self, topic_filter: str) -> None:
        await self._answer(self._link().unsubscribe(topic_filter))

    async def _publish(self, message: Message) -> None:
        client = self._link()
        if not client.is_connected:
            raise ClientFailure("the link was closed by the broker")
        properties = to_gmqtt(message.properties) if self._version == V5 else {}
        client.publish(message.topic, message.payload, qos=message.qos, retain=message.retain, **properties)
        await self._storage.wait_empty()

    @staticmethod
    async def _drop(client: Any) -> None:
        connection = client._connection
        if connection is None:
            return
        connection._transport.abort()
        await asyncio.wait([asyncio.ensure_future(connection.close())], timeout=DEADLINE)

    def _answer(self, mid: int) -> "asyncio.Future[tuple[int, ...]]":
        return self._subacks.setdefault(mid, asyncio.get_running_loop().create_future())
