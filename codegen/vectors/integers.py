# SPDX-License-Identifier: MIT
"""Damage of integers: malformed Variable Byte Integers, and Packet Identifiers of 0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from codegen.model import V5, Field, Spec
from codegen.vectors.book import Vector
from codegen.vectors.breaches import rule_breach, zero_breach
from codegen.vectors.draft import Draft, padded

__all__ = ["packet_ids", "vbi_cut", "vbi_long", "vbi_minimal"]


def vbi_long(spec: Spec, draft: Draft, index: int, values: Iterable[bytes], where: str) -> Iterator[Vector]:
    """Yield Variable Byte Integers whose fourth byte has a continuation bit."""
    for data in values:
        wrong = draft.put(index, data)
        found = rule_breach(spec, "vbi_long", V5, wrong.at(index) + 3, wrong.atoms[index].field)
        yield Vector("vbi-long", f"{where}{data.hex()}", wrong, found)


def vbi_minimal(spec: Spec, draft: Draft, index: int, value: bytes, where: str) -> Iterator[Vector]:
    """Yield a value of one byte in two, three and four bytes."""
    for size in (2, 3, 4):
        wrong = draft.put(index, padded(value, size))
        found = rule_breach(spec, "vbi_minimal", V5, wrong.at(index) + size - 1, wrong.atoms[index].field)
        yield Vector("vbi-minimal", f"{where}in-{size}-bytes", wrong, found)


def vbi_cut(spec: Spec, draft: Draft, index: int, where: str) -> Iterator[Vector]:
    """Yield Variable Byte Integers that are cut off. The integer must be the last piece of its packet or list."""
    for size in (1, 2, 3):
        wrong = draft.put(index, b"\x80" * size)
        found = rule_breach(spec, "truncated", V5, wrong.at(index) + size - 1, wrong.atoms[index].field)
        yield Vector("vbi-cut", f"{where}cut-after-{size}", wrong, found)


def packet_ids(spec: Spec, draft: Draft) -> Iterator[Vector]:
    """Yield Packet Identifiers of 0, and the largest."""
    for i, atom in draft.indexed("int"):
        if isinstance(atom.source, Field) and atom.source.zero:
            found = zero_breach(spec, atom.source, draft.sender, draft.version, draft.at(i) + 1, atom.field)
            where = f"{draft.packet.name}/{atom.field}"
            yield Vector("packet-id-zero" if found else "legal", f"{where}/zero", draft.put(i, b"\0\0"), found)
            yield Vector("legal", f"{where}/largest", draft.put(i, b"\xff\xff"))
