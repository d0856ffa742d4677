# SPDX-License-Identifier: MIT
"""What the model keeps in mind: messages, subscriptions, sessions, and what is owed to each."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "KEEP_ALIVE_TIMEOUT",
    "NEVER",
    "SECOND",
    "SESSION_TAKEN_OVER",
    "Delivery",
    "Finding",
    "Form",
    "Group",
    "Message",
    "Session",
    "Shared",
    "Subscription",
    "Will",
    "split",
]

SECOND = 1_000_000_000
Form = tuple[int, bool, int]
"""QoS, RETAIN and Subscription Identifier of a message of a group."""
NEVER = 0xFFFFFFFF
KEEP_ALIVE_TIMEOUT = 0x8D
SESSION_TAKEN_OVER = 0x8E


class Finding(AssertionError):
    """The broker did what no client may see."""


@dataclass
class Message:
    """An Application Message as it was published; `sequence` orders all of them."""

    sequence: int
    topic: str
    payload: bytes
    qos: int
    retain: bool
    publisher: str
    at: int
    expiry: int | None = None

    def expired(self, now: int) -> bool:
        """Whether its Message Expiry Interval has passed."""
        return self.expiry is not None and now >= self.at + self.expiry * SECOND


@dataclass
class Subscription:
    """One subscription of a session, shared or not."""

    topic_filter: str
    qos: int
    no_local: bool = False
    retain_as_published: bool = False
    identifier: int = 0


@dataclass
class Delivery:
    """One message that a session is owed.

    `state` is pending, sent (with `packet_id`), released (a PUBREL is owed or sent) or done. `maybe` marks one that the
    broker may have sent into a link that was lost before anybody saw it. `charged` says that its PUBLISH came on the
    connection that is open: it holds a unit of the Receive Maximum until it is done. `unreleased` says that the PUBREC
    was sent on it and the PUBREL has not come. `groups` are those by one of which it came. `perhaps` has the sums of
    the Subscription Identifiers that it may have, if it came on a connection that cannot tell.
    """

    message: Message
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    kind: str = "live"
    state: str = "pending"
    packet_id: int = 0
    order: int = 0
    maybe: bool = False
    charged: bool = False
    unreleased: bool = False
    groups: tuple[Group, ...] = ()
    perhaps: frozenset[int] = frozenset()


@dataclass
class Group:
    """A shared subscription: who shares it."""

    name: str
    topic_filter: str
    members: dict[str, Subscription] = field(default_factory=dict)


@dataclass
class Will:
    """The Will Message of a connection."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    delay: int


@dataclass
class Session:
    """The state that the broker keeps for one client."""

    client_id: str
    version: int
    expiry: int
    connected: bool = True
    receive_maximum: int = 65_535
    keep_alive: int = 0
    heard: int = 0
    ends: int | None = None
    will: Will | None = None
    will_at: int | None = None
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    owed: list[Delivery] = field(default_factory=list)
    received: set[int] = field(default_factory=set)
    resent: set[int] = field(default_factory=set)
    resumed: bool = False
    uncertain: bool = False
    sent_order: int = 0

    def in_flight(self) -> list[Delivery]:
        """What was sent and is not acknowledged to its end, oldest first."""
        return sorted((d for d in self.owed if d.state in ("sent", "released")), key=lambda d: d.order)

    def quota(self) -> int:
        """How many more PUBLISH packets with QoS 1 or 2 the client takes now."""
        return self.receive_maximum - sum(d.charged for d in self.in_flight())

    def pending(self, now: int) -> list[Delivery]:
        """What waits and has not expired."""
        return [d for d in self.owed if d.state == "pending" and not d.message.expired(now)]

    def lose_qos0(self) -> None:
        """The link is gone, and with it what was on its way at most once."""
        for delivery in self.owed:
            if delivery.state == "pending" and delivery.qos == 0:
                delivery.state = "done"


@dataclass
class Shared:
    """A message for a group, until a member has it: one of `groups`, by one of the subscriptions of `members`."""

    message: Message
    groups: tuple[Group, ...]
    taken_by: str = ""
    form: Form = (0, False, 0)
    again: bool = False
    maybe: set[str] = field(default_factory=set)
    due: bool = False
    members: dict[str, list[Subscription]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.join(self.groups)

    def join(self, groups: tuple[Group, ...]) -> None:
        """Whoever is a member now may get it as well."""
        self.groups = groups
        for group in groups:
            for client_id, subscription in group.members.items():
                self.members.setdefault(client_id, []).append(subscription)


def split(topic_filter: str) -> tuple[str, str] | None:
    """ShareName and filter of a shared subscription."""
    if not topic_filter.startswith("$share/"):
        return None
    _, name, rest = topic_filter.split("/", 2)
    return name, rest
