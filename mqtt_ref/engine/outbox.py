# SPDX-License-Identifier: MIT
"""The output of one connection, in order, and what holds it back."""

from __future__ import annotations

from collections import deque

from mqtt_ref.wire.codes import PUBLISH
from mqtt_ref.wire.primitives import read_vbi

__all__ = ["Gate", "Outbox", "heads", "whole"]


class Gate:
    """Output that waits for a batch of the store."""

    __slots__ = ("acks", "batch", "out")

    def __init__(self, batch: int, out: list[bytes], acks: int) -> None:
        self.batch = batch
        self.out = out
        self.acks = acks


class Outbox:
    """Packets that wait for the write at the end of the tick, or first for a batch of the store.

    `Connection.send` puts packets in, the driver takes them out with `Connection.take`.

    An item is a packet, or several small ones, or the head of a PUBLISH. After a head, the next item is its payload:
    the object that all subscribers of the message share.
    """

    __slots__ = (
        "acks",
        "apart",
        "burst",
        "choked",
        "ending",
        "gates",
        "packets",
        "patient",
        "plain",
        "queued",
        "ready",
        "touched",
        "unsettled",
    )

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        """The output of this tick."""
        self.apart = False
        """True if the driver has to look at the items: one may be a payload, or earlier output waits. It resets it."""
        self.queued = False
        """True if the connection is in `Broker.dirty`."""
        self.ready: list[bytes] | None = None
        """Output whose batch is committed: it goes before `packets`."""
        self.gates: deque[Gate] | None = None
        """Output whose batch is not committed."""
        self.touched = 0
        """The batch that the output of this tick waits for, or 0."""
        self.acks = 0
        """PUBACKs in the output of this tick that wait for its batch."""
        self.unsettled = 0
        """PUBACKs that wait for any batch: their messages still count against our Receive Maximum."""
        self.ending = False
        """True if nothing is sent after the queued output."""
        self.patient = False
        """True if the client gets some time to close the link itself."""
        self.choked = False
        """True if the transport's buffer is full."""
        self.burst = 0
        """Bytes of the retained messages that were queued since the last write."""
        self.plain = 0
        """Form in which plain QoS 0 messages may be queued: 1 for 3.x, 2 for 5.0; 0: only on the normal path."""

    def add_payload(self, payload: bytes) -> None:
        """Queue the payload whose head was queued last."""
        self.packets.append(payload)
        self.apart = True

    @property
    def closing(self) -> bool:
        """True if the link is to be closed after the taken output is written."""
        return self.ending and self.gates is None

    def discard(self) -> None:
        """Drop all output that has not left yet."""
        self.gates = None
        self.ready = None
        self.packets = []


def heads(out: list[bytes]) -> int:
    """Return how many items of an output are heads: so many fewer packets than items it has."""
    count = 0
    at = 0
    while at < len(out):
        if _is_head(out[at]):
            count += 1
            at += 1
        at += 1
    return count


def whole(out: list[bytes]) -> list[bytes]:
    """Return an output with each head joined to its payload."""
    joined: list[bytes] = []
    at = 0
    while at < len(out):
        item = out[at]
        at += 1
        if _is_head(item) and at < len(out):
            item += out[at]
            at += 1
        joined.append(item)
    return joined


def _is_head(item: bytes) -> bool:
    """True if an item is a PUBLISH without its payload. Its Remaining Length counts more bytes than it has."""
    if item[0] >> 4 != PUBLISH:
        return False
    packed = read_vbi(item, 1, min(len(item), 5), False)
    return packed >= 0 and 1 + (packed & 7) + (packed >> 3) > len(item)
