# SPDX-License-Identifier: MIT
"""Hooks that make a broker odd where its options do not."""

from __future__ import annotations

import asyncio
from zlib import crc32

from mqtt_ref.broker.selection import Selection
from mqtt_ref.broker.views import Client
from mqtt_ref.engine.message import Message
from mqtt_ref.hooks import Hook, Reject
from mqtt_ref.server import Server
from mqtt_ref.wire.packets import Connect, Publish, Subscribe, Subscription, Will

__all__ = [
    "Busy",
    "DelaysWills",
    "FirstMember",
    "ForgetsRetainedQos0",
    "GrantsLess",
    "GrantsNothing",
    "LastMember",
    "RefusesDollar",
    "RefusesSomeFilters",
    "RefusesSomeTopics",
]


class GrantsLess(Hook):
    """Each subscription is granted one QoS less than was asked for."""

    def on_subscribe(self, client: Client, packet: Subscribe) -> Subscribe:
        return Subscribe(packet.packet_id, [self.less(one) for one in packet.subscriptions], packet.properties)

    def less(self, asked: Subscription) -> Subscription:
        return Subscription(
            asked.topic_filter,
            self.granted(asked.qos),
            asked.no_local,
            asked.retain_as_published,
            asked.retain_handling,
        )

    def granted(self, qos: int) -> int:
        return max(qos - 1, 0)


class GrantsNothing(GrantsLess):
    """Each subscription is granted QoS 0."""

    def granted(self, qos: int) -> int:
        return 0


class RefusesSomeFilters(Hook):
    """One SUBSCRIBE in four is not authorized, by what its first filter is; 3.1 has no code that says so."""

    def on_subscribe(self, client: Client, packet: Subscribe) -> None:
        if client.protocol_version > 3 and crc32(packet.subscriptions[0].topic_filter.encode()) % 4 == 0:
            raise Reject(0x87, "not this one")


class RefusesSomeTopics(Hook):
    """One topic in four takes no messages of QoS 1 and 2 from 5.0 clients, which are told so."""

    def on_publish(self, client: Client, packet: Publish) -> None:
        if client.protocol_version == 5 and packet.qos and crc32(packet.topic.encode()) % 4 == 0:
            raise Reject(0x87, "not this one")


class RefusesDollar(Hook):
    """Nobody may subscribe to a filter that begins with `$`, Shared Subscriptions aside."""

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
        return False if topic.startswith("$") else None


class Busy(Hook):
    """One CONNECT in ten is refused, since the server is busy."""

    def __init__(self) -> None:
        self.count = 0

    def on_connect(self, client: Client, connect: Connect) -> None:
        self.count += 1
        if self.count % 10 == 0:
            raise Reject(0x89, "try again")


class DelaysWills(Hook):
    """Will Messages are published a second and a half after they are due."""

    async def on_will(self, client: Client, will: Will) -> None:
        await asyncio.sleep(1.5)


class FirstMember(Hook):
    """All messages of a shared group go to the member that subscribed first, if it is there."""

    def on_select_subscribers(self, message: Message, selection: Selection) -> Selection:
        for name, members in selection.groups.items():
            selection.groups[name] = sorted(members)
        return selection


class LastMember(Hook):
    """All messages of a shared group go to the member whose identifier is last."""

    def on_select_subscribers(self, message: Message, selection: Selection) -> Selection:
        for name, members in selection.groups.items():
            selection.groups[name] = sorted(members, reverse=True)
        return selection


class ForgetsRetainedQos0(Hook):
    """Retained messages with QoS 0 are forgotten at once."""

    def __init__(self) -> None:
        self.server: Server | None = None

    def on_retain_message(self, client: Client | None, message: Message, stored: bool) -> None:
        if stored and message.qos == 0 and client is not None:
            asyncio.get_running_loop().call_soon(self.forget, message.topic)

    def forget(self, topic: str) -> None:
        if self.server is not None:
            self.server.broker.retained_messages.remove(topic)
