# SPDX-License-Identifier: MIT
"""Reassembles TCP streams from captured segments, which may be out of order, duplicated, cut short or missing."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from ipaddress import ip_address
from typing import Final, NamedTuple

__all__ = ["Address", "Chunk", "Reassembly", "Segment"]

WINDOW: Final = 1 << 30
"""The largest TCP window in bytes. A sequence number further ahead is not of this connection."""
NEAR: Final = 1 << 16
"""Number of bytes that may be recorded before the SYN although they were sent after it."""
BACK: Final = 1_000_000_000
"""In nanoseconds. If `ROW` records in succession are earlier by more than this, the clock was set back."""
ROW: Final = 8
EXACT: Final = 100_000_000
"""In nanoseconds. Times are reliable if records are out of order by no more than this."""
LATE: Final = 1_000_000_000
"""In nanoseconds. After this time, a SYN with the same number begins a new connection: it is not a late duplicate."""
ENDLESS: Final = 1 << 62

Address = tuple[bytes, int]


class Segment(NamedTuple):
    """One TCP segment. `data` are the captured ones of its `size` bytes. `acknowledged` is -1 without ACK."""

    source: Address
    target: Address
    sequence: int
    acknowledged: int
    syn: bool
    fin: bool
    reset: bool
    size: int
    data: bytes


class Chunk(NamedTuple):
    """Bytes that one side of a connection sent, in order. `gap` bytes before them are missing in the capture.

    A chunk without bytes has a `mark`:

    - `open`: the connection begins here, `source` opens it;
    - `hole`: from here on, `gap` bytes of `source` are missing (0: unknown, nothing of `source` was captured);
    - `untimed`: the records of this connection are out of order, so its times are not reliable;
    - `disorder`: from here on, the order between the two directions is not known;
    - `close`: `source` sends nothing more (FIN); `reset`: it cut the connection (RST).
    """

    time: int
    connection: int
    source: str
    target: str
    source_port: int
    target_port: int
    data: bytes
    gap: int = 0
    mark: str = ""


class Reassembly:
    """Takes all segments of a capture, then yields the captured bytes and the holes between them in order.

    Sequence numbers give the order within a direction. A segment comes after everything that it acknowledges: this
    gives the order between the two directions if records are out of order. Bytes that were never captured are a hole
    if they were acknowledged, or if later bytes were sent.
    """

    def __init__(self) -> None:
        self._connections: list[_Connection] = []
        self._current: dict[tuple[Address, Address], _Connection] = {}
        self._records: list[tuple[int, Segment]] = []

    def add(self, time: int, segment: Segment) -> None:
        """Add the segment of the next record; `time` is in nanoseconds."""
        self._records.append((time, segment))

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks of all connections, each at the record that completes it."""
        records = sorted(_steady(self._records), key=lambda record: record[0])
        times = [time for time, _ in records]
        for index, (time, segment) in enumerate(records):
            self._sort(index, time, segment)
        found: list[tuple[int, int, _Step]] = []
        for connection in self._connections:
            found += [(step.record, connection.number, step) for step in connection.steps(times)]
        found.sort(key=lambda one: one[:2])
        names = [connection.names() for connection in self._connections]
        for index, number, step in found:
            source, target = names[number - 1] if step.side == 0 else names[number - 1][::-1]
            yield Chunk(
                times[index], number, source[0], target[0], source[1], target[1], step.data, step.gap, step.mark
            )

    def _sort(self, index: int, time: int, segment: Segment) -> None:
        """Add a segment to its connection. It may begin a new connection with the same addresses and ports."""
        ends = segment.source, segment.target
        key = ends if ends[0] <= ends[1] else ends[::-1]
        connection = self._current.get(key)
        if connection is None or (segment.syn and not connection.is_begun_by(segment, time)):
            connection = _Connection(len(self._connections) + 1, index, ends)
            self._connections.append(connection)
            self._current[key] = connection
        connection.add(index, time, segment)


class _Part(NamedTuple):
    """Captured bytes. The other side's bytes before the number `needs` were received before these were sent."""

    start: int
    stop: int
    record: int
    needs: int
    data: bytes


class _Step(NamedTuple):
    """An event of a connection. It happens when the record of that number is read."""

    record: int
    side: int
    needs: int
    upto: int
    data: bytes
    gap: int
    mark: str
    own: int = 0
    """The record that contains it."""


class _Side:
    """One direction. Sequence numbers are unwrapped: they continue beyond 2**32."""

    def __init__(self) -> None:
        self.seen = False
        self.syn: int | None = None
        self.near: int | None = None
        """The number of the latest segment. Other numbers are unwrapped to the nearest value."""
        self.lowest: int | None = None
        """The lowest number that it sent, or that was acknowledged."""
        self.said = -1
        """It sent everything before this number."""
        self.fin: int | None = None
        self.fin_index = 0
        self.acknowledges = False
        """Its acknowledgements are valid. Programs that fabricate segments leave them 0."""
        self.heard = self.reached = -ENDLESS
        self.heard_at = self.reached_at = 0
        """The highest number that it acknowledged and that it sent, each with the time of its first record."""
        self.parts: list[_Part] = []

    def unwrap(self, number: int) -> int:
        """Return the unwrapped number: the one nearest to the latest segment."""
        if self.near is None:
            self.near = number
        return self.near + _signed(number - self.near)

    def begin(self, number: int) -> None:
        """Note the number of its SYN. Earlier numbers belong to an earlier connection."""
        at = self.unwrap(number)
        self.syn = at
        self.near = self.lowest = at + 1
        self.said = max(at + 1, min(self.said, at + 1 + WINDOW))

    def sent(self, start: int, stop: int) -> None:
        """Note that it sent the numbers from `start` to `stop`."""
        self.lowest = start if self.lowest is None else min(self.lowest, start)
        if stop - max(self.said, self.lowest) <= WINDOW:
            self.said = max(self.said, stop)

    @property
    def first(self) -> int:
        """The number of its first known byte."""
        if self.syn is not None:
            return self.syn + 1
        return self.lowest or 0

    def covered(self) -> Iterator[tuple[int, int, _Part | None]]:
        """Yield ranges that cover all bytes it sent: start, stop, and the captured part or None.

        If a byte was captured several times, the first record is used.
        """
        parts = sorted(self.parts)
        end = ENDLESS if self.fin is None else self.fin
        said = min(self.said, end)
        copies: list[tuple[int, int]] = []
        at, n = self.first, 0
        while at < end:
            while n < len(parts) and parts[n].start <= at:
                if parts[n].stop > at:
                    heappush(copies, (parts[n].record, n))
                n += 1
            while copies and parts[copies[0][1]].stop <= at:
                heappop(copies)
            if not copies:
                stop = min(parts[n].start, end) if n < len(parts) else said
                if stop > at:
                    yield at, stop, None
                if n == len(parts):
                    return
                at = stop
                continue
            part = parts[copies[0][1]]
            stop = min(part.stop, end)
            while n < len(parts) and parts[n].start < stop:
                if parts[n].record < part.record:
                    stop = parts[n].start
                    break
                heappush(copies, (parts[n].record, n))
                n += 1
            yield at, stop, part
            at = stop


class _Connection:
    """One connection between two addresses. Side 0 is the source of the first segment that was seen."""

    def __init__(self, number: int, index: int, ends: tuple[Address, Address]) -> None:
        self.number = number
        self.index = index
        self.ends = ends
        self.sides = (_Side(), _Side())
        self.opener: int | None = None
        self.begun_at = 0
        self.timed = True
        """True if the times of the records are reliable."""
        self.reset: tuple[int, int] | None = None
        """Record and side of the first RST."""

    def names(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Return the two addresses as text, with their ports."""
        one, two = ((str(ip_address(host)), port) for host, port in self.ends)
        return one, two

    def is_begun_by(self, segment: Segment, time: int) -> bool:
        """True if a SYN may begin this connection: its record may be late or a duplicate."""
        at = self._side_of(segment)
        side, other = self.sides[at], self.sides[1 - at]
        if side.syn is not None:
            over = self.reset is not None or (side.fin is not None and other.fin is not None)
            late = bool(side.parts) and time - self.begun_at > LATE
            return side.syn & 0xFFFF_FFFF == segment.sequence and not over and not late
        if segment.acknowledged > 0 and other.syn is not None:
            return other.syn + 1 & 0xFFFF_FFFF == segment.acknowledged
        if side.lowest is not None:
            return 0 <= _signed(side.lowest - segment.sequence - 1) < NEAR
        return True

    def add(self, index: int, time: int, segment: Segment) -> None:
        """Add a segment of this connection."""
        at = self._side_of(segment)
        side, other = self.sides[at], self.sides[1 - at]
        side.seen = True
        if segment.syn and side.syn is None:
            side.begin(segment.sequence)
            self.begun_at = time
            self.opener = 1 - at if segment.acknowledged >= 0 else at
        acknowledged = -ENDLESS
        side.acknowledges = side.acknowledges or segment.acknowledged > 0
        if side.acknowledges and segment.acknowledged >= 0:
            acknowledged = other.unwrap(segment.acknowledged)
            other.sent(acknowledged, acknowledged)
            if acknowledged > side.heard:
                side.heard, side.heard_at = acknowledged, time
            elif acknowledged < side.heard and time - side.heard_at > EXACT:
                self.timed = False  # an acknowledgement never goes back: this segment was sent earlier
        if segment.reset:
            if self.reset is None:
                self.reset = index, at
            return  # its numbers need not belong to the stream
        start = side.unwrap(segment.sequence) + segment.syn
        stop = start + segment.size
        side.sent(start, stop)
        if stop + segment.fin > side.reached:
            side.reached, side.reached_at = stop + segment.fin, time
        elif not segment.size and not segment.fin and time - side.reached_at > EXACT:
            # A TCP keep-alive probe is one byte back. Segments with data are not judged: they may be retransmissions.
            if start < side.reached - 1 or (side.fin is not None and start <= side.fin):
                self.timed = False
        if segment.data:
            side.near = start
            side.parts.append(_Part(start, start + len(segment.data), index, acknowledged, segment.data))
        if segment.fin and side.fin is None:
            side.fin, side.fin_index = stop, index

    def _side_of(self, segment: Segment) -> int:
        return 0 if segment.source == self.ends[0] else 1

    # ---------------------------------------------------------------- after the last segment

    def steps(self, times: list[int]) -> Iterator[_Step]:
        """Yield the events in order, each with the index of the latest record that it needs."""
        steps = list(self._merged())
        if self.opener is not None:
            yield _Step(self.index, self.opener, 0, 0, b"", 0, "open")
        if not self.timed or any(times[step.record] - times[own] > EXACT for own, step in steps):
            yield _Step(self.index, 0, 0, 0, b"", 0, "untimed")
        for _, step in steps:
            yield step

    def _merged(self) -> Iterator[tuple[int, _Step]]:
        """Yield the events of both sides in the order in which they happened, each with the index of its own record."""
        lines = [self._line(0), self._line(1)]
        at = [0, 0]
        heard = [side.first for side in self.sides]
        latest = self.index
        while True:
            heads = [line[n] if n < len(line) else None for line, n in zip(lines, at, strict=True)]
            if heads[0] is None and heads[1] is None:
                break
            for side in (0, 1):
                if heads[side] is None:
                    heard[side] = ENDLESS
            ready = [one for one in heads if one is not None and one.needs <= heard[1 - one.side]]
            if not ready:
                yield latest, _Step(latest, 0, 0, 0, b"", 0, "disorder")
                ready = [one for one in heads if one is not None]
            step = min(ready, key=lambda one: one.record)
            if self.reset is not None and self.reset[0] < step.record:
                yield self._cut(latest)
                self.reset = None
            latest = max(latest, step.record)
            own = latest if step.mark == "hole" else step.own
            yield own, step._replace(record=latest)
            heard[step.side] = step.upto
            at[step.side] += 1
        if self.reset is not None:
            yield self._cut(latest)

    def _cut(self, latest: int) -> tuple[int, _Step]:
        assert self.reset is not None
        index = max(latest, self.reset[0])
        return index, _Step(index, self.reset[1], 0, 0, b"", 0, "reset")

    def _line(self, number: int) -> list[_Step]:
        """Return the events of one side: its bytes, the holes between them, and its end."""
        side = self.sides[number]
        index = self.index
        steps: list[_Step] = []
        needs = -ENDLESS
        for start, stop, part in side.covered():
            if part is None:
                steps.append(_Step(index, number, needs, stop, b"", stop - start, "hole"))
                continue
            index = max(index, part.record)
            needs = max(needs, part.needs)
            data = part.data[start - part.start : stop - part.start]
            steps.append(_Step(index, number, needs, stop, data, 0, "", part.record))
        if not side.seen and not steps and self.sides[1 - number].parts:
            steps.append(_Step(index, number, needs, ENDLESS, b"", 0, "hole"))
        if side.fin is not None:
            steps.append(
                _Step(max(index, side.fin_index), number, needs, side.fin + 1, b"", 0, "close", side.fin_index)
            )
        return steps


def _steady(records: list[tuple[int, Segment]]) -> Iterator[tuple[int, Segment]]:
    """Yield the records. If the clock was set back, later times are corrected. A few records out of order are not."""
    shift = latest = 0
    for at, (time, segment) in enumerate(records):
        if time + shift < latest - BACK:
            following = records[at + 1 : at + 1 + ROW]
            if len(following) == ROW and all(later + shift < latest - BACK for later, _ in following):
                shift = latest - time
        latest = max(latest, time + shift)
        yield time + shift, segment


def _signed(difference: int) -> int:
    """Return the difference of two sequence numbers as a signed number; they wrap at 2**32."""
    return (difference + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000
