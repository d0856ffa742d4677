# SPDX-License-Identifier: MIT
"""Faults of a sending client: identifiers, retransmission, flow control, aliases, size, features not offered."""

from __future__ import annotations

from typing import Any

from mqtt_ref.oracle.faults.catalogue import fault
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.wire.codes import QUOTA_EXCEEDED, RE_AUTHENTICATE
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
    Puback,
    PubackProperties,
    Pubcomp,
    PubcompProperties,
    Publish,
    PublishProperties,
    Pubrec,
    PubrecProperties,
    Pubrel,
    PubrelProperties,
)
from mqtt_ref.wire.primitives import V5

__all__: list[str] = []

LONG = 3600
RESUMED = Connack(session_present=True)


def lasting(stage: Stage) -> dict[str, Any]:
    """Return CONNECT fields for a session that outlives the connection."""
    if stage.version == V5:
        return {"clean_start": False, "properties": ConnectProperties(session_expiry_interval=LONG)}
    return {"clean_start": False}


def interrupted(stage: Stage, *publishes: tuple[str, int]) -> None:
    """Send messages, and break the connection before they are acknowledged."""
    stage.connect(**lasting(stage))
    for topic, qos in publishes:
        stage.client.publish(topic, topic.encode(), qos)
    stage.drop()


def fill(stage: Stage) -> PublishProperties | None:
    """Return properties for a message of 5.0."""
    return PublishProperties(message_expiry_interval=5) if stage.version == V5 else None


# ---------------------------------------------------------------- packet identifiers


@fault(
    "MQTT5-2.2.1-3", "X5-packet-id-reuse", "MQTT5-4.3.2-1", "MQTT5-4.3.2-3", "MQTT311-2.3.1-2", "MQTT311-2.3.1-3",
    "MQTT311-4.3.2-1", switches=("identifiers",),
)  # fmt: skip
def one_identifier_for_two_messages(stage: Stage) -> None:
    """Sends a second QoS 1 message with the identifier of the first."""
    stage.connect()
    stage.client.publish("a", b"1", 1)
    stage.client.publish("b", b"2", 1)


@fault("MQTT5-2.2.1-3", "MQTT5-4.3.3-1", "MQTT5-4.3.3-3", "MQTT311-4.3.3-1", switches=("identifiers",))
def one_identifier_for_two_qos2_messages(stage: Stage) -> None:
    """The same at QoS 2."""
    stage.connect()
    stage.client.publish("a", b"1", 2)
    stage.client.publish("b", b"2", 2)


@fault("MQTT5-4.3.3-5", "MQTT311-4.3.3-1", switches=("identifiers",))
def identifier_again_before_pubcomp(stage: Stage) -> None:
    """Reuses an identifier that waits for its PUBCOMP."""
    stage.connect()
    stage.client.publish("a", b"1", 2)
    stage.says(Pubrec(1))
    stage.client.publish("b", b"2", 2)


@fault("X5-packet-id-single-set", "MQTT5-2.2.1-3", "MQTT311-2.3.1-2", switches=("identifiers",))
def identifier_of_a_message_in_a_subscribe(stage: Stage) -> None:
    """Subscribes with the identifier of a message that is not acknowledged."""
    stage.connect()
    stage.client.publish("a", b"1", 1)
    stage.client.subscribe("b")


@fault("X5-packet-id-single-set", "MQTT5-2.2.1-3", "MQTT311-2.3.1-2", switches=("identifiers",))
def identifier_of_a_subscribe_in_a_message(stage: Stage) -> None:
    """Publishes with the identifier of a SUBSCRIBE that has no SUBACK."""
    stage.connect()
    stage.client.subscribe("b")
    stage.client.publish("a", b"1", 1)


@fault("MQTT5-2.2.1-3", "MQTT311-2.3.1-2", switches=("identifiers",))
def one_identifier_for_two_subscribes(stage: Stage) -> None:
    """Subscribes and unsubscribes with one identifier, without waiting."""
    stage.connect()
    stage.client.subscribe("b")
    stage.client.unsubscribe("b")


# ---------------------------------------------------------------- retransmission


@fault("MQTT5-3.3.1-1", "MQTT311-3.3.1-1", switches=("no-dup",))
def again_without_dup(stage: Stage) -> None:
    """Sends again with DUP 0 when the session is resumed."""
    interrupted(stage, ("a", 1))
    stage.connect(RESUMED, **lasting(stage))


@fault("MQTT5-4.3.2-2", "MQTT311-4.3.2-1", "X311-dup-meaning", switches=("dup-at-first",))
def first_with_dup(stage: Stage) -> None:
    """Sends a QoS 1 message for the first time with DUP 1."""
    stage.connect()
    stage.client.publish("a", b"1", 1)


@fault("MQTT5-4.3.3-2", "MQTT311-4.3.3-1", "X311-dup-meaning", switches=("dup-at-first",))
def first_with_dup_at_qos2(stage: Stage) -> None:
    """The same at QoS 2."""
    stage.connect()
    stage.client.publish("a", b"1", 2)


@fault("MQTT5-4.4.0-1")
def again_on_the_same_connection(stage: Stage) -> None:
    """Sends again after a while, as 3.1.1 allows."""
    stage.connect()
    stage.client.publish("a", b"1", 1)
    stage.pass_time(5)
    stage.client.resend()


@fault("MQTT5-4.4.0-1")
def again_after_the_puback(stage: Stage) -> None:
    """Sends an acknowledged message again."""
    stage.connect()
    stage.client.publish("a", b"1", 1)
    stage.says(Puback(1))
    stage.client.send(Publish("a", b"1", 1, False, True, 1))


@fault("MQTT5-4.4.0-2")
def again_after_a_refusal(stage: Stage) -> None:
    """Sends a message again after the server has refused it."""
    stage.connect()
    stage.client.publish("a", b"1", 1)
    stage.says(Puback(1, QUOTA_EXCEEDED))
    stage.client.send(Publish("a", b"1", 1, False, True, 1))


@fault("MQTT5-4.3.3-6", "MQTT311-4.3.3-1")
def publish_behind_its_pubrel(stage: Stage) -> None:
    """Sends a PUBLISH again after its PUBREL."""
    stage.connect(**lasting(stage))
    stage.client.publish("a", b"1", 2)
    stage.says(Pubrec(1))
    stage.drop()
    stage.client.outgoing[1] = Publish("a", b"1", 2, False, False, 1)
    stage.connect(RESUMED, **lasting(stage))


@fault("MQTT5-4.4.0-1")
def pubrel_twice(stage: Stage) -> None:
    """Sends a PUBREL again on the same connection."""
    stage.connect()
    stage.client.publish("a", b"1", 2)
    stage.says(Pubrec(1))
    stage.client.send(Pubrel(1))


@fault("MQTT5-4.4.0-1")
def pubrel_behind_its_pubcomp(stage: Stage) -> None:
    """Sends a PUBREL again after its PUBCOMP."""
    stage.connect()
    stage.client.publish("a", b"1", 2)
    stage.says(Pubrec(1))
    stage.says(Pubcomp(1))
    stage.client.send(Pubrel(1))


@fault("MQTT5-4.3.3-4", "MQTT311-4.3.3-1")
def pubrel_unasked(stage: Stage) -> None:
    """Releases a message that has no PUBREC yet."""
    stage.connect()
    stage.client.publish("a", b"1", 2)
    stage.client.send(Pubrel(1))


@fault("MQTT5-4.3.3-4", "MQTT311-4.3.3-1")
def pubrel_for_nothing(stage: Stage) -> None:
    """Releases a message that was never sent."""
    stage.connect()
    stage.client.send(Pubrel(9))


@fault("MQTT5-4.3.3-4")
def pubrel_for_a_refused_message(stage: Stage) -> None:
    """Releases a message that the server has refused."""
    stage.connect()
    stage.client.publish("a", b"1", 2)
    stage.says(Pubrec(1, QUOTA_EXCEEDED))
    stage.client.send(Pubrel(1))


@fault("MQTT5-3.2.2-5", switches=("keep-lapsed",))
def again_without_a_session(stage: Stage) -> None:
    """Sends again although the server has no session."""
    interrupted(stage, ("a", 1))
    stage.connect(Connack(), **lasting(stage))


@fault("MQTT5-3.2.2-5", switches=("keep-lapsed",))
def pubrel_without_a_session(stage: Stage) -> None:
    """Sends a PUBREL again although the server has no session."""
    stage.connect(**lasting(stage))
    stage.client.publish("a", b"1", 2)
    stage.says(Pubrec(1))
    stage.drop()
    stage.connect(Connack(), **lasting(stage))


@fault("MQTT5-3.1.2-4", "MQTT311-3.1.2-6", switches=("keep-lapsed",))
def again_after_a_clean_start(stage: Stage) -> None:
    """Sends messages of the session that its Clean Start has discarded."""
    interrupted(stage, ("a", 1))
    stage.connect(clean_start=True)


@fault("MQTT5-4.6.0-1", "MQTT311-4.6.0-1", switches=("resend-order",))
def again_in_another_order(stage: Stage) -> None:
    """Sends messages again, the last one first."""
    interrupted(stage, ("a", 1), ("b", 2), ("c", 1))
    stage.connect(RESUMED, **lasting(stage))


@fault(
    "MQTT5-4.4.0-1", "MQTT5-3.1.2-23", "MQTT5-4.1.0-1", "MQTT311-4.4.0-1", "MQTT311-4.1.0-1", "MQTT311-4.1.0-2",
    switches=("forget",),
)  # fmt: skip
def not_again(stage: Stage) -> None:
    """Does not send messages again when its session is resumed."""
    interrupted(stage, ("a", 1))
    stage.connect(RESUMED, **lasting(stage))
    stage.pass_time(11)
    stage.client.publish("b", b"", 0)


@fault("MQTT5-4.3.3-7", switches=("drop-expired",))
def expired_is_not_sent_again(stage: Stage) -> None:
    """Drops a message that it has sent, as it has expired."""
    stage.connect(**lasting(stage))
    stage.client.publish("a", b"1", 2, properties=fill(stage))
    stage.drop()
    stage.pass_time(10)
    stage.connect(RESUMED, **lasting(stage))
    stage.pass_time(11)
    stage.client.publish("b", b"", 0)


@fault("MQTT5-3.2.2-4", switches=("go-on-with-strange-session",))
def session_that_cannot_be(stage: Stage) -> None:
    """Continues when the server has a session after Clean Start 1."""
    stage.connect(RESUMED, clean_start=True)
    stage.client.ping()


# ---------------------------------------------------------------- flow control


@fault("MQTT5-3.3.4-7", "MQTT5-4.9.0-1", "MQTT5-4.9.0-2", switches=("quota",))
def more_than_receive_maximum(stage: Stage) -> None:
    """Sends three messages to a server whose Receive Maximum is two."""
    stage.limited(receive_maximum=2)
    for topic in "abc":
        stage.client.publish(topic, b"", 1)


# ---------------------------------------------------------------- aliases


@fault("MQTT5-3.3.2-9", "MQTT5-3.2.2-17", "X5-topic-alias-invalid", switches=("alias-unlimited",))
def alias_above_the_maximum(stage: Stage) -> None:
    """Sets a third alias when the server accepts two."""
    stage.limited(topic_alias_maximum=2)
    for topic in "abc":
        stage.client.publish_short(topic)


@fault("MQTT5-3.2.2-18", switches=("alias-unlimited",))
def alias_where_there_are_none(stage: Stage) -> None:
    """Sets an alias when the server accepts none."""
    stage.connect()
    stage.client.publish_short("a")


@fault("MQTT5-3.3.2-7", "X5-topic-alias-unknown-empty", switches=("alias-kept",))
def alias_of_an_earlier_connection(stage: Stage) -> None:
    """Uses an alias on a second connection that it set on the first."""
    stage.limited(topic_alias_maximum=5)
    stage.client.publish_short("a")
    stage.drop()
    stage.limited(topic_alias_maximum=5)
    stage.client.publish_short("a")


@fault("X5-topic-alias-unknown-empty")
def alias_never_set(stage: Stage) -> None:
    """Uses an alias that it did not set."""
    stage.limited(topic_alias_maximum=5)
    stage.client.publish("", b"", properties=PublishProperties(topic_alias=3))


# ---------------------------------------------------------------- size


@fault("MQTT5-3.2.2-15", switches=("size",))
def message_too_large(stage: Stage) -> None:
    """Sends more than the server's Maximum Packet Size."""
    stage.limited(maximum_packet_size=40)
    stage.client.publish("a", bytes(50))


REASON = "r" * 60
USER = [("n", "v" * 60)]


@fault(
    "MQTT5-3.4.2-2", "MQTT5-3.4.2-3", "MQTT5-3.5.2-2", "MQTT5-3.5.2-3", "MQTT5-3.6.2-2", "MQTT5-3.6.2-3",
    "MQTT5-3.7.2-2", "MQTT5-3.7.2-3", "MQTT5-3.14.2-3", "MQTT5-3.14.2-4", "MQTT5-3.15.2-2", "MQTT5-3.15.2-3",
    "MQTT5-3.2.2-15", switches=("acks-at-will",),
)  # fmt: skip
def reasons_too_long(stage: Stage) -> None:
    """Sends Reason Strings and User Properties that exceed the Maximum Packet Size."""
    method = ConnectProperties(authentication_method="m")
    limit = ConnackProperties(maximum_packet_size=40)
    stage.connect(Connack(properties=limit), clean_start=True, properties=method)
    stage.says(Publish("t", b"", 1, packet_id=1), Publish("t", b"", 2, packet_id=2))
    client = stage.client
    client.send(Puback(1, 0, PubackProperties(reason_string=REASON)))
    client.send(Pubrec(2, 0, PubrecProperties(reason_string=REASON)))
    stage.says(Pubrel(2), Publish("t", b"", 1, packet_id=1), Publish("t", b"", 2, packet_id=2))
    client.send(Pubcomp(2, 0, PubcompProperties(reason_string=REASON, user_property=USER)))
    client.send(Puback(1, 0, PubackProperties(user_property=USER)))
    client.send(Pubrec(2, 0, PubrecProperties(user_property=USER)))
    client.publish("a", b"1", 2)
    stage.says(Pubrec(1))
    client.send(Pubrel(1, 0, PubrelProperties(reason_string=REASON, user_property=USER)))
    again = AuthProperties(authentication_method="m", reason_string=REASON, user_property=USER)
    client.send(Auth(RE_AUTHENTICATE, again))
    client.send(Disconnect(0, DisconnectProperties(reason_string=REASON, user_property=USER)))


# ---------------------------------------------------------------- what the server does not offer


@fault("MQTT5-3.2.2-11", "X5-maximum-qos-exceeded", switches=("features",))
def qos_above_the_maximum(stage: Stage) -> None:
    """Publishes at QoS 1 when the server accepts only 0."""
    stage.limited(maximum_qos=0)
    stage.client.publish("a", b"", 1)


@fault("MQTT5-3.2.2-14", switches=("features",))
def retain_where_there_is_none(stage: Stage) -> None:
    """Publishes with RETAIN 1."""
    stage.limited(retain_available=0)
    stage.client.publish("a", b"", 0, retain=True)


@fault("X5-wildcard-not-supported", switches=("features",))
def wildcard_where_there_is_none(stage: Stage) -> None:
    """Subscribes with a wildcard."""
    stage.limited(wildcard_subscription_available=0)
    stage.client.subscribe("a/#")


@fault("X5-shared-not-supported", switches=("features",))
def shared_where_there_is_none(stage: Stage) -> None:
    """Makes a Shared Subscription."""
    stage.limited(shared_subscription_available=0)
    stage.client.subscribe("$share/g/a")


@fault("X5-subscription-identifier-not-supported", switches=("features",))
def subscription_identifier_where_there_is_none(stage: Stage) -> None:
    """Subscribes with a Subscription Identifier."""
    stage.limited(subscription_identifier_available=0)
    stage.client.subscribe("a", identifier=7)
