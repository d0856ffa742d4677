# SPDX-License-Identifier: MIT
"""What a tap in the middle of the network wrote: a pcap file with every hole that a real one can have."""

from __future__ import annotations

from random import Random
from struct import pack

from tests.oracle.strict.link import Record, Session

__all__ = ["DAMAGES", "damage", "records", "write"]

DAMAGES = (
    "whole",
    "client-only",
    "server-only",
    "lose-client",
    "lose-server",
    "lose-both",
    "last-server",
    "swap",
    "twice",
    "again",
    "again-late",
    "late",
    "snap",
    "no-ends",
    "one-link",
)
"""What is wrong with a capture."""

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16


def records(session: Session) -> list[Record]:
    """The segments in the order in which the tap saw them, with honest acknowledgement numbers."""
    assert session.tap is not None
    out = []
    for item in session.tap:
        if not item.mark or item.mark != "open":
            item.ack = session.links[item.link - 1].acks.get((item.to_server, item.sequence), 0)
        out.append(item)
    out.sort(key=lambda item: item.time)
    return out


def damage(items: list[Record], how: str, random: Random) -> list[Record]:
    """The capture with one kind of damage."""
    share = random.choice((0.02, 0.1, 0.3))
    if how == "client-only":
        return [item for item in items if item.to_server]
    if how == "server-only":
        return [item for item in items if not item.to_server]
    if how.startswith("lose-"):
        ways = {"client": (True,), "server": (False,), "both": (True, False)}[how[5:]]
        return [item for item in items if not (item.data and item.to_server in ways and random.random() < share)]
    if how == "last-server":
        last = {item.link: item for item in items if item.data and not item.to_server}
        gone = {id(item) for item in last.values() if random.random() < 0.7}
        return [item for item in items if id(item) not in gone]
    if how == "swap":
        out = list(items)
        for at in range(len(out) - 1):
            if random.random() < share:
                to = min(len(out) - 1, at + random.choice((1, 1, 2, 5)))
                out[at], out[to] = out[to], out[at]
        return out
    if how == "twice":
        return [copy for item in items for copy in ([item, item] if random.random() < share else [item])]
    if how in ("again", "again-late"):
        # TCP sends a segment again that had arrived, in another cut; the tap saw both, or only the second.
        out = []
        for item in items:
            if not item.data or random.random() >= share:
                out.append(item)
                continue
            if how == "again":
                out.append(item)
            cut = random.randint(0, len(item.data))
            later = item.time + int(random.expovariate(1 / 0.2) * 1e9)
            for start, piece in ((0, item.data[:cut]), (cut, item.data[cut:])):
                if piece:
                    sequence = item.sequence + start
                    out.append(Record(later, item.link, item.to_server, sequence, item.ack, piece))
        out.sort(key=lambda item: item.time)
        return out
    if how == "late":
        return items[random.randint(0, len(items)) :]
    if how == "no-ends":
        return [item for item in items if not item.mark]
    if how == "one-link":
        links = {item.link for item in items}
        kept = {link for link in links if random.random() < 0.5}
        return [item for item in items if item.link in kept]
    return items


def write(items: list[Record], how: str, random: Random) -> bytes:
    """A pcap file of Ethernet frames."""
    snap = random.choice((68, 96, 200)) if how == "snap" else 65535
    out = [pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap, 1)]
    for item in items:
        data = _frame(item)
        kept = data[:snap]
        out.append(pack("<IIII", item.time // 10**9, item.time % 10**9, len(kept), len(data)) + kept)
    return b"".join(out)


def _frame(item: Record) -> bytes:
    ends = (CLIENT, SERVER) if item.to_server else (SERVER, CLIENT)
    client_port = 20_000 + item.link
    ports = (client_port, 1883) if item.to_server else (1883, client_port)
    flags = ACK
    mine, theirs = 1000 * item.link, 7000 * item.link
    base, other = (mine, theirs) if item.to_server else (theirs, mine)
    sequence = base + 1 + item.sequence
    ack = other + 1 + max(0, item.ack)
    if item.mark == "open":
        sequence = base
        flags = SYN if item.to_server else SYN | ACK
        ack = 0 if item.to_server else other + 1
    elif item.mark == "close":
        flags |= FIN
    elif item.mark == "reset":
        flags |= RST
    elif item.data:
        flags |= PUSH
    tcp = pack("!HHIIBBHHH", *ports, sequence, ack, 5 << 4, flags, 65535, 0, 0) + item.data
    ip = pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, *ends)
    return b"\x02" * 6 + b"\x04" * 6 + b"\x08\x00" + ip + tcp
