# SPDX-License-Identifier: MIT
"""Fixtures: one broker per test process, and skipping of tests whose client is missing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interop.adapters import loop
from interop.broker import Broker, BrokerUnavailable, broker_under_test


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The broker under test, the same for every test of this process."""
    try:
        with broker_under_test() as running:
            yield running
    except BrokerUnavailable as reason:
        pytest.fail(f"no broker under test: {reason}", pytrace=False)


@pytest.fixture(scope="session")
def broker_url(broker: Broker) -> str:
    """Its address."""
    return broker.url


@pytest.fixture(scope="session", autouse=True)
def event_loop_of_the_clients() -> Iterator[None]:
    """End the thread of the asyncio clients after the last test."""
    yield
    loop.stop()


@pytest.fixture(scope="session")
def need(require: Any) -> Callable[[str | None], None]:
    """`need(reason)` skips the test if there is a reason. With MQTT_REF_REQUIRE=all it fails instead."""

    def check(missing: str | None) -> None:
        if missing is not None:
            require.absent(missing)

    return check
