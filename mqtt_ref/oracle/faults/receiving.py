# SPDX-License-Identifier: MIT
"""Faults of a receiving client: acknowledgements of the wrong type, for no packet, or out of order."""

from __future__ import annotations

from mqtt_ref.oracle.faults.catalogue import fault
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.wire.packets import Puback, Pubcomp, Publish, Pubrec, Pubrel

__all__: list[str] = []


def message(qos: int, number: int) -> Publish:
    """Return a message of the server."""
    return Publish("t", b"", qos, packet_id=number)


@fault("MQTT5-3.3.4-1", "MQTT5-4.3.2-4", "MQTT311-3.3.4-1", "MQTT311-4.3.2-2", switches=("wrong-ack",))
def pubrec_for_qos1(stage: Stage) -> None:
    """Answers QoS 1 with a PUBREC."""
    stage.connect()
    stage.says(message(1, 1))


@fault("MQTT5-3.3.4-1", "MQTT5-4.3.3-8", "MQTT311-3.3.4-1", "MQTT311-4.3.3-2", switches=("wrong-ack",))
def puback_for_qos2(stage: Stage) -> None:
    """Answers QoS 2 with a PUBACK."""
    stage.connect()
    stage.says(message(2, 1))


@fault("MQTT5-2.2.1-5", "MQTT311-2.3.1-6", switches=("wrong-identifier-in-ack",))
def puback_of_another_identifier(stage: Stage) -> None:
    """Answers with the next identifier."""
    stage.connect()
    stage.says(message(1, 1))


@fault("MQTT5-2.2.1-5", "MQTT311-2.3.1-6", switches=("wrong-identifier-in-ack",))
def pubrec_of_another_identifier(stage: Stage) -> None:
    """The same at QoS 2."""
    stage.connect()
    stage.says(message(2, 1))


@fault("MQTT5-4.3.3-11", "MQTT311-4.3.3-2", "X311-pubcomp-packet-id", switches=("wrong-identifier-in-ack",))
def pubcomp_of_another_identifier(stage: Stage) -> None:
    """Answers a PUBREL with the next identifier."""
    stage.connect()
    stage.client.faults = frozenset()
    stage.says(message(2, 1))
    stage.client.faults = frozenset({"wrong-identifier-in-ack"})
    stage.says(Pubrel(1))


@fault("MQTT5-2.2.1-5", "MQTT311-2.3.1-6")
def puback_twice(stage: Stage) -> None:
    """Acknowledges a message twice."""
    stage.connect()
    stage.says(message(1, 1))
    stage.client.send(Puback(1))


@fault("MQTT5-4.3.3-11", "MQTT311-4.3.3-2")
def pubcomp_unasked(stage: Stage) -> None:
    """Sends a PUBCOMP without a PUBREL."""
    stage.connect()
    stage.says(message(2, 1))
    stage.client.send(Pubcomp(2))


@fault("MQTT5-4.6.0-2", "MQTT311-4.6.0-2", switches=("puback-order",))
def pubacks_out_of_order(stage: Stage) -> None:
    """Answers the second message before the first."""
    stage.connect()
    stage.says(message(1, 1), message(1, 2))


@fault("MQTT5-4.6.0-3", "MQTT311-4.6.0-3", switches=("pubrec-order",))
def pubrecs_out_of_order(stage: Stage) -> None:
    """The same at QoS 2."""
    stage.connect()
    stage.says(message(2, 1), message(2, 2))


@fault("MQTT5-4.6.0-4", "MQTT311-4.6.0-4", switches=("pubrel-order",))
def pubrels_out_of_order(stage: Stage) -> None:
    """Releases the second message before the first."""
    stage.connect()
    stage.client.publish("a", b"1", 2)
    stage.client.publish("b", b"2", 2)
    stage.says(Pubrec(1), Pubrec(2))
