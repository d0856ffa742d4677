# SPDX-License-Identifier: MIT
"""Faults in later steps: everything works that a case rests on, except the subject of the case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.meddler import Talk
from mqtt_conformance.faults.spoil import Out, by_hand, drop, on, set_
from mqtt_ref.wire.packets import Disconnect, Puback, Pubcomp, Publish, Pubrec, Unsubscribe
from mqtt_ref.wire.primitives import V31

__all__ = ["faults"]

RAISED = 60_000
"""The Packet Identifier of a QoS 0 message that is passed on with QoS 1."""


def faults() -> Iterator[Fault]:
    """All of them."""
    yield by_hand("later/puback-ignored", "X5-puback-short-read X5-quota-ack", up=drop(Puback))
    yield by_hand("later/pubrec-ignored", "X5-pubrec-short-read", up=drop(Pubrec))
    yield by_hand("later/pubcomp-ignored", "X5-pubcomp-short-read", up=drop(Pubcomp))
    yield by_hand("later/long-topic-cut", "MQTT5-4.7.3-3 MQTT311-4.7.3-3",
                  down=set_(Publish, _long, topic=lambda p: p.topic[:-1]))  # fmt: skip
    yield by_hand("later/open-behind-disconnect", "MQTT5-3.14.4-2", linger=True)
    yield by_hand("later/retained-ends-with-publisher", "MQTT311-3.1.2-7 X5-retained-outlive-session", up=_withdrawn)
    yield by_hand("later/unsubscribed-is-dropped", "MQTT5-3.10.4-3 MQTT311-3.10.4-3", up=_leaving, down=_unfinished)
    yield by_hand("later/shared-not-finished", "MQTT5-4.8.2-4", down=drop(Publish, when=lambda talk, p: p.dup))
    yield by_hand("later/answers-wait-for-quota", "MQTT5-3.3.4-10 MQTT5-4.9.0-3", up=_acknowledged, down=_held)
    yield by_hand("later/dup-is-old", "MQTT5-4.3.2-5", up=drop(Publish, when=lambda talk, p: p.dup and p.qos == 1))
    yield by_hand("later/refused-ends-all", "X5-negative-ack-alone", up=_refused,
                  down=drop(Publish, when=lambda talk, p: "refused" in talk.here))  # fmt: skip
    yield by_hand("later/identifiers-shared", "X5-packet-id-independent", down=_sent,
                  up=drop(Publish, when=lambda talk, p: p.packet_id in talk.here.get("sent", ())))  # fmt: skip
    yield by_hand("later/qos0-stored", "X31-qos0-not-stored", up=on(Publish, when=_zero)(_raised),
                  down=drop(Puback, when=lambda talk, p: p.packet_id == RAISED))  # fmt: skip


def _long(talk: Talk, packet: Any) -> bool:
    return len(packet.topic) > 50_000


def _zero(talk: Talk, packet: Any) -> bool:
    return talk.version == V31 and packet.qos == 0


def _raised(talk: Talk, packet: Any) -> None:
    packet.qos, packet.packet_id = 1, RAISED


@on(Publish, Disconnect)
def _withdrawn(talk: Talk, packet: Any) -> Out:
    """Delete a client's retained messages when the client disconnects."""
    if isinstance(packet, Publish):
        talk.here.setdefault("kept", set()).update({packet.topic} if packet.retain else ())
        return (packet,)
    return (*(Publish(topic, b"", retain=True) for topic in talk.here.get("kept", ())), packet)


@on(Unsubscribe)
def _leaving(talk: Talk, packet: Any) -> None:
    talk.all[talk.connect and talk.connect.client_id] = "unsubscribed"


@on(Publish)
def _unfinished(talk: Talk, packet: Any) -> Out:
    left = talk.all.get(talk.connect and talk.connect.client_id) == "unsubscribed"
    return () if left and packet.dup else (packet,)


@on(Puback)
def _acknowledged(talk: Talk, packet: Any) -> None:
    talk.here["open"] = talk.here.get("open", 0) - 1


@on(Publish, Puback)
def _held(talk: Talk, packet: Any) -> Out:
    """Hold back PUBACKs while a message is unacknowledged."""
    if isinstance(packet, Puback):
        return () if talk.here.get("open", 0) > 0 else (packet,)
    talk.here["open"] = talk.here.get("open", 0) + bool(packet.qos)
    return (packet,)


@on(Puback, when=lambda talk, packet: packet.reason_code >= 0x80)
def _refused(talk: Talk, packet: Any) -> None:
    talk.here["refused"] = True


@on(Publish, when=lambda talk, packet: packet.qos > 0)
def _sent(talk: Talk, packet: Any) -> None:
    talk.here.setdefault("sent", set()).add(packet.packet_id)
