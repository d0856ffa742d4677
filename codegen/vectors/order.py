# SPDX-License-Identifier: MIT
"""Two breaches in one packet: the left one must be reported."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from codegen.model import Field, Spec
from codegen.vectors.book import Vector
from codegen.vectors.breaches import Breach, breach, code_breach, rule_breach, unknown_property_breach, zero_breach
from codegen.vectors.draft import Atom, Draft

__all__ = ["two_breaches"]


def two_breaches(spec: Spec, full: Draft) -> Iterator[Vector]:
    """Damage each pair of neighbours; also the first of them together with the flags."""
    name = full.packet.name
    spots: list[tuple[int, bytes, Breach]] = []
    for i, atom in enumerate(full.atoms):
        data, found = _spoilt(spec, full, atom, full.at(i))
        if found is not None:
            spots.append((i, data, found))
    for (left, one, found), (right, two, _) in itertools.pairwise(spots):
        wrong = full.put(left, one).put(right, two)
        yield Vector("order", f"{name}/{full.atoms[left].field}/before-{full.atoms[right].field}", wrong, found)
    if spots and full.packet.flag_cites.get(full.version):
        i, data, _ = spots[0]
        wrong = replace(full.put(i, data), flags=full.flags ^ 15)
        first = breach(spec, full.packet.flag_cites, "MALFORMED_PACKET", full.version, 0, "fixed_header")
        yield Vector("order", f"{name}/flags/before-{full.atoms[i].field}", wrong, first)


def _spoilt(spec: Spec, full: Draft, atom: Atom, at: int) -> tuple[bytes, Breach | None]:
    """Return damaged bytes of the same size for an atom at offset `at`, and the breach, or None if there are none."""
    version = full.version
    source = atom.source
    if atom.role == "int" and isinstance(source, Field) and source.zero:
        return b"\0\0", zero_breach(spec, source, full.sender, version, at + 1, atom.field)
    if atom.role == "code" and isinstance(source, Field):
        return b"\x7f", code_breach(spec, source, version, at, atom.field)
    if atom.role == "id":
        return b"\x7e", unknown_property_breach(spec, at, atom.section)
    if atom.role == "utf8":
        data = atom.data[:-1] + b"\xff"
        return data, rule_breach(spec, "utf8_ill_formed", version, at + len(data) - 1, atom.field, source)
    return b"", None
