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
    """Packets that wait for the write at the end of the tick, or for a batch before that.

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
        """Whether the connection is in `Broker.dirty`."""
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
        """Whether nothing follows what is queued."""
        self.patient = False
        """Whether closing the link is left to the client for a while."""
        self.choked = False
        """Whether the transport holds as much as it may."""
        self.burst = 0
        """Bytes of the retained messages that were queued since the last write."""
        self.plain = 0
        """Form in which a QoS 0 message without properties may be queued as it is: 1 for 3.x, 2 for 5.0, 0: none."""

    @property
    def closing(self) -> bool:
        """Whether the link is to be closed once what was taken is written."""
        return self.ending and self.gates is None
