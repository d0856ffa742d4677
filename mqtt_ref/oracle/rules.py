# SPDX-License-Identifier: MIT
"""Fault injection: rules that apply actions to packets of a live connection. No socket, no clock."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta, Struct

from mqtt_ref.oracle.actions import Action, Limit, Refuse
from mqtt_ref.oracle.flow import Flow, Offer, Pause, Step
from mqtt_ref.oracle.matching import Match, Passing
from mqtt_ref.oracle.validation import validate
from mqtt_ref.wire.fast import decode
from mqtt_ref.wire.framing import Framer
from mqtt_ref.wire.packets import Connack, Connect, Packet, Publish
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

__all__ = ["Disturbance", "Fired", "Rule", "Script"]

CLIENTS: Final = 100_000
"""Clients that are counted. The least recent are forgotten first."""


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with packets that match `when`.

    `Rule(when=Match(packet="PUBREC", to="X", nth=2), do=Drop())`: the second PUBREC to client X is lost. `do` may be a
    list: each action works on the result of the one before it. All rules that match a packet act on it, in order.
    """

    when: Match
    do: Action | list[Action]
    name: Annotated[str, Meta(description="Shown when it acts; if empty, its number from 1")] = ""
    times: Annotated[int, Meta(description="How often it acts at most; 0: no limit", ge=0)] = 0

    def __post_init__(self) -> None:
        validate(self)
        for action in self.actions:
            if isinstance(action, Limit | Refuse):
                if self.when.packet != "CONNECT" or self.when.sender == SERVER:
                    raise ValueError("`limit` and `refuse` need `packet: CONNECT`, and no `to`")

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions, in order."""
        return tuple(self.do) if isinstance(self.do, list) else (self.do,)


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule acted on a packet."""

    rule: str
    client_id: str
    sender: int
    data: bytes
    packet: Packet | Violation | None


class Script:
    """The rules of a broker with their counters. Rules may be changed at any time."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules: list[Rule] = []
        self.fired: Counter[str] = Counter()
        """By name of the rule: how often it acted."""
        self._seen: OrderedDict[tuple[int, str], int] = OrderedDict()
        """By rule and client: how many packets matched a rule with `nth`, the least recent client first."""
        self._connections: OrderedDict[str, int] = OrderedDict()
        """By client: how many connections it had, the least recent first."""
        self.install(rules)

    def install(self, rules: Iterable[Rule]) -> None:
        """Replace all rules, and reset their counters.

        Raises:
            ValueError: two rules have the same name.
        """
        rules = list(rules)
        _unique(rules)
        self.rules = rules
        self._seen.clear()
        self.fired.clear()

    def add(self, rules: Iterable[Rule]) -> None:
        """Append rules. The counters of the installed ones are kept.

        Raises:
            ValueError: two rules have the same name.
        """
        rules = [*self.rules, *rules]
        _unique(rules)
        self.rules = rules

    def reset(self) -> None:
        """Remove all rules, and forget all clients."""
        self.install(())
        self._connections.clear()

    def arrived(self, client_id: str) -> int:
        """Count a new connection of the client, and return its number, from 1."""
        number = self._connections[client_id] = self._connections.pop(client_id, 0) + 1
        if len(self._connections) > CLIENTS:
            self._connections.popitem(last=False)
        return number

    def acting(self, passing: Passing) -> list[tuple[str, Rule]]:
        """Return the rules that act on a packet, with their names."""
        found: list[tuple[str, Rule]] = []
        for at, rule in enumerate(self.rules):
            if not rule.when.holds(passing):
                continue
            name = rule.name or str(at + 1)
            if rule.when.nth and self._count(at, passing.client_id) != rule.when.nth:
                continue
            if rule.times and self.fired[name] >= rule.times:
                continue
            self.fired[name] += 1
            found.append((name, rule))
        return found

    def _count(self, rule: int, client_id: str) -> int:
        """Count a packet of a client that a rule matches, and return its number, from 1."""
        number = self._seen[rule, client_id] = self._seen.pop((rule, client_id), 0) + 1
        if len(self._seen) > CLIENTS:
            self._seen.popitem(last=False)
        return number


def _unique(rules: list[Rule]) -> None:
    names = Counter(rule.name or str(at + 1) for at, rule in enumerate(rules))
    name, count = names.most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ValueError(f"two rules have the name {name!r}; names must be unique")


class Disturbance:
    """Apply a script to one connection: takes the bytes of both sides, returns steps when they are due."""

    def __init__(
        self, script: Script, listener: str = "", on_fired: Callable[[Fired], None] | None = None, hold: int = 0
    ) -> None:
        self.script = script
        self.listener = listener
        self.on_fired = on_fired
        self.hold = hold
        """Minimum nanoseconds from CONNECT to CONNACK. The delay shows if the client waits for its CONNACK."""
        self.flows = (Flow(), Flow())
        """By sender."""
        self.version = 0
        self.client_id = ""
        self.connection = 1
        self.topic_alias_maximum = 0
        self._framers = (Framer(), Framer())
        self._topics: tuple[dict[int, str], dict[int, str]] = ({}, {})
        self._limits: list[Limit] = []
        self._nameless = False
        self._connected_at = 0

    def feed(self, sender: int, data: bytes, now: int) -> list[Step]:
        """Handle bytes of one side. Return the steps that are due."""
        framer, flow = self._framers[sender], self.flows[sender]
        if framer.lost:
            flow.put([data])  # these bytes are not packets, so no rule can match them
            return flow.take(now)
        data, frames = framer.feed(data)
        for pos, body, stop in frames:
            raw = data[pos:stop]
            flow.put(self._passes(sender, raw, decode(self.version, sender, data, pos, body, stop), now))
        if framer.lost:
            flow.put([data[framer.whole :]])
        return flow.take(now)

    def take(self, sender: int, now: int) -> list[Step]:
        """Return the steps that are due, after time has passed."""
        return self.flows[sender].take(now)

    def due(self) -> int | None:
        """Return when `take` will next return a step, or None."""
        times = [time for time in (flow.due() for flow in self.flows) if time is not None]
        return min(times, default=None)

    def _passes(self, sender: int, data: bytes, packet: Packet | Violation, now: int) -> list[Step]:
        if isinstance(packet, Connect) and sender == CLIENT and not self.version:
            self._connected_at = now
            self.version = packet.protocol_version
            self.client_id = packet.client_id
            self._nameless = not packet.client_id
            asked = packet.properties
            self.topic_alias_maximum = (asked.topic_alias_maximum if asked is not None else None) or 0
            self.connection = self.script.arrived(packet.client_id)
        elif isinstance(packet, Connack) and sender == SERVER:
            data = self._told(data, packet)
        passing = Passing(
            sender, data, packet, self.version, self.client_id, "", self.connection, self.listener,
            self.topic_alias_maximum,
        )  # fmt: skip
        if isinstance(packet, Publish):
            passing.topic = self._topic(sender, packet)
        steps: list[Step] = [data]
        for name, rule in self.script.acting(passing) if self.script.rules else ():
            for action in rule.actions:
                steps = action.apply(steps, passing)
            if self.on_fired is not None:
                self.on_fired(Fired(name, self.client_id, sender, data, packet))
        if passing.client_id != self.client_id:
            self.client_id = passing.client_id
        if sender == SERVER and self._connected_at:
            steps.insert(0, Pause(max(0, self._connected_at + self.hold - now)))
            self._connected_at = 0
        self._limits += [step.limit for step in steps if isinstance(step, Offer)]
        return steps

    def _told(self, data: bytes, connack: Connack) -> bytes:
        if connack.properties is not None and connack.properties.assigned_client_identifier:
            self.client_id = connack.properties.assigned_client_identifier
        for limit in self._limits:
            data = limit.told(connack, self.version, self._nameless) or data
        return data

    def _topic(self, sender: int, publish: Publish) -> str:
        properties = publish.properties
        alias = None if properties is None else properties.topic_alias
        if alias is None:
            return publish.topic
        topics = self._topics[sender]
        if publish.topic:
            topics[alias] = publish.topic
        return publish.topic or topics.get(alias, "")
