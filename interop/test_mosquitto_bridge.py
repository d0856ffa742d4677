# SPDX-License-Identifier: MIT
"""Tests mosquitto's bridge, with a configuration that states nothing about the other broker."""

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interop.adapters.mosquitto_tools import program
from interop.broker import Broker
from interop.peer import DEADLINE
from interop.process import Process


class Bridge:
    """A mosquitto that exchanges messages with the broker under test in both directions."""

    def __init__(self, broker: Broker, port: int, folder: Path, protocol: str) -> None:
        self.port = port
        self.topic = f"bridge/{uuid.uuid4().hex[:12]}"
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type all\nlog_dest stderr\n"
            f"connection b{uuid.uuid4().hex[:12]}\naddress {broker.host}:{broker.port}\n"
            f"bridge_protocol_version {protocol}\nrestart_timeout 1\ntopic {self.topic}/# both 1\n"
            # Its notifications have a will on a `$SYS` topic. The broker refuses a 5.0 client for that.
            f"notifications {'false' if protocol == 'mqttv50' else 'true'}\n"
        )
        executable = program("mosquitto")
        assert executable is not None
        self.process = Process([executable, "-c", str(config)], by_line=True)


@pytest.fixture(params=["mqttv31", "mqttv311", "mqttv50"])
def bridge(
    request: pytest.FixtureRequest,
    broker: Broker,
    free_port: Callable[[], int],
    tmp_path: Path,
    need: Callable[[str | None], None],
) -> Iterator[Bridge]:
    """The bridge, if mosquitto is installed. It has subscribed."""
    for name in ("mosquitto", "mosquitto_pub", "mosquitto_sub"):
        need(None if program(name) else f"{name} is not installed")
    made = Bridge(broker, free_port(), tmp_path, request.param)
    try:
        made.process.wait_line(r"Received SUBACK")
        yield made
    finally:
        made.process.kill()


@pytest.mark.parametrize("outwards", [True, False], ids=["to the broker", "from the broker"])
def test_a_bridge_forwards_messages(bridge: Bridge, broker: Broker, outwards: bool) -> None:
    """The bridge first offers its own protocol level. It continues with the standard one when that is refused."""
    here, there = ("127.0.0.1", bridge.port), (broker.host, broker.port)
    source, sink = (here, there) if outwards else (there, here)
    command = ["mosquitto_sub", "-h", sink[0], "-p", str(sink[1]), "-t", f"{bridge.topic}/+", "-q", "1", "-C", "1"]
    subscriber = Process([*command, "-d"], by_line=True)
    try:
        subscriber.wait_line(r"^Subscribed ")
        command = ["mosquitto_pub", "-h", source[0], "-p", str(source[1]), "-t", f"{bridge.topic}/a", "-q", "1"]
        subprocess.run([*command, "-m", "over the bridge"], timeout=DEADLINE, check=True)
        assert subscriber.wait() == 0, subscriber.tail()
    finally:
        subscriber.kill()
    assert "over the bridge" in subscriber.lines, subscriber.tail()
