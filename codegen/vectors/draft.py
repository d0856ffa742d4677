# SPDX-License-Identifier: MIT
"""A packet laid out piece by piece, so that one of them can be exchanged and every offset is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codegen.model import Field, Packet, Property

__all__ = ["Atom", "Draft", "Pieces", "padded", "string", "vbi"]


def vbi(value: int) -> bytes:
    """A Variable Byte Integer in as few bytes as it needs."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def padded(data: bytes, size: int) -> bytes:
    """The same Variable Byte Integer in `size` bytes, more than needed."""
    return bytes(b | 128 for b in data) + b"\x80" * (size - len(data) - 1) + b"\x00"


def string(text: bytes | str) -> bytes:
    """A text behind its two-byte length."""
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
    """The property list that it stands in."""
    last: bool = False
    """The packet (or the section) may end before this piece."""
    head: bool = False
    """The first of a list: without it the list is empty."""


@dataclass(frozen=True)
class Pieces:
    """A packet of which nothing but its bytes is known, parted for people."""

    version: int
    sender: str
    parts: Sequence[bytes]

    def pieces(self) -> Sequence[bytes]:
        """Its bytes, in parts."""
        return self.parts


@dataclass(frozen=True)
class Draft:
    """A packet laid out in atoms; the Remaining Length and Property Lengths are filled in."""

    packet: Packet
    version: int
    sender: str
    flags: int
    atoms: tuple[Atom, ...]
    length: bytes | None = None
    """A Remaining Length other than the one that fits."""

    def filled(self) -> list[bytes]:
        """The bytes of each atom."""
        return [vbi(self.section_size(a.field)) if a.role == "proplen" and not a.data else a.data for a in self.atoms]

    def head(self) -> list[bytes]:
        """The first byte, and the Remaining Length."""
        size = sum(len(d) for d in self.filled())
        return [bytes([self.packet.code << 4 | self.flags]), vbi(size) if self.length is None else self.length]

    def pieces(self) -> Sequence[bytes]:
        """Its bytes, in parts."""
        return [*self.head(), *self.filled()]

    def size(self) -> int:
        """Its bytes, counted."""
        return sum(len(p) for p in self.pieces())

    def at(self, index: int) -> int:
        """Where an atom begins; one past the end for the number of atoms."""
        return sum(len(p) for p in [*self.head(), *self.filled()[:index]])

    def section_size(self, section: str) -> int:
        """The bytes that the Property Length of a section counts."""
        return sum(len(a.data) for a in self.atoms if a.section == section)

    def last_byte(self, index: int) -> int:
        """Where an atom ends: its last byte; for a Property Length, the last byte of its section."""
        return self.at(index + 1) + self.section_size(self.atoms[index].field) - 1

    def end_of(self, index: int) -> int:
        """Where ends what encloses an atom: its property section, or the packet."""
        section = self.atoms[index].section
        if not section:
            return self.size()
        return self.at(max(i for i, a in enumerate(self.atoms) if a.section == section) + 1)

    def find(self, field: str, role: str = "") -> int:
        """The number of a field's first atom."""
        return next(i for i, a in enumerate(self.atoms) if a.field == field and role in ("", a.role))

    def indexed(self, *roles: str) -> Iterator[tuple[int, Atom]]:
        """The atoms that are read in one of these ways, with their numbers."""
        for i, atom in enumerate(self.atoms):
            if atom.role in roles:
                yield i, atom

    def put(self, index: int, data: bytes) -> Draft:
        """The same with other bytes for one atom."""
        return self.replaced(index, replace(self.atoms[index], data=data))

    def replaced(self, index: int, *atoms: Atom) -> Draft:
        """The same with other atoms in the place of one."""
        return replace(self, atoms=(*self.atoms[:index], *atoms, *self.atoms[index + 1 :]))
