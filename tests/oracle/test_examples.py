# SPDX-License-Identifier: MIT
"""The examples in `examples/oracle/` do what they say, each in its own language."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.http import Guard, HttpListener
from mqtt_ref.oracle.control import Control
from mqtt_ref.oracle.plan import read_plan
from mqtt_ref.threaded import ThreadedServer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "oracle"
JS = ROOT / "tests" / "js"


def run(*command: str, **env: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, env={**os.environ, "PATH": path, **env}, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def oracle() -> Iterator[str]:
    control = Control()
    listener = HttpListener(port=0, app=control.app, guard=Guard("secret"))
    with ThreadedServer(listeners=[listener], hooks=[control]):
        yield f"http://127.0.0.1:{listener.port}"


def test_python() -> None:
    pytest.importorskip("paho.mqtt.client")
    assert "acknowledged" in run(sys.executable, str(EXAMPLES / "lost_puback.py"))


def test_script() -> None:
    assert [rule.name for rule in read_plan(EXAMPLES / "disturb.yaml").rules] == [
        "lost",
        "slow",
        "cut",
        "nonsense",
        "away",
    ]


def test_shell(oracle: str, require: Any) -> None:
    require.program("curl")
    out = run("sh", str(EXAMPLES / "lost_puback.sh"), ORACLE=oracle, TOKEN="secret")
    assert '"type": "CONNACK"' in out
    assert '"clean":true' in out


def test_javascript(oracle: str, require: Any) -> None:
    node = require.program("node")
    require.that((JS / "node_modules" / "mqtt").is_dir(), "MQTT.js is not installed: npm ci --prefix tests/js")
    run(node, "--test", str(EXAMPLES / "lost_puback.mjs"), ORACLE=oracle, TOKEN="secret", MODULES=str(JS / "x.mjs"))


@pytest.mark.timeout(300)
def test_go(oracle: str, require: Any, tmp_path: Path) -> None:
    go = require.program("go")
    shutil.copy(EXAMPLES / "lost_puback_test.go", tmp_path)
    # Its own cache would mean to build Go's library anew, which takes minutes on a busy machine.
    env = {"GO111MODULE": "off", "GOFLAGS": ""}
    run(go, "test", str(tmp_path / "lost_puback_test.go"), ORACLE=oracle, TOKEN="secret", **env)
