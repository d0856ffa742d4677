# SPDX-License-Identifier: MIT
"""The properties of a PUBLISH as one block of bytes: forwarded as they came, made objects only for who looks."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.testing import mutations
from mqtt_ref.testing.strategies import publish
from mqtt_ref.wire import reference
from mqtt_ref.wire.block import Block, block_for, block_of, outgoing, read_block, will_block
from mqtt_ref.wire.fast import encode, encode_publish, publish_bytes
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Publish, PublishProperties, Will, WillProperties
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311, vbi
from mqtt_ref.wire.violation import Violation

EXPIRY = b"\x02\x00\x00\x00\x0a"
ALIAS = b"\x23\x00\x07"
TYPE = b"\x03\x00\x01j"
USER = b"\x26\x00\x01a\x00\x01b"
IDENTIFIER = b"\x0b\xac\x02"

BLOCK = ("data", "whole", "present", "expiry_at", "topic_alias", "utf8")
"""What a block has; compiled classes have no `__slots__`."""


def received(raw: bytes, sender: int = CLIENT) -> Publish:
    """A PUBLISH whose property bytes are `raw`, from that sender."""
    (packet,) = Decoder(V5, sender).feed(
        b"\x30" + vbi(3 + len(vbi(len(raw))) + len(raw)) + b"\0\x01t" + vbi(len(raw)) + raw
    )
    assert isinstance(packet, Publish), packet
    return packet


def block(raw: bytes, sender: int = CLIENT) -> Block:
    found = received(raw, sender).block
    assert found is not None
    return found


def published() -> st.SearchStrategy[Publish]:
    return publish(V5, CLIENT) | publish(V5, SERVER)


class TestWhatIsKept:
    def test_bytes_as_they_came_in_their_order(self) -> None:
        found = block(USER + TYPE + EXPIRY + USER)
        assert found.data == USER + TYPE + EXPIRY + USER
        assert found.data is found.whole
        assert found.kept() is found

    @pytest.mark.parametrize("raw", [ALIAS + USER + EXPIRY, USER + ALIAS + EXPIRY, USER + EXPIRY + ALIAS])
    def test_without_the_alias(self, raw: bytes) -> None:
        found = block(raw)
        assert found.topic_alias == 7
        assert found.data == USER + EXPIRY
        assert found.whole == raw
        assert found.data[found.expiry_at : found.expiry_at + 4] == EXPIRY[1:]
        kept = found.kept()
        assert kept is not None
        assert (kept.data, kept.whole, kept.topic_alias) == (USER + EXPIRY, USER + EXPIRY, 0)
        assert kept == block(USER + EXPIRY)
        assert kept.present == block(USER + EXPIRY).present
        assert kept.expiry() == 10

    def test_nothing_but_an_alias(self) -> None:
        found = block(ALIAS)
        assert (found.data, found.topic_alias, found.kept()) == (b"", 7, None)

    def test_without_identifiers(self) -> None:
        found = block(IDENTIFIER + USER + b"\x0b\x01" + ALIAS + TYPE + IDENTIFIER, SERVER)
        assert found.data == USER + TYPE
        assert found.all_properties().subscription_identifier == [300, 1, 300]
        assert found.properties().subscription_identifier == []

    @pytest.mark.parametrize(("raw", "utf8"), [(b"\x01\x01", True), (b"\x01\x00", False), (USER, False)])
    def test_whether_the_payload_is_utf8(self, raw: bytes, utf8: bool) -> None:
        assert block(raw).utf8 is utf8

    def test_nothing(self) -> None:
        assert received(b"").block is None
        assert not received(b"").has_properties
        for version in (V311, V31):
            (packet,) = Decoder(version, CLIENT).feed(b"\x30\x03\0\x01t")
            assert isinstance(packet, Publish)
            assert packet.block is None

    def test_a_block_is_a_value(self) -> None:
        found = block(ALIAS + EXPIRY + b"\x01\x01")
        for other in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
            assert other == found
            assert hash(other) == hash(found)
            assert repr(other) == repr(found)
            assert all(getattr(other, name) == getattr(found, name) for name in BLOCK)
        assert found != block(EXPIRY)
        assert found != object()

    @pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 257, 511, 512, 65_535])
    @pytest.mark.parametrize("character", [b"a", b"\x7f"])
    def test_zeros_of_lengths_are_no_characters(self, length: int, character: bytes) -> None:
        size = length.to_bytes(2, "big")
        raw = b"\x03" + size + character * length + b"\x26" + size + character * length + b"\0\0"
        raw += b"\x09" + size + bytes(length) + EXPIRY
        assert block(raw).data == raw
        if length:
            for at in (3, 2 + length, 6 + length, 5 + 2 * length):
                broken = raw[:at] + b"\0" + raw[at + 1 :]
                with pytest.raises(ValueError, match=r"breaks MQTT5-1\.5\.(4-2|7-1)"):
                    read_block(broken)


class TestObjects:
    @given(packet=published())
    def test_are_the_same_as_the_reference_codec_makes(self, packet: Publish) -> None:
        raw = encode(V5, packet)
        (found,) = Decoder(V5, SERVER).feed(raw)
        wanted = reference.decode(V5, SERVER, raw)
        assert isinstance(found, Publish)
        assert isinstance(wanted, Publish)
        assert found.has_properties is wanted.has_properties is (wanted.properties is not None)
        assert found.properties == wanted.properties

    def test_are_made_when_somebody_looks(self) -> None:
        packet = received(USER)
        assert packet.block is not None
        assert packet.properties is packet.properties
        assert packet.properties == PublishProperties(user_property=[("a", "b")])
        assert packet.block is None
        assert packet.has_properties

    def test_nobody_has_to_look_for_a_comparison(self) -> None:
        one, other = received(USER), received(USER)
        assert one == other
        assert one == Publish("t", properties=PublishProperties(user_property=[("a", "b")]))
        assert one != received(TYPE)
        assert repr(one) == "Publish(topic='t', properties=PublishProperties(user_property=[('a', 'b')]))"
        assert one.block is not None

    def test_what_is_changed_counts(self) -> None:
        packet = received(USER + TYPE)
        assert packet.properties is not None
        packet.properties.content_type = "k"
        assert Decoder(V5, CLIENT).feed(encode(V5, packet)) == [packet]
        changed = block_for(packet)
        assert changed is not None
        assert changed.properties() == PublishProperties(content_type="k", user_property=[("a", "b")])

    def test_to_look_changes_nothing(self) -> None:
        packet = received(USER + ALIAS + TYPE)
        came = packet.block
        assert packet.properties is not None
        assert block_for(packet) is came

    def test_to_set_them(self) -> None:
        packet = received(USER)
        packet.properties = None
        assert (packet.properties, packet.block, packet.has_properties) == (None, None, False)
        assert block_for(packet) is None
        packet.properties = PublishProperties(content_type="j")
        assert packet.has_properties
        made = block_for(packet)
        assert made is not None
        assert made.data == TYPE

    def test_what_is_written_does_not_depend_on_who_looked(self) -> None:
        packet = received(USER + TYPE)
        before = encode(V5, packet)
        assert packet.block is not None
        assert packet.properties is not None
        assert encode(V5, packet) == before == reference.encode(V5, packet)

    def test_a_copy_shares_them(self) -> None:
        packet = received(USER)
        other = copy.copy(packet)
        assert other.properties is packet.properties


class TestMade:
    @given(packet=published())
    def test_of_objects(self, packet: Publish) -> None:
        made = block_of(packet.properties)
        if packet.properties is None or packet.properties == PublishProperties():
            assert made is None
        else:
            assert made is not None
            assert made.all_properties() == packet.properties

    @pytest.mark.parametrize(
        ("properties", "breaks"),
        [
            (PublishProperties(payload_format_indicator=2), "X5-payload_format_indicator-range"),
            (PublishProperties(response_topic="a/#"), "MQTT5-3.3.2-14"),
            (PublishProperties(topic_alias=0), "MQTT5-3.3.2-8"),
            (PublishProperties(content_type="a\0"), "MQTT5-1.5.4-2"),
            (PublishProperties(subscription_identifier=[0]), "X5-subscription_identifier-range"),
            (PublishProperties(content_type="\ud800"), "surrogates not allowed"),
            (PublishProperties(content_type="a" * 65_536), "at most 65,535 bytes"),
            (PublishProperties(message_expiry_interval=1 << 32), "not properties that can be sent"),
            (PublishProperties(message_expiry_interval=-1), "not properties that can be sent"),
        ],
    )
    def test_of_objects_that_break_a_rule(self, properties: PublishProperties, breaks: str) -> None:
        with pytest.raises(ValueError, match=breaks):
            block_of(properties)

    def test_of_objects_that_a_client_may_not_send(self) -> None:
        properties = PublishProperties(subscription_identifier=[1])
        assert block_of(properties) is not None
        with pytest.raises(ValueError, match=r"MQTT5-3\.3\.4-6"):
            block_of(properties, CLIENT)

    @given(raw=mutations.mutated(V5, CLIENT))
    def test_of_bytes_by_the_same_rules(self, raw: bytes) -> None:
        for found in Decoder(V5, CLIENT).feed(raw):
            if isinstance(found, Publish) and found.block is not None:
                assert read_block(found.block.whole, CLIENT) == found.block

    @given(raw=st.binary(max_size=40))
    def test_of_any_bytes(self, raw: bytes) -> None:
        body = b"\0\x01t" + vbi(len(raw)) + raw
        for sender in (CLIENT, SERVER):
            wanted = reference.decode(V5, sender, b"\x30" + vbi(len(body)) + body)
            if isinstance(wanted, Violation):
                with pytest.raises(ValueError, match=wanted.statement.replace(".", r"\.")):
                    read_block(raw, sender)
            else:
                made = read_block(raw, sender)
                assert isinstance(wanted, Publish)
                assert (None if made is None else made.all_properties()) == wanted.properties

    def test_of_a_will(self) -> None:
        given = WillProperties(1, 10, "j", "r", b"c", 30, [("a", "b")])
        made = will_block(given)
        assert made is not None
        assert made.properties() == PublishProperties(1, 10, "j", "r", b"c", user_property=[("a", "b")])
        assert will_block(WillProperties(will_delay_interval=30)) is None
        assert will_block(None) is None
        assert Will("t", b"", properties=given).properties is given


class TestOutgoing:
    @pytest.mark.parametrize("waited", [0, 3, 10, 11, 1 << 40])
    def test_counts_down_in_place(self, waited: int) -> None:
        left = max(0, 10 - waited)
        for raw in (EXPIRY + USER, USER + EXPIRY, ALIAS + USER + EXPIRY):
            wanted = raw.replace(EXPIRY, EXPIRY[:4] + bytes((left,))).replace(ALIAS, b"")
            assert outgoing(block(raw), waited, (), 0) == wanted

    def test_without_an_interval_nothing_counts_down(self) -> None:
        found = block(USER)
        assert outgoing(found, 100, (), 0) is found.data
        assert found.expiry() == -1

    def test_with_what_belongs_to_the_subscriber(self) -> None:
        assert outgoing(block(ALIAS + USER), 0, (300, 1), 9) == USER + b"\x0b\xac\x02\x0b\x01\x23\x00\x09"
        assert outgoing(None, 5, (1,), 0) == b"\x0b\x01"
        assert outgoing(None, 5, (), 0) == b""

    @given(packet=published(), version=st.sampled_from([V31, V311, V5]), dup=st.booleans())
    def test_a_packet_of_ready_bytes(self, packet: Publish, version: int, dup: bool) -> None:
        made = block_of(packet.properties)
        kept = None if made is None else made.properties()
        topic = packet.topic.encode()
        raw = publish_bytes(
            version, topic, packet.payload, packet.qos, packet.retain, dup, packet.packet_id, outgoing(made, 0, (), 0)
        )
        assert raw == encode_publish(
            version, topic, packet.payload, packet.qos, packet.retain, dup, packet.packet_id, kept
        )

    def test_too_long(self) -> None:
        with pytest.raises(ValueError, match="65,535"):
            publish_bytes(V5, b"a" * 65_536, b"", 0, False, False, 0, b"")
        with pytest.raises(ValueError, match="268,435,455"):
            publish_bytes(V5, b"a", bytes(268_435_452), 0, False, False, 0, b"")
