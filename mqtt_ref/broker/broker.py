# SPDX-License-Identifier: MIT
"""Many sessions, no I/O: what a driver calls, and what it has to do in return."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b

from mqtt_ref.broker.journal import Journal
from mqtt_ref.broker.recovery import restore
from mqtt_ref.broker.router import Match
from mqtt_ref.broker.takeover import SessionKeeper
from mqtt_ref.broker.timers import LINK, QUESTION
from mqtt_ref.broker.topics import split_shared
from mqtt_ref.engine.access import REFUSE, Access, Verdict
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.effects import Ask, Effect, Withdraw
from mqtt_ref.engine.generated.decisions import SHARED_FOR_V3_SHARE, SHUTDOWN_WILLS_KEEP
from mqtt_ref.engine.intercept import UNSUBSCRIBE, Intercept, Pending, Refusal
from mqtt_ref.engine.link import LOST, Link
from mqtt_ref.engine.message import NEVER, SECOND, Message
from mqtt_ref.engine.options import Options, Terms
from mqtt_ref.engine.reacting import stop
from mqtt_ref.engine.session import Session
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.engine.watch import Watch
from mqtt_ref.ports import Record, Storage
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, Packet, PublishProperties, Will
from mqtt_ref.wire.primitives import CLIENT, V5
from mqtt_ref.wire.violation import Violation

__all__ = ["Broker"]

SERVER_SHUTTING_DOWN = 0x8B
NOT_AUTHORIZED = 0x87
UNSPECIFIED_ERROR = 0x80
OVERDUE = "The question was not answered in time"


class Broker(SessionKeeper):
    """The broker. A driver accepts links and gives their bytes to `Connection.receive`; after each turn it calls
    `tick`, does the effects, and for each connection of `dirty` writes `take()` and, if `closing`, closes the link.

    `now` is a time in nanoseconds that never goes back and is above 0; `utc_offset` makes it UTC for the store. The
    seed is what unguessable client identifiers are made from.
    """

    def __init__(
        self,
        options: Options | None = None,
        tables: Tables = TABLES,
        storage: Storage | None = None,
        seed: int = 0,
        utc_offset: int = 0,
    ) -> None:
        super().__init__(options or Options(), tables)
        self.storage = storage
        self._seed = seed
        self._serial = 0
        self._questions: dict[int, Connection] = {}
        self._wills: dict[int, tuple[Session, Will]] = {}
        """By question: wills that wait for the hooks."""
        self._question = 0
        self._ids = 0
        self.shutting_down = False
        self.store_fails = False
        """Whether the store did not take the last batch."""
        self.journal: Journal | None = None
        if storage is not None:
            self.journal = Journal(self, self.options.bounds.batches, utc_offset)
            self.keeper = self.journal

    # ---------------------------------------------------------------- links

    def connect(self, now: int, listener: str = "", remote: str = "", terms: Terms | None = None) -> Connection:
        """A link was accepted, by a listener with its own terms or with those of the broker."""
        self._serial += 1
        connection = Connection(self, self._serial, now, listener, remote)
        self.connections[self._serial] = connection
        self.counters.connections_accepted += 1
        of_listener = self.per_listener.get(listener, 0) + 1
        self.per_listener[listener] = of_listener
        bounds = self.options.bounds
        timeout = bounds.connect_timeout
        if terms is not None:
            connection.offered = terms.offered(self.options.capabilities)
            if terms.connect_timeout is not None:
                timeout = terms.connect_timeout
            if terms.maximum_connections is not None and of_listener > terms.maximum_connections:
                text = f"The listener has as many connections as it may, {terms.maximum_connections}"
                connection.turn_away(text, now)
                return connection
        if len(self.connections) > bounds.connections or self.shutting_down:
            connection.turn_away("No room for another connection", now)
        elif timeout:
            connection.connect_by = connection.deadline = now + timeout * SECOND
            self.timers.add(connection.deadline, LINK, self._serial)
        return connection

    def tick(self, now: int) -> list[Effect]:
        """End a turn: seal the batch of what is to be stored, and hand out what is to be done."""
        if self.journal is not None:
            self.journal.seal()
        if self.effects:
            effects = self.effects
            self.effects = []
            return effects
        return []

    def on_committed(self, batch: int, now: int) -> None:
        """The store has the batch; call `tick` and write afterwards."""
        self.store_fails = False
        if self.journal is not None:
            self.journal.committed(batch)

    def on_commit_failed(self, batch: int, now: int) -> None:
        """The store does not have the batch: the connections that waited for it are closed without a word.

        Nobody else notices [MQTT311-4.8.0-2, X311-transient-error-others].
        """
        if self.journal is not None:
            self.store_fails = True
            self.counters.commits_failed += 1
            for link in self.journal.failed(batch):
                link.note("What it was to be told could not be stored")
                stop(link, now, LOST)
                link.ending = True
                if not link.queued:
                    link.queued = True
                    self.dirty.append(link)

    # ---------------------------------------------------------------- questions

    def set_access(self, access: Access | None) -> None:
        """Who decides from now on; answers that were remembered are forgotten."""
        self.access = access
        self._work_out()
        self.rules_changed()

    def set_hooks(
        self,
        access: Access | None,
        watch: Watch | None,
        intercept: Intercept | None,
        select: Callable[[Message, Match], Match] | None = None,
        output: Callable[[Link, list[bytes]], list[bytes]] | None = None,
    ) -> None:
        """Who decides, is told, and may change what passes, from now on."""
        self.watch = watch
        self.intercept = intercept
        self.select = select
        self.output = output
        self.set_access(access)

    def _work_out(self) -> None:
        """Which short ways are open: tested once for each read, or each message, instead of what they depend on."""
        access = self.access
        watch = self.watch
        intercept = self.intercept
        self.tapped = (
            (intercept is not None and (intercept.waits or intercept.read is not None))
            or (watch is not None and watch.processed is not None)
            or (access is not None and access.waits)
        )
        self.short_ways = self.plain_delivery and self.select is None
        self.prompt_publish = (
            not self.strict_text and (access is None or not access.waits) and (intercept is None or not intercept.waits)
        )
        self.plain_publish = (
            not self.strict_text
            and (access is None or access.publish is None)
            and (intercept is None or intercept.publish is None)
        )

    def rules_changed(self) -> None:
        """Forget who may read what."""
        self.router.forget()

    def reconsider(self, session: Session) -> None:
        if self.access is not None and self.access.read is not None:
            self.router.reconsider(session.handle)

    def _number(self, now: int) -> int:
        """A new question, and the time by which it has to be answered."""
        self._question += 1
        self.timers.add(now + int(self.options.bounds.hook_timeout * SECOND), QUESTION, self._question)
        return self._question

    def ask(self, link: Link, connect: Connect, method: str, data: bytes | None, renewal: bool, now: int) -> None:
        assert isinstance(link, Connection)
        question = link.question = self._number(now)
        self._questions[question] = link
        event = "on_auth_packet" if method else "on_connect_authenticate"
        ask = Ask(question, event, link, link.session, connect, method=method, data=data, renewal=renewal)
        self.effects.append(ask)

    def suspend(
        self, link: Link, pending: Pending, event: str, now: int, subject: Packet, topic: str = "", write: bool = False
    ) -> None:
        assert isinstance(link, Connection)
        question = pending.question = self._number(now)
        link.pending = pending
        self._questions[question] = link
        self.effects.append(Ask(question, event, link, link.session, subject, topic=topic, write=write))

    def ask_will(self, session: Session, wanted: Will, now: int) -> None:
        question = self._number(now)
        self._wills[question] = (session, wanted)
        self.effects.append(Ask(question, "on_will", None, session, wanted))

    def answer(self, question: int, answer: object, now: int) -> bool:
        """The answer to an `Ask`, of the kind that its event asks for; False if nobody waits for it any more."""
        waiting = self._wills.pop(question, None)
        if waiting is not None:
            session, wanted = waiting
            if isinstance(answer, Refusal):
                self.will_dropped(session)
            else:
                self.will_decided(session, answer if isinstance(answer, Will) else wanted, now)
            return True
        link = self._questions.pop(question, None)
        if link is None:
            return False
        if link.question == question:
            if not isinstance(answer, Verdict):
                raise TypeError(f"question {question} asks for a Verdict, not for {answer!r}")
            link.answered(answer, now)
            return True
        if link.pending is None or link.pending.question != question:
            return False
        link.resume(answer, now)
        return True

    def overdue(self, question: int, now: int) -> None:
        """Nobody answered in time: the answer is no."""
        link = self._questions.get(question)
        if link is not None and link.question == question:
            no: object = Verdict(REFUSE, NOT_AUTHORIZED, text=OVERDUE)
        elif link is not None and link.pending is not None and link.pending.stage == UNSUBSCRIBE:
            no = None  # a client that wants to hear no more is not made to
        elif link is not None or question in self._wills:
            no = Refusal(UNSPECIFIED_ERROR, OVERDUE)
        else:
            return
        self.effects.append(Withdraw(question, True))
        self.answer(question, no, now)

    def settle(self, link: Link, now: int, how: int) -> None:
        if link.question:
            self._withdraw(link.question)
            link.question = 0
        if link.pending is not None:
            self._withdraw(link.pending.question)
            link.pending = None
        super().settle(link, now, how)

    def _withdraw(self, question: int) -> None:
        if self._questions.pop(question, None) is not None:
            self.effects.append(Withdraw(question))

    # ---------------------------------------------------------------- subscriptions

    def is_shared(self, session: Session, topic_filter: str) -> bool:
        """Whether the filter makes a Shared Subscription, which for 3.x clients is a decision [MQTT5-4.8.2-1].

        [X5-shared-filter-syntax, X5-shared-match-prefix]
        """
        if not topic_filter.startswith("$share/"):
            return False
        if session.version == V5:
            return True
        return self.decisions.shared_for_v3 == SHARED_FOR_V3_SHARE and split_shared(topic_filter) is not None

    def subscribe(self, session: Session, topic_filter: str, options: int, identifier: int) -> bool:
        return self.router.subscribe(
            session.handle, topic_filter, options, identifier, self.is_shared(session, topic_filter)
        )

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        return self.router.unsubscribe(session.handle, topic_filter)

    def online(self, session: Session) -> None:
        self.router.wake(session.handle)

    def new_client_id(self) -> str:
        """From the seed and a number, so that nobody who does not know the seed can guess the next [MQTT5-3.2.2-16]."""
        while True:
            self._ids += 1
            digest = blake2b(self._ids.to_bytes(8, "big"), digest_size=15, key=_key(self._seed)).hexdigest()
            client_id = f"auto-{digest}"
            if client_id not in self.by_client_id:
                return client_id

    # ---------------------------------------------------------------- the broker's own

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
        """Publish a message of the server itself, `$SYS` topics included; False if nobody had subscribed.

        [X5-dollar-topic-server, X311-dollar-server-use]
        """
        self.last_message += 1
        expires = NEVER
        if properties is not None and properties.message_expiry_interval is not None:
            expires = max(now + properties.message_expiry_interval * SECOND, 1)
        message = Message(self.last_message, topic, payload, qos, retain, properties, publisher, now, expires)
        self.counters.messages_own += 1
        self.counters.payload_own_bytes += len(payload)
        return self.publish(message, now)

    def inject_packet(self, client_id: str, packet: Packet, now: int) -> None:
        """Handle a packet as if the client had sent it.

        Raises:
            LookupError: no client with this identifier is connected.
            ValueError: its version allows no such packet from a client; the text says which rule it breaks.
        """
        session = self.by_client_id.get(client_id)
        link = None if session is None else session.link
        if link is None:
            raise LookupError(f"no client {client_id!r} is connected")
        assert isinstance(link, Connection)
        found = Decoder(link.version, CLIENT).feed(encode(link.version, packet))
        if len(found) != 1 or isinstance(found[0], Violation):
            raise ValueError(f"not a packet that a client may send: {packet!r}, {found!r}")
        link.inject(found[0], now)

    def disconnect(self, client_id: str, code: int, text: str, now: int, server_reference: str = "") -> bool:
        """Disconnect a client with a reason; False if it is not connected.

        [X5-redirect-temporary, X5-redirect-permanent]
        """
        session = self.by_client_id.get(client_id)
        if session is None or session.link is None:
            return False
        assert isinstance(session.link, Connection)
        session.link.dismiss(code, text, now, LOST, server_reference)
        return True

    def shutdown(self, now: int) -> None:
        """Tell every 5.0 client 0x8B and close every link; wills are published or kept as decided.

        [X5-shutdown-code, X311-will-deferred]
        [X5-will-defer-on-shutdown]
        """
        self.shutting_down = True
        self.wills_kept = self.decisions.shutdown_wills == SHUTDOWN_WILLS_KEEP and self.keeper is not None
        for connection in list(self.connections.values()):
            connection.dismiss(SERVER_SHUTTING_DOWN, "The server is shutting down", now)

    def restore(self, now: int) -> None:
        """Take over what the store holds; before the first link is accepted."""
        if self.storage is not None and self.journal is not None:
            self.take_over(self.storage.load(), now, self.journal.utc_offset)

    def take_over(self, records: Iterable[Record], now: int, utc_offset: int) -> None:
        """Take over what somebody kept, sessions first; before the first link is accepted."""
        restore(self, records, now, utc_offset)


def _key(seed: int) -> bytes:
    return seed.to_bytes(max(1, (seed.bit_length() + 7) // 8), "big")[:64]
