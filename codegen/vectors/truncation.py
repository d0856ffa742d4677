# SPDX-License-Identifier: MIT
"""Damage by truncation: packets and property lists that end at each byte, with a length that agrees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from codegen.model import Field, Spec
from codegen.vectors.book import NEW, Vector
from codegen.vectors.breaches import Breach, breach, needs_breach, required_breach, rule_breach
from codegen.vectors.draft import Atom, Draft, Pieces, vbi
from codegen.vectors.samples import required_properties

__all__ = ["truncation"]


def truncation(spec: Spec, draft: Draft, label: str) -> Iterator[Vector]:
    """Yield the packet cut at each byte; then with each property list cut at each byte, while the packet continues."""
    for size in range(sum(len(d) for d in draft.filled())):
        yield from _packet_ends(spec, draft, size, label)
    for i, atom in draft.indexed("proplen"):
        for size in range(1, draft.section_size(atom.field)):
            yield _section_ends(spec, draft, i, size, label)


class _Cut(NamedTuple):
    """The end of a cut packet: in (or before) an atom, `there` bytes after its start."""

    number: int
    atom: Atom
    start: int
    there: int


def _packet_ends(spec: Spec, draft: Draft, size: int, label: str) -> Iterator[Vector]:
    """Yield the packet whose body ends after `size` bytes."""
    cut = _cut(draft, size)
    inside = cut.there - len(cut.atom.data)
    if 1 < inside < draft.section_size(cut.atom.field) - 1:
        return  # all cuts within a property list are detected at the same byte
    kind, field, found = _packet_breach(spec, draft, cut)
    name = draft.packet.name
    packet = Pieces(draft.version, draft.sender, [draft.head()[0], vbi(size), *_parted(draft, size)])
    if found is None:
        yield Vector("legal", f"{name}/{label}-ends-before-{field}", packet)
        return
    yield Vector(kind, f"{name}/{field}/{label}-cut-at-{size}", packet, found)
    if cut.atom.role in ("name", "level"):
        early = rule_breach(spec, "truncated", NEW, found.offset, found.field)
        yield Vector(kind, f"{name}/{field}/{label}-cut-at-{size}", packet, early, NEW)


def _cut(draft: Draft, size: int) -> _Cut:
    """Return the piece in which a body of `size` bytes ends. A Property Length and its section count as one piece."""
    at = 0
    for number, (atom, data) in enumerate(zip(draft.atoms, draft.filled(), strict=True)):
        if size - at < len(data) + draft.section_size(atom.field):
            return _Cut(number, replace(atom, data=data), 1 + len(vbi(size)) + at, size - at)
        at += len(data)
    raise AssertionError(f"{draft.packet.name} has no byte {size} to end at")


def _packet_breach(spec: Spec, draft: Draft, cut: _Cut) -> tuple[str, str, Breach | None]:
    """Return kind, field and breach of a packet that ends at `cut`."""
    number, atom, start, there = cut
    version = draft.version
    if there >= len(atom.data):
        last = start + len(atom.data) - 1
        return "property-length", atom.field, rule_breach(spec, "truncated", version, last, atom.field)
    if there == 0:
        if atom.last or atom.role == "rest":
            return "property-required", atom.field, _lacking(spec, draft, draft.atoms[:number], start - 1)
        if atom.head:
            whole = next(f for f in draft.packet.fields if f.name == atom.field.split(".")[0])
            return "empty-list", whole.name, breach(spec, whole.empty, whole.reason, version, start, whole.name)
        if isinstance(atom.source, Field) and version in atom.source.missing and atom.role not in ("name", "level"):
            missing = atom.source.missing
            return "missing", atom.field, breach(spec, missing, "MALFORMED_PACKET", version, start, atom.field)
    if atom.role == "rest":
        return "legal", atom.field, None
    return "truncation", atom.field, _truncated(spec, version, atom, start, there)


def _parted(draft: Draft, size: int) -> list[bytes]:
    """Return the first `size` bytes of the body, in the same parts."""
    out = []
    for data in draft.filled():
        out.append(data[:size])
        size -= len(out[-1])
    return out


def _section_ends(spec: Spec, draft: Draft, length: int, size: int, label: str) -> Vector:
    """Return the packet whose property list ends after `size` bytes. `length` is the number of its Property Length."""
    index, there = length + 1, size
    while there >= len(draft.atoms[index].data):
        there -= len(draft.atoms[index].data)
        index += 1
    atom = draft.atoms[index]
    rest = [a for a in draft.atoms[index:] if a.section != atom.section]
    kept = [replace(atom, data=atom.data[:there])] if there else []
    cut = replace(draft, atoms=(*draft.atoms[:index], *kept, *rest))
    start = cut.at(index)
    where = f"{draft.packet.name}/{atom.field}/{label}-section"
    if there or atom.role != "id":
        found = _truncated(spec, draft.version, atom, start, there)
        return Vector("property-crossing", f"{where}-cut-at-{size}", cut, found)
    found = _lacking(spec, draft, draft.atoms[:index], start - 1)
    if found is None:
        return Vector("legal", f"{draft.packet.name}/{label}-section-ends-before-{atom.field}", cut)
    kind = "property-required" if found.statement.endswith("required") else "property-needs"
    return Vector(kind, f"{where}-ends-at-{size}", cut, found)


def _truncated(spec: Spec, version: int, atom: Atom, start: int, there: int) -> Breach | None:
    """Return the breach of a piece at `start` with only `there` bytes. Its length may show the cut before its end."""
    at = start
    if atom.role in ("utf8", "binary", "name") and there >= 2:
        at = start if atom.data[0] << 8 > there - 2 else start + 1
    elif atom.role in ("vbi", "proplen") and there:
        at = start + there - 1
    return rule_breach(spec, "truncated", version, at, atom.field)


def _lacking(spec: Spec, draft: Draft, kept: Sequence[Atom], offset: int) -> Breach | None:
    """Return the breach of a packet or property list that ends where it may, but lacks a property."""
    properties = {a.field for a in kept if a.role == "id"}
    names = {a.field for a in kept}
    for field in draft.packet.fields:
        if field.set and draft.version in field.versions and (not field.when or field.name in names):
            for prop in required_properties(spec, field.set, draft.sender):
                if f"{field.name}.{prop.name}" not in properties:
                    return required_breach(spec, prop, field, offset)
            for prop in spec.property_set(field.set, draft.sender):
                if prop.needs and field.set in prop.needs_in and f"{field.name}.{prop.name}" in properties:
                    if f"{field.name}.{prop.needs}" not in properties:
                        return needs_breach(spec, prop, field, offset)
    return None
