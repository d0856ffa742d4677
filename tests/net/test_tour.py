# SPDX-License-Identifier: MIT
"""The tour in the README: its configuration is served, its commands and its program do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PORTS = (1883, 1882, 8080)


def block(root: Path, language: str, number: int = 0) -> str:
    tour = (root / "README.md").read_text(encoding="utf-8").split("<!-- tour -->")[1].split("<!-- end of tour -->")[0]
    return re.findall(rf"```{language}\n(.*?)```", tour, re.DOTALL)[number]


@pytest.fixture
def ours(free_port: Callable[[], int]) -> Callable[[str], str]:
    """Puts free ports in the place of the usual ones."""
    ports = {str(port): str(free_port()) for port in PORTS}
    return lambda text: re.sub("|".join(ports), lambda found: ports[found[0]], text)


def test_its_commands(
    root: Path, tmp_path: Path, serve: Callable[..., Any], require: Any, ours: Callable[[str], str]
) -> None:
    for name in ("mosquitto_pub", "mosquitto_sub", "curl"):
        require.program(name)
    file = tmp_path / "broker.yaml"
    file.write_text(ours(block(root, "yaml")))
    first, second = block(root, "sh").splitlines()
    assert second == "mqtt-ref serve --config broker.yaml"
    check = [sys.executable, "-m", "mqtt_ref", *first.split()[1:]]
    assert subprocess.run(check, cwd=tmp_path, timeout=30, check=True, capture_output=True).stdout == (
        b"broker.yaml: fine\n"
    )
    serve("--config", str(file), port=None).out.wait("^listening on http:")
    script = "set -e\n" + ours(block(root, "sh", 1))
    done = subprocess.run(["bash", "-c", script], timeout=30, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("ripe\n")
    for part in ('"topic":"garden/melon"', "mqtt_ref_clients_connected 0", '"matched'):
        assert part in done.stdout, done.stdout


def test_a_message_outlives_the_broker(root: Path, tmp_path: Path, require: Any, free_port: Callable[[], int]) -> None:
    for name in ("mosquitto_pub", "mosquitto_sub"):
        require.program(name)
    port = str(free_port())
    text = block(root, "sh", 2).replace("1883", port).replace("serve ", f"serve --port {port} ")
    script = f'set -e\nmqtt-ref() {{ exec "{sys.executable}" -m mqtt_ref "$@"; }}\n' + text.replace(
        "until mqtt-ref ", f"until '{sys.executable}' -m mqtt_ref "
    )
    command = ["timeout", "60", "bash", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, timeout=90, check=False, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if not line.startswith("listening on ")] == ["ripe again"]


def test_its_program(root: Path) -> None:
    source = block(root, "python")
    done = subprocess.run([sys.executable, "-c", source], timeout=30, check=True, capture_output=True, text=True)
    lines = sorted(done.stdout.splitlines())
    assert len(lines) == 3
    assert lines[0] == "['garden/melon']"
    assert lines[1] == "garden/melon ripe"
    assert re.fullmatch(r"mqtt://127\.0\.0\.1:\d+", lines[2])
