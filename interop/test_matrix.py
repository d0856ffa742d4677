# SPDX-License-Identifier: MIT
"""Every cell of the matrix in `clients.toml`."""

from collections.abc import Callable

import pytest

from interop.broker import Broker
from interop.matrix import Run, runs, shared_in_v3
from interop.scenarios import SCENARIOS, Side, Stage


@pytest.mark.parametrize("run", [pytest.param(run, id=run.id) for run in runs()])
def test_matrix(run: Run, broker: Broker, need: Callable[[str | None], None]) -> None:
    """Play the scenario of this cell."""
    for client in (run.publisher, run.subscriber):
        need(client.missing())
    stage = Stage(
        host=broker.host,
        port=broker.port,
        publisher=Side(run.publisher.factory(), run.publisher_version),
        subscriber=Side(run.subscriber.factory(), run.subscriber_version),
        qos=run.qos,
        shared_in_v3=shared_in_v3(broker.name),
    )
    try:
        SCENARIOS[run.scenario](stage)
    except BaseException:
        stage.abandon()
        raise
    stage.close()
