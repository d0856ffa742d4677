# SPDX-License-Identifier: MIT
"""Measures routing: nanoseconds per match and per change, bytes per subscription, among many that do not match.

    python -m bench.match_cost                # plain Python
    python -m bench.match_cost --compiled     # the same, built by mypyc

One filter matches each requested topic. The other filters are of one kind at a time. `cached` requests 1,000 topics in
turn, `uncached` topics that were never requested before. `change` subscribes and unsubscribes while the 1,000 topics
are cached. `lost` is how many of them each change removed from the cache without need. (`+/+/x` may match any topic of
three levels, so the router checks many. As no topic is requested in between, the cache is soon empty.)
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

from mqtt_ref.broker.retained_store import RetainedStore
from mqtt_ref.broker.router import Router

__all__ = ["main"]

MODULES = tuple(
    f"mqtt_ref/broker/{name}.py" for name in ["retained", "router", "shared", "subscription", "topics", "tree"]
)
TOPICS = 1000
ROUNDS = 5
# The filters of the other subscriptions, by number, and those of the change. None matches `home/<n>/state`.
KINDS = {
    "exact": ("site/{}/state", "site/x{}/state"),
    "ending in #": ("site/{}/line/#", "site/x{}/line/#"),
    "+ inside": ("site/{}/+/state", "site/x{}/+/state"),
    "+ in front": ("+/{}x/other", "+/x{}/other"),
    "+ only": ("+/+/{}x", "+/+/x{}"),
    "shared": ("$share/g/site/{}/#", "$share/g/site/x{}/#"),
}


def per_call(what: Callable[[int], object], count: int) -> float:
    """Return nanoseconds for one call, the best of some rounds. Each call gets another number."""
    best = float("inf")
    for turn in range(ROUNDS):
        numbers = range(turn * count, (turn + 1) * count)
        gc.collect()
        begin = time.process_time_ns()
        for number in numbers:
            what(number)
        best = min(best, (time.process_time_ns() - begin) / count)
    return best


def filled(others: int, kind: str) -> tuple[Router, float]:
    """Return a router with other subscriptions, and the bytes that each of them takes."""
    gc.collect()
    router = Router()
    router.subscribe(-1, "home/+/state", 1)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for subscriber in range(1000, 1000 + others):
        router.subscribe(subscriber, KINDS[kind][0].format(subscriber), 1)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return router, (after - before) / others if others else 0.0


def row(others: int, kind: str) -> str:
    """Print one line of the table."""
    router, size = filled(others, kind)
    topics = [f"home/{n}/state" for n in range(TOPICS)]
    fresh = [f"home/f{n}/state" for n in range(5000 * ROUNDS)]
    changes = [KINDS[kind][1].format(n) for n in range(2000 * ROUNDS)]

    def ask() -> None:
        for topic in topics:
            assert len(router.match(topic).plain) == 1

    ask()
    match = router.match
    cached = per_call(lambda n: match(topics[n % TOPICS]), 20_000)
    uncached = per_call(lambda n: match(fresh[n]), 5000)
    empty_call = per_call(lambda n: topics[n % TOPICS], 20_000)
    router.forget()
    ask()
    misses = router.misses

    def change(n: int) -> None:
        router.subscribe(-2, changes[n], 0)
        router.unsubscribe(-2, changes[n])

    changing = per_call(change, 2000)
    ask()
    lost = (router.misses - misses) / (2000 * ROUNDS)
    return (
        f"{kind:12} {others:>8,} {cached - empty_call:>9,.0f} {uncached - empty_call:>10,.0f} {changing:>9,.0f}"
        f" {lost:>6.1f} {size:>7,.0f}"
    )


def fan_out() -> None:
    """Measure a topic with 10,000 subscribers: building the answer once, and after each change."""
    router = Router()
    for subscriber in range(10_000):
        router.subscribe(subscriber, "all/#", 0)
        router.subscribe(subscriber, "all/+", 1)

    def again(n: int) -> None:
        router.subscribe(-1, "all/x", n & 1)
        router.match("all/x")

    cost = per_call(again, 5)
    print(f"answer for 10,000 subscribers with two overlapping filters each, built again: {cost / 1e6:.1f} ms")


def retained() -> None:
    """Measure retained messages, found by filters of several widths."""
    kept: RetainedStore[int] = RetainedStore()
    per_put = per_call(lambda n: kept.put(f"site/{n // 10}/sensor/{n}", n, 0), 20_000)
    print(f"retained: put {per_put:,.0f} ns; with {len(kept):,} kept:")
    for topic_filter in ("site/7/sensor/77", "site/7/sensor/+", "site/7/#", "+/7/sensor/+", "#"):
        found = sum(1 for _ in kept.match(topic_filter))
        cost = per_call(lambda _: sum(1 for _ in kept.match(topic_filter)), 2 if found > 1000 else 500)  # noqa: B023
        print(f"  {topic_filter:18} {found:>7,} found in {cost / 1000:>10,.1f} us")


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.match_cost", description=__doc__.split("\n")[0])
    parser.add_argument("--compiled", action="store_true", help="build the router with mypyc first")
    wanted = parser.parse_args(arguments)
    if wanted.compiled:
        from bench.compiled import ROOT, compiled_site

        path = os.pathsep.join((str(compiled_site(also=MODULES, only="these alone")), str(ROOT)))
        return subprocess.call([sys.executable, "-P", "-m", "bench.match_cost"], env={**os.environ, "PYTHONPATH": path})
    kind = "compiled" if not sys.modules["mqtt_ref.broker.router"].__file__.endswith(".py") else "plain"  # type: ignore[union-attr]
    print(f"{kind} Python {sys.version.split()[0]}; nanoseconds, bytes")
    print("other kind     number    cached   uncached    change   lost   bytes")
    for others in (0, 1000, 100_000):
        for name in KINDS if others else ("exact", "ending in #"):
            print(row(others, name), flush=True)
    fan_out()
    retained()
    return 0


if __name__ == "__main__":
    sys.exit(main())
