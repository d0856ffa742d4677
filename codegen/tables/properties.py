# SPDX-License-Identifier: MIT
"""`properties.toml`: the 27 properties, where each may stand, and the rules about it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from codegen.model import Limits, Place, Placement, Property, Rule
from codegen.tables.reader import SENDERS, Reader, SpecError, TableFile, unique

__all__ = ["read_properties"]


def read_properties(file: TableFile, types: Set[str], sets: Set[str]) -> tuple[Rule, tuple[Property, ...]]:
    """The rule that an unknown property breaks, and the properties: of these types, in these property sets."""
    unknown = _unknown(file.take("unknown"))
    properties = tuple(_property(row, types, sets) for row in file.rows("property"))
    by_name = unique(properties, file.name)
    ids: dict[int, str] = {}
    for prop in properties:
        row = f"property {prop.name}"
        if prop.id in ids:
            raise SpecError(file.name, row, "id", f"0x{prop.id:02X} is taken by {ids[prop.id]}")
        ids[prop.id] = prop.name
        if prop.needs and prop.needs not in by_name:
            raise SpecError(file.name, row, "needs", f"there is no property {prop.needs!r}")
    return unknown, properties


def _unknown(data: Mapping[str, Any]) -> Rule:
    r = Reader("properties.toml", "unknown", data)
    rule = Rule(
        name="unknown_property",
        kind="type",
        reason=r.take("reason", str),
        cites={5: r.identifier("cites", r.take("cites", str))},
        server={},
        section=r.take("section", str),
        binds="both",
        level="must",
        meaning=r.take("meaning", str),
    )
    r.done()
    return rule


def _property(data: Mapping[str, Any], known: Set[str], sets: Set[str]) -> Property:
    r = Reader("properties.toml", f"property {data.get('name')}", data)
    kind = r.take("type", str)
    if kind not in known:
        raise r.error("type", f"there is no type {kind!r}")
    places = []
    for place in r.subs("in"):
        p = r.sub("in", f"in {place.get('packet')}", place)
        packet = p.take("packet", str)
        if packet not in sets:
            raise p.error("packet", f"{packet!r} has no properties; {', '.join(sorted(sets))} have")
        places.append(
            Place(
                packet=packet,
                senders=SENDERS[p.one_of("from", SENDERS)],
                section=p.take("section", str),
                many=p.take("many", bool, False),
                required=p.take("required", str, ""),
            )
        )
        p.done()
    if not places:
        raise r.error("in", "a property has to stand in at least one packet")
    limits = None
    if "range" in r.data:
        g = r.sub("range", "range", r.take("range", dict))
        limits = Limits(
            minimum=g.take("min", int, 0),
            allowed=tuple(g.take("allowed", list, [])),
            breach=g.take("breach", str),
            cites=g.identifier("cites", g.take("cites", str)) if "cites" in g.data else "",
        )
        g.done()
    repeat = r.sub("repeat", "repeat", r.take("repeat", dict, {}))
    breach = repeat.take("breach", str, "")
    repeat.done()
    if not breach and not all(p.many for p in places):
        raise r.error("repeat", "a property that may stand only once says what its breach is")
    needs = r.sub("needs", "needs", r.take("needs", dict, {}))
    elsewhere = []
    for place in r.subs("elsewhere"):
        p = r.sub("elsewhere", f"elsewhere {place.get('packet')}", place)
        elsewhere.append(
            Placement(
                packet=p.take("packet", str),
                sender=p.one_of("from", ("client", "server")),
                breach=p.take("breach", str),
                cites=p.identifier("cites", p.take("cites", str)),
            )
        )
        p.done()
    row = Property(
        id=r.take("id", int),
        name=r.take("name", str),
        title=r.take("title", str),
        type=kind,
        places=tuple(places),
        repeat=breach,
        limits=limits,
        needs=needs.take("property", str, ""),
        needs_in=tuple(needs.take("in", list, [])),
        needs_breach=needs.take("breach", str, ""),
        elsewhere=tuple(elsewhere),
        also=tuple(r.identifier("also", i) for i in r.take("also", list, [])),
        cites={k: r.identifier("cites", v) for k, v in r.take("cites", dict, {}).items()},
    )
    needs.done()
    r.done()
    return row
