# SPDX-License-Identifier: MIT
"""Packets that had to wait: the suspended one is continued, then those after it, in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, cast

from mqtt_ref.engine import authenticate, connect, publish, subscribe, unsubscribe
from mqtt_ref.engine.generated.connection import AWAIT_CONNECT, CLOSED, CONNECTED
from mqtt_ref.engine.intercept import LATER, Refusal
from mqtt_ref.engine.reacting import dismiss
from mqtt_ref.engine.turns import Job
from mqtt_ref.engine.waiting import Suspended, Waiting
from mqtt_ref.wire.codes import PACKET_TOO_LARGE, QUOTA_EXCEEDED, UNSPECIFIED_ERROR
from mqtt_ref.wire.packets import Connect, Packet, Publish, Subscribe, Unsubscribe
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.engine.access import Verdict
    from mqtt_ref.engine.connection import Connection

__all__ = [
    "ConnectionTurn",
    "after_read",
    "answered",
    "bound",
    "drain",
    "hold",
    "look",
    "refuse_excess",
    "resume",
    "wait_behind",
]

READ: Final = 0
"""Stage of a suspended packet: `on_packet_read` was asked. All other stages belong to the packet's pipeline."""


class ConnectionTurn(Job):
    """The next turn of a connection: its suspended packet, then those that came after it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def step(self, now: int) -> bool:
        """Continue where the last turn ended. The connection asks for another turn itself."""
        connection = self._connection
        waiting = connection.waiting
        if waiting is None or connection.state == CLOSED:
            return True
        waiting.in_turn = False
        suspended = waiting.suspended
        if suspended is None:
            drain(connection, now)
        elif not suspended.question:
            resume(connection, suspended.progress, now)
        return True


def resume(connection: Connection, outcome: object, now: int) -> None:
    """Continue the suspended packet with the answer, then handle the packets after it."""
    waiting = connection.waiting
    suspended = None if waiting is None else waiting.suspended
    if waiting is None or suspended is None or connection.state == CLOSED:
        return
    waiting.suspended = None
    packet = suspended.packet
    session = connection.session
    if suspended.stage == READ:
        _go_on_read(connection, packet, outcome, now)
        drain(connection, now)
        return
    if isinstance(packet, Connect):
        connect.go_on(connection, packet, suspended, outcome, now)
    elif session is not None:
        if isinstance(packet, Publish):
            publish.publish(connection, session, packet, now, suspended.stage, suspended.topic, outcome)
        elif isinstance(packet, Subscribe):
            subscribe.go_on(connection, session, packet, suspended, outcome, now)
        elif isinstance(packet, Unsubscribe):
            unsubscribe.go_on(connection, session, packet, suspended, outcome, now)
    _tell_processed(connection, packet)
    drain(connection, now)


def answered(connection: Connection, verdict: Verdict, now: int) -> None:
    """Continue the authentication of this client with the answer to its question."""
    if connection.state == CLOSED:
        return
    authenticate.answered(connection, verdict, now)
    drain(connection, now)


def drain(connection: Connection, now: int) -> None:
    """Handle what waited, in order, until something has to wait again."""
    waiting = connection.waiting
    if waiting is None:
        return
    while connection.broker.work > 0 and not connection.waits() and connection.state != CLOSED:
        held = waiting.held
        behind = waiting.behind
        if held is not None and connection.state == CONNECTED:
            packet = held.popleft()
            if not held:
                waiting.held = None
            _finish(connection, packet, now)
        elif behind is not None:
            packet = behind.popleft()
            if not behind:
                waiting.behind = None
            _take_in(connection, packet, now)
        elif connection.decoder.excess:
            refuse_excess(connection, now)
            break
        elif connection.decoder.rest:
            packets = connection.decoder.more()
            connection.broker.work -= len(packets)
            connection.broker.counters.packets_received += len(packets)
            wait_behind(connection, packets)
        else:
            break
    connection.take_turn()
    if waiting.held is None and waiting.behind is None and not connection.undecoded():
        waiting.held_bytes = 0
        if waiting.gone and waiting.suspended is None and connection.state != CLOSED:
            connection.lose(now)
        elif waiting.idle:
            connection.waiting = None


def look(connection: Connection, packets: list[Packet | Violation], size: int, now: int) -> None:
    """Handle packets on the slow path of `receive`: hooks see each, and packets after a waiting one wait too."""
    for packet in packets:
        waiting = connection.waiting
        if waiting is not None and waiting.behind is not None:
            waiting.behind.append(packet)
        elif connection.waits() or connection.broker.work <= 0:
            wait_behind(connection, [packet])
        else:
            _take_in(connection, packet, now)
    after_read(connection, size, now)
    if connection.decoder.excess:
        refuse_excess(connection, now)


def after_read(connection: Connection, size: int, now: int) -> None:
    """Check the bound on waiting bytes after a read of `size` bytes."""
    waiting = connection.waiting
    if waiting is None and connection.decoder.rest:
        waiting = connection.waiting = Waiting()
    if waiting is not None:
        if waiting.held is not None or waiting.behind is not None or connection.decoder.rest:
            bound(connection, size, now)
            connection.take_turn()
        elif waiting.idle and connection.state == CONNECTED:
            connection.waiting = None


def refuse_excess(connection: Connection, now: int) -> None:
    """End the connection because of a packet with too many parts, once those before it are handled."""
    waiting = connection.waiting
    if waiting is not None and (waiting.suspended is not None or waiting.behind is not None):
        return
    text = f"A packet with more than {connection.broker.options.bounds.parts:,} Topic Filters or User Properties"
    if connection.state == AWAIT_CONNECT:
        connection.turn_away(text, now, QUOTA_EXCEEDED)
    else:
        dismiss(connection, QUOTA_EXCEEDED, text, now)


def wait_behind(connection: Connection, packets: list[Packet | Violation]) -> None:
    """Keep packets until those before them are handled."""
    if not packets:
        return
    waiting = connection.waiting
    if waiting is None:
        waiting = connection.waiting = Waiting()
    waiting.behind = deque(packets)


def hold(connection: Connection, packet: Packet) -> None:
    """Keep a packet until the client is accepted."""
    waiting = connection.waiting
    if waiting is None:
        waiting = connection.waiting = Waiting()
    if waiting.held is None:
        waiting.held = deque()
    waiting.held.append(packet)


def _take_in(connection: Connection, packet: Packet | Violation, now: int) -> None:
    """Show a packet to the hooks of `on_packet_read`, then handle it."""
    if connection.state == CLOSED:
        return
    intercept = connection.broker.intercept
    if intercept.on_packet_read is not None and not isinstance(packet, Violation):
        outcome = intercept.on_packet_read(connection, packet)
        if outcome is LATER:
            connection.suspend(Suspended("on_packet_read", READ, packet), now, packet)
        else:
            _go_on_read(connection, packet, outcome, now)
        return
    _finish(connection, packet, now)


def _go_on_read(connection: Connection, packet: Packet, outcome: object, now: int) -> None:
    """Continue after `on_packet_read`: handle the packet, as it is or changed, drop it, or end the connection."""
    if not isinstance(outcome, Refusal):
        _finish(connection, packet if outcome is None else cast("Packet", outcome), now)
    elif not outcome.dropped:
        if isinstance(packet, Connect) and connection.session is None:
            connection.version = packet.protocol_version
            connection.client_id = packet.client_id
        text = outcome.text or "A packet was refused"
        if connection.state == AWAIT_CONNECT:
            connect.refused(connection, outcome.code or UNSPECIFIED_ERROR, text, now)
        else:
            dismiss(connection, outcome.code or UNSPECIFIED_ERROR, text, now)


def _finish(connection: Connection, packet: Packet | Violation, now: int) -> None:
    """Handle a packet, then report it as processed unless it is suspended."""
    connection.handle(packet, now)
    _tell_processed(connection, packet)


def _tell_processed(connection: Connection, packet: Packet | Violation) -> None:
    """Call `on_packet_processed`, unless the packet is suspended."""
    if connection.suspended is not None:
        return
    watch = connection.broker.watch
    if watch.on_packet_processed is not None and not isinstance(packet, Violation):
        watch.on_packet_processed(connection, packet)


def bound(connection: Connection, size: int, now: int) -> None:
    """Limit the bytes that a client may send before it is accepted, or while one of its packets waits."""
    bounds = connection.broker.options.bounds
    waiting = connection.waiting
    if connection.state == AWAIT_CONNECT and connection.suspended is None:
        if connection.decoder.buffered > bounds.connect_bytes:
            connection.turn_away("The CONNECT is larger than this server accepts", now, PACKET_TOO_LARGE)
        return
    if waiting is None:
        waiting = connection.waiting = Waiting()
    waiting.held_bytes += size
    if waiting.held_bytes > bounds.held_bytes:
        if connection.state == CONNECTED:
            text = "Too much was sent while a packet waited for an answer"
        else:
            text = "Too much was sent before the CONNACK"
        if connection.state == AWAIT_CONNECT:
            connect.refused(connection, QUOTA_EXCEEDED, text, now)
        else:
            dismiss(connection, QUOTA_EXCEEDED, text, now)
