# SPDX-License-Identifier: MIT
"""The source beside an older checkout: CPU time of the broker per message, in paired rounds.

    python -m bench.versions ../older                    # plain Python
    python -m bench.versions ../older --compiled
    python -m bench.versions ../older --only 'p2p*' --rounds 30

Each round runs the older source twice and this one once, in an order that rotates. The ratio of the two equal ones
shows what the machine adds: a row where it is not within the bar is "not measured". The other rows show the median of
the ratios, and the interval in which it lies with a confidence of at least 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from bench.brokers import Result, Settings, chosen, load_generator, measure, ours
from bench.compiled import ROOT, compiled_site

__all__ = ["interval", "main"]

RESULTS = Path(__file__).parent / "results" / "versions.json"
ONLY = (
    "p2p-q0,p2p-q1,p2p-q2,p2p-q0-sparse,p2p-q1-sparse,fanout-q0,fanout-q1,fanin-q0,fanin-q1,conn,"
    "p2p-q0-properties,p2p-q1-properties,fanout-q0-properties"
)
BARS = {"plain": 1.10, "compiled": 1.05}
"""CPU time per message to that of the older source, at most."""
CONFIDENCE = 0.95


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median and the bounds between which it lies with the confidence, by order statistics.

    With fewer than six values the bounds are the least and the greatest of them.
    """
    ordered = sorted(ratios)
    n = len(ordered)
    outside, below = 0.0, 0
    while below < n // 2:
        outside += 2 * math.comb(n, below) / 2**n
        if outside > 1 - CONFIDENCE:
            break
        below += 1
    cut = max(below - 1, 0)
    return statistics.median(ordered), ordered[cut], ordered[n - 1 - cut]


def verdict(equals: tuple[float, float, float], ratio: tuple[float, float, float], bar: float) -> str:
    """Say what a row shows."""
    if equals[2] > bar or equals[1] < 1 / bar:
        return "not measured"
    if ratio[1] > bar:
        return "SLOWER"
    return "within the bar" if ratio[2] <= bar else "undecided"


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return its exit code: 1 if a row is slower than its bar, else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.versions", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("older", type=Path, help="a checkout of the older source, with its `bench`")
    parser.add_argument("--compiled", action="store_true", help="what mypyc made of both")
    parser.add_argument("--only", default=ONLY, help="scenarios of bench.brokers: names or wildcards")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--time", type=float, default=3.0, help="measured seconds of each run")
    parser.add_argument("--record", action="store_true", help="write bench/results/versions.json")
    options = parser.parse_args(argv)
    form = "compiled" if options.compiled else "plain"
    older = options.older.resolve()
    if options.compiled:
        code = "from bench.compiled import compiled_site; print(compiled_site())"
        environment = {**os.environ, "PYTHONPATH": str(older)}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=older, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        older = Path(done.stdout.splitlines()[-1])
    here = compiled_site() if options.compiled else ROOT
    brokers = [ours("before", older), ours("again", older), ours("now", here)]
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[1]) if len(available) > 1 else None
    settings = Settings(load_generator(), options.time, 4, 60, cores)
    bar = BARS[form]
    found: dict[str, dict[str, object]] = {}
    print(f"{form} Python {platform.python_version()}, {options.rounds} rounds of {options.time:g} s, bar {bar:g}")
    for scenario in chosen(options.only):
        equals: list[float] = []
        ratios: list[float] = []
        for number in range(options.rounds):
            turn = number % len(brokers)
            results: dict[str, Result] = {}
            for broker in brokers[turn:] + brokers[:turn]:
                results[broker.name] = measure(broker, scenario, settings)
            if not all(result.get("ok") for result in results.values()):
                print(f"{scenario}: a run is not good: {results}", file=sys.stderr)
                continue
            cost = {name: float(result["cpu_us_msg"]) for name, result in results.items()}
            equals.append(cost["again"] / cost["before"])
            ratios.append(cost["now"] / math.sqrt(cost["before"] * cost["again"]))
        if not ratios:
            found[scenario] = {"rounds": 0, "verdict": "not measured"}
        else:
            same, now = interval(equals), interval(ratios)
            found[scenario] = {
                "rounds": len(ratios),
                "equals": [round(value, 3) for value in same],
                "now": [round(value, 3) for value in now],
                "verdict": verdict(same, now, bar),
            }
        print(f"{scenario:22}{json.dumps(found[scenario])}", flush=True)
    if options.record:
        data = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        data[form] = {"python": platform.python_version(), "seconds": options.time, "results": found}
        RESULTS.write_text(json.dumps(data, indent=1) + "\n")
    return 1 if any(row["verdict"] == "SLOWER" for row in found.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
