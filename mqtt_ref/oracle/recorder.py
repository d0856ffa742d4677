# SPDX-License-Identifier: MIT
"""What happened on a broker, kept as trace records and as events that somebody may wait for."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from msgspec import Meta, Struct

from mqtt_ref.net.trace import NEVER, Trace, When, event_record, note_record, packet_record
from mqtt_ref.oracle.matching import Match, Passing
from mqtt_ref.oracle.saying import check_said
from mqtt_ref.wire.packets import Connack, Connect, Publish
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.oracle.finding import Finding
    from mqtt_ref.oracle.rules import Fired
    from mqtt_ref.wire.packets import Packet

__all__ = ["Condition", "Happening", "Recorder"]

KEPT: Final = 10_000
"""Records and events that are kept, the newest."""


class Happening(NamedTuple):
    """One thing that happened: `packet`, `connected`, `disconnected`, `fired` (a rule) or `finding`.

    `number` counts up from 1. `name` is the Client Identifier, the rule of the script, or the
    statement that was broken.
    """

    number: int
    kind: str
    name: str
    passing: Passing | None = None


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for, one of these; what has happened already counts, if its number is above `since`."""

    packet: Annotated[Match, Meta(description="A packet was on the wire")] | None = None
    connected: Annotated[str, Meta(description="A client was accepted; `*` and `?` as in file names")] | None = None
    disconnected: Annotated[str, Meta(description="The link of a client that was accepted has gone")] | None = None
    fired: Annotated[str, Meta(description="The rule of this name acted")] | None = None
    finding: Annotated[str, Meta(description="The client broke the rule of this id; `*`: any")] | None = None
    count: Annotated[int, Meta(description="So many times", ge=1)] = 1
    since: Annotated[int, Meta(description="Only what came after the happening of this number", ge=0)] = 0

    def __post_init__(self) -> None:
        check_said(self)
        wanted = (self.packet, self.connected, self.disconnected, self.fired, self.finding)
        if sum(one is not None for one in wanted) != 1:
            raise ValueError("one of packet, connected, disconnected, fired, finding has to be there")

    @property
    def times(self) -> int:
        """How often it has to have happened."""
        return max(self.count, self.packet.nth if self.packet is not None else 1)

    def holds(self, happening: Happening) -> bool:
        """Whether it is one of those that are counted."""
        if happening.number <= self.since:
            return False
        if self.packet is not None:
            return happening.passing is not None and self.packet.holds(happening.passing)
        wanted = getattr(self, happening.kind, None)
        return wanted is not None and fnmatchcase(happening.name, wanted)


class _Peer:
    """What is known of a connection."""

    def __init__(self) -> None:
        self.client_id = ""
        self.version = 0
        self.nth = 1
        self.accepted = False
        self.topics: tuple[dict[int, str], dict[int, str]] = ({}, {})


class _Waiter:
    def __init__(self, condition: Condition, future: asyncio.Future[Happening]) -> None:
        self.condition = condition
        self.left = condition.times
        self.future = future

    def see(self, happening: Happening) -> None:
        if self.left and self.condition.holds(happening):
            self.left -= 1
            if not self.left and not self.future.done():
                self.future.set_result(happening)


class _Nowhere:
    def write(self, text: str, /) -> None: ...

    def flush(self) -> None: ...


class Recorder(Trace):
    """A trace that is kept in memory: `records` in the form of JSONL traces, `happenings` to wait for."""

    def __init__(self, kept: int = KEPT, also: Trace | None = None) -> None:
        super().__init__(_Nowhere(), "jsonl")
        self.records: deque[dict[str, Any]] = deque(maxlen=kept)
        self.happenings: deque[Happening] = deque(maxlen=kept)
        self.number = 0
        """Of the last happening."""
        self.also = also
        self.on_record: Callable[[dict[str, Any]], object] | None = None
        self._peers: dict[int, _Peer] = {}
        self._visits: dict[str, int] = {}
        self._waiters: list[_Waiter] = []

    def clear(self) -> None:
        """Forget everything but the connections that are open; numbers go on."""
        self.records.clear()
        self.happenings.clear()
        self._visits.clear()

    # ---------------------------------------------------------------- from the channels

    def event(self, conn: int, way: str, what: str, name: str = "", more: Mapping[str, Any] | None = None) -> None:
        """A connection opened or closed."""
        record = {"t": time.time_ns(), **event_record(conn, way, what, more)}
        if way == "open":
            self._peers[conn] = _Peer()
        self._keep(record)
        if way == "close":
            peer = self._peers.pop(conn, None)
            if peer is not None and peer.accepted:
                self.happened("disconnected", peer.client_id)
        if self.also is not None:
            self.also.event(conn, way, what, name, more)

    def note(self, conn: int | None, way: str, more: Mapping[str, Any]) -> None:
        """Something that only the judge of the recording needs."""
        self._keep({"t": time.time_ns(), **note_record(conn, way, more)})
        if self.also is not None:
            self.also.note(conn, way, more)

    def packet(
        self,
        conn: int,
        way: str,
        packet: Packet | Violation,
        raw: bytes,
        version: int,
        name: str,
        when: When = NEVER,
    ) -> None:
        """A packet passed, or something that is none."""
        self._keep({"t": time.time_ns(), **packet_record(conn, way, packet, raw, when)})
        peer = self._peers.setdefault(conn, _Peer())
        sender = CLIENT if way == "in" else SERVER
        if isinstance(packet, Connect) and not peer.version:
            peer.version, peer.client_id = packet.protocol_version, packet.client_id
            peer.nth = self._visits[packet.client_id] = self._visits.get(packet.client_id, 0) + 1
        accepted = isinstance(packet, Connack) and sender == SERVER and not packet.reason_code and not peer.accepted
        if accepted:
            assert isinstance(packet, Connack)
            if packet.properties is not None and packet.properties.assigned_client_identifier:
                peer.client_id = packet.properties.assigned_client_identifier
        topic = _topic(packet, peer.topics[sender]) if isinstance(packet, Publish) else ""
        passing = Passing(sender, raw, packet, peer.version, peer.client_id, topic, peer.nth)
        self.happened("packet", peer.client_id, passing)
        if accepted:
            peer.accepted = True
            self.happened("connected", peer.client_id)
        if self.also is not None:
            self.also.packet(conn, way, packet, raw, version, name, when)

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str, when: When = NEVER) -> None:
        """Bytes that are no packet, or not a whole one."""
        self._keep({"t": time.time_ns(), **packet_record(conn, way, None, raw, when)})
        if self.also is not None:
            self.also.rest(conn, way, raw, what, name, when)

    def fired(self, fired: Fired) -> None:
        """A rule acted."""
        self.happened("fired", fired.rule)

    def found(self, finding: Finding) -> None:
        """The client broke a rule."""
        self.happened("finding", finding.rule)

    # ---------------------------------------------------------------- waiting

    def happened(self, kind: str, name: str, passing: Passing | None = None) -> None:
        """Note it, and let go who waited for it."""
        self.number += 1
        happening = Happening(self.number, kind, name, passing)
        self.happenings.append(happening)
        for waiter in self._waiters:
            waiter.see(happening)

    def count(self, condition: Condition) -> int:
        """How often it has happened, as far as it is still known."""
        return sum(1 for happening in self.happenings if condition.holds(happening))

    async def wait(self, condition: Condition, within: float = 5.0) -> Happening:
        """Wait until it has happened; at once if it has.

        Raises:
            TimeoutError: not within so many seconds.
        """
        waiter = _Waiter(condition, asyncio.get_running_loop().create_future())
        for happening in self.happenings:
            waiter.see(happening)
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(within):
                return await waiter.future
        except TimeoutError:
            done = condition.times - waiter.left
            raise TimeoutError(f"it happened {done} of {condition.times} times within {within:g} s") from None
        finally:
            self._waiters.remove(waiter)

    def _keep(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        if self.on_record is not None:
            self.on_record(record)


def _topic(publish: Publish, topics: dict[int, str]) -> str:
    """The topic, also where only an alias says it."""
    alias = None if publish.properties is None else publish.properties.topic_alias
    if alias is None:
        return publish.topic
    if publish.topic:
        topics[alias] = publish.topic
    return topics.get(alias, "")
