# SPDX-License-Identifier: MIT
"""Brings what is known of a connection up to date with each packet, behind the monitors."""

from __future__ import annotations

from mqtt_ref.oracle.state import FRESH, RESUMED, Outgoing, Talk
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
    """The client sent it. Its CONNECT is for the judge to follow, who knows all clients."""
    if talk.connect is not None and not talk.answered_at and not isinstance(packet, Connect):
        talk.early = True
    if isinstance(packet, Publish):
        if packet.qos:
            _sent_message(talk, packet)
        if packet.properties is not None and packet.properties.topic_alias is not None and packet.topic:
            talk.aliases[packet.properties.topic_alias] = packet.topic
    elif isinstance(packet, Puback):
        _answers(talk, talk.owes_puback, packet.packet_id, packet.packet_id)
    elif isinstance(packet, Pubrec):
        # Until the PUBCOMP, the exchange may go on in a later connection.
        _answers(talk, talk.owes_pubrec, packet.packet_id, -1)
        talk.memory.incoming.add(packet.packet_id)
        if packet.reason_code >= 0x80:
            talk.memory.incoming.discard(packet.packet_id)
    elif isinstance(packet, Pubcomp):
        _answers(talk, talk.owes_pubcomp, packet.packet_id, packet.packet_id)
    elif isinstance(packet, Pubrel):
        _answers(talk, talk.owes_pubrel, packet.packet_id, -1)
        found = talk.memory.outgoing.get(packet.packet_id)
        if found is not None:
            found.released = True
            found.talk = talk.number
        talk.sent.add(packet.packet_id)
    elif isinstance(packet, Subscribe):
        talk.pending[packet.packet_id] = "SUBSCRIBE"
    elif isinstance(packet, Unsubscribe):
        talk.pending[packet.packet_id] = "UNSUBSCRIBE"
    elif isinstance(packet, Disconnect):
        talk.disconnected_at = talk.disconnected_at or talk.now
        talk.ordinary = False


def _sent_message(talk: Talk, publish: Publish) -> None:
    memory = talk.memory
    topic = talk.topic_of(publish)
    found = memory.outgoing.get(publish.packet_id)
    if found is not None and found.is_same(publish, topic):
        found.talk = talk.number
    else:
        memory.count += 1
        memory.outgoing[publish.packet_id] = Outgoing(
            publish, topic, talk.size, memory.count, talk.number, talk.now
        )  # fmt: skip
    talk.sent.add(publish.packet_id)
    talk.done.pop(publish.packet_id, None)
    talk.used += 1


def _answers(talk: Talk, owed: list[int], number: int, ended: int) -> None:
    """Something was answered, so everything that the server sent before it has arrived."""
    if number in owed:
        owed.remove(number)
        talk.informed = talk.informed or talk.answered_at > 0
    if ended >= 0:
        talk.memory.incoming.discard(ended)


def answered(talk: Talk, packet: Packet) -> None:
    """The server sent it; PUBLISH and PUBREL have their own functions."""
    if isinstance(packet, Puback):
        _acknowledged(talk, packet.packet_id, packet.reason_code)
    elif isinstance(packet, Pubrec):
        if packet.reason_code >= 0x80:
            _acknowledged(talk, packet.packet_id, packet.reason_code)
        else:
            talk.owes_pubrel.append(packet.packet_id)
            found = talk.memory.outgoing.get(packet.packet_id)
            if found is not None:
                found.received = True
    elif isinstance(packet, Pubcomp):
        _acknowledged(talk, packet.packet_id, 0)
    elif isinstance(packet, Suback | Unsuback):
        talk.pending.pop(packet.packet_id, None)
    elif isinstance(packet, Connack) and not talk.answered_at:
        _accepted(talk, packet)


def got_publish(talk: Talk, qos: int, number: int) -> None:
    """The server sent a message of QoS 1 or 2."""
    (talk.owes_puback if qos == 1 else talk.owes_pubrec).append(number)


def got_pubrel(talk: Talk, number: int) -> None:
    """The server released a message of QoS 2."""
    talk.owes_pubcomp.append(number)


def _acknowledged(talk: Talk, number: int, code: int) -> None:
    talk.acknowledged_at = talk.now
    found = talk.memory.outgoing.pop(number, None)
    if found is not None:
        talk.done[number] = (found.mark, code)
    if talk.used:
        talk.used -= 1


def _accepted(talk: Talk, connack: Connack) -> None:
    talk.connack = connack
    talk.answered_at = talk.now
    connect = talk.connect
    if connect is None or connack.reason_code:
        return
    if talk.tells_session():
        if connack.session_present and not connect.clean_start:
            talk.session = RESUMED
        elif talk.version != V5 and not connect.clean_start:
            # What a client of 3.1.1 has, it may keep and send again [MQTT311-4.4.0-1]; or it begins anew.
            talk.memory.doubt(talk.number)
        else:
            if talk.session != FRESH:
                talk.memory.lapse(talk.number)
            talk.session = FRESH
    told = connack.properties
    if talk.version == V5 and told is not None:
        talk.maximum_packet_size = told.maximum_packet_size or 0
        talk.receive_maximum = told.receive_maximum or 65_535
    talk.ordinary = not connack.session_present and not talk.maximum_packet_size


def closed(talk: Talk) -> None:
    """The connection is gone: what of it lives on is kept for the next one."""
    talk.closed = True
    memory = talk.memory
    if memory.talk is not talk:
        return  # another connection of the client has taken over
    memory.talk = None
    memory.aliases.update(talk.aliases)
    if not talk.certain or not talk.whole:
        memory.forget()
    elif talk.session_expiry() == 0:
        memory.lapse()
    else:
        memory.incoming.update(talk.owes_puback, talk.owes_pubrec, talk.owes_pubcomp)
