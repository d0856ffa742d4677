# SPDX-License-Identifier: MIT
"""Sessions as a whole: which session a connection gets, what becomes of it when the connection is over."""

from __future__ import annotations

from mqtt_ref.broker.delivery import Deliverer
from mqtt_ref.broker.timers import LINK, QUESTION, RETAINED, SESSION, Timers
from mqtt_ref.engine import queueing, will
from mqtt_ref.engine.connection import Connection
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
from mqtt_ref.engine.intercept import LATER, Refusal
from mqtt_ref.engine.link import TAKEN, TAKEN_CLEAN, Link
from mqtt_ref.engine.message import SECOND, Message
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.session import Delivery, Session
from mqtt_ref.engine.tables import Tables
from mqtt_ref.wire.packets import Connect, Will
from mqtt_ref.wire.primitives import V5

__all__ = ["SessionKeeper"]

SESSION_TAKEN_OVER = 0x8E


class SessionKeeper(Deliverer):
    """The part of the broker that knows all sessions, by client identifier and by handle."""

    def __init__(self, options: Options, tables: Tables) -> None:
        super().__init__(options, tables)
        self.by_client_id: dict[str, Session] = {}
        self.connections: dict[int, Connection] = {}
        """Open links by serial."""
        self.per_listener: dict[str, int] = {}
        """How many there are, by the listener's name."""
        self.timers = Timers()
        self.wills_kept = False
        """Whether wills of sessions that are stored are left to the restart, since the server is shutting down."""
        self._free_handles: list[int] = []
        self.clients_connected = 0
        """Clients that have a session and a connection."""
        self._retained_at = 0
        """When the timer for retained messages is set to, or 0."""

    def admit(self, link: Link, connect: Connect, client_id: str, now: int) -> bool:
        """Give a connection its session; an older connection of the client is closed first.

        [MQTT5-3.1.4-3, MQTT5-3.1.4-4, MQTT311-3.1.4-2, MQTT311-3.1.4-3, X31-client-id-in-use]
        [MQTT5-4.1.0-1, X311-clean-session-not-atomic]
        """
        clean = connect.clean_start
        session = self.by_client_id.get(client_id)
        if session is not None and session.link is None:
            # What was due before this CONNECT came happens first, however late its timer is [MQTT5-4.1.0-2].
            self._session_due(session, now)
            session = self.by_client_id.get(client_id)
        elif session is not None and session.link is not None:
            older = session.link
            assert isinstance(older, Connection)
            self.counters.sessions_taken_over += 1
            how = TAKEN_CLEAN if clean else TAKEN
            older.dismiss(SESSION_TAKEN_OVER, "Another connection has taken the session over", now, how)
            session = self.by_client_id.get(client_id)
        most = self.options.bounds.clients
        if most and self.clients_connected >= most:
            return False
        state = ABSENT if session is None else session.state
        at = state * WIDTH + (ON_CONNECT_CLEAN if clean else ON_CONNECT_RESUME)
        action = self.tables.session_action[at]
        present = action in (DO_RESUME, DO_CREATE_PRESENT)
        if action in (DO_RESUME, DO_RESUME_UNANNOUNCED) and session is not None:
            self._publish_will(session, will.due(session, will.RESUMED), now)
            self.counters.sessions_resumed += 1
        elif action in (DO_CREATE, DO_CREATE_PRESENT, DO_REPLACE):
            written = 0 if self.keeper is None else self.keeper.written
            if session is not None:
                self.end(session, "replaced", now)
            if len(self.by_client_id) >= self.options.bounds.sessions:
                return False
            session = self.create(client_id, connect.protocol_version)
            if self.keeper is not None and self.keeper.written != written:
                self.keeper.touch(link)
        else:
            return False
        session.state = self.tables.session_next[at]
        session.version = connect.protocol_version
        session.username = link.username
        session.link = link
        session.ends_at = 0
        session.expiry = self._expiry(connect, link)
        link.session = session
        self.clients_connected += 1
        if present:
            self.reconsider(session)
        self.counters.clients_maximum = max(self.counters.clients_maximum, self.clients_connected)
        self.links[session.handle] = link
        will.arm(session, None if link.will_denied else connect.will)
        if self.keeper is not None:
            self.keeper.session(session)
        return present

    def _expiry(self, connect: Connect, link: Link) -> int:
        """Seconds that the session outlives its connection [MQTT5-3.1.2-23, X5-session-expiry-zero].

        In 3.x, Clean Session 1 means none and 0 means for ever [MQTT311-3.1.2-4, MQTT311-3.1.2-6].
        [X5-session-expiry-never, X31-clean-session-set, X31-clean-session-unset]
        """
        if connect.protocol_version == V5:
            properties = connect.properties
            asked = 0 if properties is None else properties.session_expiry_interval or 0
        else:
            asked = 0 if connect.clean_start else self.limits.session_expiry_never
        return min(asked, link.offered.maximum_session_expiry)

    def create(self, client_id: str, version: int) -> Session:
        """A new session, in no state yet."""
        handle = self.claim_handle()
        session = Session(self, handle, client_id, version)
        self.sessions[handle] = session
        self.by_client_id[client_id] = session
        self.counters.sessions_created += 1
        return session

    def claim_handle(self) -> int:
        """A number for a subscriber, of which nobody holds another."""
        if self._free_handles:
            return self._free_handles.pop()
        self.sessions.append(None)
        self.links.append(None)
        return len(self.sessions) - 1

    def free_handle(self, handle: int) -> None:
        """The subscriber is gone: another one may have its number."""
        self.sessions[handle] = None
        self.links[handle] = None
        self._free_handles.append(handle)

    def settle(self, link: Link, now: int, how: int) -> None:
        """A connection is over: its session is kept or ends, its will is published, delayed or deleted.

        [X5-session-duration, MQTT311-4.1.0-2]
        """
        if self.connections.pop(link.serial, None) is not None:
            left = self.per_listener[link.listener] - 1
            if left:
                self.per_listener[link.listener] = left
            else:
                del self.per_listener[link.listener]
        session = link.session
        if session is None:
            return
        link.session = None
        self.clients_connected -= 1
        session.link = None
        session.remote = link.remote
        session.listener = link.listener
        self.links[session.handle] = None
        session.resending = None
        wanted = None if self.wills_kept and session.kept else will.closed(session, how, now)
        at = session.state * WIDTH + (ON_CLOSED_ENDING if session.expiry == 0 else ON_CLOSED_KEEPING)
        action = self.tables.session_action[at]
        session.state = self.tables.session_next[at]
        watch = self.watch
        if watch is not None and watch.disconnected is not None:
            watch.disconnected(link, session, how)
        if action == DO_END:
            self.end(session, "closed", now)
        else:
            if session.expiry < self.limits.session_expiry_never:
                session.ends_at = now + session.expiry * SECOND * self.limits.session_expiry_percent // 100
            self.watch_over(session)
            if self.keeper is not None:
                self.keeper.session(session)
        self._publish_will(session, wanted, now)

    def end(self, session: Session, why: str, now: int) -> None:
        """The session ends with all its state; retained messages stay [MQTT5-4.1.0-2, MQTT311-3.1.2-7].

        [X5-retained-outlive-session, X5-shared-session-end]
        """
        handle = session.handle
        self.router.remove(handle)
        self.free_handle(handle)
        self.by_client_id.pop(session.client_id, None)
        session.state = ABSENT
        self.counters.messages_inflight -= len(session.inflight)
        unfinished: list[Delivery] = [*session.inflight.values(), *queueing.drop_queue(session)]
        watch = self.watch
        if watch is not None and watch.qos_dropped is not None:
            for packet_id, delivery in session.inflight.items():
                watch.qos_dropped(session, delivery.message, packet_id, "session_ended")
        session.inflight = {}
        session.received = {}
        session.subscriptions = {}
        if self.keeper is not None:
            self.keeper.session_gone(session)
        self._publish_will(session, will.due(session, will.ENDED), now)
        if watch is not None and watch.session_ended is not None:
            watch.session_ended(session, why)
        if unfinished and any(delivery.group for delivery in unfinished):
            self.share_again(unfinished, now)

    def _publish_will(self, session: Session, wanted: Will | None, now: int) -> None:
        """Publish a Will Message as if its client had [X311-will-prompt, X5-will-published-qos].

        [X5-will-publish-promptly]
        """
        if wanted is None:
            return
        intercept = self.intercept
        if intercept is not None and intercept.will is not None:
            outcome = intercept.will(session, wanted)
            if outcome is LATER:
                self.ask_will(session, wanted, now)
                return
            if isinstance(outcome, Refusal):
                self.will_dropped(session)
                return
            if outcome is not None:
                wanted = outcome
        self.will_decided(session, wanted, now)

    def ask_will(self, session: Session, wanted: Will, now: int) -> None:
        """Let the question what becomes of a will leave as an effect; nobody waits for it."""
        raise NotImplementedError

    def will_dropped(self, session: Session) -> None:
        """A hook does not want a will to be published."""
        self.counters.dropped_by_hook += 1
        if self.keeper is not None and session.state != ABSENT:
            self.keeper.session(session)

    def will_decided(self, session: Session, wanted: Will, now: int) -> None:
        """Publish a will that the hooks have seen."""
        self.last_message += 1
        self.counters.wills_published += 1
        self.counters.messages_own += 1
        self.counters.payload_own_bytes += len(wanted.payload)
        message = will.message_of(self.last_message, wanted, session.client_id, session.version, now)
        self.publish(message, now)
        watch = self.watch
        if watch is not None and watch.will_sent is not None:
            watch.will_sent(session, message)
        if self.keeper is not None and session.state != ABSENT:
            self.keeper.session(session)

    def is_shared(self, session: Session, topic_filter: str) -> bool:
        raise NotImplementedError

    def retain_put(self, message: Message) -> None:
        keeper = self.keeper
        if keeper is not None and not message.topic.startswith("$SYS/"):
            keeper.retained(message)
        self.watch_retained()

    def retain_removed(self, topic: str) -> None:
        if self.keeper is not None:
            self.keeper.retained_gone(topic)

    def watch_retained(self) -> None:
        """Be woken when the first retained message expires; one entry is enough for all."""
        when = self.retained_messages.next_expiry()
        if when and (not self._retained_at or when < self._retained_at):
            self._retained_at = when
            self.timers.add(when, RETAINED, 0)

    def watch_over(self, session: Session) -> None:
        """Be woken when the will or the end of a session is due, whichever is first; one entry is enough."""
        when = session.ends_at
        if session.will_at and (not when or session.will_at < when):
            when = session.will_at
        if when and (not session.wake_at or when < session.wake_at):
            session.wake_at = when
            self.timers.add(when, SESSION, session.handle)

    def wake(self, link: Link, when: int) -> None:
        """One entry for each link is enough: a later limit is found when an earlier one is looked at."""
        if link.deadline and link.deadline <= when:
            return
        link.deadline = when
        self.timers.add(when, LINK, link.serial)

    def next_deadline(self) -> int | None:
        """When `on_deadline` wants to be called, or None."""
        return self.timers.next()

    def on_deadline(self, now: int) -> None:
        """Whatever is due: keep alive, connect and authentication timeouts, will delay, session and message expiry."""
        timers = self.timers
        while True:
            entry = timers.pop(now)
            if entry is None:
                return
            _, kind, subject = entry
            if kind == LINK:
                link = self.connections.get(subject)
                if link is not None:
                    link.deadline = 0
                    link.on_deadline(now)
            elif kind == RETAINED:
                self._retained_at = 0
                self.expire_retained(now)
                self.watch_retained()
            elif kind == QUESTION:
                self.overdue(subject, now)
            else:
                session = self.sessions[subject]
                if session is not None:
                    session.wake_at = 0
                    if session.link is None:
                        self._session_due(session, now)

    def overdue(self, question: int, now: int) -> None:
        """A question was not answered in time, if it is still open."""
        raise NotImplementedError

    def _session_due(self, session: Session, now: int) -> None:
        """The Will Delay or the session's expiry may have passed; the earlier one comes first."""
        if session.will_at and session.will_at <= now:
            self._publish_will(session, will.due(session, will.ELAPSED), now)
        if session.ends_at and session.ends_at <= now:
            self._end_dormant(session, ON_EXPIRED, "expired", now)
            self.counters.sessions_expired += 1
        else:
            self.watch_over(session)

    def remove_session(self, client_id: str, now: int) -> bool:
        """End a session by hand; its connection, if there is one, is closed with 0x98. False if there is none."""
        session = self.by_client_id.get(client_id)
        if session is None:
            return False
        if session.link is not None:
            assert isinstance(session.link, Connection)
            session.link.dismiss(0x98, "The session was removed by an administrator", now)
        session = self.by_client_id.get(client_id)
        if session is not None:
            self._end_dormant(session, ON_REMOVED, "removed", now)
        return True

    def remove_sessions(self, now: int) -> int:
        """End all sessions by hand; how many there were."""
        return sum([self.remove_session(client_id, now) for client_id in list(self.by_client_id)])

    def _end_dormant(self, session: Session, event: int, why: str, now: int) -> None:
        at = session.state * WIDTH + event
        if self.tables.session_action[at] == DO_END:
            self.end(session, why, now)
        else:
            session.ends_at = 0
