# SPDX-License-Identifier: MIT
"""The judge of clients for tests: a broker in a thread, what passed, and what a client did wrong.

with Oracle() as oracle:
    client.connect(oracle.host, oracle.port)
    oracle.expect(Connect, clean_start=True)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from mqtt_ref.hooks.allow import AllowAll
from mqtt_ref.net.clock import Clock
from mqtt_ref.oracle.disturbed import DisturbedLive
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import policy
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.report import as_text
from mqtt_ref.oracle.rules import Rule, Script
from mqtt_ref.testing.recording import Recording, Seen, check_fields, matches
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.statements import find, resolve

if TYPE_CHECKING:
    import os

    from mqtt_ref.engine.options import Options
    from mqtt_ref.hooks import Hook
    from mqtt_ref.net.listener import Listener
    from mqtt_ref.oracle.actions import Action
    from mqtt_ref.oracle.finding import Finding

__all__ = ["GRACE", "PATIENCE", "Oracle"]

T = TypeVar("T")
PATIENCE: Final = 5.0
"""Seconds that is waited for what a client should do, if nothing else is said."""
GRACE: Final = 0.1
"""Seconds that clients have to go when the broker stops."""
POLL: Final = 0.005
SHOWN: Final = 30
"""Lines of the trace in the message of an expectation that was not met."""
WAYS: Final = {"client": "in", "broker": "out"}


class Oracle:
    """A broker that judges whoever connects to it.

    It starts and stops as a context manager, which raises AssertionError at its end if a client broke a rule that it
    must keep. With `on_violation="record"` the broker goes on behind most violations, so that more can be seen; with
    `"close"` it does what the standard asks of a server. `allow` names rules that may be broken. Everybody may connect
    unless `hooks` say otherwise.
    """

    def __init__(
        self,
        options: Options | None = None,
        listeners: Sequence[Listener] | None = None,
        *,
        hooks: Sequence[Hook] | None = None,
        on_violation: str = "record",
        allow: Sequence[str] = (),
    ) -> None:
        self.recording = Recording()
        """All that passed, for `expect`, `trace` and `write_pcap`."""
        self.clock = Clock()
        """The broker's time: `jump` lets some of it pass, `scale` makes it faster."""
        self._script = Script()
        self._live = DisturbedLive(Judge(self._found), self.recording, self._script)
        self.server = ThreadedServer(
            options,
            listeners,
            hooks=[AllowAll()] if hooks is None else hooks,
            tables=policy(on_violation),
            layers=self._live.layers,
            clock=self.clock,
        )
        """The broker: it publishes, tells of its clients, takes more listeners and hooks."""
        self._findings: list[Finding] = []
        self._told = 0
        self._allowed: set[str] = set()
        self._taken: dict[int, int] = {}
        self.allow(*allow)

    # ---------------------------------------------------------------- where it is

    @property
    def url(self) -> str:
        """Where clients connect, as a URL."""
        return self.server.url

    @property
    def host(self) -> str:
        """The address that clients connect to."""
        return self.server.host

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self.server.port

    def start(self) -> None:
        """Be ready for clients when this returns."""
        self.server.start()

    def stop(self) -> None:
        """End the broker, within 0.2 seconds whatever the clients do; what was seen stays."""
        self.settle()
        if self.server.running:
            self.server.call(self._live.cut)
        self.server.stop(GRACE)

    def __enter__(self) -> Oracle:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()
        if kind is None:
            self.check()

    # ---------------------------------------------------------------- what a client did wrong

    @property
    def findings(self) -> list[Finding]:
        """What clients did wrong so far, but for rules that are allowed to be broken.

        Findings whose `level` is `should` are advice that was not taken: they fail no test.
        """
        self.settle()
        with self.recording.changed:
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
        self.settle()
        with self.recording.changed:
            fresh = [one for one in self._findings[self._told :] if one.rule not in self._allowed]
            self._told = len(self._findings)
        broken = [one for one in fresh if one.level == "must"]
        if not broken:
            return ""
        rules = len({one.rule for one in broken})
        head = f"A client broke {rules} rule{'' if rules == 1 else 's'} of MQTT:"
        return "\n\n".join([head, *(as_text(one, number) for number, one in enumerate(broken, 1))])

    def settle(self) -> None:
        """Wait until the broker has read what clients have sent up to now."""
        if self.server.running:
            # What has reached the socket is read between two turns of the loop.
            for _ in range(3):
                self.server.call(int)

    def _found(self, finding: Finding) -> None:
        with self.recording.changed:
            self._findings.append(finding)
            self.recording.changed.notify_all()

    # ---------------------------------------------------------------- what passed

    @property
    def trace(self) -> str:
        """Every packet that passed, a line each."""
        return self.recording.written()

    def packets(self, kind: type[T], *, client: str = "", sender: str = "client", **fields: Any) -> list[T]:
        """The packets of that kind that were sent so far, with these fields; see `expect`."""
        check_fields(kind, fields)
        self.settle()
        way = _way(sender)
        return [cast("T", one.packet) for one in self.recording.seen() if _fits(one, kind, way, client, fields)]

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
        with self.recording.changed:
            while True:
                found = self._take(kind, way, client, fields)
                if found is not None:
                    return cast("T", found)
                left = end - time.monotonic()
                if left <= 0:
                    break
                self.recording.changed.wait(left)
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
            with self.recording.changed:
                self.recording.changed.wait(POLL)
        return value

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
        """The first packet that fits, behind those that were taken from its connection."""
        with self.recording.changed:
            for one in self.recording.seen():
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

    def rule(self, do: Action | list[Action], *, name: str = "", times: int = 0, **when: Any) -> Rule:
        """Disturb the packets that `when` is about, fields of `mqtt_ref.oracle.matching.Match`, from now on.

            oracle.rule(Drop(), packet="PUBREC", to="melon", nth=2)

        The judge sees what is on the wire, so a client is judged by what it got. Actions are in
        `mqtt_ref.oracle.actions`; several are done one after the other.

        Raises:
            ValueError: a rule has that name already, or contradicts itself.
        """
        rule = Rule(when=Match(**when), do=do, name=name, times=times)
        self._call(self._script.add, [rule])
        return rule

    def fired(self, name: str) -> int:
        """How often the rule of that name has acted; one without a name has its number, from 1."""
        return self._script.fired[name]

    def jump(self, seconds: float) -> None:
        """Let so much of the broker's time pass at once: for expiry, will delay and Keep Alive.

        The clients' own time goes on as before.
        """
        self._call(self.clock.jump, seconds)

    def _call(self, function: Callable[..., object], *args: object) -> None:
        if self.server.running:
            self.server.call(function, *args)
        else:
            function(*args)

    # ---------------------------------------------------------------- for other tools, and for the next test

    def write_pcap(self, path: str | os.PathLike[str]) -> Path:
        """Write all packets as a capture that Wireshark and tshark open as MQTT; its path.

        It holds MQTT as such, without TLS and WebSocket; whatever the broker's port is, the capture says 1883.
        """
        path = Path(path)
        path.write_bytes(self.recording.pcap())
        return path

    def reset(self) -> None:
        """Begin anew: clients are disconnected; sessions, retained messages, rules, findings and the trace are gone."""
        self.server.call(self._live.cut)
        self.server.call(self._script.reset)
        self.server.reset()
        self.wait_for(lambda: self.server.call(lambda: not self.server.server.broker.connections), within=2.0)
        self.server.call(self._live.renew, Judge(self._found))
        with self.recording.changed:
            self.recording.clear()
            self._findings.clear()
            self._taken.clear()
            self._told = 0


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
