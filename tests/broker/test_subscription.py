# SPDX-License-Identifier: MIT
"""What the Subscription Options come to, alone and where subscriptions overlap."""

from __future__ import annotations

from mqtt_ref.broker.subscription import Merged, Subscribed, subscriptions, without_no_local


def subscribed(topic_filter: str, options: int, identifier: int = 0) -> Subscribed:
    return Subscribed(1, topic_filter, options, identifier, "")


def test_options() -> None:
    one = subscribed("a", 0b0010_1110, 7)
    assert (one.qos, one.no_local, one.retain_as_published, one.retain_handling) == (2, True, True, 2)
    assert (one.identifier, one.identifiers) == (7, (7,))
    assert subscriptions(one) == (one,)
    other = subscribed("a", 0b0001_0001)
    assert (other.qos, other.no_local, other.retain_as_published, other.retain_handling) == (1, False, False, 1)
    assert (other.identifier, other.identifiers) == (0, ())
    assert repr(one) == "Subscribed(1, 'a', 0x2E, 7)"


def test_merging() -> None:
    """[MQTT5-3.3.4-2], [MQTT5-3.3.4-4], [MQTT5-3.3.1-13]: repeated identifiers stay."""
    parts = (subscribed("a", 1, 5), subscribed("#", 2), subscribed("+", 8, 5), subscribed("a/#", 0, 9))
    both = Merged(parts)
    assert (both.subscriber, both.qos, both.retain_as_published, both.no_local) == (1, 2, True, False)
    assert both.identifiers == (5, 5, 9)
    assert subscriptions(both) == parts
    assert without_no_local(both) is both
    assert repr(both).startswith("Merged((Subscribed(")


def test_no_local_holds_back_its_own_subscription_only() -> None:
    """[MQTT5-3.8.3-3]: another filter of the same session still delivers."""
    plain = subscribed("a", 1, 5)
    again = subscribed("+", 0, 6)
    held = subscribed("#", 2 | 4 | 8, 7)
    assert without_no_local(plain) is plain
    assert without_no_local(held) is None
    assert without_no_local(Merged((held, held))) is None
    assert without_no_local(Merged((held, plain))) is plain
    both = Merged((plain, held, again))
    assert both.no_local
    left = without_no_local(both)
    assert left is not None
    assert (left.qos, left.retain_as_published, left.identifiers) == (1, False, (5, 6))
    assert not left.no_local
    assert subscriptions(left) == (plain, again)
