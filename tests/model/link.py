# SPDX-License-Identifier: MIT
"""One connection as its client sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.wire.packets import (
    Connack,
    Disconnect,
    Packet,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Unsuback,
)
from tests.model.state import Finding
from tests.sansio import Client

if TYPE_CHECKING:
    from tests.model.machine import Clients

__all__ = ["Seen", "essence", "shortened"]


class Seen(Client):
    """One link as a client sees it; every packet goes to the model at once."""

    def __init__(self, clients: Clients, client_id: str, version: int, aliases: int = 0) -> None:
        self.clients, self.client_id = clients, client_id
        self.aliases: dict[int, str] = {}
        self.own_aliases: dict[int, str] = {}
        self.unacknowledged: list[Packet] = []
        self.expected: list[tuple[str, int, object]] = []
        self.alias_maximum = aliases
        self.over = False
        self.farewell = 0
        super().__init__(clients.world, version)

    def written(self, chunks: list[bytes], closing: bool) -> None:
        super().written(chunks, closing)
        for packet in self.read():
            if not self.over:
                self.saw(packet)

    def saw(self, packet: Packet) -> None:
        """A packet reached the client: the model says whether it may, or it is the answer to what the client sent."""
        if isinstance(packet, Publish):
            self.got(packet)
        elif isinstance(packet, Pubrel):
            self.clients.model.released(self.client_id, packet.packet_id)
            self.unacknowledged.append(packet)
        elif isinstance(packet, (Connack, Suback, Unsuback, Puback, Pubrec, Pubcomp, Pingresp)):
            if not self.expected:
                raise Finding(f"{self.client_id} gets {packet!r}, which it did not ask for")
            wanted = self.expected.pop(0)
            if essence(packet) != wanted:
                raise Finding(f"{self.client_id} gets {packet!r}, expected {wanted}")
        elif isinstance(packet, Disconnect):
            if packet.reason_code != self.clients.closing.get(self.client_id):
                raise Finding(f"{self.client_id} gets {packet!r}")
            self.farewell = packet.reason_code
            if self.expected and not self.clients.late:
                raise Finding(f"{self.client_id} is told goodbye and not {self.expected[0]}")

    def got(self, packet: Publish) -> None:
        """A PUBLISH reached the client, perhaps with a Topic Alias."""
        properties = packet.properties
        topic = packet.topic
        if properties is not None and properties.topic_alias is not None:
            if not 0 < properties.topic_alias <= self.alias_maximum:
                raise Finding(f"{self.client_id} takes {self.alias_maximum} aliases and gets {packet!r}")
            if topic:
                self.aliases[properties.topic_alias] = topic
            topic = self.aliases.get(properties.topic_alias, "an alias that was never set")
        self.clients.model.sent(
            self.client_id, topic, packet.payload, packet.qos, packet.retain, packet.dup, packet.packet_id,
            tuple(properties.subscription_identifier) if properties else (),
            properties.message_expiry_interval if properties else None, self.clients.world.now,
        )  # fmt: skip
        if packet.qos:
            self.unacknowledged.append(packet)


def shortened(link: Seen, packet: Publish) -> Publish:
    """The PUBLISH as it is sent: without its Topic Name where the client has set the Topic Alias to it before."""
    alias = packet.properties.topic_alias if packet.properties else None
    if alias is None:
        return packet
    known = link.own_aliases.get(alias)
    link.own_aliases[alias] = packet.topic
    topic = "" if known == packet.topic else packet.topic
    return Publish(topic, packet.payload, packet.qos, packet.retain, packet.dup, packet.packet_id, packet.properties)


def essence(packet: Packet) -> object:
    """What of an answer is compared."""
    if isinstance(packet, Connack):
        return ("connack", packet.reason_code, packet.session_present)
    if isinstance(packet, Suback):
        return ("suback", packet.packet_id, tuple(packet.reason_codes))
    if isinstance(packet, Unsuback):
        return ("unsuback", packet.packet_id, tuple(packet.reason_codes))
    if isinstance(packet, (Puback, Pubrec, Pubcomp)):
        code = packet.reason_code
        return (type(packet).__name__.lower(), packet.packet_id, 0 if code == 0x10 else code)
    if isinstance(packet, Pingresp):
        return ("pingresp", 0, 0)
    return packet
