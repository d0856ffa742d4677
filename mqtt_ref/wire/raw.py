# SPDX-License-Identifier: MIT
r"""Builds illegal packets on purpose, from a tree of raw fields in which every length, flag and byte can be set.

`mqtt_ref.wire.reference.raw(version, packet)` makes the tree of a packet. An unchanged tree builds the bytes of the
packet::

    tree = raw(V5, Publish("a/b", b"x", properties=PublishProperties(topic_alias=1)))
    tree.flags = 0b0110                               # QoS 3
    tree.remaining_length = 5                         # the real length may differ
    tree["topic"].length = 9                          # a string length that does not fit
    tree["properties"].width = 4                      # a Property Length longer than needed
    tree["properties.topic_alias"].value.value = 0    # a value out of range
    tree.duplicate("properties.topic_alias")          # a property twice
    tree.replace("payload", b"")                      # any bytes in place of a field
    tree.tail = b"\0"                                 # bytes after the last field
    build(tree)

Paths are dotted: the name of a field, or the number of an item (`subscriptions.1.options`).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "Raw",
    "RawBits",
    "RawBytes",
    "RawGroup",
    "RawInt",
    "RawPacket",
    "RawProperties",
    "RawProperty",
    "RawString",
    "RawVbi",
    "build",
]

VBI_WIDTHS = (0x80, 0x4000, 0x20_0000, 0x1000_0000)


def vbi_bytes(value: int, width: int = 0) -> bytes:
    """Return a Variable Byte Integer of `width` bytes; 0 takes the fewest. The width may be illegal (5 or more).

    Raises:
        ValueError: the value does not fit in `width` bytes, or in four bytes if `width` is 0.
    """
    if value < 0 or value >= (1 << 7 * width if width else VBI_WIDTHS[3]):
        raise ValueError(f"{value} does not fit a variable byte integer of {width or 4} bytes")
    width = width or next(n for n, bound in enumerate(VBI_WIDTHS, 1) if value < bound)
    return bytes((value >> 7 * n & 127) | (128 if n < width - 1 else 0) for n in range(width))


class Raw(ABC):
    """A raw field. Set `override` to replace the whole field with these bytes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.override: bytes | None = None

    def encode(self) -> bytes:
        """Return the bytes of this field: `override`, or what `make` returns."""
        return self.make() if self.override is None else self.override

    @abstractmethod
    def make(self) -> bytes:
        """Return the bytes that the parts of this field give, without `override`."""

    def prefix(self) -> bytes:
        """Return the bytes before the inner fields."""
        return b""

    def inside(self) -> list[Raw]:
        """Return the inner fields, in wire order."""
        return []

    def __getitem__(self, path: str) -> Any:
        """Return the field at a dotted path.

        The type is `Any`, so that a caller can set the attributes of this kind of field without a cast.
        """
        field: Raw = self
        for step in path.split("."):
            field = field._step(step)
        return field

    def _step(self, step: str) -> Raw:
        inside = self.inside()
        if step.isdecimal() and int(step) < len(inside):
            return inside[int(step)]
        for field in inside:
            if field.name == step:
                return field
        raise KeyError(f"{self.name or 'the packet'} has no field {step!r}; it has {[f.name for f in inside]}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        raise TypeError("a raw field is mutable and has no hash")

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={v!r}" for k, v in self.__dict__.items() if v is not None)
        return f"{type(self).__name__}({inside})"


class RawBytes(Raw):
    """Plain bytes."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name)
        self.data = data

    def make(self) -> bytes:
        return self.data


class RawInt(Raw):
    """An integer of `size` bytes, high byte first."""

    def __init__(self, name: str, value: int, size: int) -> None:
        super().__init__(name)
        self.value = value
        self.size = size

    def make(self) -> bytes:
        try:
            return self.value.to_bytes(self.size, "big")
        except OverflowError:
            raise ValueError(f"{self.name}: {self.value} does not fit {self.size} bytes") from None


class RawVbi(Raw):
    """A Variable Byte Integer; `width` forces a number of bytes, 0 takes the fewest."""

    def __init__(self, name: str, value: int, width: int = 0) -> None:
        super().__init__(name)
        self.value = value
        self.width = width

    def make(self) -> bytes:
        return vbi_bytes(self.value, self.width)


class RawBits(Raw):
    """A byte of named bits: `value` is the byte, `get` and `put` reach one group of bits."""

    def __init__(self, name: str, value: int, layout: Mapping[str, tuple[int, int]]) -> None:
        super().__init__(name)
        self.value = value
        self.layout = dict(layout)

    def get(self, bit: str) -> int:
        """The value of one group of bits."""
        at, width = self.layout[bit]
        return self.value >> at & (1 << width) - 1

    def put(self, bit: str, value: int) -> None:
        """Set one group of bits."""
        at, width = self.layout[bit]
        mask = (1 << width) - 1
        self.value = self.value & ~(mask << at) | (value & mask) << at

    def make(self) -> bytes:
        return bytes((self.value & 255,))


class RawString(Raw):
    """A string or binary data: a two-byte length, then bytes. `length` replaces the real length."""

    def __init__(self, name: str, data: bytes, length: int | None = None) -> None:
        super().__init__(name)
        self.data = data
        self.length = length

    def make(self) -> bytes:
        length = len(self.data) if self.length is None else self.length
        if length > 0xFFFF:
            raise ValueError(f"{self.name}: {length} bytes do not fit a two-byte length")
        return length.to_bytes(2, "big") + self.data


class RawGroup(Raw):
    """A sequence of fields: a list, an entry of a list, a string pair."""

    def __init__(self, name: str, fields: Iterable[Raw] = ()) -> None:
        super().__init__(name)
        self.fields = list(fields)

    def make(self) -> bytes:
        return b"".join(f.encode() for f in self.fields)

    def inside(self) -> list[Raw]:
        return self.fields


class RawProperty(Raw):
    """A property: identifier and value."""

    def __init__(self, name: str, identifier: int, value: Raw) -> None:
        super().__init__(name)
        self.identifier = RawVbi("identifier", identifier)
        self.value: Any = value

    def make(self) -> bytes:
        return self.identifier.encode() + bytes(self.value.encode())

    def inside(self) -> list[Raw]:
        return [self.identifier, self.value]


class RawProperties(RawGroup):
    """A property list. `length` replaces the real Property Length, `width` forces its number of bytes."""

    def __init__(self, name: str, fields: Iterable[Raw] = (), length: int | None = None, width: int = 0) -> None:
        super().__init__(name, fields)
        self.length = length
        self.width = width

    def prefix(self) -> bytes:
        """Return the Property Length."""
        length = sum(len(f.encode()) for f in self.fields) if self.length is None else self.length
        return vbi_bytes(length, self.width)

    def make(self) -> bytes:
        return self.prefix() + super().make()


class RawPacket(RawGroup):
    """A whole packet.

    `type` and `flags` are the halves of the first byte. `remaining_length` replaces the real Remaining Length, `width`
    forces its number of bytes. `tail` follows the last field and is counted in the Remaining Length.
    """

    def __init__(
        self,
        version: int,
        type: int,  # noqa: A002
        flags: int,
        fields: Iterable[Raw] = (),
        tail: bytes = b"",
    ) -> None:
        super().__init__("", fields)
        self.version = version
        self.type = type
        self.flags = flags
        self.remaining_length: int | None = None
        self.width = 0
        self.tail = tail

    def prefix(self) -> bytes:
        """Return the fixed header."""
        length = self.remaining_length
        if length is None:
            length = sum(len(f.encode()) for f in self.fields) + len(self.tail)
        return bytes((self.type << 4 & 0xF0 | self.flags & 0x0F,)) + vbi_bytes(length, self.width)

    def make(self) -> bytes:
        return self.prefix() + super().make() + self.tail

    def span(self, path: str) -> tuple[int, int]:
        """Return the place of the field at `path` in the built bytes: offset of its first byte, and end offset."""
        field: Raw = self
        start = 0
        for step in path.split("."):
            inner = field._step(step)
            start += len(field.prefix())
            for other in field.inside():
                if other is inner:
                    break
                start += len(other.encode())
            field = inner
        return start, start + len(field.encode())

    def replace(self, path: str, new: Raw | bytes) -> RawPacket:
        """Replace a field with another field or with any bytes. Returns the packet, as all changes do."""
        field: Raw = self[path]
        if isinstance(new, bytes):
            field.override = new
            return self
        holder, index = self._place(path)
        holder.fields[index] = new
        return self

    def remove(self, path: str) -> RawPacket:
        """Remove a field."""
        holder, index = self._place(path)
        del holder.fields[index]
        return self

    def insert(self, path: str, new: Raw) -> RawPacket:
        """Insert a field before the one at `path`."""
        holder, index = self._place(path)
        holder.fields.insert(index, new)
        return self

    def duplicate(self, path: str) -> RawPacket:
        """Insert a copy of a field after it."""
        holder, index = self._place(path)
        holder.fields.insert(index + 1, copy.deepcopy(holder.fields[index]))
        return self

    def _place(self, path: str) -> tuple[RawGroup, int]:
        parent, _, _ = path.rpartition(".")
        holder: Raw = self[parent] if parent else self
        field: Raw = self[path]
        if not isinstance(holder, RawGroup):
            raise KeyError(f"{path}: {holder.name} is not a list of fields; set its attributes instead")
        return holder, next(n for n, f in enumerate(holder.fields) if f is field)


def build(packet: RawPacket) -> bytes:
    """Return the bytes of a raw packet. The packet may be illegal.

    Raises:
        ValueError: a number does not fit the size of its field.
    """
    return packet.encode()
