# SPDX-License-Identifier: MIT
"""One Network Connection: decodes packets, looks up each step in the table, and calls the handler of its action."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from mqtt_ref.engine import (
    authenticate,
    burst,
    connect,
    continuing,
    disconnect,
    publish,
    qos_receive,
    qos_send,
    subscribe,
    unsubscribe,
)
from mqtt_ref.engine.agreement import Agreement
from mqtt_ref.engine.effects import Note
from mqtt_ref.engine.ends import LOST
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
    DO_HOLD,
    DO_IGNORE,
    DO_PINGRESP,
    DO_PUBLISH,
    DO_RELEASE,
    DO_SUBSCRIBE,
    DO_UNSUBSCRIBE,
    ON_LOST,
    ON_PUBACK,
    ON_PUBLISH,
    ON_TIMEOUT,
    WIDTH,
)
from mqtt_ref.engine.message import FLIGHT, SECOND
from mqtt_ref.engine.outbox import Outbox, whole
from mqtt_ref.engine.reacting import breach, dismiss, leave, react
from mqtt_ref.engine.waiting import Suspended, Waiting
from mqtt_ref.wire.codes import (
    KEEP_ALIVE_TIMEOUT,
    NOT_AUTHORIZED,
    PROTOCOL_ERROR,
    PUBACK,
    SERVER_UNAVAILABLE,
    UNSPECIFIED_ERROR,
)
from mqtt_ref.wire.fast import PINGRESP
from mqtt_ref.wire.framing import Decoder
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
from mqtt_ref.wire.primitives import CLIENT, MAXIMUM_PACKET_SIZE, V5
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.authenticate import Authentication
    from mqtt_ref.engine.options import Capabilities
    from mqtt_ref.engine.session import Session

__all__ = ["Connection"]


class Connection:
    """One link and the protocol on it.

    The driver calls `receive`, `lost`, `choke` and `unchoke`. It writes what `take` returns, and closes the link if
    `closing` is True.
    """

    __slots__ = (
        "agreement",
        "alias_in",
        "alias_out",
        "auth",
        "base",
        "broker",
        "client_id",
        "connect_by",
        "deadline",
        "decoder",
        "heard",
        "held_bytes",
        "how",
        "listener",
        "opened",
        "outbox",
        "peer_certificate",
        "quota",
        "reason_code",
        "reason_text",
        "receiving",
        "remote",
        "serial",
        "session",
        "state",
        "username",
        "version",
        "view",
        "waiting",
    )

    def __init__(
        self,
        broker: Broker,
        serial: int,
        now: int,
        listener: str,
        remote: str,
        capabilities: Capabilities | None = None,
    ) -> None:
        if capabilities is None:
            capabilities = broker.options.capabilities
        self.broker = broker
        self.serial = serial
        self.listener = listener
        self.remote = remote
        self.opened = now
        self.peer_certificate: dict[str, object] | None = None
        """The client's certificate, as `ssl` returns it; None if none was requested or sent."""
        self.view: object | None = None
        """The read-only view of it (`broker.views.Client`), made on first use."""

        self.state: int = AWAIT_CONNECT
        self.base: int = AWAIT_CONNECT * WIDTH
        """`state` times the width of the table."""
        self.version = 0
        self.client_id = ""
        self.username = ""
        self.session: Session | None = None
        self.decoder = Decoder(0, CLIENT, broker.options.capabilities.maximum_packet_size, broker.tables.go_on)
        self.decoder.most = max(1, broker.turn // 2)
        self.decoder.parts = broker.options.bounds.parts
        self.agreement = Agreement(capabilities)
        self.outbox = Outbox()
        self.waiting: Waiting | None = None
        self.auth: Authentication | None = None
        """Set from the CONNECT to the CONNACK; with an Authentication Method, until the connection ends."""

        self.quota = 0
        """QoS 1 and 2 messages that may be sent to the client now."""
        self.receiving = 0
        """QoS 2 messages of the client that are not completed."""
        self.alias_in: dict[int, str] | None = None
        self.alias_out: dict[str, int] | None = None

        self.held_bytes = 0
        """Bytes that the budget counts for this connection."""
        self.connect_by = 0
        """Time by which the CONNECT must have arrived, or 0."""
        self.heard = now
        self.deadline = 0
        """Time that its timer is set to, or 0."""
        self.how: int = LOST
        """How it ends: one of the constants of `ends`."""
        self.reason_code = 0
        self.reason_text = ""
        """Why it ended, as in the log."""

    def __repr__(self) -> str:
        return f"Connection({self.serial}, {self.client_id!r}, {self.remote!r})"

    # ---------------------------------------------------------------- the table

    def step(self, event: int) -> int:
        """Feed an input to the table and enter the next state. Return the index of the row.

        `closed` is not entered here, so that the action can still send. `done` enters it.
        """
        at = self.base + event
        after = self.broker.tables.connection_next[at]
        if after != CLOSED:
            self.state = after
            self.base = after * WIDTH
        return at

    def done(self, at: int, now: int) -> None:
        """Finish a step after its action. If it leads to `closed`, close the connection.

        From then on nothing is read, and nothing is sent after the queued output.

        Cites: MQTT5-3.14.4-1, X5-will-on-server-close
        """
        after = self.broker.tables.connection_next[at]
        if after != CLOSED or self.state == CLOSED:
            return
        self.state = after
        self.base = after * WIDTH
        broker = self.broker
        waiting = self.waiting
        if waiting is not None:
            waiting.held = None
            waiting.behind = None
            if waiting.suspended is not None and not waiting.suspended.question:
                broker.deliverer.finish(waiting.suspended.progress)
        self.decoder.rest = b""
        self.shut()
        broker.counters.connections_closed += 1
        broker.questions.withdraw(self)
        broker.closed(self)
        broker.sessions.settle(self, now)
        if waiting is not None and waiting.gone:
            self.view = None

    # ---------------------------------------------------------------- input

    def receive(self, data: bytes, now: int) -> None:
        """Handle all packets of a read in one pass, however the stream was cut.

        Cites: MQTT5-6.0.0-2, MQTT311-6.0.0-2
        """
        packets = self.decoder.feed(data)
        if not packets:
            if self.decoder.excess:
                continuing.refuse_excess(self, now)
            if self.state != CONNECTED or self.suspended is not None:
                continuing.bound(self, len(data), now)
            return
        self.heard = now
        broker = self.broker
        broker.work = broker.turn - len(packets)
        counters = broker.counters
        counters.packets_received += len(packets)
        budget = broker.budget
        used = budget.exact + FLIGHT * counters.messages_inflight
        budget.flights = budget.most if used < budget.maximum else 0
        waiting = self.waiting
        if broker.tapped or waiting is not None:
            continuing.look(self, packets, len(data), now)
            return
        tables = broker.tables
        actions = tables.connection_action
        nexts = tables.connection_next
        next_at = 0
        for at, packet in enumerate(packets):
            if at < next_at:
                continue
            session = self.session
            # Fast path for the two most frequent packets, if their rows have the usual action.
            if session is not None and isinstance(packet, Publish):
                row = self.base + ON_PUBLISH
                if actions[row] == DO_PUBLISH and nexts[row] == self.state:
                    if packet.qos == 0 and broker.burst_open:
                        next_at = burst.take(self, session, packet, packets, at, now)
                        if next_at != at:
                            if broker.work > 0:
                                continue
                            continuing.wait_behind(self, packets[next_at:])
                            break
                    publish.publish(self, session, packet, now)
                    if broker.work > 0:
                        continue
                    continuing.wait_behind(self, packets[at + 1 :])
                    break
            elif session is not None and isinstance(packet, Puback):
                row = self.base + ON_PUBACK
                if actions[row] == DO_ACKNOWLEDGE and nexts[row] == self.state:
                    qos_send.acknowledged(self, session, packet.packet_id, PUBACK, packet.reason_code, now)
                    continue
            self.handle(packet, now)
            if broker.work <= 0:
                continuing.wait_behind(self, packets[at + 1 :])
                break
        if self.waiting is not None or self.decoder.rest:
            continuing.after_read(self, len(data), now)
        if self.decoder.excess:
            continuing.refuse_excess(self, now)

    def handle(self, packet: Packet | Violation, now: int) -> None:
        """Handle one packet as its row in the table says.

        A row may only name an action that fits its packet. An action that needs a session may occur only in states
        that have one.
        """
        if isinstance(packet, Violation):
            react(self, packet, now)
            return
        tables = self.broker.tables
        at = self.base + packet.TYPE
        stays = tables.connection_next[at] == self.state
        if not stays:
            self.step(packet.TYPE)
        action = tables.connection_action[at]
        session = self.session
        if action == DO_PUBLISH:
            publish.publish(self, cast("Session", session), cast("Publish", packet), now)
        elif action == DO_ACKNOWLEDGE:
            if isinstance(packet, (Puback, Pubrec, Pubcomp)):
                code = packet.reason_code
                qos_send.acknowledged(self, cast("Session", session), packet.packet_id, packet.TYPE, code, now)
        elif action == DO_CONNECT:
            connect.connect(self, cast("Connect", packet), now)
        elif action == DO_DISCONNECT:
            disconnect.disconnect(self, cast("Disconnect", packet), now)
        elif action == DO_RELEASE:
            qos_receive.released(self, cast("Session", session), cast("Pubrel", packet).packet_id, now)
        elif action == DO_PINGRESP:
            self.send(PINGRESP)  # [MQTT5-3.12.4-1, MQTT311-3.12.4-1]
        elif action == DO_SUBSCRIBE:
            subscribe.subscribe(self, cast("Session", session), cast("Subscribe", packet), now)
        elif action == DO_UNSUBSCRIBE:
            unsubscribe.unsubscribe(self, cast("Session", session), cast("Unsubscribe", packet), now)
        elif action == DO_AUTH:
            authenticate.received(self, cast("Auth", packet), now)
        elif action == DO_HOLD:
            continuing.hold(self, packet)
        elif action == BREACH:
            version = 0 if self.state == AWAIT_CONNECT else self.version
            breach(self, CITES[at], PROTOCOL_ERROR, packet.TYPE, now, "A packet that is not allowed now", version)
        if not stays:
            self.done(at, now)

    def inject(self, packet: Packet, now: int) -> None:
        """Handle a packet as if the client had sent it now. The client's protocol version must allow it."""
        self.heard = now
        self.broker.counters.packets_received += 1
        self.broker.work = self.broker.turn
        waiting = self.waiting
        if waiting is not None and waiting.held is not None:
            waiting.held.append(packet)
        elif waiting is not None and waiting.behind is not None:
            waiting.behind.append(packet)
        elif self.suspended is not None:
            continuing.wait_behind(self, [packet])
        else:
            self.handle(packet, now)

    # ---------------------------------------------------------------- output

    def send(self, data: bytes) -> None:
        """Queue a packet for the write at the end of the tick."""
        outbox = self.outbox
        outbox.packets.append(data)
        if not outbox.queued:
            outbox.queued = True
            self.broker.dirty.append(self)

    def take(self) -> list[bytes]:
        """Return the output to write now: see `Outbox` for its items.

        The driver calls it for each connection in `Broker.dirty`.
        """
        outbox = self.outbox
        out = outbox.packets
        outbox.packets = []
        outbox.burst = 0
        outbox.queued = False
        if outbox.ready is not None:
            out = outbox.ready + out
            outbox.ready = None
        if self.waiting is not None and self.waiting.gone:
            return []
        output = self.broker.output
        return out if output is None or not out else output(self, whole(out) if outbox.apart else out)

    def shut(self) -> None:
        """Close the link after the queued output is written."""
        outbox = self.outbox
        if not outbox.ending:
            outbox.ending = True
            outbox.plain = 0
            if not outbox.queued:
                outbox.queued = True
                self.broker.dirty.append(self)

    @property
    def ending(self) -> bool:
        """True if nothing is sent after the queued output."""
        return self.outbox.ending

    @property
    def closing(self) -> bool:
        """True if the link is to be closed after the output from `take` is written."""
        return self.outbox.closing

    @property
    def sated(self) -> bool:
        """True if output must be written before more retained messages are queued."""
        size = self.outbox.burst
        return size > 0 and size > self.broker.options.bounds.hard_limit

    def refresh(self) -> None:
        """Update `outbox.plain`: the form in which plain QoS 0 messages may be queued for this connection."""
        agreement = self.agreement
        outbox = self.outbox
        if (
            outbox.ending
            or outbox.choked
            or agreement.alias_out_maximum
            or agreement.packet_limit < MAXIMUM_PACKET_SIZE
        ):
            outbox.plain = 0
        else:
            outbox.plain = 2 if self.version == V5 else 1

    def choke(self) -> None:
        """The transport's buffer is full: queue nothing that can wait or be dropped."""
        outbox = self.outbox
        outbox.choked = True
        outbox.plain = 0
        if self.session is not None:
            self.broker.router.wake(self.session.handle)

    def unchoke(self, now: int) -> None:
        """The transport has room again: send what waited."""
        self.outbox.choked = False
        if self.state != CONNECTED:
            return
        self.refresh()
        session = self.session
        if session is not None:
            self.broker.router.wake(session.handle)
            if session.queue or session.resending:
                qos_send.pump(self, session, now)
            if session.replay is not None:
                session.replay.wake()
        self.take_turn()

    # ---------------------------------------------------------------- waiting

    @property
    def suspended(self) -> Suspended | None:
        """The packet whose handling is interrupted, or None."""
        waiting = self.waiting
        return None if waiting is None else waiting.suspended

    def suspend(self, suspended: Suspended, now: int, subject: Packet, topic: str = "", write: bool = False) -> None:
        """Interrupt the handling of a packet. A question about it leaves as an effect.

        `continuing.resume` gets the answer.
        """
        waiting = self.waiting
        if waiting is None:
            waiting = self.waiting = Waiting()
        waiting.suspended = suspended
        self.broker.questions.ask_about(self, suspended, now, subject, topic, write)

    def suspend_work(self, suspended: Suspended, progress: object) -> None:
        """Interrupt the handling of a packet until the next turn, since its work has used this one up."""
        waiting = self.waiting
        if waiting is None:
            waiting = self.waiting = Waiting()
        suspended.progress = progress
        waiting.suspended = suspended
        self.take_turn()

    def take_turn(self) -> None:
        """Ask for a turn if something can be done in it."""
        waiting = self.waiting
        if waiting is None or waiting.in_turn or self.state == CLOSED:
            return
        suspended = waiting.suspended
        held_up = self.outbox.choked and not waiting.gone
        if suspended is not None:
            if suspended.question:
                return
        elif held_up or (self._asked() and self.broker.tapped):  # noqa: SIM114
            return
        elif waiting.behind is None and not self.undecoded() and (waiting.held is None or self.state != CONNECTED):
            return
        waiting.in_turn = True
        self.broker.turns.add(continuing.ConnectionTurn(self))

    @property
    def gone(self) -> int:
        """Time until which an answer is awaited after the link was lost; else 0."""
        waiting = self.waiting
        return 0 if waiting is None else waiting.gone

    def undecoded(self) -> bool:
        """True if bytes of a read, or a packet with too many parts, are left for another turn."""
        return self.decoder.excess or len(self.decoder.rest) > 0

    def waits(self) -> bool:
        """True if no more packets may be handled before a question is answered, or before the next turn."""
        return self.suspended is not None or (self._asked() and self.broker.tapped)

    @property
    def busy(self) -> bool:
        """True if packets that came wait for another turn."""
        waiting = self.waiting
        if waiting is None or self.state == CLOSED:
            return False
        suspended = waiting.suspended
        at_work = suspended is not None and not suspended.question
        return at_work or waiting.behind is not None or len(self.decoder.rest) > 0

    def _asked(self) -> bool:
        """True if the question who the client is is open."""
        auth = self.auth
        return auth is not None and auth.question != 0 and self.state != CONNECTED

    # ---------------------------------------------------------------- the end

    def note(self, text: str, code: int = 0, statement: str = "", routine: bool = False, why: str = "") -> None:
        """Record why this connection is refused or closed, and log it in one line: `why` if given, else `text`."""
        broker = self.broker
        self.reason_code = code
        self.reason_text = text
        if broker.options.notes:
            note = Note(why or text, code, statement, self.client_id, self.remote, self.listener, routine)
            broker.effects.append(note)

    def lost(self, now: int) -> None:
        """The link is gone: no packet can be sent any more.

        Packets that came before and wait for an answer are still handled, if the answer comes in time.

        Cites: X5-will-on-network-failure, X5-will-on-client-close, X311-will-situations
        """
        waiting = self.waiting
        outbox = self.outbox
        if (
            self.session is not None
            and waiting is not None
            and (waiting.suspended is not None or waiting.behind is not None or self.decoder.rest)
            and not waiting.gone
        ):
            waiting.gone = now + int(self.broker.options.bounds.hook_timeout * SECOND)
            outbox.burst = 0
            self.choke()
            self.broker.timers.wake(self, waiting.gone)
            continuing.drain(self, now)
        else:
            self.lose(now)
        outbox.packets = []
        outbox.ready = None
        outbox.gates = None

    def lose(self, now: int) -> None:
        """End the connection because its link is gone."""
        leave(self, self.step(ON_LOST), UNSPECIFIED_ERROR, "The link is gone", now)
        self.view = None  # it refers to this connection, so only the collector would free both

    def dismiss(self, code: int, text: str, now: int, how: int = LOST, server_reference: str = "") -> None:
        """End the connection for the server's own reasons: takeover, shutdown, administration.

        An operator may use it for an inactive client.

        Cites: MQTT5-3.1.4-3, MQTT5-3.14.0-1, X311-inactive-client
        """
        dismiss(self, code, text, now, how, server_reference)

    def turn_away(self, text: str, now: int, code: int = 0, statement: str = "") -> None:
        """Close the link without sending a packet. The log says why. It counts as refused if it has no session yet."""
        at = self.step(ON_LOST)
        if self.broker.tables.connection_action[at] != DO_IGNORE:
            self.note(text, code, statement)
            if self.session is None:
                self.broker.counters.connections_refused += 1
        leave(self, at, code or UNSPECIFIED_ERROR, text, now)

    # ---------------------------------------------------------------- time

    def due(self) -> int:
        """Return when the next time limit of this connection ends, or 0."""
        if self.state == CLOSED:
            return 0
        waiting = self.waiting
        if waiting is not None and waiting.gone:
            return waiting.gone
        if self.state == AWAIT_CONNECT:
            return 0 if self.suspended is not None else self.connect_by
        when = 0 if self.auth is None else self.auth.deadline
        if self.state == CONNECTED and self.agreement.keep_alive:
            silent = self.heard + self.agreement.keep_alive
            if not when or silent < when:
                when = silent
        return when

    def on_deadline(self, now: int) -> None:
        """Check the time limits of this connection: for the CONNECT, for an answer, and for the Keep Alive.

        Cites: MQTT5-3.1.2-22, MQTT311-3.1.2-24, X5-connect-timeout, X5-keep-alive-timeout-code,
        X5-will-on-keep-alive-timeout
        """
        waiting = self.waiting
        when = self.due()
        if not when:
            return
        if now < when:
            self.broker.timers.wake(self, when)
            return
        if waiting is not None and waiting.gone:
            self.lose(now)
            return
        auth = self.auth
        if self.state == CONNECTED and auth is not None and auth.deadline and now >= auth.deadline:
            authenticate.timed_out(self, now)
            return
        code = NOT_AUTHORIZED
        if self.state == AWAIT_CONNECT:
            code = 0
            text = "No CONNECT within the connect timeout"
        elif self.state in (DECIDING, AUTHENTICATING):
            text = "The authentication took too long"
            if auth is not None and auth.question:
                code = SERVER_UNAVAILABLE  # the client did its part, and no hook has judged it
        else:
            code = KEEP_ALIVE_TIMEOUT
            text = "Nothing was heard for one and a half times the Keep Alive"
            self.broker.counters.keep_alive_timeouts += 1
        self.note(text, code, routine=self.state == AWAIT_CONNECT)
        if self.session is None:
            self.broker.counters.connections_refused += 1
        leave(self, self.step(ON_TIMEOUT), code, text, now)
