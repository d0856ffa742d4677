# SPDX-License-Identifier: MIT
"""The driver: runs a broker on an event loop, with one flush per turn of the loop and one timer."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from mqtt_ref import __version__
from mqtt_ref.broker.inline import Deliver, InlineSubscription
from mqtt_ref.broker.sys_topics import SysTopics
from mqtt_ref.clocks import monotonic, monotonic_ns
from mqtt_ref.engine.access import REFUSE, Verdict
from mqtt_ref.engine.drops import OTHERS, REASONS
from mqtt_ref.engine.effects import Ask, Commit, Dropped, Effect, Note, Read, Withdraw
from mqtt_ref.engine.intercept import Refusal
from mqtt_ref.engine.outbox import heads
from mqtt_ref.log import Throttle
from mqtt_ref.net.channel import ASKED, BIG, BUSY, RESTING
from mqtt_ref.net.forked import release_in_children
from mqtt_ref.net.pressure import Pressure
from mqtt_ref.net.process import descriptors, outside
from mqtt_ref.wire.codes import SERVER_SHUTTING_DOWN, UNSPECIFIED_ERROR

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.net.channel import Channel
    from mqtt_ref.net.clock import Clock
    from mqtt_ref.ports import QueuePut

__all__ = ["SILENCE", "Driver"]

AUTHENTICATION: Final = frozenset({"on_connect_authenticate", "on_auth_packet"})
SECOND: Final = 1_000_000_000
DROPS: Final = 0.5
"""Seconds from the first dropped message to the log line, which has the number of them."""
SILENCE: Final = 60.0
"""Seconds until the next such line for the same client, or about the same shortage."""
RESERVE: Final = 8
"""Free file descriptors that are too few: stores, files and logs need some too."""
HANDLERS: Final = 10_000
"""Limit of `async` handlers of inline clients that run at the same time."""
LOG = logging.getLogger("mqtt_ref.net")
CLOSED = logging.getLogger("mqtt_ref.connection")


class Driver:
    """Connects a broker to the clock and the event loop.

    Channels call `schedule` after each read. At the end of that turn of the loop, `flush` ends the broker's tick. It
    writes once to each connection that has output, even if the turn had many reads.
    """

    def __init__(
        self, broker: Broker, loop: asyncio.AbstractEventLoop | None = None, clock: Clock | None = None
    ) -> None:
        self.broker = broker
        self.clock = clock
        self.now: Callable[[], int] = monotonic_ns if clock is None else clock.now
        """Returns the broker's time in nanoseconds."""
        if clock is not None:
            clock.on_change = self._rearm
        self.loop = asyncio.get_running_loop() if loop is None else loop
        self.channels: dict[Connection, Channel] = {}
        self.scheduled = False
        self.taken = 0
        """Bytes read since the last flush."""
        self.lines = Throttle(CLOSED.warning)
        self.routine = Throttle(CLOSED.info)
        """The lines of what happens every day. They have their own limit, so that they do not hide the others."""
        self._dropping: asyncio.TimerHandle | None = None
        self._told: dict[str, float] = {}
        """By client: when the log said last that its messages are dropped."""
        interval = broker.options.sys_topic_resend_interval
        self.sys = SysTopics(broker, f"mqtt_ref version {__version__}", self.now(), outside(), interval)
        """The `$SYS` values. `report` publishes them."""
        self.on_ask: Callable[[Ask], object] | None = None
        """Called with each `Ask`. Without it, each `Ask` is answered with a refusal."""
        self.on_withdraw: Callable[[Withdraw], object] | None = None
        """Called with each `Withdraw`: the answer to that question is no longer needed."""
        release_in_children(self)
        self.on_commit: Callable[[Commit], object] | None = None
        """Stores a batch and calls `stored` afterwards. Needed if the broker has a store."""
        self.on_read: Callable[[Read], object] | None = None
        """Reads a part of a queue and calls `read_back` afterwards. Needed if the broker has a store with pages."""
        self.on_stored: Callable[[OSError | None], object] | None = None
        """Called after the broker knows of a write, or of a reading: why it failed, or None."""
        self.pressure = Pressure(self)
        """Measures what waits in the links."""
        self.serving = False
        """True if all listeners are open."""
        self.on_reload: Callable[[], object] | None = None
        """Reloads the rules when an administrator asks for it. It may be `async`; ValueError says what is wrong."""
        self.on_empty: Callable[[], None] | None = None
        """Called when the last channel has closed."""
        # uvloop closes connections without a word if no descriptor is left; asyncio reports them to the loop's handler.
        limit = 0 if isinstance(self.loop, asyncio.BaseEventLoop) else descriptors()
        self.last_descriptor = limit - max(RESERVE, limit // 100) if limit else sys.maxsize
        """A connection with this descriptor or a higher one is among the last that can be accepted."""
        self._filled_at = -SILENCE
        self._handlers: set[asyncio.Task[None]] = set()
        self._closed = False
        self._resting: list[Channel] = []
        self._busy: list[Channel] = []
        """Channels that are not read from until their connections have done what they got."""
        self._asked: dict[int, Channel] = {}
        """By question: the channel that is not read until the question is answered."""
        self._reporting: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0
        """When the timer fires, in the broker's time. 0: it is not set."""

    def sockets(self) -> Iterable[int]:
        """Return the descriptors of the links."""
        links = (channel.transport.get_extra_info("socket") for channel in list(self.channels.values()))
        return [link.fileno() for link in links if link is not None and link.fileno() >= 0]

    def schedule(self) -> None:
        """Make the loop call `flush` at the end of this turn."""
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
                now = monotonic_ns()  # layers use real time
            for connection in dirty:
                out = connection.take()
                channel = channels.get(connection)
                if channel is None:
                    continue
                try:
                    if out:
                        packets += len(out)
                        outbox = connection.outbox
                        if outbox.apart:
                            packets -= heads(out)
                            sent += channel.send(out, now)
                            outbox.apart = outbox.gates is not None or channel.unsent is not None
                        elif channel.layers or (len(out) > 1 and (len(out[0]) >= BIG or len(out[-1]) >= BIG)):
                            sent += channel.send(out, now)
                            if channel.unsent is not None:
                                outbox.apart = True
                        else:
                            data = out[0] if len(out) == 1 else b"".join(out)
                            sent += len(data)
                            channel.transport.write(data)
                    if connection.outbox.ending or channel.choked:
                        channel.settle(bool(out))
                except Exception:
                    LOG.exception("writing to a connection failed: %r", connection)
                    channel.abort()
            counters.packets_sent += packets
            counters.sent_bytes += sent
        if effects:
            self.carry_out(effects)
        if self._busy:
            self._read_from_idle()
        if counters.received_bytes + counters.sent_bytes >= self.pressure.next:
            self.pressure.due()
        due = broker.next_deadline()
        if due is not None and (not self._armed or due < self._armed):
            self._arm(due)

    def pace(self, channel: Channel) -> None:
        """Flush now, and read from this client again only after the other clients had their turn.

        This limits how much one turn can queue for a client that does not read.
        """
        self.flush()
        if not channel.halted and not channel.transport.is_closing():
            channel.halt(RESTING)
            if not self._resting:
                self.loop.call_soon(self._go_on)
            self._resting.append(channel)

    def hold(self, channel: Channel) -> None:
        """Read no more from a client whose packets wait for another turn."""
        if channel.connection.busy and not channel.halted & BUSY and not channel.transport.is_closing():
            channel.halt(BUSY)
            self._busy.append(channel)

    def _read_from_idle(self) -> None:
        """Read again from the clients whose packets have had their turn."""
        still: list[Channel] = []
        for channel in self._busy:
            if channel.connection.busy:
                still.append(channel)
            else:
                channel.go_on(BUSY)
        self._busy = still

    def _go_on(self) -> None:
        resting, self._resting = self._resting, []
        for channel in resting:
            channel.go_on(RESTING)

    def carry_out(self, effects: list[Effect]) -> None:
        """Carry out the effects of the broker."""
        for effect in effects:
            if isinstance(effect, Note):
                self._write_note(effect)
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
            elif isinstance(effect, Dropped):
                if self._dropping is None and not self._closed:
                    self._dropping = self.loop.call_later(DROPS, self._tell_drops)
            elif isinstance(effect, Commit) and self.on_commit is not None:
                self.on_commit(effect)
            elif isinstance(effect, Read) and self.on_read is not None:
                self.on_read(effect)
            else:
                raise NotImplementedError(f"no code carries out the effect {effect!r}")

    def _hand_over(self, effect: Deliver) -> None:
        """Call the handler of an inline subscription. Its exceptions are logged and affect nothing else."""
        subscription = effect.subscription
        if self.broker.inline.get(subscription.handle) is not subscription:
            return  # it was deleted in the meantime
        try:
            outcome = subscription.handler(effect.received)
            if isinstance(outcome, Awaitable):
                self._start(subscription, outcome)
        except Exception:
            LOG.exception("the handler of %r failed", subscription)

    def _start(self, subscription: InlineSubscription, outcome: Awaitable[object]) -> None:
        """Run an `async` handler as a task. If `HANDLERS` of them are running already, drop the message."""
        if len(self._handlers) >= HANDLERS:
            self.broker.counters.dropped_slow += 1
            LOG.warning("dropped a message: the limit of %d running handlers is reached; %r", HANDLERS, subscription)
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
        """Log a line about a client that has no `Connection` yet."""
        self.carry_out([Note(text, 0, "", "", remote, listener)])

    def fills_up(self, descriptor: int) -> None:
        """Log that the descriptors are used up. New ones get the lowest free number, so this one shows how many are."""
        now = monotonic()
        if now - self._filled_at > SILENCE:
            self._filled_at = now
            LOG.error(
                "%d of %d file descriptors are open: a connection that finds none is closed at once; raise the limit "
                "of open files (ulimit -n)",
                descriptor + 1,
                descriptors(),
            )

    def answer(self, question: int, answer: object) -> None:
        """Answer an `Ask`. Call it in the thread of this loop."""
        self.broker.answer(question, answer, self.now())
        self._read_on(self._asked.pop(question, None))
        self.schedule()

    def stored(self, batches: Sequence[int], error: OSError | None) -> None:
        """The store has taken these batches, or not: `error` says why. Called on this loop."""
        now = self.now()
        broker = self.broker
        for batch in batches:
            if error is None:
                broker.on_committed(batch, now)
            else:
                broker.on_commit_failed(batch, now)
        if self.on_stored is not None:
            self.on_stored(error)
        self.schedule()

    def read_back(self, number: int, answer: Sequence[QueuePut] | OSError) -> None:
        """The store has answered a `Read`, or could not. Called on this loop."""
        error = answer if isinstance(answer, OSError) else None
        if isinstance(answer, OSError):
            self.broker.on_read_failed(number)
        else:
            self.broker.on_read(number, answer, self.now())
        if self.on_stored is not None:
            self.on_stored(error)
        self.schedule()

    def _rest(self, ask: Ask) -> None:
        """Stop reading from a client while a question about it is open. Its packets would only be held."""
        channel = None if ask.connection is None else self.channels.get(ask.connection)
        if channel is not None and not channel.transport.is_closing():
            channel.halt(ASKED)
            self._asked[ask.question] = channel

    def _read_on(self, channel: Channel | None) -> None:
        if channel is not None and channel.connection.suspended is None:
            channel.go_on(ASKED)

    def _write_note(self, note: Note) -> None:
        level = logging.INFO if note.routine or note.code == SERVER_SHUTTING_DOWN else logging.WARNING
        if not CLOSED.isEnabledFor(level):
            return
        lines = self.lines if level == logging.WARNING else self.routine
        if not lines.passes(self.now()):
            if lines.skipped == 1:
                self.loop.call_later(1.0, lines.settle)
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

    def _tell_drops(self, last: bool = False) -> None:
        """Log the clients whose messages were dropped: one line for each, and the next one after `SILENCE` seconds."""
        self._dropping = None
        now = monotonic()
        self._told = told = {one: at for one, at in self._told.items() if now - at < SILENCE}
        drops = self.broker.drops
        for client_id, counts in drops.take().items():
            if client_id in told and not last:
                drops.counts[client_id] = counts
                continue
            told[client_id] = now
            who = "other clients" if client_id == OTHERS else repr(client_id)
            for why, count in counts.items():
                if self.lines.passes(self.now()):
                    fields = {"client_id": client_id, "reason": why, "count": count}
                    text = "%s: messages were dropped because %s: %d"
                    CLOSED.warning(text, who, REASONS[why], count, extra={"fields": fields})
        if drops.counts and not last:
            self._dropping = self.loop.call_later(SILENCE / 10, self._tell_drops)

    def _note_lost(self, connection: Connection, error: Exception | None) -> None:
        text = f"The link was lost: {error}" if error else "The client closed the link without DISCONNECT"
        if connection.suspended is not None:
            return  # a hook still decides about its last packet
        if connection.decoder.buffered:
            text += ", in the middle of a packet"
        elif connection.session is None:
            CLOSED.debug("%s: connected and sent nothing", connection.remote)  # it checked if the port is open
            return
        connection.note(text, routine=True)

    # ---------------------------------------------------------------- time

    def _arm(self, due: int) -> None:
        if self._closed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = due
        self._timer = self.loop.call_later(self._until(due), self._ring)

    def _until(self, due: int) -> float:
        """Return the seconds of real time until the broker's time is `due`."""
        if self.clock is not None:
            return self.clock.until(due)
        return max(0.0, (due - self.now()) / SECOND)

    def _rearm(self) -> None:
        """Set the timers again after a change of the clock: deadlines may come sooner."""
        if self._closed:
            return
        due = self.broker.next_deadline()
        if due is not None:
            self._arm(due)
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = self.loop.call_later(self._until(self.sys.next), self.report)

    def _ring(self) -> None:
        """Handle the timer: let the broker do what is due. `flush` sets the timer again."""
        self._timer = None
        self._armed = 0
        now = self.now()
        due = self.broker.next_deadline()
        if due is not None and due <= now:
            self.broker.on_deadline(now)
        self.schedule()

    def report(self) -> None:
        """Publish the `$SYS` values that have changed, and schedule the next report."""
        if not self.sys.next:
            return
        now = self.now()
        self.sys.due(now, outside())
        if self.broker.options.restore_sys_info and self.broker.journal is not None:
            self.broker.journal.totals()
        self.schedule()
        self._reporting = self.loop.call_later(self._until(self.sys.next), self.report)

    def troubles(self) -> list[str]:
        """Return the reasons why this broker is not ready for clients. Empty if it is ready."""
        found = []
        if self.broker.shutting_down:
            found.append("the server is shutting down")
        elif not self.serving:
            found.append("not all listeners are open")
        if self.broker.store_fails:
            found.append("the store cannot save: its last commit failed")
        return found

    # ---------------------------------------------------------------- the end

    def forget(self, channel: Channel, error: Exception | None) -> None:
        """Remove a channel whose transport is gone. Log it if the broker was still using the connection."""
        connection = channel.connection
        self.channels.pop(connection, None)
        if not connection.closing:
            self._note_lost(connection, error)
        if self.on_empty is not None and not self.channels:
            self.on_empty()

    async def close(self, grace: float) -> None:
        """Disconnect all clients and wait at most `grace` seconds for their links to close. Then abort the rest."""
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
        for timer in (self._timer, self._reporting, self._dropping):
            if timer is not None:
                timer.cancel()
        self._tell_drops(last=True)
        self.pressure.close()
        self._timer = self._reporting = None
        for task in self._handlers:
            task.cancel()
        self._closed = True
        self.lines.settle()
        self.routine.settle()
