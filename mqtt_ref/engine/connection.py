# SPDX-License-Identifier: MIT
"""The protocol on one Network Connection: bytes in, one pass over their packets, output for one write."""

from __future__ import annotations

from collections import deque
from typing import cast

from mqtt_ref.engine import auth, connecting, publishing, qos_receive, qos_send, subscribing
from mqtt_ref.engine.access import Verdict
from mqtt_ref.engine.generated.auth import UNUSED
from mqtt_ref.engine.generated.connection import (
    AUTHENTICATING,
    AWAIT_CONNECT,
    BREACH,
    CITES,
    CLOSED,
    CONNECTED,
    DECIDING,
    DO_ACKNOWLEDGE,
    DO_AUTH,
    DO_CONNECT,
    DO_DISCONNECT,
    DO_EXPEL,
    DO_HOLD,
    DO_PINGRESP,
    DO_PUBLISH,
    DO_REACT,
    DO_REFUSE,
    DO_RELEASE,
    DO_SUBSCRIBE,
    DO_UNSUBSCRIBE,
    ON_DISMISSED,
    ON_PUBACK,
    ON_PUBLISH,
    ON_TIMEOUT,
    ON_VIOLATION,
)
from mqtt_ref.engine.intercept import (
    CONNECT,
    LATER,
    PUBLISH,
    PUBLISH_ACCESS,
    READ,
    SUBSCRIBE,
    SUBSCRIBE_ACCESS,
    UNSUBSCRIBE,
    WILL_ACCESS,
    Pending,
    Refusal,
)
from mqtt_ref.engine.link import GOODBYE, LOST, Link
from mqtt_ref.engine.message import SECOND
from mqtt_ref.engine.reacting import breach, expel, react, refuse, stop
from mqtt_ref.wire.fast import PINGRESP
from mqtt_ref.wire.packets import (
    Auth,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import V5
from mqtt_ref.wire.violation import Violation

__all__ = ["Connection"]

PROTOCOL_ERROR = 0x82
UNSPECIFIED_ERROR = 0x80
NOT_AUTHORIZED = 0x87
KEEP_ALIVE_TIMEOUT = 0x8D
PACKET_TOO_LARGE = 0x95
QUOTA_EXCEEDED = 0x97


class Connection(Link):
    """One link and the protocol on it. The driver calls; output is in `out`, `closing` says when to close."""

    __slots__ = ()

    def receive(self, data: bytes, now: int) -> None:
        """Handle all packets of a read in one pass; any chunking of the stream does.

        [MQTT5-6.0.0-2, MQTT311-6.0.0-2]
        """
        packets = self.decoder.feed(data)
        if not packets:
            if self.state != CONNECTED or self.pending is not None:
                self._bound_waiting(len(data), now)
            return
        self.heard = now
        hub = self.hub
        hub.counters.packets_received += len(packets)
        if hub.tapped or self.pending is not None or self.behind is not None:
            self._look(packets, len(data), now)
            return
        actions = hub.tables.connection_action
        done = 0
        for at, packet in enumerate(packets):
            if at < done:
                continue
            session = self.session
            if session is None:
                self._handle(packet, now)
            elif isinstance(packet, Publish) and actions[self.base + ON_PUBLISH] == DO_PUBLISH:
                done = publishing.publish_plain(self, session, packet, packets, at, now)
                if done == at:
                    publishing.publish(self, session, packet, now)
            elif isinstance(packet, Puback) and actions[self.base + ON_PUBACK] == DO_ACKNOWLEDGE:
                qos_send.acknowledged(self, session, packet.packet_id, 4, packet.reason_code, now)
            else:
                self._handle(packet, now)
                if self.sated and at + 1 < len(packets):
                    self.behind = deque(packets[at + 1 :])
                    self._go_on_later(now)
                    break
        if self.held is not None or self.behind is not None:
            self._bound_waiting(len(data), now)

    def _look(self, packets: list[Packet | Violation], size: int, now: int) -> None:
        """The long way of `receive`: hooks see each packet, and what is behind one that waits, waits too."""
        for packet in packets:
            if self.behind is not None:
                self.behind.append(packet)
            elif self._waits():
                self.behind = deque([packet])
            else:
                self._take_in(packet, now)
        self._go_on_later(now)
        if self.held is not None or self.behind is not None:
            self._bound_waiting(size, now)

    def _waits(self) -> bool:
        """Whether nothing more may be looked at before a question is answered, or before it is written to."""
        return self.pending is not None or (self.question != 0 and self.state != CONNECTED) or self.sated

    def _go_on_later(self, now: int) -> None:
        """See to it that what waits for a write is looked at after it, when the others had their turn."""
        if self.behind is not None and self.sated:
            self.hub.wake(self, now + 1)

    def _take_in(self, packet: Packet | Violation, now: int) -> None:
        """Show a packet to the hooks that read, then handle it."""
        if self.state == CLOSED:
            return
        intercept = self.hub.intercept
        if intercept is not None and intercept.read is not None and not isinstance(packet, Violation):
            outcome = intercept.read(self, packet)
            if outcome is not None:
                if outcome is LATER:
                    self.hub.suspend(self, Pending(READ, packet), "on_packet_read", now, packet)
                elif isinstance(outcome, Refusal):
                    self._unread(packet, outcome, now)
                else:
                    self._finish(outcome, now)
                return
        self._finish(packet, now)

    def _unread(self, packet: Packet, refusal: Refusal, now: int) -> None:
        """A hook takes no notice of a packet, or ends the connection for it."""
        if refusal.dropped:
            return
        code = refusal.code or UNSPECIFIED_ERROR
        if self.session is not None:
            expel(self, code, refusal.text or "A packet was refused", now)
        else:
            if isinstance(packet, Connect):
                self.version = packet.protocol_version
                self.client_id = packet.client_id
            refuse(self, code, refusal.text or "A packet was refused", now)

    def _finish(self, packet: Packet | Violation, now: int) -> None:
        """Handle a packet, and say so once nothing of it is left to do."""
        self._handle(packet, now)
        self._done(packet)

    def _done(self, packet: Packet | Violation) -> None:
        """Say that a packet was dealt with, unless something of it is left to do."""
        if self.pending is not None:
            return
        watch = self.hub.watch
        if watch is not None and watch.processed is not None and not isinstance(packet, Violation):
            watch.processed(self, packet)

    def resume(self, outcome: object, now: int) -> None:
        """The answer to the question that was pending: go on where it was asked, then with what came behind."""
        pending = self.pending
        if pending is None or self.state == CLOSED:
            return
        self.pending = None
        packet = pending.packet
        stage = pending.stage
        session = self.session
        refusal = outcome if isinstance(outcome, Refusal) else None
        code = outcome if isinstance(outcome, int) else NOT_AUTHORIZED
        if stage == READ:
            if refusal is not None:
                self._unread(packet, refusal, now)
            else:
                self._finish(packet if outcome is None else cast("Packet", outcome), now)
            self.drain(now)
            return
        if isinstance(packet, Connect):
            if stage == CONNECT:
                connecting.introduced(self, packet, refusal, now)
            elif stage == WILL_ACCESS:
                connecting.will_judged(self, packet, pending.verdict, code, now)
        elif session is not None:
            if isinstance(packet, Publish):
                if stage == PUBLISH_ACCESS:
                    publishing.permitted(self, session, packet, pending.topic, code, now)
                elif stage == PUBLISH:
                    changed = outcome if isinstance(outcome, Publish) else None
                    publishing.offered(self, session, packet, pending.topic, changed, refusal, now)
            elif isinstance(packet, Subscribe):
                if stage == SUBSCRIBE:
                    other = outcome if isinstance(outcome, Subscribe) else packet
                    subscribing.offered(self, session, other, refusal, now)
                elif stage == SUBSCRIBE_ACCESS:
                    pending.codes.append(code)
                    subscribing.permit(self, session, packet, pending.codes, now)
            elif isinstance(packet, Unsubscribe) and stage == UNSUBSCRIBE:
                fewer = outcome if isinstance(outcome, Unsubscribe) else packet
                subscribing.unsubscribe_offered(self, session, fewer, refusal, now)
        self._done(packet)
        self.drain(now)

    def drain(self, now: int) -> None:
        """Handle what was held, in order, until something has to wait again."""
        while not self._waits() and self.state != CLOSED:
            held = self.held
            behind = self.behind
            if held is not None and self.state == CONNECTED:
                packet = held.popleft()
                if not held:
                    self.held = None
                self._finish(packet, now)
            elif behind is not None:
                packet = behind.popleft()
                if not behind:
                    self.behind = None
                self._take_in(packet, now)
            else:
                break
        self._go_on_later(now)
        if self.held is None and self.behind is None:
            self.held_bytes = 0
            if self.gone and self.pending is None and self.state != CLOSED:
                stop(self, now, LOST)

    def _handle(self, packet: Packet | Violation, now: int) -> None:
        """One packet, by the table of connections."""
        at = self.base + (ON_VIOLATION if isinstance(packet, Violation) else packet.TYPE)
        action = self.hub.tables.connection_action[at]
        session = self.session
        if session is not None:
            if action == DO_ACKNOWLEDGE:
                if isinstance(packet, Pubrec):
                    qos_send.acknowledged(self, session, packet.packet_id, 5, packet.reason_code, now)
                elif isinstance(packet, Pubcomp):
                    qos_send.acknowledged(self, session, packet.packet_id, 7, packet.reason_code, now)
                elif isinstance(packet, Puback):
                    qos_send.acknowledged(self, session, packet.packet_id, 4, packet.reason_code, now)
                return
            if action == DO_PUBLISH:
                assert isinstance(packet, Publish)
                publishing.publish(self, session, packet, now)
                return
            if action == DO_RELEASE:
                assert isinstance(packet, Pubrel)
                qos_receive.released(self, session, packet.packet_id, now)
                return
            if action == DO_SUBSCRIBE:
                assert isinstance(packet, Subscribe)
                subscribing.subscribe(self, session, packet, now)
                return
            if action == DO_UNSUBSCRIBE:
                assert isinstance(packet, Unsubscribe)
                subscribing.unsubscribe(self, session, packet, now)
                return
        if action == DO_PINGRESP:
            self.send(PINGRESP)  # [MQTT5-3.12.4-1, MQTT311-3.12.4-1]
        elif action == DO_CONNECT:
            assert isinstance(packet, Connect)
            connecting.connect(self, packet, now)
        elif action == DO_DISCONNECT:
            assert isinstance(packet, Disconnect)
            self._goodbye(packet, now)
        elif action == DO_AUTH:
            assert isinstance(packet, Auth)
            auth.received(self, packet, now)
        elif action == DO_HOLD:
            if self.held is None:
                self.held = deque()
            self.held.append(packet)
        elif action == DO_REACT:
            if isinstance(packet, Violation):
                react(self, packet, now)
        elif action == BREACH:
            assert not isinstance(packet, Violation)
            version = 0 if self.state == AWAIT_CONNECT else self.version
            breach(self, CITES[at], PROTOCOL_ERROR, packet.TYPE, now, "A packet that may not come now", version)

    def _bound_waiting(self, size: int, now: int) -> None:
        """What comes before a client is accepted is held up to a bound: a CONNECT without end, and what follows it."""
        bounds = self.hub.options.bounds
        if self.state == AWAIT_CONNECT and self.pending is None:
            if self.decoder.buffered > bounds.connect_bytes:
                self.turn_away("A CONNECT of that size is not waited for", now, PACKET_TOO_LARGE)
            return
        self.held_bytes += size
        if self.held_bytes > bounds.held_bytes:
            if self.state == CONNECTED:
                expel(self, QUOTA_EXCEEDED, "Too much was sent while a packet waited for an answer", now)
            else:
                refuse(self, QUOTA_EXCEEDED, "Too much was sent before the CONNACK", now)

    def _goodbye(self, packet: Disconnect, now: int) -> None:
        """DISCONNECT: with reason 0x00 the will is not published [MQTT5-3.14.4-3, MQTT311-3.14.4-3].

        The Session Expiry Interval may be set anew [X5-disconnect-session-expiry], but not from 0 to more
        [X5-disconnect-session-expiry-after-zero].
        [X5-disconnect-session-expiry-refused, X5-disconnect-with-will, X5-disconnect-received-close,
        X31-disconnect-server-closes, X5-reason-string-not-parsed]
        """
        session = self.session
        if session is not None and packet.properties is not None and self.version == V5:
            expiry = packet.properties.session_expiry_interval
            if expiry is not None:
                if expiry and not self.lasting:
                    cites = ("X5-disconnect-session-expiry-after-zero",)
                    breach(self, cites, PROTOCOL_ERROR, 14, now, "A Session Expiry Interval after none in the CONNECT")
                    return
                session.expiry = min(expiry, self.offered.maximum_session_expiry)
                if self.hub.keeper is not None:
                    self.hub.keeper.session(session)
        if packet.reason_code:
            self.note(f"The client disconnected with reason 0x{packet.reason_code:02X}", packet.reason_code)
        stop(self, now, GOODBYE if packet.reason_code == 0 or self.version != V5 else LOST)

    def inject(self, packet: Packet, now: int) -> None:
        """Handle a packet, which has to be one that its version allows, as if the client had sent it now."""
        self.heard = now
        self.hub.counters.packets_received += 1
        if self.held is not None:
            self.held.append(packet)
        else:
            self._handle(packet, now)

    def answered(self, verdict: Verdict, now: int) -> None:
        """The answer to the question that this connection waits for."""
        if self.state == CLOSED:
            return
        if self.auth_state != UNUSED:
            auth.answered(self, verdict, now)
        else:
            connecting.answered(self, verdict, now)
        self.drain(now)

    def lost(self, now: int) -> None:
        """The link is gone: no packet can be sent any more.

        What came before that and waits for an answer is still handled, if the answer comes in time.
        [X5-will-on-network-failure, X5-will-on-client-close, X311-will-situations]
        """
        waits = self.pending is not None or self.behind is not None
        if self.session is not None and waits and not self.gone:
            self.gone = now + int(self.hub.options.bounds.hook_timeout * SECOND)
            self.burst = 0
            self.choke()
            self.hub.wake(self, self.gone)
            self.drain(now)
        elif self.state != CLOSED:
            stop(self, now, LOST)
        self.out = []
        self.ready = None
        self.gates = None

    def dismiss(self, code: int, text: str, now: int, how: int = LOST, server_reference: str = "") -> None:
        """The server ends the connection: takeover, shutdown, administration [MQTT5-3.1.4-3, MQTT5-3.14.0-1].

        The operator may do it to a client that he finds inactive [X311-inactive-client].
        """
        action = self.hub.tables.connection_action[self.base + ON_DISMISSED]
        if action == DO_EXPEL:
            expel(self, code, text, now, how, server_reference)
        elif action == DO_REFUSE:
            refuse(self, code, text, now, server_reference)
        else:
            stop(self, now, how)

    def turn_away(self, text: str, now: int, code: int = 0, statement: str = "") -> None:
        """Close the link without a word; the log says why. If no CONNECT came yet it counts as refused."""
        if self.state == CLOSED:
            return
        self.note(text, code, statement)
        if self.session is None:
            self.hub.counters.connections_refused += 1
        stop(self, now, LOST)

    def choke(self) -> None:
        """The transport holds as much as it may: queue nothing that can wait or be dropped."""
        self.choked = True
        self.fast = 0
        if self.session is not None:
            self.hub.online(self.session)

    def unchoke(self, now: int) -> None:
        """The transport takes more again."""
        self.choked = False
        if self.state != CONNECTED:
            return
        self.refresh()
        session = self.session
        if session is not None:
            self.hub.online(session)
            if session.queue or session.resending:
                qos_send.pump(self, session, now)
        self.drain(now)

    def due(self) -> int:
        """When the next time limit of this connection ends, or 0."""
        if self.state == CLOSED:
            return 0
        if self.gone:
            return self.gone
        if self.state == AWAIT_CONNECT:
            return 0 if self.pending is not None else self.connect_by
        when = self.auth_deadline
        if self.state == CONNECTED and self.keep_alive:
            silent = self.heard + self.keep_alive
            if not when or silent < when:
                when = silent
        return when

    def on_deadline(self, now: int) -> None:
        """A time limit may have ended: no CONNECT, no answer, or silence [MQTT5-3.1.2-22, MQTT311-3.1.2-24].

        [X5-connect-timeout, X5-keep-alive-timeout-code, X5-will-on-keep-alive-timeout]
        """
        if self.behind is not None and not self.choked:
            self.drain(now)
        when = self.due()
        if not when:
            return
        if now < when:
            self.hub.wake(self, when)
            return
        action = self.hub.tables.connection_action[self.base + ON_TIMEOUT]
        if self.gone:
            stop(self, now, LOST)
        elif self.state == AWAIT_CONNECT:
            self.turn_away("No CONNECT within the connect timeout", now)
        elif self.state == DECIDING:
            refuse(self, NOT_AUTHORIZED, "The authentication took too long", now)
        elif self.state == AUTHENTICATING or (self.auth_deadline and now >= self.auth_deadline):
            auth.timed_out(self, now)
        elif action == DO_EXPEL:
            self.hub.counters.keep_alive_timeouts += 1
            expel(self, KEEP_ALIVE_TIMEOUT, "Nothing was heard for one and a half times the Keep Alive", now)
        else:
            stop(self, now, LOST)
