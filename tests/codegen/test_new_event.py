# SPDX-License-Identifier: MIT
"""A hook event is one declaration: in a copy of the project, its declaration and its call are all that is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOOK = "mqtt_ref/hooks/hook.py"
ENGINE = "mqtt_ref/engine/connection.py"
DECLARED = '''    @notify()
    def on_scratch(self, client: Client, count: int) -> Told:
        """A PINGREQ came."""

    @decide(fails="it is not answered", waits=False)
    def on_scratch_allowed(self, client: Client, count: int) -> Answer[bool]:
        """May the client have its PINGRESP?"""

    @transform(fails="it is not answered", waits=False)
    def on_scratch_text(self, client: Client, count: int, text: str) -> Answer[str]:
        """What would be said."""

    # ---------------------------------------------------------------- subscriptions
'''
FIRED = """        elif action == DO_PINGRESP:
            said: object = None
            if self.broker.watch.on_scratch is not None:
                self.broker.watch.on_scratch(self, 1)
            if self.broker.intercept.on_scratch_text is not None:
                said = self.broker.intercept.on_scratch_text(self, 2, "pong")
            if self.broker.intercept.on_scratch_allowed is not None:
                if self.broker.intercept.on_scratch_allowed(self, 3) is not None:
                    return
            print("answered", said)
"""
PROGRAM = """
import asyncio
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Disconnect, Pingreq

class Scratch(Hook):
    async def on_scratch(self, client, count):
        print("told", client.id, count)
    def on_scratch_text(self, client, count, text):
        return {"yes": text.upper(), "wrong": 7}.get(client.id)
    def on_scratch_allowed(self, client, count):
        return {"yes": True, "no": False}.get(client.id)

class Later(Hook):
    def on_scratch_allowed(self, client, count):
        assert client.id != "yes", "the first answer decides"

def ask(port):
    for name in ("yes", "no", "none", "wrong"):
        with RawClient(port) as client:
            client.connect(name)
            client.send(Pingreq(), Disconnect())
            client.until_closed()

async def main():
    async with Server(hooks=[AllowAll(), Scratch(), Later()]) as server:
        await asyncio.wait_for(asyncio.to_thread(ask, server.port), 20)

asyncio.run(main())
"""


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """A copy of the project, as far as a hook event is concerned."""
    for folder in ("spec", "codegen", "mqtt_ref"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(project: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_two_edits(project: Path) -> None:
    replace(project / HOOK, DECLARED.rsplit("\n\n", 1)[1], DECLARED)
    replace(project / ENGINE, "        elif action == DO_PINGRESP:\n", FIRED)
    run(project, "-m", "codegen")
    assert run(project, "-m", "codegen", "--check") == ""
    assert "### `on_scratch(client: Client, count: int) -> None`" in (project / "docs" / "hooks.md").read_text()
    said = run(project, "-c", PROGRAM)
    for line in ("told yes 1", "told no 1", "answered PONG", "answered None", "answered Refusal(0x80"):
        assert line in said
    assert said.count("answered") == 3  # all but "no"
