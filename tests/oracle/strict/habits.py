# SPDX-License-Identifier: MIT
"""What one lawful client is like: everything that the standards leave to it, drawn by lot."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

__all__ = ["FAULTS", "KINDS", "Habits", "draw"]

KINDS = (
    "plain",
    "early",
    "takeover",
    "slow",
    "alive",
    "limits",
    "expiry",
    "pipeline",
    "retry",
    "bulk",
    "straggler",
    "nosy",
)
"""Kinds of sessions; each turns some of the freedoms up."""

FAULTS = (
    "resend",
    "reuse",
    "no-dup",
    "ack-order",
    "wrong-id",
    "quota",
    "alias",
    "silent",
    "after-disconnect",
    "republish-released",
    "resend-order",
    "rec-order",
)
"""What the unlawful client of the control does, one at a time."""


@dataclass
class Habits:
    """The freedoms of one client, for the whole of its session."""

    kind: str = "plain"
    version: int = 5
    keep_alive: int = 0
    ping_at: float = 0.8
    """Part of the Keep Alive after which it sends PINGREQ; 1.0 is the last moment."""
    ping_patience: float = 20.0
    clean_share: float = 0.2
    expiry: int | None = 3600
    early: float = 0.0
    """Probability that it does not wait for the CONNACK of a connection."""
    ack_delay: float = 0.05
    """Mean seconds before an acknowledgement."""
    pace: float = 0.3
    """Mean seconds between two things that it does."""
    window: int = 65535
    """Most messages that it has under way, whatever the server would allow."""
    ids: str = "lowest"
    """`lowest`, `next` or `any`: which of the unused Packet Identifiers it takes."""
    id_space: int = 65535
    receive_maximum: int | None = None
    alias_maximum: int | None = None
    packet_maximum: int | None = None
    interleave: float = 0.3
    """Probability that a new message goes between messages that are sent again."""
    will: float = 0.3
    errors: float = 0.0
    """Probability of an acknowledgement with a Reason Code of 0x80 or more."""
    live_retry: float = 0.0
    """3.x: probability, at each thing that it does, of sending again on a live connection."""
    big: float = 0.0
    big_size: int = 200_000
    rename: float = 0.05
    """Probability of another Client Identifier for the next connection."""
    forget: float = 0.0
    """Probability of losing its session state between two connections."""
    reconnect: float = 1.0
    """Mean seconds between two connections."""
    leave: float = 0.02
    crash: float = 0.01
    """Probability, at each thing that it does, of leaving with a DISCONNECT; of vanishing."""
    qos: tuple[int, ...] = (0, 1, 1, 2, 2)
    literal_quota: bool = False
    """Whether a PUBCOMP for a PUBLISH of an earlier connection adds to the send quota, as 4.9 has it to the letter."""
    sub_id_again: bool = False
    """Whether the identifier of a SUBSCRIBE whose link broke is free on the next link."""
    faults: frozenset[str] = field(default_factory=frozenset)


def draw(random: Random, kind: str) -> Habits:
    """A client of a kind."""
    version = random.choice((5, 5, 5, 4, 4, 3))
    habits = Habits(kind=kind, version=version)
    habits.keep_alive = random.choice((0, 0, 5, 10, 30, 60))
    habits.ping_at = random.choice((0.5, 0.8, 0.95, 1.0))
    habits.clean_share = random.choice((0.0, 0.1, 0.3, 1.0))
    habits.expiry = random.choice((None, 0, 20, 3600, 3600, 0xFFFFFFFF))
    habits.ack_delay = random.choice((0.0, 0.0, 0.1, 1.0, 5.0))
    habits.pace = random.choice((0.05, 0.2, 0.5, 2.0))
    habits.window = random.choice((1, 2, 5, 20, 65535))
    habits.ids = random.choice(("lowest", "next", "any"))
    habits.id_space = random.choice((3, 8, 100, 65535))
    habits.receive_maximum = random.choice((None, 1, 2, 10, 65535))
    habits.alias_maximum = random.choice((None, 0, 1, 5, 65535))
    habits.packet_maximum = random.choice((None, None, 60, 200, 100_000))
    habits.errors = random.choice((0.0, 0.0, 0.1))
    habits.reconnect = random.choice((0.0, 0.3, 3.0))
    habits.sub_id_again = random.random() < 0.5
    if random.random() < 0.3:
        habits.early = 0.5
    if version != 5 and random.random() < 0.2:
        habits.live_retry = 0.05
    if kind == "early":
        habits.early = 0.9
    elif kind == "takeover":
        habits.crash = 0.08
        habits.reconnect = 0.0
        habits.clean_share = random.choice((0.0, 0.0, 0.2))
    elif kind == "alive":
        habits.keep_alive = random.choice((1, 2, 3, 5, 10))
        habits.ping_at = random.choice((0.9, 1.0, 1.0))
        habits.pace = random.choice((0.5, 5.0, 30.0))
    elif kind == "limits":
        habits.window = 65535
        habits.pace = 0.05
        habits.literal_quota = random.random() < 0.25
    elif kind == "expiry":
        habits.expiry = random.choice((0, 1, 3, 10))
        habits.clean_share = 0.1
        habits.reconnect = 3.0
        habits.forget = 0.1
    elif kind == "pipeline":
        habits.pace = 0.01
        habits.id_space = random.choice((2, 4, 8))
        habits.ids = "lowest"
        habits.window = 65535
        habits.crash = 0.02
    elif kind == "retry" and version != 5:
        habits.live_retry = 0.15
    elif kind == "bulk":
        habits.big = 0.3
        habits.big_size = random.choice((20_000, 200_000, 1_000_000))
        habits.packet_maximum = None
        habits.pace = 1.0
    elif kind == "straggler":
        habits.ack_delay = random.choice((5.0, 15.0, 40.0))
    elif kind == "nosy":
        habits.clean_share = 0.5
        habits.rename = 0.4
        habits.leave = 0.1
        habits.reconnect = 0.1
    return habits
