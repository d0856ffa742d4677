# SPDX-License-Identifier: MIT
"""The observed state of a client: unacknowledged messages, answers that it owes, what the server told it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from typing import Final

from mqtt_ref.wire.framing import Framer
from mqtt_ref.wire.packets import Connack, Connect, Packet, Publish
from mqtt_ref.wire.primitives import V5, V31

__all__ = [
    "FAR",
    "FRESH",
    "KEPT",
    "QUIET",
    "RESUMED",
    "SECOND",
    "SETTLE",
    "SLOW",
    "UNKNOWN",
    "Memory",
    "Outgoing",
    "Owed",
    "Passed",
    "Talk",
]

SECOND: Final = 1_000_000_000
UNKNOWN, FRESH, RESUMED = 0, 1, 2
"""What is known about the session of a connection."""
SETTLE: Final = SECOND
"""After this time a client is assumed to have received its CONNACK."""
QUIET: Final = SECOND // 100
"""A client that is silent from its CONNECT until a CONNACK that comes at least this much later waits for it."""
FAR: Final = 15 * SECOND
"""How long the link of a remote client may stall. A packet that arrives so late may have been sent in time."""
SLOW: Final = SECOND // 5
"""A CONNECT that comes so long after the connection was opened may have been delayed on the way."""
KEPT: Final = 16
"""Packets in the history of a finding."""
CHUNKS: Final = 8
"""Received chunks that are kept for that history."""


class Outgoing:
    """A QoS 1 or 2 message of the client without a visible acknowledgement."""

    def __init__(self, publish: Publish, topic: str, size: int, order: int, behind: int, talk: int, now: int) -> None:
        self.packet_id = publish.packet_id
        self.qos = publish.qos
        self.retain = publish.retain
        self.topic = topic
        self.mark = hash(publish.payload)
        self.size = size
        self.order = order
        """Its position among all messages; 0: unknown, as its first transmission was not seen."""
        self.behind = behind
        """The position of the last message of earlier connections that was certainly sent before it; 0: none."""
        self.first = talk
        """The connection on which it was first seen."""
        self.talk = talk
        """The connection on which it was last sent."""
        self.received = 0
        """The first connection on which a PUBREC accepted it; 0: none."""
        self.released = 0
        """The connection on which its PUBREL was last sent; 0: not sent."""
        expiry = publish.properties.message_expiry_interval if publish.properties is not None else None
        self.expires = 0 if expiry is None else now + expiry * SECOND

    def is_same(self, publish: Publish, topic: str) -> bool:
        """True if the packet carries this message. An unknown topic ("") matches any topic."""
        same_topic = topic == self.topic or not topic or not self.topic
        return self.qos == publish.qos and same_topic and self.mark == hash(publish.payload)


class Owed:
    """Packets of the server that wait for an answer of the client: by Packet Identifier, in the order of arrival.

    If a second packet with a waiting identifier comes, one or two answers are allowed. It has no position in the order.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[int]] = {}
        self._again: dict[int, list[int]] = {}
        self._in_time: OrderedDict[int, None] = OrderedDict()
        """Those that no answer to a later one has overtaken yet."""

    def __contains__(self, number: object) -> bool:
        return number in self._waiting or number in self._again

    def __iter__(self) -> Iterator[int]:
        for known in (self._waiting, self._again):
            for number, times in known.items():
                yield from [number] * len(times)

    def add(self, number: int, now: int) -> None:
        """Add a packet that the server sent at `now`."""
        times = self._waiting.setdefault(number, [])
        times.append(now)
        if len(times) == 1:
            self._in_time[number] = None

    def answer(self, number: int) -> int:
        """Remove the earliest packet with this identifier, which was answered. Return when it was sent."""
        if number in self._again:
            times = self._again[number]
            if len(times) == 1:
                del self._again[number]
        else:
            times = self._waiting.pop(number)
            self._in_time.pop(number, None)
            if len(times) > 1:
                self._again[number] = times
        return times.pop(0)

    def overtaken(self, number: int) -> list[int]:
        """Return the identifiers that had to be answered before this one, each only once."""
        found: list[int] = []
        if number not in self._in_time or number in self._again:
            return found
        while (one := next(iter(self._in_time))) != number:
            del self._in_time[one]
            if one not in self._again:
                found.append(one)
        return found


class Memory:
    """What is remembered of a client between its connections."""

    def __init__(self) -> None:
        self.outgoing: dict[int, Outgoing] = {}
        self.lapsed: dict[int, Outgoing] = {}
        """The messages that were unacknowledged when the last session ended."""
        self.incoming: Counter[int] = Counter()
        """By Packet Identifier: how many packets of earlier connections the client may still answer."""
        self.known = False
        """True if the whole session was seen."""
        self.aliases: set[int] = set()
        """Topic Aliases set on earlier connections."""
        self.eager = False
        """True if the client does not always wait for its CONNACK."""
        self.far = False
        """True if its packets may be delayed on the way, though its address is local."""
        self.count = 0
        self.ends_at = 0
        """When the session expires, by the client's clock too, unless it reconnects; 0: unknown, or never."""
        self.talk: Talk | None = None
        self.number = 0
        """The last connection of the client."""

    def lapse(self, talk: int = 0, heard: bool = True) -> None:
        """End the session. Afterwards only what connection `talk` sent may be used again.

        If the client may not have `heard` of the end, it may still answer packets of the old session.
        """
        if self.outgoing:
            here = {number: one for number, one in self.outgoing.items() if one.talk == talk}
            self.lapsed = {number: one for number, one in self.outgoing.items() if one.talk != talk} or self.lapsed
            self.outgoing = here
        if heard:
            self.incoming = Counter()
        self.known = True

    def doubt(self, talk: int) -> None:
        """The session may have continued or not: keep only what connection `talk` sent."""
        self.outgoing = {number: one for number, one in self.outgoing.items() if one.talk == talk}
        self.known = False

    def forget(self) -> None:
        """Forget all messages: packets were missed, so nothing is known of what is unacknowledged."""
        self.outgoing = {}
        self.lapsed = {}
        self.incoming = Counter()
        self.known = False


class Passed:
    """A chunk of bytes that one side sent: `stop` is where its last complete packet ends."""

    __slots__ = ("_ends", "data", "sender", "stop", "time")

    def __init__(self, time: int, sender: int, data: bytes, stop: int) -> None:
        self.time = time
        self.sender = sender
        self.data = data
        self.stop = stop
        self._ends: list[int] | None = None
        """Where each packet ends. It is found out once, for the first finding that shows this chunk."""

    def last(self, count: int, stop: int) -> list[tuple[int, int]]:
        """Return where the last `count` packets up to `stop` begin and end."""
        if self._ends is None:
            whole = self.data if self.stop == len(self.data) else self.data[: self.stop]
            self._ends = [0, *(after for _, _, after in Framer().feed(whole)[1])]
        ends = self._ends
        upto = bisect_right(ends, stop)
        first = max(0, upto - 1 - count)
        return list(zip(ends[first : upto - 1], ends[first + 1 : upto], strict=True))


class Talk:
    """The observed state of one connection. Monitors read it; the judge updates it after they have run."""

    def __init__(self, number: int, name: str, remote: str, server: str, whole: bool, now: int) -> None:
        self.number = number
        self.name = name
        self.remote = remote
        self.server = server
        self.opened_at = now
        self.whole = whole
        """True if it was seen from its first byte."""
        self.certain = True
        """True if all packets of the server were seen. If not, no finding may depend on them."""
        self.timed = True
        """True if the recorded times are reliable. If not, no finding may depend on time."""
        self.local = False
        """True if the link cannot vanish unnoticed: the end of the connection is always seen."""
        self.round_trip = SETTLE + FAR
        """Nanoseconds that are certainly enough for a packet to reach the client and for its answer to arrive."""
        self.end_seen = True
        """True if the end of the connection will be seen."""
        self.now = now
        self.version = 0
        self.client_id = ""
        self.connect: Connect | None = None
        self.connack: Connack | None = None
        self.connected_at = 0
        self.answered_at = 0
        self.behind = 0
        """The position of the last message that had arrived when the CONNACK was sent."""
        self.acknowledged_at = 0
        """When a message of the client was last acknowledged completely."""
        self.early = False
        """True if the client sent something between CONNECT and CONNACK."""
        self.informed = False
        """True if the client has shown that it received the CONNACK."""
        self.seen_at = 0
        """All packets that the server sent up to this time have arrived, as an answer of the client shows."""
        self.heard_at = now
        """When the last packet of the client arrived."""
        self.accepted = False
        """True if the CONNACK accepted the connection."""
        self.overtaken = False
        """True if the server sent a packet before the CONNACK that the client may answer."""
        self.heir: Memory | None = None
        """The memory of the client, if another connection of it has taken over this one."""
        self.leaving_expiry: int | None = None
        """The Session Expiry Interval of its DISCONNECT."""
        self.ordinary = False
        """True if accepted, with a new session, no size limit and no DISCONNECT yet: some monitors can be skipped."""
        self.session = UNKNOWN
        self.memory = Memory()
        self.disconnected_at = 0
        self.closed = False
        self.history: deque[Passed] = deque(maxlen=CHUNKS)
        self.data = b""
        self.pos = 0
        self.stop = 0
        """The current packet is `data[pos:stop]`."""
        self.first_byte_at = now
        """When the first byte of the current packet arrived."""
        self.maximum_packet_size = 0
        self.receive_maximum = 65_535
        self.aliases: dict[int, str] = {}
        self.sent: set[int] = set()
        """Packet Identifiers of the messages sent on this connection, acknowledged ones included."""
        self.released: set[int] = set()
        """Packet Identifiers of PUBRELs sent on this connection, since the last message with the same identifier."""
        self.done: dict[int, tuple[Outgoing, int]] = {}
        """Packet Identifier -> the last completed message of this connection, with its Reason Code."""
        self.pending: dict[int, str] = {}
        """Packet Identifier -> SUBSCRIBE or UNSUBSCRIBE that is not answered."""
        self.used = 0
        """Messages that count against the server's Receive Maximum, minus their acknowledgements."""
        self.owes_puback = Owed()
        self.owes_pubrec = Owed()
        self.owes_pubrel = Owed()
        self.owes_pubcomp = Owed()
        """Packets of this connection that the client has to answer."""
        self.recorded: set[int] = set()
        """Packet Identifiers of server messages with a PUBREC on this connection, but no PUBCOMP yet."""

    @property
    def size(self) -> int:
        """The size of the current packet in bytes."""
        return self.stop - self.pos

    def knows(self) -> bool:
        """True if the client had certainly received its CONNACK when it sent the current packet.

        It may send packets earlier. Then it does not know the limits and the session.

        Cites: X5-packets-before-connack, X311-pipelining
        """
        if self.informed:
            return True
        if not self.answered_at or not self.certain or not self.timed:
            return False
        waited = not self.is_eager() and self.answered_at - self.connected_at >= QUIET
        since = self.first_byte_at - self.answered_at
        self.informed = (waited and since >= self.round_trip) or self.has(self.answered_at)
        return self.informed

    def has(self, sent_at: int) -> bool:
        """True if the client, when it sent the current packet, had received what the server sent at `sent_at`.

        Its answers show that, or enough time has passed.
        """
        if sent_at <= self.seen_at:
            return True
        patience = SETTLE + (FAR if self.is_eager() else self.slack)
        return self.timed and self.first_byte_at - sent_at >= patience

    def is_eager(self) -> bool:
        """True if the client ever sent before its CONNACK. Then a pause does not show that it waited for it."""
        return self.early or self.memory.eager

    def is_far(self) -> None:
        """Treat the client as remote: packets may be delayed on the way, even if its address is local."""
        self.memory.far = True
        self.local = False
        self.round_trip = SETTLE + FAR

    def measure(self) -> None:
        """Estimate the delay of the link from the CONNECT, which a client sends as soon as it is connected.

        This also detects a proxy that opens connections at once but forwards bytes later.
        """
        took = self.first_byte_at - self.opened_at
        if took >= SLOW or self.memory.far:
            self.is_far()
        elif took >= QUIET:
            self.round_trip = max(self.round_trip, took)

    @property
    def slack(self) -> int:
        """Nanoseconds that a packet may be delayed on the way without this being visible."""
        return 0 if self.local else FAR

    def is_again(self, number: int) -> bool:
        """True if a PUBREL with this identifier is a resent one, and not the answer to a PUBREC of this connection."""
        found = self.memory.outgoing.get(number)
        return found is not None and found.received not in (0, self.number) and found.released != self.number

    def must_send(self, packet: Packet) -> bool:
        """True if the packet is a resent PUBLISH, which is required whatever limits the server has now.

        Cites: MQTT5-4.4.0-1
        """
        return isinstance(packet, Publish) and packet.dup and self.session == RESUMED

    def is_fresh(self) -> bool:
        """True if the client knows that its session is new."""
        if self.session != FRESH or self.connect is None:
            return False
        return self.connect.clean_start or self.knows()

    def topic_of(self, publish: Publish) -> str:
        """Return the Topic Name of a PUBLISH, resolving a Topic Alias; empty if unknown."""
        if publish.topic or publish.properties is None:
            return publish.topic
        alias = publish.properties.topic_alias
        return "" if alias is None else self.aliases.get(alias, "")

    def session_expiry(self) -> int:
        """Return the seconds that the session outlives the connection."""
        connect, connack = self.connect, self.connack
        if connect is None:
            return 0
        if self.version != V5:
            return 0 if connect.clean_start else 0xFFFF_FFFF
        if self.leaving_expiry is not None:
            return self.leaving_expiry
        given = connack.properties.session_expiry_interval if connack is not None and connack.properties else None
        if given is None and connect.properties is not None:
            given = connect.properties.session_expiry_interval
        return given or 0

    def tells_session(self) -> bool:
        """True if CONNACK has Session Present. In 3.1 it does not."""
        return self.version > V31
