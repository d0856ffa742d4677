# SPDX-License-Identifier: MIT
"""Adapter for aiomqtt: asyncio on top of paho-mqtt's packets, with its own queues, calls and ways to close."""

import asyncio

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from interop.adapters import loop
from interop.adapters.paho import cut, from_paho, new_properties, session_arguments, to_paho
from interop.peer import (
    DEADLINE,
    V5,
    V31,
    V311,
    ClientFailure,
    Inbox,
    Message,
    Options,
)

_PROTOCOLS = {V31: aiomqtt.ProtocolVersion.V31, V311: aiomqtt.ProtocolVersion.V311, V5: aiomqtt.ProtocolVersion.V5}


class AiomqttClient:
    """`interop.peer.Client` on aiomqtt."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._client: aiomqtt.Client | None = None
        self._pump: asyncio.Task[None] | None = None
        self._version = 0
        self._leaving = False

    def connect(self, options: Options) -> bool | None:
        """Connect. aiomqtt does not show Session Present."""
        self.close()
        loop.run(self._connect(options), "CONNACK")
        return None

    def subscribe(self, filters: list[str], qos: int, identifier: int | None = None) -> list[int]:
        """Subscribe to all filters with one SUBSCRIBE."""
        return loop.run(self._subscribe(filters, qos, identifier), "SUBACK")

    def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe from one filter."""
        loop.run(self._link().unsubscribe(topic_filter), "UNSUBACK")

    def publish(self, message: Message) -> None:
        """Publish and wait for the end of the exchange."""
        properties = to_paho(message.properties, PacketTypes.PUBLISH) if self._version == V5 else None
        loop.run(
            self._link().publish(message.topic, message.payload, message.qos, message.retain, properties),
            f"the end of the QoS {message.qos} exchange",
        )

    def disconnect(self) -> None:
        """Send DISCONNECT and close."""
        client, self._client = self._link(), None
        self._leaving = True
        loop.run(self._leave(client), "the end of the link")

    def drop(self) -> None:
        """Shut down the socket under aiomqtt, which then notices the lost link."""
        client, self._client = self._link(), None
        self._leaving = True
        cut(client._client.socket())
        loop.run(self._leave(client), "the end of the link")

    def close(self) -> None:
        """Disconnect if still connected."""
        if self._client is not None:
            self.disconnect()

    def _link(self) -> aiomqtt.Client:
        if self._client is None:
            raise ClientFailure("not connected")
        return self._client

    async def _connect(self, options: Options) -> None:
        clean_session, clean_start, properties = session_arguments(options)
        will = None
        if options.will is not None:
            will = aiomqtt.Will(
                options.will.topic,
                options.will.payload,
                options.will.qos,
                options.will.retain,
                to_paho(options.will.properties, PacketTypes.WILLMESSAGE),
            )
        client = aiomqtt.Client(
            options.host,
            options.port,
            identifier=options.client_id,
            protocol=_PROTOCOLS[options.version],
            clean_session=clean_session,
            clean_start=clean_start,
            properties=properties,
            will=will,
            keepalive=options.keep_alive,
            timeout=DEADLINE,
            transport="websockets" if options.websocket else "tcp",
        )
        try:
            await client.__aenter__()
        except aiomqtt.MqttError as refusal:
            raise ClientFailure(str(refusal)) from None
        self._client = client
        self._version = options.version
        self._leaving = False
        self._pump = asyncio.ensure_future(self._receive(client))

    async def _receive(self, client: aiomqtt.Client) -> None:
        try:
            async for message in client.messages:
                payload = message.payload
                assert isinstance(payload, (bytes, bytearray))
                properties = from_paho(message.properties)
                self.inbox.put(
                    Message(str(message.topic), bytes(payload), message.qos, message.retain, None, properties)
                )
        except aiomqtt.MqttError as error:
            if not self._leaving:
                self.inbox.link_lost(str(error))

    async def _subscribe(self, filters: list[str], qos: int, identifier: int | None) -> list[int]:
        if self._version != V5:
            granted = await self._link().subscribe([(name, qos) for name in filters])
        else:
            properties = None
            if identifier is not None:
                properties = new_properties(PacketTypes.SUBSCRIBE)
                properties.SubscriptionIdentifier = identifier
            asked = [(name, SubscribeOptions(qos=qos)) for name in filters]
            granted = await self._link().subscribe(asked, properties=properties)
        return [reason.value if isinstance(reason, ReasonCode) else reason for reason in granted]

    async def _leave(self, client: aiomqtt.Client) -> None:
        pump, self._pump = self._pump, None
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            pass  # the link was already lost, as after drop()
        if client._disconnected.done() and not client._disconnected.cancelled():
            client._disconnected.exception()  # read it, or asyncio warns about an unread exception
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump], timeout=DEADLINE)
