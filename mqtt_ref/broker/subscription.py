# SPDX-License-Identifier: MIT
"""A subscription, and all matching subscriptions of one subscriber merged into one entry."""

from __future__ import annotations

from typing import Final

__all__ = [
    "NO_LOCAL",
    "QOS",
    "RETAIN_AS_PUBLISHED",
    "Entry",
    "Merged",
    "Subscribed",
    "subscriptions",
    "without_no_local",
]

QOS: Final = 0x03
NO_LOCAL: Final = 0x04
RETAIN_AS_PUBLISHED: Final = 0x08


class Entry:
    """One subscriber that gets a message, and how: a `Subscribed`, or a `Merged` of several. Never changed.

    Attributes:
        subscriber: the handle of the subscriber.
        qos: the highest granted QoS of the subscriptions that match.
        retain_as_published: True if any of them has Retain As Published.
        no_local: True if any of them has No Local. For the subscriber's own message, use `without_no_local`.
        special: True if any of them has No Local or an identifier.
        identifiers: the Subscription Identifiers of all that have one, repeated ones too.

    Cites: MQTT5-3.3.4-2, MQTT5-3.3.1-13, MQTT5-3.3.4-4
    """

    __slots__ = ("identifiers", "no_local", "qos", "retain_as_published", "special", "subscriber")

    def __init__(
        self, subscriber: int, qos: int, retain_as_published: bool, no_local: bool, identifiers: tuple[int, ...]
    ) -> None:
        self.subscriber: int = subscriber
        self.qos: int = qos
        self.retain_as_published: bool = retain_as_published
        self.no_local: bool = no_local
        self.identifiers: tuple[int, ...] = identifiers
        self.special: bool = no_local or len(identifiers) > 0


class Subscribed(Entry):
    """One subscription. If it is the only one that matches, it is the entry itself. Replacing it makes a new object.

    Attributes:
        topic_filter: as the client sent it, with `$share/name/`.
        options: the Subscription Options byte, with the QoS that was granted.
        identifier: the Subscription Identifier; 0 for none.
        share: the ShareName; empty if it is not shared.
    """

    __slots__ = ("options", "share", "topic_filter")

    def __init__(self, subscriber: int, topic_filter: str, options: int, identifier: int, share: str) -> None:
        super().__init__(
            subscriber,
            options & QOS,
            options & RETAIN_AS_PUBLISHED != 0,
            options & NO_LOCAL != 0,
            (identifier,) if identifier else (),
        )
        self.topic_filter: str = topic_filter
        self.options: int = options
        self.share: str = share

    def __repr__(self) -> str:
        return f"Subscribed({self.subscriber}, {self.topic_filter!r}, 0x{self.options:02X}, {self.identifier})"

    @property
    def identifier(self) -> int:
        return self.identifiers[0] if self.identifiers else 0

    @property
    def retain_handling(self) -> int:
        return self.options >> 4 & 3


class Merged(Entry):
    """Overlapping subscriptions of one subscriber, which get one copy of the message.

    Cites: MQTT5-3.3.4-2
    """

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Subscribed, ...]) -> None:
        qos = 0
        keep = False
        no_local = False
        identifiers: list[int] = []
        for part in parts:
            qos = max(qos, part.qos)
            keep = keep or part.retain_as_published
            no_local = no_local or part.no_local
            identifiers.extend(part.identifiers)
        super().__init__(parts[0].subscriber, qos, keep, no_local, tuple(identifiers))
        self.parts: tuple[Subscribed, ...] = parts

    def __repr__(self) -> str:
        return f"Merged({self.parts!r})"


def subscriptions(entry: Entry) -> tuple[Subscribed, ...]:
    """Return the subscriptions of an entry, for a broker that sends a copy for each of them.

    Cites: MQTT5-3.3.4-5
    """
    if isinstance(entry, Merged):
        return entry.parts
    assert isinstance(entry, Subscribed)
    return (entry,)


def without_no_local(entry: Entry) -> Entry | None:
    """Return the entry for the subscriber's own message, without No Local subscriptions; None if none is left.

    Cites: MQTT5-3.8.3-3
    """
    if not entry.no_local:
        return entry
    rest = tuple([part for part in subscriptions(entry) if not part.no_local])
    if not rest:
        return None
    return rest[0] if len(rest) == 1 else Merged(rest)
