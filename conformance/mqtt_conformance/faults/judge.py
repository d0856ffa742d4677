# SPDX-License-Identifier: MIT
"""Runs the cases of a broken rule against a broker that breaks it, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.faults.fault import Fault, Settings
from mqtt_conformance.faults.meddler import Meddler, Meddling
from mqtt_conformance.profile import Profile
from mqtt_conformance.runner import Result, probe, run_case
from mqtt_conformance.target import Target, TargetError
from mqtt_conformance.verdict import Verdict
from mqtt_ref.broker.views import Client
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.server import Server

__all__ = ["FACTOR", "UNPLAYABLE", "Healthy", "Outcome", "cases_of", "judge"]

FACTOR = 0.4
"""How much of their usual time waits take: the broken broker runs in this process and answers at once, or never."""
BATCH = 12
"""Cases that play at once against one broken broker."""
UNPLAYABLE = frozenset({"tls", "ws", "restart", "enhanced_auth"})
"""Needs of cases that are not met here."""
ACCUSES = (Verdict.FAIL, Verdict.NON_STRICT)


@dataclass(frozen=True)
class Outcome:
    """Whether the suite accused a broken broker of the rules that it breaks: by statement, the case that did."""

    fault: Fault
    played: int
    by: dict[str, str] = field(default_factory=dict)

    @property
    def accused(self) -> bool:
        """Whether a case of one of the broken rules failed."""
        return bool(self.by)


@asynccontextmanager
async def broken(
    tables: Tables, settings: Settings = (), meddling: Meddling | None = None, *, denies: bool = False
) -> AsyncIterator[Target]:
    """A broker with these tables and settings, behind a meddler if there is one; its target, probed.

    Raises:
        TargetError: it cannot be spoken with.
    """
    async with Server(
        _options(settings), hooks=[_Denying(), AllowAll()] if denies else [AllowAll()], tables=tables
    ) as server:
        if meddling is None:
            target = Target(server.url, factor=FACTOR)
            await probe(target)
            yield target
            return
        async with Meddler(server.port, meddling) as meddler:
            target = Target(server.url, factor=FACTOR)
            await probe(target)
            yield Target(meddler.url, factor=FACTOR, capabilities=target.capabilities)


def _options(settings: Settings) -> Options:
    options = Options()
    names = {"wildcard_sub_available": "wildcard_subscription_available",
             "sub_id_available": "subscription_identifier_available",
             "shared_sub_available": "shared_subscription_available"}  # fmt: skip
    for name, value in settings:
        setattr(options.capabilities, names.get(name, name), value)
    return options


class _Denying(Hook):
    """What cases that need users expect: nobody may publish or subscribe below `denied/`."""

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
        return False if topic.startswith("denied/") else None


def cases_of(fault: Fault) -> list[Case]:
    """The cases that cite a rule that the fault breaks: hand-written ones first, quick ones before slow ones."""
    cases = [c for c in load_cases().values() if set(c.statements) & set(fault.statements)]
    playable = [c for c in cases if not c.needs & UNPLAYABLE]
    broken_rules = set(fault.statements)
    return sorted(playable, key=lambda c: ("/vector-" in c.id, c.settings, -len(set(c.statements) & broken_rules)))


async def judge(fault: Fault, healthy: Healthy) -> Outcome:
    """Run the cases that cite the fault's rules until one of them fails; of a hand-made fault, until each rule has one.

    A case that fails has to fail again, and not against a sound broker.
    """
    cases = cases_of(fault)
    groups: dict[tuple[Settings, bool], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.settings, "users" in case.needs), []).append(case)
    by: dict[str, str] = {}
    for (settings, users), group in groups.items():
        try:
            async with broken(fault.make(), settings, fault.meddling, denies=users) as target:
                await _play(fault, group, target, healthy, by)
        except (TargetError, RuntimeError) as error:
            by.update(dict.fromkeys(fault.statements, f"nobody can connect: {error}"[:120]))
        if _done(fault, by):
            break
    return Outcome(fault, len(cases), by)


def _done(fault: Fault, by: dict[str, str]) -> bool:
    return set(by) >= set(fault.statements) if fault.thorough else bool(by)


async def _play(fault: Fault, cases: Sequence[Case], target: Target, healthy: Healthy, by: dict[str, str]) -> None:
    left = list(cases)
    while left and not _done(fault, by):
        batch, left = left[:BATCH], left[BATCH:]
        useful = [c for c in batch if set(c.statements) & set(fault.statements) - set(by)]
        tasks = [asyncio.create_task(_run(c, target)) for c in useful]
        try:
            for next_one in asyncio.as_completed(tasks):
                result = await next_one
                if result.verdict not in ACCUSES:
                    continue
                again = await _run(result.case, target)
                if again.verdict in ACCUSES and await healthy.passes(result.case):
                    for statement in set(result.case.statements) & set(fault.statements):
                        by.setdefault(statement, result.case.id)
                if _done(fault, by):
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _run(case: Case, target: Target) -> Result:
    profile = Profile(
        commands={"apply": "true"},
        settings=frozenset(name for name, _ in case.settings),
        provides=frozenset({"users"}),
    )
    return await run_case(case, target, profile)


class Healthy:
    """The sound broker that no case may accuse.

    What is accused of nothing once is remembered; a case gets several tries, since a broken broker that hangs holds
    everything up in its process.
    """

    TRIES = 3

    def __init__(self) -> None:
        self._passed: set[str] = set()

    async def passes(self, case: Case) -> bool:
        """Whether the case does not accuse the sound broker."""
        for _ in range(self.TRIES):
            if case.id in self._passed:
                break
            async with broken(TABLES, case.settings, denies="users" in case.needs) as target:
                if (await _run(case, target)).verdict not in ACCUSES:
                    self._passed.add(case.id)
        return case.id in self._passed
