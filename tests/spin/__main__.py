# SPDX-License-Identifier: MIT
"""Explores the model of delivery, and does runs of it again on the engine.

    python -m tests.spin                        # the short form: one session, and some random runs
    python -m tests.spin --long                 # larger bounds, 1,000 random runs, each seeded fault; an hour or so
    python -m tests.spin --long --record        # writes tests/spin/results.json
    python -m tests.spin --fault "qos_send: idle"   # seeded faults whose name contains this, with their packets

Every claim has to hold in every state: QoS 2 exactly once, QoS 1 at least once, the order of the messages, sessions
that are not lost and do not come back, identifiers that become free, no state from which nothing goes on, no run that
goes on for ever. A seeded fault has to break one; the run that shows it is done again on an engine with that fault.
`invisible.toml` says of each fault that breaks none why that is so. Needs `spin` and `gcc`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from mqtt_ref.engine.tables import TABLES
from tests.spin.checker import Bounds, Explored, available, explore, simulate
from tests.spin.faults import Fault, faults
from tests.spin.replay import Disagreement, packets, replay, steps

__all__ = ["CYCLES", "LONG", "SHORT", "WALKS", "main", "shown", "walk"]

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results.json"
INVISIBLE: Final = HERE / "invisible.toml"

SHORT: Final = Bounds("one session", {"LOSSES": 1, "CRASHES": 1, "FAILURES": 1, "CLEANS": 1})
"""One session, two identifiers, two messages, one batch under way."""
CYCLES: Final = Bounds("one session, every run ends", {"LOSSES": 1, "CRASHES": 1, "FAILURES": 1, "CLEANS": 0})
LONG: Final = (
    Bounds("one session, more losses", {"LOSSES": 2, "CRASHES": 1, "FAILURES": 1, "CLEANS": 1}),
    Bounds("one session, two crashes", {"LOSSES": 1, "CRASHES": 2, "FAILURES": 0, "CLEANS": 1}),
    Bounds("one session, refusals", {"LOSSES": 1, "CRASHES": 1, "FAILURES": 0, "REFUSALS": 1, "DECLINES": 1}),
    Bounds(
        "one session, one message, all that may happen",
        {"MESSAGES": 1, "LOSSES": 1, "CRASHES": 1, "FAILURES": 1, "CLEANS": 0, "BRIEFS": 1, "ENDS": 1, "REFUSALS": 1},
    ),
    Bounds("one session, strays", {"MESSAGES": 1, "LOSSES": 1, "CRASHES": 1, "STRAYS": 1, "ROGUES": 1, "REFUSALS": 1}),
    Bounds("three messages, a quota of one", {"MESSAGES": 3, "LOSSES": 1, "CRASHES": 0, "FAILURES": 0, "QUOTA": 1}),
    Bounds(
        "two sessions", {"SESSIONS": 2, "MESSAGES": 1, "LOSSES": 1, "CRASHES": 1, "FAILURES": 1, "CLEANS": 1},
    ),
    Bounds(
        "two batches under way, packets that share a tick",
        {"BATCHES": 2, "TOGETHER": 1, "LOSSES": 1, "CRASHES": 1, "FAILURES": 0, "CLEANS": 0},
    ),
)  # fmt: skip
PARTS: Final = ("explored", "every run ends", "random runs", "faults")
ALL: Final = {"BRIEFS": 1, "ENDS": 2, "REFUSALS": 2, "DECLINES": 1}
WALKS: Final = (
    SHORT,
    Bounds("walk: everything", {**ALL, "MESSAGES": 4, "LOSSES": 2, "FAILURES": 2}),
    Bounds("walk: three identifiers", {"IDS": 3, "MESSAGES": 4, "LOSSES": 2, "STRAYS": 3, "ROGUES": 3, "REFUSALS": 2}),
    Bounds("walk: a quota of one", {**ALL, "MESSAGES": 4, "LOSSES": 2, "QUOTA": 1}),
    Bounds("walk: two sessions", {**ALL, "SESSIONS": 2, "MESSAGES": 4, "LOSSES": 2}),
    Bounds(
        "walk: two batches",
        {**ALL, "SESSIONS": 2, "BATCHES": 2, "TOGETHER": 1, "FAILURES": 0, "MESSAGES": 4, "LOSSES": 2},
    ),
)
"""What random runs are taken from, in turn."""

PLAIN: Final = {"MESSAGES": 1, "LOSSES": 1, "CRASHES": 0, "FAILURES": 0, "CLEANS": 0}
FAULTY: Final = (
    ("idle x puback", {**PLAIN, "STRAYS": 1, "LOSSES": 0}),
    ("idle x pubrec", {**PLAIN, "STRAYS": 1, "LOSSES": 0}),
    ("await_pubcomp x pubcomp", {**PLAIN, "MESSAGES": 2, "QUOTA": 1}),
    ("idle x pubcomp", {**PLAIN, "STRAYS": 1, "LOSSES": 0}),
    ("_error", {**PLAIN, "MESSAGES": 2, "QUOTA": 1, "DECLINES": 1}),
    ("refused", {**PLAIN, "REFUSALS": 1}),
    ("removed", {**PLAIN, "CRASHES": 1, "BRIEFS": 1, "ENDS": 1}),
    ("expired", {**PLAIN, "ENDS": 1}),
    ("closed_ending", {**PLAIN, "BRIEFS": 1}),
    ("connect_clean", {**PLAIN, "CRASHES": 1, "BRIEFS": 1, "CLEANS": 1}),
    ("that failed", {**PLAIN, "CRASHES": 1, "FAILURES": 1}),
    ("failed batch", {**PLAIN, "SESSIONS": 2, "CRASHES": 1, "FAILURES": 1}),
    ("later output", {**PLAIN, "MESSAGES": 2, "LOSSES": 0, "REFUSALS": 1}),
    ("older one", {**PLAIN, "CRASHES": 1, "BRIEFS": 1, "ENDS": 1}),
    ("journal", {**PLAIN, "MESSAGES": 2, "CRASHES": 1}),
    ("", PLAIN),
)
"""By a part of the name of a fault: the bounds in which it is looked for first."""
WIDER: Final = (
    {"MESSAGES": 1, "LOSSES": 1, "CRASHES": 0, "FAILURES": 0, "CLEANS": 1, "ROGUES": 1, "REFUSALS": 1},
    {"MESSAGES": 1, "LOSSES": 2, "CRASHES": 0, "FAILURES": 0, "CLEANS": 0, "DECLINES": 1, "REFUSALS": 1},
    {"MESSAGES": 1, "LOSSES": 1, "CRASHES": 1, "FAILURES": 0, "CLEANS": 1, "STRAYS": 1},
)
"""And those in which it is looked for then."""


def shown(bounds: Bounds, explored: Explored) -> str:
    """One line about an exploration."""
    said = explored.finding or ("every claim holds" if explored.complete else "not complete")
    return (
        f"{bounds.name}: {explored.states:,} states, {explored.transitions:,} transitions, depth {explored.depth}, "
        f"{explored.seconds} s: {said}"
    )


def walk(count: int, first: int) -> Iterator[tuple[str, int, int, str]]:
    """Random runs, done again on the engine: the bounds, the seed, how many steps were compared, what differs."""
    seeds = range(first, first + count)
    with ThreadPoolExecutor(2) as pool:
        for seed, printed in zip(seeds, pool.map(lambda seed: simulate(_walk_of(seed), seed), seeds), strict=True):
            bounds = _walk_of(seed)
            qos, trail = steps(printed)
            wrong = [step.wrong for step in trail if step.wrong]
            try:
                compared = replay(bounds.bounded(), TABLES, qos, trail)
            except Disagreement as error:
                yield bounds.name, seed, 0, str(error)
                continue
            yield bounds.name, seed, compared, wrong[0] if wrong else ""


def _walk_of(seed: int) -> Bounds:
    return WALKS[seed % len(WALKS)]


def _walks(count: int, first: int) -> dict[str, Any]:
    """Take random runs and print what differs."""
    runs = compared = 0
    differ: list[str] = []
    begun = time.monotonic()
    for name, seed, number, what in walk(count, first):
        runs += 1
        compared += number
        if what:
            differ.append(f"{name}, seed {seed}: {what}")
            print(differ[-1])
    seconds = round(time.monotonic() - begun, 1)
    print(f"{runs} random runs, {compared:,} steps compared, {len(differ)} that differ, {seconds} s", flush=True)
    return {"runs": runs, "steps": compared, "differ": differ, "seconds": seconds, "first_seed": first}


def _explorations(
    part: str, all_bounds: tuple[Bounds, ...], seconds: float, record: bool, *, cycles: bool = False
) -> dict[str, Any]:
    """Explore one after the other, and record each as soon as it is done."""
    out: dict[str, Any] = {}
    for bounds in all_bounds:
        explored = explore(bounds, seconds=seconds, cycles=cycles)
        print(shown(bounds, explored), flush=True)
        if explored.finding:
            print("\n".join("  " + line for line in packets(*steps(explored.printed))))
        out[bounds.name] = {
            "bounds": dict(bounds.values), "states": explored.states, "transitions": explored.transitions,
            "depth": explored.depth, "seconds": explored.seconds, "complete": explored.complete,
            "finding": explored.finding,
        }  # fmt: skip
        if record:
            _record({part: {**_recorded().get(part, {}), bounds.name: out[bounds.name]}})
    return out


def _look_for(fault: Fault, seconds: float, explained: bool) -> dict[str, Any]:
    """Look for a run that shows a fault, and do it again on an engine that has the fault.

    One that is explained is looked for in the first two bounds only.
    """
    own = next(values for part, values in FAULTY if part in fault.name)
    states = 0
    complete = True
    places = [(own, False), *((values, False) for values in WIDER), (own, True)]
    for values, cycles in places[: 2 if explained else None]:
        bounds = Bounds(fault.name, values)
        explored = explore(
            bounds, fault.machines, fault.rule, breadth=not cycles, cycles=cycles, seconds=seconds, megabytes=4000
        )
        states += explored.states
        if explored.finding:
            qos, trail = steps(explored.printed)
            out = {"finding": explored.finding, "states": states, "packets": list(packets(qos, trail))}
            try:
                replay(bounds.bounded(), fault.tables, qos, trail, lies=fault.rule == "TOLD_WRONG")
                out["engine"] = "agrees"
            except Disagreement as error:
                out["engine"] = str(error)
            return out
        complete = complete and explored.complete
    return {"finding": "", "states": states, "complete": complete}


def _faults(only: str, seconds: float, verbose: bool) -> tuple[dict[str, Any], int]:
    """Look for each seeded fault; returns what was found, and how many are neither found nor explained, or differ."""
    reasons: dict[str, str] = tomllib.loads(INVISIBLE.read_text())["fault"]
    apart: dict[str, str] = tomllib.loads(INVISIBLE.read_text())["apart"]
    wanted = [fault for fault in faults() if only in fault.name]
    problems = 0
    out: dict[str, Any] = {}
    with ThreadPoolExecutor(2) as pool:
        found_all = pool.map(lambda one: _look_for(one, seconds, one.name in reasons), wanted)
        for fault, found in zip(wanted, found_all, strict=True):
            out[fault.name] = found
            if found["finding"]:
                said = f"{found['finding']}; the engine: {found['engine']}"
                if fault.name in apart and found["engine"] != "agrees":
                    found["reason"] = apart[fault.name]
                    said = f"{found['finding']}; the engine: {found['reason']}"
                elif found["engine"] != "agrees" or fault.name in reasons or fault.name in apart:
                    problems += 1
                    said += " [not as invisible.toml says]"
            elif fault.name in reasons:
                found["reason"] = reasons[fault.name]
                said = f"no counter-example: {reasons[fault.name]}"
            else:
                problems += 1
                said = "NO COUNTER-EXAMPLE, and no reason in invisible.toml"
            print(f"{fault.name}: {said}", flush=True)
            if verbose:
                print("\n".join("  " + line for line in found.get("packets", ())))
    kinds = Counter("counter-example" if found["finding"] else "none" for found in out.values())
    print(
        f"{len(out)} seeded faults: {kinds['counter-example']} counter-examples, {kinds['none']} with none", flush=True
    )
    return out, problems


def _recorded() -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return recorded


def _record(result: dict[str, Any]) -> None:
    """Put parts into the committed result."""
    RESULTS.write_text(json.dumps({**_recorded(), **result}, indent=1, sort_keys=True) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0 if all is as it should be, 1 if not, 2 if a program is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.spin", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--long", action="store_true", help="larger bounds, more random runs, each seeded fault")
    parser.add_argument("--fault", metavar="TEXT", help="only the seeded faults whose name contains this")
    parser.add_argument("--walks", type=int, metavar="N", help="random runs (default: 60, with --long 1200)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first random run (default: 1)")
    parser.add_argument("--seconds", type=float, default=900, help="the longest that one exploration may take")
    parser.add_argument("--only", choices=PARTS, help="one part of the run")
    parser.add_argument("--record", action="store_true", help="with --long or --fault: write tests/spin/results.json")
    given = parser.parse_args(arguments)
    if given.record and not given.long and given.fault is None:
        parser.error("--record goes with --long or --fault")
    missing = available()
    if missing:
        print(f"not installed: {missing} (Debian: apt-get install spin gcc)", file=sys.stderr)
        return 2
    if given.fault is not None:
        found, problems = _faults(given.fault, given.seconds, verbose=True)
        if given.record:
            _record({"faults": {**_recorded().get("faults", {}), **found}})
        return 1 if problems else 0
    parts = [part for part in PARTS if given.only in (None, part) and (given.long or part != "faults")]
    result: dict[str, Any] = {}
    bad = False
    if "explored" in parts:
        result["explored"] = _explorations(
            "explored", (SHORT, *(LONG if given.long else ())), given.seconds, given.record
        )
    if "every run ends" in parts:
        result["every run ends"] = _explorations("every run ends", (CYCLES,), given.seconds, given.record, cycles=True)
    if "random runs" in parts:
        result["random runs"] = _walks(given.walks or (1200 if given.long else 60), given.seed)
        bad = bool(result["random runs"]["differ"])
    if "faults" in parts:
        result["faults"], problems = _faults("", given.seconds, verbose=False)
        bad = bad or problems > 0
    if given.record:
        _record({part: result[part] for part in result if part not in PARTS[:2]})
    return 1 if bad or any(one["finding"] for part in PARTS[:2] for one in result.get(part, {}).values()) else 0


if __name__ == "__main__":
    sys.exit(main())
