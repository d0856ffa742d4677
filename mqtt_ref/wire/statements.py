# SPDX-License-Identifier: MIT
"""The registry of statements: the meaning of each rule of the standards, the side that it binds, and its section."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from mqtt_ref.wire.generated.statements import ROWS, SOURCES
from mqtt_ref.wire.primitives import V5, V31, V311

__all__ = ["PREFIXES", "STATEMENTS", "Statement", "binding", "find", "resolve", "statement"]


class Statement(NamedTuple):
    """One rule of a standard.

    `id` is the standard's own label with the version in front (`MQTT5-3.1.2-11`). A rule that the standard states
    without a number has a minted id (`X5-...`). `version` is the protocol level (3, 4, 5), `level` is must, should or
    may, `binds` is client, server or both. `meaning` is the wording of this project; the standard's own text decides.
    """

    id: str
    version: int
    level: str
    binds: str
    section: str
    source: str
    meaning: str
    confirmed: str

    @property
    def minted(self) -> bool:
        """True if the standard gives the rule no number."""
        return self.id.startswith("X")


STATEMENTS: Final[dict[str, Statement]] = {
    row[0]: Statement(row[0], row[1], row[2], row[3], row[4], SOURCES[row[5]], row[6], row[7]) for row in ROWS
}
PREFIXES: Final = {V5: ("MQTT5-", "X5-"), V311: ("MQTT311-", "X311-"), V31: ("X31-",)}


def statement(identifier: str) -> Statement:
    """Return the statement with that id.

    Raises:
        KeyError: no statement has that id.
    """
    return STATEMENTS[identifier]


def resolve(name: str, version: int | None = None) -> list[Statement]:
    """Return the statements that match `name`: an id, or the standard's own label `MQTT-3.1.2-11`.

    A label may match one statement of each version; `version` selects one.
    """
    if name in STATEMENTS:
        found = STATEMENTS[name]
        return [found] if version in (None, found.version) else []
    label = name.upper().removeprefix("[").removesuffix("]").removeprefix("MQTT-")
    candidates = [f"MQTT5-{label}", f"MQTT311-{label}"]
    return [s for c in candidates if (s := STATEMENTS.get(c)) is not None and version in (None, s.version)]


def find(word: str) -> Iterator[Statement]:
    """Return the statements whose id or meaning contains `word`. Case is ignored."""
    word = word.lower()
    return (s for s in STATEMENTS.values() if word in s.id.lower() or word in s.meaning.lower())


def binding(role: str, version: int) -> Iterator[Statement]:
    """Return the statements of a version that bind `role` (client or server), or both sides."""
    return (s for s in STATEMENTS.values() if s.version == version and s.binds in (role, "both"))
