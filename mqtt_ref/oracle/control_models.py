# SPDX-License-Identifier: MIT
"""What the control API takes and answers."""

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
    """A broker that is to be started."""

    port: Annotated[int, Meta(description="0: a free one", ge=0, le=65535)] = 0


class Broker(Struct, frozen=True, kw_only=True):
    """A broker that runs."""

    id: str
    url: str
    port: int
    clients: Annotated[int, Meta(description="Connected now")]
    clock: Annotated[float, Meta(description="How fast its time goes")]


class Brokers(Struct, frozen=True):
    """All that run, and how many there may be."""

    brokers: list[Broker]
    maximum: int


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules to install."""

    rules: list[Rule]


class RulesNow(Struct, frozen=True):
    """Rules that hold, and how often each has acted, by its name."""

    rules: list[Rule]
    fired: dict[str, int]


class Waiting(Condition, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for, and how long."""

    within: Annotated[float, Meta(description="Seconds", gt=0, le=25)] = 5.0


class Waited(Struct, frozen=True):
    """What happened last of what was waited for. `number` serves as `since` of the next wait."""

    number: int
    kind: str
    name: str
    packet: dict[str, Any] | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """What the judge says: `clean` when no rule was broken that must be kept."""

    clean: bool
    must: int
    should: int
    connections: int
    findings: list[dict[str, Any]]


class ClockChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes of the broker's time."""

    scale: Annotated[float, Meta(description="How fast it goes from now on", gt=0, le=1_000_000)] | None = None
    jump: Annotated[float, Meta(description="So many seconds pass at once", ge=0, le=1e10)] = 0.0


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message that the broker publishes itself."""

    topic: Annotated[str, Meta(min_length=1)]
    payload: str = ""
    qos: Annotated[int, Meta(ge=0, le=2)] = 0
    retain: bool = False


class Published(Struct, frozen=True):
    """Whether anybody had subscribed."""

    matched: bool


class IllegalQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which of them."""

    protocol: Annotated[str, Meta(description="5, 3.1.1 or 3.1; empty: all")] = ""
    word: Annotated[str, Meta(description="In the name, the kind or the statement")] = ""


class Illegal(Struct, frozen=True):
    """A packet that no server may send; `name` is for `illegal` of a rule."""

    name: str
    kind: str
    protocol: int
    statement: str
    hex: str


class IllegalPackets(Struct, frozen=True):
    """Packets that no server may send."""

    packets: list[Illegal]
