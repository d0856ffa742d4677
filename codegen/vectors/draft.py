# SPDX-License-Identifier: MIT
"""A packet laid out piece by piece: a piece can be replaced, and every offset is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codegen.model import Field, Packet, Property

__all__ = ["Atom", "Draft", "Pieces", "padded", "string", "vbi"]


def vbi(value: int) -> bytes:
    """Return a Variable Byte Integer with the fewest bytes."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def padded(data: bytes, size: int) -> bytes:
    """Return the same Variable Byte Integer in `size` bytes, which are more than needed."""
    return bytes(b | 128 for b in data) + b"\x80" * (size - len(data) - 1) + b"\x00"


def string(text: bytes | str) -> bytes:
    """Return a text after its two-byte length."""
    raw = text.encode() if isinstance(text, str) else text
    return len(raw).to_bytes(2, "big") + raw


@dataclass(frozen=True)
class Atom:
    """One piece of a packet that is read as a whole."""

    field: str
    role: str
    """How it is read: name, level, bits, proplen, id, code, int, vbi, utf8, binary or rest."""
    data: bytes
    source: Field | Property
    section: str = ""
    """The property list that contains it."""
    last: bool = False
    """The packet (or the section) may end before this piece."""
    head: bool = False
    """The first piece of a list: without it the list is empty."""


@dataclass(frozen=True)
class Pieces:
    """A packet as plain bytes, split into parts only for readability."""

    version: int
    sender: str
    parts: Sequence[bytes]

    def pieces(self) -> Sequence[bytes]:
        """Return its bytes, in parts."""
        return self.parts


@dataclass(frozen=True)
class Draft:
    """A packet laid out in atoms. The Remaining Length and Property Lengths are computed."""

    packet: Packet
    version: int
    sender: str
    flags: int
    atoms: tuple[Atom, ...]
    length: bytes | None = None
    """A Remaining Length to use instead of the correct one."""

    def filled(self) -> list[bytes]:
        """Return the bytes of each atom."""
        return [vbi(self.section_size(a.field)) if a.role == "proplen" and not a.data else a.data for a in self.atoms]

    def head(self) -> list[bytes]:
        """Return the first byte and the Remaining Length."""
        size = sum(len(d) for d in self.filled())
        return [bytes([self.packet.code << 4 | self.flags]), vbi(size) if self.length is None else self.length]

    def pieces(self) -> Sequence[bytes]:
        """Return its bytes, in parts."""
        return [*self.head(), *self.filled()]

    def size(self) -> int:
        """Return its size in bytes."""
        return sum(len(p) for p in self.pieces())

    def at(self, index: int) -> int:
        """Return the offset of an atom. For the number of atoms, it is the size of the packet."""
        return sum(len(p) for p in [*self.head(), *self.filled()[:index]])

    def section_size(self, section: str) -> int:
        """Return the number of bytes that the Property Length of a section counts."""
        return sum(len(a.data) for a in self.atoms if a.section == section)

    def last_byte(self, index: int) -> int:
        """Return the offset of the last byte of an atom. For a Property Length, it is the last byte of its section."""
        return self.at(index + 1) + self.section_size(self.atoms[index].field) - 1

    def end_of(self, index: int) -> int:
        """Return the end of the property list or packet that contains an atom."""
        section = self.atoms[index].section
        if not section:
            return self.size()
        return self.at(max(i for i, a in enumerate(self.atoms) if a.section == section) + 1)

    def find(self, field: str, role: str = "") -> int:
        """Return the number of the first atom of a field."""
        return next(i for i, a in enumerate(self.atoms) if a.field == field and role in ("", a.role))

    def indexed(self, *roles: str) -> Iterator[tuple[int, Atom]]:
        """Yield the atoms with one of these roles, with their numbers."""
        for i, atom in enumerate(self.atoms):
            if atom.role in roles:
                yield i, atom

    def put(self, index: int, data: bytes) -> Draft:
        """Return a copy with other bytes for one atom."""
        return self.replaced(index, replace(self.atoms[index], data=data))

    def replaced(self, index: int, *atoms: Atom) -> Draft:
        """Return a copy with other atoms in place of one."""
        return replace(self, atoms=(*self.atoms[:index], *atoms, *self.atoms[index + 1 :]))
