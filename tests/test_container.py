# SPDX-License-Identifier: MIT
"""What the Containerfile runs, run without a container: the commands, their variables, and the check."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")


def words(instruction: str) -> list[str]:
    """The last command of that instruction in its JSON form."""
    found = re.findall(rf"^{instruction}\b.*?(\[.*\])$", TEXT, re.MULTILINE)
    return [str(word) for word in json.loads(found[-1])]


@contextmanager
def running(arguments: list[str], pattern: str, **variables: str) -> Iterator[re.Match[str]]:
    assert words("ENTRYPOINT") == ["mqtt-ref"]
    command = [sys.executable, "-m", "mqtt_ref", *arguments]
    env = {**os.environ, **variables}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                match = re.search(pattern, line)
                if match:
                    yield match
                    return
            raise AssertionError(f"it ended without a line like {pattern!r}: {lines}")
        finally:
            process.terminate()
            process.communicate(timeout=20)


def healthy(port: str) -> subprocess.CompletedProcess[str]:
    check = words("HEALTHCHECK")
    assert check[:2] == ["mqtt-ref", "ping"]
    command = [sys.executable, "-m", "mqtt_ref", *check[1:], f"mqtt://127.0.0.1:{port}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_the_broker_and_its_health_check() -> None:
    with running([*words("CMD"), "--port", "0"], r"mqtt://0\.0\.0\.0:(\d+)") as found:
        assert healthy(found[1]).returncode == 0
    done = healthy(found[1])
    assert (done.returncode, "no server listens there" in done.stderr) == (2, True)


def test_the_broker_is_configured_by_variables() -> None:
    arguments = [*words("CMD"), "--port", "0"]
    name = "MQTT_REF__OPTIONS__CAPABILITIES__MINIMUM_PROTOCOL_VERSION"
    with running(arguments, r"mqtt://0\.0\.0\.0:(\d+)", **{name: "5"}) as found:
        done = healthy(found[1])  # it speaks 3.1.1
        assert (done.returncode, "Connack(" in done.stderr) == (1, True)


def test_the_oracle_in_the_container(tmp_path: Path) -> None:
    line = re.search(r"mqtt_ref \\\n#\s+(oracle control .*)$", TEXT, re.MULTILINE)
    assert line is not None
    arguments = line[1].replace("--first-port 1883", "--first-port 0").split()
    token = {"MQTT_REF_ORACLE_TOKEN": "secret"}
    with running([*arguments, "--port", "0"], r"http://0\.0\.0\.0:(\d+)", **token) as found:
        from http.client import HTTPConnection

        link = HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
        link.request("GET", "/v1/brokers", headers={"authorization": "Bearer secret"})
        (broker,) = json.loads(link.getresponse().read())["brokers"]
        link.close()
        assert broker["id"] == "1"
        assert healthy(str(broker["port"])).returncode == 0


def test_it_runs_as_nobody_in_particular() -> None:
    user = re.findall(r"^USER (.*)$", TEXT, re.MULTILINE)
    assert user == ["10001"]
    assert "VOLUME" not in TEXT
