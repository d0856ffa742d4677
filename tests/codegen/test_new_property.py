# SPDX-License-Identifier: MIT
"""A property that is added to the tables, and to nothing else, goes every way that the properties of a message go."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.wire.primitives import CLIENT, SERVER, V5
from tests.codegen.changed import Import, changed_package, with_rows
from tests.codegen.made_up import MADE_UP, New, rows

IDS = [new.name for new in MADE_UP]


@pytest.fixture(scope="module")
def changed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    """A package generated from tables that have every made-up property."""
    with changed_package(root, tmp_path_factory.mktemp("changed"), {"properties.toml": with_rows(rows())}) as package:
        yield package


def decoded(package: Import, data: bytes, sender: int = CLIENT) -> Any:
    (packet,) = package("wire.framing").Decoder(V5, sender).feed(data)
    return packet


@pytest.mark.parametrize("new", MADE_UP, ids=IDS)
class TestEveryWay:
    def test_from_bytes_to_bytes(self, changed: Import, new: New) -> None:
        fast, block, packets = changed("wire.fast"), changed("wire.block"), changed("wire.packets")
        properties = packets.PublishProperties(topic_alias=3, **{new.name: new.value})
        packet = decoded(changed, fast.encode(V5, packets.Publish("t", b"p", properties=properties)))
        assert new.raw in packet.block.data
        out = block.outgoing(packet.block, 9, (1, 200), 5)
        again = decoded(changed, fast.publish_bytes(V5, b"t", b"p", 0, False, False, 0, out), SERVER)
        assert getattr(again.properties, new.name) == new.value
        assert again.properties.subscription_identifier == [1, 200]
        assert again.properties.topic_alias == 5
        assert packet.properties == properties

    def test_as_a_will(self, changed: Import, new: New) -> None:
        block, packets = changed("wire.block"), changed("wire.packets")
        will = packets.WillProperties(will_delay_interval=7, **{new.name: new.value})
        fast = changed("wire.fast")
        connect = packets.Connect("c", will=packets.Will("t", b"", properties=will))
        arrived = decoded(changed, fast.encode(V5, connect)).will.properties
        assert arrived == will
        made = block.will_block(arrived)
        assert made.properties() == packets.PublishProperties(**{new.name: new.value})

    def test_made_by_a_hook(self, changed: Import, new: New) -> None:
        block, packets = changed("wire.block"), changed("wire.packets")
        properties = packets.PublishProperties(**{new.name: new.value})
        made = block.block_of(properties)
        assert new.raw in made.data
        assert made.properties() == properties

    def test_as_a_value(self, changed: Import, new: New) -> None:
        packets, form = changed("wire.packets"), changed("wire.jsonform")
        properties = packets.PublishProperties(**{new.name: new.value})
        packet = packets.Publish("t", properties=properties)
        assert f"{new.name}={new.value!r}" in repr(packet)
        for other in (copy.deepcopy(packet), pickle.loads(pickle.dumps(packet))):
            assert getattr(other.properties, new.name) == new.value
        assert form.packet_from_json(json.loads(json.dumps(form.packet_to_json(packet)))) == packet

    def test_both_codecs_judge_it(self, changed: Import, new: New) -> None:
        reference = changed("wire.reference")
        body = bytes((new.id,)) + new.wrong
        data = bytes((0x30, 4 + len(body))) + b"\x00\x01t" + bytes((len(body),)) + body
        found = decoded(changed, data)
        assert found == reference.decode(V5, CLIENT, data)
        assert found.statement == new.breaks
        assert found.field == f"properties.{new.name}"
