# SPDX-License-Identifier: MIT
"""Update the observed state of a connection with each packet, after the monitors have run."""

from __future__ import annotations

from mqtt_ref.oracle.state import FRESH, RESUMED, SECOND, Memory, Outgoing, Owed, Talk
from mqtt_ref.wire.codes import FAILURE
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["after_sent", "answered", "closed", "got_publish", "got_pubrel"]


def after_sent(talk: Talk, packet: Packet) -> None:
    """Update the state with a packet of the client. The judge handles CONNECT, as it knows all clients."""
    if talk.connect is not None and not talk.answered_at and not isinstance(packet, Connect):
        talk.early = talk.memory.eager = True
    if isinstance(packet, Publish):
        if packet.qos:
            _sent_message(talk, packet)
        if packet.properties is not None and packet.properties.topic_alias is not None and packet.topic:
            talk.aliases[packet.properties.topic_alias] = packet.topic
    elif isinstance(packet, Puback):
        _answers(talk, talk.owes_puback, packet.packet_id)
    elif isinstance(packet, Pubrec):
        _answers(talk, talk.owes_pubrec, packet.packet_id)
        # Until the PUBCOMP, the exchange may continue on a later connection.
        if packet.reason_code < FAILURE:
            talk.recorded.add(packet.packet_id)
    elif isinstance(packet, Pubcomp):
        _answers(talk, talk.owes_pubcomp, packet.packet_id)
        talk.recorded.discard(packet.packet_id)
        talk.memory.incoming.pop(packet.packet_id, None)
    elif isinstance(packet, Pubrel):
        if packet.packet_id in talk.owes_pubrel and not talk.is_again(packet.packet_id):
            _has_come(talk, talk.owes_pubrel.answer(packet.packet_id))
        found = talk.memory.outgoing.get(packet.packet_id)
        if found is not None:
            found.released = found.talk = talk.number
        talk.released.add(packet.packet_id)
    elif isinstance(packet, Subscribe):
        talk.pending[packet.packet_id] = "SUBSCRIBE"
    elif isinstance(packet, Unsubscribe):
        talk.pending[packet.packet_id] = "UNSUBSCRIBE"
    elif isinstance(packet, Disconnect):
        if not talk.disconnected_at and packet.properties is not None:
            talk.leaving_expiry = packet.properties.session_expiry_interval
        talk.disconnected_at = talk.disconnected_at or talk.now
        talk.ordinary = False


def _sent_message(talk: Talk, publish: Publish) -> None:
    memory = talk.memory
    topic = talk.topic_of(publish)
    number = publish.packet_id
    found = memory.outgoing.get(number)
    talk.used += 1
    if found is not None and found.is_same(publish, topic):
        if found.talk != talk.number and not found.released:
            found.received = 0  # the client has not received that PUBREC
        found.talk = talk.number
    elif publish.dup and number in talk.done and talk.done[number][0].is_same(publish, topic):
        return  # 3.x: it crossed its acknowledgement; the identifier is free once that arrives
    else:
        memory.count += 1
        # With DUP it was sent before, at an unknown position in the order.
        order = 0 if publish.dup else memory.count
        # Packets of an abandoned connection may arrive after those of the next one.
        behind = talk.behind if talk.knows() else 0
        memory.outgoing[number] = Outgoing(publish, topic, talk.size, order, behind, talk.number, talk.now)
    talk.sent.add(number)
    talk.released.discard(number)
    talk.done.pop(number, None)


def _answers(talk: Talk, owed: Owed, number: int) -> None:
    """Remove an answered packet from `owed`, or from those of earlier connections."""
    earlier = talk.memory.incoming
    if number in owed:
        sent_at = owed.answer(number)
        if number not in earlier:
            _has_come(talk, sent_at)
    elif number in earlier:
        earlier[number] -= 1
        if not earlier[number]:
            del earlier[number]


def _has_come(talk: Talk, sent_at: int) -> None:
    """Note that the client has received everything that the server sent up to `sent_at`."""
    talk.seen_at = max(talk.seen_at, sent_at)
    talk.informed = talk.informed or 0 < talk.answered_at <= talk.seen_at


def answered(talk: Talk, packet: Packet) -> None:
    """Update the state with a packet of the server, except PUBLISH and PUBREL."""
    if talk.heir is not None:
        _late(talk, talk.heir, packet)
    if isinstance(packet, Puback):
        _acknowledged(talk, packet.packet_id, packet.reason_code)
    elif isinstance(packet, Pubrec):
        if packet.reason_code >= FAILURE:
            _acknowledged(talk, packet.packet_id, packet.reason_code)
        else:
            talk.owes_pubrel.add(packet.packet_id, talk.now)
            talk.overtaken = talk.overtaken or not talk.answered_at
            found = talk.memory.outgoing.get(packet.packet_id)
            if found is not None:
                found.received = found.received or talk.number
    elif isinstance(packet, Pubcomp):
        _acknowledged(talk, packet.packet_id, 0)
    elif isinstance(packet, Suback | Unsuback):
        talk.pending.pop(packet.packet_id, None)
    elif isinstance(packet, Connack) and not talk.answered_at:
        _accepted(talk, packet)


def got_publish(talk: Talk, qos: int, number: int) -> None:
    """Note a QoS 1 or QoS 2 message of the server, which the client has to acknowledge."""
    (talk.owes_puback if qos == 1 else talk.owes_pubrec).add(number, talk.now)
    _to_answer(talk, number)


def got_pubrel(talk: Talk, number: int) -> None:
    """Note a PUBREL of the server, which the client has to answer."""
    talk.owes_pubcomp.add(number, talk.now)
    _to_answer(talk, number)


def _to_answer(talk: Talk, number: int) -> None:
    talk.overtaken = talk.overtaken or not talk.answered_at
    if talk.heir is not None:
        talk.heir.incoming[number] += 1


def _late(talk: Talk, heir: Memory, packet: Packet) -> None:
    """Handle an answer on a connection that was taken over: the client may have received it, or not."""
    if isinstance(packet, Puback | Pubrec | Pubcomp):
        found = heir.outgoing.get(packet.packet_id)
        if found is None or found.talk != talk.number:
            return
        if isinstance(packet, Pubrec) and packet.reason_code < FAILURE:
            found.received = found.received or talk.number
        else:
            del heir.outgoing[packet.packet_id]


def _acknowledged(talk: Talk, number: int, code: int) -> None:
    talk.acknowledged_at = talk.now
    found = talk.memory.outgoing.pop(number, None)
    if found is not None and number in talk.sent:
        talk.done[number] = (found, code)
    talk.used -= 1  # may be negative: the message it belongs to may not have arrived yet


def _accepted(talk: Talk, connack: Connack) -> None:
    talk.connack = connack
    talk.answered_at = talk.now
    talk.behind = talk.memory.count
    connect = talk.connect
    if connect is None or connack.reason_code:
        return
    talk.accepted = True
    if talk.tells_session():
        if connack.session_present and not connect.clean_start:
            talk.session = RESUMED
        elif talk.version != V5 and not connect.clean_start:
            # A 3.1.1 client may keep its messages and send them again, or start anew [MQTT311-4.4.0-1].
            talk.memory.doubt(talk.number)
        else:
            if talk.session != FRESH:
                talk.memory.lapse(talk.number, heard=False)
            talk.session = FRESH
    told = connack.properties
    if talk.version == V5 and told is not None:
        talk.maximum_packet_size = told.maximum_packet_size or 0
        talk.receive_maximum = told.receive_maximum or 65_535
    talk.ordinary = not connack.session_present and not talk.maximum_packet_size


def closed(talk: Talk) -> None:
    """Handle the end of a connection: keep in the memory what matters for the next one."""
    talk.closed = True
    memory = talk.memory
    if memory.talk is not talk:
        return  # another connection of the client has taken over
    memory.talk = None
    memory.aliases.update(talk.aliases)
    memory.ends_at = 0
    expiry = talk.session_expiry()
    if not talk.certain or not talk.whole or not talk.accepted or not talk.timed:
        # A CONNECT that was refused or never answered may or may not have ended the earlier session. If records are
        # out of order, packets of this connection may be recorded after the next one begins.
        memory.forget()
    elif expiry == 0:
        memory.lapse(heard=talk.informed)
    else:
        for numbers in (talk.owes_puback, talk.owes_pubrec, talk.owes_pubcomp, talk.recorded):
            memory.incoming.update(numbers)
        if expiry < 0xFFFF_FFFF:
            # The client may have noticed the end of the connection earlier than the judge.
            memory.ends_at = talk.heard_at + expiry * SECOND
