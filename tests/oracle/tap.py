# SPDX-License-Identifier: MIT
"""A capture of what strict clients and the real broker say, and the ways in which captures are damaged."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, replace
from typing import Any

from mqtt_ref.oracle.judge import Judge, Watched
from mqtt_ref.wire.primitives import CLIENT, SERVER
from tests.oracle.rig import End, Rig

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
PORT = 1883


@dataclass(frozen=True)
class Record:
    """One captured segment; `size` is that of its data on the wire."""

    time: int
    connection: int
    side: int
    sequence: int
    acknowledged: int
    flags: int
    data: bytes
    size: int
    port: int


class Tap:
    """What passes, as TCP segments: numbers, acknowledgements, handshake and end are those that TCP would have."""

    def __init__(self, reuse: bool = False) -> None:
        self.records: list[Record] = []
        self.links: list[Link] = []
        self.reuse = reuse
        """Whether a connection takes the port of one that is over."""

    def open(self, now: int) -> Link:
        number = len(self.links)
        taken = {link.port for link in self.links if not (self.reuse and link.over)}
        link = Link(self, number, next(port for port in range(40_000, 50_000) if port not in taken))
        self.links.append(link)
        link.say(now, CLIENT, flags=SYN)
        link.say(now, SERVER, flags=SYN | ACK)
        link.say(now, CLIENT)
        return link


class Link:
    def __init__(self, tap: Tap, number: int, port: int) -> None:
        self.tap = tap
        self.number = number
        self.port = port
        self.next = [(number + 1) * 0x1234_5678 & 0xFFFF_FFFF, 0xFFFF_FF00 + number * 50 & 0xFFFF_FFFF]
        self.heard = [0, 0]
        """By side: what it has got of the other."""
        self.over = False

    def say(self, now: int, side: int, data: bytes = b"", flags: int = ACK) -> None:
        if self.over:
            return
        acknowledged = self.heard[side] if flags & ACK else 0
        self.tap.records.append(
            Record(now, self.number, side, self.next[side], acknowledged, flags, data, len(data), self.port)
        )
        self.next[side] = self.next[side] + len(data) + (1 if flags & (SYN | FIN) else 0) & 0xFFFF_FFFF
        if side == CLIENT or flags & SYN:
            self.heard[1 - side] = self.next[side]

    def got(self, now: int, data: bytes) -> None:
        """The client got what the server sent."""
        self.heard[CLIENT] = self.heard[CLIENT] + len(data) & 0xFFFF_FFFF
        self.say(now, CLIENT)


class TappedRig(Rig):
    """A rig whose traffic is captured at the broker."""

    def __init__(self, options: Any, clients: Any, reuse: bool = False) -> None:
        super().__init__(options, clients)
        self.tap = Tap(reuse)
        self.judge = TappedJudge(self.tap)
        self.ends = [TappedEnd(self, client) for client in clients]


class TappedEnd(End):
    def deliver_down(self) -> None:
        if isinstance(self.watched, TappedWatched):
            for data in self.down:
                self.watched.link.got(self.rig.now, data)
        super().deliver_down()

    def drop(self) -> None:
        watched = self.watched
        if self.link is not None and isinstance(watched, TappedWatched):
            how = watched.link.number % 3
            if self.closing:
                watched.link.say(self.rig.now, SERVER, flags=FIN | ACK)
            if not self.client.open or how == 0:
                watched.link.say(self.rig.now, CLIENT, flags=FIN | ACK)
            elif how == 1:
                watched.link.say(self.rig.now, CLIENT, flags=RST)
            watched.link.over = True
        super().drop()


class TappedJudge(Judge):
    def __init__(self, tap: Tap) -> None:
        super().__init__()
        self.tap = tap

    def open(self, name: str, now: int, *args: Any, **more: Any) -> Watched:
        talk = super().open(name, now, *args, **more).talk
        watched = TappedWatched(self, talk)
        watched.link = self.tap.open(now)
        self.talks[talk.number] = watched
        return watched


class TappedWatched(Watched):
    link: Link

    def client(self, data: bytes, now: int) -> None:
        self.link.say(now, CLIENT, data, PSH | ACK)
        super().client(data, now)

    def server(self, data: bytes, now: int) -> None:
        self.link.say(now, SERVER, data, PSH | ACK)
        super().server(data, now)


def written(records: list[Record], cut: int = 0) -> bytes:
    """The records as a pcap file; `cut` bytes of it are lost at the end."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)]
    for one in records:
        ports = (one.port, PORT) if one.side == CLIENT else (PORT, one.port)
        hosts = (b"\x0a\0\0\1", b"\x0a\0\0\2") if one.side == CLIENT else (b"\x0a\0\0\2", b"\x0a\0\0\1")
        tcp = struct.pack(">HHIIBBHHH", *ports, one.sequence, one.acknowledged, 5 << 4, one.flags, 1024, 0, 0)
        size = 40 + one.size
        packet = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, 6, 0) + b"".join(hosts) + tcp + one.data
        out.append(struct.pack("<IIII", *divmod(one.time, 1_000_000_000), len(packet), size) + packet)
    data = b"".join(out)
    return data[: len(data) - cut] if cut else data


def damaged(records: list[Record], kind: str, draw: random.Random) -> bytes:
    """The capture as something went wrong with it."""
    records = list(records)
    last = max(len(records), 1)
    if kind in ("client only", "server only"):
        side = CLIENT if kind == "client only" else SERVER
        return written([one for one in records if one.side == side])
    if kind == "one side of some":
        lost = {(number, draw.randrange(2)) for number in range(last) if draw.random() < 0.4}
        return written([one for one in records if (one.connection, one.side) not in lost])
    if kind == "some lost":
        return written([one for one in records if draw.random() > 0.08])
    if kind == "servers lost":
        return written([one for one in records if one.side == CLIENT or draw.random() > 0.2])
    if kind == "last of the server":
        ends = {one.connection: at for at, one in enumerate(records) if one.side == SERVER and one.data}
        return written([one for at, one in enumerate(records) if ends.get(one.connection) != at])
    if kind in ("swapped", "swapped with times"):
        for at in range(len(records) - 1):
            one, two = records[at], records[at + 1]
            if draw.random() < 0.3 and one.connection == two.connection:
                if kind == "swapped":
                    one, two = replace(one, time=two.time), replace(two, time=one.time)
                records[at], records[at + 1] = two, one
        return written(records)
    if kind == "shuffled with times":
        where = [(at + draw.random() * 6, one) for at, one in enumerate(records)]
        return written([one for _, one in sorted(where, key=lambda pair: pair[0])])
    if kind == "doubled":
        return written([one for one in records for _ in range(draw.choice((1, 1, 2)))])
    if kind == "sent again":
        out: list[Record] = []
        for at, one in enumerate(records):
            out.append(one)
            if one.data and draw.random() < 0.3:
                begin = draw.randrange(len(one.data))
                data = one.data[begin:]
                now = records[min(at + 2, last - 1)].time
                out.append(
                    replace(one, sequence=one.sequence + begin & 0xFFFF_FFFF, data=data, size=len(data), time=now)
                )
        return written(out)
    if kind == "cut short":
        size = draw.choice((0, 2, 10, 30))
        return written([replace(one, data=one.data[:size]) for one in records])
    if kind == "cut off":
        return written(records, draw.randrange(1, sum(len(one.data) + 56 for one in records)))
    if kind == "begun late":
        return written(records[draw.randrange(1, last) :])
    raise ValueError(kind)


KINDS = (
    "client only", "server only", "one side of some", "some lost", "servers lost", "last of the server", "swapped",
    "swapped with times", "shuffled with times", "doubled", "sent again", "cut short", "cut off", "begun late",
)  # fmt: skip
