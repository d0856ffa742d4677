# SPDX-License-Identifier: MIT
"""Coverage: the statements that bind clients and that the oracle decides, and why it does not decide the others."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from mqtt_ref.oracle import codec
from mqtt_ref.oracle.monitors import MONITORS
from mqtt_ref.wire.statements import Statement, binding

__all__ = ["REASONS", "Cover", "coverage", "decided", "rows", "scenarios"]

REASONS: Final = {
    "application": "what the client does internally, or passes to its application, is not on the wire",
    "indistinct": "bytes that break it are decoded as another packet, which is legal or breaks another rule",
    "implied": "a client that breaks it also breaks another statement, which is decided",
    "premise": "every client that can be observed keeps it",
}
"""The only reasons why a statement may have neither a detector nor a scenario."""


class Cover(NamedTuple):
    """How a statement is covered: by detectors (monitors or `codec`), by a scenario of the server, or not and why."""

    statement: Statement
    detectors: tuple[str, ...]
    scenario: str = ""
    reason: str = ""
    note: str = ""


@cache
def _tables() -> dict[str, dict[str, dict[str, str]]]:
    text = files("mqtt_ref.oracle").joinpath("coverage.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def decided() -> dict[str, tuple[str, ...]]:
    """Return each statement that has detectors, with their names: `codec`, or modules of monitors."""
    found: dict[str, list[str]] = {one: ["codec"] for one in codec.decided()}
    for monitor in MONITORS:
        for one in dict.fromkeys(monitor.decides):
            found.setdefault(one, []).append(monitor.__module__.rpartition(".")[2])
    return {one: tuple(by) for one, by in found.items()}


def scenarios() -> dict[str, str]:
    """Return the scenarios, name -> description: what a server must do so that a statement can be decided."""
    return {name: row["does"] for name, row in _tables()["scenario"].items()}


def rows() -> dict[str, dict[str, str]]:
    """Return the hand-written rows: statement -> `scenario` or `reason`, with a `note`."""
    return _tables()["statement"]


def coverage(version: int, minted: bool = False) -> list[Cover]:
    """Return the coverage of all statements of a version that bind the client.

    Statements without a number in the standard are included only if `minted` is true.

    Raises:
        LookupError: a statement has no detector, no scenario and no reason.
    """
    found = decided()
    given = rows()
    out: list[Cover] = []
    for statement in binding("client", version):
        detectors = found.get(statement.id, ())
        row = given.get(statement.id, {})
        if statement.minted and not minted:
            continue
        if not detectors and not row:
            if statement.minted:
                continue
            raise LookupError(f"{statement.id} has no detector, no scenario and no reason")
        out.append(Cover(statement, detectors, row.get("scenario", ""), row.get("reason", ""), row.get("note", "")))
    return out
