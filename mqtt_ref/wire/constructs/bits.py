# SPDX-License-Identifier: MIT
"""A byte of named bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mqtt_ref.wire.constructs.part import Part, Source
from mqtt_ref.wire.constructs.rules import Breach, Check, Rule, judge
from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.raw import Raw, RawBits

__all__ = ["Bits"]


class Bits(Part):
    """A byte of named bits. Its checks use them by name, and the whole byte as `value`.

    The bits are put into the context, so that conditions of later fields can use them by name.
    """

    def __init__(self, layout: Mapping[str, tuple[int, int]], checks: Sequence[Check] = (), **rules: Rule) -> None:
        super().__init__(**rules)
        self.layout = layout
        self.checks = checks

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        if start >= source.limit:
            raise Breach(self.rules["truncated"], start, path)
        byte = source.read(1)[0]
        bits = self.split(byte)
        context.update({**bits, "value": byte})
        judge(self.checks, context, start, path)
        return bits

    def split(self, byte: int) -> dict[str, int | bool]:
        """Return the bits of a byte by name; a single bit is a bool."""
        return {
            name: bool(byte >> at & 1) if width == 1 else byte >> at & (1 << width) - 1
            for name, (at, width) in self.layout.items()
        }

    def raw(self, name: str, value: Any) -> Raw:
        field = RawBits(name, 0, self.layout)
        for bit in self.layout:
            field.put(bit, int(value.get(bit, 0)))
        return field

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        bits = self.split(data[start])
        nodes = tuple(FieldNode(name, start, end, value, str(int(value))) for name, value in bits.items())
        return data[start], f"{data[start]:08b}", nodes
