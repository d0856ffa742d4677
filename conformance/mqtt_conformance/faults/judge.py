# SPDX-License-Identifier: MIT
"""Runs the cases of a broken rule against a broker that breaks it, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.faults.fault import Fault, Settings
from mqtt_conformance.faults.meddler import Meddler, Meddling
from mqtt_conformance.profile import Profile
from mqtt_conformance.runner import Result, probe, run_case
from mqtt_conformance.target import Capabilities, Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.broker.views import Client
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.hooks import AllowAll, Challenge, Decision, Hook
from mqtt_ref.server import Server
from mqtt_ref.wire.packets import Connect

__all__ = ["FACTOR", "UNPLAYABLE", "Healthy", "Outcome", "broken", "cases_of", "judge", "play"]

FACTOR = 0.4
"""The factor of all timeouts. It is small, as a broker in this process answers at once or never."""
BATCH = 12
"""The number of cases that run at once against one broken broker."""
PROVIDED = frozenset({"users", "enhanced_auth"})
"""Needs that require a broker with other settings."""
MOMENT = 0.02
"""The time, in seconds, until an asking broker knows which clients may connect."""
UNPLAYABLE = frozenset({"tls", "ws", "restart", "kill"})
"""Needs of cases that cannot be met here."""
ACCUSES = (Verdict.FAIL, Verdict.NON_STRICT)


@dataclass(frozen=True)
class Outcome:
    """The result for a broken broker: for each statement, the case that accused it."""

    fault: Fault
    played: int
    by: dict[str, str] = field(default_factory=dict)

    @property
    def accused(self) -> bool:
        """True if a case of one of the broken rules failed."""
        return bool(self.by)

    @property
    def complete(self) -> bool:
        """True if no rule is left to accuse."""
        return _done(self.fault, self.by)


@asynccontextmanager
async def broken(
    tables: Tables,
    settings: Settings = (),
    meddling: Meddling | None = None,
    *,
    needs: frozenset[str] = frozenset(),
    asks: bool = False,
) -> AsyncIterator[Target]:
    """Run a broker with these tables and settings, for cases with these needs, with a meddler before it if given.

    With `asks` it takes a moment to decide which clients may connect. Its capabilities are those of a sound broker with
    the same settings, so that the cases run even if no client can connect.
    """
    options = _options(settings)
    async with Server(options, hooks=_hooks(needs, asks=asks), tables=tables) as server:
        capabilities = await _offered(settings, needs)
        if meddling is None:
            yield Target(server.url, factor=FACTOR, capabilities=capabilities)
            return
        async with Meddler(server.port, meddling) as meddler:
            yield Target(meddler.url, factor=FACTOR, capabilities=capabilities)


_OFFERED: dict[tuple[Settings, frozenset[str]], Capabilities] = {}


async def _offered(settings: Settings, needs: frozenset[str]) -> Capabilities:
    """Return what a sound broker with these settings offers. It is probed only once."""
    key = (settings, needs & PROVIDED)
    if key not in _OFFERED:
        async with Server(_options(settings), hooks=_hooks(needs)) as server:
            _OFFERED[key] = await probe(Target(server.url))
    return replace(_OFFERED[key])


def _options(settings: Settings) -> Options:
    options = Options()
    names = {"wildcard_sub_available": "wildcard_subscription_available",
             "sub_id_available": "subscription_identifier_available",
             "shared_sub_available": "shared_subscription_available"}  # fmt: skip
    for name, value in settings:
        setattr(options.capabilities, names.get(name, name), value)
    return options


class _Expected(Hook):
    """Set up what cases expect: users (no client may use topics below `denied/`), or enhanced authentication."""

    def __init__(self, needs: frozenset[str]) -> None:
        self.denies = "users" in needs
        if "enhanced_auth" in needs:
            self.auth_methods = frozenset({"conformance"})

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
        return False if self.denies and topic.startswith("denied/") else None

    def on_auth_packet(
        self, client: Client, method: str, data: bytes | None, renewal: bool
    ) -> Challenge | Decision | None:
        return _exchange(data)


class _Hesitating(_Expected):
    """The same hook, but it decides late: by then the broker has read everything that the client sent."""

    async def on_connect_authenticate(self, client: Client, connect: Connect) -> bool:
        await asyncio.sleep(MOMENT)
        return True

    async def on_auth_packet(  # type: ignore[override]  # a hook may answer later
        self, client: Client, method: str, data: bytes | None, renewal: bool
    ) -> Challenge | Decision | None:
        await asyncio.sleep(MOMENT)
        return _exchange(data)


def _hooks(needs: frozenset[str], *, asks: bool = False) -> list[Hook]:
    return [(_Hesitating if asks else _Expected)(needs), AllowAll()]


def _exchange(data: bytes | None) -> Challenge | Decision:
    if data == b"hello":
        return Challenge(b"challenge")
    return Decision(data == b"yes", 0 if data == b"yes" else 0x87)


def cases_of(fault: Fault) -> list[Case]:
    """Return the cases that cite a rule that the fault breaks: hand-written ones first, quick ones before slow ones."""
    cases = [c for c in load_cases().values() if set(c.statements) & set(fault.statements)]
    playable = [c for c in cases if not c.needs & UNPLAYABLE]
    broken_rules = set(fault.statements)
    return sorted(playable, key=lambda c: ("/vector-" in c.id, c.settings, -len(set(c.statements) & broken_rules)))


async def judge(fault: Fault, healthy: Healthy) -> Outcome:
    """Run the cases that cite the fault's rules until one fails, or for a hand-made fault until each rule has failed.

    A case that fails has to fail again, and has to pass against a sound broker.
    """
    cases = cases_of(fault)
    groups: dict[tuple[Settings, frozenset[str]], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.settings, case.needs & PROVIDED), []).append(case)
    by: dict[str, str] = {}
    for (settings, needs), group in groups.items():
        try:
            async with broken(fault.make(), settings, fault.meddling, needs=needs, asks=fault.asks) as target:
                await _play(fault, group, target, healthy, by)
        except RuntimeError:  # It hangs: what no case has seen so far counts as not seen.
            continue
        if _done(fault, by):
            break
    return Outcome(fault, len(cases), by)


def _done(fault: Fault, by: dict[str, str]) -> bool:
    return set(by) >= set(fault.statements) if fault.thorough else bool(by)


async def _play(fault: Fault, cases: Sequence[Case], target: Target, healthy: Healthy, by: dict[str, str]) -> None:
    seen = healthy.hangs

    def hung() -> bool:
        """True if the broker has hung since the last call. In a process of its own it would never have answered."""
        nonlocal seen
        before, seen = seen, healthy.hangs
        return fault.alone and healthy.hangs > before

    left = list(cases)
    while left and not _done(fault, by):
        batch, left = left[:BATCH], left[BATCH:]
        useful = [c for c in batch if set(c.statements) & set(fault.statements) - set(by)]
        tasks = [asyncio.create_task(play(c, target)) for c in useful]
        try:
            for next_one in asyncio.as_completed(tasks):
                result = await next_one
                if result.verdict not in ACCUSES and not hung():
                    continue
                again = await play(result.case, target)
                right = blamed(again) & set(fault.statements)
                if right and (again.verdict in ACCUSES or hung()) and await healthy.passes(result.case):
                    for statement in right:
                        by.setdefault(statement, result.case.id)
                if _done(fault, by):
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def blamed(result: Result) -> set[str]:
    """Return the rules that a failed case accuses the broker of."""
    return {result.breach} if result.breach else set(result.case.statements)


async def play(case: Case, target: Target) -> Result:
    """Run one case as if a profile provided the settings and users that it needs."""
    profile = Profile(
        commands={"apply": "true"},
        settings=frozenset(name for name, _ in case.settings),
        provides=PROVIDED,
    )
    return await run_case(case, target, profile)


class Healthy:
    """The sound broker that no case may accuse.

    A case that did not accuse it is remembered. A case gets several tries, because a broken broker that hangs delays
    everything in its process.
    """

    TRIES = 3

    def __init__(self) -> None:
        self._passed: set[str] = set()
        self.hangs = 0
        """How many times a broken broker had to be interrupted in this process."""

    async def passes(self, case: Case) -> bool:
        """True if the case does not accuse the sound broker."""
        for _ in range(self.TRIES):
            if case.id in self._passed:
                break
            async with broken(TABLES, case.settings, needs=case.needs) as target:
                if (await play(case, target)).verdict not in ACCUSES:
                    self._passed.add(case.id)
        return case.id in self._passed
