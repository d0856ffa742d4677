# SPDX-License-Identifier: MIT
"""Finds what a damaged packet breaks: the statement that the tables cite, and the byte that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codegen.model import KINDS, V5, Check, Cites, Field, Property, Spec

__all__ = [
    "Breach",
    "breach",
    "check_breach",
    "code_breach",
    "needs_breach",
    "required_breach",
    "rule_breach",
    "unknown_property_breach",
    "zero_breach",
]


@dataclass(frozen=True)
class Breach:
    """A broken statement, the byte and field that show it, and the version that judges it (0: not known yet)."""

    statement: str
    reason: int
    offset: int
    field: str
    judged: int
    also: tuple[str, ...] = ()
    """Statements with the same meaning."""
    level: str = "must"


def breach(
    spec: Spec, cites: Cites, reason: str, version: int, offset: int, field: str, also: tuple[str, ...] = ()
) -> Breach | None:
    """Return the breach of the cited statement, or None if the version has no such rule."""
    statement = cites.get(version or V5)
    if statement is None:
        return None
    others = tuple(a for a in also if a != statement)
    level = spec.statements[statement].level
    return Breach(statement, spec.reason_code(reason), offset, field, version, others, level)


def rule_breach(
    spec: Spec, name: str, version: int, offset: int, field: str, source: Field | Property | None = None
) -> Breach | None:
    """Return the breach of a general rule, with the statement that the field or property cites."""
    if isinstance(source, Property) and spec.wire_of(source.type) == "utf8_pair":
        name = {"utf8_ill_formed": "pair_ill_formed", "utf8_null": "pair_null"}.get(name, name)
    rule = spec.rules[name]
    cites: Cites = dict(rule.cites)
    also: tuple[str, ...] = ()
    if isinstance(source, Field):
        cites = {**cites, **source.rules.get(name, {})}
        if rule.kind == "utf8" and (version or V5) in source.also:
            also = (source.also[version or V5],)
    elif isinstance(source, Property):
        if name in source.cites:
            cites = {V5: source.cites[name]}
        if rule.kind == "utf8":
            also = source.also
    return breach(spec, cites, rule.reason, version, offset, field, also)


def check_breach(
    spec: Spec, checks: Sequence[Check], version: int, names: dict[str, Any], offset: int, field: str
) -> tuple[Breach | None, frozenset[int]]:
    """Return the breach of the first failing check (by kind, then by order), and the numbers of all failing checks."""
    failing = []
    for number, check in enumerate(checks):
        if (version or V5) in check.cites and eval(check.expression, {}, names):
            failing.append((KINDS.index(check.kind), number))
    if not failing:
        return None, frozenset()
    check = checks[min(failing)[1]]
    return breach(spec, check.cites, check.reason, version, offset, field), frozenset(n for _, n in failing)


def zero_breach(spec: Spec, field: Field, sender: str, version: int, offset: int, name: str) -> Breach | None:
    """Return the breach of a Packet Identifier of 0 from `sender`."""
    cites = field.zero.get(sender) or field.zero.get("both", {})
    return breach(spec, cites, field.reason, version, offset, name)


def code_breach(spec: Spec, field: Field, version: int, offset: int, name: str) -> Breach | None:
    """Return the breach of a Reason Code that the packet must not carry."""
    return breach(spec, field.cites, field.reason, version, offset, name)


def unknown_property_breach(spec: Spec, offset: int, section: str) -> Breach | None:
    """Return the breach of an unknown property identifier."""
    rule = spec.unknown_property
    return breach(spec, rule.cites, rule.reason, V5, offset, section)


def required_breach(spec: Spec, prop: Property, field: Field, offset: int) -> Breach | None:
    """Return the breach of a property list without a required property."""
    place = prop.place(field.set)
    assert place is not None
    cites = {V5: f"X5-{field.set.lower()}-{prop.name}-required"}
    return breach(spec, cites, place.required, V5, offset, field.name)


def needs_breach(spec: Spec, prop: Property, field: Field, offset: int) -> Breach | None:
    """Return the breach of a property without the other property that it needs."""
    return breach(spec, {V5: f"X5-{prop.name}-needs"}, prop.needs_breach, V5, offset, field.name)
