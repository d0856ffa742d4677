# SPDX-License-Identifier: MIT
"""Generated sessions of strict clients over links that delay, die and are disturbed by scripts: no finding.

`MQTT_REF_SESSIONS=1000` plays a thousand. Another author's client, in another world, is in `tests/oracle/strict`.

The clients are unlike: some send before they have their CONNACK, some acknowledge late, some send again in 3.x while
they are connected, some forget everything, some come again before the broker knows that they were gone. What they do is
allowed; what happens to them is the network's doing, and the script's.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import pytest

from mqtt_ref.broker.broker import Broker
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.oracle import following
from mqtt_ref.oracle.actions import Action, Close, Corrupt, Delay, Drop, Duplicate, Insert, Reorder, Truncate
from mqtt_ref.oracle.faults.client import Client, Refused
from mqtt_ref.oracle.flow import Reply, Step, Stop
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.matching import NAMES, Match
from mqtt_ref.oracle.report import as_text
from mqtt_ref.oracle.rules import Disturbance, Rule, Script
from mqtt_ref.oracle.state import Talk
from mqtt_ref.wire.packets import Connack, ConnectProperties, Packet, Puback, Pubcomp, Publish, Pubrec, Pubrel
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from tests.oracle.sessions import sessions

SECOND = 1_000_000_000
SESSIONS = sessions(400)
AT_ONCE = 50
ACTIONS = (
    "publish", "publish", "publish", "subscribe", "break", "forget", "answer", "answer", "again", "connect",
    "disconnect", "unsubscribe",
)  # fmt: skip


class Careful(Client):
    """A strict client of one of several kinds."""

    def __init__(self, name: str, version: int, random: Random) -> None:
        super().__init__(name, version)
        self.eager = version != V31 and random.random() < 0.3
        """It does not wait for its CONNACK."""
        self.late = random.random() < 0.4
        """It acknowledges when it is told to, also what came on an earlier connection."""
        self.due_answers: deque[Packet] = deque()
        self.empty = False
        """It has forgotten its session."""
        self.here: set[int] = set()

    def connect(self, **fields: Any) -> None:
        if fields["clean_start"]:
            self.due_answers.clear()
            self.empty = False
        self.here = set()
        super().connect(**fields)

    def _allowed(self, packet: Publish) -> None:
        if self.connack is None and self.eager:
            return
        super()._allowed(packet)

    def _flow(self) -> None:
        before = set(self.outgoing)
        super()._flow()
        self.here |= set(self.outgoing) - before

    def _accepted(self, connack: Connack) -> None:
        if self.connack is not None or (self.empty and connack.session_present):
            self.lost()  # nobody sends two; and what is resumed is not known here any more
            return
        early = {number: self.outgoing.pop(number) for number in list(self.outgoing) if number in self.here}
        if not connack.reason_code and not connack.session_present:
            self.due_answers.clear()
        super()._accepted(connack)
        self.quota -= len(early)
        self.outgoing |= early
        self.empty = False
        self._flow()

    def forget(self) -> None:
        """The program ends and begins again."""
        self.lost()
        self.outgoing.clear()
        self.due_answers.clear()
        self.expiries.clear()
        self.empty = True

    def again(self) -> None:
        """As 3.x allows."""
        if self.version != V5 and self.connack is not None:
            self.resend()

    def send(self, packet: Packet) -> None:
        if self.late and isinstance(packet, Puback | Pubrec | Pubcomp | Pubrel) and self.open:
            self.due_answers.append(packet)
        else:
            super().send(packet)

    def answer(self) -> None:
        """Send the first of the answers that are due."""
        if self.due_answers and self.connack is not None:
            super().send(self.due_answers.popleft())

    def lost(self) -> None:
        asked = self.connect_packet.properties
        lasts = not self.connect_packet.clean_start
        if self.version == V5:
            lasts = asked is not None and bool(asked.session_expiry_interval)
        if self.open and self.connack is not None and not lasts:
            self.outgoing.clear()
            self.due_answers.clear()
        # PUBREC, PUBREL and PUBCOMP belong to the exchange, which goes on by its own rules; a PUBACK may still come.
        self.due_answers = deque(one for one in self.due_answers if isinstance(one, Puback))
        super().lost()


class Wire:
    """One connection: on the client's side a link that takes its time, on the broker's the judge, and a script."""

    def __init__(self, world: World, client: Careful) -> None:
        self.world = world
        self.link: Connection = world.broker.connect(world.now, "test", "peer")
        world.wires[self.link.serial] = self
        self.watched = world.judge.open(str(self.link.serial), world.now)
        self.disturbance = Disturbance(world.script)
        self.client: Careful | None = client
        self.ways: tuple[deque[tuple[int, bytes]], deque[tuple[int, bytes]]] = (deque(), deque())
        self.gone = False

    def put(self, sender: int, data: bytes) -> None:
        way = self.ways[sender]
        due = self.world.now + int(self.world.random.choice((0, 0, 0.02, 0.3, 2)) * SECOND)
        way.append((max(due, way[-1][0]) if way else due, data))

    def come(self, sender: int) -> list[bytes]:
        """What arrives now; of a TCP stream, in other pieces than it was sent."""
        way = self.ways[sender]
        came = b""
        while way and way[0][0] <= self.world.now:
            came += way.popleft()[1]
        cut = self.world.random.randrange(len(came) + 1)
        return [part for part in (came[:cut], came[cut:]) if part]

    def steps(self, sender: int, steps: list[Step]) -> None:
        now = self.world.now
        for step in steps:
            if isinstance(step, Reply):
                sender, step = 1 - sender, step.data
            if self.gone:
                return
            if isinstance(step, bytes) and sender == CLIENT:
                self.link.receive(step, now)
            elif isinstance(step, bytes):
                self.watched.server(step, now)
                self.put(SERVER, step)
            elif isinstance(step, Stop):
                self.end()

    def end(self) -> None:
        """It is over for the broker; what has been sent to the client may still arrive."""
        if not self.gone:
            self.gone = True
            self.watched.closed(self.world.now)
            self.link.lost(self.world.now)

    def turn(self) -> None:
        now = self.world.now
        client = self.client
        if client is not None:
            for data in self.come(SERVER):
                client.receive(data, now)
            client.tick(now)
            out, client.out = client.out, []
            for data in out:
                self.put(CLIENT, data)
            if not client.open or (self.gone and not self.ways[SERVER]):
                client.lost()
                self.client = None
        if not self.gone:
            for data in self.come(CLIENT):
                if self.gone:
                    break
                self.watched.client(data, now)
                self.steps(CLIENT, self.disturbance.feed(CLIENT, data, now))
            for sender in (CLIENT, SERVER):
                self.steps(sender, self.disturbance.take(sender, now))
            if self.client is None and not self.ways[CLIENT] and self.world.random.random() < 0.2:
                self.end()

    def break_off(self) -> None:
        """The link dies: each side loses the end of what the other sent."""
        for way in self.ways:
            for _ in range(self.world.random.randrange(len(way) + 1)):
                way.pop()
        if self.client is not None:
            self.client.lost()
            self.client.out = []
            self.client = None
        if self.world.random.random() < 0.6:
            self.ways[CLIENT].clear()
            self.end()


class World:
    """One broker with a judge and two clients, for one session of the test."""

    def __init__(self, number: int) -> None:
        self.random = random = Random(number)
        self.now = 1000 * SECOND
        self.version = random.choice((V5, V5, V311, V31))
        capabilities = Capabilities()
        if self.version == V5:
            capabilities.receive_maximum = random.choice((1, 3, 1000))
            capabilities.maximum_qos = random.choice((1, 2, 2, 2))
            capabilities.topic_alias_maximum = random.choice((0, 5))
        self.broker = Broker(Options(capabilities), seed=number)
        self.judge = Judge()
        self.script = Script([self.rule() for _ in range(random.randrange(4))])
        self.wires: dict[int, Wire] = {}
        self.clients = [Careful(name, self.version, random) for name in ("one", "two")]
        self.at: list[Wire | None] = [None, None]

    def rule(self) -> Rule:
        random = self.random
        packet = random.choice(NAMES[2:14])
        number = random.randrange(1, 4)
        strange = random.choice((Puback(number), Pubrec(number), Pubcomp(number), Pubrel(number)))
        form = {"type": type(strange).__name__.upper(), "packet_id": number}
        do: Action = random.choice(
            (
                Drop(), Duplicate(), Delay(seconds=3), Delay(seconds=2, overtaken=True), Reorder(), Close(),
                Close(place="after"), Corrupt(at=random.randrange(6)), Truncate(length=1), Insert(packet=form),
            )
        )  # fmt: skip
        when: dict[str, Any] = {random.choice(("to", "by")): "*"}
        return Rule(when=Match(packet=packet, nth=random.randrange(3), **when), do=do, name=str(random.random()))

    def act(self, which: int) -> None:
        random, client = self.random, self.clients[which]
        wire = self.at[which]
        what = random.choice(ACTIONS)
        client.now = self.now
        if not client.open:
            if what != "forget" and (wire is None or wire.client is None):
                clean = random.random() < 0.07
                more = {}
                if self.version == V5:
                    more["properties"] = ConnectProperties(
                        session_expiry_interval=random.choice((0, 3, 3600, 3600, 3600, 3600))
                    )
                client.connect(clean_start=clean, keep_alive=random.choice((0, 30)), **more)
                self.at[which] = Wire(self, client)
            elif what == "forget":
                client.forget()
            return
        try:
            if what == "publish":
                for _ in range(random.choice((1, 1, 3))):
                    client.publish(random.choice("ab"), random.choice((b"", b"x")), random.choice((0, 1, 1, 2, 2)))
            elif what == "subscribe" and client.connack is not None:
                client.subscribe(random.choice(("a", "#")), random.randrange(3))
            elif what == "unsubscribe" and client.connack is not None:
                client.unsubscribe(random.choice(("a", "#")))
            elif what in ("answer", "again"):
                getattr(client, what)()
            elif what == "disconnect" and client.connack is not None and random.random() < 0.3:
                client.disconnect()
            elif what in ("break", "forget") and wire is not None:
                wire.break_off()
                if what == "forget" and random.random() < 0.2:
                    client.forget()
        except Refused:
            pass

    def turn(self) -> None:
        self.broker.tick(self.now)
        due = self.broker.next_deadline()
        if due is not None and due <= self.now:
            self.broker.on_deadline(self.now)
        for wire in list(self.wires.values()):
            wire.turn()
        self.broker.tick(self.now)
        dirty, self.broker.dirty = self.broker.dirty, []
        for link in dirty:
            wire_of = self.wires[link.serial]
            data = b"".join(link.take())
            if data and not wire_of.gone:
                wire_of.steps(SERVER, wire_of.disturbance.feed(SERVER, data, self.now))
            if link.closing:
                wire_of.end()
        self.judge.passed(self.now)

    def play(self) -> None:
        for _ in range(120):
            for which in (0, 1):
                if self.random.random() < 0.5:
                    self.act(which)
            self.now += int(self.random.choice((0.01, 0.05, 0.2, 0.2, 1)) * SECOND)
            self.turn()


@pytest.mark.parametrize("first", range(0, SESSIONS, AT_ONCE))
def test_no_strict_client_is_accused(first: int) -> None:
    accused: list[str] = []
    for number in range(first, min(first + AT_ONCE, SESSIONS)):
        world = World(number)
        world.play()
        accused += [f"session {number}: {as_text(finding)}" for finding in world.judge.findings]
    assert not accused, "\n\n".join(accused[:3])


def test_the_sessions_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold what they are made for: resumed sessions, messages sent again, rules that acted."""
    seen = {"resumed": 0, "again": 0}
    after_sent, answered = following.after_sent, following.answered

    def sent(talk: Talk, packet: Packet) -> None:
        seen["again"] += isinstance(packet, Publish) and packet.dup
        after_sent(talk, packet)

    def got(talk: Talk, packet: Packet) -> None:
        seen["resumed"] += isinstance(packet, Connack) and packet.session_present
        answered(talk, packet)

    monkeypatch.setattr(following, "after_sent", sent)
    monkeypatch.setattr(following, "answered", got)
    fired = 0
    for number in range(0, 1000, 20):
        world = World(number)
        world.play()
        fired += sum(world.script.fired.values())
    # About half of what they hold: a change of the broker or the clients may move it, the same code does not.
    assert seen["again"] > 180
    assert seen["resumed"] > 300
    assert fired > 100
