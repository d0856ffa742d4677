# SPDX-License-Identifier: MIT
"""Checks that every scenario fails if the broker is wrong: a proxy puts one fault between the client and the broker."""

from collections.abc import Callable, Iterable

import pytest

from interop.adapters.paho import PahoClient
from interop.broker import Broker
from interop.peer import V5, ClientFailure, Message
from interop.proxy import Fault, lying
from interop.scenarios import SCENARIOS, Side, Stage, is_last
from mqtt_ref.wire.packets import Connack, Disconnect, Packet, Publish, Suback, Subscribe, Unsubscribe


def of_server(kind: type[Packet], change: Callable[..., object]) -> Fault:
    """Change the packets of one type that the broker sends."""
    return _changing(kind, change, from_client=False)


def of_client(kind: type[Packet], change: Callable[..., object]) -> Fault:
    """Change the packets of one type on their way to the broker, as if it had misread them."""
    return _changing(kind, change, from_client=True)


def _changing(kind: type[Packet], change: Callable[..., object], from_client: bool) -> Fault:
    def fault(packet: Packet, client: bool) -> Iterable[Packet]:
        if client is from_client and isinstance(packet, kind):
            change(packet)
        return [packet]

    return fault


def swap() -> Fault:
    """The broker delivers `message 1` before `message 0`."""
    held: list[Packet] = []

    def fault(packet: Packet, client: bool) -> Iterable[Packet]:
        if client or not isinstance(packet, Publish):
            return [packet]
        if packet.payload == b"message 0":
            held.append(packet)
            return []
        late = held[:]
        held.clear()
        return [packet, *late]

    return fault


def twice(packet: Packet, client: bool) -> Iterable[Packet]:
    """The broker delivers every QoS 0 message twice."""
    return [packet, packet] if isinstance(packet, Publish) and not client else [packet]


def no_disconnect(packet: Packet, client: bool) -> Iterable[Packet]:
    """The broker does not see a DISCONNECT."""
    return [] if isinstance(packet, Disconnect) and client else [packet]


def topics(old: str, new: str) -> Callable[[Subscribe], None]:
    """The broker mistakes a filter for another one."""

    def change(packet: Subscribe) -> None:
        for subscription in packet.subscriptions:
            subscription.topic_filter = subscription.topic_filter.replace(old, new)

    return change


def plain(packet: Subscribe) -> None:
    """The broker treats a shared subscription as an ordinary one."""
    for subscription in packet.subscriptions:
        if subscription.topic_filter.startswith("$share/"):
            subscription.topic_filter = subscription.topic_filter.split("/", 2)[2]


def grant_less(packet: Suback) -> None:
    """The broker grants a lower QoS than requested, if there is one."""
    packet.reason_codes = [max(0, code - 1) for code in packet.reason_codes]


def reverse_user_properties(packet: Publish) -> None:
    """The broker reverses the User Properties."""
    if packet.properties is not None:
        packet.properties.user_property = packet.properties.user_property[::-1]


def drop_identifier(packet: Publish) -> None:
    """The broker omits the Subscription Identifier."""
    if packet.properties is not None:
        packet.properties.subscription_identifier = []


def attribute(name: str, value: object) -> Callable[[Packet], None]:
    """The field always has this value."""
    return lambda packet: setattr(packet, name, value)


def spoil(packet: Publish) -> None:
    """One byte of the payload differs, except in the message that ends a scenario."""
    if not is_last(Message(packet.topic, packet.payload), packet.topic):
        packet.payload = packet.payload[:-1] + b"?"


def other_filter(packet: Unsubscribe) -> None:
    """The broker unsubscribes from another filter."""
    packet.topic_filters = [f"{name}/x" for name in packet.topic_filters]


PROBES: list[tuple[str, int, str, Callable[[], Fault]]] = [
    ("exchange", 0, "twice", lambda: twice),
    ("exchange", 1, "order", swap),
    ("exchange", 1, "user_properties", lambda: of_server(Publish, reverse_user_properties)),
    ("exchange", 0, "payload", lambda: of_server(Publish, spoil)),
    ("granted", 2, "suback", lambda: of_server(Suback, grant_less)),
    ("granted", 0, "retain", lambda: of_server(Publish, attribute("retain", True))),
    ("retained", 0, "retain_kept", lambda: of_server(Publish, attribute("retain", True))),
    ("retained", 0, "retain_lost", lambda: of_server(Publish, attribute("retain", False))),
    ("retained", 1, "not_cleared", lambda: of_client(Publish, lambda p: p.payload or attribute("retain", False)(p))),
    ("will", 1, "payload", lambda: of_server(Publish, spoil)),
    ("will_discarded", 1, "published", lambda: no_disconnect),
    ("resume", 1, "session_present", lambda: of_server(Connack, attribute("session_present", False))),
    ("resume", 1, "order", swap),
    ("shared", 1, "plain", lambda: of_client(Subscribe, plain)),
    ("large", 0, "payload", lambda: of_server(Publish, spoil)),
    ("properties", 0, "order", lambda: of_server(Publish, reverse_user_properties)),
    ("properties", 0, "identifier", lambda: of_server(Publish, drop_identifier)),
    ("properties", 0, "all", lambda: of_server(Publish, attribute("properties", None))),
    ("retained_properties", 1, "order", lambda: of_server(Publish, reverse_user_properties)),
    ("will_properties", 1, "order", lambda: of_server(Publish, reverse_user_properties)),
    ("unsubscribe", 1, "kept", lambda: of_client(Unsubscribe, other_filter)),
    ("wildcards", 0, "plus", lambda: of_client(Subscribe, topics("one/+/three", "one/#"))),
    ("wildcards", 0, "hash", lambda: of_client(Subscribe, topics("deep/#", "deep/+"))),
]


@pytest.mark.parametrize(
    ("scenario", "qos", "fault"),
    [pytest.param(scenario, qos, fault, id=f"{scenario}-{name}") for scenario, qos, name, fault in PROBES],
)
def test_a_fault_is_seen(scenario: str, qos: int, fault: Callable[[], Fault], broker: Broker) -> None:
    """The scenario fails with the fault."""
    with lying(broker.host, broker.port, fault()) as port:
        side = Side(PahoClient, V5)
        stage = Stage("127.0.0.1", port, side, side, qos)
        try:
            with pytest.raises((AssertionError, ClientFailure)):
                SCENARIOS[scenario](stage)
        finally:
            stage.abandon()


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_the_proxy_is_not_what_fails(scenario: str, broker: Broker) -> None:
    """The same scenario passes through the proxy without a fault, and has a probe."""
    assert scenario in {probed for probed, _, _, _ in PROBES}
    with lying(broker.host, broker.port, lambda packet, client: [packet]) as port:
        side = Side(PahoClient, V5)
        stage = Stage("127.0.0.1", port, side, side, 1)
        try:
            SCENARIOS[scenario](stage)
        except BaseException:
            stage.abandon()
            raise
        stage.close()
