# SPDX-License-Identifier: MIT
"""Damage of lengths: malformed, too large, or too small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from codegen.model import SERVER, V5, Spec
from codegen.vectors.book import NEW, Vector
from codegen.vectors.breaches import breach, rule_breach
from codegen.vectors.draft import Atom, Draft, Pieces, padded, vbi
from codegen.vectors.integers import vbi_cut, vbi_long, vbi_minimal

__all__ = ["maximum_size", "property_lengths", "remaining_lengths", "string_lengths", "trailing"]


def remaining_lengths(spec: Spec, plain: Draft) -> Iterator[Vector]:
    """Yield Remaining Lengths that are malformed, or have more bytes than needed."""
    name = plain.packet.name
    first, shortest = plain.head()
    for version in (plain.version, NEW) if name == "CONNECT" else (plain.version,):
        for long in (b"\xff\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff"):
            found = rule_breach(spec, "vbi_long", version, 4, "remaining_length")
            packet = Pieces(version, plain.sender, [first, long])
            yield Vector("vbi-long", f"{name}/remaining_length-{long.hex()}", packet, found)
        for size in range(len(shortest) + 1, 5):
            draft = replace(plain, length=padded(shortest, size))
            bad = rule_breach(spec, "vbi_minimal", plain.version, size, "remaining_length")
            where = f"{name}/remaining_length-{size}-bytes"
            yield Vector("vbi-minimal" if bad else "legal", where, draft, bad, version)


def maximum_size(spec: Spec, full: Draft) -> Iterator[Vector]:
    """Yield a packet of exactly the Maximum Packet Size, and one that is a byte larger."""
    rule = spec.rules["packet_too_large"]
    size = full.size()
    cites = rule.server if full.sender == SERVER else rule.cites
    bad = breach(spec, cites, rule.reason, full.version, len(full.head()[1]), "remaining_length")
    yield Vector("legal", f"{full.packet.name}/of-maximum-size", full, maximum=size)
    if size > 2:
        yield Vector("packet-too-large", f"{full.packet.name}/too-large", full, bad, maximum=size - 1)


def trailing(spec: Spec, draft: Draft, label: str) -> Iterator[Vector]:
    """Yield packets with bytes after the last field."""
    field = next((f for f in reversed(draft.packet.fields) if draft.version in f.versions), None)
    if field is not None and field.types[draft.version] in ("rest", "list", "reasons"):
        return
    for extra in (b"\x00", b"\xff\xff", b"\x00\x01a"):
        end = Atom("", "rest", extra, spec.packets[2].fields[0])
        longer = replace(draft, atoms=(*draft.atoms, end))
        found = rule_breach(spec, "trailing", draft.version, longer.at(len(draft.atoms)), "")
        yield Vector("trailing", f"{draft.packet.name}/{label}-and-{extra.hex()}", longer, found)


def string_lengths(spec: Spec, draft: Draft) -> Iterator[Vector]:
    """Yield strings and binary data whose length is larger than the rest."""
    for i, atom in draft.indexed("utf8", "binary", "name"):
        start = draft.at(i)
        rest = draft.end_of(i) - start - 2
        for length, byte in ((rest + 1, 1), (0x0100, 0), (0xFFFF, 0)):
            if length == 0x0100 and rest > 255:
                continue
            wrong = draft.put(i, length.to_bytes(2, "big") + atom.data[2:])
            where = f"{draft.packet.name}/{atom.field}/length-{length:04x}"
            for version in (draft.version, NEW) if atom.role == "name" else (draft.version,):
                found = rule_breach(spec, "truncated", version, start + byte, atom.field)
                yield Vector("string-length", where, wrong, found, version)


def property_lengths(spec: Spec, draft: Draft, index: int, path: str) -> Iterator[Vector]:
    """Yield Property Lengths that go beyond the packet, or are malformed."""
    name = draft.atoms[index].field
    behind = sum(len(d) for d in draft.filled()[index + 1 :])
    for data in (vbi(behind + 1), b"\x7f", vbi(behind + 128), b"\xff\xff\xff\x7f"):
        value = sum((b & 127) << 7 * n for n, b in enumerate(data))
        if value > behind:
            wrong = draft.put(index, data)
            found = rule_breach(spec, "truncated", V5, wrong.at(index) + len(data) - 1, name)
            yield Vector("property-length", f"{path}/length-{value}", wrong, found)
    yield from vbi_long(spec, draft, index, (b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x00"), f"{path}/length-")
    yield from vbi_minimal(spec, draft, index, vbi(draft.section_size(name)), f"{path}/length-")
    yield from vbi_cut(spec, replace(draft, atoms=draft.atoms[: index + 1]), index, f"{path}/length-")
