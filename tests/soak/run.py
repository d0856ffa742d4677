# SPDX-License-Identifier: MIT
"""Let clients come and go for a time, and hold the sizes of all collections and the memory to what they were.

`python -m tests.soak --minutes 30 --record`
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.soak.churn import Churn
from tests.soak.graph import CACHES, grown, modules
from tests.soak.sockets import Crowd, JudgedCrowd

__all__ = ["KINDS", "MEMORY", "RESULTS", "Outcome", "churn", "crowd", "main"]

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = Path(__file__).resolve().with_name("results.json")
MEMORY: Final = 128 * 1024
"""Bytes by which the memory of Python objects may differ from what it was after the first round."""
STEPS: Final = 2000
CLIENTS: Final = 200
KINDS: Final = ("plain", "stored", "asked", "stored asked", "sockets", "oracle")
PAGE: Final = 4096


@dataclass
class Outcome:
    """What a soak saw: which collections were larger than at the start, and the memory in bytes, first and last."""

    kind: str
    seed: int
    rounds: int = 0
    begun: int = 0
    """Steps of random clients, or connections."""
    collections: int = 0
    """How many collections and classes of objects were measured."""
    seconds: float = 0.0
    larger: dict[str, tuple[int, int]] = field(default_factory=dict)
    memory: tuple[int, int] = (0, 0)
    resident: tuple[int, int] = (0, 0)

    @property
    def leaked(self) -> bool:
        """True if something was larger at the end."""
        return bool(self.larger) or self.memory[1] > self.memory[0] + MEMORY


def churn(kind: str, seed: int, *, seconds: float = 0.0, rounds: int = 3, steps: int = STEPS) -> Outcome:
    """Soak a broker without sockets, in simulated time, for some seconds and at least some rounds."""
    clients = Churn(seed, stored="stored" in kind, asked="asked" in kind)
    outcome = Outcome(kind, seed)
    before = clients.sizes()
    started = time.monotonic()
    while outcome.rounds < rounds or time.monotonic() - started < seconds:
        clients.round(steps)
        after = clients.sizes()
        _measured(outcome, before, after)
        counters = clients.world.broker.counters
        held = clients.world.broker.budget.used
        left = (counters.messages_inflight, counters.messages_queued, counters.queued_bytes, held)
        if any(left):
            outcome.larger["counters: messages in flight, queued, their bytes, and the budget"] = (0, sum(left))
        if outcome.larger:
            break
    outcome.begun = clients.steps
    outcome.seconds = time.monotonic() - started
    return outcome


def crowd(kind: str, seed: int, *, seconds: float = 0.0, rounds: int = 3, clients: int = CLIENTS) -> Outcome:
    """Soak a server, or the oracle, over sockets, for some seconds and at least some rounds."""
    return asyncio.run(_crowd(kind, seed, seconds, rounds, clients))


async def _crowd(kind: str, seed: int, seconds: float, rounds: int, clients: int) -> Outcome:
    some = (JudgedCrowd if kind == "oracle" else Crowd)(seed)
    outcome = Outcome(kind, seed)
    await some.start()
    try:
        await some.round(clients)  # the first makes what is made once: $SYS topics, imports
        before = some.sizes()
        started = time.monotonic()
        while outcome.rounds < rounds or time.monotonic() - started < seconds:
            await some.round(clients)
            _measured(outcome, before, some.sizes())
            if outcome.larger:
                break
        outcome.begun = some.connections
        outcome.seconds = time.monotonic() - started
    finally:
        await some.stop()
    return outcome


def _measured(outcome: Outcome, before: Any, after: Any) -> None:
    """Note what is there after a round."""
    outcome.rounds += 1
    outcome.collections = len(after)
    outcome.larger = grown(before, after)
    known = modules()
    for name in CACHES:
        cache = known[name]
        assert isinstance(cache, dict)
        cache.clear()  # they stay, up to a size that `grown` checks
    gc.collect()
    memory = tracemalloc.get_traced_memory()[0]
    outcome.memory = (outcome.memory[0] or memory, memory)
    outcome.resident = (outcome.resident[0] or _resident(), _resident())


def _resident() -> int:
    """Return the bytes of memory that the process has, 0 where the system does not say."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


def _commit() -> str:
    """Return the commit that is about to be judged.

    Raises:
        SystemExit: files differ from it, so that it would not be clear what the result belongs to.
    """
    status = ["git", "status", "--porcelain", "--untracked-files=no", "--", ":/", f":!/{RESULTS.relative_to(ROOT)}"]
    if subprocess.run(status, cwd=ROOT, capture_output=True, text=True, check=True).stdout:
        raise SystemExit("--record is for what is committed: commit the changes first")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return head.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="how long, for all kinds together (default: 1)")
    parser.add_argument("--seed", type=int, default=None, help="the seed (default: random)")
    parser.add_argument("--only", default="", help="one kind: " + ", ".join(KINDS))
    parser.add_argument("--record", action="store_true", help="write the result to tests/soak/results.json")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1 << 32) if given.seed is None else given.seed
    commit = _commit() if given.record else ""
    kinds = [kind for kind in KINDS if not given.only or kind == given.only]
    tracemalloc.start()
    outcomes: list[Outcome] = []
    for kind in kinds:
        soak = crowd if kind in ("sockets", "oracle") else churn
        outcome = soak(kind, seed, seconds=given.minutes * 60 / len(kinds))
        outcomes.append(outcome)
        print(
            f"{kind:13} {outcome.rounds} rounds, {outcome.begun} begun, {outcome.seconds:.0f} s, "
            f"{outcome.collections} collections, memory {outcome.memory[0]:,} -> {outcome.memory[1]:,} bytes, "
            f"larger: {outcome.larger or 'none'}",
            flush=True,
        )
    tracemalloc.stop()
    leaked = any(outcome.leaked for outcome in outcomes)
    if given.record and not given.only:
        seconds = sum(outcome.seconds for outcome in outcomes)
        result = {
            "commit": commit, "minutes": round(seconds / 60, 1), "leaked": leaked, "python": sys.version.split()[0],
            "processors": os.cpu_count(), "soaks": [asdict(outcome) for outcome in outcomes],
        }  # fmt: skip
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if leaked else 0
