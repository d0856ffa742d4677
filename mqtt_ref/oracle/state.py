# SPDX-License-Identifier: MIT
"""What was seen of a client: what it has sent and not had acknowledged, what it owes, what the server told it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Final

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
    "Talk",
]

SECOND: Final = 1_000_000_000
UNKNOWN, FRESH, RESUMED = 0, 1, 2
"""What is known of the session of a connection."""
SETTLE: Final = SECOND
"""After this time a client is taken to have received its CONNACK."""
QUIET: Final = SECOND // 100
"""A client that sent nothing between its CONNECT and a CONNACK that came no sooner than this waited for it."""
FAR: Final = 15 * SECOND
"""How long the link of a client on another machine may stand still: what comes late was not sent late."""
SLOW: Final = SECOND // 5
"""A CONNECT that comes so much later than its connection may have come through something that delays."""
KEPT: Final = 16
"""Packets of its history that a finding shows."""
CHUNKS: Final = 8
"""Pieces of what came that are kept for that."""


class Outgoing:
    """A QoS 1 or 2 message that the client sent and that was not acknowledged, as far as was seen."""

    def __init__(self, publish: Publish, topic: str, size: int, order: int, behind: int, talk: int, now: int) -> None:
        self.packet_id = publish.packet_id
        self.qos = publish.qos
        self.retain = publish.retain
        self.topic = topic
        self.mark = hash(publish.payload)
        self.size = size
        self.order = order
        """Its place among all messages; 0: not known, as nobody saw it when it was sent for the first time."""
        self.behind = behind
        """The place of the last message of earlier connections that was surely sent before it; 0: there is none."""
        self.first = talk
        """The connection on which it was first seen."""
        self.talk = talk
        """The connection on which it was last sent."""
        self.received = 0
        """The connection on which a PUBREC accepted it, the first one; 0: none did."""
        self.released = 0
        """The connection on which its PUBREL was last sent; 0: none was."""
        expiry = publish.properties.message_expiry_interval if publish.properties is not None else None
        self.expires = 0 if expiry is None else now + expiry * SECOND

    def is_same(self, publish: Publish, topic: str) -> bool:
        """Whether that packet holds this message. A topic that is not known ("") may be any."""
        same_topic = topic == self.topic or not topic or not self.topic
        return self.qos == publish.qos and same_topic and self.mark == hash(publish.payload)


class Owed:
    """Packets of the server that wait for the client's answer, by Packet Identifier, in the order in which they came.

    What comes again with an identifier that waits already may be answered once or twice, and has no place of its own.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[int]] = {}
        self._again: dict[int, list[int]] = {}

    def __contains__(self, number: object) -> bool:
        return number in self._waiting or number in self._again

    def __iter__(self) -> Iterator[int]:
        for known in (self._waiting, self._again):
            for number, times in known.items():
                yield from [number] * len(times)

    def add(self, number: int, now: int) -> None:
        """One more is on its way to the client."""
        self._waiting.setdefault(number, []).append(now)

    def answer(self, number: int) -> int:
        """The client answers one of them: gives when that was sent, if it was the earliest."""
        if number in self._again:
            times = self._again[number]
            if len(times) == 1:
                del self._again[number]
        else:
            times = self._waiting.pop(number)
            if len(times) > 1:
                self._again[number] = times
        return times.pop(0)

    def before(self, number: int) -> list[int]:
        """Those that have to be answered before this one."""
        found: list[int] = []
        if number not in self._waiting or number in self._again:
            return found
        for one in self._waiting:
            if one == number:
                break
            if one not in self._again:
                found.append(one)
        return found


class Memory:
    """What is known of one client from one connection to the next."""

    def __init__(self) -> None:
        self.outgoing: dict[int, Outgoing] = {}
        self.lapsed: dict[int, Outgoing] = {}
        """What was unacknowledged when the last session ended."""
        self.incoming: Counter[int] = Counter()
        """How often the client may have a message of the server from earlier connections, by Packet Identifier."""
        self.known = False
        """Whether everything in the session was seen."""
        self.aliases: set[int] = set()
        """Topic Aliases that were set on earlier connections."""
        self.eager = False
        """It does not always wait for its CONNACK."""
        self.far = False
        """What it sends may be delayed on the way, though it seems to be near."""
        self.count = 0
        self.ends_at = 0
        """When the session is over, for the client too, if it does not come back; 0: not known, or never."""
        self.talk: Talk | None = None
        self.number = 0
        """The connection on which the client came last."""

    def lapse(self, talk: int = 0, heard: bool = True) -> None:
        """The session ends, or a new one begins: nothing of it may be used again but what connection `talk` sent.

        A client that may not have `heard` of it, now or ever, may answer what it has from the one before.
        """
        if self.outgoing:
            here = {number: one for number, one in self.outgoing.items() if one.talk == talk}
            self.lapsed = {number: one for number, one in self.outgoing.items() if one.talk != talk} or self.lapsed
            self.outgoing = here
        if heard:
            self.incoming = Counter()
        self.known = True

    def doubt(self, talk: int) -> None:
        """The session may go on or not: nothing is expected but of what connection `talk` sent."""
        self.outgoing = {number: one for number, one in self.outgoing.items() if one.talk == talk}
        self.known = False

    def forget(self) -> None:
        """Something was not seen: nothing can be said about what is unacknowledged."""
        self.outgoing = {}
        self.lapsed = {}
        self.incoming = Counter()
        self.known = False


class Talk:
    """One connection as far as it was seen. The monitors read it; the judge brings it up to date behind them."""

    def __init__(self, number: int, name: str, remote: str, server: str, whole: bool, now: int) -> None:
        self.number = number
        self.name = name
        self.remote = remote
        self.server = server
        self.opened_at = now
        self.whole = whole
        """Whether it was seen from its first byte."""
        self.certain = True
        """Whether everything was seen that the server said; else nothing is accused that depends on it."""
        self.timed = True
        """Whether what is told to happen at a time happened then; else nothing is accused that depends on it."""
        self.local = False
        """Whether a client that is gone is known to be: its link cannot vanish in silence."""
        self.round_trip = SETTLE + FAR
        """Nanoseconds that are surely enough for a packet to go to the client and its answer to come."""
        self.end_seen = True
        """Whether the end of the connection is seen when it comes."""
        self.now = now
        self.version = 0
        self.client_id = ""
        self.connect: Connect | None = None
        self.connack: Connack | None = None
        self.connected_at = 0
        self.answered_at = 0
        self.behind = 0
        """The place of the last message that had come when the CONNACK was sent."""
        self.acknowledged_at = 0
        """When the last exchange of a message of the client ended."""
        self.early = False
        """Something was sent between the CONNECT and the CONNACK."""
        self.informed = False
        """The client has shown that it received the CONNACK."""
        self.seen_at = 0
        """What the server sent until then has arrived: the client has answered what was sent then."""
        self.heard_at = now
        """When the last packet of the client came."""
        self.accepted = False
        """The CONNACK accepts."""
        self.overtaken = False
        """The server sent something before the CONNACK that the client may answer."""
        self.heir: Memory | None = None
        """What is known of the client, where another connection of it has taken over from this one."""
        self.leaving_expiry: int | None = None
        """The Session Expiry Interval of its DISCONNECT."""
        self.ordinary = False
        """Accepted, with a new session and no limit of size, and not at its end: some monitors find nothing in this."""
        self.session = UNKNOWN
        self.memory = Memory()
        self.disconnected_at = 0
        self.closed = False
        self.history: deque[tuple[int, int, bytes, int, int]] = deque(maxlen=CHUNKS)
        """When and by whom bytes came, and where in them the whole packets lie."""
        self.data = b""
        self.pos = 0
        self.stop = 0
        """The packet that is looked at: `data[pos:stop]`."""
        self.first_byte_at = now
        """When the packet that is looked at began to come."""
        self.maximum_packet_size = 0
        self.receive_maximum = 65_535
        self.aliases: dict[int, str] = {}
        self.sent: set[int] = set()
        """Packet Identifiers of the messages sent on this connection, acknowledged ones included."""
        self.released: set[int] = set()
        """Packet Identifiers of the PUBRELs sent on this connection, since the last message with them."""
        self.done: dict[int, tuple[Outgoing, int]] = {}
        """Packet Identifier -> the message sent on this connection whose exchange ended last, with the Reason Code."""
        self.pending: dict[int, str] = {}
        """Packet Identifier -> SUBSCRIBE or UNSUBSCRIBE without answer."""
        self.used = 0
        """Messages that count against the server's Receive Maximum, less the acknowledgements that count for them."""
        self.owes_puback = Owed()
        self.owes_pubrec = Owed()
        self.owes_pubrel = Owed()
        self.owes_pubcomp = Owed()
        """What the client has to answer, on this connection."""
        self.recorded: set[int] = set()
        """Packet Identifiers of the server's messages that got a PUBREC here, and no PUBCOMP yet."""

    @property
    def size(self) -> int:
        """Bytes of the packet that is looked at."""
        return self.stop - self.pos

    def knows(self) -> bool:
        """Whether the client had received its CONNACK when it sent the packet that is looked at.

        It may send before that, without knowing limits and session.

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
        """Whether the client had what the server sent then, when it sent the packet that is looked at.

        It has shown that by its answers, or so much time has passed that it must have.
        """
        if sent_at <= self.seen_at:
            return True
        patience = SETTLE + (FAR if self.is_eager() else self.slack)
        return self.timed and self.first_byte_at - sent_at >= patience

    def is_eager(self) -> bool:
        """Whether it is a client that does not wait for its CONNACK, here or earlier: no pause shows that it has it."""
        return self.early or self.memory.eager

    def is_far(self) -> None:
        """What the client sends, or is sent, may be delayed on the way, even if its address is on this machine."""
        self.memory.far = True
        self.local = False
        self.round_trip = SETTLE + FAR

    def measure(self) -> None:
        """See by its CONNECT how far away the client is: that is sent when the connection is there, or soon after.

        Something between that passes on connections at once, and bytes later, shows by that.
        """
        took = self.first_byte_at - self.opened_at
        if took >= SLOW or self.memory.far:
            self.is_far()
        elif took >= QUIET:
            self.round_trip = max(self.round_trip, took)

    @property
    def slack(self) -> int:
        """Nanoseconds by which a packet may come later than it was sent, where nobody can know."""
        return 0 if self.local else FAR

    def is_again(self, number: int) -> bool:
        """Whether a PUBREL with that identifier is sent again by itself, and not because of a PUBREC that came here."""
        found = self.memory.outgoing.get(number)
        return found is not None and found.received not in (0, self.number) and found.released != self.number

    def must_send(self, packet: Packet) -> bool:
        """Whether another rule asks for it, whatever the server offers now: it is sent again.

        Cites: MQTT5-4.4.0-1
        """
        return isinstance(packet, Publish) and packet.dup and self.session == RESUMED

    def is_fresh(self) -> bool:
        """Whether the client knows that its session has just begun."""
        if self.session != FRESH or self.connect is None:
            return False
        return self.connect.clean_start or self.knows()

    def topic_of(self, publish: Publish) -> str:
        """The Topic Name of a PUBLISH, whatever way it is given; empty where it is not known."""
        if publish.topic or publish.properties is None:
            return publish.topic
        alias = publish.properties.topic_alias
        return "" if alias is None else self.aliases.get(alias, "")

    def session_expiry(self) -> int:
        """Seconds that the session outlives the connection."""
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
        """Whether the server says in CONNACK if there was a session; that of 3.1 does not."""
        return self.version > V31
