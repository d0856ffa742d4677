# SPDX-License-Identifier: MIT
"""Bytes and text: Binary Data, UTF-8 Encoded Strings, UTF-8 String Pairs, and the rest of a packet."""

from __future__ import annotations

from typing import Any

from mqtt_ref.wire.constructs.part import Part, Source
from mqtt_ref.wire.constructs.rules import KINDS, Breach, Rule
from mqtt_ref.wire.constructs.scans import SCANS
from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.raw import Raw, RawBytes, RawGroup, RawString

__all__ = ["Binary", "Rest", "StringPair", "Text"]


class Binary(Part):
    """Binary Data: bytes after a two-byte length (section 1.5.6)."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        left = source.limit - start - 2
        if left < 0:
            raise Breach(self.rules["truncated"], start, path)
        length = int.from_bytes(source.read(2), "big")
        if length > left:
            high_byte_is_enough = length & 0xFF00 > left
            raise Breach(self.rules["truncated"], start if high_byte_is_enough else start + 1, path)
        return source.read(length)

    def raw(self, name: str, value: Any) -> Raw:
        return RawString(name, bytes(value))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        value = data[start + 2 : end]
        length = FieldNode("length", start, start + 2, len(value), str(len(value)))
        return value, _bytes_text(value), (length,)


class Text(Binary):
    """A UTF-8 Encoded String. It may be a topic name or filter (sections 1.5.4 and 4.7).

    The rules are those of the type, in the order of the tables. The rule that the leftmost byte breaks is reported.
    """

    def read(self, source: Source, context: Any, path: str) -> Any:
        data = super().read(source, context, path)
        first = source.tell() - len(data)
        found: list[tuple[int, int, int]] = []
        shared = "share_name_form" in self.rules
        names = list(self.rules)
        for order, name in enumerate(names):
            at = SCANS[name](data, shared) if name in SCANS else None
            if at is not None:
                found.append((at, KINDS.index(self.rules[name].kind), order))
        if found:
            at, _, order = min(found)
            raise Breach(self.rules[names[order]], first + at, path)
        return data.decode()

    def raw(self, name: str, value: Any) -> Raw:
        return RawString(name, value.encode())

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        _, _, inside = super().explain(data, start, end)
        value = data[start + 2 : end].decode()
        return value, repr(value), inside


class StringPair(Part):
    """A UTF-8 String Pair: a name and a value (section 1.5.7)."""

    def __init__(self, truncated: Rule, pair_ill_formed: Rule | None = None, pair_null: Rule | None = None) -> None:
        super().__init__(truncated=truncated)
        self.string = Text(truncated=truncated, utf8_ill_formed=pair_ill_formed, utf8_null=pair_null)

    def read(self, source: Source, context: Any, path: str) -> Any:
        return self.string.read(source, context, path), self.string.read(source, context, path)

    def raw(self, name: str, value: Any) -> Raw:
        return RawGroup(name, (self.string.raw("name", value[0]), self.string.raw("value", value[1])))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        middle = start + 2 + int.from_bytes(data[start : start + 2], "big")
        name = FieldNode("name", start, middle, *self.string.explain(data, start, middle))
        value = FieldNode("value", middle, end, *self.string.explain(data, middle, end))
        return (name.value, value.value), f"{name.text}: {value.text}", (name, value)


class Rest(Part):
    """All bytes up to the end of the packet."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        return source.read(source.limit - source.tell())

    def raw(self, name: str, value: Any) -> Raw:
        return RawBytes(name, bytes(value))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        return data[start:end], _bytes_text(data[start:end]), ()


def _bytes_text(data: bytes) -> str:
    shown = data[:48]
    more = f" ... {len(data):,} bytes" if len(data) > len(shown) else ""
    try:
        text = shown.decode()
    except UnicodeDecodeError:
        return shown.hex(" ") + more
    return (repr(text) if text.isprintable() else shown.hex(" ")) + more
