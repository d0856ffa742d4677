# SPDX-License-Identifier: MIT
"""Damage by rules between fields: each field is legal alone, but not all of them together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from codegen.model import V5, Packet, Spec
from codegen.tables.reader import SpecError
from codegen.vectors.book import Vector
from codegen.vectors.breaches import breach
from codegen.vectors.draft import Draft
from codegen.vectors.samples import codes, draft, entries

__all__ = ["cross_fields"]


def cross_fields(spec: Spec, packet: Packet, version: int, sender: str) -> Iterator[Vector]:
    """Try to make each check fail that compares a field with earlier fields.

    Raises:
        SpecError: no attempt makes a check fail, so it would be untested.
    """
    for field in packet.fields:
        if version not in field.versions or field.types[version] == "bits":
            continue
        for check in field.checks:
            if version not in check.cites:
                continue
            count = 0
            for label, sample, names in _attempts(spec, packet, version, sender):
                if eval(check.expression, {}, names):
                    end = sample.last_byte(sample.find(field.name))
                    found = breach(spec, check.cites, check.reason, version, end, field.name)
                    yield Vector("cross-field", f"{packet.name}/{field.name}/{label}", sample, found)
                    count += 1
            if not count:
                text = f"nothing breaks {check.expression!r}: add it to `_attempts` in codegen/vectors/cross_fields.py"
                raise SpecError("packets.toml", f"packet {packet.name}", "check", text)


def _attempts(spec: Spec, packet: Packet, version: int, sender: str) -> Iterator[tuple[str, Draft, dict[str, Any]]]:
    """Yield packets with combined special values of their fields, and the names that an expression can use."""
    if packet.name == "CONNACK":
        known = codes(spec, packet, packet.fields[1], version, sender)
        for flags, code in itertools.product((0, 1), known):
            sample = draft(spec, packet, version, sender, bits={"acknowledge_flags": flags})
            sample = sample.put(sample.find("reason_code"), bytes([code]))
            yield f"{flags}-{code:02x}", sample, {"session_present": flags, "reason_code": code}
    elif packet.name == "PUBLISH":
        props = [p for p in spec.property_set("PUBLISH", sender) if p.name != "topic_alias"] if version == V5 else []
        for qos in (0, 1, 2):
            for label, chosen in (("bare", []), ("with-properties", entries(spec, props))):
                sample = draft(spec, packet, version, sender, flags=qos << 1, sets={"PUBLISH": chosen})
                sample = sample.put(sample.find("topic"), b"\0\0")
                yield f"empty-topic-{label}-qos-{qos}", sample, {"topic": "", "has_topic_alias": False}
    else:
        text = "no packet breaks its checks: add some to `_attempts` in codegen/vectors/cross_fields.py"
        raise SpecError("packets.toml", f"packet {packet.name}", "check", text)
