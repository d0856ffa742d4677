# SPDX-License-Identifier: MIT
"""The forms of a message: each encoded once, right for every version, and only different where they must be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.engine.message import NEVER, SECOND, Message
from mqtt_ref.wire.block import block_of
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Packet, Publish, PublishProperties
from mqtt_ref.wire.primitives import SERVER
from mqtt_ref.wire.violation import Violation


def decoded(version: int, data: bytes) -> Packet | Violation:
    (packet,) = Decoder(version, SERVER).feed(data)
    return packet


@pytest.mark.parametrize("version", [3, 4, 5])
@given(
    topic=st.text("abc/ü", min_size=1, max_size=200),
    payload=st.binary(max_size=300),
    qos=st.sampled_from([1, 2]),
    retain=st.booleans(),
    packet_id=st.integers(1, 65_535),
)
def test_the_number_is_all_that_differs(
    version: int, topic: str, payload: bytes, qos: int, retain: bool, packet_id: int
) -> None:
    message = Message(1, topic, payload, 2, retain, None, "", 0)
    data = message.with_id(version, qos, retain, packet_id)
    expected = Publish(topic, payload, qos, retain, False, packet_id)
    assert data == encode(version, expected)
    assert decoded(version, data) == expected


def test_a_form_is_made_once() -> None:
    message = Message(1, "t", b"x", 2, True, block_of(PublishProperties(content_type="c")), "", 0)
    for version in (4, 5):
        for qos in (0, 1, 2):
            for retain in (False, True):
                assert message.form(version, qos, retain) is message.form(version, qos, retain)
    assert message.form(3, 0, False) is message.form(4, 0, False)
    assert message.form(5, 0, False) != message.form(4, 0, False)


def test_what_belongs_to_one_subscriber() -> None:
    given_ = PublishProperties(message_expiry_interval=10, user_property=[("a", "b")])
    message = Message(1, "t", b"x", 1, False, block_of(given_), "", 5 * SECOND, 15 * SECOND)
    data = message.encode(5, 1, False, True, 7, (3, 3), 2, False, message.waited(8 * SECOND + 1))
    got = decoded(5, data)
    assert isinstance(got, Publish)
    assert (got.topic, got.dup, got.packet_id) == ("", True, 7)
    assert got.properties == PublishProperties(
        message_expiry_interval=7, subscription_identifier=[3, 3], topic_alias=2, user_property=[("a", "b")]
    )
    assert given_.subscription_identifier == []
    assert given_.topic_alias is None
    late = decoded(5, message.encode(5, 0, False, False, 0, (), 0, True, 99))
    assert isinstance(late, Publish)
    assert late.properties is not None
    assert late.properties.message_expiry_interval == 0


def test_old_clients_get_no_properties() -> None:
    message = Message(1, "t", b"x", 0, False, block_of(PublishProperties(content_type="c")), "", 0, NEVER)
    assert decoded(4, message.form(4, 0, False)) == Publish("t", b"x")
    assert decoded(4, message.encode(4, 0, False, False, 0, (), 0, True, 0)) == Publish("t", b"x")
