# SPDX-License-Identifier: MIT
"""A broker to test clients with: isolated, judged and recorded. Rules inject faults; `reset` restores the start state.

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
from mqtt_ref.oracle.judge import FINDINGS, Judge
from mqtt_ref.oracle.live import policy
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import KEPT, MAXIMUM_BYTES, Condition, Happening, Recorder, Seen
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
"""Default timeout in seconds for something that a client should do."""
GRACE: Final = 0.1
"""Seconds that clients have to disconnect when the broker stops."""
LEAVING: Final = 0.2
"""Seconds that clients have to disconnect at a reset, before their links are cut."""
CUT: Final = 1.0
"""Seconds to wait for cut links to be closed."""
POLL: Final = 0.005
SHOWN: Final = 30
"""Lines of the trace in the error text of a failed expectation."""
WAYS: Final = {"client": "in", "broker": "out"}


class Facade:
    """Common base of `Oracle` and `AsyncOracle`.

    `on_violation` is `record` (continue after a packet that breaks a rule, to find more) or `close` (as the standard
    requires). `hooks` authorize clients; without hooks everything is allowed. `rules` inject faults. They can be
    changed at any time, and `reset` restores those given here. `allow` names rules of the standard that clients may
    break. If `check` is false, the end of a `with` block does not raise. `clock` is the broker's clock. At most `kept`
    events are recorded, and of packets as many as `kept_bytes` of memory can hold; `trace` receives all of them too.
    `on_finding` is called with each finding.
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
        kept_bytes: int = MAXIMUM_BYTES,
        on_finding: Callable[[Finding], None] | None = None,
    ) -> None:
        self.clock = Clock() if clock is None else clock
        """The broker's clock: `jump` advances it, `scale` makes it run faster."""
        self.recorder = Recorder(kept, trace, kept_bytes)
        """All packets and events."""
        self.script = Script(rules)
        """The rules that inject faults, and how often each has acted."""
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
        """Call a function in the thread of the broker."""
        return function(*args)

    # ---------------------------------------------------------------- the address

    @property
    def url(self) -> str:
        """The URL that clients connect to."""
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
        """The judge. `reset` replaces it."""
        return self._live.judge

    @property
    def findings(self) -> list[Finding]:
        """The findings so far, without those of rules that clients may break (`allow`).

        A finding whose `level` is `should` is a recommendation that was not followed. It fails no test.
        """
        self._call(self._look)
        with self.recorder.changed:
            return [one for one in self._findings if one.rule not in self._allowed]

    def allow(self, *rules: str) -> None:
        """Allow clients to break these rules, including earlier findings.

        Give the id of a rule as reports show it, or the standard's own label (MQTT-3.1.2-11), which stands for the
        rule in every version.

        Raises:
            ValueError: there is no such rule.
        """
        for rule in rules:
            named = resolve(rule)
            if not named:
                alike = [one.id for one in find(rule)][:5]
                hint = f"; did you mean {', '.join(alike)}?" if alike else ""
                raise ValueError(f"there is no rule {rule!r}{hint}")
            self._allowed |= {one.id for one in named}

    def check(self) -> None:
        """Judge what clients have sent up to now.

        Raises:
            AssertionError: a client broke a mandatory rule. The text holds all findings that are new since the last
                check.
        """
        __tracebackhide__ = True
        told = self.accusation()
        if told:
            raise AssertionError(told)

    def accusation(self) -> str:
        """Return the error text of `check`, or an empty string. Each finding is reported once."""
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
        """Let the judge look for clients that have been silent for too long."""
        if self._live.watching:
            self._live.look()

    def _found(self, finding: Finding) -> None:
        self.recorder.found(finding)
        with self.recorder.changed:
            if len(self._findings) >= FINDINGS:
                del self._findings[0]
                self._told = max(0, self._told - 1)
            self._findings.append(finding)
            self.recorder.changed.notify_all()
        if self._on_finding is not None:
            self._on_finding(finding)

    # ---------------------------------------------------------------- packets

    @property
    def trace(self) -> str:
        """All packets as text, one per line."""
        return self.recorder.written()

    @property
    def records(self) -> list[dict[str, Any]]:
        """All packets and events, as records of a JSONL trace."""
        return self.recorder.records

    def packets(self, kind: type[T], *, client: str = "", sender: str = "client", **fields: Any) -> list[T]:
        """Return the packets of this type with these fields that were sent so far; see `expect`."""
        check_fields(kind, fields)
        self._call(int)
        way = _way(sender)
        return [cast("T", one.packet) for one in self.recorder.seen() if _fits(one, kind, way, client, fields)]

    def count(self, condition: Condition | Match) -> int:
        """Return how often the condition has been met so far; see `wait`."""
        return self._call(self.recorder.count, _condition(condition))

    def write_pcap(self, path: str | os.PathLike[str]) -> Path:
        """Write all packets to a capture file that Wireshark and tshark decode as MQTT. Return its path.

        The capture holds plain MQTT, without TLS and WebSocket. Its port is 1883, whatever the broker's port is.
        """
        path = Path(path)
        path.write_bytes(self.recorder.pcap())
        return path

    async def expect_async(
        self, kind: type[T], *, within: float = PATIENCE, client: str = "", sender: str = "client", **fields: Any
    ) -> T:
        """Like `expect`, for tests whose client runs in the same event loop."""
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
        """Like `wait_for`, for tests whose client runs in the same event loop."""
        __tracebackhide__ = True
        end = time.monotonic() + within
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(self._unmet(condition, within))
            await asyncio.sleep(POLL)
        return value

    def _take(self, kind: type, way: str, client: str, fields: dict[str, Any]) -> object:
        """Take the first packet that matches, after those already taken from its connection."""
        with self.recorder.changed:
            for one in self.recorder.seen():
                if _fits(one, kind, way, client, fields) and one.number > self._taken.get(one.connection, 0):
                    self._taken[one.connection] = one.number
                    return one.packet
        return None

    def _missing(self, kind: type, within: float, client: str, sender: str, fields: dict[str, Any]) -> str:
        wanted = ", ".join([kind.__name__, *(f"{name}={value!r}" for name, value in fields.items())])
        who = f"the {sender}" if not client else f"{client!r}" if sender == "client" else f"the broker to {client!r}"
        return f"no expect({wanted}) from {who} within {within} s; packets so far:\n{self._tail()}"

    def _unmet(self, condition: object, within: float) -> str:
        return f"not within {within} s: {getattr(condition, '__name__', condition)}; packets so far:\n{self._tail()}"

    def _tail(self) -> str:
        lines = self.trace.splitlines()
        cut = ["..."] if len(lines) > SHOWN else []
        return "\n".join(cut + lines[-SHOWN:]) or "none"

    # ---------------------------------------------------------------- misbehaviour

    @property
    def rules(self) -> list[Rule]:
        """The rules that inject faults. Setting them resets their counters."""
        return list(self.script.rules)

    @rules.setter
    def rules(self, rules: Iterable[Rule]) -> None:
        self._call(self.script.install, rules)

    def add(self, *rules: Rule) -> None:
        """Append rules to the installed ones.

        Raises:
            ValueError: two rules have the same name.
        """
        self._call(self.script.add, rules)

    def rule(self, do: Action | list[Action], *, name: str = "", times: int = 0, **when: Any) -> Rule:
        """Add a rule: apply `do` to packets that match `when`, which are fields of `mqtt_ref.oracle.matching.Match`.

            oracle.rule(Drop(), packet="PUBREC", to="melon", nth=2)

        The judge sees what is on the wire, so a client is judged by what it received. Actions are in
        `mqtt_ref.oracle.actions`; several are applied in order.

        Raises:
            ValueError: the rule is invalid, or another rule has the same name.
        """
        rule = Rule(when=Match(**when), do=do, name=name, times=times)
        self.add(rule)
        return rule

    def fired(self, name: str) -> int:
        """Return how often the rule of this name has acted. An unnamed rule is named by its number, from 1."""
        return self.script.fired[name]

    def jump(self, seconds: float) -> None:
        """Advance the broker's clock by `seconds`, for example for expiry, Will Delay Interval and Keep Alive.

        The clients' own time is not changed.
        """
        self._call(self.clock.jump, seconds)

    # ---------------------------------------------------------------- the end

    async def _reset(self) -> None:
        """Disconnect the clients and forget everything. Must run in the event loop of the broker."""
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
        """Wait until all links are closed, at most `within` seconds."""
        for _ in range(int(within / POLL)):
            if not self._live.watching:
                return
            await asyncio.sleep(POLL)


class AsyncOracle(Facade):
    """A broker that judges its clients, in the event loop of the caller.

        async with AsyncOracle(rules=[Rule(when=Match(packet="PUBACK", to="*", nth=1), do=Drop())]) as oracle:
            ...                                                        # let a client connect to oracle.url
            await oracle.wait(Match(packet="PUBLISH", by="*", dup=True))

    As a context manager it raises AssertionError at the end if a client broke a mandatory rule. See `Facade` for the
    settings.
    """

    @property
    def server(self) -> Server:
        """The broker: to publish, to look at clients, to add listeners and hooks."""
        return self._server

    async def start(self) -> None:
        """Start the broker. Clients can connect when this returns.

        Raises:
            ListenerError: the broker cannot listen.
        """
        await self._server.start()

    async def stop(self, grace: float = GRACE) -> None:
        """Stop the broker; clients have `grace` seconds to disconnect. What was recorded is kept."""
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
        """Disconnect all clients and discard sessions, retained messages, findings and the record.

        The rules and the speed of the clock are restored.
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
    """A broker that judges its clients, in a thread of its own. Its methods block until they are done.

        with Oracle() as oracle:
            client.connect(oracle.host, oracle.port)
            oracle.expect(Connect, clean_start=True)

    As a context manager it raises AssertionError at the end if a client broke a mandatory rule. See `Facade` for the
    settings.
    """

    @cached_property
    def server(self) -> ThreadedServer:
        """The broker: to publish, to look at clients, to add listeners and hooks."""
        return ThreadedServer.of(self._server)

    def _call(self, function: Callable[..., T], *args: object) -> T:
        self.settle()
        return self.server.call(function, *args) if self.server.running else function(*args)

    def start(self) -> None:
        """Start the broker. Clients can connect when this returns.

        Raises:
            ListenerError: the broker cannot listen.
        """
        self.server.start()

    def stop(self) -> None:
        """Stop the broker, within 0.2 seconds whatever the clients do. What was recorded is kept."""
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
        """Wait until the broker has read everything that clients have sent so far."""
        if self.server.running:
            # Data that has reached the socket is read between two iterations of the loop.
            for _ in range(3):
                self.server.call(int)

    def reset(self) -> None:
        """Disconnect all clients and discard sessions, retained messages, findings and the record.

        The rules and the speed of the clock are restored.
        """
        self.server.run(self._reset())

    def expect(
        self, kind: type[T], *, within: float = PATIENCE, client: str = "", sender: str = "client", **fields: Any
    ) -> T:
        """Wait for the next packet of this type and return it: `expect(Publish, dup=True)`.

        It may have come already. `fields` are fields of the packet or properties; a value may be a function that
        returns true if it accepts the actual one. `client` is the Client Identifier of the sender. With
        `sender="broker"` the packet is one that the broker sent, and `client` its receiver. Each packet is returned
        once, and those of one connection in order.

        Raises:
            AssertionError: no such packet came within `within` seconds. The text shows what was sent instead.
            TypeError: the packet type has no such field.
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
        """Wait until the condition returns a true value, and return that value.

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
        """Wait until the condition is met, for example by a packet. Earlier events count too.

        Raises:
            TimeoutError: it is not met within `within` seconds.
        """
        return self.server.run(self.recorder.wait(_condition(condition), within))


def _condition(wanted: Condition | Match) -> Condition:
    return Condition(packet=wanted) if isinstance(wanted, Match) else wanted


def _way(sender: str) -> str:
    if sender not in WAYS:
        raise ValueError(f"`sender` is {' or '.join(WAYS)}, not {sender!r}")
    return WAYS[sender]


def _fits(one: Seen, kind: type, way: str, client: str, fields: dict[str, Any]) -> bool:
    return (
        one.way == way
        and isinstance(one.packet, kind)
        and client in ("", one.client_id)
        and matches(one.packet, fields)
    )
