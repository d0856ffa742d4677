# SPDX-License-Identifier: MIT
"""The output of one connection, in order, and what holds it back."""

from __future__ import annotations

from collections import deque

__all__ = ["Gate", "Outbox"]


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
    """

    __slots__ = (
        "acks",
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

    @property
    def closing(self) -> bool:
        """True if the link is to be closed after the taken output is written."""
        return self.ending and self.gates is None

    def discard(self) -> None:
        """Drop all output that has not left yet."""
        self.gates = None
        self.ready = None
        self.packets = []
