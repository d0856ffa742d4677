# SPDX-License-Identifier: MIT
"""Compares brokers in paired rounds: two that are equal, and a third one that must not cost more."""

from __future__ import annotations

import json
import math
import os
import statistics
import sys

from bench.brokers import Broker, Result, Settings, load_generator, measure

__all__ = ["compare", "interval", "settings", "verdict"]

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


def settings(seconds: float, mqtt: int = 4) -> Settings:
    """Return settings with the broker on one core and the load on another, if there are two."""
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[1]) if len(available) > 1 else None
    return Settings(load_generator(), seconds, mqtt, 60, cores)


def compare(
    before: Broker, again: Broker, now: Broker, scenario: str, rounds: int, bar: float, setting: Settings
) -> dict[str, object]:
    """Return how the CPU time per message of `now` compares with that of the two equal brokers, and print it."""
    brokers = [before, again, now]
    equals: list[float] = []
    ratios: list[float] = []
    for number in range(rounds):
        turn = number % len(brokers)
        results: dict[str, Result] = {}
        for broker in brokers[turn:] + brokers[:turn]:
            results[broker.name] = measure(broker, scenario, setting)
        if not all(result.get("ok") for result in results.values()):
            print(f"{scenario}: a run is not good: {results}", file=sys.stderr)
            continue
        costs = {name: float(result["cpu_us_msg"]) for name, result in results.items()}
        equals.append(costs[again.name] / costs[before.name])
        ratios.append(costs[now.name] / math.sqrt(costs[before.name] * costs[again.name]))
    row: dict[str, object] = {"rounds": len(ratios), "verdict": "not measured"}
    if ratios:
        same, other = interval(equals), interval(ratios)
        row = {
            "rounds": len(ratios),
            "equals": [round(value, 3) for value in same],
            "now": [round(value, 3) for value in other],
            "verdict": verdict(same, other, bar),
        }
    print(f"{scenario:22}{json.dumps(row)}", flush=True)
    return row
