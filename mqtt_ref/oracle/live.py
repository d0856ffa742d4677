# SPDX-License-Identifier: MIT
"""Live judging: layers that pass the traffic of a running broker to the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mqtt_ref.clocks import monotonic_ns
from mqtt_ref.engine.tables import TABLES, Tables, changed
from mqtt_ref.net.layer import Layer, Parts, joined
from mqtt_ref.net.trace import LOCAL, Trace, TraceLayer
from mqtt_ref.oracle.judge import Judge, Watched
from mqtt_ref.oracle.state import QUIET, SECOND

if TYPE_CHECKING:
    from mqtt_ref.net.channel import Channel

__all__ = ["POLICIES", "HoldLayer", "JudgeLayer", "Live", "policy"]

TICK: Final = SECOND // 5
"""How often the judge looks for clients that have been silent for too long."""
POLICIES: Final = ("record", "close")


def policy(name: str, tables: Tables = TABLES) -> Tables:
    """Return the tables of a broker that records and continues, or that closes as the standard requires.

    With `record` the broker skips a packet that breaks a rule if its end is known, and does not close after an expired
    Keep Alive. An illegal CONNECT ends the connection in any case.

    Raises:
        ValueError: there is no such policy.
    """
    if name not in POLICIES:
        raise ValueError(f"`on_violation` is {' or '.join(POLICIES)}, not {name!r}")
    return changed(tables, limits={"keep_alive_percent": 1_000_000}, go_on=True) if name == "record" else tables


class Live:
    """Layers that judge the clients of a server: `Server(layers=live.layers)`.

    `hold` is the minimum time from CONNECT to CONNACK, in nanoseconds. A client may send before it has received its
    CONNACK, without knowing its content. A client that is silent for this time waits for it, so the judge may assume
    that it knows the content. `trace` gets the packets, and what else the judge is told.
    """

    def __init__(self, judge: Judge, trace: Trace | None = None, hold: int = QUIET) -> None:
        self.judge = judge
        self.trace = trace
        self.hold = hold
        self.looked = 0
        self.watching: set[JudgeLayer] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def layers(self, channel: Channel) -> Iterable[Layer]:
        """Return the layers of an accepted connection, from the bottom to the top.

        Incoming data reaches the judge first, so that it checks the time before it. Outgoing data is held back first.
        """
        judge = JudgeLayer(self, channel)
        yield judge
        if self.trace is not None:
            yield TraceLayer(self.trace, channel, judged=True, far=self.judge.far)
        if self.hold:
            yield HoldLayer(judge, channel, self.hold)

    def note(self, number: int | None, way: str, now: int) -> None:
        """Write to the trace what the judge was told, about one connection or all."""
        if self.trace is not None:
            self.trace.note(number, way, {"at": now})

    def renew(self, judge: Judge) -> None:
        """Replace the judge by one that remembers no client."""
        judge.far = self.judge.far
        self.judge = judge
        self.note(None, "anew", monotonic_ns())

    def add(self, layer: JudgeLayer, loop: asyncio.AbstractEventLoop) -> None:
        """Watch a connection from now on."""
        self.watching.add(layer)
        if self._timer is None or loop is not self._loop:  # a restarted server may have another loop
            self._loop = loop
            self.looked = monotonic_ns()
            self._timer = loop.call_later(TICK / SECOND, self._ring, loop)

    def look(self) -> None:
        """Look for clients that have been silent for too long. After a stall of the event loop, excuse all clients."""
        now = monotonic_ns()
        if now - self.looked > 2 * TICK and self.judge.excuse(now):
            self.note(None, "excuse", now)
        self.looked = now
        for layer in self.watching:
            if layer.channel.halted and layer.watched.excuse(now):
                self.note(layer.channel.connection.serial, "excuse", now)
        if self.judge.passed(now):
            self.note(None, "look", now)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self.look()
        self._timer = loop.call_later(TICK / SECOND, self._ring, loop) if self.watching else None


class JudgeLayer(Layer):
    """Passes the traffic of both directions to the judge."""

    __slots__ = ("_live", "channel", "watched")

    notes_arrivals = True
    watched: Watched

    def __init__(self, live: Live, channel: Channel) -> None:
        self._live = live
        self.channel = channel

    def opened(self, now: int) -> None:
        super().opened(now)
        channel = self.channel
        judge = self._live.judge
        local = channel.remote.startswith(LOCAL) and not judge.far
        self.watched = judge.open(str(channel.connection.serial), now, channel.remote, local=local)
        self._live.add(self, channel.driver.loop)

    def receive(self, data: bytes, now: int) -> None:
        live = self._live
        if now - live.looked > 2 * TICK:
            live.look()
        self.watched.client(data, now)
        self.above.receive(data, now)

    def write(self, parts: Parts, now: int) -> None:
        self.watched.server(joined(parts), now)
        self.below.write(parts, now)

    def arriving(self, begun: bool, now: int) -> None:
        if begun:
            self.channel.connection.heard = self.channel.driver.now()  # the broker counts this for the Keep Alive too
        self.watched.arriving(now, begun)
        super().arriving(begun, now)

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        self.watched.offered(offered)
        super().subprotocols(offered, now)
        return self.channel.driver.broker.tables.go_on

    def text_frame(self, data: bytes, now: int) -> None:
        self.watched.text_frame(data, now)
        super().text_frame(data, now)

    def lost(self, now: int, error: Exception | None) -> None:
        self.watched.closed(now)
        self._live.watching.discard(self)
        super().lost(now, error)


class HoldLayer(Layer):
    """Delays a CONNACK, and all data after it, until some time after the CONNECT."""

    __slots__ = ("_answered", "_channel", "_held", "_judge", "_time")

    def __init__(self, judge: JudgeLayer, channel: Channel, time: int) -> None:
        self._judge = judge
        self._channel = channel
        self._time = time
        self._answered = False
        self._held: list[bytes | memoryview] = []

    def write(self, parts: Parts, now: int) -> None:
        if self._held:
            self._held += parts
            return
        talk = self._judge.watched.talk
        if not self._answered and talk.connect is not None:
            self._answered = True
            if talk.connected_at + self._time > now:
                self._held += parts
                self._wait()
                return
        self.below.write(parts, now)

    def finish(self, said: bool) -> None:
        self._release()
        super().finish(said)

    def _wait(self) -> None:
        """Release the CONNACK when it was held long enough; a timer may fire early after a busy turn of its loop."""
        left = self._judge.watched.talk.connected_at + self._time - monotonic_ns()
        if left > 0:
            self._channel.driver.loop.call_later(left / SECOND + 0.0005, self._wait)
        else:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        if held and not self._channel.transport.is_closing():
            self.below.write(held, monotonic_ns())
