# SPDX-License-Identifier: MIT
"""The page about hooks: its example runs, and every event is on it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from mqtt_ref.hooks.declare import EVENTS
from mqtt_ref.testing.rawclient import RawClient


def page(root: Path) -> str:
    return (root / "docs" / "hooks.md").read_text(encoding="utf-8")


def test_the_example_runs(root: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", page(root), re.DOTALL)
    made: dict[str, Any] = {}
    exec(source, made)

    def client(port: int) -> None:
        with RawClient(port) as one:
            one.connect("carol")
            one.subscribe("#")
            one.publish("hello", b"there")
            one.publish("admin/x", b"no")
            one.publish("other", b"as it was")
            assert [one.message().payload for _ in range(2)] == [b"carol: there", b"as it was"]

    async def run() -> None:
        async with made["server"] as server:
            await asyncio.wait_for(asyncio.to_thread(client, server.port), 20)

    asyncio.run(run())


def test_every_event_is_on_it(root: Path) -> None:
    text = page(root)
    assert re.findall(r"^### `(\w+)\(", text, re.MULTILINE) == list(EVENTS)
    for event in EVENTS.values():
        section = text.split(f"### `{event.name}(")[1].split("### ")[0]
        kind = {"notify": "notifies", "transform": "changes", "decide": "decides", "load": "loads"}[event.kind]
        assert f"*{kind}; " in section
        assert ("; plain;" in section) == (not event.waits)
        if event.kind in {"transform", "decide"}:
            assert f"when it raises: {event.fails}" in section
