# SPDX-License-Identifier: MIT
"""Channels under a script of misbehaviour.

From the transport inwards: trace and judge, which see what is on the wire; the rules; the broker.
"""

from __future__ import annotations

import asyncio
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from mqtt_ref.oracle.flow import FOREVER, Offer, Reply, Step, Stop
from mqtt_ref.oracle.live import JudgedChannel, Live
from mqtt_ref.oracle.rules import Disturbance
from mqtt_ref.oracle.state import QUIET, SECOND
from mqtt_ref.wire.primitives import CLIENT, SERVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqtt_ref.net.channel import Channel
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.oracle.judge import Judge
    from mqtt_ref.oracle.rules import Fired, Script

__all__ = ["DisturbedChannel", "DisturbedLive"]

STUCK: Final = 16
"""Why nothing is read: the link is half-open."""
FULL: Final = 32
"""Why nothing is read: as many packets wait as may."""
MOST: Final = 1000
"""Packets that rules may hold in one direction before the broker sends no more, or nothing more is read."""


class DisturbedLive(Live):
    """Makes channels that are judged, and disturbed by a script."""

    def __init__(
        self, judge: Judge, trace: Trace, script: Script, on_fired: Callable[[Fired], None] | None = None
    ) -> None:
        super().__init__(judge, trace, hold=0)
        self.script = script
        self.on_fired = on_fired
        """Told of each rule that acted."""
        self.on_gone: Callable[[], None] | None = None
        """Called when the last channel has gone."""

    def channel(self, driver: Driver, listener: Listener) -> Channel:
        """The channel of a connection that was accepted."""
        return DisturbedChannel(self, driver, listener)

    def cut(self) -> None:
        """Cut the links that would not end by themselves: those that are frozen or half-open."""
        for channel in self.channels:
            if isinstance(channel, DisturbedChannel) and (channel.frozen or channel.stuck):
                channel.abort()


class DisturbedChannel(JudgedChannel):
    """A channel whose packets rules may hold, change, lose; in both directions."""

    __slots__ = ("_disturbance", "_full", "_inner", "_leaving", "_timer", "_wire", "frozen", "stuck")

    def __init__(self, live: DisturbedLive, driver: Driver, listener: Listener) -> None:
        super().__init__(live, driver, listener)
        self._disturbance = Disturbance(live.script, listener.name, live.on_fired, QUIET)
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: bool | None = None
        self._full = False
        self.frozen = False
        """Whether all that comes is thrown away, and nothing is answered."""
        self.stuck = False
        """Whether nothing is read or written."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wire = self.write
        self.write = self._outgoing
        self._inner = self.receive
        self.receive = self._incoming

    # ---------------------------------------------------------------- both ways

    def _incoming(self, data: bytes, now: int) -> None:
        if not self.frozen:
            self._take(CLIENT, self._disturbance.feed(CLIENT, data, monotonic_ns()))

    def _outgoing(self, data: bytes) -> None:
        if not self.frozen:
            self._take(SERVER, self._disturbance.feed(SERVER, data, monotonic_ns()))

    def _take(self, sender: int, steps: list[Step]) -> None:
        for step in steps:
            if self.frozen:
                break
            if isinstance(step, bytes):
                self._let(sender, step)
            elif isinstance(step, Reply):
                self._let(1 - sender, step.data)
            elif isinstance(step, Offer):
                self._offer(step)
            elif isinstance(step, Stop):
                self._stop(step)
        self._bound()
        self._arm()

    def _bound(self) -> None:
        """Let no more packets wait than may."""
        received, sent = (flow.waiting for flow in self._disturbance.flows)
        if received > MOST:
            self.halt(FULL)
        elif received < MOST // 2:
            self.go_on(FULL)
        if sent > MOST and not self._full:
            self._full = True
            self.pause_writing()
        elif self._full and sent < MOST // 2:
            self._full = False
            self.resume_writing()

    def _let(self, sender: int, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if sender == SERVER:
            self._wire(data)
            return
        self._inner(data, self.driver.now())
        if self.receive != self._incoming:  # the first bytes let the connection have those that follow
            self._inner = self.receive
            self.receive = self._incoming
        if not self.driver.scheduled:
            self.driver.schedule()

    def _offer(self, step: Offer) -> None:
        connection = self.connection
        connection.agreement.offered = step.limit.offered(connection.agreement.offered)
        connection.decoder.maximum_packet_size = connection.agreement.offered.maximum_packet_size

    def _stop(self, step: Stop) -> None:
        if step.how == "freeze":
            self.frozen = True
        elif step.how == "half_open":
            until = monotonic_ns() + step.time if step.time else FOREVER
            self.stuck = True
            self.halt(STUCK)
            for flow in self._disturbance.flows:
                flow.hold(until)
            if step.time:
                self.driver.loop.call_later(step.time / SECOND, self._unstick)
        else:
            self._release()
            self.transport.close()

    def _unstick(self) -> None:
        self.stuck = False
        self.go_on(STUCK)
        self._ring()

    def _arm(self) -> None:
        """Have what waits taken when its time has come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._disturbance.due()
        if due is not None and not self.transport.is_closing():
            wait = max(0, due - monotonic_ns()) / SECOND
            self._timer = self.driver.loop.call_later(wait + 0.0001, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = monotonic_ns()
        for sender in (CLIENT, SERVER):
            self._take(sender, self._disturbance.take(sender, now))
        held = self.frozen or self.stuck or not self._disturbance.flows[SERVER].idle
        if self._leaving is not None and not held and not self.transport.is_closing():
            super().close(self._leaving)

    # ---------------------------------------------------------------- the end

    def close(self, said: bool) -> None:
        """The broker closes: once what waits for the client has passed; a link that is frozen or half-open stays."""
        if self.frozen or self.stuck or not self._disturbance.flows[SERVER].idle:
            self._leaving = said
        else:
            super().close(said)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.frozen:
            for step in self._disturbance.flows[CLIENT].rest():
                if isinstance(step, bytes):
                    self._inner(step, self.driver.now())
        super().connection_lost(exc)
        live = self._live
        if isinstance(live, DisturbedLive) and live.on_gone is not None and not live.channels:
            live.on_gone()
