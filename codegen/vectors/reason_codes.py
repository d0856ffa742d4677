# SPDX-License-Identifier: MIT
"""Damage of Reason Codes and return codes: codes that the packet must not carry."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.model import V5, Field, Spec
from codegen.vectors.book import Vector
from codegen.vectors.breaches import code_breach
from codegen.vectors.draft import Draft
from codegen.vectors.samples import codes

__all__ = ["reason_codes"]


def reason_codes(spec: Spec, plain: Draft) -> Iterator[Vector]:
    """Yield all illegal codes that the standard knows, illegal neighbours of legal codes, and the legal codes."""
    version = plain.version
    for i, atom in plain.indexed("code"):
        field = atom.source
        assert isinstance(field, Field)
        at = plain.at(i)
        where = f"{plain.packet.name}/{atom.field}"
        allowed = set(codes(spec, plain.packet, field, version, plain.sender))
        known = {r.code for r in spec.reasons} if version == V5 else set(range(8)) | {0x80, 0x82, 0x83}
        near = {c + d for c in allowed for d in (-1, 1)} | {0x7F, 0x81, 0xA3, 0xFE, 0xFF}
        for code in sorted(c for c in (known | near) - allowed if 0 <= c < 256):
            found = code_breach(spec, field, version, at, atom.field)
            yield Vector("reason-code", f"{where}/{code:02x}", plain.put(i, bytes([code])), found)
        for code in sorted(allowed):
            yield Vector("legal", f"{where}/{code:02x}", plain.put(i, bytes([code])))
        if len(allowed) > 1 and field.types[version] == "reasons":
            bad = next(c for c in range(256) if c not in allowed)
            three = plain.put(i, bytes([max(allowed), bad, bad]))
            yield Vector("reason-code", f"{where}/second", three, code_breach(spec, field, version, at + 1, atom.field))
