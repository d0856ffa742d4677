# SPDX-License-Identifier: MIT
"""Checks the references between tables: Reason Codes, packets and statements that are named must exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from codegen.model import BLOCK, BOTH, Cites, Field, Place, Property, Spec
from codegen.tables.reader import Origin, SpecError

__all__ = ["check_block", "check_citations", "check_reasons"]

TYPES, PACKETS, PROPERTIES = "types.toml, packets.toml", "packets.toml", "properties.toml"


def check_reasons(spec: Spec) -> None:
    """Refuse a breach with an unknown Reason Code, and a Reason Code in an unknown packet."""
    reasons = {r.name for r in spec.reasons}
    for origin, reason in _reasons_named(spec):
        if reason not in reasons:
            raise SpecError(*origin, f"there is no Reason Code {reason!r}")
    packets = {p.name for p in spec.packets}
    for row in spec.reasons:
        for packet, _, _ in row.places:
            if packet not in packets:
                raise SpecError("reasons.toml", f"reason {row.name}", "in", f"there is no packet {packet!r}")


def check_citations(spec: Spec) -> None:
    """Refuse a citation of a statement that does not exist."""
    for origin, cited in _statements_cited(spec):
        if cited not in spec.statements:
            raise SpecError(*origin, f"there is no statement {cited!r}")


def check_block(spec: Spec) -> None:
    """Refuse rows about forwarding that a server cannot follow, or that the generated code does not support."""
    forms: dict[str, tuple[str, bool, Callable[[Place], bool]]] = {
        "belongs = connection": ("u16", False, lambda p: p.belongs == "connection"),
        "belongs = subscriber": ("vbi", True, lambda p: p.belongs == "subscriber"),
        "counts_down": ("u32", False, lambda p: p.counts_down),
        "says_utf8": ("u8", False, lambda p: p.says_utf8),
    }
    for prop in spec.properties:
        for place in prop.places:
            _check_place(spec, prop, place)
    for column, (wire, many, marked) in forms.items():
        rows = [(prop, place) for prop in spec.properties for place in prop.places if marked(place)]
        if len(rows) != 1:
            names = ", ".join(p.name for p, _ in rows) or "none"
            raise SpecError(PROPERTIES, f"packet {BLOCK}", column, f"exactly one property must have it, not {names}")
        prop, place = rows[0]
        row = f"property {prop.name}"
        if spec.wire_of(prop.type) != wire or place.many != many:
            raise SpecError(PROPERTIES, row, column, f"must be a {wire}, {'many' if many else 'not many'}")
        if column == "belongs = connection" and (prop.limits is None or prop.limits.minimum < 1):
            raise SpecError(PROPERTIES, row, "range.min", "must be 1 or more, since 0 means none")
        if column == "says_utf8" and (prop.limits is None or prop.limits.allowed != (0, 1)):
            raise SpecError(PROPERTIES, row, "range.allowed", "must be 0 or 1")


def _check_place(spec: Spec, prop: Property, place: Place) -> None:
    row = f"property {prop.name}, in {place.packet}"
    forwarding = (place.belongs != "message", place.counts_down, place.says_utf8)
    if any(forwarding) and place.packet != BLOCK:
        raise SpecError(PROPERTIES, row, "belongs, counts_down, says_utf8", f"only properties in {BLOCK} may have it")
    if sum(forwarding) > 1:
        raise SpecError(PROPERTIES, row, "belongs, counts_down, says_utf8", "only one of them may be set")
    if place.packet == BLOCK and place.belongs == "message" and place.senders != BOTH:
        raise SpecError(PROPERTIES, row, "from", "must be `both`: what belongs to the message goes on")
    other = prop.place("WILL")
    if place.packet == BLOCK and other is not None and other.many != place.many:
        raise SpecError(PROPERTIES, row, "many", f"must be the same in WILL, which becomes a {BLOCK}")


def _reasons_named(spec: Spec) -> Iterator[tuple[Origin, str]]:
    for rule in (*spec.rules.values(), spec.unknown_property):
        yield (TYPES, f"rule {rule.name}", "reason"), rule.reason
    for packet in spec.packets:
        row = f"packet {packet.name}"
        for check in packet.header_checks:
            yield (PACKETS, row, "check.reason"), check.reason
        for field in packet.every_field():
            yield (PACKETS, f"{row}, field {field.name}", "reason"), field.reason
            for check in field.checks:
                yield (PACKETS, f"{row}, field {field.name}", "check.reason"), check.reason
    for prop in spec.properties:
        row = f"property {prop.name}"
        if prop.limits:
            yield (PROPERTIES, row, "range.breach"), prop.limits.breach
        if prop.repeat:
            yield (PROPERTIES, row, "repeat.breach"), prop.repeat
        if prop.needs:
            yield (PROPERTIES, row, "needs.breach"), prop.needs_breach
        for place in prop.places:
            if place.required:
                yield (PROPERTIES, row, "required"), place.required
        for other in prop.elsewhere:
            yield (PROPERTIES, row, "elsewhere.breach"), other.breach


def _statements_cited(spec: Spec) -> Iterator[tuple[Origin, str]]:
    for rule in spec.rules.values():
        for cited in (*rule.cites.values(), *rule.server.values()):
            yield (TYPES, f"rule {rule.name}", "cites"), cited
    for packet in spec.packets:
        row = f"packet {packet.name}"
        for cited in packet.flag_cites.values():
            yield (PACKETS, row, "flags.cites"), cited
        for check in packet.header_checks:
            for cited in check.cites.values():
                yield (PACKETS, row, "check.cites"), cited
        for field in packet.every_field():
            for column, cites in _field_cites(field):
                for cited in cites.values():
                    yield (PACKETS, f"{row}, field {field.name}", column), cited
    for prop in spec.properties:
        yield from _property_cites(prop)
    for number, reaction in enumerate(spec.reactions, 1):
        yield ("reactions.toml", f"reaction {number}", "cites"), reaction.cites
        if not reaction.rule.startswith("breach:") and reaction.rule != "*":
            yield ("reactions.toml", f"reaction {number}", "rule"), reaction.rule


def _field_cites(field: Field) -> list[tuple[str, Cites]]:
    return [
        ("missing", field.missing),
        ("also", field.also),
        ("absent", field.absent),
        ("cites", field.cites),
        ("empty", field.empty),
        *(("rules", c) for c in field.rules.values()),
        *(("zero", c) for c in field.zero.values()),
        *(("check.cites", c.cites) for c in field.checks),
    ]


def _property_cites(prop: Property) -> Iterator[tuple[Origin, str]]:
    row = f"property {prop.name}"
    if prop.limits and prop.limits.cites:
        yield (PROPERTIES, row, "range.cites"), prop.limits.cites
    for cited in (*prop.also, *prop.cites.values(), *(e.cites for e in prop.elsewhere)):
        yield (PROPERTIES, row, "cites"), cited
