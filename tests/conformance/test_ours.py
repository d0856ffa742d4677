# SPDX-License-Identifier: MIT
"""The whole suite against this broker, over TCP: no failure, nothing that could be decided left open."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.faults.judge import UNPLAYABLE, broken, play
from mqtt_conformance.runner import Result, probe, run_cases
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.engine.tables import TABLES
from mqtt_ref.hooks import AllowAll
from mqtt_ref.server import Server

BAD = (Verdict.FAIL, Verdict.NON_STRICT, Verdict.INCONCLUSIVE)
CONFIGURED = {"setting", "users", "enhanced_auth"}


def complaints(results: list[Result]) -> list[str]:
    return [
        f"{r.verdict.value} {r.case.id}: {r.message} (expected {r.expected}, seen {r.seen})"
        for r in results
        if r.verdict in BAD
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", [5, 4, 3])
def test_this_broker_passes(version: int, capsys: pytest.CaptureFixture[str]) -> None:
    cases = [c for c in load_cases().values() if c.version == version]

    async def run() -> list[Result]:
        async with Server(Options(bounds=Bounds(topic_levels=65_536)), hooks=[AllowAll()]) as server:
            target = Target(server.url)
            await probe(target)
            return await run_cases(cases, target)

    begun = time.monotonic()
    results = asyncio.run(run())
    if complaints(results):  # once more, alone: the machine may have been busy
        again = [r.case for r in results if r.verdict in BAD]
        cases[:] = again
        results = [r for r in results if r.verdict not in BAD] + asyncio.run(run())
    with capsys.disabled():
        counts = dict(Counter(r.verdict.value for r in results))
        print(f"\nlevel {version}: {len(results)} cases in {time.monotonic() - begun:.1f} s: {counts}")
    assert not complaints(results)
    for result in results:
        if result.verdict is Verdict.UNSUPPORTED:
            assert result.case.needs & (UNPLAYABLE | CONFIGURED), f"{result.case.id}: {result.message}"


def _configured() -> list[Case]:
    return [c for c in load_cases().values() if c.needs & CONFIGURED and not c.needs & UNPLAYABLE]


def test_this_broker_passes_with_settings() -> None:
    """The cases that need a setting or users, each against a broker that has them."""

    async def one(case: Case) -> Result:
        async with broken(TABLES, case.settings, needs=case.needs) as target:
            return await play(case, target)

    async def run() -> list[Result]:
        return [await one(case) for case in _configured()]

    results = asyncio.run(run())
    assert not complaints(results)
    assert all(r.verdict is not Verdict.UNSUPPORTED for r in results)
