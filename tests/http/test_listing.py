# SPDX-License-Identifier: MIT
"""Pages: together they hold everything once, and none looks at more than it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from mqtt_ref.http import listing, models
from mqtt_ref.http.listing import fits
from mqtt_ref.wire.packets import ConnectProperties
from tests.sansio import World


@pytest.fixture
def world() -> World:
    """Thirty sessions, every third without its client, some gone; three subscriptions and a retained message each."""
    world = World()
    for number in range(36):
        client = world.client(f"c{number:02}", properties=ConnectProperties(session_expiry_interval=60))
        for part in range(3):
            client.subscribe(f"t/{number:02}/{part}")
        client.publish(f"r/{number:02}", b"x", retain=True)
        if number % 3 == 0:
            client.drop()
    for number in range(6):
        world.broker.sessions.remove(f"c{number * 5:02}", world.now)
        world.broker.retained.remove(f"r/{number * 5:02}")
    return world


def every(page: Callable[[str], models.Page[Any]], most: int) -> tuple[list[Any], int]:
    """What is on all pages, and how many there were."""
    found: list[Any] = []
    after, pages = "", 0
    while True:
        got = page(after)
        pages += 1
        assert pages < 1000
        assert len(got.items) <= most
        found += got.items
        if got.next is None:
            return found, pages
        assert msgspec.convert({"after": got.next}, models.Listing).after == got.next
        after = got.next


@pytest.mark.parametrize("scan", [4, 7, 10_000])
@pytest.mark.parametrize("limit", [1, 5, 1000])
def test_pages_hold_everything_once(world: World, limit: int, scan: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SCAN", scan)
    broker, now = world.broker, world.now
    left = [n for n in range(36) if n % 5 or n > 25]

    def clients(after: str) -> models.Page[models.Client]:
        return listing.clients(broker, models.ClientsQuery(limit=limit, after=after), now)

    def sessions(after: str) -> models.Page[models.Session]:
        return listing.sessions(broker, models.SessionsQuery(limit=limit, after=after, client_id="c*"), now)

    def subscriptions(after: str) -> models.Page[models.Subscription]:
        return listing.subscriptions(broker, models.SubscriptionsQuery(limit=limit, after=after))

    def retained(after: str) -> models.Page[models.Retained]:
        return listing.retained(broker, models.RetainedQuery(limit=limit, after=after, topic_filter="r/#"), now)

    found, pages = every(clients, limit)
    assert [item.client_id for item in found] == [f"c{n:02}" for n in left if n % 3]
    assert (pages == 1) == (limit == 1000 and scan == 10_000)
    assert [item.client_id for item in every(sessions, limit)[0]] == [f"c{n:02}" for n in left]
    filters = [item.topic_filter for item in every(subscriptions, limit)[0]]
    assert filters == [f"t/{n:02}/{part}" for n in left for part in range(3)]
    assert [item.topic for item in every(retained, limit)[0]] == [f"r/{n:02}" for n in left]


def test_one_page_looks_at_no_more_than_it_may(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SCAN", 10)
    page = listing.sessions(world.broker, models.SessionsQuery(client_id="none"), world.now)
    assert (page.items, page.next) == ([], "10")
    subscribed = listing.subscriptions(world.broker, models.SubscriptionsQuery(topic="none"))
    assert subscribed.items == []
    assert subscribed.next is not None
    kept = listing.retained(world.broker, models.RetainedQuery(topic_filter="+/none"), world.now)
    assert (kept.items, kept.next) == ([], "10")


def test_a_place_far_behind_the_end(world: World) -> None:
    far = "999999999999999"
    assert listing.clients(world.broker, models.ClientsQuery(after=far), world.now).items == []
    assert listing.subscriptions(world.broker, models.SubscriptionsQuery(after=f"{far}.{far}")).items == []
    assert listing.retained(world.broker, models.RetainedQuery(after=far), world.now) == models.Page([], None)


def test_what_has_expired_is_not_listed(world: World) -> None:
    from mqtt_ref.wire.packets import PublishProperties

    properties = PublishProperties(message_expiry_interval=5)
    world.client("x").publish("r/short", b"x", retain=True, properties=properties)
    query = models.RetainedQuery(topic_filter="r/short")
    (item,) = listing.retained(world.broker, query, world.now).items
    assert item.expires_in == 5
    assert listing.retained(world.broker, query, world.now + 6_000_000_000).items == []


def test_patterns() -> None:
    assert all(fits(pattern, "abc") for pattern in ("", "*", "a*", "abc", "abc*"))
    assert not any(fits(pattern, "abc") for pattern in ("a", "b*", "abcd", "*c", "ABC"))
    assert fits("a*", "a*")
