# SPDX-License-Identifier: MIT
"""What the proxy knows: its connections, the sessions behind them, and the messages that clients published. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mqtt_conformance.proxy.fault import Out, Rule
from mqtt_ref.wire.fast import decode, encode
from mqtt_ref.wire.framing import Framer
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

__all__ = ["Delivery", "Link", "Message", "Session", "Sub", "World", "level_of", "loosely", "matches"]

PARTIAL = 0.5
"""Seconds after which an incomplete packet is forwarded as it is."""


def matches(topic_filter: str, topic: str) -> bool:
    """Tell if a Topic Filter, without `$share`, matches a Topic Name."""
    if topic.startswith("$") and topic_filter[:1] in ("#", "+"):
        return False
    return loosely(topic_filter, topic)


def loosely(topic_filter: str, topic: str) -> bool:
    """Match level by level, also a leading wildcard with a leading `$`."""
    levels = topic.split("/")
    wanted = topic_filter.split("/")
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(levels) or level not in ("+", levels[at]):
            return False
    return len(levels) == len(wanted)


def level_of(data: bytes, body: int) -> int:
    """Return the protocol level that a CONNECT names, or 0."""
    if data[0] >> 4 != Connect.TYPE or len(data) < body + 2:
        return 0
    at = body + 2 + (data[body] << 8 | data[body + 1])
    level = data[at] if at < len(data) else 0
    return level if level in (3, 4, 5) else 0


class Message:
    """A message that a client published, or a Will Message."""

    def __init__(self, publish: Publish, seq: int, at: float, publisher: str, will: bool = False) -> None:
        self.publish = publish
        self.seq = seq
        self.at = at
        self.publisher = publisher
        self.will = will
        self.memo: dict[Any, Any] = {}


class Sub:
    """A subscription of a session."""

    def __init__(self, options: Subscription, identifier: int, seq: int, again: bool) -> None:
        self.topic_filter = options.topic_filter
        self.options = options
        self.identifier = identifier
        self.seq = seq
        self.again = again
        self.share = ""
        self.plain = options.topic_filter
        if options.topic_filter.startswith("$share/"):
            _, self.share, self.plain = ([*options.topic_filter.split("/", 2), "", ""])[:3]
        self.qos = options.qos
        self.memo: dict[Any, Any] = {}


class Session:
    """A session as the proxy sees it."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.subs: dict[str, Sub] = {}
        self.memo: dict[Any, Any] = {}

    def matching(self, topic: str) -> list[Sub]:
        """Return the subscriptions that match a Topic Name."""
        return [sub for sub in self.subs.values() if matches(sub.plain, topic)]


class Delivery(NamedTuple):
    """A PUBLISH of the broker with what the proxy knows about it: the real topic, its path, its origin."""

    packet: Publish
    topic: str
    path: str
    message: Message | None
    subs: list[Sub]


class Link:
    """One connection of a client and its connection to the broker."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.version = 0
        self.level = 0
        self.client_id = ""
        self.connect: Connect | None = None
        self.session: Session | None = None
        self.accepted = False
        self.seq = world.next()
        self.normal_end = False
        self.client_open = True
        self.server_open = True
        self.out_client: list[bytes] = []
        self.out_server: list[bytes] = []
        self.close_client = False
        self.close_server = False
        self.memo: dict[Any, Any] = {}
        self.up_alias: dict[int, str] = {}
        self.down_alias: dict[int, str] = {}
        self.inflight: dict[int, Delivery] = {}
        self.up_open: dict[int, Publish] = {}
        self.packets_up = 0
        self.ours: set[int] = set()
        self._rels: set[int] = set()
        self._subscribes: dict[int, list[Subscription]] = {}
        self._up = Framer()
        self._down = Framer()
        self._up_direct = False
        self._down_direct = False

    # ---------------------------------------------------------------- for rules

    def fired(self) -> None:
        """Count that the fault showed."""
        self.world.fired += 1

    def to_client(self, *packets: Packet | bytes) -> None:
        """Send packets to the client."""
        for packet in packets:
            self.out_client.append(packet if isinstance(packet, bytes) else encode(self.version or 5, packet))
        self.world.dirty.add(self)

    def to_server(self, *packets: Packet | bytes) -> None:
        """Send packets to the broker."""
        for packet in packets:
            self.out_server.append(packet if isinstance(packet, bytes) else encode(self.version or 5, packet))
        self.world.dirty.add(self)

    def end_client(self) -> None:
        """Close the connection to the client after what was sent."""
        self.close_client = True
        self.world.dirty.add(self)

    def end_server(self) -> None:
        """Close the connection to the broker after what was sent, without a DISCONNECT."""
        self.close_server = True
        self.world.dirty.add(self)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Call `do` after some seconds."""
        self.world.call_later(seconds, do)

    def topic_up(self, packet: Publish) -> str:
        """Return the Topic Name of a PUBLISH of the client, with its alias resolved."""
        if packet.topic:
            return packet.topic
        alias = packet.properties.topic_alias if packet.properties is not None else None
        return self.up_alias.get(alias or 0, "")

    def settle(self, packet: Publish) -> None:
        """Complete the flow of this PUBLISH towards the broker, and forward no acknowledgement of the client."""
        if packet.qos == 1:
            self.to_server(Puback(packet.packet_id))
        elif packet.qos == 2:
            self._rels.add(packet.packet_id)
            self.to_server(Pubrec(packet.packet_id))
        if packet.qos:
            self.ours.add(packet.packet_id)

    def forge(self, topic: str, payload: bytes, **fields: Any) -> None:
        """Send the client a PUBLISH of QoS 0 that the broker did not send."""
        self.to_client(Publish(topic, payload, 0, **fields))

    # ---------------------------------------------------------------- bytes

    def from_client(self, data: bytes) -> None:
        """Bytes of the client."""
        if self._up_direct or self.world.rule is None:
            self.to_server(data)
            return
        joined, frames = self._up.feed(data)
        for start, body, stop in frames:
            self._one_up(joined[start:stop], body - start)
        if self._up.lost:
            rest = self._up.drop()
            out = self.world.rule.lost(self, rest) if self._applies() else None
            self._send_up(rest, out)
            self._up_direct = True
        elif self._up.buffered:
            self.later(PARTIAL, self._partial(self._up.buffered))

    def _partial(self, held: int) -> Callable[[], None]:
        def look() -> None:
            if not self._up_direct and self._up.buffered == held and held < 65_536:
                self._up_direct = True
                self.to_server(self._up.drop())

        return look

    def flush_partial(self) -> None:
        """Forward what is left of an incomplete packet: the client has closed."""
        if self._up.buffered and not self._up_direct:
            self._up_direct = True
            self.to_server(self._up.drop())

    def from_server(self, data: bytes) -> None:
        """Bytes of the broker."""
        if self._down_direct or self.world.rule is None:
            self.to_client(data)
            return
        joined, frames = self._down.feed(data)
        for start, body, stop in frames:
            self._one_down(joined[start:stop], body - start)

    def _applies(self) -> bool:
        return (self.version or self.level) == self.world.version

    def _send_up(self, data: bytes, out: Out) -> None:
        if out is None:
            self.to_server(data)
        else:
            self.fired()
            self.to_server(*out)

    def _one_up(self, data: bytes, body: int) -> None:
        packet = decode(self.version, CLIENT, data, 0, body, len(data))
        if not self.packets_up:
            if isinstance(packet, Connect):
                self.version = self.level = packet.protocol_version
            else:
                # No version is named: one run of the suite has one version.
                self.level = level_of(data, body) or self.world.version
        self.packets_up += 1
        self.memo["heard"] = self.world.now()
        if isinstance(packet, Puback | Pubrec | Pubcomp) and packet.packet_id in self.ours:
            self._answer_own(packet)
            return
        rule = self.world.rule
        out = rule.up(self, packet, data) if rule is not None and self._applies() else None
        if not isinstance(packet, Violation):
            self._see_up(packet)
        self._send_up(data, out)

    def _answer_own(self, packet: Puback | Pubrec | Pubcomp) -> None:
        if isinstance(packet, Pubrec) and packet.reason_code < 0x80:
            self.to_client(Pubrel(packet.packet_id))
        else:
            self.ours.discard(packet.packet_id)

    def _see_up(self, packet: Packet) -> None:
        world = self.world
        if isinstance(packet, Connect) and self.connect is None:
            self.connect = packet
            self.client_id = packet.client_id
            if packet.will is not None:
                will = packet.will
                world.wills[will.topic, will.payload] = Message(
                    Publish(will.topic, will.payload, will.qos, will.retain), 0, 0, self.client_id, True
                )
        elif isinstance(packet, Subscribe) and self.session is not None:
            found = packet.properties.subscription_identifier if packet.properties is not None else None
            self._subscribes[packet.packet_id] = packet.subscriptions
            for one in packet.subscriptions:
                again = one.topic_filter in self.session.subs
                self.session.subs[one.topic_filter] = Sub(one, found or 0, world.next(), again)
        elif isinstance(packet, Unsubscribe) and self.session is not None:
            for topic_filter in packet.topic_filters:
                self.session.subs.pop(topic_filter, None)
        elif isinstance(packet, Publish):
            topic = self.topic_up(packet)
            if packet.properties is not None and packet.properties.topic_alias and packet.topic:
                self.up_alias[packet.properties.topic_alias] = packet.topic
            if packet.qos == 2 and packet.packet_id in self.up_open:
                return
            if packet.qos == 2:
                self.up_open[packet.packet_id] = packet
            world.seen(topic, packet, self.client_id)
        elif isinstance(packet, Pubrel):
            self.up_open.pop(packet.packet_id, None)
        elif isinstance(packet, Puback | Pubcomp) or (isinstance(packet, Pubrec) and packet.reason_code >= 0x80):
            self.inflight.pop(packet.packet_id, None)
        elif isinstance(packet, Disconnect):
            self.normal_end = packet.reason_code == 0

    def _one_down(self, data: bytes, body: int) -> None:
        packet = decode(self.version or 5, SERVER, data, 0, body, len(data))
        if isinstance(packet, Violation):
            self.to_client(data)
            return
        if isinstance(packet, Pubrel) and packet.packet_id in self._rels:
            self._rels.discard(packet.packet_id)
            self.to_server(Pubcomp(packet.packet_id))
            return
        rule = self.world.rule
        applies = rule is not None and self._applies()
        out: Out = None
        if isinstance(packet, Publish):
            delivery = self._delivery(packet)
            self.ours.discard(packet.packet_id)
            if packet.qos:
                self.inflight[packet.packet_id] = delivery
            if rule is not None and applies:
                out = rule.publish(self, delivery)
        else:
            self._see_down(packet)
            if rule is not None and applies:
                out = rule.down(self, packet, data)
        if out is None:
            self.to_client(data)
        else:
            self.fired()
            self.to_client(*out)

    def _see_down(self, packet: Packet) -> None:
        world = self.world
        if isinstance(packet, Connack) and packet.reason_code == 0:
            self.accepted = True
            if packet.properties is not None and packet.properties.assigned_client_identifier:
                self.client_id = packet.properties.assigned_client_identifier
            key = self.client_id or f"no id {self.seq}"
            old = world.sessions.get(key)
            if old is None or not packet.session_present:
                clean = self.connect is None or self.connect.clean_start
                fresh = Session(key)
                if old is not None and not clean:
                    fresh.memo.update(old.memo)
                old = world.sessions[key] = fresh
            self.session = old
            world.current[key] = self
        elif isinstance(packet, Suback) and self.session is not None:
            asked = self._subscribes.pop(packet.packet_id, [])
            for one, code in zip(asked, packet.reason_codes, strict=False):
                sub = self.session.subs.get(one.topic_filter)
                if sub is not None and code >= 0x80:
                    self.session.subs.pop(one.topic_filter, None)
                elif sub is not None:
                    sub.qos = code

    def _delivery(self, packet: Publish) -> Delivery:
        topic = packet.topic
        alias = packet.properties.topic_alias if packet.properties is not None else None
        if alias and topic:
            self.down_alias[alias] = topic
        elif alias:
            topic = self.down_alias.get(alias, "")
        subs = self.session.matching(topic) if self.session is not None else []
        message = self.world.find(topic, packet.payload)
        return Delivery(packet, topic, self._path(packet, message, subs), message, subs)

    def _path(self, packet: Publish, message: Message | None, subs: list[Sub]) -> str:
        if packet.dup:
            return "resent"
        seq = message.seq if message is not None else 0
        newer = [sub for sub in subs if sub.seq > seq]
        if packet.retain and (newer or message is None):
            if message is not None and message.will:
                return "retained-will"
            wild = newer and all("#" in sub.plain or "+" in sub.plain for sub in newer)
            return "retained-wildcard" if wild else "retained"
        if message is not None and message.will:
            return "will"
        return "queued" if message is not None and seq < self.seq else "live"


class World:
    """Everything behind one proxy. `call_later(seconds, do)`, `publish(packet)` and `now()` come from the driver."""

    def __init__(self, rule: Rule | None, version: int = 5) -> None:
        self.rule = rule
        self.version = version
        self.fired = 0
        self.links: list[Link] = []
        self.dirty: set[Link] = set()
        self.sessions: dict[str, Session] = {}
        self.current: dict[str, Link] = {}
        self.messages: dict[tuple[str, bytes], Message] = {}
        self.wills: dict[tuple[str, bytes], Message] = {}
        self.retained: dict[str, Message] = {}
        self.memo: dict[Any, Any] = {}
        self.call_later: Callable[[float, Callable[[], None]], None] = _nothing_later
        self.publish: Callable[[Publish], None] = _nothing_published
        self.now: Callable[[], float] = float
        self._seq = 0

    def next(self) -> int:
        """Return the next number of the order of events."""
        self._seq += 1
        return self._seq

    def open(self) -> Link:
        """A client connected."""
        link = Link(self)
        self.links.append(link)
        return link

    def seen(self, topic: str, packet: Publish, publisher: str) -> Message:
        """Note a message that a client published."""
        message = Message(packet, self.next(), self.now(), publisher)
        self.messages[topic, packet.payload] = message
        if packet.retain:
            if packet.payload:
                self.retained[topic] = message
            else:
                self.retained.pop(topic, None)
        return message

    def find(self, topic: str, payload: bytes) -> Message | None:
        """Return the message that a PUBLISH of the broker comes from."""
        return self.messages.get((topic, payload)) or self.wills.get((topic, payload))

    def client_gone(self, link: Link) -> None:
        """The client closed its connection."""
        if not link.client_open:
            return
        link.client_open = False
        self._end(link)
        if self.rule is not None and (link.version or link.level) == self.version:
            self.rule.client_gone(link)
        link.flush_partial()

    def server_gone(self, link: Link) -> bool:
        """The broker closed the connection. True: the client stays connected."""
        if not link.server_open:
            return False
        link.server_open = False
        self._end(link)
        if self.rule is not None and link.client_open and (link.version or link.level) == self.version:
            return self.rule.server_gone(link)
        return False

    def _end(self, link: Link) -> None:
        will = link.connect.will if link.connect is not None else None
        if will is not None:
            message = self.wills.get((will.topic, will.payload))
            if message is not None and not message.seq:
                message.seq = self.next()
                message.at = self.now()

    def others(self, link: Link) -> list[Link]:
        """Return the other clients that are connected."""
        return [one for one in self.links if one is not link and one.accepted and one.client_open and one.server_open]

    def drop(self, link: Link) -> None:
        """Both sides are closed."""
        if link in self.links:
            self.links.remove(link)
        if self.current.get(link.client_id) is link:
            del self.current[link.client_id]


def _nothing_later(seconds: float, do: Callable[[], None]) -> None:
    """Stand-in until a driver is there."""


def _nothing_published(packet: Publish) -> None:
    """Stand-in until a driver is there."""
