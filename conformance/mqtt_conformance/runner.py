# SPDX-License-Identifier: MIT
"""Runs cases against a broker: many at once, each with a time limit, and cleans up after each."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from mqtt_conformance.breaches import booked
from mqtt_conformance.case import Case
from mqtt_conformance.outage import Outage
from mqtt_conformance.peer import Peer
from mqtt_conformance.profile import COMMAND_LIMIT, PROVIDED, Profile
from mqtt_conformance.record import Record, Run, shortened
from mqtt_conformance.rules import MALFORMED
from mqtt_conformance.target import Capabilities, Target, TargetError
from mqtt_conformance.verdict import Breach, CaseEnd, Failed, Flooded, Verdict
from mqtt_ref.wire.packets import Connack, ConnectProperties, Disconnect, Publish
from mqtt_ref.wire.statements import STATEMENTS

__all__ = [
    "LIMIT",
    "Result",
    "broken_rule",
    "judge_case",
    "last_alive",
    "pace",
    "probe",
    "run_case",
    "run_cases",
    "serves",
]

LIMIT = 20.0
"""The time limit of a case, in seconds (times the factor)."""
BLAMES = (Verdict.FAIL, Verdict.NON_STRICT)
PATIENT = 2
"""How many times a failed case has to pass, with time for each step, until the failure is dropped."""
LAZY = 0.5
"""The time, in seconds (times a factor above 1), in which a broker serves the plain clients on a machine that is not
busy. A slower broker gets that much more time when a failed case is tried again, up to `SLOWEST` times as much."""
SLOWEST = 4.0
OUTAGES = ("restart", "kill")
"""What a case may need that disturbs all others, which wait for it."""
PLAIN = 8
"""The number of plain clients that the broker has to serve before a failure counts."""


@dataclass
class Result:
    """The outcome of one case. `ended` is monotonic time. `lost` means that the broker could not be reached.

    `breach` is the broken rule if it is not one of the case's own. `proven` means that the failure rests on what was
    seen, not on what did not come; then it need not be repeated. `rule` is the rule that a failed case blames. In a
    case about several rules it is the one that the step rests on. In a case about a rule for clients it is what the
    server has to do when a client breaks that rule.
    """

    case: Case
    verdict: Verdict
    message: str = ""
    expected: str = ""
    seen: str = ""
    seconds: float = 0.0
    ended: float = 0.0
    lost: bool = False
    breach: str = ""
    proven: bool = False
    rule: str = ""
    notes: list[str] = field(default_factory=list)
    trace: list[Record] = field(default_factory=list)


async def probe(target: Target, versions: Iterable[int] = (5, 4, 3)) -> Capabilities:
    """Find out which versions the broker speaks, and what its CONNACK offers.

    Raises:
        TargetError: the broker cannot be reached, or accepts none of the versions.
    """
    found: set[int] = set()
    caps = target.capabilities
    for version in versions:
        peer = Peer(_run("probe"), target, version, "probe")
        try:
            await peer.open()
            await peer.send(peer.connect_packet(properties=ConnectProperties(session_expiry_interval=60)))
            reply = await peer._next((Connack,), 3.0)
        except CaseEnd:
            continue
        finally:
            if not peer.closed:
                await peer.disconnect()
        if not isinstance(reply, Connack) or reply.reason_code:
            continue
        found.add(version)
        p = reply.properties
        if version != 5:
            continue
        if p is not None:
            caps.maximum_qos = 2 if p.maximum_qos is None else p.maximum_qos
            caps.retain = p.retain_available != 0
            caps.wildcard = p.wildcard_subscription_available != 0
            caps.shared = p.shared_subscription_available != 0
            caps.subscription_identifiers = p.subscription_identifier_available != 0
            caps.topic_alias_maximum = p.topic_alias_maximum or 0
            caps.receive_maximum = p.receive_maximum or 65_535
            caps.maximum_packet_size = p.maximum_packet_size or 0
            caps.server_keep_alive = p.server_keep_alive
            caps.session_expiry = p.session_expiry_interval != 0
    if not found:
        raise TargetError(f"{target.url}: the broker accepts no CONNECT in any of the versions asked for")
    caps.versions = frozenset(found)
    return caps


def _run(name: str) -> Run:
    token = secrets.token_hex(5)
    return Run(prefix=f"c{token}", topic_prefix=f"conformance/{token}/{name[:40]}")


async def run_case(
    case: Case,
    target: Target,
    profile: Profile | None = None,
    *,
    patient: bool = False,
    outage: Outage | None = None,
) -> Result:
    """Run one case. Never raises for what the broker does.

    With `patient` each step is given time to take effect, and timeouts are doubled. With `outage` the case shares its
    restart with others.
    """
    profile = profile or Profile()
    missing = _missing(case, target, profile)
    if missing:
        return Result(case, Verdict.UNSUPPORTED, missing)
    run = _run("t")
    run.profile = profile
    run.statements = case.statements
    run.patient = patient
    run.outage = outage
    if patient:
        target = replace(target, factor=2 * target.factor)
    peer = Peer(run, target, case.version)
    result = Result(case, Verdict.PASS)
    limit = LIMIT * target.factor + (3 * COMMAND_LIMIT if case.needs & {"restart", "kill"} else 0)
    try:
        async with asyncio.timeout(limit) as run.limit:
            await case.body(peer)
        if run.unlawful:
            raise peer.illegal(run.unlawful[0])
        if run.flooded:
            raise Flooded
        if run.notes:
            result.verdict = Verdict.INFORMATIONAL
            result.message = "; ".join(run.notes)
    except CaseEnd as end:
        if run.flooded and not (isinstance(end, Failed) and end.proven):
            end = Flooded()
        result.verdict, result.message = end.verdict, end.message
        result.expected, result.seen = end.expected, end.seen
        if isinstance(end, Failed):
            result.proven, result.rule = end.proven, end.rule or broken_rule(case)
        level = case.level
        if isinstance(end, Breach):
            result.breach, level = end.statement, STATEMENTS[end.statement].level
        if level != "must" and end.verdict is Verdict.FAIL:
            result.verdict = Verdict.NON_STRICT if level == "should" else Verdict.INFORMATIONAL
    except TargetError as error:
        result.verdict, result.message, result.lost = Verdict.INCONCLUSIVE, str(error), True
    except TimeoutError:
        result.verdict, result.message = Verdict.INCONCLUSIVE, f"did not end within {limit:.0f} s"
        result.expected, result.seen = "an end", "the broker keeps the case waiting"
    finally:
        result.ended = time.monotonic()
        result.seconds = result.ended - run.started
        result.trace, result.notes = shortened(run.trace), list(run.notes)
        result.notes += run.passed_over()
        await _clean_up(run, target, case.version)
    return result


async def judge_case(case: Case, target: Target, profile: Profile | None = None) -> Result:
    """Run one case. A failure has to occur again, with more time, unless it is proven.

    No standard says how fast a broker has to be. So a case that passes with more time is inconclusive. The slower the
    broker serves plain clients, the more time it gets. A failure is also inconclusive if the broker no longer serves
    every plain client, because this case or another one has damaged it.
    """
    return await _confirmed(await run_case(case, target, profile), target, profile)


async def _confirmed(first: Result, target: Target, profile: Profile | None) -> Result:
    """Return the verdict on a case that ran once: run it again if it failed and that is not proven."""
    case = first.case
    if first.verdict not in BLAMES or first.proven:
        return first
    took = await pace(target, case.version)
    if took is None:
        return _untold(first)
    slower = replace(target, factor=target.factor * min(SLOWEST, max(1.0, took / (LAZY * max(1.0, target.factor)))))
    for _ in range(PATIENT):
        again = await run_case(case, slower, profile, patient=True)
        if again.verdict in BLAMES and not again.proven and await pace(target, case.version) is None:
            return _untold(again)  # the broker failed meanwhile
        if again.verdict not in (Verdict.PASS, Verdict.INFORMATIONAL):
            return again
    first.verdict = Verdict.INCONCLUSIVE
    first.message = f"failed, and passed when each step was given time: {first.message}"
    return first


def _untold(result: Result) -> Result:
    result.verdict, result.lost = Verdict.INCONCLUSIVE, True
    result.message = f"the broker does not serve every plain client any more, so it cannot be told: {result.message}"
    return result


def broken_rule(case: Case) -> str:
    """Return the rule that a failed case blames: its first rule, unless that rule binds clients.

    A server that accepts what no client may send breaks the rule that says how it must react.
    """
    if STATEMENTS[case.statements[0]].binds != "client":
        return case.statements[0]
    servers = [s for s in (*case.statements, *MALFORMED) if STATEMENTS[s].binds != "client"]
    return next((s for s in servers if STATEMENTS[s].version == case.version), case.statements[0])


async def serves(target: Target, version: int) -> bool:
    """True if the broker serves several plain clients of this version. One client could miss a partial failure."""
    return await pace(target, version) is not None


async def pace(target: Target, version: int) -> float | None:
    """Return the time, in seconds, that the slowest of some plain clients waited. None if one is not served."""
    begun = time.monotonic()
    if all(await asyncio.gather(*(_served(target, version) for _ in range(PLAIN)))):
        return time.monotonic() - begun
    return None


async def _served(target: Target, version: int) -> bool:
    peer = Peer(_run("probe"), target, version, "plain")
    try:
        await peer.connect()
        await peer.barrier()
    except Breach:  # it answers, though incorrectly
        return True
    except (CaseEnd, TargetError):
        return False
    finally:
        await peer.drop()
    return True


def last_alive(results: Iterable[Result]) -> list[str]:
    """Return the cases that may have stopped a broker: those running, or just ended, when it became unreachable."""
    ran = sorted((r for r in results if r.ended), key=lambda r: r.ended)
    first = next((r for r in ran if r.lost), None)
    if first is None:
        return [r.case.id for r in ran[-1:]]
    reached = [r for r in ran if not r.lost or r.trace]
    running = [r for r in reached if r.ended - r.seconds <= first.ended <= r.ended]
    before = [r for r in reached if r.ended < first.ended]
    return [r.case.id for r in [*before[-1:], *(r for r in running if r not in before[-1:])]]


def _missing(case: Case, target: Target, profile: Profile) -> str:
    """Return why a case cannot run against this target. Empty if it can."""
    caps = target.capabilities
    if case.version not in caps.versions:
        return "the broker does not speak this version"
    for need in sorted(case.needs):
        if need in ("tcp", "tls", "ws"):
            if target.transport != need:
                return f"needs {need}"
        elif need in PROVIDED:
            if not profile.offers(need):
                return f"needs a profile that provides {need}"
        elif not caps.offers(need):
            return f"the broker does not offer {need}"
    lacking = [f"{name}={value}" for name, value in case.settings if name not in profile.settings]
    if lacking:
        return "needs a profile that can set " + ", ".join(lacking)
    return ""


async def _clean_up(run: Run, target: Target, version: int) -> None:
    """Close every connection and delete the retained messages."""
    for peer in run.peers:
        await peer.drop(record=False)
    if not run.retained:
        return
    try:
        async with asyncio.timeout(3 * target.factor):
            janitor = Peer(Run(run.prefix, run.topic_prefix), target, version, "janitor")
            await janitor.connect()
            for topic in sorted(run.retained):
                await janitor.send(Publish(topic, b"", retain=True))
            await janitor.barrier()
            await janitor.send(Disconnect())
            await janitor.drop()
    except (CaseEnd, TargetError, TimeoutError):
        pass


async def run_cases(
    cases: Sequence[Case],
    target: Target,
    profile: Profile | None = None,
    *,
    jobs: int = 16,
    progress: Callable[[Result], None] | None = None,
) -> list[Result]:
    """Run cases, `jobs` at once. Isolated cases run alone. Then come those that need a restart, which up to `jobs` of
    them share, and those that need a setting, grouped by it.

    Results come in the order of the cases. After them comes a result for each rule that was broken in a case of another
    rule.
    """
    profile = profile or Profile()
    gate = asyncio.Semaphore(jobs)
    results: dict[str, Result] = {}

    async def one(case: Case) -> None:
        async with gate:
            results[case.id] = await judge_case(case, target, profile)
        if progress is not None:
            progress(results[case.id])

    plain = [c for c in cases if not c.settings]
    await asyncio.gather(*(one(c) for c in plain if not c.isolated))
    for case in plain:
        if case.isolated and not case.needs & set(OUTAGES):
            await one(case)
    for command in OUTAGES:
        left = [c for c in plain if c.isolated and command in c.needs]
        while left:
            some, left = left[:jobs], left[jobs:]
            for first in await _together(command, some, target, profile):
                result = results[first.case.id] = await _confirmed(first, target, profile)
                if progress is not None:
                    progress(result)
    groups: dict[tuple[tuple[str, object], ...], list[Case]] = {}
    for case in cases:
        if case.settings:
            groups.setdefault(case.settings, []).append(case)
    for settings, group in groups.items():
        await _with_settings(settings, group, target, profile, one)
    return booked([results[c.id] for c in cases])


async def _together(command: str, cases: Sequence[Case], target: Target, profile: Profile) -> list[Result]:
    """Run cases once that share a restart of the broker."""
    outage = Outage(profile, target, command, len(cases))

    async def member(case: Case) -> Result:
        try:
            return await run_case(case, target, profile, outage=outage)
        finally:
            outage.leave()

    return await asyncio.gather(*(member(c) for c in cases))


async def _with_settings(
    settings: tuple[tuple[str, object], ...],
    group: Sequence[Case],
    target: Target,
    profile: Profile,
    one: Callable[[Case], Awaitable[None]],
) -> None:
    """Run cases while the broker has the settings that they need. If it cannot have them, each case reports that."""
    before = target.capabilities
    possible = "apply" in profile.commands and all(name in profile.settings for name, _ in settings)
    if possible:
        await profile.command("apply", dict(settings))
        await target.ready()
        target.capabilities = Capabilities()
        await probe(target)
    try:
        await asyncio.gather(*(one(c) for c in group))
    finally:
        if possible:
            target.capabilities = before
            await profile.command("apply")
            await target.ready()
