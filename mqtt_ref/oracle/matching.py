# SPDX-License-Identifier: MIT
"""Select packets for a rule: by direction, type, client and content."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from mqtt_ref.broker.topics import valid_topic_filter
from mqtt_ref.oracle.validation import validate
from mqtt_ref.wire.generated.packets import PACKET_NAMES, Packet
from mqtt_ref.wire.packets import Publish
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

__all__ = ["NAMES", "Match", "PacketName", "Passing", "filter_matches"]

PacketName = Literal[
    "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE",
    "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
]  # fmt: skip
NAMES: Final = tuple(PACKET_NAMES)
"""By packet type; 0 is unused."""


@dataclass(slots=True)
class Passing:
    """A packet in transit, with what is known of its connection."""

    sender: int
    data: bytes
    packet: Packet | Violation | None
    version: int
    client_id: str
    topic: str = ""
    """The topic of a PUBLISH, even if only a Topic Alias was sent."""
    connection: int = 1
    """The number of this connection among those of the client, from 1."""
    listener: str = ""
    topic_alias_maximum: int = 0
    """The Topic Alias Maximum of the client."""

    @property
    def name(self) -> str:
        """The packet type; empty if the first byte holds no valid type."""
        kind = self.data[0] >> 4 if self.data else 0
        return NAMES[kind] if 0 < kind < len(NAMES) else ""


class Match(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"by": "from"}):
    """Conditions on a packet. A packet matches if all that are given hold; those left out are ignored.

    `to` and `by` (in files and over HTTP: `from`) are the Client Identifier of the receiver or the sender. `*` and `?`
    are wildcards as in file names. At most one of the two is allowed; it also selects the direction. `nth` selects one
    packet of a client among those for which all other conditions hold, counted from 1 over all its connections.
    """

    packet: Annotated[PacketName, Meta(description="Its type")] | None = None
    to: Annotated[str, Meta(description="From the broker to this client")] | None = None
    by: Annotated[str, Meta(description="From this client to the broker")] | None = None
    topic: Annotated[str, Meta(description="A PUBLISH to a topic that this filter matches")] | None = None
    qos: Annotated[int, Meta(description="A PUBLISH with this QoS", ge=0, le=2)] | None = None
    dup: Annotated[bool, Meta(description="A PUBLISH with this DUP")] | None = None
    retain: Annotated[bool, Meta(description="A PUBLISH with this RETAIN")] | None = None
    packet_id: Annotated[int, Meta(description="The Packet Identifier", ge=1, le=65535)] | None = None
    reason_code: Annotated[int, Meta(description="The Reason Code, or one of several", ge=0, le=255)] | None = None
    connection: Annotated[int, Meta(description="On this connection of the client; 0: any", ge=0)] = 0
    listener: Annotated[str, Meta(description="On the listener of this name; empty: any")] = ""
    nth: Annotated[int, Meta(description="The n-th of these packets, counted from 1; 0: each", ge=0)] = 0

    def __post_init__(self) -> None:
        validate(self)
        if self.to is not None and self.by is not None:
            raise ValueError("`to` and `from` (in Python: `by`) exclude each other: give at most one")
        if self.topic is not None and not valid_topic_filter(self.topic, shared=False):
            raise ValueError(f"`topic` is {self.topic!r}, which is not a valid Topic Filter")

    def holds(self, passing: Passing) -> bool:
        """True if all conditions except `nth` hold."""
        if self.packet is not None and passing.name != self.packet:
            return False
        wanted = self.to if passing.sender == SERVER else self.by
        other = self.by if passing.sender == SERVER else self.to
        if other is not None or (wanted is not None and not fnmatchcase(passing.client_id, wanted)):
            return False
        if self.connection and passing.connection != self.connection:
            return False
        if self.listener and passing.listener != self.listener:
            return False
        return self._holds_inside(passing)

    def _holds_inside(self, passing: Passing) -> bool:
        packet = passing.packet
        publishing = (self.topic, self.qos, self.dup, self.retain)
        if any(value is not None for value in publishing):
            if not isinstance(packet, Publish):
                return False
            if self.topic is not None and not filter_matches(self.topic, passing.topic):
                return False
            for wanted, found in zip(publishing[1:], (packet.qos, packet.dup, packet.retain), strict=True):
                if wanted is not None and wanted != found:
                    return False
        if self.packet_id is not None and getattr(packet, "packet_id", 0) != self.packet_id:
            return False
        if self.reason_code is None:
            return True
        found_codes = getattr(packet, "reason_codes", None) or [getattr(packet, "reason_code", None)]
        return not isinstance(packet, Violation) and self.reason_code in found_codes

    @property
    def sender(self) -> int | None:
        """The side that sends these packets; None: either."""
        return SERVER if self.to is not None else CLIENT if self.by is not None else None


def filter_matches(topic_filter: str, topic: str) -> bool:
    """True if the Topic Filter matches the Topic Name (section 4.7)."""
    wanted, found = topic_filter.split("/"), topic.split("/")
    if found[0].startswith("$") and wanted[0] in ("#", "+"):
        return False
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(found) or level not in ("+", found[at]):
            return False
    return len(wanted) == len(found)
