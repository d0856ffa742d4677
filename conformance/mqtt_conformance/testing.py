# SPDX-License-Identifier: MIT
"""Runs the suite from pytest, one test for each case, for authors of a broker.

    from mqtt_conformance.testing import cases, check

    @cases(protocol="5", expect="known-failures.toml")
    def test_mqtt(mqtt_case, broker_url):
        check(mqtt_case, broker_url)

`broker_url` is a fixture that you write. It starts the broker and returns its URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from mqtt_conformance.baseline import read_baseline
from mqtt_conformance.case import VERSION_NAMES, Case, load_cases
from mqtt_conformance.cli import select
from mqtt_conformance.profile import Profile, read_profile
from mqtt_conformance.reports.terminal import failure_lines
from mqtt_conformance.runner import Result, probe, run_cases
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict

__all__ = ["cases", "check", "judge"]

_targets: dict[str, Target] = {}


def cases(
    *,
    protocol: str = "5,3.1.1",
    select_only: Sequence[str] = (),
    section: Sequence[str] = (),
    skip: Sequence[str] = (),
    expect: str | Path | None = None,
) -> pytest.MarkDecorator:
    """Parametrize a test with `mqtt_case`. The arguments mean the same as on the command line.

    Known failures of `expect` are marked as expected. If one of them passes, its test fails.

    Raises:
        ValueError: a version, case, statement or section does not exist.
        BaselineError: the file of known failures is invalid.
    """
    levels = {name: level for level, name in VERSION_NAMES.items()}
    unknown = [name for name in protocol.split(",") if name not in levels]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such version; the versions are {', '.join(levels)}")
    every = list(load_cases().values())
    chosen = select(every, [levels[name] for name in protocol.split(",")], select_only, section, skip)
    known = read_baseline(Path(expect)).reasons if expect else {}
    return pytest.mark.parametrize(
        "mqtt_case",
        [
            pytest.param(
                c, id=c.id, marks=[pytest.mark.xfail(reason=known[c.id], strict=True)] if c.id in known else []
            )
            for c in chosen
        ],
    )


def judge(case: Case, target: str | Target, profile: Profile | str | Path | None = None) -> Result:
    """Run one case, with its setting if it has one. A broker is probed when its URL is used for the first time.

    If the case saw another rule broken, it is inconclusive, and `breach` of its result is that rule.

    Raises:
        TargetError: the broker cannot be reached.
        ProfileError: the profile is invalid, or one of its commands failed.
    """
    if profile is None or isinstance(profile, (str, Path)):
        profile = read_profile(Path(profile)) if profile else Profile()
    url = target if isinstance(target, str) else target.url
    known = _targets.get(url)
    place = target if isinstance(target, Target) else known or Target(target)
    return asyncio.run(_judge(case, place, profile, fresh=known is not place))


async def _judge(case: Case, target: Target, profile: Profile, *, fresh: bool) -> Result:
    if fresh:
        await probe(target)
        profile.override(target.capabilities)
        _targets[target.url] = target
    return (await run_cases([case], target, profile))[0]


def check(case: Case, target: str | Target, profile: Profile | str | Path | None = None) -> Result:
    """Run one case and end the test by its verdict: fail with rule and packets, or skip if nothing was decided.

    If the case saw another rule broken, the test fails as well and names that rule.
    """
    __tracebackhide__ = True
    result = judge(case, target, profile)
    if result.verdict is Verdict.FAIL or result.breach:
        pytest.fail("\n".join(failure_lines(result, {})), pytrace=False)
    if result.verdict in (Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE):
        pytest.skip(f"{result.verdict}: {result.message}")
    return result
