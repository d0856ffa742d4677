# SPDX-License-Identifier: MIT
"""What a run of the model printed, done again on the broker: after each step both have to be in the same state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mqtt_ref.broker.broker import Broker
from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.access import Access
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.effects import Commit
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.engine.session import Session
from mqtt_ref.engine.tables import Tables, changed
from mqtt_ref.ports import InflightPut, QueuePut, ReceivedPut, SessionPut, StoredMessage
from mqtt_ref.wire.codes import QUOTA_EXCEEDED, SUBACK, UNSPECIFIED_ERROR
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import SERVER, V5
from mqtt_ref.wire.violation import Violation

__all__ = ["Bounded", "Disagreement", "Step", "packets", "replay", "steps"]

SECOND: Final = 1_000_000_000
EXPIRY: Final = 3600
CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
"""The kinds of packets as the model numbers them."""
NAMES: Final = ("", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP")
KINDS: Final[dict[type, int]] = {
    Connack: CONNACK,
    Publish: PUBLISH,
    Puback: PUBACK,
    Pubrec: PUBREC,
    Pubrel: PUBREL,
    Pubcomp: PUBCOMP,
}
TOPIC: Final = "t"

Numbers = tuple[int, ...]


class Disagreement(AssertionError):
    """The broker is not in the state of the model, or did not send what the model sent."""


@dataclass(frozen=True)
class Bounded:
    """The bounds of a run that its replay has to know."""

    sessions: int = 1
    ids: int = 2
    messages: int = 2
    batches: int = 1
    quota: int = 2
    together: bool = False


@dataclass
class Step:
    """One step of the model: its word, whose it is, the numbers of its packet or choice, what came of it."""

    word: str
    session: int = 0
    numbers: Numbers = ()
    out: list[tuple[int, Numbers]] = field(default_factory=list)
    breach: bool = False
    wrong: str = ""
    live: dict[int, Numbers] = field(default_factory=dict)
    disk: dict[int, Numbers] = field(default_factory=dict)
    link: dict[int, Numbers] = field(default_factory=dict)
    way: int = 0


def steps(printed: Iterable[str]) -> tuple[list[int], list[Step]]:
    """The QoS of each message, and the steps, from the lines that a run of the model printed."""
    qos: list[int] = []
    out: list[Step] = []
    for line in printed:
        words = line.replace(":", " ").split()
        if len(words) < 2 or words[1] == "=":
            continue
        if words[0] == "qos":
            qos.append(int(words[2]))
        elif words[0] == "step":
            numbers = tuple(map(int, words[2:]))
            word = words[1].removeprefix("s_")
            out.append(Step(word, numbers[0], numbers[1:]) if words[1] != word else Step(word, 0, numbers))
        elif words[0] == "wrong":
            out[-1].wrong = line.strip().removeprefix("wrong: ")
        elif words[0] == "breach":
            out[-1].breach = True
        elif words[0] == "out":
            out[-1].out.append((int(words[1]), tuple(map(int, words[2:]))))
        elif words[0] in ("live", "disk", "link"):
            getattr(out[-1], words[0])[int(words[1])] = tuple(map(int, words[2:]))
        elif words[0] == "way":
            out[-1].way = int(words[1])
    return qos, out


def _packet(kind: int, ident: int, message: int, flag: int, qos: list[int]) -> str:
    name = NAMES[kind]
    if kind == CONNECT:
        return f"{name} clean={flag & 1} expiry={0 if flag & 2 else EXPIRY}"
    if kind == CONNACK:
        return f"{name} present={flag}"
    if kind == PUBLISH:
        known = f"qos={qos[message]} message={message}" if message < len(qos) else "of another message"
        return f"{name} id={ident} {known} dup={flag}"
    return f"{name} id={ident}" + (" error" if flag else "")


def packets(qos: list[int], trail: list[Step]) -> Iterator[str]:
    """A run as a sequence of packets and of what else happens, for people."""
    said = {
        "lose": "the link breaks",
        "notice": "the server notices that the link is gone",
        "remove": "an administrator removes the session",
        "expire": "the time of every absent session passes",
        "commit": "the store has the batch",
        "fail": "the store refuses the batch",
        "tick": "the tick ends",
        "over": "nothing is left to do",
    }
    for step in trail:
        if step.word in ("handle", "refuse", "read", "decline"):
            arrow = "->" if step.word in ("handle", "refuse") else "<-"
            text = f"client {step.session} {arrow} server: {_packet(*step.numbers, qos)}"
            yield text + {"refuse": ", which is refused", "decline": ", which is refused"}.get(step.word, "")
        elif step.word == "crash":
            yield f"the server fails; {step.numbers[0]} of the batches under way are stored; it starts again"
        elif step.word in said:
            yield (f"client {step.session}: " if step.word in ("lose", "notice", "remove") else "") + said[step.word]
        if step.wrong:
            yield f"WRONG: {step.wrong}"


class _Link:
    """One connection of the broker, and the packets that it wrote since they were looked at."""

    def __init__(self, connection: Connection, session: int) -> None:
        self.connection = connection
        self.session = session
        self.decoder = Decoder(V5, SERVER)
        self.out: list[Packet] = []


class _Engine:
    """A broker, its store and its clock, driven as the model says. `lies`: a batch that fails is answered as stored."""

    def __init__(self, bounds: Bounded, tables: Tables, qos: list[int], lies: bool) -> None:
        self.bounds = bounds
        self.tables = changed(tables, limits={"packet_id_maximum": bounds.ids})
        self.qos = qos
        self.lies = lies
        self.store = MemoryStore()
        self.now = 1000 * SECOND
        self.refuses = False
        self.current: dict[int, _Link] = {}
        """By session: the connection that its client has too."""
        self.begin()

    def begin(self) -> None:
        """A broker is started with what the store has."""
        options = Options(bounds=Bounds(batches=self.bounds.batches))
        self.broker = Broker(options, self.tables, self.store, seed=7)
        self.broker.set_access(Access(on_acl_check_publish=lambda *_: QUOTA_EXCEEDED if self.refuses else 0))
        self.commits: list[Commit] = []
        self.links: dict[int, _Link] = {}
        self.stale: dict[int, _Link] = {}
        self.current = {}
        self.broker.restore(self.now)
        self.broker.on_deadline(self.now)

    def tick(self) -> None:
        """What a driver does at the end of a turn."""
        for effect in self.broker.tick(self.now):
            if isinstance(effect, Commit):
                self.commits.append(effect)
        while self.broker.dirty:
            dirty = self.broker.dirty
            self.broker.dirty = []
            for connection in dirty:
                link = self.links[connection.serial]
                for packet in link.decoder.feed(b"".join(connection.take())):
                    if isinstance(packet, Violation):
                        raise Disagreement(f"the broker wrote what is not MQTT: {packet}")
                    link.out.append(packet)
                if connection.closing:
                    connection.lost(self.now)

    def client_id(self, session: int) -> str:
        return f"c{session}"

    def connection_of(self, session: int) -> Connection:
        found = self.session(session)
        connection = None if found is None else found.connection
        if connection is None:
            raise Disagreement(f"session {session} has no connection")
        return connection

    def session(self, session: int) -> Session | None:
        return self.broker.sessions.by_client_id.get(self.client_id(session))

    def handle(self, session: int, kind: int, ident: int, message: int, flag: int, current: bool) -> None:
        """A packet of the client reaches the broker."""
        code = UNSPECIFIED_ERROR if flag else 0
        if kind == CONNECT:
            connection = self.broker.connect(self.now, "test", "peer", None)
            link = self.links[connection.serial] = _Link(connection, session)
            self.current.pop(session, None)
            if current:
                self.current[session] = link
            properties = ConnectProperties(
                session_expiry_interval=0 if flag & 2 else EXPIRY, receive_maximum=self.bounds.quota
            )
            data = encode(V5, Connect(self.client_id(session), clean_start=bool(flag & 1), properties=properties))
            if session == 0:
                data += encode(V5, Subscribe(1, [Subscription(TOPIC, 2)]))
            connection.receive(data, self.now)
            return
        packet: Packet
        if kind == PUBLISH:
            strange = message == self.bounds.messages
            payload = b"strange" if strange else b"%d" % message
            packet = Publish(TOPIC, payload, 1 if strange else self.qos[message], packet_id=ident, dup=bool(flag))
        else:
            packet = {PUBACK: Puback, PUBREC: Pubrec, PUBREL: Pubrel, PUBCOMP: Pubcomp}[kind](ident)
            if code and kind in (PUBACK, PUBREC):
                packet.reason_code = code  # type: ignore[union-attr]
        self.connection_of(session).receive(encode(V5, packet), self.now)

    def do(self, step: Step, current: bool) -> None:
        """One step of the model."""
        word = step.word
        if word in ("handle", "refuse"):
            self.refuses = word == "refuse"
            kind, ident, message, flag = step.numbers
            self.handle(step.session, kind, ident, message, flag, current)
            self.refuses = False
        elif word == "notice":
            self.connection_of(step.session).lost(self.now)
        elif word == "remove":
            self.broker.sessions.remove(self.client_id(step.session), self.now)
        elif word == "expire":
            self.now += (EXPIRY + 1) * SECOND
            self.broker.on_deadline(self.now)
        elif word == "crash":
            for commit in self.commits[: step.numbers[0]]:
                self.store.commit(commit.batch, commit.records)  # type: ignore[arg-type]
            self.begin()
        elif word in ("commit", "fail"):
            if not self.commits:
                raise Disagreement("no batch is under way")
            commit = self.commits.pop(0)
            if word == "commit":
                self.store.commit(commit.batch, commit.records)  # type: ignore[arg-type]
            if word == "commit" or self.lies:
                self.broker.on_committed(commit.batch, self.now)
            else:
                self.broker.on_commit_failed(commit.batch, self.now)
                # In the model the store refuses one batch. What the broker refuses while it goes on failing is another
                # matter: see `tests/storage`.
                self.broker.store_fails = False
        if not (self.bounds.together and word in ("handle", "refuse", "notice", "remove")):
            self.tick()

    # ---------------------------------------------------------------- what is compared

    def sent(self) -> dict[int, list[Numbers]]:
        """By session: what was written on the connection that its client has too."""
        out: dict[int, list[Numbers]] = {}
        for link in self.links.values():
            written = [packet for packet in link.out if not isinstance(packet, (Suback, Disconnect))]
            link.out = []
            if self.current.get(link.session) is link and written:
                out[link.session] = [self.numbers(packet) for packet in written]
        return out

    def number(self, payload: bytes) -> int:
        return int(payload) if payload.isdigit() else self.bounds.messages

    def numbers(self, packet: Any) -> Numbers:
        """A packet as the model has it."""
        kind = KINDS[type(packet)]
        if kind == CONNACK:
            return (kind, 0, self.bounds.messages, int(packet.session_present))
        if kind == PUBLISH:
            return (kind, packet.packet_id, self.number(packet.payload), int(packet.dup))
        bad = packet.reason_code >= 0x80
        return (kind, packet.packet_id, self.bounds.messages, int(bad))

    def kept(
        self, here: bool, brief: bool, received: Iterable[int], flight: list[Numbers], queue: list[int]
    ) -> Numbers:
        """What a session holds, as the model prints it."""
        rest = [0] * (3 * (3 - len(flight)))
        held = sum(1 << ident for ident in received)
        exchanges = [number for exchange in flight for number in exchange]
        return (
            int(here),
            int(brief),
            held,
            len(flight),
            *exchanges,
            *rest,
            len(queue),
            *queue,
            *[0] * (8 - len(queue)),
        )

    def live(self, session: int) -> Numbers:
        found = self.session(session)
        if found is None:
            return self.kept(False, False, (), [], [])
        flight = [(d.packet_id, d.state, self.number(d.message.payload)) for d in found.inflight.values()]
        queue = [self.number(d.message.payload) for d in found.queue or ()]
        return self.kept(True, found.expiry == 0, found.received, flight, queue)

    def disk(self, session: int) -> Numbers:
        mine = [r for r in self.store.load() if getattr(r, "client_id", None) == self.client_id(session)]
        head = [record for record in mine if isinstance(record, SessionPut)]
        flight = [(r.packet_id, r.state, self.stored(r.message)) for r in mine if isinstance(r, InflightPut)]
        queue = [self.stored(r.message) for r in mine if isinstance(r, QueuePut)]
        received = [r.packet_id for r in mine if isinstance(r, ReceivedPut)]
        return self.kept(bool(head), any(r.expiry == 0 for r in head), received, flight, queue)

    def stored(self, message: StoredMessage) -> int:
        return self.number(message.payload)

    def link(self, session: int) -> Numbers:
        found = self.session(session)
        if found is None:
            return (0, 0, 0, 0, 0)
        connection = found.connection
        if connection is None:
            return (found.state, 0, 0, 0, 0)
        current = self.current.get(session)
        mine = current is not None and current.connection is connection
        waiting = [data for gate in connection.outbox.gates or () for data in gate.out]
        count = sum(data[0] >> 4 != SUBACK for data in waiting) if mine else 0
        return (found.state, 1, int(mine), connection.quota, count)

    @property
    def way(self) -> int:
        assert self.broker.journal is not None
        return self.broker.journal.under_way


def replay(bounds: Bounded, tables: Tables, qos: list[int], trail: list[Step], *, lies: bool = False) -> int:
    """Do the steps of a run on a broker with these tables; returns how many were compared.

    Raises:
        Disagreement: the broker sent something else, or is in another state; the text names the step.
    """
    engine = _Engine(bounds, tables, qos, lies)
    compared = 0
    for number, step in enumerate(trail):
        if step.word in ("connect", "lose", "publish", "read", "decline", "over"):
            if step.word in ("connect", "lose"):
                engine.current.pop(step.session, None)
            continue  # the client does it alone
        where = f"step {number + 1}, {step.word} {step.session} {step.numbers}"
        current = step.session in step.link and step.link[step.session][2] == 1
        try:
            engine.do(step, current)
        except AssertionError as error:
            if step.wrong == "a client gets no session" and "no session" in str(error):
                return compared + 1
            raise Disagreement(f"{where}: {error}") from error
        if step.wrong and not step.link:
            break  # the run ends within this step
        _compare(engine, step, where)
        compared += 1
    return compared


def _compare(engine: _Engine, step: Step, where: str) -> None:
    """Hold the broker against the model after one step.

    Raises:
        Disagreement: they differ.
    """
    for session, link in step.link.items():
        if not link[1]:
            engine.current.pop(session, None)
    sent: dict[int, list[Numbers]] = {}
    for session, packet in step.out:
        sent.setdefault(session, []).append(packet)
    _same(where, "sends", engine.sent(), sent)
    for session in step.live:
        _same(where, f"holds of session {session}", engine.live(session), step.live[session])
        _same(where, f"has stored of session {session}", engine.disk(session), step.disk[session])
        _same(where, f"has as link of session {session}", engine.link(session), step.link[session])
    _same(where, "has batches under way", engine.way, step.way)


def _same(where: str, what: str, has: object, wanted: object) -> None:
    if has != wanted:
        raise Disagreement(f"{where}: the broker {what}: {has}; the model: {wanted}")
