# SPDX-License-Identifier: MIT
"""Kill a broker again and again while clients are at work, and judge after each kill what they got.

`python -m tests.kills --record`
"""

from __future__ import annotations

import argparse
import errno
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.packets import Pingreq, Pingresp, Publish, Subscribe, Subscription
from mqtt_ref.wire.primitives import V5, V311
from tests.kills import faults
from tests.kills.child import LIES, POINTS, Control
from tests.kills.clients import Crowd, Guest, Mortal, Publisher, Subscriber
from tests.kills.faults import CUTS, power_failure
from tests.kills.ledger import KINDS, Finding
from tests.kills.places import BACK_ENDS, Broker, NotStarted, Place, RedisPlace, place_for

__all__ = ["RESULTS", "Outcome", "Rounds", "control", "main", "plan_for", "run"]

RESULTS: Final = Path(__file__).with_name("results.json")
PATIENCE: Final = 12.0
"""Seconds without any progress after which nothing more is expected."""
PLANS: Final[dict[str, int]] = {
    "at a random time": 8,
    "at a random time, normal": 3,
    "at a random time, off": 3,
    "before the write": 5,
    "between write and commit": 5,
    "after the commit": 5,
    "within a write": 4,
    "before a sync": 3,
    "after a sync": 2,
    "within a checkpoint": 3,
    "while it starts": 3,
    "during compaction": 4,
    "power fails after compaction": 2,
    "power fails": 6,
    "disk full": 2,
    "fsync fails": 2,
}
"""How often, for a store in files."""
REDIS_PLAN: Final[dict[str, int]] = {
    "at a random time": 8,
    "before the write": 5,
    "between write and commit": 5,
    "after the commit": 5,
    "while it starts": 3,
    "the server of the store": 6,
    "both": 5,
    "during compaction": 4,
    "power fails": 6,
    "disk full": 2,
    "fsync fails": 2,
}


@dataclass
class Outcome:
    """What the rounds on one back end saw."""

    back_end: str
    seed: int
    kills: dict[str, int] = field(default_factory=dict)
    """By kind."""
    under_way: list[int] = field(default_factory=list)
    """By kill: messages that publishers had sent and whose last acknowledgement they had not."""
    held: list[int] = field(default_factory=list)
    """By kill: messages that subscribers had got and not acknowledged."""
    torn: Counter[str] = field(default_factory=Counter)
    """What power failures took: writes not synced, those of them lost, those torn."""
    missed: Counter[str] = field(default_factory=Counter)
    """Kills at a point that was not reached in time: they were made at a random time instead."""
    totals: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    refusals: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, kind: str) -> int:
        """How many findings of a kind."""
        return sum(one.kind == kind for one in self.findings)

    def record(self) -> dict[str, Any]:
        """As data."""
        return {
            "seed": self.seed,
            "kills": self.kills,
            "all_kills": sum(self.kills.values()),
            "not_reached": dict(self.missed),
            "messages": self.totals.get("messages", 0),
            "acknowledged": self.totals.get("acknowledged", 0),
            "deliveries": self.totals.get("deliveries", 0),
            "wills": self.totals.get("wills", 0),
            "under_way": {"least": min(self.under_way, default=0), "sum": sum(self.under_way)},
            "kills_with_200_under_way": sum(number >= 200 for number in self.under_way),
            "refused_connections": self.refusals,
            "held_by_subscribers": sum(self.held),
            "torn": dict(self.torn),
            "findings": {kind: self.count(kind) for kind in KINDS},
            "examples": [asdict(one) for one in self.findings[:20]],
            "seconds": round(self.seconds, 1),
        }


class Rounds:
    """One store and its clients over many brokers."""

    def __init__(
        self, place: Place, seed: int, *, window: int = 150, lie: str = "", patience: float = PATIENCE
    ) -> None:
        self.place = place
        self.rng = random.Random(seed)
        self.crowd = Crowd(seed)
        self.ledger = self.crowd.ledger
        self.outcome = Outcome(place.kind, seed)
        self.lie = lie
        self.patience = patience
        self.broker: Broker | None = None
        self.control = Control(place.scratch / "child.control")
        self.kind = ""
        self.begun = False
        self._populate(window)

    def _populate(self, window: int) -> None:
        crowd = self.crowd
        everything = {"k/#": 2, "r/#": 2, "w/#": 2}
        Subscriber(crowd, "s5", V5, dict(everything), receive_maximum=100)
        crowd.slowest = "s5"
        Subscriber(crowd, "s4", V311, dict(everything), restless=0.01)
        Subscriber(crowd, "one", V5, {"k/#": 1}, away=0.01)
        Subscriber(crowd, "two", V311, {"k/+/2": 2, "w/+": 1}, away=0.01)
        Subscriber(crowd, "c5", V5, {}, toggled={"k/0/2": 2, "k/1/+": 2, "k/2/1": 1})
        Subscriber(crowd, "c4", V311, {}, toggled={"k/0/+": 2, "k/3/2": 2}, restless=0.01)
        for member in range(2):
            Subscriber(crowd, f"g{member}", V5, {"$share/g/k/+/2": 2}, group="group", away=0.005 * member)
        for number in range(6):
            Publisher(crowd, str(number), V311 if number % 2 else V5, window, restless=0.01 if number < 2 else 0.0)
        Mortal(crowd, "now5", V5, restless=0.01)
        Mortal(crowd, "now4", V311, restless=0.01)
        Mortal(crowd, "short", V5, delay=1)
        Mortal(crowd, "ending", V5, delay=3600, expiry=1)
        Mortal(crowd, "patient", V5, delay=3600, patient=True, restless=0.01)
        Mortal(crowd, "polite5", V5, polite=True)
        Mortal(crowd, "polite4", V311, polite=True)
        Guest(crowd, "guest5", V5)
        Guest(crowd, "guest4", V311)

    # ---------------------------------------------------------------- one life of a broker

    def start(self, durability: str, more: dict[str, str], *, child: bool) -> bool:
        """Start a broker; False: it did not."""
        control = self.control.path if child else None
        self.control.lie(False)
        self.broker = Broker(self.place, durability, more, control, self.lie if child else "")
        try:
            port = self.broker.port()
        except NotStarted as error:
            self.ledger.found("not started", f"after {self.kind}: {error}"[:2000])
            return False
        self.check_retained(port)
        self.crowd.start(port)
        return True

    def check_retained(self, port: int) -> None:
        """Compare the retained messages, before anybody publishes again."""
        topics = [topic for topic in self.ledger.messages if topic.startswith("r/")]
        wrong: list[tuple[str, str]] = []
        for _ in range(3):  # the messages may come in parts, after the answer
            wrong = self.ledger.retained(retained(port), topics)
            if not wrong:
                return
        for topic, text in wrong:
            self.ledger.found("retained", f"after {self.kind}: {text}", topic, self.ledger.now())

    def settle(self, failed: str = "") -> None:
        """All clients come back and get what they have to get; then judge.

        After a store has `failed` in this way, it is noted if they cannot come back.
        """
        crowd = self.crowd
        crowd.pumping = False

        def settled() -> bool:
            if not all(client.idle() for client in crowd.clients):
                return False
            return next(self.ledger.missing(), None) is None

        seen: object = None
        end = 0.0
        while not settled():
            progress = self.ledger.came.total(), crowd.under_way()
            if progress != seen:
                seen, end = progress, time.monotonic() + self.patience
            elif time.monotonic() > end:
                break
            crowd.turn()
        late = [client for client in crowd.clients if not client.idle()]
        if failed and any(not client.connected for client in late):
            self.ledger.found("not recovered", f"{failed}: {late} are not back", self.ledger.now())
            return
        subscribers = [one for one in crowd.clients if isinstance(one, Subscriber) and one.connected]
        for one in subscribers:
            one.ping()
        crowd.until(lambda: all(one.ponged >= one.pinged for one in subscribers), 5.0)
        before = len(self.ledger.findings)
        self.ledger.judge()
        if len(self.ledger.findings) > before:
            found = Counter((one.kind, one.text.split()[0]) for one in self.ledger.findings[before:])
            said = self.broker.errors.read_text(errors="replace")[-3000:] if self.broker is not None else ""
            first = [one.text for one in self.ledger.findings[before : before + 5]]
            self.outcome.notes.append(f"after {self.kind}: {dict(found)}, {first}; the broker said: {said}")
            print("NOTE", self.outcome.notes[-1], file=sys.stderr)
        if late and len(self.ledger.findings) == before:
            self.ledger.found("lost", f"after {self.kind}: {late} are not done", self.ledger.now())

    def pump(self, seconds: float) -> None:
        """Let all clients work for some seconds, or until the broker has gone."""
        assert self.broker is not None
        broker = self.broker
        self.crowd.pumping = True
        self.crowd.until(lambda: not broker.alive or self.crowd.room < 300, seconds)

    def kill(self) -> None:
        """Kill the broker, unless it has been killed, and count what was under way."""
        assert self.broker is not None
        self.broker.kill()
        self.crowd.downed()
        self.count()

    def count(self) -> None:
        """Enter a kill."""
        self.outcome.kills[self.kind] = self.outcome.kills.get(self.kind, 0) + 1
        self.outcome.under_way.append(self.crowd.under_way())
        self.outcome.held.append(self.crowd.held())

    # ---------------------------------------------------------------- rounds

    def round(self, kind: str) -> None:
        """Start, let all come back, judge, work, and kill in this way."""
        rng = self.rng
        place = self.place
        noted = kind == "power fails" or (kind == "fsync fails" and place.kind != "redis")
        child = kind in POINTS or bool(self.lie)
        durability = "normal" if kind.endswith("normal") or (place.kind == "redis" and not noted) else "full"
        if kind.endswith("off"):
            durability = "off"
        if kind == "while it starts":
            broker = Broker(place, durability, {})
            try:
                if self.begun:
                    self.broker = broker
                    time.sleep(rng.uniform(0.02, 0.6))
                    before, self.kind = self.kind, kind
                    broker.kill()
                    self.count()
                    self.kind = before
            finally:
                broker.kill()
        if not self.start(durability, place.begin(noted=noted, safe=kind == "fsync fails"), child=child):
            return
        self.settle()
        self.begun = True
        self.crowd.rest()
        self.crowd.mortal = rng.random() < 0.5
        self.kind = "at a random time" if kind == "while it starts" else kind
        self._work(kind, noted)

    def _work(self, kind: str, noted: bool) -> None:
        rng = self.rng
        place = self.place
        shim = place.shim
        seconds = rng.uniform(0.15, 0.9)
        if self.lie:
            self.control.lie(True)
            came = self.ledger.came.total()
            self.crowd.pumping = True
            self.crowd.until(lambda: self.ledger.came.total() > came + 500, 10.0)
        if kind in POINTS and not self.lie:
            self.pump(0.1)
            self.control.arm(kind, rng.randrange(1, 25))
            self._reach(kind)
        elif kind in ("within a write", "before a sync", "after a sync", "within a checkpoint"):
            action, on, text, most = {
                "within a write": (faults.KILL_AMID, faults.WRITE, "", 100),
                "before a sync": (faults.KILL_BEFORE, faults.SYNC, "", 25),
                "after a sync": (faults.KILL_AFTER, faults.SYNC, "", 25),
                "within a checkpoint": (faults.KILL_AMID, faults.WRITE, "store.db$", 60),
            }[kind]
            self.pump(0.1)
            shim.arm(action, on, rng.randrange(1, most), text=text)
            self._reach(kind)
        elif kind == "the server of the store":
            assert isinstance(place, RedisPlace)
            self.pump(seconds)
            self.count()
            place.kill()
            self.pump(rng.uniform(0.0, 1.5))
            place.start()
            self._recover(kind)
            self.pump(seconds)
            self.kind = "at a random time"
        elif kind == "both":
            assert isinstance(place, RedisPlace)
            self.pump(seconds)
            if rng.random() < 0.5:
                place.kill()
                self.pump(rng.uniform(0.0, 0.1))
        elif kind in ("disk full", "fsync fails"):
            self.pump(0.1)
            on, number = (
                (faults.WRITE | faults.TRUNCATE, errno.ENOSPC)
                if kind == "disk full"
                else (
                    faults.SYNC,
                    errno.EIO,
                )
            )
            shim.arm(faults.FAIL, on, rng.randrange(1, 8), error=number)
            self.crowd.until(lambda: shim.hits, 3.0)
            self.pump(rng.uniform(0.3, 1.5))
            if not shim.hits:
                self.outcome.missed[kind] += 1
            shim.disarm()
            if isinstance(place, RedisPlace) and place.server is not None and not place.server.alive:
                place.start()
            self._recover(kind)
            self.pump(seconds)
        elif kind == "power fails" and rng.random() < 0.7:
            # Just before a sync most is at stake.
            self.pump(seconds)
            shim.arm(faults.KILL_BEFORE, faults.SYNC, rng.randrange(1, 30))
            self._reach(kind)
        else:
            self.pump(seconds)
        self.kill()
        if kind == "both" and isinstance(place, RedisPlace):
            place.kill()
            place.start()
        elif kind == "during compaction":
            self._compact()
        elif kind == "power fails after compaction":
            command = place.command("compact", more=place.begin(noted=True))
            if command.wait(30.0):
                self.ledger.found("not started", f"compact: {command.errors.read_text()}"[:2000], self.ledger.now())
            command.kill()
            self._power("lost")
        elif noted:
            self._power(CUTS[self.outcome.kills[kind] % len(CUTS)])

    def _reach(self, kind: str) -> None:
        broker, place = self.broker, self.place
        assert broker is not None
        watched = place.server if isinstance(place, RedisPlace) and kind == "power fails" else broker
        assert watched is not None
        self.crowd.pumping = True
        if not self.crowd.until(lambda: not watched.alive, 5.0):
            self.outcome.missed[kind] += 1

    def _recover(self, kind: str) -> None:
        """The store works again: so do the clients, before long."""
        self.settle(kind)
        self.crowd.rest()

    def _compact(self) -> None:
        """Kill `mqtt-ref store compact` somewhere in its work; then it has to go through."""
        place = self.place
        rng = self.rng
        if isinstance(place, RedisPlace):
            place.ask("BGREWRITEAOF")
            time.sleep(rng.uniform(0.0, 0.05))
            place.kill()
            place.start()
        else:
            more = place.begin(noted=False)
            place.shim.arm(faults.KILL_AFTER, faults.ANY, 1 << 30)
            command = place.command("compact", more=more)
            command.wait(30.0)
            command.kill()
            most = place.shim.seen
            place.shim.arm(rng.choice((faults.KILL_AMID, faults.KILL_AFTER)), faults.ANY, rng.randint(1, most))
            command = place.command("compact", more=more)
            command.wait(30.0)
            killed = place.shim.hits
            command.kill()
            self.outcome.torn["compactions killed"] += killed
        command = place.command("compact")
        if command.wait(30.0):
            self.ledger.found("not started", f"compact: {command.errors.read_text()}"[:2000], self.ledger.now())
        command.kill()

    def _power(self, how: str) -> None:
        """The power fails: what was not synced goes, in part or all of it."""
        place = self.place
        if isinstance(place, RedisPlace):
            place.kill()
        cut = power_failure(place.root, place.before, place.shim.log, how, self.rng)
        self.outcome.torn["writes not synced"] += cut.writes
        self.outcome.torn["of them lost"] += cut.lost
        self.outcome.torn["of them torn"] += cut.torn
        if isinstance(place, RedisPlace):
            try:
                place.start()
            except NotStarted as error:
                if "redis-check-aof --fix" not in str(error):
                    raise
                place.mend()
                place.start()
                self.outcome.torn["logs mended with redis-check-aof"] += 1

    def end(self) -> Outcome:
        """One more start; then all has come, and the store is whole."""
        if self.start("full" if self.place.kind != "redis" else "normal", self.place.begin(noted=False), child=False):
            self.settle()
        if self.broker is not None:
            self.broker.kill()
        self.crowd.downed()
        command = self.place.command("check")
        if command.wait(30.0):
            self.ledger.found("damaged", f"check: {command.errors.read_text()}"[:2000])
        command.kill()
        self.outcome.totals = self.ledger.totals()
        self.outcome.findings = self.ledger.findings
        self.outcome.refusals = sum(client.refusals for client in self.crowd.clients)
        return self.outcome

    def close(self) -> None:
        """End all processes, close all sockets."""
        if self.broker is not None:
            self.broker.kill()
        self.crowd.close()
        self.control.close()
        self.place.close()


def retained(port: int) -> dict[str, bytes]:
    """The retained messages below `r/`, as a new client gets them."""
    found: dict[str, bytes] = {}
    with RawClient(port, timeout=5.0) as client:
        client.connect("")
        client.send(Subscribe(1, [Subscription("r/#", 0)]), Pingreq(), Pingreq())
        pongs = 0
        try:
            while pongs < 2:
                packet = client.read()
                if isinstance(packet, Publish):
                    found[packet.topic] = packet.payload
                elif isinstance(packet, Pingresp):
                    pongs += 1
        except (LinkClosed, TimeoutError):
            pass
    return found


def run(
    back_end: str,
    seed: int,
    plan: dict[str, int],
    folder: Path,
    library: Path,
    *,
    lie: str = "",
    window: int = 150,
    patience: float = PATIENCE,
    say: Callable[[str], object] | None = None,
    program: str = "",
) -> Outcome:
    """Kill as planned, in a random order."""
    began = time.monotonic()
    place = place_for(back_end, folder / f"{back_end}-{seed}", library, program)
    rounds = Rounds(place, seed, window=window, lie=lie, patience=patience)
    kinds = [kind for kind, count in plan.items() for _ in range(count)]
    random.Random(seed).shuffle(kinds)
    if kinds[0] == "while it starts":
        kinds.append(kinds.pop(0))
    try:
        for number, kind in enumerate(kinds):
            if say is not None:
                say(f"{back_end} {number + 1}/{len(kinds)} {kind}: {len(rounds.ledger.findings)} findings")
            rounds.round(kind)
            if any(one.kind == "not started" or lie for one in rounds.ledger.findings):
                break
        outcome = rounds.end()
        outcome.seconds = time.monotonic() - began
        return outcome
    finally:
        rounds.close()


def control(lie: str, folder: Path, library: Path, kills: int = 12) -> Outcome:
    """Kill a broker whose store lies in this way, and judge it as all others, until it is found out."""
    return run("sqlite", 1, {"at a random time": kills}, folder / lie, library, lie=lie, patience=4.0)


def plan_for(back_end: str) -> dict[str, int]:
    """How often which kill."""
    if back_end == "redis":
        return REDIS_PLAN
    plan = dict(PLANS)
    if back_end != "sqlite":
        del plan["within a checkpoint"]
    if back_end == "rocksdb":
        del plan["at a random time, off"]  # promises nothing
    return plan


def _record(more: dict[str, Any]) -> None:
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(old | more, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the long form; exit code 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--only", choices=BACK_ENDS, action="append", help="this back end only; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="the share of the kills of the plan")
    parser.add_argument("--kind", action="append", help="this kind of kill only; may be repeated")
    parser.add_argument("--folder", type=Path, help="where the stores are (default: a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="keep what is in the folder")
    parser.add_argument("--controls", action="store_true", help="run the stores that lie instead")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    wish = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="kills-", dir=wish.folder))
    library = faults.build(folder)
    outcomes: dict[str, Outcome] = {}
    caught: dict[str, dict[str, int]] = {}
    try:
        for lie in LIES if wish.controls else ():
            outcome = control(lie, folder, library)
            caught[lie] = {kind: outcome.count(kind) for kind in KINDS if outcome.count(kind)}
            print(json.dumps({lie: caught[lie]}))
        if wish.controls:
            wish.only = []
        for back_end in BACK_ENDS if wish.only is None else wish.only:
            plan = plan_for(back_end)
            plan = {k: max(1, round(n * wish.share)) for k, n in plan.items() if not wish.kind or k in wish.kind}
            outcome = run(
                back_end, wish.seed, plan, folder, library, say=lambda text: print(text, file=sys.stderr, flush=True)
            )
            outcomes[back_end] = outcome
            if wish.record:
                _record({back_end: outcome.record()})
            print(json.dumps({back_end: outcome.record()}, indent=1))
    finally:
        if not wish.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if wish.record and caught:
        _record({"controls": caught})
    if not all(caught.values()):
        return 1
    return 1 if any(one.findings for one in outcomes.values()) else 0
