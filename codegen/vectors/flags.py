# SPDX-License-Identifier: MIT
"""Damage of bytes of bits: Connect Flags, Connect Acknowledge Flags and Subscription Options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codegen.model import Field, Spec
from codegen.vectors.book import Vector
from codegen.vectors.breaches import Breach, check_breach
from codegen.vectors.draft import Draft, string
from codegen.vectors.samples import FILTERS, bit_names, draft
from codegen.vectors.truncation import truncation

__all__ = ["bit_fields", "optional_strings"]

ALONE = ((0x82, "username"), (0x42, "password"), (0x06, "will"), (0x26, "retained-will"), (0x16, "will-qos-2"))
"""Connect Flags that announce one field, with a label."""


def bit_fields(spec: Spec, plain: Draft) -> Iterator[Vector]:
    """Try all 256 values of each byte of bits. Of the values that fail the same checks, a few are kept."""
    for field in plain.packet.fields:
        if plain.version not in field.versions:
            continue
        if field.types[plain.version] == "bits":
            yield from _bit_field(spec, plain, field, field.name, {})
        for item in field.items:
            if item.types[plain.version] == "bits":
                for text, label in ((FILTERS[0], ""), ("$share/g/a", "/shared")):
                    name = f"{field.name}.{item.name}"
                    sample = plain.put(plain.find(name) - 1, string(text))
                    yield from _bit_field(spec, sample, item, name, {"topic_filter": text}, label)


def _bit_field(
    spec: Spec, sample: Draft, field: Field, name: str, before: dict[str, Any], label: str = ""
) -> Iterator[Vector]:
    """Try all values of one byte. `before` are the values of earlier fields that its checks use."""
    index = sample.find(name, "bits")
    at = sample.at(index)
    groups: dict[frozenset[int], tuple[Breach | None, list[int]]] = {}
    for value in range(256):
        names = {**before, **bit_names(field.bits, value, sample.version)}
        bad, failing = check_breach(spec, field.checks, sample.version, names, at, name)
        groups.setdefault(failing, (bad, []))[1].append(value)
    for failing, (bad, values) in groups.items():
        kind = "bits" if bad else "legal"
        if bad and [field.checks[n].kind for n in failing] == ["cross_field"]:
            kind = "cross-field"
        for value in sorted({values[0], values[-1], *(v for v in values if v.bit_count() == 1)}):
            packet = sample.put(index, bytes([value]))
            if bad is None and field.name == "connect_flags":
                packet = draft(spec, sample.packet, sample.version, sample.sender, bits={field.name: value})
            yield Vector(kind, f"{sample.packet.name}/{name}{label}/{value:08b}", packet, bad)


def optional_strings(spec: Spec, plain: Draft) -> Iterator[Vector]:
    """Yield CONNECT packets whose flags announce only one field: complete, and cut off."""
    flags = plain.packet.fields[1]
    for value, label in ALONE:
        names = bit_names(flags.bits, value, plain.version)
        if check_breach(spec, flags.checks, plain.version, names, 0, "")[0] is None:
            packet = draft(spec, plain.packet, plain.version, plain.sender, bits={"connect_flags": value})
            yield Vector("legal", f"{plain.packet.name}/{label}-alone", packet)
            yield from truncation(spec, packet, f"{label}-alone")
