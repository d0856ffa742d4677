# SPDX-License-Identifier: MIT
"""The model where a client is in several groups that match: nothing on the wire tells by which one it got a copy."""

from __future__ import annotations

import pytest

from tests.model.model import Model
from tests.model.state import NEVER, Finding, Subscription

NOW = 1000


def connect(model: Model, client_id: str, version: int = 5, expiry: int = NEVER, receive_maximum: int = 10) -> None:
    model.connect(client_id, version, False, expiry, NOW, None, receive_maximum, 0)


def got(model: Model, client_id: str, packet_id: int, *identifiers: int, dup: bool = False) -> None:
    """The client gets the one message of these stories."""
    model.sent(client_id, "a/b", b"m", 1, False, dup, packet_id, identifiers, None, NOW)


@pytest.fixture
def model() -> Model:
    """A client that is in two groups, and one more member of each."""
    model = Model(lambda client_id, code: None)
    for client_id in ("both", "one", "two", "none"):
        connect(model, client_id, expiry=0 if client_id == "both" else NEVER)
    for client_id, topic_filter, identifier in (
        ("both", "$share/g/a/b", 0),
        ("both", "$share/g/a/#", 7),
        ("one", "$share/g/a/b", 0),
        ("two", "$share/g/a/#", 0),
    ):
        model.subscribe(client_id, Subscription(topic_filter, 1, identifier=identifier), 0, NOW)
    return model


@pytest.mark.parametrize("order", [(0, 7), (7, 0)])
def test_identifiers_that_3x_did_not_show_come_in_either_order(model: Model, order: tuple[int, int]) -> None:
    connect(model, "one", 4)
    model.subscribe("one", Subscription("$share/g/a/#", 1, identifier=7), 0, NOW)
    model.publish("a/b", b"m", 1, False, "none", NOW)
    got(model, "one", 1)
    got(model, "one", 2)
    connect(model, "one", 5)
    for packet_id, identifier in zip((1, 2), order, strict=True):
        got(model, "one", packet_id, *([identifier] if identifier else []), dup=True)
    connect(model, "one", 5)
    with pytest.raises(Finding):
        got(model, "one", 1, *([order[1]] if order[1] else []), dup=True)


@pytest.mark.parametrize("order", [(0, 7), (7, 0)])
def test_a_retained_copy_may_be_taken_for_that_of_the_group(model: Model, order: tuple[int, int]) -> None:
    model.subscribe("two", Subscription("$share/g/a/#", 1, retain_as_published=True, identifier=7), 0, NOW)
    connect(model, "two", 4)
    model.publish("a/b", b"m", 1, True, "none", NOW)
    model.subscribe("two", Subscription("a/b", 1), 0, NOW)
    for packet_id in (1, 2):
        model.sent("two", "a/b", b"m", 1, True, False, packet_id, (), None, NOW)
    connect(model, "two", 5)
    for packet_id, identifier in zip((1, 2), order, strict=True):
        identifiers = (identifier,) if identifier else ()
        model.sent("two", "a/b", b"m", 1, True, True, packet_id, identifiers, None, NOW)


@pytest.mark.parametrize("heir", ["one", "two"])
def test_the_copy_that_is_not_acknowledged_may_be_of_either_group(model: Model, heir: str) -> None:
    model.subscribe("both", Subscription("$share/g/a/#", 1), 0, NOW)
    model.publish("a/b", b"m", 1, False, "none", NOW)
    got(model, "both", 1)
    got(model, "both", 2)
    model.acknowledged("both", 1)
    model.disconnected("both", NOW, with_will=False)
    with pytest.raises(Finding):
        got(model, "none", 1)
    got(model, heir, 1)
    with pytest.raises(Finding):
        got(model, "one", 2)
    with pytest.raises(Finding):
        got(model, "two", 2)


@pytest.mark.parametrize("heir", ["one", "two"])
def test_the_copy_that_waited_may_be_of_either_group(model: Model, heir: str) -> None:
    connect(model, "both", expiry=0, receive_maximum=1)
    for topic_filter in ("$share/g/a/b", "$share/g/a/#"):
        model.subscribe("both", Subscription(topic_filter, 1), 0, NOW)
    model.publish("a/b", b"m", 1, False, "none", NOW)
    got(model, "both", 1)
    model.acknowledged("both", 1)
    model.disconnected("both", NOW, with_will=False)
    got(model, heir, 1)
    with pytest.raises(Finding):
        got(model, "one", 2)
    with pytest.raises(Finding):
        got(model, "two", 2)
