# SPDX-License-Identifier: MIT
"""Illegal packets of a server by name, derived from the tables, each with the statement that it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from mqtt_ref.wire.generated.vectors import vectors
from mqtt_ref.wire.primitives import SERVER

__all__ = ["Illegal", "illegal", "illegal_packets", "known"]

TAGS: Final = {3: "v31", 4: "v311", 5: "v5"}
VERSIONS: Final = {tag: version for version, tag in TAGS.items()}


class Illegal(NamedTuple):
    """A packet that breaks a rule of the wire format when a server sends it.

    `name`, such as `PUBACK/flags-0001`, is unique in a version. `kind` groups packets by what is damaged.
    """

    name: str
    kind: str
    version: int
    data: bytes
    statement: str
    reason: int


@cache
def _table() -> dict[tuple[int, str], Illegal]:
    found = {}
    for vector in vectors():
        if vector.sender == SERVER and vector.statement and not vector.maximum:
            name = vector.id.split("/", 2)[2]
            found[vector.version, name] = Illegal(
                name, vector.kind, vector.version, vector.data, vector.statement, vector.reason
            )
    return found


def illegal_packets(version: int | None = None) -> Iterator[Illegal]:
    """Return all illegal packets, or those of one version."""
    return (one for one in _table().values() if version in (None, one.version))


def illegal(name: str, version: int) -> Illegal:
    """Return the packet of this name for a protocol version.

    Raises:
        KeyError: the version has no packet of this name. The text lists similar ones.
    """
    found = _table().get((version, name))
    if found is None:
        near = [one.name for one in illegal_packets(version) if name.partition("/")[0] in one.name][:5]
        raise KeyError(f"no illegal packet {name!r} of a server in {TAGS.get(version, version)}; similar: {near}")
    return found


def known(name: str) -> bool:
    """True if a version has a packet of this name."""
    return any((version, name) in _table() for version in TAGS)
