# SPDX-License-Identifier: MIT
"""Let random clients loose on the broker for a time, or on brokers with seeded faults until each is found.

`python -m tests.model.run --minutes 30 --record` and `python -m tests.model.run --faults --record`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import run_state_machine_as_test

from mqtt_ref.engine.tables import TABLES, Tables
from tests.model.faults import FAULTS, Fault
from tests.model.machine import Clients, machine

__all__ = ["LIMIT", "RESULTS", "Outcome", "batch", "explore", "find", "main"]

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = Path(__file__).resolve().with_name("results.json")
LIMIT: Final = 300
BATCH: Final = 100
STEPS: Final = 30


@dataclass
class Outcome:
    """What came of a time of looking, in seconds of the processor: the trace of the finding, if there was one."""

    examples: int
    steps: int
    seconds: float
    finding: str = ""
    trace: str = ""
    seed: int = 0


def _settings(shrink: bool) -> settings:
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    return settings(
        max_examples=BATCH, stateful_step_count=STEPS, deadline=None, database=None, phases=phases, print_blob=False,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip


def batch(clients: type[Clients], number: int, shrink: bool) -> tuple[str, str]:
    """One batch of random clients; the finding and its trace, or nothing."""
    seed(number)(clients)
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            run_state_machine_as_test(clients, settings=_settings(shrink))
    except UnsatisfiedAssumption:
        raise
    except Exception as error:
        # Not only what the model says: whatever the broker itself throws is a finding as well.
        where = "" if isinstance(error, AssertionError) else "".join(traceback.format_tb(error.__traceback__)[-3:])
        return f"{type(error).__name__}: {error}", "\n".join([where, *getattr(error, "__notes__", ())])
    return "", ""


def explore(tables: Tables, seconds: float, first: int, *, shrink: bool = True) -> Outcome:
    """Look for findings for some seconds, in batches with seeds of their own.

    The seconds are those of the processor: a run that is stopped or has to wait looks at nothing.
    """
    clients = machine(tables)
    begun = time.process_time()
    number = first
    finding = trace = ""
    while time.process_time() - begun < seconds:
        finding, trace = batch(clients, number, shrink=False)
        if finding:
            break
        number += 1
    spent = time.process_time() - begun
    outcome = Outcome(clients.examples, clients.steps, spent, finding, trace, number)
    if finding and shrink:
        outcome.finding, outcome.trace = batch(machine(tables), number, shrink=True)
    return outcome


def find(fault: Fault, first: int, seconds: float = LIMIT) -> Outcome:
    """Look for one seeded fault until it is found, or for `seconds`."""
    return explore(fault.make(), seconds, first, shrink=False)


def _commit() -> str:
    """The commit that is about to be judged.

    Raises:
        SystemExit: files differ from it, so that a result could not be told what it is of.
    """
    folder = RESULTS.parent
    status = ["git", "status", "--porcelain", "--untracked-files=no", "--", ":/", f":!/{RESULTS.relative_to(ROOT)}"]
    if subprocess.run(status, cwd=folder, capture_output=True, text=True, check=True).stdout:
        raise SystemExit("--record is for what is committed: commit the changes first")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True)
    return head.stdout.strip()


def _record(part: str, commit: str, result: dict[str, Any]) -> None:
    """Put one part into the committed results."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[part] = {"commit": commit, **result}
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def _run(minutes: float, first: int, record: bool) -> int:
    commit = _commit() if record else ""
    outcome = explore(TABLES, minutes * 60, first)
    print(f"{outcome.examples} examples, {outcome.steps} steps, {outcome.seconds / 60:.1f} minutes, seed {first}")
    if outcome.finding:
        print(f"seed {outcome.seed}: {outcome.finding}\n{outcome.trace}")
        return 1
    print("no finding")
    if record:
        minutes = round(outcome.seconds / 60, 1)
        result = {
            "examples": outcome.examples,
            "steps": outcome.steps,
            "minutes": minutes,
            "findings": 0,
            "seed": first,
        }
        _record("run", commit, result)
    return 0


def _faults(first: int, record: bool, wanted: str) -> int:
    commit = _commit() if record else ""
    faults: dict[str, Any] = {}
    hidden = 0
    for fault in FAULTS:
        if wanted not in fault.name:
            continue
        outcome = find(fault, first)
        found = bool(outcome.finding)
        hidden += not found
        said = outcome.finding.splitlines()[0][:120] if found else "NOT FOUND"
        print(f"{outcome.seconds:6.1f} s  {fault.statement:22} {fault.name}: {said}", flush=True)
        faults[fault.name] = {
            "statement": fault.statement, "seconds": round(outcome.seconds, 1) if found else None, "finding": said,
        }  # fmt: skip
    print(f"{len(faults) - hidden} of {len(faults)} faults found")
    if record and not wanted:
        _record("faults", commit, {"seed": first, "found": len(faults) - hidden, "limit": LIMIT, "faults": faults})
    return 1 if hidden else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.run", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--minutes", type=float, default=1.0, help="how long to look, in minutes of the processor (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: random)")
    parser.add_argument("--faults", action="store_true", help="look for each seeded fault instead")
    parser.add_argument("--only", default="", help="with --faults: those whose name contains this")
    parser.add_argument("--record", action="store_true", help="write the result to tests/model/results.json")
    given = parser.parse_args(arguments)
    first = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    if given.faults:
        return _faults(first, given.record, given.only)
    return _run(given.minutes, first, given.record)


if __name__ == "__main__":
    sys.exit(main())
