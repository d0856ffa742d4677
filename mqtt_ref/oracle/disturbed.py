# SPDX-License-Identifier: MIT
"""Layers that inject the faults of a script into connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mqtt_ref.clocks import monotonic_ns
from mqtt_ref.net.layer import Layer, Parts, joined
from mqtt_ref.oracle.flow import FOREVER, Offer, Reply, Step, Stop
from mqtt_ref.oracle.live import Live
from mqtt_ref.oracle.rules import Disturbance
from mqtt_ref.oracle.state import QUIET, SECOND
from mqtt_ref.wire.primitives import CLIENT, SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mqtt_ref.net.channel import Channel
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.oracle.judge import Judge
    from mqtt_ref.oracle.rules import Fired, Script

__all__ = ["DisturbLayer", "DisturbedLive"]

STUCK: Final = 16
"""Reason to stop reading: the link is half-open."""
FULL: Final = 32
"""Reason to stop reading: the maximum number of packets waits."""
MOST: Final = 1000
"""Packets that rules may hold back per direction. Above that, back pressure stops the broker or the client."""


class DisturbedLive(Live):
    """Layers that judge the clients of a server, and inject the faults of a script."""

    def __init__(
        self, judge: Judge, trace: Trace, script: Script, on_fired: Callable[[Fired], None] | None = None
    ) -> None:
        super().__init__(judge, trace, hold=0)
        self.script = script
        self.on_fired = on_fired
        """Called each time a rule has acted."""
        self.disturbed: set[DisturbLayer] = set()

    def layers(self, channel: Channel) -> Iterable[Layer]:
        """Return judge and trace, which see what is on the wire, and above them the layer that applies the rules."""
        yield from super().layers(channel)
        yield DisturbLayer(self, channel)

    def cut(self) -> None:
        """Cut the links that are frozen or half-open, as they would not close by themselves."""
        for layer in self.disturbed:
            if layer.frozen or layer.stuck:
                layer.channel.abort()

    def cut_all(self) -> None:
        """Cut all links."""
        for layer in self.disturbed:
            layer.channel.abort()


class DisturbLayer(Layer):
    """Applies rules, which delay, change and drop packets in both directions."""

    __slots__ = ("_disturbance", "_full", "_leaving", "_live", "_timer", "channel", "frozen", "stuck")

    def __init__(self, live: DisturbedLive, channel: Channel) -> None:
        self.channel = channel
        self._live = live
        self._disturbance = Disturbance(live.script, channel.listener.name, live.on_fired, QUIET)
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: bool | None = None
        self._full = False
        self.frozen = False
        """True if everything from the client is discarded and nothing is answered."""
        self.stuck = False
        """True if nothing is read or written."""

    def opened(self, now: int) -> None:
        super().opened(now)
        self._live.disturbed.add(self)

    # ---------------------------------------------------------------- both ways

    def receive(self, data: bytes, now: int) -> None:
        if not self.frozen:
            self._take(CLIENT, self._disturbance.feed(CLIENT, data, monotonic_ns()))

    def write(self, parts: Parts, now: int) -> None:
        if not self.frozen:
            self._take(SERVER, self._disturbance.feed(SERVER, joined(parts), monotonic_ns()))

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
        """Apply back pressure while more than `MOST` packets wait in one direction."""
        channel = self.channel
        received, sent = (flow.waiting for flow in self._disturbance.flows)
        if received > MOST:
            channel.halt(FULL)
        elif received < MOST // 2:
            channel.go_on(FULL)
        if sent > MOST and not self._full:
            self._full = True
            channel.pause_writing()
        elif self._full and sent < MOST // 2:
            self._full = False
            channel.resume_writing()

    def _let(self, sender: int, data: bytes) -> None:
        if self.channel.transport.is_closing():
            return
        if sender == SERVER:
            self.below.write([data], monotonic_ns())
        else:
            self.above.receive(data, monotonic_ns())

    def _offer(self, step: Offer) -> None:
        connection = self.channel.connection
        connection.agreement.capabilities = step.limit.offered(connection.agreement.capabilities)
        connection.decoder.maximum_packet_size = connection.agreement.capabilities.maximum_packet_size

    def _stop(self, step: Stop) -> None:
        if step.how == "freeze":
            self.frozen = True
        elif step.how == "half_open":
            until = monotonic_ns() + step.time if step.time else FOREVER
            self.stuck = True
            self.channel.halt(STUCK)
            for flow in self._disturbance.flows:
                flow.hold(until)
            if step.time:
                self.channel.driver.loop.call_later(step.time / SECOND, self._unstick)
        else:
            self.below.close()

    def _unstick(self) -> None:
        self.stuck = False
        self.channel.go_on(STUCK)
        self._ring()

    def _arm(self) -> None:
        """Set the timer for the next packet that waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._disturbance.due()
        if due is not None and not self.channel.transport.is_closing():
            wait = max(0, due - monotonic_ns()) / SECOND
            self._timer = self.channel.driver.loop.call_later(wait + 0.0001, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = monotonic_ns()
        for sender in (CLIENT, SERVER):
            self._take(sender, self._disturbance.take(sender, now))
        if self._leaving is not None and not self._holds() and not self.channel.transport.is_closing():
            super().finish(self._leaving)

    # ---------------------------------------------------------------- the end

    def _holds(self) -> bool:
        """True if packets for the client still wait, or if the link is frozen or half-open."""
        return self.frozen or self.stuck or not self._disturbance.flows[SERVER].idle

    def finish(self, said: bool) -> None:
        """Close once all waiting packets have been sent to the client. A frozen or half-open link stays open."""
        if self._holds():
            self._leaving = said
        else:
            super().finish(said)

    def lost(self, now: int, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.frozen:
            for step in self._disturbance.flows[CLIENT].rest():
                if isinstance(step, bytes):
                    self.above.receive(step, now)
        super().lost(now, error)
        self._live.disturbed.discard(self)
