# SPDX-License-Identifier: MIT
"""The pytest plugin: fixtures for brokers, a judge of clients and a TLS lab.

pytest loads this module in every run, if mqtt_ref is installed. So it imports the broker only when a fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mqtt_ref.testing.oracle import Oracle
    from mqtt_ref.testing.tls import TlsLab
    from mqtt_ref.testing.watching import Watch
    from mqtt_ref.threaded import ThreadedServer

__all__ = ["mqtt_broker", "mqtt_broker_factory", "mqtt_oracle", "mqtt_tls"]

MARKERS = (
    (
        "mqtt_options(options=None, *, hooks=None, on_violation='record', **settings): the options of this test's "
        "broker, by name: maximum_qos=1, receive_maximum=1, queued_messages=5"
    ),
    "mqtt_allow(*rules): rules that the clients of this test may break, by their ids",
)
WATCHES: pytest.StashKey[list[Watch]] = pytest.StashKey()
"""The watches of a test, one for each of its brokers."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option of this plugin. It differs from those of pytest-mqtt."""
    group = parser.getgroup("mqtt_ref", "MQTT brokers for tests")
    group.addoption("--mqtt-pcap", metavar="DIR", help="write the packets of each test to DIR, for Wireshark")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers of this plugin."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test if its client broke a rule. Attach the trace to a test that fails."""
    watches = item.stash.get(WATCHES, [])
    try:
        result = yield
        for watch in watches:
            watch.judge()
    except BaseException:
        for watch in watches:
            watch.attach(item, "call")
        raise
    return result


@pytest.fixture(scope="session")
def mqtt_broker_factory() -> Generator[Callable[..., ThreadedServer]]:
    """Starts a broker with each call, `mqtt_broker_factory(maximum_qos=1)`. It runs until the test session ends."""
    from mqtt_ref.testing.watching import Brokers

    with Brokers() as brokers:
        yield brokers.start


@pytest.fixture
def mqtt_broker(request: pytest.FixtureRequest) -> Generator[ThreadedServer]:
    """A new broker that listens on a free port: `mqtt_broker.url`, `.host`, `.port`.

    In a test that uses `mqtt_oracle` too, it is the broker of the oracle.
    """
    if "mqtt_oracle" in request.fixturenames:
        yield request.getfixturevalue("mqtt_oracle").server
        return
    from mqtt_ref.testing.watching import watched_broker

    with watched_broker(request.node, _watches(request)) as server:
        yield server


@pytest.fixture
def mqtt_oracle(request: pytest.FixtureRequest) -> Generator[Oracle]:
    """A broker that judges its clients. The test fails if one of them breaks a rule that it must keep."""
    from mqtt_ref.testing.watching import watched_oracle

    with watched_oracle(request.node, _watches(request)) as oracle:
        yield oracle


@pytest.fixture
def mqtt_tls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TlsLab:
    """Listeners with good and bad certificates, on the broker of this test: `mqtt_tls.good.port`, `.expired` ..."""
    from mqtt_ref.testing.tls import TlsLab

    lab = TlsLab(tmp_path_factory.mktemp("mqtt-tls"))
    lab.add_to(request.getfixturevalue("mqtt_broker"))
    return lab


def _watches(request: pytest.FixtureRequest) -> list[Watch]:
    item: pytest.Item = request.node
    return item.stash.setdefault(WATCHES, [])
