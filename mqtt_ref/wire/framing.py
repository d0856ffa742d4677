# SPDX-License-Identifier: MIT
"""Splits a byte stream into packets: `Decoder` decodes them, `Framer` only finds where they begin and end."""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.breach import V31_NAME, Cites, broken, may_name_v31
from mqtt_ref.wire.generated.fast import PACKET_TOO_LARGE, VBI_FOUR_BYTES, VBI_MINIMAL, decode, header_breach
from mqtt_ref.wire.generated.packets import Connect, Packet, Publish
from mqtt_ref.wire.parts import SMALLEST, too_many
from mqtt_ref.wire.primitives import MAXIMUM_PACKET_SIZE, V5, read_vbi
from mqtt_ref.wire.violation import Violation

__all__ = ["HELD", "Decoder", "Framer", "head_size"]

SPAN: Final = 4096
"""A PUBLISH of at least this many bytes that came in several chunks: its payload is joined directly from the chunks."""
HELD: Final = 16 * 1024 * 1024
"""Default of `Framer.largest`, in bytes."""
SMALLEST_V31: Final = 9
"""The smallest Remaining Length of a CONNECT that names 3.1, in bytes."""
PLAIN: Final = 0x30
"""The first byte of a PUBLISH of QoS 0, without DUP and RETAIN."""


class Partial:
    """Buffer for a packet that is not complete yet."""

    def __init__(self) -> None:
        self._rest: list[bytes | memoryview] = []
        self._have = 0
        self._need = 0

    @property
    def buffered(self) -> int:
        """Number of bytes held for a packet that is not complete yet."""
        return self._have

    @property
    def missing(self) -> int:
        """Number of bytes that are still missing of a packet whose length is known; 0 between packets."""
        return self._need - self._have if self._need else 0

    def _add(self, data: bytes) -> bool:
        """Buffer `data`. True if the packet may be complete now."""
        self._rest.append(data)
        self._have += len(data)
        return self._have >= self._need

    def _take(self) -> list[bytes | memoryview]:
        """Return the chunks of the buffer and clear it."""
        rest = self._rest
        self._rest = []
        self._have = 0
        self._need = 0
        return rest

    def _keep(self, data: bytes, pos: int) -> None:
        """Buffer the bytes from `pos` on. Many bytes are not copied now: the payload is copied once, at the end."""
        left = len(data) - pos
        self._rest = [memoryview(data)[pos:] if left >= SPAN else data[pos:]]
        self._have = left


class Framer(Partial):
    """Finds the packets in one direction of a stream that is only observed. The packets may be illegal.

    `lost` is set when no further packet can be found: a Remaining Length is malformed, or a packet has more than
    `largest` bytes (then `too_large` is set too).
    """

    def __init__(self, largest: int = HELD) -> None:
        super().__init__()
        self.largest = largest
        self.lost = False
        self.too_large = False
        self.whole = 0
        """Offset at which the last whole packet ends, in the bytes that `feed` returned."""

    @property
    def rest(self) -> bytes:
        """The bytes that belong to no whole packet."""
        return b"".join(self._rest)

    def feed(self, data: bytes, all_packets: bool = True) -> tuple[bytes, list[tuple[int, int, int]]]:
        """Find the packets that `data` completes.

        Returns bytes and, for each packet, three offsets in them: where it begins, where its variable header begins,
        where it ends. Without `all_packets`, each PUBLISH of QoS 0 is left out.
        """
        frames: list[tuple[int, int, int]] = []
        self.whole = 0
        if self.lost:
            return data, frames
        if self._have:
            if not self._add(data):
                return b"", frames
            data = b"".join(self._take())
        pos = 0
        end = len(data)
        while end - pos >= 2:
            length = data[pos + 1]
            body = pos + 2
            if length > 127:
                packed = read_vbi(data, pos + 1, min(end, pos + 5), False)
                if packed < 0:
                    self.lost = packed != -1
                    break
                length = packed >> 3
                body = pos + 1 + (packed & 7)
            stop = body + length
            if stop > end:
                if stop - pos > self.largest:
                    self.lost = self.too_large = True
                self._need = stop - pos
                break
            if all_packets or data[pos] & 0xF6 != PLAIN:
                frames.append((pos, body, stop))
            pos = stop
        self.whole = pos
        if pos < end:
            self._keep(data, pos)
        return data, frames

    def drop(self) -> bytes:
        """Return the bytes that belong to no whole packet, and clear the buffer."""
        return b"".join(self._take())


class Decoder(Partial):
    """Turns a byte stream into packets.

    `version` is the protocol level of the stream (3, 4, 5), or 0 while it is not known: a CONNECT sets it. `sender` is
    `CLIENT` or `SERVER`. A packet of more than `maximum_packet_size` bytes, including its fixed header, is a violation
    as soon as its Remaining Length is read; none of it is buffered. Decoding stops after a violation. With `go_on`, it
    continues after the broken packet if the end of that packet is known.

    With `most` above 0, decoding stops after so many packets. What is left is in `rest`, and `more` continues. With
    `parts` above 0, it ends before a packet that has more Topic Filters or User Properties, and `excess` is set.
    """

    def __init__(
        self, version: int = 0, sender: int = 0, maximum_packet_size: int = MAXIMUM_PACKET_SIZE, go_on: bool = False
    ) -> None:
        super().__init__()
        self.version = version
        self.sender = sender
        self.maximum_packet_size = maximum_packet_size
        self.go_on = go_on
        self.broken = False
        self.most = 0
        self.parts = 0
        self.excess = False
        self.rest = b""
        self._skip = 0

    def feed(self, data: bytes) -> list[Packet | Violation]:
        """Return the packets that `data` completes, in order. Without `go_on`, a violation is the last item.

        If a packet breaks several rules, the violation is the one at the first byte.

        Cites: X5-several-errors
        """
        out: list[Packet | Violation] = []
        if self.broken:
            return out
        if self.rest:
            data = self.rest + data
            self.rest = b""
        if self._skip:
            if len(data) <= self._skip:
                self._skip -= len(data)
                return out
            data = data[self._skip :]
            self._skip = 0
        if self._have:
            if not self._add(data):
                return out
            have = self._have
            need = self._need
            rest = self._take()
            if need >= SPAN and rest[0][0] >> 4 == Publish.TYPE:
                data = self._spanning(rest, have, need, out)
                if self.broken:
                    return out
            else:
                data = b"".join(rest)
        self._whole(data, out)
        return out

    def more(self) -> list[Packet | Violation]:
        """Continue with `rest`."""
        out: list[Packet | Violation] = []
        data = self.rest
        self.rest = b""
        if not self.broken:
            self._whole(data, out)
        return out

    def _whole(self, data: bytes, out: list[Packet | Violation]) -> None:
        """Decode every whole packet of `data`, and buffer the rest."""
        pos = 0
        end = len(data)
        limit = self.maximum_packet_size
        version = self.version
        sender = self.sender
        left = self.most
        least = self.parts * SMALLEST if self.parts else MAXIMUM_PACKET_SIZE
        while pos < end:
            if end - pos < 2:
                if self._refuse_header(data, pos, end, SMALLEST_V31, out):
                    return
                break
            length = data[pos + 1]
            body = pos + 2
            if length > 127:
                # Only 5.0 requires the fewest bytes. A CONNECT is judged by the version that it names, not known yet.
                packed = read_vbi(data, pos + 1, min(end, pos + 5), version == V5 and data[pos] >> 4 != Connect.TYPE)
                if packed < 0:
                    if self._refuse_header(data, pos, end, SMALLEST_V31 if packed == -1 else 0, out):
                        return
                    if packed == -1:
                        break
                    self._refuse_length(packed, data, pos, out)
                    return
                length = packed >> 3
                body = pos + 1 + (packed & 7)
            stop = body + length
            if stop - pos > limit:
                if self._refuse_header(data, pos, end, length, out):
                    return
                out.append(_breach(PACKET_TOO_LARGE, self.sender, data[pos] >> 4, body - 1 - pos, version))
                if not self.go_on:
                    self.stop()
                    return
                if stop > end:
                    self._skip = stop - end
                    return
                pos = stop
                continue
            if stop > end:
                self._need = stop - pos
                if self._refuse_header(data, pos, body, length, out):
                    return
                break
            if length > least:
                first = data[pos]
                if too_many(version, data, first >> 4, first >> 1 & 3, body, stop, self.parts):
                    self.excess = True
                    self.stop()
                    return
            packet = decode(version, sender, data, pos, body, stop)
            if body - pos > 2 and data[pos] >> 4 == Connect.TYPE:
                packet = self._judge_length(packet, data, pos, body)
            out.append(packet)
            if isinstance(packet, Connect):
                version = packet.protocol_version
                self.version = version
            elif isinstance(packet, Violation) and not self.go_on:
                self.stop()
                return
            pos = stop
            left -= 1
            if left == 0 and pos < end:
                self.rest = data[pos:]
                return
        if pos < end:
            self._keep(data, pos)

    def _spanning(self, chunks: list[bytes | memoryview], have: int, need: int, out: list[Packet | Violation]) -> bytes:
        """Decode a PUBLISH that fills several chunks and copy its payload once. Returns the bytes after it.

        The chunks hold `have` bytes. The first `need` of them are the PUBLISH.
        """
        size = SPAN
        while True:
            head = b"".join(_slices(chunks, 0, min(size, need)))
            end = publish_head(head, head_size(head), self.version)
            if end >= 0 or size >= need:
                break
            size *= 8
        if end < 0:
            return b"".join(chunks)
        if self.parts and too_many(
            self.version, head, head[0] >> 4, head[0] >> 1 & 3, head_size(head), end, self.parts
        ):
            self.excess = True
            self.stop()
            return b""
        # The payload cannot make a PUBLISH illegal, so only the head is decoded.
        found = decode(self.version, self.sender, head, 0, head_size(head), end)
        if isinstance(found, Publish):
            found.payload = b"".join(_slices(chunks, end, need))
        out.append(found)
        if isinstance(found, Violation) and not self.go_on:
            self.stop()
        return b"".join(_slices(chunks, need, have))

    def _judge_length(self, packet: Packet | Violation, data: bytes, pos: int, body: int) -> Packet | Violation:
        """Return the violation if a 5.0 CONNECT has a Remaining Length with more bytes than needed, else `packet`.

        Cites: MQTT5-1.5.5-1
        """
        if data[body - 1]:
            return packet
        if isinstance(packet, Connect):
            version = packet.protocol_version
        elif isinstance(packet, Violation) and packet.packet == Connect.TYPE and packet.offset:
            version = packet.version
        else:
            return packet
        if version != V5:
            return packet
        return _breach(VBI_MINIMAL, self.sender, Connect.TYPE, body - 1 - pos, version)

    def _refuse_header(self, data: bytes, pos: int, body: int, length: int, out: list[Packet | Violation]) -> bool:
        """Report an incomplete packet whose first byte is illegal, without waiting for the rest. True if reported.

        `length` bytes follow its fixed header, those that have arrived from `body` on. With `go_on` it does nothing:
        the end of the packet is needed to continue after it.
        """
        if self.go_on:
            return False
        found = header_breach(self.version, self.sender, data[pos])
        if found is None:
            return False
        if may_name_v31(self.version, self.sender, data[pos], data, body, length):
            if len(data) - body < len(V31_NAME):
                self._need = len(data) - pos + 1  # the next byte may show that it does not
            return False
        out.append(found)
        self.stop()
        return True

    def _refuse_length(self, packed: int, data: bytes, pos: int, out: list[Packet | Violation]) -> None:
        """Report a malformed Remaining Length. Decoding stops, because the end of the packet is not known."""
        first = header_breach(self.version, self.sender, data[pos])
        if first is not None:
            out.append(first)
        elif packed == -2:
            out.append(_breach(VBI_FOUR_BYTES, self.sender, data[pos] >> 4, 4, self.version))
        else:
            at = pos + 1
            while data[at]:
                at += 1
            out.append(_breach(VBI_MINIMAL, self.sender, data[pos] >> 4, at - pos, self.version))
        self.stop()

    def stop(self) -> None:
        """Stop decoding for good, and clear the buffer."""
        self.broken = True
        self._take()


def head_size(data: bytes) -> int:
    """Return the offset of the variable header. The Remaining Length must be complete and legal."""
    pos = 1
    while data[pos] > 127:
        pos += 1
    return pos + 1


def publish_head(data: bytes, pos: int, version: int) -> int:
    """Return the offset of the payload of a PUBLISH, or -1 if `data` is too short to find it."""
    if len(data) < pos + 2:
        return -1
    pos += 2 + (data[pos] << 8 | data[pos + 1])
    if data[0] & 6:
        pos += 2
    if version == V5:
        packed = read_vbi(data, pos, len(data), False)
        if packed < 0:
            return -1
        pos += (packed & 7) + (packed >> 3)
    return pos if pos <= len(data) else -1


def _slices(chunks: list[bytes | memoryview], start: int, stop: int) -> list[bytes | memoryview]:
    """Return the bytes between two offsets of the joined chunks, without a copy."""
    out: list[bytes | memoryview] = []
    for chunk in chunks:
        size = len(chunk)
        if start <= 0 and size <= stop:
            out.append(chunk)
        elif start < size and stop > 0:
            out.append(memoryview(chunk)[max(start, 0) : stop])
        start -= size
        stop -= size
        if stop <= 0:
            break
    return out


def _breach(rule: tuple[int, Cites, Cites, Cites], sender: int, packet: int, offset: int, version: int) -> Violation:
    """Return the violation of a rule of the fixed header. Client and server may break different statements."""
    reason, client, server, levels = rule
    cites = server if sender else client
    return broken(cites, reason, packet, offset, version, sender, "remaining_length", levels[version])
