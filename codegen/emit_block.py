# SPDX-License-Identifier: MIT
"""Writes `Block`: the properties of a PUBLISH as checked bytes, with the values that a server needs."""

from __future__ import annotations

from codegen.model import BLOCK, Property, Spec
from codegen.shapes import class_name

__all__ = ["block_class"]

CLASS = '''class Block:
    """The checked properties of a {packet}, as the bytes that were received. A block is immutable.

    `data` are the properties that are forwarded with the message: those of the connection ({alias_title}) and of the
    subscriber ({identifier_title}) are left out. `whole` are all properties, in the same object if none was left
    out. The Property Length is in neither. `expiry_at` is the offset in `data` of the four bytes that count down, or
    -1. `{alias}` is 0 if it is absent. `utf8` is set if the sender declared the payload as UTF-8. `present` has
    a bit for each property in `whole`.
    """

    __slots__ = ("data", "expiry_at", "present", "{alias}", "utf8", "whole")

    def __init__(self, data: bytes, whole: bytes, present: int, expiry_at: int, {alias}: int, utf8: bool) -> None:
        self.data = data
        self.whole = whole
        self.present = present
        self.expiry_at = expiry_at
        self.{alias} = {alias}
        self.utf8 = utf8

    def properties(self) -> {cls}:
        """Decode the properties that are forwarded with the message. Returns a new object."""
        return _read_{name}(self.data)

    def all_properties(self) -> {cls}:
        """Decode all properties. Returns a new object."""
        return _read_{name}(self.whole)

    def kept(self) -> Block | None:
        """Return the block of the forwarded properties only: this block if they are all, None if there are none."""
        data = self.data
        if data is self.whole:
            return self
        return Block(data, data, self.present & 0x{mask:X}, self.expiry_at, 0, self.utf8) if data else None

    def expiry(self) -> int:
        """Return the seconds that count down, as received, or -1."""
        value: int = UNPACK_32(self.data, self.expiry_at)[0] if self.expiry_at >= 0 else -1
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return NotImplemented
        return self.whole == other.whole

    def __hash__(self) -> int:
        return hash(self.whole)

    def __repr__(self) -> str:
        return f"Block({{self.all_properties()!r}})"

    def __reduce__(self) -> tuple[object, ...]:
        return Block, (self.data, self.whole, self.present, self.expiry_at, self.{alias}, self.utf8)


def _read_{name}(data: bytes) -> {cls}:
    """Decode properties from checked bytes."""
    out = {cls}()
    at = 0
    end = len(data)
    while at < end:
        identifier = data[at]
        at += 1
{reads}    return out


'''


def block_class(spec: Spec) -> str:
    """Return the source of the class and of the function that decodes its bytes."""
    rows = spec.block_set()
    alias = next(p for _, p, place in rows if place.belongs == "connection")
    identifier = next(p for _, p, place in rows if place.belongs == "subscriber")
    reads: list[str] = []
    for _, prop, place in rows:
        reads.append(f"        {'elif' if reads else 'if'} identifier == 0x{prop.id:02X}:  # {prop.title}")
        reads += [f"            {line}" for line in _read(spec, prop, place.many)]
    return CLASS.format(
        packet=BLOCK,
        name=BLOCK.lower(),
        cls=class_name(BLOCK),
        alias=alias.name,
        alias_title=alias.title,
        identifier_title=identifier.title,
        mask=sum(bit for bit, _, place in rows if place.belongs == "message"),
        reads="".join(line + "\n" for line in reads),
    )


def _read(spec: Spec, prop: Property, many: bool) -> list[str]:
    """Return the lines that read one value at `at` and move `at` after it."""
    wire = spec.wire_of(prop.type)
    size = spec.wires[wire].bytes
    length = "stop = at + 2 + (data[at] << 8 | data[at + 1])"
    lines: list[str] = []
    behind = f"at += {size}" if size else "at = stop"
    if wire == "u8":
        value = "data[at]"
    elif wire == "u16":
        value = "data[at] << 8 | data[at + 1]"
    elif size:
        value = f"UNPACK_{8 * size}(data, at)[0]"
    elif wire == "vbi":
        lines = ["packed = read_vbi(data, at, end, False)"]
        value, behind = "packed >> 3", "at += packed & 7"
    elif wire == "utf8_pair":
        lines = [length, "key = data[at + 2 : stop].decode()", "at = stop", length]
        value = "(key, data[at + 2 : stop].decode())"
    else:
        lines = [length]
        value = "data[at + 2 : stop]" if wire == "binary" else "data[at + 2 : stop].decode()"
    put = f"out.{prop.name}.append({value})" if many else f"out.{prop.name} = {value}"
    return [*lines, put, behind]
