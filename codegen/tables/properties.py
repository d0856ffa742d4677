# SPDX-License-Identifier: MIT
"""Reads `properties.toml`: the properties, the packets that may carry them, and their rules."""

from __future__ import annotations

from collections.abc import Set

from codegen.model import Limits, Place, Placement, Property, Rule
from codegen.tables.reader import SENDERS, Reader, SpecError, TableFile, unique

__all__ = ["read_properties"]

OWNERS = ("message", "connection", "subscriber")


def read_properties(file: TableFile, types: Set[str], sets: Set[str]) -> tuple[Rule, tuple[Property, ...]]:
    """Read the rule that an unknown property breaks, and the properties.

    `types` and `sets` are the types and property sets that a property may name.
    """
    unknown = _unknown(file.table("unknown"))
    properties = tuple(_property(row, types, sets) for row in file.rows("property"))
    by_name = unique(properties, file.file)
    ids: dict[int, str] = {}
    for prop in properties:
        row = f"property {prop.name}"
        if prop.id in ids:
            raise SpecError(file.file, row, "id", f"0x{prop.id:02X} is the id of {ids[prop.id]}")
        ids[prop.id] = prop.name
        if prop.needs and prop.needs not in by_name:
            raise SpecError(file.file, row, "needs", f"there is no property {prop.needs!r}")
    return unknown, properties


def _unknown(r: Reader) -> Rule:
    return Rule(
        name="unknown_property",
        kind="type",
        reason=r.take("reason", str),
        cites={5: r.cite("cites")},
        server={},
        section=r.take("section", str),
        binds="both",
        level="must",
        meaning=r.take("meaning", str),
    )


def _property(r: Reader, known: Set[str], sets: Set[str]) -> Property:
    kind = r.take("type", str)
    if kind not in known:
        raise r.error("type", f"there is no type {kind!r}")
    places = tuple(_place(p, sets) for p in r.rows("in", key="packet"))
    if not places:
        raise r.error("in", "a property must be in at least one packet")
    breach = r.table("repeat").take("breach", str, "")
    if not breach and not all(p.many for p in places):
        raise r.error("repeat", "a property that may occur only once must name its breach")
    needs = r.table("needs")
    return Property(
        id=r.take("id", int),
        name=r.take("name", str),
        title=r.take("title", str),
        type=kind,
        places=places,
        repeat=breach,
        limits=_limits(r.table("range")) if "range" in r.data else None,
        needs=needs.take("property", str, ""),
        needs_in=tuple(needs.take("in", list, [])),
        needs_breach=needs.take("breach", str, ""),
        elsewhere=tuple(_placement(p) for p in r.rows("elsewhere", key="packet")),
        also=tuple(r.cite("also", one) for one in r.take("also", list, [])),
        cites={rule: r.cite("cites", one) for rule, one in r.take("cites", dict, {}).items()},
    )


def _place(r: Reader, sets: Set[str]) -> Place:
    packet = r.take("packet", str)
    if packet not in sets:
        raise r.error("packet", f"{packet!r} has no properties; it must be one of {', '.join(sorted(sets))}")
    return Place(
        packet=packet,
        senders=SENDERS[r.one_of("from", SENDERS)],
        section=r.take("section", str),
        many=r.take("many", bool, False),
        required=r.take("required", str, ""),
        belongs=r.one_of("belongs", OWNERS, "message"),
        counts_down=r.take("counts_down", bool, False),
        says_utf8=r.take("says_utf8", bool, False),
    )


def _placement(r: Reader) -> Placement:
    return Placement(
        packet=r.take("packet", str),
        sender=r.one_of("from", ("client", "server")),
        breach=r.take("breach", str),
        cites=r.cite("cites"),
    )


def _limits(r: Reader) -> Limits:
    return Limits(
        minimum=r.take("min", int, 0),
        allowed=tuple(r.take("allowed", list, [])),
        breach=r.take("breach", str),
        cites=r.cite("cites") if "cites" in r.data else "",
    )
