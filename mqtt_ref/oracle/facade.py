# SPDX-License-Identifier: MIT
"""A broker to test clients on: isolated, judged, recorded, disturbed by rules, and as new after `reset`.

`Oracle` runs in a thread, for programs and tests without an event loop. `AsyncOracle` runs in the caller's loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from mqtt_ref.hooks.allow import AllowAll
from mqtt_ref.net.clock import Clock
from mqtt_ref.oracle.disturbed import DisturbedLive
from mqtt_ref.oracle.fields import check_fields, matches
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import policy
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import KEPT, Condition, Happening, Recorder, Seen
from mqtt_ref.oracle.report import as_text
from mqtt_ref.oracle.rules import Rule, Script
from mqtt_ref.server import Server
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.statements import find, resolve

if TYPE_CHECKING:
    import os

    from mqtt_ref.engine.options import Options
    from mqtt_ref.hooks import Hook
    from mqtt_ref.net.listener import Listener
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.oracle.actions import Action
    from mqtt_ref.oracle.finding import Finding

__all__ = ["GRACE", "PATIENCE", "AsyncOracle", "Oracle"]

T = TypeVar("T")
PATIENCE: Final = 5.0
"""Seconds to wait for what a client should do, if nothing else is said."""
GRACE: Final = 0.1
"""Seconds that clients have to leave when the broker stops."""
LEAVING: Final = 0.2
"""Seconds that clients have to leave at a reset before their links are cut."""
CUT: Final = 1.0
"""Seconds within which links are gone that were cut."""
POLL: Final = 0.005
SHOWN: Final = 30
"""Lines of the trace in the message of an expectation that was not met."""
WAYS: Final = {"client": "in", "broker": "out"}


class Facade:
    """What both faces have in common.

    `on_violation` is `record` (go on after a packet that breaks a rule, so that more can be seen) or `close` (as the
    standard asks). `hooks` decide who may do what: everybody everything when none are given. `rules` disturb; they may
    change at any time, and those given here come back with `reset`. `allow` names rules of the standard that clients
    may break. Without `check`, the end of a `with` block does not raise. `clock` is the broker's time. `kept` events
    are recorded at most, and `trace` is told them too. `on_finding` is called with each finding.
    """

    def __init__(
        self,
        options: Options | None = None,
        listeners: Sequence[Listener] | None = None,
        *,
        hooks: Sequence[Hook] | None = None,
        rules: Iterable[Rule] = (),
        on_violation: str = "record",
        allow: Sequence[str] = (),
        check: bool = True,
        clock: Clock | None = None,
        trace: Trace | None = None,
        kept: int = KEPT,
        on_finding: Callable[[Finding], None] | None = None,
    ) -> None:
        self.clock = Clock() if clock is None else clock
        """The broker's time: `jump` lets some of it pass, `scale` makes it faster."""
        self.recorder = Recorder(kept, trace)
        """All that passed and happened."""
        self.script = Script(rules)
        """The rules that disturb, and how often each acted."""
        self._on_finding = on_finding
        self._check = check
        self._rules = list(self.script.rules)
        self._scale = self.clock.scale
        self._live = DisturbedLive(Judge(self._found), self.recorder, self.script, self.recorder.fired)
        self._server = Server(
            options,
            listeners,
            hooks=[AllowAll()] if hooks is None else hooks,
            tables=policy(on_violation),
            layers=self._live.layers,
            clock=self.clock,
        )
        self._findings: list[Finding] = []
        self._told = 0
        self._allowed: set[str] = set()
        self._taken: dict[int, int] = {}
        self.allow(*allow)

    def _call(self, function: Callable[..., T], *args: object) -> T:
        """Call a function where the broker runs."""
        return function(*args)

    # ---------------------------------------------------------------- where it is

    @property
    def url(self) -> str:
        """Where clients connect, as a URL."""
        return self._server.url

    @property
    def host(self) -> str:
        """The address that clients connect to."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self._server.port

    # ---------------------------------------------------------------- what a client did wrong

    @property
    def judge(self) -> Judge:
        """The judge; another one after `reset`."""
        return self._live.judge

    @property
    def findings(self) -> list[Finding]:
        """What clients did wrong so far, but for rules that are allowed to be broken.

        Findings whose `level` is `should` are advice that was not taken: they fail no test.
        """
        self._call(self._look)
        with self.recorder.changed:
            return [one for one in self._findings if one.rule not in self._allowed]

    def allow(self, *rules: str) -> None:
        """Let clients break these rules, also if they did so already.

        A rule is named by its id, as reports show it, or in the standard's own spelling (MQTT-3.1.2-11), which means
        it in every version.

        Raises:
            ValueError: there is no such rule.
        """
        for rule in rules:
            named = resolve(rule)
            if not named:
                alike = [one.id for one in find(rule)][:5]
                raise ValueError(f"no rule is called {rule!r}" + (f"; perhaps {', '.join(alike)}" if alike else ""))
            self._allowed |= {one.id for one in named}

    def check(self) -> None:
        """Take stock of what clients have sent up to now.

        Raises:
            AssertionError: a client broke a rule that it must keep, which no earlier check has told; says all of it.
        """
        __tracebackhide__ = True
        told = self.accusation()
        if told:
            raise AssertionError(told)

    def accusation(self) -> str:
        """What `check` would say; empty if there is nothing to say. It is said once."""
        self._call(self._look)
        with self.recorder.changed:
            fresh = [one for one in self._findings[self._told :] if one.rule not in self._allowed]
            self._told = len(self._findings)
        broken = [one for one in fresh if one.level == "must"]
        if not broken:
            return ""
        rules = len({one.rule for one in broken})
        head = f"A client broke {rules} rule{'' if rules == 1 else 's'} of MQTT:"
        return "\n\n".join([head, *(as_text(one, number) for number, one in enumerate(broken, 1))])

    def _look(self) -> None:
        """See who has been silent for too long."""
        if self._live.watching:
            self._live.look()

    def _found(self, finding: Finding) -> None:
        self.recorder.found(finding)
        with self.recorder.changed:
            self._findings.append(finding)
            self.recorder.changed.notify_all()
        if self._on_finding is not None:
            self._on_finding(finding)

    # ---------------------------------------------------------------- what passed

    @property
    def trace(self) -> str:
        """Every packet that passed, a line each."""
        return self.recorder.written()

    @property
    def records(self) -> list[dict[str, Any]]:
        """All that passed, as records of a JSONL trace."""
        return self.recorder.records

    def packets(self, kind: type[T], *, client: str = "", sender: str = "client", **fields: Any) -> list[T]:
        """The packets of that kind that were sent so far, with these fields; see `expect`."""
        check_fields(kind, fields)
        self._call(int)
        way = _way(sender)
        return [cast("T", one.packet) for one in self.recorder.seen() if _fits(one, kind, way, client, fields)]

    def count(self, condition: Condition | Match) -> int:
        """How often it has happened; see `wait`."""
        return self._call(self.recorder.count, _condition(condition))

    def write_pcap(self, path: str | os.PathLike[str]) -> Path:
        """Write all packets as a capture that Wireshark and tshark open as MQTT; its path.

        It holds MQTT as such, without TLS and WebSocket; whatever the broker's port is, the capture says 1883.
        """
        path = Path(path)
        path.write_bytes(self.recorder.pcap())
        return path

    async def expect_async(
        self, kind: type[T], *, within: float = PATIENCE, client: str = "", sender: str = "client", **fields: Any
    ) -> T:
        """`expect`, for tests whose client runs on the same event loop."""
        __tracebackhide__ = True
        check_fields(kind, fields)
        way = _way(sender)
        end = time.monotonic() + within
        while (found := self._take(kind, way, client, fields)) is None:
            if time.monotonic() > end:
                raise AssertionError(self._missing(kind, within, client, sender, fields))
            await asyncio.sleep(POLL)
        return cast("T", found)

    async def wait_for_async(self, condition: Callable[[], T], within: float = PATIENCE) -> T:
        """`wait_for`, for tests whose client runs on the same event loop."""
        __tracebackhide__ = True
        end = time.monotonic() + within
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(self._unmet(condition, within))
            await asyncio.sleep(POLL)
        return value

    def _take(self, kind: type, way: str, client: str, fields: dict[str, Any]) -> object:
        """The first packet that fits, after those that were taken from its connection."""
        with self.recorder.changed:
            for one in self.recorder.seen():
                if _fits(one, kind, way, client, fields) and one.number > self._taken.get(one.connection, 0):
                    self._taken[one.connection] = one.number
                    return one.packet
        return None

    def _missing(self, kind: type, within: float, client: str, sender: str, fields: dict[str, Any]) -> str:
        wanted = ", ".join([kind.__name__, *(f"{name}={value!r}" for name, value in fields.items())])
        who = f"the {sender}" if not client else f"{client!r}" if sender == "client" else f"the broker to {client!r}"
        return f"no expect({wanted}) from {who} within {within} s; what passed:\n{self._tail()}"

    def _unmet(self, condition: object, within: float) -> str:
        return f"not within {within} s: {getattr(condition, '__name__', condition)}; what passed:\n{self._tail()}"

    def _tail(self) -> str:
        lines = self.trace.splitlines()
        cut = ["..."] if len(lines) > SHOWN else []
        return "\n".join(cut + lines[-SHOWN:]) or "nothing"

    # ---------------------------------------------------------------- misbehaviour

    @property
    def rules(self) -> list[Rule]:
        """The rules that disturb. Setting them lets their counting begin again."""
        return list(self.script.rules)

    @rules.setter
    def rules(self, rules: Iterable[Rule]) -> None:
        self._call(self.script.install, rules)

    def add(self, *rules: Rule) -> None:
        """More rules, after those that there are.

        Raises:
            ValueError: one has the name of another.
        """
        self._call(self.script.add, rules)

    def rule(self, do: Action | list[Action], *, name: str = "", times: int = 0, **when: Any) -> Rule:
        """Disturb the packets that `when` is about, fields of `mqtt_ref.oracle.matching.Match`, from now on.

            oracle.rule(Drop(), packet="PUBREC", to="melon", nth=2)

        The judge sees what is on the wire, so a client is judged by what it got. Actions are in
        `mqtt_ref.oracle.actions`; several are done one after the other.

        Raises:
            ValueError: a rule has that name already, or contradicts itself.
        """
        rule = Rule(when=Match(**when), do=do, name=name, times=times)
        self.add(rule)
        return rule

    def fired(self, name: str) -> int:
        """How often the rule of that name has acted; one without a name has its number, from 1."""
        return self.script.fired[name]

    def jump(self, seconds: float) -> None:
        """Let so much of the broker's time pass at once: for expiry, will delay and Keep Alive.

        The clients' own time goes on as before.
        """
        self._call(self.clock.jump, seconds)

    # ---------------------------------------------------------------- the end

    async def _reset(self) -> None:
        """Disconnect the clients and forget everything. To be run where the broker runs."""
        live = self._live
        live.cut()
        self.script.reset()
        self.script.install(self._rules)
        self._server.reset()
        await self._gone(LEAVING)
        live.cut_all()
        await self._gone(CUT)
        if self.clock.scale != self._scale:
            self.clock.scale = self._scale
        live.renew(Judge(self._found))
        self.recorder.clear()
        with self.recorder.changed:
            self._findings.clear()
            self._taken.clear()
            self._told = 0

    async def _gone(self, within: float) -> None:
        """Wait until all links have gone."""
        for _ in range(int(within / POLL)):
            if not self._live.watching:
                return
            await asyncio.sleep(POLL)


class AsyncOracle(Facade):
    """A broker that judges whoever connects to it, in the event loop of the caller.

        async with AsyncOracle(rules=[Rule(when=Match(packet="PUBACK", to="*", nth=1), do=Drop())]) as oracle:
            ...                                                        # let a client connect to oracle.url
            await oracle.wait(Match(packet="PUBLISH", by="*", dup=True))

    As a context manager it raises AssertionError at its end if a client broke a rule that it must keep. See `Facade`
    for the settings.
    """

    @property
    def server(self) -> Server:
        """The broker: it publishes, tells of its clients, takes more listeners and hooks."""
        return self._server

    async def start(self) -> None:
        """Be ready for clients when this returns.

        Raises:
            ListenerError: it cannot listen.
        """
        await self._server.start()

    async def stop(self, grace: float = GRACE) -> None:
        """End the broker, whatever the clients do; what was seen stays."""
        self._live.cut()
        await self._server.stop(grace)

    async def __aenter__(self) -> AsyncOracle:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        await self.stop()
        if kind is None and self._check:
            self.check()

    async def reset(self) -> None:
        """Begin anew: clients are disconnected; sessions, retained messages, findings and the record are gone.

        The rules and the clock are as they were at first.
        """
        await self._reset()

    async def expect(
        self, kind: type[T], *, within: float = PATIENCE, client: str = "", sender: str = "client", **fields: Any
    ) -> T:
        """See `Oracle.expect`."""
        __tracebackhide__ = True
        return await self.expect_async(kind, within=within, client=client, sender=sender, **fields)

    async def wait_for(self, condition: Callable[[], T], within: float = PATIENCE) -> T:
        """See `Oracle.wait_for`."""
        __tracebackhide__ = True
        return await self.wait_for_async(condition, within)

    async def wait(self, condition: Condition | Match, within: float = PATIENCE) -> Happening:
        """See `Oracle.wait`."""
        return await self.recorder.wait(_condition(condition), within)


class Oracle(Facade):
    """A broker that judges whoever connects to it, in a thread of its own. Its methods return when they are done.

        with Oracle() as oracle:
            client.connect(oracle.host, oracle.port)
            oracle.expect(Connect, clean_start=True)

    As a context manager it raises AssertionError at its end if a client broke a rule that it must keep. See `Facade`
    for the settings.
    """

    @cached_property
    def server(self) -> ThreadedServer:
        """The broker: it publishes, tells of its clients, takes more listeners and hooks."""
        return ThreadedServer.of(self._server)

    def _call(self, function: Callable[..., T], *args: object) -> T:
        self.settle()
        return self.server.call(function, *args) if self.server.running else function(*args)

    def start(self) -> None:
        """Be ready for clients when this returns.

        Raises:
            ListenerError: it cannot listen.
        """
        self.server.start()

    def stop(self) -> None:
        """End the broker, within 0.2 seconds whatever the clients do; what was seen stays."""
        self._call(self._live.cut)
        self.server.stop(GRACE)

    def __enter__(self) -> Oracle:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.stop()
        if kind is None and self._check:
            self.check()

    def settle(self) -> None:
        """Wait until the broker has read what clients have sent up to now."""
        if self.server.running:
            # What has reached the socket is read between two turns of the loop.
            for _ in range(3):
                self.server.call(int)

    def reset(self) -> None:
        """Begin anew: clients are disconnected; sessions, retained messages, findings and the record are gone.

        The rules and the clock are as they were at first.
        """
        self.server.run(self._reset())

    def expect(
        self, kind: type[T], *, within: float = PATIENCE, client: str = "", sender: str = "client", **fields: Any
    ) -> T:
        """The next packet of that kind, if it has come already or comes in time: `expect(Publish, dup=True)`.

        `fields` are fields of the packet, or properties; a function says itself whether it likes the value. `client`
        is the Client Identifier of whom it has to come from. `sender="broker"` looks at what the broker sent instead.
        Each packet is given once, and on one connection in the order of the packets.

        Raises:
            AssertionError: no such packet came within `within` seconds; shows what passed instead.
            TypeError: the packet has no such field.
        """
        __tracebackhide__ = True
        check_fields(kind, fields)
        way = _way(sender)
        end = time.monotonic() + within
        with self.recorder.changed:
            while True:
                found = self._take(kind, way, client, fields)
                if found is not None:
                    return cast("T", found)
                left = end - time.monotonic()
                if left <= 0:
                    break
                self.recorder.changed.wait(left)
        raise AssertionError(self._missing(kind, within, client, sender, fields))

    def wait_for(self, condition: Callable[[], T], within: float = PATIENCE) -> T:
        """Wait until the condition gives something true, and return that.

        Raises:
            AssertionError: it did not within `within` seconds.
        """
        __tracebackhide__ = True
        end = time.monotonic() + within
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(self._unmet(condition, within))
            with self.recorder.changed:
                self.recorder.changed.wait(POLL)
        return value

    def wait(self, condition: Condition | Match, within: float = PATIENCE) -> Happening:
        """Wait until it has happened, a packet say; what has happened already counts.

        Raises:
            TimeoutError: it has not within so many seconds.
        """
        return self.server.run(self.recorder.wait(_condition(condition), within))


def _condition(wanted: Condition | Match) -> Condition:
    return Condition(packet=wanted) if isinstance(wanted, Match) else wanted


def _way(sender: str) -> str:
    if sender not in WAYS:
        raise ValueError(f"a sender is {' or '.join(WAYS)}, not {sender!r}")
    return WAYS[sender]


def _fits(one: Seen, kind: type, way: str, client: str, fields: dict[str, Any]) -> bool:
    return (
        one.way == way
        and isinstance(one.packet, kind)
        and client in ("", one.client_id)
        and matches(one.packet, fields)
    )
