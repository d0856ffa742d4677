# SPDX-License-Identifier: MIT
"""One broker per test process, and the rule that a missing peer skips, or fails where peers are required."""

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
    """`need(reason)`: skip with the reason when there is one; fail instead when MQTT_REF_REQUIRE=all is set."""

    def check(missing: str | None) -> None:
        if missing is not None:
            require.absent(missing)

    return check
