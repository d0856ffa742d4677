# SPDX-License-Identifier: MIT
"""Judges the faults of the catalogue, and computes the share that the suite accuses."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import FrameType

from mqtt_conformance.case import load_cases
from mqtt_conformance.faults import catalogue, handmade, invisible
from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.judge import UNPLAYABLE, Healthy, Outcome, judge
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["ENOUGH", "Found", "all_faults", "document", "report", "run", "share", "unproven"]

AT_ONCE = 16
"""The number of broken brokers that are judged at once in one process."""
HANGS = 2.5
"""The time, in seconds, without a turn of the event loop after which a broker counts as hanging."""
ENOUGH = 0.95


@dataclass(frozen=True)
class Found:
    """The result for one fault. `by` maps each rule to the case that accused it."""

    id: str
    statements: tuple[str, ...]
    invisible: str
    played: int
    by: dict[str, str]


def all_faults() -> list[Fault]:
    """Return every fault, generated and hand-made. Invisible ones carry their reason."""
    return list(invisible.marked([*catalogue.generated(), *handmade.faults()]))


def run(faults: Sequence[Fault], *, jobs: int = 1, hidden: bool = False, verbose: bool = False) -> list[Found]:
    """Judge faults in `jobs` processes. Invisible ones are judged only with `hidden`."""
    playing = [f for f in faults if hidden or not f.invisible]
    done: dict[str, Found] = {}
    if jobs <= 1:
        done.update((f.id, f) for f in asyncio.run(_judge([f.id for f in playing], verbose)))
    else:
        parts = [([f.id for f in playing[at::jobs]], verbose) for at in range(jobs)]
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            for some in pool.imap_unordered(_part, parts):
                done.update((f.id, f) for f in some)
    return [done.get(f.id) or Found(f.id, f.statements, f.invisible, 0, {}) for f in faults]


def _part(part: tuple[Sequence[str], bool]) -> list[Found]:
    return asyncio.run(_judge(*part))


async def _judge(ids: Sequence[str], verbose: bool) -> list[Found]:
    wanted = set(ids)
    healthy = Healthy()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(fault: Fault) -> Outcome:
        async with gate:
            return await judge(fault, healthy)

    def told(outcome: Outcome) -> Found:
        fault = outcome.fault
        found = Found(fault.id, fault.statements, fault.invisible, outcome.played, dict(sorted(outcome.by.items())))
        if verbose:
            word = "found" if outcome.accused else "NOT FOUND"
            missed = sorted(set(fault.statements) - set(outcome.by)) if fault.thorough else []
            print(word, fault.id, *sorted(set(outcome.by.values()))[:3], *(f"MISSED {m}" for m in missed), flush=True)
        return found

    load_cases()  # a slow machine may need as long for this as a hanging broker takes
    with _watchdog(asyncio.get_running_loop(), healthy):
        mine = [f for f in all_faults() if f.id in wanted]
        first = await asyncio.gather(*(one(f) for f in mine if not f.alone))
        out = [told(o) for o in first if o.complete]
        again = [o.fault for o in first if not o.complete]
        for fault in [*again, *(f for f in mine if f.alone)]:  # They run alone: other faults could delay them.
            out.append(told(await one(fault)))
        return out


@contextmanager
def _watchdog(loop: asyncio.AbstractEventLoop, healthy: Healthy) -> Iterator[None]:
    """Interrupt a broken broker that never returns: raise an exception in the event loop's current code, and count it.

    Needs the main thread and a system with interval timers. Elsewhere it does nothing.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    beat = time.monotonic()
    timer = loop.call_later(0.2, lambda: heart())

    def heart() -> None:
        nonlocal beat, timer
        beat = time.monotonic()
        timer = loop.call_later(0.2, heart)

    def look(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - beat > HANGS:
            healthy.hangs += 1
            raise RuntimeError("the broken broker hangs")

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        yield
    finally:
        timer.cancel()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def unproven(found: Sequence[Found]) -> list[str]:
    """Return the rules that have a case that can fail here, but for which no case has accused a broken broker.

    Cases that need another transport are left out. So are rules whose only cases are vectors that a server may ignore.
    """
    proven = {s for f in found for s in f.by}
    lenient = {s for f in found if f.id.startswith("reaction/") and f.invisible for s in f.statements}
    open_rules: set[str] = set()
    for case in load_cases().values():
        if case.needs & UNPLAYABLE:
            continue
        for statement in case.statements:
            if "/vector-" not in case.id or statement not in lenient:
                open_rules.add(statement)
    return sorted(s for s in open_rules - proven if STATEMENTS[s].level == "must")


def share(found: Sequence[Found]) -> float:
    """Return the mutation score: the share of the visible faults that a case of the broken rule accuses."""
    visible = [f for f in found if not f.invisible]
    return sum(bool(f.by) for f in visible) / max(1, len(visible))


def report(found: Sequence[Found]) -> Iterator[str]:
    """Return the score by rule, the faults that were missed, and the total score."""
    by_rule: dict[str, list[bool]] = {}
    for one in found:
        for statement in () if one.invisible else one.statements:
            by_rule.setdefault(statement, []).append(bool(one.by))
    for statement, some in sorted(by_rule.items()):
        yield f"{statement:45} {sum(some)}/{len(some)}"
    for one in found:
        if not one.invisible and not one.by:
            yield f"not found: {one.id} ({', '.join(one.statements)}; {one.played} cases)"
        if one.invisible and one.by:
            yield f"listed as invisible but seen: {one.id} by {', '.join(sorted(set(one.by.values())))}"
    hidden = sum(bool(f.invisible) for f in found)
    seen = sum(bool(f.by) for f in found if not f.invisible)
    yield f"{seen} of {len(found) - hidden} faults found ({share(found):.1%}); {hidden} cannot be accused"


def document(found: Sequence[Found]) -> str:
    """Return the result as JSON, with a line for each fault."""
    head = {
        "format": 2,
        "found": sum(bool(f.by) for f in found if not f.invisible),
        "visible": sum(not f.invisible for f in found),
        "invisible": sum(bool(f.invisible) for f in found),
        "unproven": unproven(found),
    }
    faults = ",\n".join(json.dumps(asdict(f)) for f in found)
    return json.dumps(head, indent=1)[:-2] + f',\n "faults": [\n{faults}\n]}}\n'
