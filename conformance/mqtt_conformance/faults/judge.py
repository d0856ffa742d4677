# SPDX-License-Identifier: MIT
"""Runs the cases of a broken rule against a broker that breaks it, in this process."""

from __future__ import annotations

from dataclasses import dataclass

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.faults.catalogue import Fault
from mqtt_conformance.runner import probe, run_cases
from mqtt_conformance.target import Target, TargetError
from mqtt_conformance.verdict import Verdict
from mqtt_ref.server import ALLOW_ALL, Server

__all__ = ["FACTOR", "Outcome", "judge"]

FACTOR = 0.35
"""How much of their usual time waits take: the broken broker runs in this process and answers at once, or never."""


@dataclass(frozen=True)
class Outcome:
    """Whether the suite accused a broken broker of a rule that it breaks, and by which cases."""

    fault: Fault
    accused: bool
    played: int
    failed: tuple[str, ...]


async def judge(fault: Fault) -> Outcome:
    """Run the cases that cite the fault's rules until one of them fails."""
    cases = [c for c in load_cases().values() if set(c.statements) & set(fault.statements) and not c.settings]
    try:
        async with Server(access=ALLOW_ALL, tables=fault.make()) as server:
            target = Target(server.url, factor=FACTOR)
            try:
                await probe(target)
            except TargetError:
                return Outcome(fault, True, 0, ("nobody can connect",))
            failed = await _first_failures(cases, target)
            return Outcome(fault, bool(failed), len(cases), failed)
    except RuntimeError as error:
        return Outcome(fault, True, len(cases), (f"the broker fell over: {error}",))


async def _first_failures(cases: list[Case], target: Target) -> tuple[str, ...]:
    """The hand-written cases first, the vectors after them, in batches; stops at the first batch that accuses."""
    ordered = sorted(cases, key=lambda c: "/vector-" in c.id)
    for at in range(0, len(ordered), 16):
        results = await run_cases(ordered[at : at + 16], target, jobs=16)
        failed = tuple(r.case.id for r in results if r.verdict in (Verdict.FAIL, Verdict.NON_STRICT))
        if failed:
            return failed
    return ()
