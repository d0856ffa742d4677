# SPDX-License-Identifier: MIT
"""The broker under test: a running one, mqtt_ref's own started for the run, or Debian's mosquitto to compare."""

import contextlib
import importlib.util
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from interop.adapters.mosquitto_tools import program
from interop.peer import until
from interop.process import Process, ProcessFailure

#: `host:port`, `mqtt://host:port`, or `mosquitto` to start Debian's. If it is not set, mqtt_ref's broker is started.
VARIABLE = "MQTT_REF_INTEROP_BROKER"


class BrokerUnavailable(Exception):
    """The broker could not be started or reached."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The address of a broker. `name` is `mqtt_ref`, `mosquitto` or `external`."""

    name: str
    host: str
    port: int
    process: Process | None = None

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"mqtt://{self.host}:{self.port}"


def parse_address(text: str) -> tuple[str, int]:
    """Parse `host:port` or `mqtt://host[:port]`. The default port is 1883."""
    match = re.fullmatch(r"(?:mqtt://)?(\[[0-9a-fA-F:]+\]|[^:/\s\[\]]+)(?::(\d{1,5}))?/?", text.strip())
    if match is None or int(match.group(2) or 1883) > 65535:
        raise ValueError(f"not the address of a broker: {text!r} (use host:port or mqtt://host:port)")
    return match.group(1).strip("[]"), int(match.group(2) or 1883)


def reachable(host: str, port: int, seconds: float = 2.0) -> bool:
    """True if the address accepts connections."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def broker_under_test(config: Path | None = None) -> Iterator[Broker]:
    """Start or find the broker that the environment names. mqtt_ref's own is started with `config`, if given."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "mosquitto":
        with start_mosquitto() as broker:
            yield broker
    elif wanted:
        host, port = parse_address(wanted)
        if not reachable(host, port):
            raise BrokerUnavailable(f"no broker listens at {host}:{port} ({VARIABLE})")
        yield Broker("external", host, port)
    else:
        with start_ours(config) as broker:
            yield broker


@contextlib.contextmanager
def start_ours(config: Path | None = None) -> Iterator[Broker]:
    """Start `mqtt-ref serve` on a free port of the loopback interface, or with a configuration."""
    command = ["-m", "mqtt_ref", "serve", *(["--port", "0"] if config is None else ["--config", str(config)])]
    with _started(command) as broker:
        yield broker


@contextlib.contextmanager
def start_oracle(record: Path) -> Iterator[Broker]:
    """Start `mqtt-ref oracle serve`, which judges its clients and writes its findings to `record`."""
    with _started(["-m", "mqtt_ref", "oracle", "serve", "--port", "0", "--record", str(record)]) as broker:
        yield broker


@contextlib.contextmanager
def _started(command: list[str]) -> Iterator[Broker]:
    """Start mqtt_ref with this command."""
    home = _home_of_ours()
    process = Process([sys.executable, *command], cwd=home, env={**os.environ, "PYTHONPATH": str(home)})
    try:
        try:
            found = process.wait_line(r"\bmqtt://(?P<host>127\.0\.0\.1|localhost|\[::1\]):(?P<port>\d+)")
        except ProcessFailure as failure:
            raise BrokerUnavailable(str(failure)) from None
        yield Broker("mqtt_ref", found["host"].strip("[]"), int(found["port"]), process)
    finally:
        process.terminate()


@contextlib.contextmanager
def start_mosquitto() -> Iterator[Broker]:
    """Start Debian's mosquitto on a free loopback port. It refuses the Paho suite's forbidden topic."""
    executable = program("mosquitto")
    if executable is None:
        raise BrokerUnavailable("mosquitto is not installed")
    with tempfile.TemporaryDirectory(prefix="mqtt_ref-interop-") as folder:
        config = Path(folder, "mosquitto.conf")
        for _ in range(5):
            port = _free_port()
            config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_keepalive 60\nuser root\n")
            process = Process([executable, "-c", str(config)])
            try:
                until(partial(_settled, process, port), "mosquitto to listen")
                if process.running:
                    yield Broker("mosquitto", "127.0.0.1", port, process)
                    return
            finally:
                process.terminate()
    raise BrokerUnavailable("mosquitto does not start")


def _home_of_ours() -> Path:
    """Return the folder of `import mqtt_ref`: the installed (compiled) one if there is one, as in tox."""
    found = importlib.util.find_spec("mqtt_ref")
    if found is None or found.origin is None:
        raise BrokerUnavailable("mqtt_ref cannot be imported")
    return Path(found.origin).resolve().parent.parent


def _settled(process: Process, port: int) -> bool:
    return reachable("127.0.0.1", port) or not process.running


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


__all__ = [
    "Broker",
    "BrokerUnavailable",
    "broker_under_test",
    "parse_address",
    "reachable",
    "start_mosquitto",
    "start_oracle",
    "start_ours",
]
