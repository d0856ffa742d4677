# SPDX-License-Identifier: MIT
"""A broker to test clients on: isolated, judged, traced, disturbed by rules, and as new after `reset`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.clock import Clock
from mqtt_ref.oracle.disturbed import DisturbedLive
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import policy as policy_tables
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import KEPT, Condition, Happening, Recorder
from mqtt_ref.oracle.rules import Rule, Script
from mqtt_ref.server import Server
from mqtt_ref.threaded import InThread

if TYPE_CHECKING:
    from mqtt_ref.engine.options import Options
    from mqtt_ref.hooks import Hook
    from mqtt_ref.net.listener import Listener
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.oracle.finding import Finding

__all__ = ["Bench", "ThreadedBench"]

GRACE: Final = 0.1
"""Seconds that clients have to leave when it stops."""
PATIENCE: Final = 1.0
"""Seconds within which links are gone that were cut."""


class Bench:
    """A broker on a free port of this machine, with everything that a test of a client needs.

        async with Bench(rules=[Rule(when=Match(packet="PUBACK", to="*", nth=1), do=Drop())]) as bench:
            ...                                                        # let a client connect to bench.url
            await bench.wait(Match(packet="PUBLISH", by="*", dup=True))
            assert bench.findings == []

    `policy` is `record` (go on behind a packet that breaks a rule) or `close` (as the standard asks). `clock` is the
    broker's time. `hooks` decide who may do what: everybody everything when none are given. `trace` gets a copy of what
    is recorded, `kept` records of which are held. Rules may change at any time; those given here come
    back with `reset`.
    """

    def __init__(
        self,
        *,
        rules: Iterable[Rule] = (),
        options: Options | None = None,
        listeners: Sequence[Listener] | None = None,
        hooks: Sequence[Hook] | None = None,
        policy: str = "record",
        clock: Clock | None = None,
        trace: Trace | None = None,
        kept: int = KEPT,
        on_finding: Callable[[Finding], None] | None = None,
    ) -> None:
        self.clock = Clock() if clock is None else clock
        self.recorder = Recorder(kept, trace)
        self.on_finding = on_finding
        """Called with each finding when it is made."""
        self.script = Script(rules)
        self._rules = list(self.script.rules)
        self._scale = self.clock.scale
        self._live = DisturbedLive(Judge(self._found), self.recorder, self.script, self.recorder.fired)
        self.server = Server(
            options,
            listeners,
            hooks=[AllowAll()] if hooks is None else hooks,
            tables=policy_tables(policy),
            layers=self._live.layers,
            clock=self.clock,
        )

    # ---------------------------------------------------------------- its life

    async def start(self) -> None:
        """Listen; it is ready when this returns.

        Raises:
            ListenerError: it cannot.
        """
        await self.server.start()

    async def stop(self, grace: float = GRACE) -> None:
        """Say goodbye to the clients and be gone; links that are frozen or half-open are cut."""
        self._live.cut()
        await self.server.stop(grace)

    async def reset(self) -> None:
        """As after `start`: no clients, sessions, messages, records, findings; the rules and the clock as at first."""
        gone = asyncio.Event()
        self._live.on_gone = gone.set
        self._live.cut_all()
        if self._live.disturbed:
            await asyncio.wait_for(gone.wait(), PATIENCE)
        self._live.on_gone = None
        broker, now = self.server.broker, self.clock.now()
        for client_id in list(broker.sessions.by_client_id):
            broker.sessions.remove(client_id, now)
        for topic, _ in broker.retained.store.scan(0, len(broker.retained.store)):
            if not topic.startswith("$SYS/"):
                broker.retained.remove(topic)
        self.script.reset()
        self.script.install(self._rules)
        if self.clock.scale != self._scale:
            self.clock.scale = self._scale
        self._live.renew(Judge(self._found))
        self.recorder.clear()

    async def __aenter__(self) -> Bench:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.stop()

    def _found(self, finding: Finding) -> None:
        self.recorder.found(finding)
        if self.on_finding is not None:
            self.on_finding(finding)

    # ---------------------------------------------------------------- what a test needs

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self.server.url

    @property
    def port(self) -> int:
        """The port of its first listener."""
        return self.server.port

    @property
    def rules(self) -> list[Rule]:
        """The rules that hold. Setting them lets their counting begin again."""
        return list(self.script.rules)

    @rules.setter
    def rules(self, rules: Iterable[Rule]) -> None:
        self.script.install(rules)

    def add(self, *rules: Rule) -> None:
        """More rules, behind those that there are.

        Raises:
            ValueError: one has the name of another.
        """
        self.script.add(rules)

    @property
    def judge(self) -> Judge:
        """The judge; another one after `reset`."""
        return self._live.judge

    @property
    def findings(self) -> list[Finding]:
        """What the clients did wrong."""
        self._live.look()
        return list(self.judge.findings)

    @property
    def trace(self) -> list[dict[str, Any]]:
        """The records of all packets, in the form of JSONL traces."""
        return list(self.recorder.records)

    def count(self, condition: Condition | Match) -> int:
        """How often it has happened."""
        return self.recorder.count(_condition(condition))

    async def wait(self, condition: Condition | Match, within: float = 5.0) -> Happening:
        """Wait until it has happened, a packet say; what has happened already counts.

        Raises:
            TimeoutError: it has not within so many seconds.
        """
        return await self.recorder.wait(_condition(condition), within)


class ThreadedBench(InThread):
    """The twin of `Bench` for programs without an event loop: the same parts, each call returns when it is done.

    with ThreadedBench(rules=[...]) as bench:
        ...                                                            # let a client connect to bench.url
        bench.wait(Match(packet="PUBLISH", by="*", dup=True))
    """

    def __init__(self, **settings: Any) -> None:
        self.bench = Bench(**settings)
        """The bench itself, for `call`; takes the same settings."""
        super().__init__(self.bench)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self.bench.url

    @property
    def port(self) -> int:
        """The port of its first listener."""
        return self.bench.port

    @property
    def rules(self) -> list[Rule]:
        """See `Bench.rules`."""
        return self.bench.rules

    @rules.setter
    def rules(self, rules: Iterable[Rule]) -> None:
        self.call(self.bench.script.install, rules)

    def add(self, *rules: Rule) -> None:
        """See `Bench.add`."""
        self.call(self.bench.add, *rules)

    @property
    def findings(self) -> list[Finding]:
        """See `Bench.findings`."""
        return self.call(lambda: self.bench.findings)

    @property
    def trace(self) -> list[dict[str, Any]]:
        """See `Bench.trace`."""
        return self.call(lambda: self.bench.trace)

    def count(self, condition: Condition | Match) -> int:
        """See `Bench.count`."""
        return self.call(self.bench.count, condition)

    def wait(self, condition: Condition | Match, within: float = 5.0) -> Happening:
        """See `Bench.wait`."""
        return self._do(self.bench.wait(condition, within))

    def jump(self, seconds: float) -> None:
        """Let so much of the broker's time pass at once."""
        self.call(self.bench.clock.jump, seconds)

    def reset(self) -> None:
        """See `Bench.reset`."""
        self._do(self.bench.reset())


def _condition(wanted: Condition | Match) -> Condition:
    return Condition(packet=wanted) if isinstance(wanted, Match) else wanted
