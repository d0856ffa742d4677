# SPDX-License-Identifier: MIT
"""Measures the cost of judging: the broker with the passive judge on, compared with the same broker without it.

    python -m bench.oracle                    # plain Python
    python -m bench.oracle --mode compiled
    python -m bench.oracle --record           # writes bench/results/oracle.json

Rounds are interleaved, and the ratio of the rates is taken within a round. The bar is a third.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.brokers import Broker, Result, Settings, load_generator, measure, median, median_ratio, ours
from bench.compiled import ROOT, compiled_site

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "oracle.json"
SCENARIOS = ("p2p-q0", "p2p-q1", "p2p-q2", "fanout-q0", "fanout-q1", "fanin-q0")
BAR = 1 / 3


def judged(plain: Broker) -> Broker:
    """Return the same broker with the judge."""
    at = plain.command.index("serve")
    command = [*plain.command[:at], "oracle", *plain.command[at:]]
    return replace(plain, name="judged", command=command)


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return 0 if the bar is met in every scenario."""
    parser = argparse.ArgumentParser(prog="python -m bench.oracle", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--mode", choices=("plain", "compiled"), default="plain")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="scenarios of bench.brokers, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--time", type=float, default=1.5, help="measured seconds of each run")
    parser.add_argument("--mqtt", type=int, default=5, choices=(4, 5))
    parser.add_argument("--record", action="store_true", help="write bench/results/oracle.json")
    options = parser.parse_args(argv)
    plain = ours("plain", ROOT if options.mode == "plain" else compiled_site())
    both = (plain, judged(plain))
    available = sorted(os.sched_getaffinity(0))
    cores = None if len(available) < 2 else (available[0], available[1])
    settings = Settings(load_generator(), options.time, options.mqtt, 60, cores)
    rows: dict[str, dict[str, Any]] = {}
    for scenario in options.only.split(","):
        runs: dict[str, list[Result]] = {broker.name: [] for broker in both}
        for _ in range(options.rounds):
            for broker in both:
                runs[broker.name].append(measure(broker, scenario, settings))
        good = all(result.get("ok") for results in runs.values() for result in results)
        ratio = median_ratio(runs["judged"], runs["plain"], "rate")
        rows[scenario] = {
            "plain": round(median(runs["plain"], "rate") or 0),
            "judged": round(median(runs["judged"], "rate") or 0),
            "ratio": round(ratio or 0, 3),
            "good": good,
            "met": good and (ratio or 0) >= BAR,
        }
        row = rows[scenario]
        verdict = "met" if row["met"] else "MISSED"
        print(f"{scenario:12} plain {row['plain']:>9,}/s  judged {row['judged']:>9,}/s  {row['ratio']:.2f}  {verdict}")
        sys.stdout.flush()
    if options.record:
        before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        before[options.mode] = {
            "python": platform.python_version(),
            "bar": round(BAR, 3),
            "rounds": options.rounds,
            "seconds": options.time,
            "mqtt": options.mqtt,
            "scenarios": rows,
        }
        RESULTS.write_text(json.dumps(before, indent=2) + "\n")
    return 0 if all(row["met"] for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
