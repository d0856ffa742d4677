# SPDX-License-Identifier: MIT
"""All sessions: how they are created, resumed, taken over, settled after a connection, and expired."""

from __future__ import annotations

from hashlib import blake2b
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from mqtt_ref.broker.leaving import Leaving
from mqtt_ref.engine import queueing, will
from mqtt_ref.engine.ends import GOODBYE, TAKEN, TAKEN_CLEAN
from mqtt_ref.engine.generated.session import (
    ABSENT,
    DO_CREATE,
    DO_CREATE_PRESENT,
    DO_END,
    DO_REPLACE,
    DO_RESUME,
    DO_RESUME_UNANNOUNCED,
    ON_CLOSED_ENDING,
    ON_CLOSED_KEEPING,
    ON_CONNECT_CLEAN,
    ON_CONNECT_RESUME,
    ON_EXPIRED,
    ON_REMOVED,
    WIDTH,
)
from mqtt_ref.engine.message import SECOND
from mqtt_ref.engine.session import Delivery, Session
from mqtt_ref.wire.codes import ADMINISTRATIVE_ACTION, SESSION_TAKEN_OVER
from mqtt_ref.wire.primitives import V5

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.wire.packets import Connect

__all__ = ["Sessions"]


class Sessions:
    """Sessions by Client Identifier and by handle. A handle is the number by which the router knows a subscriber."""

    def __init__(self, broker: Broker, seed: int) -> None:
        self._broker = broker
        self._seed = seed
        self._ids = 0
        self.by_client_id: dict[str, Session] = {}
        self.by_handle: list[Session | None] = []
        self.connections: list[Connection | None] = []
        """By handle of the session: its open connection."""
        self.connected = 0
        """Sessions whose client is connected."""
        self.loose = False
        """True if handles at the end are free: `trim` gives their places back."""
        self._free_handles: list[int] = []
        """A heap: low handles are used first, so that those at the end become free."""

    # ---------------------------------------------------------------- names and numbers

    def new_client_id(self) -> str:
        """Return an unused Client Identifier that cannot be guessed without the seed.

        Cites: MQTT5-3.2.2-16
        """
        while True:
            self._ids += 1
            digest = blake2b(self._ids.to_bytes(8, "big"), digest_size=15, key=_key(self._seed)).hexdigest()
            client_id = f"auto-{digest}"
            if client_id not in self.by_client_id:
                return client_id

    def claim_handle(self) -> int:
        """Reserve and return a handle for a new subscriber."""
        free = self._free_handles
        if free:
            handle = heappop(free)
            if handle < len(self.by_handle):
                return handle
            free.clear()  # it was trimmed, and so were all above it
        self.by_handle.append(None)
        self.connections.append(None)
        return len(self.by_handle) - 1

    def free_handle(self, handle: int) -> None:
        """Free the handle of a subscriber that is gone."""
        self.by_handle[handle] = None
        self.connections[handle] = None
        heappush(self._free_handles, handle)
        if handle == len(self.by_handle) - 1:
            self.loose = True

    def with_handle(self, handle: int) -> Session | None:
        """The session with this handle; None if there is none."""
        return self.by_handle[handle] if handle < len(self.by_handle) else None

    def trim(self) -> None:
        """Give the places of free handles at the end back.

        Call it between two turns when no work is left off: nothing may use a handle then, and no session is leaving.
        """
        self.loose = False
        by_handle = self.by_handle
        inline = self._broker.inline
        while by_handle and by_handle[-1] is None and len(by_handle) - 1 not in inline:
            by_handle.pop()
            self.connections.pop()
        size = len(by_handle)
        free = self._free_handles
        if not size:
            free.clear()
        elif len(free) > 2 * size:
            self._free_handles = sorted([handle for handle in free if handle < size])

    def publisher(self, message: Message) -> Session | None:
        """Return the session of the client that published a message; None if it has ended or the server published."""
        return self.by_client_id.get(message.publisher) if message.publisher else None

    # ---------------------------------------------------------------- a connection begins

    def has_room(self, client_id: str, now: int) -> bool:
        """True if another client may connect, and get a session if it has none yet."""
        session = self.by_client_id.get(client_id)
        if session is not None and session.connection is None:
            # What was due before this CONNECT happens first, even if its timer is late [MQTT5-4.1.0-2].
            self.due(session, now)
            session = self.by_client_id.get(client_id)
        bounds = self._broker.options.bounds
        if session is not None and session.connection is not None:
            return True  # it is taken over
        if bounds.clients and self.connected >= bounds.clients:
            return False
        return session is not None or len(self.by_client_id) < bounds.sessions

    def expiry_of(self, connection: Connection, packet: Connect) -> int:
        """Return how many seconds the session outlives the connection.

        In 3.x, Clean Session 1 asks for 0 seconds and Clean Session 0 for no limit.

        Cites: MQTT5-3.1.2-23, X5-session-expiry-zero, MQTT311-3.1.2-4, MQTT311-3.1.2-6, X5-session-expiry-never,
        X31-clean-session-set, X31-clean-session-unset
        """
        if packet.protocol_version == V5:
            properties = packet.properties
            asked = 0 if properties is None else properties.session_expiry_interval or 0
        else:
            asked = 0 if packet.clean_start else self._broker.limits.session_expiry_never
        return min(asked, connection.agreement.capabilities.maximum_session_expiry)

    def needs_store(self, connection: Connection, packet: Connect, client_id: str) -> bool:
        """True if a connection changes what is stored: it has a session that outlives it, had one, or has a will."""
        session = self.by_client_id.get(client_id)
        earlier = session is not None and session.stored
        return earlier or packet.will is not None or self.expiry_of(connection, packet) > 0

    def admit(self, connection: Connection, packet: Connect, client_id: str, now: int) -> bool:
        """Give a connection its session, after closing an older connection of the client. Return Session Present.

        Cites: MQTT5-3.1.4-3, MQTT5-3.1.4-4, MQTT311-3.1.4-2, MQTT311-3.1.4-3, X31-client-id-in-use, MQTT5-4.1.0-1,
        X311-clean-session-not-atomic
        """
        broker = self._broker
        session = self.by_client_id.get(client_id)
        clean = packet.clean_start or (session is not None and broker.reading.strange(session, connection.username))
        if session is not None and session.connection is not None:
            broker.counters.sessions_taken_over += 1
            text = "Another connection has taken the session over"
            session.connection.dismiss(SESSION_TAKEN_OVER, text, now, TAKEN_CLEAN if clean else TAKEN)
            session = self.by_client_id.get(client_id)
        state = ABSENT if session is None else session.state
        at = state * WIDTH + (ON_CONNECT_CLEAN if clean else ON_CONNECT_RESUME)
        action = broker.tables.session_action[at]
        after = broker.tables.session_next[at]
        resumed = session is not None and action in (DO_RESUME, DO_RESUME_UNANNOUNCED)
        if session is not None and resumed:
            broker.wills.publish(session, will.due(session, will.RESUMED), now)
            broker.counters.sessions_resumed += 1
        elif action in (DO_CREATE, DO_CREATE_PRESENT, DO_REPLACE):
            journal = broker.journal
            written = 0 if journal is None else journal.written
            if session is not None and action != DO_CREATE:
                self.by_client_id.pop(client_id)
                self.end(session, "replaced", now)
            session = self.create(client_id, packet.protocol_version)
            if journal is not None and journal.written != written:
                journal.touch(connection)
        if session is None:
            return False
        session.state = after
        session.version = packet.protocol_version
        session.username = connection.username
        session.connection = connection
        session.ends_at = 0
        session.expiry = self.expiry_of(connection, packet)
        connection.session = session
        self.connected += 1
        broker.counters.clients_maximum = max(broker.counters.clients_maximum, self.connected)
        self.connections[session.handle] = connection
        if resumed:
            broker.reading.reconsider(session)
        will.arm(session, None if connection.agreement.will_denied else packet.will)
        if broker.journal is not None:
            broker.journal.session(session)
        return action in (DO_RESUME, DO_CREATE_PRESENT)

    def create(self, client_id: str, version: int) -> Session:
        """Create a session. The caller sets its state."""
        handle = self.claim_handle()
        session = Session(self._broker, handle, client_id, version)
        self.by_handle[handle] = session
        self.by_client_id[client_id] = session
        self._broker.budget.created(session)
        self._broker.counters.sessions_created += 1
        return session

    # ---------------------------------------------------------------- a connection is over

    def settle(self, connection: Connection, now: int) -> None:
        """Settle a connection that is over: keep or end its session, and publish, delay or delete its will.

        Cites: X5-session-duration, MQTT311-4.1.0-2
        """
        session = connection.session
        if session is None:
            return
        broker = self._broker
        connection.session = None
        self.connected -= 1
        session.connection = None
        session.remote = connection.remote
        session.listener = connection.listener
        self.connections[session.handle] = None
        session.resending = None
        wanted = broker.wills.of_closed(session, connection.how, now)
        action = self._step(session, ON_CLOSED_KEEPING if session.expiry else ON_CLOSED_ENDING)
        watch = broker.watch
        if watch.on_disconnect is not None:
            if connection.how == GOODBYE:
                watch.on_disconnect(connection, 0, "")
            else:
                watch.on_disconnect(connection, connection.reason_code, connection.reason_text or "The link was lost")
        if not self._ended(session, action, "closed", now):
            limits = broker.limits
            if session.expiry < limits.session_expiry_never:
                session.ends_at = now + session.expiry * SECOND * limits.session_expiry_percent // 100
            self.watch_over(session)
            if broker.journal is not None:
                broker.journal.session(session)
            if session.replay is not None:
                session.replay.wake()
            if broker.backlogs is not None:
                broker.backlogs.leave(session)
        broker.wills.publish(session, wanted, now)

    def _step(self, session: Session, event: int) -> int:
        """Make one transition of a session whose connection is over. Return the action."""
        tables = self._broker.tables
        at = session.state * WIDTH + event
        session.state = tables.session_next[at]
        return tables.session_action[at]

    def _ended(self, session: Session, action: int, why: str, now: int) -> bool:
        """Forget a session that has become absent. If the action ends it, discard what it holds and return True."""
        if session.state == ABSENT:
            self.by_client_id.pop(session.client_id, None)
        if action == DO_END:
            self.end(session, why, now)
        return action == DO_END

    def end(self, session: Session, why: str, now: int) -> None:
        """Discard everything that a session holds. Retained messages stay.

        Cites: MQTT5-4.1.0-2, MQTT311-3.1.2-7, X5-retained-outlive-session, X5-shared-session-end
        """
        broker = self._broker
        handle = session.handle
        left = broker.router.leave(handle)
        self.by_handle[handle] = None
        self.connections[handle] = None
        for delivery in session.inflight.values():
            # Until it is let go, it counts as if it was queued.
            broker.budget.hold(delivery.message)
            if delivery.message.size > broker.light:
                broker.budget.land(delivery.message)
        broker.counters.messages_inflight -= len(session.inflight)
        unfinished: list[Delivery] = [*session.inflight.values(), *queueing.drop_queue(session)]
        watch = broker.watch
        if watch.on_qos_dropped is not None:
            for packet_id, delivery in session.inflight.items():
                watch.on_qos_dropped(session, delivery.message, packet_id, "session_ended")
        session.inflight = {}
        session.inflight_bytes = 0
        session.received = {}
        session.subscriptions = {}
        session.subscription_identifiers = 0
        session.replay = None
        broker.timers.released()
        if broker.journal is not None:
            broker.journal.session_gone(session)
        broker.wills.publish(session, will.due(session, will.ENDED), now)
        broker.budget.ended(session)
        if why == "expired" and watch.on_client_expired is not None:
            watch.on_client_expired(session)
        if not left and not unfinished:
            self.free_handle(handle)
            return
        Leaving(broker, handle, left, unfinished).start(now)

    # ---------------------------------------------------------------- while the client is away

    def watch_over(self, session: Session) -> None:
        """Set a timer for the will or the end of a session, whichever is first. One entry is enough."""
        when = session.ends_at
        if session.will_at and (not when or session.will_at < when):
            when = session.will_at
        if when and (not session.wake_at or when < session.wake_at):
            session.wake_at = when
            self._broker.timers.add_session(when, session.handle)

    def on_deadline(self, handle: int, now: int) -> None:
        """Handle the timer of a session."""
        session = self.by_handle[handle]
        if session is not None:
            session.wake_at = 0
            if session.connection is None:
                self.due(session, now)

    def due(self, session: Session, now: int) -> None:
        """Publish the will if its delay has passed, then end the session if it has expired."""
        if session.will_at and session.will_at <= now:
            self._broker.wills.publish(session, will.due(session, will.ELAPSED), now)
        if session.ends_at and session.ends_at <= now:
            self._end_dormant(session, ON_EXPIRED, "expired", now)
            self._broker.counters.sessions_expired += 1
        else:
            self.watch_over(session)

    # ---------------------------------------------------------------- by hand

    def remove(self, client_id: str, now: int) -> bool:
        """End a session by hand. An open connection is closed with 0x98. Return False if there is no such session."""
        session = self.by_client_id.get(client_id)
        if session is None:
            return False
        if session.connection is not None:
            text = "The session was removed by an administrator"
            session.connection.dismiss(ADMINISTRATIVE_ACTION, text, now)
        session = self.by_client_id.get(client_id)
        if session is not None:
            self._end_dormant(session, ON_REMOVED, "removed", now)
        return True

    def remove_all(self, now: int) -> int:
        """End all sessions by hand. Return how many there were."""
        return sum([self.remove(client_id, now) for client_id in list(self.by_client_id)])

    def _end_dormant(self, session: Session, event: int, why: str, now: int) -> None:
        if not self._ended(session, self._step(session, event), why, now):
            session.ends_at = 0


def _key(seed: int) -> bytes:
    return seed.to_bytes(max(1, (seed.bit_length() + 7) // 8), "big")[:64]
