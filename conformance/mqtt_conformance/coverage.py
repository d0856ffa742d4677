# SPDX-License-Identifier: MIT
"""Derives from the registry which statements that bind a server have cases, and lists why the others have none."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from mqtt_conformance.case import Case, load_cases
from mqtt_ref.wire.statements import STATEMENTS, binding

__all__ = ["KINDS", "Coverage", "Reason", "coverage", "read_reasons"]

KINDS = ("other side", "transport", "storage", "silence", "configuration", "elsewhere", "permission")


@dataclass(frozen=True)
class Reason:
    """The reason why no wire test decides a statement."""

    statement: str
    kind: str
    note: str = ""
    covered_by: str = ""


@dataclass(frozen=True)
class Coverage:
    """The statements of one version that bind a server: with cases, with a reason, and with neither."""

    version: int
    decided: Mapping[str, tuple[str, ...]]
    reasoned: Mapping[str, Reason]
    open: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of the statements that have a deciding case."""
        return len(self.decided) / max(1, len(self.decided) + len(self.reasoned) + len(self.open))


def read_reasons() -> dict[str, Reason]:
    """Read the reasons from `reasons.toml`.

    Raises:
        ValueError: a row names no statement, a kind that is not in the list, or a covering statement that does not
            exist.
    """
    text = files("mqtt_conformance").joinpath("reasons.toml").read_text()
    out: dict[str, Reason] = {}
    for row in tomllib.loads(text)["reason"]:
        reason = Reason(**row)
        if reason.statement not in STATEMENTS:
            raise ValueError(f"reasons.toml: there is no statement {reason.statement}")
        if reason.kind not in KINDS:
            raise ValueError(f"reasons.toml: {reason.statement}: {reason.kind!r} is not one of {', '.join(KINDS)}")
        if reason.kind == "elsewhere" and reason.covered_by not in STATEMENTS:
            raise ValueError(f"reasons.toml: {reason.statement}: covered_by names no statement")
        if reason.statement in out:
            raise ValueError(f"reasons.toml: {reason.statement} occurs twice")
        out[reason.statement] = reason
    return out


def coverage(version: int, *, minted: bool = False, cases: Mapping[str, Case] | None = None) -> Coverage:
    """Return the coverage of one protocol level, of either the numbered statements or the minted ones."""
    cases = load_cases() if cases is None else cases
    reasons = read_reasons()
    by_statement: dict[str, list[str]] = {}
    for case in cases.values():
        for statement in case.statements:
            by_statement.setdefault(statement, []).append(case.id)
    wanted = [s.id for s in binding("server", version) if s.minted is minted]
    return Coverage(
        version,
        {s: tuple(by_statement[s]) for s in wanted if s in by_statement},
        {s: reasons[s] for s in wanted if s in reasons and s not in by_statement},
        tuple(s for s in wanted if s not in by_statement and s not in reasons),
    )
