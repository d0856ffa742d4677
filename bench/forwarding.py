# SPDX-License-Identifier: MIT
"""Measures the time to forward a PUBLISH: decode it, and encode it for one subscriber.

    python -m bench.forwarding               # plain Python
    python -m bench.forwarding --compiled    # plain, then built by mypyc

The User Properties of each message have other values. `bytes` forwards the properties as they came, as a broker does.
`objects` decodes them to objects and encodes those again, as for a hook that changed them. Prints medians of CPU time;
every round times each way in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

__all__ = ["main"]

MESSAGES = 2000
BATCH = 50
"""The number of messages in one `feed`."""


def streams(properties: int) -> list[bytes]:
    """The publisher's data in batches: messages with this number of User Properties."""
    from mqtt_ref.wire.fast import encode
    from mqtt_ref.wire.packets import Publish, PublishProperties

    out = []
    for start in range(0, MESSAGES, BATCH):
        batch = []
        for n in range(start, start + BATCH):
            user = [("region", f"north-{n}"), ("unit", f"kelvin-{n % 17}"), ("sequence", str(n))][:properties]
            given = PublishProperties(user_property=user) if user else None
            batch.append(encode(5, Publish("site/7/line/3/temperature", b"x" * 64, properties=given)))
        out.append(b"".join(batch))
    return out


def ways() -> dict[str, Callable[[list[bytes]], int]]:
    """Return the ways to forward messages, by name. Each returns the number of bytes it produced."""
    from mqtt_ref.wire.block import block_of, outgoing
    from mqtt_ref.wire.fast import publish_bytes
    from mqtt_ref.wire.framing import Decoder
    from mqtt_ref.wire.packets import Publish

    def decode(stream: list[bytes]) -> int:
        decoder = Decoder(5)
        return sum(len(decoder.feed(data)) for data in stream)

    def by_bytes(stream: list[bytes]) -> int:
        decoder = Decoder(5)
        size = 0
        for data in stream:
            for packet in decoder.feed(data):
                assert isinstance(packet, Publish)
                out = outgoing(packet.block, 0, (), 0)
                size += len(publish_bytes(5, packet.topic.encode(), packet.payload, 0, False, False, 0, out))
        return size

    def by_objects(stream: list[bytes]) -> int:
        decoder = Decoder(5)
        size = 0
        for data in stream:
            for packet in decoder.feed(data):
                assert isinstance(packet, Publish)
                out = outgoing(block_of(packet.properties), 0, (), 0)
                size += len(publish_bytes(5, packet.topic.encode(), packet.payload, 0, False, False, 0, out))
        return size

    return {"decode": decode, "bytes": by_bytes, "objects": by_objects}


def measure(rounds: int) -> dict[str, dict[str, int]]:
    """Return nanoseconds per message, by number of properties and way."""
    found: dict[str, dict[str, int]] = {}
    for properties in (0, 3):
        stream = streams(properties)
        took: dict[str, list[int]] = {name: [] for name in ways()}
        every = ways()
        assert every["bytes"](stream) == every["objects"](stream) == sum(map(len, stream))
        for _ in range(rounds):
            for name, way in every.items():
                start = time.process_time_ns()
                way(stream)
                took[name].append(time.process_time_ns() - start)
        found[str(properties)] = {name: round(statistics.median(t) / MESSAGES) for name, t in took.items()}
    return found


def run(mode: str, rounds: int) -> None:
    """Measure in a child process, and print the result."""
    from bench.compiled import ROOT, compiled_site

    place = ROOT
    if mode == "compiled":
        place = compiled_site(only="mqtt_ref/wire/")
        (place / "bench").mkdir(exist_ok=True)
        for name in ("__init__.py", "forwarding.py"):
            shutil.copyfile(ROOT / "bench" / name, place / "bench" / name)
    command = [sys.executable, "-m", "bench.forwarding", "--measure", "--rounds", str(rounds)]
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, cwd=place, stdout=subprocess.PIPE, timeout=600, check=True)
    print(f"\n{mode}, ns for one message\n\nuser properties      decode       bytes     objects")
    for properties, row in json.loads(done.stdout).items():
        print(f"{properties:>15}" + "".join(f"{row[name]:12}" for name in ("decode", "bytes", "objects")))


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.forwarding", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--compiled", action="store_true", help="measure the compiled build too")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        json.dump(measure(options.rounds), sys.stdout)
        return 0
    for mode in ("plain", "compiled") if options.compiled else ("plain",):
        run(mode, options.rounds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
