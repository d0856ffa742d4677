# SPDX-License-Identifier: MIT
"""The book of what the broker has promised and of what came, and the judgement over both. It knows nothing of sockets.

Each event has a number, its time. Something is *certain* from the acknowledgement on, and *possible* from the moment
at which the request was first sent.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["KINDS", "NEVER", "Delivery", "Finding", "Ledger", "Message", "Span", "matches", "payload", "read_payload"]

NEVER: Final = 1 << 60
KINDS: Final = (
    "lost",
    "twice",
    "order",
    "unexpected",
    "retained",
    "will lost",
    "will twice",
    "will unexpected",
    "session present",
    "subscription",
    "damaged",
    "not started",
    "not recovered",
)
"""What can be wrong. `twice` is a QoS 2 message that a client got twice."""


def payload(topic: str, number: int, size: int = 0) -> bytes:
    """What a message contains: what it is, filled up, with a checksum."""
    text = f"{topic} {number} ".encode()
    text += b"." * max(0, size - len(text) - 8)
    return text + f"{zlib.crc32(text):08x}".encode()


def read_payload(data: bytes) -> tuple[str, int] | None:
    """Topic and number of a message; None: it is damaged."""
    text, check = data[:-8], data[-8:]
    try:
        topic, number, _ = text.decode().split(" ", 2)
        return (topic, int(number)) if f"{zlib.crc32(text):08x}".encode() == check else None
    except ValueError:
        return None


def matches(topic_filter: str, topic: str) -> bool:
    """True if the filter matches the topic (section 4.7)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(levels) or level not in ("+", levels[at]):
            return False
    return len(wanted) == len(levels)


@dataclass(frozen=True)
class Finding:
    """Something that broke a promise."""

    kind: str
    text: str


@dataclass
class Message:
    """A message of a publisher, or a will: then `sent` is when its CONNECT was acknowledged."""

    topic: str
    number: int
    qos: int
    retain: bool = False
    empty: bool = False
    sent: int = NEVER
    accepted: int = NEVER
    """The server has it: PUBACK, or PUBREC."""
    completed: int = NEVER
    """PUBACK, or PUBCOMP."""
    refused: bool = False


@dataclass
class Span:
    """A subscription from when to when. `possible` is not narrower than `certain`."""

    topic_filter: str
    qos: int
    possible_from: int
    certain_from: int = NEVER
    certain_to: int = NEVER
    possible_to: int = NEVER


@dataclass
class Delivery:
    """A message that came to an application."""

    topic: str
    number: int
    qos: int
    at: int
    client: str = ""


@dataclass
class Will:
    """The will of one connection. `expected`: "must", "never", "may"."""

    message: Message
    armed: bool = False
    expected: str = "may"
    came: bool = False
    """All who wait for it have it."""


@dataclass
class Ledger:
    """The book. `receivers` are clients, or groups of a shared subscription: those have no order."""

    time: int = 0
    messages: dict[str, dict[int, Message]] = field(default_factory=dict)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    deliveries: dict[str, dict[str, list[Delivery]]] = field(default_factory=dict)
    wills: dict[str, dict[int, Will]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    lasting: set[tuple[str, str, str, int]] = field(default_factory=set)
    """What was found before, so that it is counted once."""
    came: Counter[str] = field(default_factory=Counter)
    """By receiver: how many messages came."""
    settled: dict[tuple[str, str], int] = field(default_factory=dict)
    """By receiver and topic: all messages up to this number were seen to be right."""

    def now(self) -> int:
        """The next moment."""
        self.time += 1
        return self.time

    def found(self, kind: str, text: str, *key: str | int) -> None:
        """Note a finding, once."""
        what = (kind, *key) if key else (kind, text)
        if what in self.lasting:
            return
        self.lasting.add(what)  # type: ignore[arg-type]
        self.findings.append(Finding(kind, text))

    def message(self, message: Message) -> Message:
        """Enter a message."""
        self.messages.setdefault(message.topic, {})[message.number] = message
        return message

    def will(self, message: Message) -> Will:
        """Enter a will that a CONNECT carries."""
        will = Will(self.message(message))
        self.wills.setdefault(message.topic, {})[message.number] = will
        return will

    def delivered(self, receiver: str, client: str, topic: str, data: bytes, qos: int) -> None:
        """Enter a message that came to an application."""
        at = self.now()
        self.came[receiver] += 1
        read = read_payload(data)
        if read is None or read[0] != topic:
            if data == b"" and topic.startswith("r/"):
                return  # the end of a retained message
            self.found("damaged", f"{receiver} got {data[:60]!r} on {topic}")
            return
        self.deliveries.setdefault(receiver, {}).setdefault(topic, []).append(Delivery(topic, read[1], qos, at, client))

    # ---------------------------------------------------------------- what was promised

    def must(self, receiver: str, message: Message) -> int:
        """The least QoS at which the receiver must get it; -1: it need not get it."""
        at = message.sent
        found = -1
        if message.accepted == NEVER or message.refused or message.empty:
            return found
        for span in self.spans.get(receiver, ()):
            if span.certain_from < at and span.certain_to == NEVER and matches(span.topic_filter, message.topic):
                found = max(found, min(span.qos, message.qos))
        return found

    def may(self, receiver: str, message: Message) -> bool:
        """True if the receiver may get it."""
        return any(
            span.possible_from <= message.accepted
            and message.sent <= span.possible_to
            and matches(span.topic_filter, message.topic)
            for span in self.spans.get(receiver, ())
        )

    def missing(self) -> Iterator[tuple[str, Message]]:
        """What has to come to whom, and has not come yet."""
        for receiver, spans in self.spans.items():
            mine = self.deliveries.get(receiver, {})
            for topic, messages in self.messages.items():
                if not any(matches(span.topic_filter, topic) for span in spans):
                    continue
                if topic in self.wills:
                    continue
                done = self.settled.get((receiver, topic), -1)
                got: set[int] | None = None
                for number in reversed(messages):
                    if number <= done:
                        break
                    message = messages[number]
                    if self.must(receiver, message) < 1:
                        continue
                    if got is None:
                        got = {one.number for one in mine.get(topic, ())}
                    if number not in got:
                        yield receiver, message
        for topic in self.wills:
            yield from self.missing_wills(topic)

    def missing_wills(self, topic: str) -> Iterator[tuple[str, Message]]:
        """Wills of a topic that have to arrive at a subscriber, and have not arrived yet."""
        if topic in self.wills:
            wills = self.wills[topic]
            for number, will in wills.items():
                if will.expected != "must" or will.came:
                    continue
                will.came = True
                for receiver in self.spans:
                    if self.must(receiver, will.message) >= 1 and not self._count(receiver, topic, number):
                        will.came = False
                        yield receiver, will.message

    def _count(self, receiver: str, topic: str, number: int) -> int:
        return sum(one.number == number for one in self.deliveries.get(receiver, {}).get(topic, ()))

    # ---------------------------------------------------------------- judgement

    def judge(self) -> None:
        """Judge what came, now that nothing more is under way, and let what was right rest."""
        for receiver, message in list(self.missing()):
            kind = "will lost" if message.topic in self.wills else "lost"
            self.found(
                kind,
                f"{receiver} never got {message.topic} {message.number} (QoS {message.qos}, accepted at "
                f"{message.accepted})",
                receiver,
                message.topic,
                message.number,
            )
        for receiver, topics in self.deliveries.items():
            for topic, deliveries in topics.items():
                self._judge_topic(receiver, topic, deliveries)
        self._rest()

    def _judge_topic(self, receiver: str, topic: str, deliveries: list[Delivery]) -> None:
        will = topic in self.wills
        seen: dict[int, int] = {}
        newest = -1
        for one in deliveries:
            message = self.messages.get(topic, {}).get(one.number)
            name = f"{receiver} got {topic} {one.number}"
            key = (receiver, topic, one.number)
            if message is None or (message.sent == NEVER and not will):
                self.found("unexpected", f"{name}, which no client has sent", *key)
                continue
            if will and self.wills[topic][one.number].expected == "never":
                self.found("will unexpected", name, *key)
            elif not will and not self.may(receiver, message):
                self.found("subscription", f"{name}, which it has not subscribed to", *key)
            count = seen[one.number] = seen.get(one.number, 0) + 1
            if count > 1:
                if one.qos == 2:
                    self.found("will twice" if will else "twice", f"{name} {count} times", *key)
            else:
                if one.number < newest and receiver not in self.groups:
                    self.found("order", f"{name} after {newest}", *key)
                newest = max(newest, one.number)

    def _rest(self) -> None:
        """What all have completed needs not be looked at again for losses."""
        for topic, messages in self.messages.items():
            if topic in self.wills:
                continue
            last = max((n for n, m in messages.items() if m.completed != NEVER or m.refused), default=-1)
            open_ = min((n for n, m in messages.items() if m.completed == NEVER and not m.refused), default=NEVER)
            for receiver in self.spans:
                self.settled[receiver, topic] = min(last, open_ - 1)

    def retained(self, found: dict[str, bytes], topics: Iterable[str]) -> list[tuple[str, str]]:
        """Compare the retained messages of a broker. Returns topics that are wrong, and why."""
        wrong: list[tuple[str, str]] = []
        for topic in topics:
            messages = self.messages.get(topic, {})
            last = max((n for n, m in messages.items() if m.completed != NEVER and not m.refused), default=-1)
            allowed = {n: m.empty for n, m in messages.items() if n >= last and m.sent != NEVER}
            data = found.get(topic)
            if data is None:
                if last >= 0 and not any(allowed.values()):
                    wrong.append((topic, f"{topic} has no retained message; the last acknowledged one is {last}"))
                continue
            read = read_payload(data)
            if read is None or read[0] != topic:
                wrong.append((topic, f"{topic} has retained {data[:60]!r}"))
            elif read[1] not in allowed or allowed[read[1]]:
                wrong.append((topic, f"{topic} has retained {read[1]}, but {last} or a later one is due"))
        for topic in found:
            if topic not in self.messages:
                wrong.append((topic, f"{topic} is retained, which nobody has published"))
        return wrong

    # ---------------------------------------------------------------- numbers

    def totals(self) -> dict[str, int]:
        """How many messages were published, acknowledged and delivered."""
        messages = [m for t, all_ in self.messages.items() if t not in self.wills for m in all_.values()]
        return {
            "messages": len(messages),
            "acknowledged": sum(m.accepted != NEVER and not m.refused for m in messages),
            "wills": sum(w.armed for all_ in self.wills.values() for w in all_.values()),
            "deliveries": sum(len(one) for topics in self.deliveries.values() for one in topics.values()),
        }
