# SPDX-License-Identifier: MIT
"""The first byte of a packet: its type, and its flags, which are fixed or have a meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from construct import Container

from mqtt_ref.wire.constructs.bits import Bits
from mqtt_ref.wire.constructs.part import Part, Source
from mqtt_ref.wire.constructs.rules import Breach, Check, Rule, judge
from mqtt_ref.wire.fields import FieldNode

__all__ = ["FixedHeader", "Header"]


class Header(NamedTuple):
    """The first byte of one packet type: who may send it, and its flags, fixed or with a meaning."""

    senders: tuple[int, ...]
    flags: int = 0
    flags_rule: Rule | None = None
    bits: Mapping[str, tuple[int, int]] = {}
    checks: tuple[Check, ...] = ()


class FixedHeader(Part):
    """The first byte: packet type and flags (section 2.1)."""

    def __init__(self, types: Mapping[int, Header], reserved_type: Rule, wrong_sender: Rule, **rules: Rule) -> None:
        super().__init__(**rules)
        self.types = types
        self.rules["reserved_type"] = reserved_type
        self.rules["wrong_sender"] = wrong_sender

    def read(self, source: Source, context: Any, path: str) -> Any:
        if source.tell() >= source.limit:
            raise Breach(self.rules["truncated"], source.tell(), path)
        byte = source.read(1)[0]
        header = self.types.get(byte >> 4)
        if header is None:
            raise Breach(self.rules["reserved_type"], 0, path)
        if source.sender not in header.senders:
            raise Breach(self.rules["wrong_sender"], 0, path)
        if header.flags_rule is not None and byte & 15 != header.flags:
            raise Breach(header.flags_rule, 0, path)
        bits = Bits(header.bits).split(byte)
        judge(header.checks, Container({**bits, "value": byte}), 0, path)
        return bits

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        header = self.types[data[start] >> 4]
        flags = Bits(header.bits).split(data[start]) if header.bits else {"flags": data[start] & 15}
        nodes = [FieldNode("type", start, end, data[start] >> 4, str(data[start] >> 4))]
        nodes += [FieldNode(name, start, end, value, str(int(value))) for name, value in flags.items()]
        return data[start], f"0x{data[start]:02X}", tuple(nodes)
