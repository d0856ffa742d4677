# SPDX-License-Identifier: MIT
"""The judge on a running broker: channels that show it what passes."""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.tables import TABLES, Tables, changed
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.trace import Trace, TracedChannel
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.state import QUIET, SECOND

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener

__all__ = ["POLICIES", "JudgedChannel", "Live", "policy"]

TICK: Final = SECOND // 5
"""How often it is looked who has been silent for too long."""
POLICIES: Final = ("record", "close")


def policy(name: str, tables: Tables = TABLES) -> Tables:
    """The rules of a broker that records and goes on, or that closes as the standard asks.

    One that records passes over a packet that breaks a rule, where its end is known, and does not close because of a
    Keep Alive that was not kept. What makes a CONNECT illegal ends the connection in any case.
    """
    if name not in POLICIES:
        raise ValueError(f"a policy is {' or '.join(POLICIES)}, not {name!r}")
    return changed(tables, limits={"keep_alive_percent": 1_000_000}, go_on=True) if name == "record" else tables


class Live:
    """Makes judged channels for a server: `Server(channels=live.channel)`.

    `hold` is how long a CONNACK is kept back, in nanoseconds after the CONNECT. A client may send before it has its
    CONNACK, and then cannot know what that says; one that sent nothing in this time waits for it, and is judged by it.
    """

    def __init__(self, judge: Judge, trace: Trace | None = None, hold: int = QUIET) -> None:
        self.judge = judge
        if trace is None:
            trace = Trace(_NoSink())
            trace.sink = None
        self.trace = trace
        self.hold = hold
        self.looked = 0
        self.channels: set[JudgedChannel] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def channel(self, driver: Driver, listener: Listener) -> Channel:
        """The channel of a connection that was accepted."""
        return JudgedChannel(self, driver, listener)

    def renew(self, judge: Judge) -> None:
        """Another judge from now on, who knows no client."""
        judge.far = self.judge.far
        self.judge = judge
        self.trace.note(None, "anew", {"at": monotonic_ns()})

    def add(self, channel: JudgedChannel) -> None:
        """It is watched from now on."""
        self.channels.add(channel)
        loop = channel.driver.loop
        if self._timer is None or loop is not self._loop:  # a server that is started again may have another loop
            self._loop = loop
            self.looked = monotonic_ns()
            self._timer = loop.call_later(TICK / SECOND, self._ring, loop)

    def look(self) -> None:
        """See who has been silent for too long; if we were not there for a while ourselves, nobody has."""
        now = monotonic_ns()
        if now - self.looked > 2 * TICK and self.judge.excuse(now):
            self.trace.note(None, "excuse", {"at": now})
        self.looked = now
        for channel in self.channels:
            if channel.halted and channel.watched.excuse(now):
                self.trace.note(channel.number, "excuse", {"at": now})
        if self.judge.passed(now):
            self.trace.note(None, "look", {"at": now})

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self.look()
        self._timer = loop.call_later(TICK / SECOND, self._ring, loop) if self.channels else None


class _NoSink:
    def write(self, text: str, /) -> None: ...

    def flush(self) -> None: ...


class JudgedChannel(TracedChannel):
    """A channel whose packets are judged, in both directions."""

    __slots__ = ("_answered", "_held", "_live", "watched")

    judged = True
    notes_arrivals = True

    def __init__(self, live: Live, driver: Driver, listener: Listener) -> None:
        super().__init__(live.trace, driver, listener)
        self._live = live
        self._answered = False
        self._held: list[bytes] = []

    @property
    def number(self) -> int:
        """The connection's number in the trace, and of its findings."""
        return self._number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.watched = self._live.judge.open(str(self._number), self._opened_at, self.remote, local=self.is_local())
        self._live.add(self)
        self.write = self._judged_write

    def is_local(self) -> bool:
        return super().is_local() and not self._live.judge.far

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        live = self._live
        if now - live.looked > 2 * TICK:
            live.look()
        self.watched.client(data, now)
        self._arrived(data, now)

    def arriving(self, begun: bool) -> None:
        if begun:
            self.connection.heard = self.driver.now()  # to the broker it is alive too
        watched = self.watched
        before = watched.begun_at
        watched.arriving(monotonic_ns(), begun)
        self._begun_at = watched.begun_at
        if watched.begun_at != before:
            if watched.begun_at:
                self._trace.note(self._number, "begin", {"at": watched.begun_at})
            else:
                self._trace.note(self._number, "idle", {"at": monotonic_ns()})

    def offered(self, protocols: tuple[str, ...]) -> bool:
        self._trace.note(self._number, "offered", {"at": monotonic_ns(), "protocols": list(protocols)})
        self.watched.offered(protocols)
        return self.driver.broker.tables.go_on

    def text_frame(self, data: bytes) -> None:
        now = monotonic_ns()
        self.watched.text_frame(data, now)
        self._trace.note(self._number, "text", {"at": now, "hex": data.hex()})

    def _judged_write(self, data: bytes) -> None:
        if self._held:
            self._held.append(data)
            return
        now = monotonic_ns()
        talk = self.watched.talk
        if not self._answered and talk.connect is not None:
            self._answered = True
            if talk.connected_at + self._live.hold > now:
                self._held.append(data)
                self._wait()
                return
        self.watched.server(data, now)
        self._pass_on(data, now)

    def _wait(self) -> None:
        """Release the CONNACK when it has been held long enough; a timer may be early by the time its loop was busy."""
        left = self.watched.talk.connected_at + self._live.hold - monotonic_ns()
        if left > 0:
            self.driver.loop.call_later(left / SECOND + 0.0005, self._wait)
        else:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        if held and not self.transport.is_closing():
            data = b"".join(held)
            now = monotonic_ns()
            self.watched.server(data, now)
            self._pass_on(data, now)

    def close(self, said: bool) -> None:
        self._release()
        super().close(said)

    def connection_lost(self, exc: Exception | None) -> None:
        now = monotonic_ns()
        self.watched.closed(now)
        self._live.channels.discard(self)
        self._show_end(exc, now)
        Channel.connection_lost(self, exc)
