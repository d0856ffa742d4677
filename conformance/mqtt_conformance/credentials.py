# SPDX-License-Identifier: MIT
"""Puts the run's credentials into a CONNECT that is malformed in another place.

If a broker refuses a CONNECT because it does not know the user name, it shows nothing about the malformed part. So the
credentials are put into a malformed CONNECT where there is room for them. Where there is no room, the reaction counts
only if the broker does not refuse a valid CONNECT without the right credentials in the same way.
"""

from __future__ import annotations

from typing import NamedTuple

from mqtt_conformance.peer import ANSWER, Peer
from mqtt_conformance.reacted import reacted
from mqtt_conformance.target import Target
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect
from mqtt_ref.wire.primitives import CLIENT, V5
from mqtt_ref.wire.violation import Violation

__all__ = ["refusals", "with_credentials"]

WILL, PASSWORD, USERNAME = 0x04, 0x40, 0x80


class _Cut(Exception):
    """The bytes end, or a length field points beyond their end."""


class _Reader(NamedTuple):
    """Walks through a CONNECT by its length fields alone. The content of the fields may be anything."""

    data: bytes

    def field(self, at: int) -> int:
        """Return the end of a field with a length of two bytes."""
        return self.over(at + 2, int.from_bytes(self.data[at : self.over(at, 2)], "big"))

    def over(self, at: int, size: int) -> int:
        if at + size > len(self.data):
            raise _Cut
        return at + size

    def properties(self, at: int) -> int:
        size, end = self.number(at)
        return self.over(end, size)

    def number(self, at: int) -> tuple[int, int]:
        """Return a Variable Byte Integer, and where it ends."""
        value = 0
        for more in range(4):
            self.over(at + more, 1)
            value |= (self.data[at + more] & 0x7F) << 7 * more
            if self.data[at + more] < 0x80:
                return value, at + more + 1
        raise _Cut


def with_credentials(data: bytes, version: int, target: Target, *, rest: bool = False) -> bytes | None:
    """Return a malformed CONNECT that breaks the same rule, with the target's credentials in place of its own.

    `rest` means that there are bytes after its end, which is what is wrong with it. Returns None if there is no room
    for credentials: the packet ends before them, or the broken rule is about them.
    """
    try:
        made = _made(data, version, target, rest=rest)
    except _Cut:
        return None
    return made if _broken(made) == _broken(data) else None


def _broken(data: bytes) -> str:
    """Return the rule that a CONNECT breaks first, or an empty string."""
    found = Decoder(0, CLIENT).feed(data)
    return found[0].statement if found and isinstance(found[0], Violation) else ""


def _made(data: bytes, version: int, target: Target, *, rest: bool) -> bytes:
    reader = _Reader(data)
    size, begin = reader.number(1)
    if begin + size != len(data):
        raise _Cut
    level = reader.field(begin)
    flags_at = reader.over(level, 1)
    at = reader.over(flags_at, 3)
    flags = data[flags_at]
    if version == V5:
        at = reader.properties(at)
    at = reader.field(at)
    if flags & WILL:
        if version == V5:
            at = reader.properties(at)
        at = reader.field(reader.field(at))
    end = at
    for flag in (USERNAME, PASSWORD):
        if flags & flag:
            end = reader.field(end)
    if end != len(data) and not rest:
        raise _Cut
    flags &= ~(USERNAME | PASSWORD)
    own = b""
    if target.username is not None:
        flags |= USERNAME
        own += _field(target.username.encode())
    if target.password is not None:
        flags |= PASSWORD
        own += _field(target.password)
    body = data[begin:flags_at] + bytes([flags]) + data[flags_at + 1 : at] + own + data[end:]
    return data[:1] + _number(len(body)) + body


def _field(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _number(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


async def refusals(peer: Peer) -> frozenset[tuple[str, int]]:
    """Return how this broker refuses a valid CONNECT without credentials or with wrong ones: reactions and their codes.

    Empty if it accepts them. A broker that lets in clients without a name may still refuse names that it does not know.
    """
    target = peer.target
    known = target.refusals.get(peer.version)
    if known is None:
        wrong = [("user", b"data"), ("user", None)] if peer.version == V5 else [("user", b"data")]
        named = target.username is not None or target.password is not None
        tried = [await _refusal(peer, *one) for one in [*([(None, None)] if named else []), *wrong]]
        known = frozenset(one for one in tried if one[0] != "ignore")
        target.refusals[peer.version] = known
    return known


async def _refusal(peer: Peer, username: str | None, password: bytes | None) -> tuple[str, int]:
    stranger = peer.another(f"nobody{len(peer.run.peers)}")
    packet: Connect = stranger.connect_packet()
    packet.username, packet.password = username, password
    await stranger.open()
    await stranger.send(packet)
    await stranger._wait(lambda: stranger.closed or bool(stranger.inbox), ANSWER)
    if any(isinstance(p, Connack) and p.reason_code for p in stranger.inbox):
        await stranger._wait(lambda: stranger.closed, ANSWER)
    _, outcome, code = reacted(stranger.inbox, closed=stranger.closed)
    await stranger.drop(record=False)
    return outcome, code
