# SPDX-License-Identifier: MIT
"""The judge finds each broken promise, and accuses nobody wrongly."""

from __future__ import annotations

import pytest

from tests.kills.ledger import NEVER, Ledger, Message, Span, matches, payload, read_payload

__all__: list[str] = []


@pytest.fixture
def book() -> Ledger:
    """A receiver of everything, and three acknowledged messages of each QoS that came to it."""
    ledger = Ledger()
    span = Span("k/#", 2, ledger.now())
    span.certain_from = ledger.now()
    ledger.spans["s"] = [span]
    for qos in (1, 2):
        for number in range(3):
            publish(ledger, f"k/{qos}", number, qos)
            arrive(ledger, f"k/{qos}", number, qos)
    return ledger


def publish(ledger: Ledger, topic: str, number: int, qos: int, *, acknowledged: bool = True) -> Message:
    message = ledger.message(Message(topic, number, qos, topic.startswith("r/"), sent=ledger.now()))
    if acknowledged:
        message.accepted = message.completed = ledger.now()
    return message


def arrive(ledger: Ledger, topic: str, number: int, qos: int, receiver: str = "s") -> None:
    ledger.delivered(receiver, receiver, topic, payload(topic, number), qos)


def judged(ledger: Ledger) -> list[str]:
    ledger.judge()
    return [one.kind for one in ledger.findings]


def test_nothing_is_wrong(book: Ledger) -> None:
    assert judged(book) == []


def test_a_message_that_is_lost(book: Ledger) -> None:
    publish(book, "k/1", 3, 1)
    assert judged(book) == ["lost"]
    assert judged(book) == ["lost"]  # found once
    assert book.findings[0].text.startswith("s never got k/1 3")


def test_a_message_that_was_not_acknowledged_may_be_lost(book: Ledger) -> None:
    publish(book, "k/2", 3, 2, acknowledged=False)
    assert judged(book) == []


def test_a_message_of_qos_2_that_comes_twice(book: Ledger) -> None:
    arrive(book, "k/2", 2, 2)
    assert judged(book) == ["twice"]


def test_a_message_of_qos_1_may_come_twice(book: Ledger) -> None:
    arrive(book, "k/1", 1, 1)
    arrive(book, "k/1", 2, 1)
    assert judged(book) == []


def test_messages_that_change_places(book: Ledger) -> None:
    for number in (3, 4):
        publish(book, "k/1", number, 1)
    for number in (4, 3):
        arrive(book, "k/1", number, 1)
    assert judged(book) == ["order"]


def test_a_group_has_no_order(book: Ledger) -> None:
    book.groups.add("s")
    for number in (3, 4):
        publish(book, "k/2", number, 2)
    for number in (4, 3):
        arrive(book, "k/2", number, 2)
    assert judged(book) == []


def test_a_message_that_nobody_has_sent(book: Ledger) -> None:
    arrive(book, "k/1", 9, 1)
    assert judged(book) == ["unexpected"]


def test_a_message_that_is_damaged(book: Ledger) -> None:
    book.delivered("s", "s", "k/1", payload("k/1", 1)[:-1] + b"!", 1)
    book.delivered("s", "s", "k/1", payload("k/2", 1), 1)
    assert [one.kind for one in book.findings] == ["damaged", "damaged"]


def test_unsubscribed(book: Ledger) -> None:
    (span,) = book.spans["s"]
    span.certain_to = book.now()
    asked = publish(book, "k/1", 3, 1)
    arrive(book, "k/1", 3, 1)  # UNSUBSCRIBE is on its way: it may come, or not
    publish(book, "k/1", 4, 1)
    span.possible_to = book.now()
    assert judged(book) == []
    publish(book, "k/1", 5, 1)
    assert judged(book) == []
    arrive(book, "k/1", 5, 1)
    assert judged(book) == ["subscription"]
    assert asked.accepted != NEVER


def test_a_subscription_that_was_not_acknowledged_promises_nothing(book: Ledger) -> None:
    book.spans["t"] = [Span("k/1", 1, book.now())]
    publish(book, "k/1", 3, 1)
    arrive(book, "k/1", 3, 1)
    assert judged(book) == []
    arrive(book, "k/1", 3, 1, "t")
    assert judged(book) == []


@pytest.mark.parametrize(
    ("expected", "times", "finding"),
    [
        ("must", 0, ["will lost"]),
        ("must", 1, []),
        ("must", 2, ["will twice"]),
        ("never", 0, []),
        ("never", 1, ["will unexpected"]),
        ("may", 0, []),
        ("may", 1, []),
        ("may", 2, ["will twice"]),
    ],
)
def test_wills(book: Ledger, expected: str, times: int, finding: list[str]) -> None:
    book.spans["s"].append(Span("w/#", 2, book.now(), certain_from=book.now()))
    will = book.will(Message("w/c", 0, 2))
    will.message.sent, will.message.accepted, will.expected = book.now(), book.now(), expected
    for _ in range(times):
        arrive(book, "w/c", 0, 2)
    assert judged(book) == finding


@pytest.mark.parametrize(
    ("held", "wrong"),
    [
        (payload("r/t", 1), False),
        (payload("r/t", 2), False),
        (payload("r/t", 3), True),  # number 3 deleted it
        (None, False),  # number 3 was not acknowledged, but may have come
        (payload("r/t", 0), True),
        (b"something else", True),
    ],
)
def test_retained(held: bytes | None, wrong: bool) -> None:
    ledger = Ledger()
    publish(ledger, "r/t", 0, 1)
    publish(ledger, "r/t", 1, 1)
    publish(ledger, "r/t", 2, 1, acknowledged=False)
    publish(ledger, "r/t", 3, 1, acknowledged=False).empty = True
    found = {} if held is None else {"r/t": held}
    assert bool(ledger.retained(found, ["r/t"])) == wrong


def test_a_retained_message_that_is_gone_or_nobody_s() -> None:
    ledger = Ledger()
    publish(ledger, "r/t", 0, 1)
    assert [topic for topic, _ in ledger.retained({}, ["r/t"])] == ["r/t"]
    assert [topic for topic, _ in ledger.retained({"r/t": payload("r/t", 0), "r/u": b"x"}, ["r/t"])] == ["r/u"]


def test_payloads() -> None:
    data = payload("k/1", 7, 100)
    assert len(data) == 100
    assert read_payload(data) == ("k/1", 7)
    assert read_payload(data[:-1]) is None
    assert read_payload(b"") is None


def test_matches() -> None:
    assert matches("k/#", "k/1/2")
    assert matches("k/+/2", "k/1/2")
    assert matches("k/#", "k")
    assert not matches("k/+", "k/1/2")
    assert not matches("k/+/1", "k/1/2")
    assert not matches("r/#", "k/1")
