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
import os
import platform
import subprocess
import sys
from pathlib import Path

from bench.brokers import chosen, ours
from bench.compiled import ROOT, compiled_site
from bench.paired import compare, settings

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "versions.json"
ONLY = (
    "p2p-q0,p2p-q1,p2p-q2,p2p-q0-sparse,p2p-q1-sparse,fanout-q0,fanout-q1,fanin-q0,fanin-q1,conn,"
    "p2p-q0-properties,p2p-q1-properties,fanout-q0-properties"
)
BARS = {"plain": 1.10, "compiled": 1.05}
"""CPU time per message to that of the older source, at most."""


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
    brokers = (ours("before", older), ours("again", older), ours("now", here))
    bar = BARS[form]
    print(f"{form} Python {platform.python_version()}, {options.rounds} rounds of {options.time:g} s, bar {bar:g}")
    found = {
        scenario: compare(*brokers, scenario, options.rounds, bar, settings(options.time))
        for scenario in chosen(options.only)
    }
    if options.record:
        # Rows that were not measured now stay.
        data = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        before = data.get(form, {}).get("results", {})
        data[form] = {"python": platform.python_version(), "seconds": options.time, "results": {**before, **found}}
        RESULTS.write_text(json.dumps(data, indent=1) + "\n")
    return 1 if any(row["verdict"] == "SLOWER" for row in found.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
