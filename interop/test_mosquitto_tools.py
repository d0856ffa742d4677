# SPDX-License-Identifier: MIT
"""Tests `mosquitto_pub`, `mosquitto_sub` and `mosquitto_rr` as users call them, with `-V 5`, `-V 311` and `-V 31`."""

import subprocess
import uuid
from collections.abc import Callable, Iterator

import pytest

from interop.adapters.mosquitto_tools import program, version_flag
from interop.broker import Broker
from interop.peer import DEADLINE, TAGS, V5, V31, V311
from interop.process import Process

VERSIONS = [pytest.param(version, id=TAGS[version]) for version in (V5, V311, V31)]


class Tools:
    """Starts the tools against the broker, and ends those that still run after a test."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._started: list[Process] = []
        self.topic = f"interop/{uuid.uuid4().hex[:12]}"
        self.client_id = f"t{uuid.uuid4().hex[:15]}"

    def command(self, name: str, version: int, *arguments: str) -> list[str]:
        """Return a command line with the address of the broker."""
        return [name, "-h", self._broker.host, "-p", str(self._broker.port), *version_flag(version), *arguments]

    def run(self, name: str, version: int, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a tool to its end."""
        command = self.command(name, version, *arguments)
        return subprocess.run(command, input=stdin, capture_output=True, timeout=DEADLINE, check=False)

    def pub(self, version: int, *arguments: str, stdin: bytes = b"") -> None:
        """Run mosquitto_pub. It prints nothing if all is well."""
        done = self.run("mosquitto_pub", version, *arguments, stdin=stdin)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def start(self, name: str, version: int, *arguments: str) -> Process:
        """Start a tool that runs until it is ended, with its debug lines (-d)."""
        process = Process(self.command(name, version, "-d", *arguments), by_line=True)
        self._started.append(process)
        return process

    def sub(self, version: int, *arguments: str) -> Process:
        """Start mosquitto_sub and wait for its SUBACK."""
        process = self.start("mosquitto_sub", version, *arguments)
        process.wait_line(r"^Subscribed \(mid: \d+\): [012](, [012])*$")
        return process

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            process.kill()


@pytest.fixture
def tools(broker: Broker, need: Callable[[str | None], None]) -> Iterator[Tools]:
    """The tools, if they are installed."""
    for name in ("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"):
        need(None if program(name) else f"{name} is not installed")
    kit = Tools(broker)
    yield kit
    kit.close()


def received(process: Process) -> list[str]:
    """Return a subscriber's output without debug lines."""
    return [line for line in process.lines if not line.startswith(("Client ", "Subscribed "))]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_pub_sub(tools: Tools, version: int, qos: str) -> None:
    """One message is sent and received. `-C` ends the subscriber with exit code 0."""
    subscriber = tools.sub(version, "-t", f"{tools.topic}/+", "-q", qos, "-C", "2", "-v")
    tools.pub(version, "-t", f"{tools.topic}/a", "-m", "hello", "-q", qos)
    tools.pub(version, "-t", f"{tools.topic}/b", "-n", "-q", qos)
    assert subscriber.wait() == 0, subscriber.tail()
    assert received(subscriber) == [f"{tools.topic}/a hello", f"{tools.topic}/b (null)"], subscriber.tail()


@pytest.mark.parametrize("publisher", VERSIONS)
@pytest.mark.parametrize("version", VERSIONS)
def test_lines_from_stdin(tools: Tools, publisher: int, version: int) -> None:
    """`mosquitto_pub -l` sends a message per line over one link. They arrive in order in any version."""
    lines = [f"line {number}" for number in range(50)]
    subscriber = tools.sub(version, "-t", tools.topic, "-q", "1", "-C", str(len(lines)))
    tools.pub(publisher, "-t", tools.topic, "-q", "1", "-l", stdin="".join(f"{line}\n" for line in lines).encode())
    assert subscriber.wait() == 0, subscriber.tail()
    assert received(subscriber) == lines, subscriber.tail()


@pytest.mark.parametrize("version", VERSIONS)
def test_retained_is_found_and_removed(tools: Tools, version: int) -> None:
    """`-r` retains a message, `--retained-only` shows it, `--remove-retained` removes it."""
    tools.pub(version, "-t", tools.topic, "-m", "kept", "-q", "1", "-r")
    seen = tools.run("mosquitto_sub", version, "-t", tools.topic, "-C", "1", "-F", "%p retain=%r")
    assert seen.stdout == b"kept retain=1\n"
    cleaner = tools.sub(version, "-t", tools.topic, "--remove-retained")
    cleaner.wait_line(r"received PUBACK")
    assert received(cleaner)[:1] == ["kept"], cleaner.tail()
    after = tools.sub(version, "-t", tools.topic, "-C", "1", "-F", "%p retain=%r")
    tools.pub(version, "-t", tools.topic, "-m", "live")
    assert after.wait() == 0
    assert received(after) == ["live retain=0"], after.tail()


@pytest.mark.parametrize("version", VERSIONS)
def test_session_is_kept(tools: Tools, version: int) -> None:
    """`-c -i ID` keeps the session: queued messages arrive later. `-U` at the start ends a subscription."""
    stay = ["-c", "-i", tools.client_id, "-q", "1"]
    done = tools.run("mosquitto_sub", version, *stay, "-t", tools.topic, "-E")
    assert (done.returncode, done.stderr) == (0, b"")
    tools.pub(version, "-t", tools.topic, "-m", "meanwhile", "-q", "1")
    back = tools.run("mosquitto_sub", version, *stay, "-t", f"{tools.topic}/other", "-C", "1")
    assert (back.returncode, back.stdout) == (0, b"meanwhile\n")

    off = tools.start("mosquitto_sub", version, *stay, "-t", f"{tools.topic}/other", "-U", tools.topic, "-C", "1")
    off.wait_line(r"received UNSUBACK$")
    tools.pub(version, "-t", tools.topic, "-m", "unwanted", "-q", "1")
    tools.pub(version, "-t", f"{tools.topic}/other", "-m", "wanted", "-q", "1")
    assert off.wait() == 0, off.tail()
    assert received(off) == ["wanted"], off.tail()


@pytest.mark.parametrize("version", VERSIONS)
def test_will(tools: Tools, version: int) -> None:
    """`--will-*` of a subscriber that is killed is published."""
    witness = tools.sub(version, "-t", f"{tools.topic}/will", "-q", "1", "-C", "1", "-F", "%p qos=%q")
    will = ["--will-topic", f"{tools.topic}/will", "--will-payload", "gone", "--will-qos", "1"]
    tools.sub(version, "-t", tools.topic, *will).kill()
    assert witness.wait() == 0, witness.tail()
    assert received(witness) == ["gone qos=1"], witness.tail()


@pytest.mark.parametrize("version", VERSIONS)
def test_request_response(tools: Tools, version: int) -> None:
    """`mosquitto_rr` sends a request and gets its response. In 5.0 the request carries the Response Topic.

    Cites: MQTT5-3.3.2-15
    """
    answers = f"{tools.topic}/answers"
    form = "request=%p response_topic=%R" if version == V5 else "request=%p"
    server = tools.sub(version, "-t", tools.topic, "-q", "1", "-C", "1", "-F", form)
    client = tools.start("mosquitto_rr", version, "-t", tools.topic, "-e", answers, "-m", "ping", "-q", "1")
    assert server.wait() == 0, server.tail()
    told = f" response_topic={answers}" if version == V5 else ""
    assert received(server) == [f"request=ping{told}"], server.tail()
    tools.pub(version, "-t", answers, "-m", "pong", "-q", "1")
    assert client.wait() == 0, client.tail()
    assert "pong" in received(client)


@pytest.mark.parametrize("version", VERSIONS)
def test_large_file(tools: Tools, version: int) -> None:
    """1 MiB through stdin (`-s`) arrives complete."""
    payload = bytes(range(1, 256)) * 4112
    subscriber = tools.sub(version, "-t", tools.topic, "-q", "2", "-C", "1", "-F", "%l %x")
    tools.pub(version, "-t", tools.topic, "-q", "2", "-s", stdin=payload)
    assert subscriber.wait() == 0
    length, _, digits = received(subscriber)[0].partition(" ")
    assert (int(length), bytes.fromhex(digits) == payload) == (len(payload), True)


def test_properties(tools: Tools) -> None:
    """`-D publish ...` on one side shows up as `%C %R %D %P` on the other."""
    subscriber = tools.sub(V5, "-t", tools.topic, "-C", "1", "-F", "%C|%R|%D|%F|%P|%p")
    said = ["-D", "publish", "content-type", "text/plain", "-D", "publish", "response-topic", "back"]
    said += ["-D", "publish", "correlation-data", "id-7", "-D", "publish", "payload-format-indicator", "1"]
    said += ["-D", "publish", "user-property", "k", "v1", "-D", "publish", "user-property", "k", "v2"]
    tools.pub(V5, "-t", tools.topic, "-m", "m", *said)
    assert subscriber.wait() == 0
    assert received(subscriber) == ["text/plain|back|id-7|1|k:v1 k:v2|m"], subscriber.tail()
