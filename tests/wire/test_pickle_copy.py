# SPDX-License-Identifier: MIT
"""Packets are plain values: repr, ==, copy, deepcopy, pickle and match work on each class."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.cli.main import is_compiled
from mqtt_ref.testing.strategies import packets
from mqtt_ref.wire import packets as module
from mqtt_ref.wire.packets import (
    PACKET_NAMES,
    Auth,
    AuthProperties,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Subscribe,
    Subscription,
    Will,
)
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from mqtt_ref.wire.violation import Violation

PropertySets = tuple(
    cls for name, cls in vars(module).items() if isinstance(cls, type) and name.endswith(("Properties", "Will"))
)
SIDES = [(version, sender) for version in (V5, V311, V31) for sender in (CLIENT, SERVER)]
CLASSES = {name: cls for name, cls in vars(module).items() if isinstance(cls, type) and hasattr(cls, "__match_args__")}


@pytest.mark.parametrize(("version", "sender"), SIDES)
@given(data=st.data())
def test_values(version: int, sender: int, data: st.DataObject) -> None:
    packet = data.draw(packets(version, sender))
    for other in (
        copy.copy(packet),
        copy.deepcopy(packet),
        *(pickle.loads(pickle.dumps(packet, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)),
        eval(repr(packet), dict(CLASSES)),
    ):
        assert other == packet
        assert (other != packet) is False
        assert type(other) is type(packet)
        assert repr(other) == repr(packet)
    assert packet != object()
    assert packet is not copy.copy(packet)


@given(data=st.data())
def test_every_attribute_counts(data: st.DataObject) -> None:
    packet = data.draw(packets(V5, SERVER) | packets(V5, CLIENT))
    for name in type(packet).__match_args__:
        changed = copy.copy(packet)
        other = _other(getattr(packet, name))
        try:
            setattr(changed, name, other)
        except TypeError:  # compiled classes keep to their types, and None says nothing of its type
            assert is_compiled()
            assert getattr(packet, name) is None or isinstance(getattr(packet, name), PropertySets)
            continue
        assert changed != packet


def _other(value: object) -> object:
    """Another value, of the same type where a compiled class would take no other."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case bytes():
            return value + b"x"
        case list():
            return [*value, value]
    return object()


def test_deepcopy_shares_nothing_that_changes() -> None:
    first = Publish("t", properties=PublishProperties(user_property=[("k", "v")]))
    second = copy.deepcopy(first)
    assert second.properties is not None
    second.properties.user_property.append(("a", "b"))
    assert first != second
    assert PublishProperties().user_property is not PublishProperties().user_property


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_classes(name: str) -> None:
    cls = CLASSES[name]
    assert cls.__doc__ or is_compiled()
    with pytest.raises(TypeError):
        hash(cls.__new__(cls))
    if hasattr(cls, "TYPE"):
        assert PACKET_NAMES[cls.TYPE] == name.upper()


def test_all_types_are_there_once() -> None:
    assert sorted(cls.TYPE for cls in CLASSES.values() if hasattr(cls, "TYPE")) == list(range(1, 16))


def classify(packet: Packet | Violation) -> Any:
    match packet:
        case Connect(client_id, will=Will(topic)):
            return client_id, topic
        case Connect(client_id):
            return client_id
        case Publish(topic, payload, qos=0):
            return topic, payload
        case Subscribe(_, [Subscription(first), *_]):
            return first
        case Auth(properties=AuthProperties(authentication_method=str(method))):
            return method
        case Disconnect(reason_code=code):
            return code
        case Pingreq():
            return "ping"
        case Violation(statement, offset=offset):
            return statement, offset
        case _:
            return None


def test_match() -> None:
    assert classify(Connect("c", will=Will("w"))) == ("c", "w")
    assert classify(Connect("c")) == "c"
    assert classify(Publish("t", b"p")) == ("t", b"p")
    assert classify(Publish("t", b"p", 1)) is None
    assert classify(Subscribe(1, [Subscription("a"), Subscription("b")])) == "a"
    assert classify(Auth(0x18, AuthProperties("SCRAM"))) == "SCRAM"
    assert classify(Disconnect(4)) == 4
    assert classify(Pingreq()) == "ping"
    assert classify(Violation("MQTT5-3.1.2-3", 0x81, 1, 9, 5, CLIENT, "connect_flags")) == ("MQTT5-3.1.2-3", 9)


def test_repr_leaves_out_what_says_nothing() -> None:
    assert repr(Publish("t")) == "Publish(topic='t')"
    assert repr(Pingreq()) == "Pingreq()"
