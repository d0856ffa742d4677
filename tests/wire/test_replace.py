# SPDX-License-Identifier: MIT
"""`replace` and `copy.replace` of every packet class: what is not named stays."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
from hypothesis import given

from mqtt_ref.testing import strategies
from mqtt_ref.wire import packets
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Pingreq, Publish, PublishProperties, Will
from mqtt_ref.wire.primitives import CLIENT, V5

CLASSES = [one for one in vars(packets).values() if isinstance(one, type) and hasattr(one, "__match_args__")]


NEEDED: dict[str, tuple[Any, ...]] = {
    "Connect": ("c",),
    "Publish": ("t",),
    "Puback": (1,),
    "Pubrec": (1,),
    "Pubrel": (1,),
    "Pubcomp": (1,),
    "Subscription": ("t",),
    "Subscribe": (1, []),
    "Suback": (1, []),
    "Unsubscribe": (1, []),
    "Unsuback": (1,),
    "Will": ("t",),
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_has_it(kind: Any) -> None:
    made = kind(*NEEDED.get(kind.__name__, ()))
    other = made.replace()
    assert other == made
    assert other is not made
    assert type(other) is kind
    assert made.__replace__() == made
    with pytest.raises(TypeError, match=f"{kind.__name__} has no field 'colour'; it has "):
        made.replace(colour="red")


@given(strategies.packets(V5), strategies.packets(V5))
def test_only_the_named_field_changes(packet: Any, source: Any) -> None:
    names = type(packet).__match_args__
    for name in names:
        value = getattr(source if type(source) is type(packet) else packet, name)
        other = packet.replace(**{name: value})
        for field in names:
            assert getattr(other, field) == (value if field == name else getattr(packet, field))


def received(packet: Publish) -> Publish:
    (got,) = Decoder(V5, CLIENT).feed(encode(V5, packet))
    assert isinstance(got, Publish)
    return got


def test_the_properties_of_a_received_publish_stay_as_bytes() -> None:
    properties = PublishProperties(content_type="text", user_property=[("a", "b")])
    packet = received(Publish("t", b"x", 1, True, packet_id=7, properties=properties))
    other = packet.replace(payload=b"y")
    assert other.block is not None
    assert encode(V5, other) == encode(V5, Publish("t", b"y", 1, True, packet_id=7, properties=properties))
    assert packet.payload == b"x"


def test_a_copy_shares_nothing_that_can_be_changed() -> None:
    packet = received(Publish("t", b"x", properties=PublishProperties(user_property=[("a", "b")])))
    assert packet.properties is not None
    other = packet.replace(topic="u")
    assert other.properties is not None
    other.properties.user_property.append(("c", "d"))
    other.properties.content_type = "text"
    assert packet.properties == PublishProperties(user_property=[("a", "b")])


def test_properties_can_be_removed() -> None:
    packet = received(Publish("t", b"x", properties=PublishProperties(content_type="text")))
    other = packet.replace(properties=None)
    assert not other.has_properties
    assert packet.has_properties


@pytest.mark.skipif(sys.version_info < (3, 13), reason="copy.replace came with Python 3.13")
def test_copy_replace() -> None:
    packet = Publish("t", b"x", 1, True, packet_id=7)
    assert copy.replace(packet, payload=b"y") == Publish("t", b"y", 1, True, packet_id=7)  # type: ignore[attr-defined, unused-ignore]
    assert copy.replace(Pingreq()) == Pingreq()  # type: ignore[attr-defined, unused-ignore]
    assert copy.replace(Will("t", b"x"), qos=1) == Will("t", b"x", 1)  # type: ignore[attr-defined, unused-ignore]
