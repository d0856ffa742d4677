# SPDX-License-Identifier: MIT
"""Runs a broker on an event loop: one flush per turn of the loop, one timer, and the effects carried out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from mqtt_ref import __version__
from mqtt_ref.broker.inline import Deliver, InlineSubscription
from mqtt_ref.broker.sys_topics import SysTopics
from mqtt_ref.engine.access import REFUSE, Verdict
from mqtt_ref.engine.effects import Ask, Effect, Note, Withdraw
from mqtt_ref.engine.intercept import Refusal
from mqtt_ref.log import Throttle
from mqtt_ref.net.channel import ASKED, BIG, RESTING
from mqtt_ref.net.process import outside
from mqtt_ref.wire.codes import SERVER_SHUTTING_DOWN, UNSPECIFIED_ERROR

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.net.channel import Channel
    from mqtt_ref.net.clock import Clock

__all__ = ["Driver"]

AUTHENTICATION: Final = frozenset({"on_connect_authenticate", "on_auth_packet"})
SECOND: Final = 1_000_000_000
HANDLERS: Final = 10_000
"""`async` handlers of inline clients that may run at once."""
LOG = logging.getLogger("mqtt_ref.net")
CLOSED = logging.getLogger("mqtt_ref.connection")


class Driver:
    """The one place where the broker meets time and the event loop.

    Channels call `schedule` after each read. At the end of that turn of the loop `flush` ends the broker's tick and
    writes once to each connection that has output, however many reads the turn had.
    """

    def __init__(
        self, broker: Broker, loop: asyncio.AbstractEventLoop | None = None, clock: Clock | None = None
    ) -> None:
        self.broker = broker
        self.clock = clock
        self.now: Callable[[], int] = monotonic_ns if clock is None else clock.now
        """The broker's time."""
        if clock is not None:
            clock.on_change = self._rearm
        self.loop = asyncio.get_running_loop() if loop is None else loop
        self.channels: dict[Connection, Channel] = {}
        self.scheduled = False
        self.taken = 0
        """Bytes that were read since the last flush."""
        self.lines = Throttle(CLOSED.warning)
        interval = broker.options.sys_topic_resend_interval
        self.sys = SysTopics(broker, f"mqtt_ref version {__version__}", self.now(), outside(), interval)
        """What the broker says about itself; `report` publishes it."""
        self.on_ask: Callable[[Ask], object] | None = None
        """Gets the questions that take time; without it the answer is no."""
        self.on_withdraw: Callable[[Withdraw], object] | None = None
        """Is told of questions whose answer is not wanted any more."""
        self.serving = False
        """Whether all listeners are open."""
        self.on_reload: Callable[[], object] | None = None
        """Reads the rules again when an administrator asks for it; may be `async`. ValueError says what is wrong."""
        self.on_empty: Callable[[], None] | None = None
        """Called when the last channel has gone."""
        self._handlers: set[asyncio.Task[None]] = set()
        self._closed = False
        self._resting: list[Channel] = []
        self._asked: dict[int, Channel] = {}
        """By question: who is not read from until it is answered."""
        self._reporting: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0
        """When the timer goes off, or 0."""

    def schedule(self) -> None:
        """Have `flush` called at the end of this turn."""
        if not self.scheduled:
            self.scheduled = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """End the tick: one write per connection with output, then the effects, then the timer."""
        self.scheduled = False
        broker = self.broker
        counters = broker.counters
        counters.received_bytes += self.taken
        self.taken = 0
        now = self.now()
        effects = broker.tick(now)
        dirty = broker.dirty
        if dirty:
            broker.dirty = []
            channels = self.channels
            packets = sent = 0
            if self.clock is not None:
                now = monotonic_ns()  # layers go by the time of the world
            for connection in dirty:
                out = connection.take()
                channel = channels.get(connection)
                if channel is None:
                    continue
                try:
                    if out:
                        packets += len(out)
                        if channel.layers or (len(out) > 1 and (len(out[0]) >= BIG or len(out[-1]) >= BIG)):
                            sent += channel.send(out, now)
                        else:
                            data = out[0] if len(out) == 1 else b"".join(out)
                            sent += len(data)
                            channel.transport.write(data)
                    if connection.ending or channel.choked:
                        channel.settle(bool(out))
                except Exception:
                    LOG.exception("a connection failed while it was written to: %r", connection)
                    channel.abort()
            counters.packets_sent += packets
            counters.sent_bytes += sent
        if effects:
            self.carry_out(effects)
        due = broker.next_deadline()
        if due is not None and (not self._armed or due < self._armed):
            self._arm(due)

    def pace(self, channel: Channel) -> None:
        """Enough was read for one turn: write now, and read no more from this client before the others had theirs.

        What a turn can make the broker queue for a client that does not read is bounded by this.
        """
        self.flush()
        if not channel.halted and not channel.transport.is_closing():
            channel.halt(RESTING)
            if not self._resting:
                self.loop.call_soon(self._go_on)
            self._resting.append(channel)

    def _go_on(self) -> None:
        resting, self._resting = self._resting, []
        for channel in resting:
            channel.go_on(RESTING)

    def carry_out(self, effects: list[Effect]) -> None:
        """Do what the broker wants done outside."""
        for effect in effects:
            if isinstance(effect, Note):
                if self.lines.passes(self.now()):
                    self._write_note(effect)
                elif self.lines.skipped == 1:
                    self.loop.call_later(1.0, self.lines.settle)
            elif isinstance(effect, Ask):
                self._rest(effect)
                if self.on_ask is not None:
                    self.on_ask(effect)
                else:
                    LOG.error("refused: no handler answers %r", effect)
                    verdict = effect.event in AUTHENTICATION
                    no = Verdict(REFUSE, UNSPECIFIED_ERROR) if verdict else Refusal(UNSPECIFIED_ERROR)
                    self.answer(effect.question, no)
            elif isinstance(effect, Withdraw):
                self._read_on(self._asked.pop(effect.question, None))
                if self.on_withdraw is not None:
                    self.on_withdraw(effect)
            elif isinstance(effect, Deliver):
                self._hand_over(effect)
            else:
                raise NotImplementedError(f"no code carries out the effect {effect!r}")

    def _hand_over(self, effect: Deliver) -> None:
        """Call an inline subscriber; what it raises concerns nobody else."""
        subscription = effect.subscription
        if self.broker.inline.get(subscription.handle) is not subscription:
            return  # it was deleted meanwhile
        try:
            outcome = subscription.handler(effect.received)
            if isinstance(outcome, Awaitable):
                self._start(subscription, outcome)
        except Exception:
            LOG.exception("the handler of %r failed", subscription)

    def _start(self, subscription: InlineSubscription, outcome: Awaitable[object]) -> None:
        """Let an `async` handler run beside everything else; of more than there may be, the newest is dropped."""
        if len(self._handlers) >= HANDLERS:
            self.broker.counters.dropped_slow += 1
            LOG.warning("a message was dropped: %d handlers of inline clients run, none of %r", HANDLERS, subscription)
            if isinstance(outcome, Coroutine):
                outcome.close()
            return

        async def run() -> None:
            try:
                await outcome
            except Exception:
                LOG.exception("the handler of %r failed", subscription)

        task = self.loop.create_task(run())
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)

    def tell(self, text: str, remote: str, listener: str) -> None:
        """A line of the log about a client that did not get as far as a connection."""
        self.carry_out([Note(text, 0, "", "", remote, listener)])

    def answer(self, question: int, answer: object) -> None:
        """The answer to an `Ask`, from anywhere on this loop."""
        self.broker.answer(question, answer, self.now())
        self._read_on(self._asked.pop(question, None))
        self.schedule()

    def _rest(self, ask: Ask) -> None:
        """Read no more from a client while a question about it is open: what it sends would only be held."""
        channel = None if ask.connection is None else self.channels.get(ask.connection)
        if channel is not None and not channel.transport.is_closing():
            channel.halt(ASKED)
            self._asked[ask.question] = channel

    def _read_on(self, channel: Channel | None) -> None:
        if channel is not None and channel.connection.suspended is None:
            channel.go_on(ASKED)

    def _write_note(self, note: Note) -> None:
        level = logging.INFO if note.code == SERVER_SHUTTING_DOWN else logging.WARNING
        if not CLOSED.isEnabledFor(level):
            return
        who = f"{note.client_id!r} at {note.remote}" if note.client_id else note.remote
        what = note.text
        if note.code:
            what += f" (0x{note.code:02X})"
        if note.statement:
            what += f" [{note.statement}]"
        fields = {
            "remote": note.remote,
            "listener": note.listener,
            "client_id": note.client_id,
            "code": note.code,
            "statement": note.statement,
        }
        CLOSED.log(level, "%s: %s", who, what, extra={"fields": fields})

    def _note_lost(self, connection: Connection, error: Exception | None) -> None:
        text = f"The link was lost: {error}" if error else "The client closed the link without DISCONNECT"
        if connection.suspended is not None:
            return  # what it sent last is still being looked at
        if connection.decoder.buffered:
            text += ", in the middle of a packet"
        elif connection.session is None and not error:
            # Somebody looked whether the port is open.
            return
        connection.note(text)

    # ---------------------------------------------------------------- time

    def _arm(self, due: int) -> None:
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = due
        self._timer = self.loop.call_later(self._until(due), self._ring)

    def _until(self, due: int) -> float:
        """Seconds of the loop until the broker's time is `due`."""
        if self.clock is not None:
            return self.clock.until(due)
        return max(0.0, (due - self.now()) / SECOND)

    def _rearm(self) -> None:
        """The clock goes otherwise: what is due may be so sooner."""
        if self._closed:
            return
        due = self.broker.next_deadline()
        if due is not None:
            self._arm(due)
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = self.loop.call_later(self._until(self.sys.next), self.report)

    def _ring(self) -> None:
        """The timer went off: let the broker do what is due; `flush` sets it again."""
        self._timer = None
        self._armed = 0
        now = self.now()
        due = self.broker.next_deadline()
        if due is not None and due <= now:
            self.broker.on_deadline(now)
        self.schedule()

    def report(self) -> None:
        """Publish the `$SYS` values that have changed, now and then every few seconds."""
        if not self.sys.next:
            return
        now = self.now()
        self.sys.due(now, outside())
        self.schedule()
        self._reporting = self.loop.call_later(self._until(self.sys.next), self.report)

    def troubles(self) -> list[str]:
        """Why no client should be sent here; nothing if all is well."""
        found = []
        if self.broker.shutting_down:
            found.append("the server is shutting down")
        elif not self.serving:
            found.append("not all listeners are open")
        if self.broker.store_fails:
            found.append("the store does not take what is to be stored")
        return found

    # ---------------------------------------------------------------- the end

    def forget(self, channel: Channel, error: Exception | None) -> None:
        """The transport of a channel is gone; if the broker still used it, the log says so."""
        connection = channel.connection
        self.channels.pop(connection, None)
        if not connection.closing:
            self._note_lost(connection, error)
        if self.on_empty is not None and not self.channels:
            self.on_empty()

    async def close(self, grace: float) -> None:
        """Say goodbye to all clients and wait for their links to close, at most `grace` seconds; then cut them."""
        self.broker.shutdown(self.now())
        self.flush()
        if self.channels:
            empty = asyncio.Event()
            self.on_empty = empty.set
            try:
                await asyncio.wait_for(empty.wait(), grace)
            except TimeoutError:
                left = list(self.channels.values())
                LOG.info("%d connections did not close in time and were cut", len(left))
                for channel in left:
                    channel.abort()
                # `connection_lost` comes one turn after `abort`.
                try:
                    await asyncio.wait_for(empty.wait(), 0.2)
                except TimeoutError:
                    pass
            self.on_empty = None
        for timer in (self._timer, self._reporting):
            if timer is not None:
                timer.cancel()
        self._timer = self._reporting = None
        for task in self._handlers:
            task.cancel()
        self._closed = True
        self.lines.settle()
