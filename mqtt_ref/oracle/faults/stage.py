# SPDX-License-Identifier: MIT
"""The stage for faults: a client and its judge, on a simulated clock. The fault plays the server."""

from __future__ import annotations

from typing import Any, Final

from mqtt_ref.oracle.faults.client import Client
from mqtt_ref.oracle.finding import Finding
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, ConnackProperties, Packet
from mqtt_ref.wire.primitives import V5

__all__ = ["Stage"]

SECOND: Final = 1_000_000_000
MOMENT: Final = SECOND // 50
"""The time between two exchanges, in nanoseconds."""


class Stage:
    """One client and its judge, which sees packets of the client at once, and those of the server before the client."""

    def __init__(self, version: int = V5, faults: frozenset[str] = frozenset(), client_id: str = "c") -> None:
        self.version = version
        self.now = 1000 * SECOND
        self.judge = Judge()
        self.client = Client(client_id, version, faults)
        self.client.now = self.now
        self.count = 0
        self.opened_at = 0
        self.open()

    def open(self) -> None:
        """Open a new connection."""
        self.count += 1
        self.opened_at = self.now
        self.watched = self.judge.open(str(self.count), self.now, "client", local=True)

    def drop(self) -> None:
        """Break the connection, and open a new one."""
        self.turn()
        self.client.lost()
        self.watched.closed(self.now)
        self.pass_time(0.1)
        self.open()

    def connect(self, connack: Connack | None = None, **fields: Any) -> None:
        """Let the client send CONNECT, and the server answer with CONNACK."""
        if self.now > self.opened_at:
            self.watched.closed(self.now)
            self.open()  # a client opens its connection directly before the CONNECT
        self.client.connect(**fields)
        self.says(connack or Connack())

    def limited(self, **limits: Any) -> None:
        """Like `connect`, with these properties in the CONNACK."""
        self.connect(Connack(properties=ConnackProperties(**limits)))

    def says(self, *packets: Packet) -> None:
        """Send packets of the server to the client."""
        self.turn()
        self._pass(MOMENT)
        for packet in packets:
            data = encode(self.version, packet)
            self.watched.server(data, self.now)
            self.client.receive(data, self.now)
        self._pass(MOMENT)
        self.turn()

    def turn(self) -> None:
        """Pass the bytes that the client wants to send to the judge."""
        for data in self.client.out:
            self.watched.client(data, self.now)
        self.client.out.clear()

    def raw(self, data: bytes) -> None:
        """Let the client send these bytes."""
        self.client.send_raw(data)
        self.turn()

    def pass_time(self, seconds: float) -> None:
        """Advance the clock; a client with a Keep Alive sends PINGREQs."""
        until = self.now + int(seconds * SECOND)
        step = SECOND // 5
        while self.now < until:
            self._pass(min(step, until - self.now))
            self.turn()

    def _pass(self, time: int) -> None:
        self.now += time
        self.client.tick(self.now)
        self.turn()
        self.judge.passed(self.now)

    @property
    def findings(self) -> list[Finding]:
        """The findings of the judge so far."""
        return list(self.judge.findings)

    def rules(self) -> set[str]:
        """Return the statements that were found broken."""
        self.turn()
        return {one for finding in self.judge.findings for one in (finding.rule, *finding.also)}
