# SPDX-License-Identifier: MIT
"""What needs a profile, against broker processes: all cases with a restart or a kill pass with each kind of store."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.profile import Profile, read_profile
from mqtt_conformance.runner import Result, probe, run_cases
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from tests.storage.backends import Backend, backends

PROFILE = Path(__file__).parents[2] / "conformance" / "profiles" / "mqtt_ref.toml"
RESTARTED = [case for case in load_cases().values() if case.needs & {"restart", "kill"}]
SET_UP = [case for case in load_cases().values() if case.needs & {"setting", "users", "enhanced_auth"}]


@pytest.fixture
def start(
    require: Any, free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Profile, str]:
    """The profile of our broker, and where it is going to listen."""
    require.that(shutil.which("sh"), "there is no shell")
    port = free_port()
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setenv("DIRECTORY", str(tmp_path / "broker"))
    monkeypatch.setenv("PROGRAM", f"{sys.executable} -m mqtt_ref")
    monkeypatch.delenv("STORE", raising=False)
    return read_profile(PROFILE), f"mqtt://127.0.0.1:{port}"


def judged(start: tuple[Profile, str], cases: Sequence[Case]) -> list[Result]:
    """Run cases; those that were not passed once more, since the machine may have been busy."""
    profile, url = start

    async def run() -> list[Result]:
        target = Target(url)
        await profile.command("start")
        try:
            await target.ready()
            await probe(target)
            results = await run_cases(cases, target, profile, jobs=len(cases))
            again = [r.case for r in results if r.verdict is not Verdict.PASS]
            return await run_cases(again, target, profile) if again else results
        finally:
            await profile.command("stop")

    return asyncio.run(run())


def not_passed(results: Sequence[Result]) -> list[str]:
    return [
        f"{r.verdict.value} {r.case.id}: {r.message} (expected {r.expected}, seen {r.seen})"
        for r in results
        if r.verdict is not Verdict.PASS
    ]


@pytest.mark.parametrize("backend", backends(), ids=str)
def test_what_is_stored_outlives_a_restart_and_a_kill(
    backend: Backend, start: tuple[Profile, str], tmp_path: Path, require: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.need(require)
    with backend:
        backend.begin(tmp_path)
        monkeypatch.setenv("STORE", backend.address)
        assert not_passed(judged(start, RESTARTED)) == []
    assert not (tmp_path / "broker").exists()


def test_settings_users_and_the_method_are_those_of_the_suite(start: tuple[Profile, str], tmp_path: Path) -> None:
    assert not_passed(judged(start, SET_UP)) == []
    assert not (tmp_path / "broker").exists()


def test_there_are_cases_of_each_kind() -> None:
    assert sum("kill" in case.needs for case in RESTARTED) == sum("restart" in case.needs for case in RESTARTED)
    assert {case.version for case in RESTARTED} == {5, 4, 3}
    assert len(RESTARTED) >= 70


def test_the_broker_has_ended_when_a_command_returns(start: tuple[Profile, str], tmp_path: Path) -> None:
    profile, url = start

    async def run() -> None:
        target = Target(url)
        await profile.command("start")
        await target.ready()
        seen = set()
        for command in ("kill", "restart"):
            pid = int((tmp_path / "broker" / "pid").read_text())
            await profile.command(command)
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
            await target.ready()
            seen.add(pid)
        pid = int((tmp_path / "broker" / "pid").read_text())
        await profile.command("stop")
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert len(seen | {pid}) == 3

    asyncio.run(run())
