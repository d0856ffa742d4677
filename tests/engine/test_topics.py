# SPDX-License-Identifier: MIT
"""Disallowed Unicode: accepted, or refused where that is decided."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.options import Options
from mqtt_ref.engine.topics import disallowed
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Publish,
    PublishProperties,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
    WillProperties,
)
from tests.sansio import World

STRICT = {"disallowed_unicode": "refuse"}


@pytest.mark.parametrize("text", ["\x01", "a\x1f", "\x7f", "\x80", "\x9f", "\ufdd0", "\uffff", "\U0001fffe", "\t"])
def test_disallowed(text: str) -> None:
    assert disallowed(text)
    for strict in (False, True):
        world = World(Options(decisions=STRICT if strict else {}))
        for packet in (
            Publish(text),
            Publish("t", properties=PublishProperties(response_topic=text)),
            Subscribe(1, [Subscription(text)]),
            Unsubscribe(1, ["t", text]),
        ):
            a = world.client("a")
            a.send(packet)
            assert a.closed == strict
            if strict:
                assert a.one(Disconnect).reason_code == 0x81
        old = world.client("old", 4)
        old.send(Publish(text))
        assert old.closed == strict
        link = world.link()
        link.send(Connect(text))
        assert link.one(Connack).reason_code == (0x81 if strict else 0)
        link = world.link()
        link.send(Connect("c", will=Will("t", properties=WillProperties(response_topic=text))))
        assert link.one(Connack).reason_code == (0x81 if strict else 0)


@pytest.mark.parametrize("text", ["", "a/b", "ü", "\xa0", "日本", "\U0001f600", "\ufeff", " "])
def test_allowed(text: str) -> None:
    assert not disallowed(text)
