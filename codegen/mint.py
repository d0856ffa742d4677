# SPDX-License-Identifier: MIT
"""Mints the statements that the tables imply: rules that the standards state without a number."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.model import Check, Cites, Field, Packet, Rule, Spec, Statement
from codegen.tables.reader import Origin

__all__ = ["mint"]

SOURCES = {
    5: "MQTT Version 5.0, OASIS Standard, 07 March 2019, stated without a number",
    4: "MQTT Version 3.1.1, OASIS Standard, 29 October 2014, stated without a number",
    3: "MQTT V3.1 Protocol Specification, 2010, as known from its differences to 3.1.1",
}


def mint(spec: Spec) -> Iterator[tuple[Statement, Origin]]:
    """Yield every minted statement, with the file, row and column that it comes from."""
    for rule in (*spec.rules.values(), spec.unknown_property):
        origin = ("types.toml, packets.toml", f"rule {rule.name}", "cites")
        yield from _from_rule(rule, origin)
    for packet in spec.packets:
        for check in packet.header_checks:
            yield from _from_check(check, packet.section, ("packets.toml", f"packet {packet.name}", "check"))
        for field in packet.every_field():
            origin = ("packets.toml", f"packet {packet.name}, field {field.name}", "cites")
            for check in field.checks:
                yield from _from_check(check, packet.section, origin)
            yield from _from_field(field, packet, origin)
    for prop in spec.properties:
        yield from _from_property(spec, prop.name)


def _statement(
    identifier: str, version: int, *, binds: str, section: str, meaning: str, level: str = "must"
) -> Statement:
    return Statement(
        id=identifier,
        version=version,
        level=level,
        binds=binds,
        section=section,
        meaning=meaning,
        source=SOURCES[version],
        minted=True,
        confirmed="",
    )


def _minted(cites: Cites) -> Iterator[tuple[int, str]]:
    for version, identifier in cites.items():
        if identifier.startswith("X"):
            yield version, identifier


def _from_rule(rule: Rule, origin: Origin) -> Iterator[tuple[Statement, Origin]]:
    for version, identifier in _minted(rule.cites):
        if rule.meaning:
            yield (
                _statement(
                    identifier,
                    version,
                    binds=rule.binds or "both",
                    section=rule.section,
                    meaning=rule.meaning,
                    level=rule.level,
                ),
                origin,
            )


def _from_check(check: Check, section: str, origin: Origin) -> Iterator[tuple[Statement, Origin]]:
    for version, identifier in _minted(check.cites):
        if check.meaning:
            yield (
                _statement(
                    identifier,
                    version,
                    binds=check.binds or "both",
                    section=check.section or section,
                    meaning=check.meaning,
                ),
                origin,
            )


def _from_field(field: Field, packet: Packet, origin: Origin) -> Iterator[tuple[Statement, Origin]]:
    if not field.meaning:
        return
    for cites in (field.cites, field.empty, *field.zero.values()):
        for version, identifier in _minted(cites):
            yield (
                _statement(
                    identifier,
                    version,
                    binds=field.binds or "both",
                    section=field.section or packet.section,
                    meaning=field.meaning,
                ),
                origin,
            )


def _from_property(spec: Spec, name: str) -> Iterator[tuple[Statement, Origin]]:
    prop = next(p for p in spec.properties if p.name == name)
    origin = ("properties.toml", f"property {name}", "in")
    senders = frozenset(s for p in prop.places for s in p.senders)
    binds = "both" if len(senders) == 2 else next(iter(senders))
    packets = [p.packet for p in prop.places]
    names = ", ".join("the Will Properties" if p == "WILL" else p for p in packets)
    section = prop.places[0].section
    yield (
        _statement(
            f"X5-{name}-placement",
            5,
            binds="both",
            section="2.2.2.2",
            meaning=f"{prop.title} stands only in {names}, sent by the side that the table of properties names.",
        ),
        origin,
    )
    if prop.repeat:
        once = ", ".join("the Will Properties" if p.packet == "WILL" else p.packet for p in prop.places if not p.many)
        yield (
            _statement(
                f"X5-{name}-once",
                5,
                binds=binds,
                section=section,
                meaning=f"{prop.title} stands at most once in {once}.",
            ),
            origin,
        )
    if prop.limits and not prop.limits.cites:
        values = " or ".join(str(v) for v in prop.limits.allowed) or f"at least {prop.limits.minimum}"
        yield (
            _statement(
                f"X5-{name}-range", 5, binds=binds, section=section, meaning=f"The value of {prop.title} is {values}."
            ),
            origin,
        )
    if prop.needs:
        other = next((p.title for p in spec.properties if p.name == prop.needs), prop.needs)
        place = next((p for p in prop.places if p.packet in prop.needs_in), prop.places[0])
        yield (
            _statement(
                f"X5-{name}-needs",
                5,
                binds=binds if len(place.senders) == 2 else next(iter(place.senders)),
                section=place.section,
                meaning=f"A {' or '.join(prop.needs_in)} with {prop.title} carries {other} too.",
            ),
            origin,
        )
    for place in prop.places:
        if place.required:
            yield (
                _statement(
                    f"X5-{place.packet.lower()}-{name}-required",
                    5,
                    binds="both" if len(place.senders) == 2 else next(iter(place.senders)),
                    section=place.section,
                    meaning=f"Every {place.packet} carries {prop.title}.",
                ),
                origin,
            )
