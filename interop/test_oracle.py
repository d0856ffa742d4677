# SPDX-License-Identifier: MIT
"""Checks that the oracle does not accuse third-party clients in ordinary use."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.broker import Broker, start_oracle
from interop.matrix import Run, runs
from interop.scenarios import SCENARIOS, Side, Stage
from mqtt_ref.oracle.report import as_text, read_record

ALONE = [
    run
    for run in runs()
    if run.publisher.name == run.subscriber.name and run.publisher_version == run.subscriber_version
]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path]]:
    """A broker that judges, and the file of its findings."""
    record = tmp_path_factory.mktemp("oracle") / "findings.jsonl"
    with start_oracle(record) as broker:
        yield broker, record


OVER_WEBSOCKET = [
    run
    for run in ALONE
    if run.publisher.name in ("paho", "aiomqtt", "mqttjs") and run.scenario in ("exchange", "resume", "will", "large")
]


@pytest.mark.parametrize("run", [pytest.param(run, id=run.id) for run in ALONE])
def test_ordinary_use_is_not_accused(run: Run, judged: tuple[Broker, Path], need: Callable[[str | None], None]) -> None:
    """Run the scenario with one client on both sides, and read the findings."""
    need(run.publisher.missing())
    broker, record = judged
    not_accused(run, broker.port, broker, record)


@pytest.mark.parametrize("run", [pytest.param(run, id=run.id) for run in OVER_WEBSOCKET])
def test_nor_is_it_over_websocket(run: Run, judged: tuple[Broker, Path], need: Callable[[str | None], None]) -> None:
    """Run the same over the WebSocket listener, for clients that can."""
    need(run.publisher.missing())
    broker, record = judged
    assert broker.process is not None
    port = int(broker.process.wait_line(r"\bws://127\.0\.0\.1:(\d+)")[1])
    not_accused(run, port, broker, record, websocket=True)


def not_accused(run: Run, port: int, broker: Broker, record: Path, websocket: bool = False) -> None:
    """Run the scenario, and read the findings."""
    before = len(record.read_text())
    stage = Stage(
        host=broker.host,
        port=port,
        publisher=Side(run.publisher.factory(), run.publisher_version),
        subscriber=Side(run.subscriber.factory(), run.subscriber_version),
        qos=run.qos,
        websocket=websocket,
    )
    try:
        SCENARIOS[run.scenario](stage)
    except BaseException:
        stage.abandon()
        raise
    stage.close()
    found = list(read_record(record.read_text()[before:]))
    assert not found, "\n\n".join(as_text(finding) for finding in found)
