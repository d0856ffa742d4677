# SPDX-License-Identifier: MIT
"""`python -m mqtt_conformance.proxy --upstream mqtt://127.0.0.1:1883 --port 0 --fault ID`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from urllib.parse import urlsplit

from mqtt_conformance.proxy.fault import Rule
from mqtt_conformance.proxy.relay import Relay
from mqtt_conformance.proxy.sets import ALL
from mqtt_conformance.proxy.world import World

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the proxy until SIGTERM or SIGINT, then print how often the fault fired."""
    parser = argparse.ArgumentParser(
        prog="python -m mqtt_conformance.proxy",
        description="a broker that breaks one rule: a proxy before a correct one",
    )
    parser.add_argument("--upstream", help="the correct broker: mqtt://HOST:PORT")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument(
        "--fault", default="none", help="the id of the fault; `none` forwards bytes, `parsed` packets, unchanged"
    )
    parser.add_argument("--version", type=int, default=5, choices=(3, 4, 5), help="of `parsed`: the protocol level")
    parser.add_argument("--list", action="store_true", help="list the faults and stop")
    options = parser.parse_args(arguments)
    if options.list:
        for row in ALL.values():
            print(f"{row.id:44} {row.protocol:6} {row.path:18} {row.statement:28} {row.breaks}")
        return 0
    if options.fault not in ("none", "parsed") and options.fault not in ALL:
        parser.error(f"there is no fault {options.fault}; --list shows them")
    if not options.upstream:
        parser.error("--upstream is missing")
    where = urlsplit(options.upstream)
    if options.fault in ("none", "parsed"):
        world = World(None if options.fault == "none" else Rule(), options.version)
    else:
        row = ALL[options.fault]
        world = World(row.make(), row.version)
    asyncio.run(_serve(world, where.hostname or "127.0.0.1", where.port or 1883, options.port))
    print(f"fired {world.fired}", flush=True)
    return 0


async def _serve(world: World, host: str, port: int, listen: int) -> None:
    relay = Relay(world, host, port)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await relay.start(listen)
    print(f"listening on mqtt://127.0.0.1:{relay.listening}", flush=True)
    await stopped.wait()
    await relay.stop()


if __name__ == "__main__":
    sys.exit(main())
