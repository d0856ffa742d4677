# SPDX-License-Identifier: MIT
"""Request and response bodies of the control API."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from mqtt_ref.oracle.plan import Plan
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.oracle.rules import Rule

__all__ = [
    "Broker",
    "Brokers",
    "ClockChange",
    "Illegal",
    "IllegalPackets",
    "IllegalQuery",
    "Message",
    "Published",
    "Rules",
    "RulesNow",
    "Verdict",
    "Waited",
    "Waiting",
    "Wanted",
]


class Wanted(Plan, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker to start."""

    port: Annotated[int, Meta(description="0: a free port", ge=0, le=65535)] = 0


class Broker(Struct, frozen=True, kw_only=True):
    """A running broker."""

    id: str
    url: str
    port: int
    clients: Annotated[int, Meta(description="Clients that are connected now")]
    clock: Annotated[float, Meta(description="Speed of its clock; 1: real time")]


class Brokers(Struct, frozen=True):
    """The running brokers, and how many may run at once."""

    brokers: list[Broker]
    maximum: int


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules to install."""

    rules: list[Rule]


class RulesNow(Struct, frozen=True):
    """The installed rules, and how often each has acted, by name."""

    rules: list[Rule]
    fired: dict[str, int]


class Waiting(Condition, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition to wait for, and the timeout."""

    within: Annotated[float, Meta(description="Seconds", gt=0, le=25)] = 5.0


class Waited(Struct, frozen=True):
    """The event that met the condition. Use its `number` as `since` of the next wait."""

    number: int
    kind: str
    name: str
    packet: dict[str, Any] | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """The judge's verdict. `clean` is true if no mandatory rule was broken."""

    clean: bool
    must: int
    should: int
    connections: int
    findings: list[dict[str, Any]]


class ClockChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of the broker's clock."""

    scale: Annotated[float, Meta(description="Its new speed; 1: real time", gt=0, le=1_000_000)] | None = None
    jump: Annotated[float, Meta(description="Seconds to advance it at once", ge=0, le=1e10)] = 0.0


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message that the broker itself publishes."""

    topic: Annotated[str, Meta(min_length=1)]
    payload: str = ""
    qos: Annotated[int, Meta(ge=0, le=2)] = 0
    retain: bool = False


class Published(Struct, frozen=True):
    """`matched` is true if there was a matching subscription."""

    matched: bool


class IllegalQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A filter for illegal packets."""

    protocol: Annotated[str, Meta(description="5, 3.1.1 or 3.1; empty: all")] = ""
    word: Annotated[str, Meta(description="A part of the name, the kind or the statement")] = ""


class Illegal(Struct, frozen=True):
    """A packet that no server may send. `name` is the value of `illegal` in a rule."""

    name: str
    kind: str
    protocol: int
    statement: str
    hex: str


class IllegalPackets(Struct, frozen=True):
    """Packets that no server may send."""

    packets: list[Illegal]
