# SPDX-License-Identifier: MIT
"""Runs of pytest in a process of their own, as a user has them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agreement import recorded_as_live

__all__ = ["Outcome", "recorded_as_live", "run_pytest"]

MODULE = "import pytest\nfrom mqtt_ref.testing.rawclient import RawClient\nfrom mqtt_ref.wire.packets import *\n"

PLUGINS = ["-p", "no:cacheprovider", "-p", "mqtt_ref.testing.plugin", "-p", "xdist", "-p", "pytest_timeout"]


class Outcome:
    """How a run ended, and what it printed."""

    def __init__(self, code: int, out: str) -> None:
        self.code = code
        self.out = out

    def counts(self, **wanted: int) -> None:
        """The last line counts these outcomes, and no others."""
        words = self.out.strip().splitlines()[-1].replace("=", "").replace(",", " ").split(" in ")[0].split()
        found = {
            name.rstrip("s") if name == "errors" else name: int(count)
            for count, name in zip(words[::2], words[1::2], strict=True)
        }
        assert found == wanted, self.out


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., Outcome]:
    """`run_pytest("def test_...", "-v")`: runs this module with pytest, no configuration but its arguments."""

    def run(source: str, *arguments: str, config: str = "[pytest]\n", conftest: str = "") -> Outcome:
        (tmp_path / "test_it.py").write_text(MODULE + source)
        (tmp_path / "pytest.ini").write_text(config)
        if conftest:
            (tmp_path / "conftest.py").write_text(conftest)
        command = [sys.executable, "-m", "pytest", *PLUGINS, "--strict-markers", "--timeout", "60", *arguments]
        env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=100)
        return Outcome(done.returncode, done.stdout + done.stderr)

    return run
