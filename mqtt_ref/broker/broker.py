# SPDX-License-Identifier: MIT
"""The broker without I/O: it creates the parts and is the interface for drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.backlogs import Backlogs
from mqtt_ref.broker.budget import Budget
from mqtt_ref.broker.deliverer import Deliverer
from mqtt_ref.broker.journal import Journal
from mqtt_ref.broker.questions import Questions
from mqtt_ref.broker.reading import ReadAccess
from mqtt_ref.broker.recovery import Restorer
from mqtt_ref.broker.retained import RetainedMessages
from mqtt_ref.broker.router import Router
from mqtt_ref.broker.sessions import Sessions
from mqtt_ref.broker.timers import CONNECTION, QUESTION, RETAINED, Timers
from mqtt_ref.broker.wills import Wills
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.counters import Counters
from mqtt_ref.engine.drops import Drops
from mqtt_ref.engine.ends import LOST
from mqtt_ref.engine.generated.decisions import (
    DISALLOWED_UNICODE_ACCEPT,
    SHARED_FOR_V3_SHARE,
    SHUTDOWN_WILLS_KEEP,
)
from mqtt_ref.engine.generated.events import Intercept, Watch
from mqtt_ref.engine.message import LIGHT, NEVER, OVERHEAD, SECOND, Message
from mqtt_ref.engine.options import Options, Terms
from mqtt_ref.engine.tables import TABLES, Tables, decided
from mqtt_ref.engine.turns import TURN, Turns
from mqtt_ref.wire.block import block_of
from mqtt_ref.wire.codes import SERVER_SHUTTING_DOWN
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.primitives import CLIENT
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.broker.inline import InlineSubscription
    from mqtt_ref.broker.retained_store import RetainedStore
    from mqtt_ref.engine.access import Access
    from mqtt_ref.engine.effects import Effect
    from mqtt_ref.engine.session import Session
    from mqtt_ref.ports import QueuePut, Record, Storage
    from mqtt_ref.wire.packets import Packet, PublishProperties

__all__ = ["Broker"]

AT_ONCE: Final = 1
"""A time that has passed."""


class Broker:
    """The broker, without I/O.

    A driver accepts links and gives their bytes to `Connection.receive`. After each turn it calls `tick` and carries
    out the effects. For each connection in `dirty` it writes `take()` and, if `closing`, closes the link.

    `now` is a time in nanoseconds that never goes back and is above 0. Adding `utc_offset` gives UTC, for the store.
    The Client Identifiers that the broker assigns are made from `seed`, so that they cannot be guessed without it.
    """

    def __init__(
        self,
        options: Options | None = None,
        tables: Tables = TABLES,
        storage: Storage | None = None,
        seed: int = 0,
        utc_offset: int = 0,
        turn: int = TURN,
    ) -> None:
        self.options = options or Options()
        self.tables = decided(tables, self.options.decisions)
        self.decisions = self.tables.decisions
        self.limits = self.tables.limits
        self.counters = Counters()
        self.storage = storage
        bounds = self.options.bounds
        self.budget = Budget(bounds.memory, self.limits.packet_id_maximum, self.counters)

        # The hooks of the embedding program: decisions, notifications, changes.
        self.access: Access | None = None
        self.watch = Watch()
        self.intercept = Intercept(waits=False)
        self.output: Callable[[Connection, list[bytes]], list[bytes]] | None = None
        """Called with the packets for the transport; it may change them."""

        self.turn = turn
        """Units of work of one turn; see `engine.turns`."""
        self.work = turn
        """Units that are left of this turn."""

        # The parts.
        self.turns = Turns(self)
        self.connections: dict[int, Connection] = {}
        """Open connections by serial."""
        self.per_listener: dict[str, int] = {}
        """The number of open connections, by name of the listener."""
        self.timers = Timers(self)
        self.questions = Questions(self)
        self.sessions = Sessions(self, seed)
        self.wills = Wills(self)
        self.retained = RetainedMessages(self, bounds.retained_messages)
        self.reading = ReadAccess(self)
        shared_for_v3 = self.decisions.shared_for_v3 == SHARED_FOR_V3_SHARE
        self.router = Router(refine=self.reading.refine, shared_for_v3=shared_for_v3)
        self.router.most = max(1, turn // 4)
        self.deliverer = Deliverer(self)
        self.inline: dict[int, InlineSubscription] = {}
        """By handle: the subscribers inside this process, which have no session and no connection."""
        self.journal: Journal | None = None
        self.backlogs: Backlogs | None = None
        """What waits in the store alone, if that is a `PagedStorage`."""
        if storage is not None:
            self.journal = Journal(self, bounds.batches, utc_offset)
            if hasattr(storage, "load_queue"):
                self.backlogs = Backlogs(self, self.journal, bounds.queued_memory)

        # What a driver takes.
        self.dirty: list[Connection] = []
        """Connections with output."""
        self.effects: list[Effect] = []
        self.drops = Drops()
        """The dropped messages that the log has not told yet."""
        self.shutting_down = False
        self.store_fails = False
        """True if the store failed to write the last batch."""

        self.rules = 0
        """Version of the access rules: it grows with each change."""
        self.last_message = 0
        """The identifier of the newest message: a growing number of 64 bits."""
        self.strict_text = self.decisions.disallowed_unicode != DISALLOWED_UNICODE_ACCEPT
        self.inflight_bytes = bounds.inflight_bytes
        """Bytes in flight to one client from which no further message is sent."""
        self.bulky = bounds.inflight_bytes // bounds.maximum_inflight - OVERHEAD
        """The size up to which messages in flight are not added up: as many as may be are less than these bytes."""
        self.light = min(LIGHT, self.bulky)
        """The size up to which the budget does not look at messages in flight."""
        self.message_size = bounds.message_size
        """The largest payload, or 0."""
        self.topic_levels = bounds.topic_levels
        """The largest number of levels. A topic of fewer characters cannot exceed it."""
        self.tapped = False
        """True if each packet must be shown to hooks, or may have to wait, before it is handled."""
        self.burst_open = False
        """True if plain QoS 0 messages may take the fast path (`engine.burst`)."""
        self.burst_unseen = False
        """True if no hook decides about single messages on the fast path."""
        self._serial = 0
        self._work_out()

    @property
    def by_client_id(self) -> dict[str, Session]:
        """The sessions by Client Identifier, to be read only."""
        return self.sessions.by_client_id

    @property
    def retained_messages(self) -> RetainedStore[Message]:
        """The retained messages by topic, to be read only."""
        return self.retained.store

    # ---------------------------------------------------------------- links

    def connect(self, now: int, listener: str = "", remote: str = "", terms: Terms | None = None) -> Connection:
        """Create the connection of an accepted link. It may be turned away at once, by the bounds or the terms."""
        self._serial += 1
        capabilities = None if terms is None else terms.limit(self.options.capabilities)
        connection = Connection(self, self._serial, now, listener, remote, capabilities)
        self.connections[self._serial] = connection
        self.counters.connections_accepted += 1
        self.budget.opened(connection)
        of_listener = self.per_listener.get(listener, 0) + 1
        self.per_listener[listener] = of_listener
        bounds = self.options.bounds
        timeout = bounds.connect_timeout
        if terms is not None:
            if terms.connect_timeout is not None:
                timeout = terms.connect_timeout
            if terms.maximum_connections is not None and of_listener > terms.maximum_connections:
                text = f"The listener has as many connections as it may, {terms.maximum_connections}"
                connection.turn_away(text, now)
                return connection
        if len(self.connections) > bounds.connections or self.shutting_down:
            connection.turn_away("No room for another connection", now)
        elif self.budget.used > self.budget.maximum:
            connection.turn_away("The memory for clients is used up", now)
        elif timeout:
            connection.connect_by = now + timeout * SECOND
            self.timers.wake(connection, connection.connect_by)
        return connection

    def closed(self, connection: Connection) -> None:
        """Forget a connection that is over."""
        if self.connections.pop(connection.serial, None) is not None:
            left = self.per_listener[connection.listener] - 1
            if left:
                self.per_listener[connection.listener] = left
            else:
                del self.per_listener[connection.listener]
            self.timers.released()
            self.budget.closed(connection)

    def disconnect(self, client_id: str, code: int, text: str, now: int, server_reference: str = "") -> bool:
        """Disconnect a client with a reason. Return False if it is not connected.

        Cites: X5-redirect-temporary, X5-redirect-permanent
        """
        session = self.sessions.by_client_id.get(client_id)
        if session is None or session.connection is None:
            return False
        session.connection.dismiss(code, text, now, LOST, server_reference)
        return True

    def shutdown(self, now: int) -> None:
        """Send 0x8B to every 5.0 client and close every link. Wills are published or kept, as decided.

        Cites: X5-shutdown-code, X311-will-deferred, X5-will-defer-on-shutdown
        """
        self.shutting_down = True
        keep = self.decisions.shutdown_wills == SHUTDOWN_WILLS_KEEP
        self.wills.deferred = keep and self.journal is not None
        for connection in list(self.connections.values()):
            connection.dismiss(SERVER_SHUTTING_DOWN, "The server is shutting down", now)

    # ---------------------------------------------------------------- time and the store

    def tick(self, now: int) -> list[Effect]:
        """End a turn: seal the batch of changes to be stored, and return the effects."""
        if self.journal is not None:
            self.journal.seal()
        if self.sessions.loose and not self.turns.jobs:  # work that is left off may use a handle
            self.sessions.trim()
        if self.effects:
            effects = self.effects
            self.effects = []
            return effects
        return []

    def waiting(self) -> int:
        """How many timers may be needed at most: one for each connection, session and question, and one more."""
        return len(self.connections) + len(self.sessions.by_client_id) + len(self.questions) + 1

    def next_deadline(self) -> int | None:
        """Return when `on_deadline` must be called, or None. While there is work for another turn, that is at once."""
        return AT_ONCE if self.turns.jobs else self.timers.next()

    def on_deadline(self, now: int) -> None:
        """Handle due time limits of connections, questions, sessions and retained messages, and give the next turn."""
        self.work = self.turn
        timers = self.timers
        while self.work > 0:
            entry = timers.pop(now)
            if entry is None:
                self.turns.run(now)
                return
            self.work -= 1
            if not timers.needed(entry):
                continue  # an earlier entry replaced it, or its owner is gone
            _, kind, number = entry
            if kind == CONNECTION:
                connection = self.connections.get(number)
                if connection is not None:
                    connection.deadline = 0
                    connection.on_deadline(now)
            elif kind == RETAINED:
                self.retained.on_deadline(now)
            elif kind == QUESTION:
                self.questions.overdue(number, now)
            else:
                self.sessions.on_deadline(number, now)

    def on_committed(self, batch: int, now: int) -> None:
        """The store has written the batch. Call `tick` and write the output afterwards."""
        self.store_fails = False
        if self.journal is not None:
            self.journal.committed(batch)
            if self.backlogs is not None:
                self.backlogs.committed(batch)

    def on_commit_failed(self, batch: int, now: int) -> None:
        """The store failed to write the batch: close the connections that waited for it, without a packet.

        No other connection is affected.

        Cites: MQTT311-4.8.0-2, X311-transient-error-others
        """
        if self.journal is not None:
            self.store_fails = True
            self.counters.commits_failed += 1
            if self.backlogs is not None:
                self.backlogs.not_committed(batch)
            connections = self.journal.failed(batch)
            for connection in connections:
                connection.turn_away("The store failed, so that the client could not be answered", now)
            for connection in connections:
                # A will of one may have gone to another: it is sent after what was discarded, when that one is back.
                connection.outbox.discard()
                connection.outbox.ending = True
                if not connection.outbox.queued:
                    connection.outbox.queued = True
                    self.dirty.append(connection)

    def on_read(self, number: int, records: Sequence[QueuePut], now: int) -> None:
        """The store has answered a `Read`. Call `tick` and write the output afterwards."""
        self.work = self.turn
        if self.journal is not None and not self.journal.owed:
            self.store_fails = False
        if self.backlogs is not None:
            self.backlogs.read(number, records, now)

    def on_read_failed(self, number: int) -> None:
        """The store could not answer a `Read`. It is asked again by `Backlogs.retry`."""
        self.store_fails = True
        if self.backlogs is not None:
            self.backlogs.failed(number)

    def restore(self, now: int) -> None:
        """Restore what the store holds; before the first link is accepted."""
        if self.storage is not None and self.journal is not None:
            self.restorer(now, self.journal.utc_offset).run(self.storage.load())

    def take_over(self, records: Iterable[Record], now: int, utc_offset: int) -> None:
        """Restore records of elsewhere, a session before its messages; before the first link is accepted."""
        Restorer(self, now, utc_offset).run(records)

    def restorer(self, now: int, utc_offset: int) -> Restorer:
        """What restores the records of the store in several steps; before the first link is accepted."""
        return Restorer(self, now, utc_offset, own=True)

    # ---------------------------------------------------------------- hooks

    def answer(self, question: int, answer: object, now: int) -> bool:
        """Give the answer to an `Ask`, of the type that its event needs. Return False if it is no longer awaited.

        Raises:
            TypeError: the question is about authentication, and the answer is not a `Verdict`.
        """
        self.work = self.turn
        return self.questions.answer(question, answer, now)

    def set_access(self, access: Access | None) -> None:
        """Set the access decisions, and forget the remembered answers of the previous ones."""
        self.access = access
        self._work_out()
        self.rules_changed()

    def set_hooks(
        self,
        access: Access | None,
        watch: Watch | None,
        intercept: Intercept | None,
        output: Callable[[Connection, list[bytes]], list[bytes]] | None = None,
    ) -> None:
        """Set the access decisions, the notification hooks, the intercepting hooks and the output hook."""
        self.watch = Watch() if watch is None else watch
        self.intercept = Intercept(waits=False) if intercept is None else intercept
        self.output = output
        self.set_access(access)

    def rules_changed(self) -> None:
        """Forget the remembered read permissions. Waiting messages are checked again before they are sent."""
        self.rules += 1
        self.router.forget()

    def _work_out(self) -> None:
        """Update the flags that are tested for each read."""
        access = self.access
        watch = self.watch
        intercept = self.intercept
        self.tapped = (
            intercept.waits
            or intercept.on_packet_read is not None
            or watch.on_packet_processed is not None
            or (access is not None and access.waits)
        )
        plain = not self.strict_text and not self.message_size
        unseen = self.output is None  # those who see what goes out see each packet
        self.burst_open = plain and unseen and (access is None or not access.waits) and not intercept.waits
        self.router.judged = access is not None and access.on_acl_check_read is not None
        self.burst_unseen = (access is None or access.on_acl_check_publish is None) and intercept.on_publish is None

    # ---------------------------------------------------------------- the broker's own messages

    def inject(
        self,
        topic: str,
        payload: bytes,
        now: int,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: PublishProperties | None = None,
        publisher: str = "",
    ) -> bool:
        """Publish a message of the server itself; `$SYS` topics are allowed. Return False if it has no subscribers.

        Cites: X5-dollar-topic-server, X311-dollar-server-use
        """
        self.last_message += 1
        expires = NEVER
        block = block_of(properties, CLIENT)
        interval = -1 if block is None else block.expiry()
        if interval >= 0:
            expires = max(now + interval * SECOND, 1)
        message = Message(self.last_message, topic, payload, qos, retain, block, publisher, now, expires)
        self.counters.messages_own += 1
        self.counters.payload_own_bytes += len(payload)
        return self.deliverer.publish(message, now) > 0

    def inject_packet(self, client_id: str, packet: Packet, now: int) -> None:
        """Handle a packet as if the client had sent it.

        Raises:
            LookupError: no client with this identifier is connected.
            ValueError: its protocol version does not allow this packet from a client. The text names the broken rule.
        """
        session = self.sessions.by_client_id.get(client_id)
        connection = None if session is None else session.connection
        if connection is None:
            raise LookupError(f"no client {client_id!r} is connected")
        found = Decoder(connection.version, CLIENT).feed(encode(connection.version, packet))
        if len(found) != 1 or isinstance(found[0], Violation):
            raise ValueError(f"not a packet that a client may send: {packet!r}, {found!r}")
        connection.inject(found[0], now)
