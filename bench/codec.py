# SPDX-License-Identifier: MIT
"""Measures decoding time: the fast codec, a decoder without checks, and the reference codec, side by side.

    python -m bench.codec                 # plain Python
    python -m bench.codec --compiled      # plain, then built by mypyc
    python -m bench.codec --compiled --record

Each round times every decoder in turn on the same packet in CPU time. Ratios are taken within a round, and their
medians are printed and judged.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "codec.json"
MODES = ("plain", "compiled")
UNCHECKED_BAR = 2.0
REFERENCE_BARS = {"plain": 20.0, "compiled": 60.0}
BARRED = ("PUBLISH", "PUBLISH with five properties", "CONNECT with everything")
ROUND_NS = 10_000_000
"""The approximate time of one decoder in one round."""


def packets() -> dict[str, list[bytes]]:
    """The packets to decode, by name: usually one packet repeated."""
    from mqtt_ref.wire.fast import encode
    from mqtt_ref.wire.packets import Connect, ConnectProperties, Publish, PublishProperties, Will, WillProperties

    user = [("region", "north"), ("unit", "kelvin")]
    publish = Publish("site/7/line/3/temperature", b"x" * 64)
    request = Publish(
        "site/7/line/3/temperature",
        b"x" * 64,
        qos=1,
        packet_id=7,
        properties=PublishProperties(
            message_expiry_interval=3600,
            content_type="application/json",
            response_topic="site/7/replies",
            correlation_data=b"0123456789abcdef",
            user_property=[("region", "north")],
        ),
    )
    will = Will(
        "site/7/status",
        b"offline",
        qos=1,
        retain=True,
        properties=WillProperties(
            payload_format_indicator=1,
            message_expiry_interval=3600,
            content_type="text/plain",
            response_topic="site/7/replies",
            correlation_data=b"0123456789abcdef",
            will_delay_interval=30,
            user_property=list(user),
        ),
    )
    connect = Connect(
        "site-7-line-3",
        clean_start=False,
        keep_alive=60,
        username="operator",
        password=b"correct horse",
        will=will,
        properties=ConnectProperties(
            session_expiry_interval=86_400,
            authentication_method="SCRAM-SHA-256",
            authentication_data=b"n,,n=operator,r=rOprNGfwEbeRWgbNEkqO",
            request_problem_information=1,
            request_response_information=1,
            receive_maximum=100,
            topic_alias_maximum=10,
            user_property=list(user),
            maximum_packet_size=1_048_576,
        ),
    )
    return {
        BARRED[0]: [encode(5, publish)],
        BARRED[1]: [encode(5, request)],
        BARRED[2]: [encode(5, connect)],
        "PUBLISH, each to another topic": [
            encode(5, Publish(f"site/{n % 97}/line/{n}/temperature", b"x" * 64)) for n in range(6000)
        ],
    }


def decoders() -> dict[str, Callable[..., Any]]:
    """Return the decoders by name. All are called with the same six arguments."""
    from bench import unchecked
    from mqtt_ref.wire import fast, reference

    def by_reference(version: int, sender: int, data: bytes, start: int, pos: int, end: int) -> Any:
        return reference.decode(version, sender, data)

    return {"fast": fast.decode, "unchecked": unchecked.decode, "reference": by_reference}


def calls(data: list[bytes]) -> list[tuple[int, int, bytes, int, int, int]]:
    """Return the arguments of a decoder for each packet."""
    from mqtt_ref.wire.framing import head_size

    return [(5, 0, packet, 0, head_size(packet), len(packet)) for packet in data]


def spent(decode: Callable[..., Any], arguments: list[tuple[int, int, bytes, int, int, int]], turns: int) -> int:
    """Return the CPU time of these calls in nanoseconds, including the loop around them."""
    run = list(islice(cycle(arguments), turns))
    start = time.process_time_ns()
    for version, sender, data, begin, pos, end in run:
        decode(version, sender, data, begin, pos, end)
    return time.process_time_ns() - start


def measure(rounds: int) -> dict[str, Any]:
    """Time every decoder on every packet. First check that all of them return equal packets."""
    every = decoders()
    out: dict[str, Any] = {}
    for name, data in packets().items():
        arguments = calls(data)
        for one in arguments[:50]:
            made = {decoder: decode(*one) for decoder, decode in every.items()}
            if any(packet != made["unchecked"] for packet in made.values()):
                raise SystemExit(f"the decoders differ over {name}: {made}")
        turns = {}
        for decoder, decode in every.items():
            once = max(1, min(spent(decode, arguments, 200) for _ in range(3)) // 200)
            turns[decoder] = max(20, ROUND_NS // once)
        gc.collect()
        gc.disable()
        took: dict[str, list[float]] = {decoder: [] for decoder in every}
        for _ in range(rounds):
            for decoder, decode in every.items():
                took[decoder].append(spent(decode, arguments, turns[decoder]) / turns[decoder])
        gc.enable()
        row: dict[str, float] = {f"{d}_ns": round(statistics.median(t), 1) for d, t in took.items()}
        row["fast_to_unchecked"] = ratio(took["fast"], took["unchecked"])
        row["reference_to_fast"] = ratio(took["reference"], took["fast"])
        out[name] = {"bytes": len(data[0]), **row}
    return out


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return round(statistics.median(a / b for a, b in zip(above, below, strict=True)), 2)


def run(mode: str, rounds: int) -> dict[str, Any]:
    """Measure in a child process that imports the packages of the mode."""
    from bench.compiled import ROOT, compiled_site

    place = ROOT
    if mode == "compiled":
        place = compiled_site(also=("bench/unchecked.py",), only="mqtt_ref/wire/")
        for name in ("__init__.py", "codec.py"):
            shutil.copyfile(ROOT / "bench" / name, place / "bench" / name)
    command = [sys.executable, "-m", "bench.codec", "--measure", mode, "--rounds", str(rounds)]
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, cwd=place, stdout=subprocess.PIPE, timeout=1200, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verify_mode(mode: str) -> None:
    """Check that the imported modules are plain or compiled, as the mode says."""
    from bench import unchecked
    from mqtt_ref.wire.generated import fast, packets

    for module in (unchecked, fast, packets):
        if str(module.__file__).endswith(".py") == (mode == "compiled"):
            raise SystemExit(f"{module.__name__} is not {mode}")


def report(mode: str, rows: dict[str, Any]) -> bool:
    """Print one mode's table. Return True if every bar is met."""
    good = True
    print(f"\n{mode}\n")
    print(f"{'packet':34}{'bytes':>6}{'fast':>12}{'unchecked':>12}{'reference':>12}{'f/u':>7}{'r/f':>7}")
    for name, row in rows.items():
        missed = []
        if name in BARRED:
            if row["fast_to_unchecked"] > UNCHECKED_BAR:
                missed.append(f"f/u is above {UNCHECKED_BAR:g}")
            if row["reference_to_fast"] < REFERENCE_BARS[mode]:
                missed.append(f"r/f is below {REFERENCE_BARS[mode]:g}")
        good = good and not missed
        times = "".join(f"{row[d + '_ns'] / 1e3:9.2f} us" for d in ("fast", "unchecked", "reference"))
        ratios = f"{row['fast_to_unchecked']:7.2f}{row['reference_to_fast']:7.0f}"
        print(f"{name:34}{row['bytes']:6}{times}{ratios}  {'; '.join(missed)}".rstrip())
    return good


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return 0 if every bar is met, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m bench.codec", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--compiled", action="store_true", help="measure the compiled build too")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--record", action="store_true", help="write bench/results/codec.json")
    parser.add_argument("--measure", choices=MODES, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        verify_mode(options.measure)
        json.dump(measure(options.rounds), sys.stdout)
        return 0
    modes = MODES if options.compiled else MODES[:1]
    found = {mode: run(mode, options.rounds) for mode in modes}
    good = [report(mode, rows) for mode, rows in found.items()]
    print(
        f"\nbars: f/u at most {UNCHECKED_BAR:g}; r/f at least 20 plain, 60 compiled; medians of {options.rounds} rounds"
    )
    if options.record:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        record = {"python": python, "machine": platform.machine(), "rounds": options.rounds, "modes": found}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
