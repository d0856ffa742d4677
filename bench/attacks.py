# SPDX-License-Identifier: MIT
"""What one client can make the broker do: the longest turn of each kind of attack, in CPU time.

    python -m bench.attacks                  # plain Python
    python -m bench.attacks --compiled
    python -m bench.attacks --live           # over sockets: how long another client waits
    python -m bench.attacks --record         # writes bench/results/attacks.json; also with --live

Each attack drives a broker without sockets, in reads of 64 KiB as the network gives them. A turn is one call of the
broker: a read of one client, or one call of `on_deadline`. While an attack runs, another client waits for one turn of
each attacker at most. `--live` measures that wait: see `bench.bystander`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import bystander
from bench.bystander import LIVE, MANY, run_role
from bench.compiled import ROOT, compiled_site
from mqtt_ref.broker.broker import Broker
from mqtt_ref.cli.collecting import Collecting
from mqtt_ref.engine.connection import Connection
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsubscribe,
)

__all__ = ["ATTACKS", "main", "table"]

RESULTS = Path(__file__).parent / "results" / "attacks.json"
READ = 64 * 1024
SECOND = 1_000_000_000
BARS = {"plain": 30.0, "compiled": 20.0}
"""Milliseconds of CPU time of a turn, at most."""
WAIT = 100.0
"""Milliseconds that a client waits for its PINGRESP at most, while one client attacks."""
V5 = 5


class Target:
    """A broker, its clients, and the CPU time of its longest turn."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.now = SECOND
        self.longest = 0.0
        self.turns = 0
        self.cpu = 0.0
        self.measured = True
        self.soon: list[Callable[[], None]] = []
        """What the event loop is to call, by `Collecting`."""

    def _turn(self, what: Callable[[], object]) -> None:
        began = time.process_time_ns()
        what()
        took = (time.process_time_ns() - began) / 1e6
        if self.measured:
            self.longest = max(self.longest, took)
            self.turns += 1
            self.cpu += took

    def client(self, client_id: str, **more: object) -> Connection:
        """Connect a client."""
        connection = self.broker.connect(self.now)
        connect = Connect(client_id, protocol_version=V5, **more)  # type: ignore[arg-type]
        connection.receive(encode(V5, connect), self.now)
        self.settle()
        return connection

    def send(self, connection: Connection, *packets: Packet) -> None:
        """Send packets in one stream, then let the broker do all that comes of it."""
        self.send_raw(connection, b"".join([encode(V5, packet) for packet in packets]))

    def send_raw(self, connection: Connection, data: bytes) -> None:
        """Send bytes; a client that is busy is not read from, as a driver does it."""
        for at in range(0, len(data), READ):
            while connection.busy:
                self._deadline()
            piece = data[at : at + READ]
            self._turn(lambda: connection.receive(piece, self.now))  # noqa: B023 - it is called at once
            self.write()
        self.settle()

    def lose(self, connection: Connection) -> None:
        """Cut the link of a client."""
        self._turn(lambda: connection.lost(self.now))
        self.write()
        self.settle()

    def _deadline(self) -> None:
        self._turn(lambda: self.broker.on_deadline(self.now))
        self.write()

    def settle(self) -> None:
        """Let the broker finish what it has begun."""
        self.write()
        for _ in range(1_000_000):
            when = self.broker.next_deadline()
            if when is None or when > self.now:
                return
            self._deadline()

    def write(self) -> None:
        """Take the output, as a driver does."""
        self.broker.tick(self.now)
        dirty, self.broker.dirty = self.broker.dirty, []
        for connection in dirty:
            connection.take()
        while self.soon:
            self._turn(self.soon.pop())


def _filters(names: Iterator[str], at_once: int = 5000) -> Iterator[Subscribe]:
    batch: list[Subscription] = []
    for name in names:
        batch.append(Subscription(name))
        if len(batch) == at_once:
            yield Subscribe(1, batch)
            batch = []
    if batch:
        yield Subscribe(1, batch)


def share_groups(target: Target) -> None:
    """Join 20 x 1,000 groups of one topic, and publish 50 times to it."""
    for attacker in range(20):
        target.send(target.client(f"a{attacker}"), *_filters(f"$share/{attacker}-{n}/t" for n in range(1000)))
    target.send(target.client("pub"), *[Publish("t", b"x")] * 50)


def fanout(target: Target) -> None:
    """Publish 20 messages of QoS 1 to a topic with 20,000 subscribers."""
    target.measured = False
    for number in range(20_000):
        target.send(
            target.client(f"s{number}", properties=ConnectProperties(receive_maximum=5)),
            Subscribe(1, [Subscription("t", 1)]),
        )
    target.measured = True
    target.send(target.client("pub"), *[Publish("t", b"x", 1, packet_id=n + 1) for n in range(20)])


def _retain(target: Target, topics: Iterator[str]) -> None:
    target.measured = False
    pub = target.client("retainer")
    batch: list[Packet] = []
    for topic in topics:
        batch.append(Publish(topic, b"x", retain=True))
        if len(batch) == 1000:
            target.send(pub, *batch)
            batch = []
    target.send(pub, *batch)
    target.measured = True


def retained_scans(target: Target) -> None:
    """Subscribe to 4,000 filters that match none of 100,000 retained messages."""
    _retain(target, (f"a/{n % 100}/{n}" for n in range(100_000)))
    target.send(target.client("evil"), *_filters((f"+/+/+/x{n}" for n in range(4000)), 500))


def retained_all(target: Target) -> None:
    """Subscribe to `#` over 200,000 retained messages."""
    _retain(target, (f"r/{n % 1000}/{n}" for n in range(200_000)))
    target.send(target.client("evil"), Subscribe(1, [Subscription("#")]))


def retained_flat(target: Target) -> None:
    """Subscribe to `#` over 200,000 retained messages that differ in their first level."""
    _retain(target, (f"{n}/x" for n in range(200_000)))
    target.send(target.client("evil"), Subscribe(1, [Subscription("#")]))


def many_filters(target: Target) -> None:
    """Subscribe to 100,000 filters in packets as large as they may be, and delete them."""
    evil = target.client("evil")
    names = [f"+/{n}" for n in range(100_000)]
    target.send(evil, *_filters(iter(names), 9_999))
    target.send(evil, *[Unsubscribe(2, names[at : at + 9_999]) for at in range(0, len(names), 9_999)])


def one_packet(target: Target) -> None:
    """Send packets with a million parts: they are refused."""
    many = [("k", "v")] * 1_000_000
    for number, packet in enumerate(
        (
            Publish("t", properties=PublishProperties(user_property=many)),
            Subscribe(1, [Subscription("t")], SubscribeProperties(user_property=many)),
            Unsubscribe(1, ["a"] * 1_000_000),
        )
    ):
        target.send(target.client(f"evil{number}"), packet)


def most_parts(target: Target) -> None:
    """Send packets with as many User Properties as are allowed."""
    evil = target.client("evil")
    target.send(evil, *[Publish("t", properties=PublishProperties(user_property=[("k", "v")] * 10_000))] * 10)


def overlaps(target: Target) -> None:
    """Subscribe to 4,000 filters that all match, and publish to new topics."""
    evil = target.client("evil")
    names = (f"{'/'.join('+' if n >> bit & 1 else 'a' for bit in range(12))}" for n in range(4000))
    target.send(evil, *_filters(names, 1000))
    target.send(evil, *[Publish("/".join("a" * 12), str(n).encode()) for n in range(20)])


def lattice(target: Target) -> None:
    """Publish to a topic that 131,072 filters of 2,000 clients match, each of them through a path of its own."""
    target.measured = False
    for number in range(2000):
        numbers = range(number, 1 << 17, 2000)
        names = ("/".join("+" if n >> bit & 1 else "a" for bit in range(17)) for n in numbers)
        target.send(target.client(f"s{number}"), *_filters(names))
    target.measured = True
    evil = target.client("evil")
    topic = "/".join("a" * 17)
    for number in range(5):
        target.send(evil, Subscribe(1, [Subscription("#", number % 3)]), Publish(topic, b"x"))


def deep(target: Target) -> None:
    """Subscribe to the deepest filters there may be, and publish to the deepest topics."""
    evil = target.client("evil")
    target.send(evil, *_filters((f"{'+/' * 190}{n}" for n in range(5000)), 500))
    target.send(evil, *[Publish("a/" * 190 + str(n)) for n in range(200)])


def session_ends(target: Target) -> None:
    """End a session with 50,000 subscriptions, 1,000 groups and a full queue."""
    evil = target.client("evil", properties=ConnectProperties(session_expiry_interval=3600))
    target.send(evil, *_filters(f"s/{n}" for n in range(50_000)))
    target.send(evil, *_filters(f"$share/{n}/q" for n in range(1000)))
    target.lose(evil)
    pub = target.client("pub")
    target.send(pub, *[Publish("q", b"x", 1, packet_id=n + 1) for n in range(8)])
    target.client("evil", clean_start=True)


def pings(target: Target) -> None:
    """Fill every read with PINGREQ."""
    target.send(target.client("evil"), *[Pingreq()] * 200_000)


def publishes(target: Target) -> None:
    """Fill every read with the shortest messages, each to another topic."""
    evil = target.client("evil")
    target.send(evil, Subscribe(1, [Subscription("#")]))
    target.send(evil, *[Publish(f"{n:x}") for n in range(50_000)])


def expiry(target: Target) -> None:
    """Let 20,000 sessions and 20,000 retained messages expire at the same time."""
    pub = target.client("pub")
    soon = PublishProperties(message_expiry_interval=10)
    target.measured = False
    for number in range(20_000):
        client = target.client(f"c{number}", properties=ConnectProperties(session_expiry_interval=10))
        target.send(client, Subscribe(1, [Subscription(f"x/{number}")]))
        target.send(client, Disconnect())
        target.send(pub, Publish(f"e/{number}", b"x", retain=True, properties=soon))
    target.measured = True
    target.now += 20 * SECOND
    target.settle()


ATTACKS: tuple[Callable[[Target], None], ...] = (
    share_groups,
    fanout,
    retained_scans,
    retained_all,
    retained_flat,
    many_filters,
    one_packet,
    most_parts,
    overlaps,
    lattice,
    deep,
    session_ends,
    pings,
    publishes,
    expiry,
)


def measure(only: list[str]) -> dict[str, dict[str, float]]:
    """Run the attacks in this process."""
    found = {}
    for attack in ATTACKS:
        if only and attack.__name__ not in only:
            continue
        gc.collect()
        target = Target()
        with Collecting(target.broker, target.soon.append):  # as `mqtt-ref serve` does it
            attack(target)
        found[attack.__name__] = {
            "longest_ms": round(target.longest, 1),
            "turns": target.turns,
            "cpu_ms": round(target.cpu, 1),
        }
        print(f"{attack.__name__:16}{json.dumps(found[attack.__name__])}", file=sys.stderr, flush=True)
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return its exit code: 0 if no turn took longer than its bar, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.attacks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--compiled", action="store_true", help="what mypyc makes of the source as it stands")
    parser.add_argument("--only", nargs="*", default=[], choices=[attack.__name__ for attack in ATTACKS])
    parser.add_argument("--record", action="store_true", help="write bench/results/attacks.json")
    parser.add_argument("--live", action="store_true", help="attack `mqtt-ref serve` over sockets; ping it meanwhile")
    parser.add_argument("--table", action="store_true", help="print the recorded results for docs/security.md")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--numbers", nargs="*", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.role:
        number, first, *ports = options.numbers
        return run_role(options.role, options.only[0], ports, number, first)
    if options.table:
        print(table(), end="")
        return 0
    if options.here:
        print(json.dumps(measure(options.only)))
        return 0
    form = "compiled" if options.compiled else "plain"
    place = compiled_site() if options.compiled else ROOT
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(place), str(ROOT)))}
    if options.live:
        return live(form, environment, options.only, options.record)
    command = [
        sys.executable,
        "-P",
        "-m",
        "bench.attacks",
        "--here",
        *(["--only", *options.only] if options.only else []),
    ]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    found = json.loads(done.stdout.splitlines()[-1])
    bar = BARS[form]
    late = {name: row["longest_ms"] for name, row in found.items() if row["longest_ms"] > bar}
    print(f"{form} Python {platform.python_version()}: bar {bar:g} ms; longer: {late or 'none'}")
    if options.record:
        record(form, {"python": platform.python_version(), "bar_ms": bar}, "results", found)
    return 1 if late else 0


def live(form: str, environment: dict[str, str], only: list[str], recorded: bool) -> int:
    """Measure how long another client waits. Return 1 if it is longer than a bar, else 0."""
    bars = {"wait_1_ms": WAIT, f"wait_{MANY}_ms": MANY * BARS[form]}
    found = {}
    late = []
    own = {**environment, "PYTHONPATH": str(ROOT)}  # attackers and bystander are the same for each form
    for name in only or LIVE:
        found[name] = bystander.measure(name, environment, own)
        late += [f"{name}: {what}" for what, bar in bars.items() if found[name][what] > bar]
        print(f"{form:10}{name:16}{json.dumps(found[name])}", flush=True)
    print(f"{form} Python {platform.python_version()}: bars {bars}; longer: {late or 'none'}")
    if recorded:
        record(form, {"python": platform.python_version()}, "waits", found)
    return 1 if late else 0


def table() -> str:
    """Return the recorded results as the table of docs/security.md."""
    data = json.loads(RESULTS.read_text())
    columns = ["longest_ms", "wait_1_ms", f"wait_{MANY}_ms"]
    lines = [
        f"| attack | longest turn: plain, compiled | wait, 1 attacker | wait, {MANY} attackers |",
        "|---|---|---|---|",
    ]
    for attack in ATTACKS:
        cells = []
        for column in columns:
            kind = "results" if column == "longest_ms" else "waits"
            rows = (data.get(form, {}).get(kind, {}).get(attack.__name__, {}) for form in BARS)
            cells.append(", ".join(f"{row[column]:.0f}" if column in row else "-" for row in rows))
        what = (attack.__doc__ or "").strip().rstrip(".")
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def record(form: str, about: dict[str, object], what: str, found: dict[str, dict[str, float]]) -> None:
    """Write results; those of attacks that were not measured now stay."""
    data = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    entry = data.setdefault(form, {})
    entry.update(about)
    entry[what] = {**entry.get(what, {}), **found}
    RESULTS.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
