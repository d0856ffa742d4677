# SPDX-License-Identifier: MIT
"""Runs every cell of the matrix in `clients.toml`."""

from collections.abc import Callable

import pytest

from interop.broker import Broker
from interop.matrix import Run, clients, runs, shared_in_v3
from interop.scenarios import SCENARIOS, Side, Stage


@pytest.mark.parametrize("run", [pytest.param(run, id=run.id) for run in runs()])
def test_matrix(run: Run, broker: Broker, need: Callable[[str | None], None]) -> None:
    """Run the scenario of this cell."""
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


def test_cells() -> None:
    """Ids are unique. Every client appears on both sides in each of its versions, and in no other."""
    cells = list(runs())
    assert len({cell.id for cell in cells}) == len(cells)
    spoken = {(client.name, version) for client in clients() for version in client.versions}
    assert {(cell.publisher.name, cell.publisher_version) for cell in cells} == spoken
    pairs = {
        (cell.publisher.name, cell.publisher_version, cell.subscriber.name, cell.subscriber_version)
        for cell in cells
        if cell.scenario == "exchange"
    }
    assert pairs == {(*publisher, *subscriber) for publisher in spoken for subscriber in spoken}
