# SPDX-License-Identifier: MIT
"""A hook event that nothing fires is found, with the place where it is declared and what to write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codegen.fired import FOLDERS, not_fired

HOOK = "mqtt_ref/hooks/hook.py"
NEVER = '''    # ---------------------------------------------------------------- connections

    @{}
    def on_never(self, client: Client, late: bool) -> Told:
        """A PINGREQ came."""
'''


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """The code that is read, to be damaged."""
    for folder in FOLDERS:
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def declare(project: Path, decorator: str) -> None:
    replace(project / HOOK, NEVER.split("\n", 1)[0] + "\n", NEVER.format(decorator))


def test_every_event_is_fired(root: Path) -> None:
    assert not_fired(root) == []


def test_a_notification_that_nothing_fires(project: Path) -> None:
    declare(project, "notify()")
    (finding,) = not_fired(project)
    assert finding.startswith(f"{HOOK}:")
    assert "event on_never: nothing in mqtt_ref/engine or mqtt_ref/broker or mqtt_ref/hooks fires it" in finding
    line = "if broker.watch.on_never is not None: broker.watch.on_never(connection, late)"
    assert finding.endswith(f"write `{line}`")
    replace(
        project / "mqtt_ref/broker/wills.py",
        "def decided(",
        f"def ping(broker, connection, late):\n        {line}\n\n    def decided(",
    )
    assert not_fired(project) == []


@pytest.mark.parametrize(
    "decorator",
    [
        "transform(fails='it is closed', by='output')",
        "decide(fails='denied', by='access')",
        "notify(by='server')",
        "load()",
    ],
)
def test_an_event_of_another_kind(project: Path, decorator: str) -> None:
    declare(project, decorator)
    (finding,) = not_fired(project)
    assert "event on_never: nothing in " in finding


def test_a_call_that_is_gone(project: Path) -> None:
    replace(project / "mqtt_ref/broker/wills.py", "watch.on_will_sent(", "print(")
    (finding,) = not_fired(project)
    assert "event on_will_sent: nothing in " in finding


def test_a_call_with_another_number_of_arguments(project: Path) -> None:
    replace(project / "mqtt_ref/broker/wills.py", "watch.on_will_sent(session, message)", "watch.on_will_sent(session)")
    (finding,) = not_fired(project)
    assert finding.startswith("mqtt_ref/broker/wills.py:")
    assert "event on_will_sent is fired with 1 arguments" in finding


def test_a_load_that_is_not_asked_for(project: Path) -> None:
    replace(project / "mqtt_ref/hooks/dispatch.py", 'await self._load("stored_sys_info")', "None")
    (finding,) = not_fired(project)
    assert "event stored_sys_info: nothing in " in finding
