# SPDX-License-Identifier: MIT
"""Properties that no standard has, one of each type, as rows for a copy of the tables."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MADE_UP", "New", "rows"]

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
    New(0x70, "x_urgency", "u8", 3, b"\x03", b"\x0b", "X5-x_urgency-range", more="""
range  = { allowed = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], breach = "PROTOCOL_ERROR" }"""),
    New(0x71, "hops", "u16", 256, b"\x01\x00", b"\x01", "X5-field-truncated"),
    New(0x72, "sequence", "u32", 65_537, b"\x00\x01\x00\x01", b"\x00\x00\x00\x00", "X5-sequence-range", more="""
range  = { min = 1, breach = "PROTOCOL_ERROR" }"""),
    New(0x73, "rank", "vbi", 300, b"\xac\x02", b"\x80\x00", "MQTT5-1.5.5-1"),
    New(0x74, "trace_parent", "utf8", "pärent", b"\x00\x07p\xc3\xa4rent", b"\x00\x01\x00", "MQTT5-1.5.4-2"),
    New(0x75, "digest", "binary", b"\x00\x01", b"\x00\x02\x00\x01", b"\x00\x02\x00", "X5-field-truncated"),
    New(0x76, "origin", "topic_name_property", "a/b", b"\x00\x03a/b", b"\x00\x03a/#", "MQTT5-4.7.0-1"),
    New(0x7D, "places", "utf8", ["here", "", "there"], b"\x00\x04here", b"\x00\x01\xff", "MQTT5-1.5.4-1", many=True),
)  # fmt: skip


def rows() -> str:
    """The rows of all of them."""
    return "".join(new.row() for new in MADE_UP)
