# SPDX-License-Identifier: MIT
"""Integers of a fixed size, Packet Identifiers, and Variable Byte Integers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

from mqtt_ref.wire.constructs.part import Part, Source
from mqtt_ref.wire.constructs.rules import Breach, Rule
from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.raw import Raw, RawInt, RawVbi

__all__ = ["Integer", "PacketId", "RemainingLength", "VariableByteInteger"]


class Integer(Part):
    """An unsigned integer of `size` bytes, high byte first (section 1.5.1 to 1.5.3)."""

    def __init__(self, size: int, **rules: Rule | None) -> None:
        super().__init__(**rules)
        self.size = size

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        if source.limit - start < self.size:
            raise Breach(self.rules["truncated"], start, path)
        return int.from_bytes(source.read(self.size), "big")

    def raw(self, name: str, value: Any) -> Raw:
        return RawInt(name, int(value), self.size)

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        value = int.from_bytes(data[start:end], "big")
        return value, f"{value:,}" if self.size == 4 else str(value), ()


class PacketId(Integer):
    """A Packet Identifier. The statement that forbids 0 depends on the sender (section 2.2.1)."""

    def __init__(self, zero: Mapping[int, Rule], **rules: Rule | None) -> None:
        super().__init__(2, **rules)
        self.zero = zero

    def read(self, source: Source, context: Any, path: str) -> Any:
        value = super().read(source, context, path)
        if value == 0 and source.sender in self.zero:
            raise Breach(self.zero[source.sender], source.tell() - 1, path)
        return value


class VariableByteInteger(Part):
    """1 to 4 bytes of 7 bits each, low bits first (section 1.5.5)."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        value = 0
        for size in range(1, 5):
            at = source.tell()
            if at >= source.limit:
                raise Breach(self.rules["truncated"], at if size == 1 else at - 1, path)
            byte = source.read(1)[0]
            value |= (byte & 127) << 7 * (size - 1)
            if byte < 128:
                if byte == 0 and size > 1 and "vbi_minimal" in self.rules:
                    raise Breach(self.rules["vbi_minimal"], at, path)
                return value
        raise Breach(self.rules["vbi_long"], source.tell() - 1, path)

    def raw(self, name: str, value: Any) -> Raw:
        return RawVbi(name, value)

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        value = sum((byte & 127) << 7 * n for n, byte in enumerate(data[start:end]))
        return value, str(value), ()


class RemainingLength(VariableByteInteger):
    """The Remaining Length (section 2.1.4).

    Only 5.0 requires the fewest bytes, and the version of a CONNECT is not known yet. So `fewest` in the context
    decides if the rule is checked.
    """

    def read(self, source: Source, context: Any, path: str) -> Any:
        length = self if context._.fewest else self.lenient()
        return VariableByteInteger.read(length, source, context, path)

    def lenient(self) -> Self:
        """Return a copy without the rule of fewest bytes."""
        other = copy.copy(self)
        other.rules = {name: rule for name, rule in self.rules.items() if name != "vbi_minimal"}
        return other
