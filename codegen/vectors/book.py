# SPDX-License-Identifier: MIT
"""Collects the vectors as lines of text: each packet once, with a unique name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from codegen.model import V5, V31, V311, Spec
from codegen.vectors.breaches import Breach
from codegen.vectors.draft import Draft, Pieces

__all__ = ["NEW", "Book", "Vector"]

NEW = 0
"""The version of a connection before its CONNECT."""
LABELS = {V5: "v5", V311: "v311", V31: "v31", NEW: "new"}
LONG = 1_000


class Vector(NamedTuple):
    """One packet, and what it breaks. A packet of kind `legal` breaks nothing."""

    kind: str
    where: str
    packet: Draft | Pieces
    breach: Breach | None = None
    version: int | None = None
    """The version of the connection for the receiver, if it is not the version of the packet."""
    maximum: int = 0
    """The Maximum Packet Size of the receiver, 0 for none."""


class Book:
    """Gives each vector a name and a line of text."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.lines: list[str] = []
        self._seen: dict[tuple[int, str, int, bytes], tuple[str, Breach | None]] = {}
        self._names: dict[str, int] = {}

    def note(self, vectors: Iterable[Vector]) -> None:
        """Add a line for each new vector.

        Raises:
            AssertionError: the same bytes have two different breaches, or a statement does not exist.
        """
        for vector in vectors:
            self._note(vector)

    def _note(self, vector: Vector) -> None:
        packet, found = vector.packet, vector.breach
        version = packet.version if vector.version is None else vector.version
        pieces = packet.pieces()
        key = (version, packet.sender, vector.maximum, b"".join(pieces))
        if key in self._seen:
            name, before = self._seen[key]
            assert before == found, f"{vector.where}: {found} but {name}: {before}"
            return
        name = self._name(f"{LABELS[version]}/{packet.sender}/{vector.where}")
        self._seen[key] = (name, found)
        words = [name, vector.kind, _hex(pieces)]
        more = []
        if found is None:
            assert vector.kind == "legal", name
            if vector.maximum:
                words.append(str(vector.maximum))
        else:
            assert found.statement in self.spec.statements, (name, found)
            words += [found.statement, f"{found.reason:02x} {found.offset} {found.field}".rstrip()]
            if found.also:
                more.append("also=" + ",".join(found.also))
            if found.judged != version:
                more.append(f"judged={found.judged}")
            if found.level != "must":
                more.append(f"level={found.level}")
            if vector.maximum:
                more.append(f"maximum={vector.maximum}")
        if more:
            words.append(" ".join(more))
        self.lines.append(" | ".join(words))

    def _name(self, name: str) -> str:
        """Return a unique name: a number is added from the second use on."""
        self._names[name] = self._names.get(name, 0) + 1
        return name if self._names[name] == 1 else f"{name}-{self._names[name]}"


def _hex(pieces: Sequence[bytes]) -> str:
    """Return the pieces in hex with spaces between them. A long run of one byte becomes `61*65535`."""
    words = []
    for piece in pieces:
        if len(piece) > LONG and piece == piece[:1] * len(piece):
            words.append(f"{piece[:1].hex()}*{len(piece)}")
        elif piece:
            words.append(piece.hex())
    return " ".join(words)
