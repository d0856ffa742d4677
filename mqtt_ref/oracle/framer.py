# SPDX-License-Identifier: MIT
"""Cuts one direction of a connection into packets, and shows where each lies; goes on behind what is illegal."""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.primitives import read_vbi

__all__ = ["HELD", "Framer"]

HELD: Final = 16 * 1024 * 1024
"""Bytes of one packet that are held; a larger one is not looked at."""
PLAIN: Final = 0x30
"""The first byte of a PUBLISH of QoS 0, without DUP and RETAIN."""


class Framer:
    """`frames` are the packets that are whole now: their bytes from `pos` to `stop`, the variable header at `body`.

    `lost` says that no packet's end is known any more: the Remaining Length is none, or a packet was too large to be
    held. `rest` is what there is of a packet that is not whole.
    """

    def __init__(self) -> None:
        self.lost = False
        self.too_large = False
        self.whole = 0
        """Where the last whole packet ends, in the bytes that `feed` gave back."""
        self.rest: list[bytes] = []
        self.have = 0
        self.need = 0

    def feed(self, data: bytes, all_packets: bool = True) -> tuple[bytes, list[tuple[int, int, int]]]:
        """The packets that `data` completes, as places in the bytes that come with them.

        Without `all_packets`, a PUBLISH of QoS 0 is passed over.
        """
        frames: list[tuple[int, int, int]] = []
        if self.lost:
            self.whole = 0
            return data, frames
        if self.have:
            self.rest.append(data)
            self.have += len(data)
            if self.have < self.need:
                return b"", frames
            data = b"".join(self.rest)
            self.rest = []
            self.have = 0
        self.need = 0
        pos = 0
        end = len(data)
        while end - pos >= 2:
            length = data[pos + 1]
            body = pos + 2
            if length > 127:
                packed = read_vbi(data, pos + 1, min(end, pos + 5), False)
                if packed < 0:
                    if packed != -1:
                        self.lost = True
                    break
                length = packed >> 3
                body = pos + 1 + (packed & 7)
            stop = body + length
            if stop > end:
                self.need = stop - pos
                if self.need > HELD:
                    self.lost = self.too_large = True
                break
            if all_packets or data[pos] & 0xF6 != PLAIN:
                frames.append((pos, body, stop))
            pos = stop
        self.whole = pos
        if pos < end:
            self.rest = [data[pos:]]
            self.have = end - pos
        return data, frames
