# SPDX-License-Identifier: MIT
"""A property that is added to the tables, and to nothing else, goes every way that the properties of a message go."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.wire.primitives import CLIENT, SERVER, V5
from tests.codegen.changed import Import, changed_package, with_rows

ROW = """
[[property]]
id     = 0x{id:02X}
name   = "{name}"
title  = "{title}"
type   = "{type}"
in     = [
  {{ packet = "PUBLISH", from = "both", section = "9.9", many = {many} }},
  {{ packet = "WILL", from = "client", section = "9.9", many = {many} }},
]
repeat = {{ breach = "PROTOCOL_ERROR" }}
{more}
"""


@dataclass
class New:
    """A property that no standard has, a value of it, and how that is written."""

    id: int
    name: str
    type: str
    value: object
    raw: bytes
    wrong: bytes
    breaks: str
    many: bool = False
    more: str = ""

    def row(self) -> str:
        """Its row in the tables."""
        title = self.name.replace("_", " ").title()
        many = str(self.many).lower()
        return ROW.format(id=self.id, name=self.name, title=title, type=self.type, many=many, more=self.more)


MADE_UP = (
    New(0x70, "priority", "u8", 3, b"\x03", b"\x0b", "X5-priority-range", more="""
range  = { allowed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], breach = "PROTOCOL_ERROR" }"""),
    New(0x71, "hops", "u16", 256, b"\x01\x00", b"\x01", "X5-field-truncated"),
    New(0x72, "sequence", "u32", 65_537, b"\x00\x01\x00\x01", b"\x00\x00\x00\x00", "X5-sequence-range", more="""
range  = { min = 1, breach = "PROTOCOL_ERROR" }"""),
    New(0x73, "rank", "vbi", 300, b"\xac\x02", b"\x80\x00", "MQTT5-1.5.5-1"),
    New(0x74, "trace_parent", "utf8", "pärent", b"\x00\x07p\xc3\xa4rent", b"\x00\x01\x00", "MQTT5-1.5.4-2"),
    New(0x75, "digest", "binary", b"\x00\x01", b"\x00\x02\x00\x01", b"\x00\x02\x00", "X5-field-truncated"),
    New(0x76, "origin", "topic_name_property", "a/b", b"\x00\x03a/b", b"\x00\x03a/#", "MQTT5-4.7.0-1"),
    New(0x7E, "places", "utf8", ["here", "", "there"], b"\x00\x04here", b"\x00\x01\xff", "MQTT5-1.5.4-1", many=True),
)  # fmt: skip
IDS = [new.name for new in MADE_UP]


@pytest.fixture(scope="module")
def changed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    """A package generated from tables that have every made-up property."""
    rows = "".join(new.row() for new in MADE_UP)
    with changed_package(root, tmp_path_factory.mktemp("changed"), {"properties.toml": with_rows(rows)}) as package:
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
