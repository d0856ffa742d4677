# SPDX-License-Identifier: MIT
"""What all tests share: Hypothesis profiles, peers that may be absent, free ports, waiting for a condition."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent

# Last, so that an installed (compiled) mqtt_ref wins over the source: `codegen`, `interop` and `bench` are found here.
# `tests` is imported at once: a client library installs a package of that name.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
    importlib.import_module("tests")
    sys.path.remove(str(ROOT))
    sys.path.append(str(ROOT))

# The short form is the same on every run; the long form looks for what nobody has seen yet.
hypothesis.settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "exhaustive", parent=hypothesis.settings.get_profile("ci"), derandomize=False, max_examples=20_000
)
PROFILE = os.environ.get("MQTT_REF_PROFILE", "ci")
hypothesis.settings.load_profile(PROFILE)

T = TypeVar("T")


class Require:
    """A peer of a test: skips with the reason where it is absent, fails when MQTT_REF_REQUIRE=all is set."""

    def __init__(self, everything: bool) -> None:
        self.everything = everything

    def absent(self, reason: str) -> None:
        """Give up on this test."""
        if self.everything:
            pytest.fail(f"{reason}, and MQTT_REF_REQUIRE=all is set", pytrace=False)
        pytest.skip(reason)

    def that(self, condition: object, reason: str) -> None:
        """Go on only if the condition holds."""
        if not condition:
            self.absent(reason)

    def program(self, name: str) -> str:
        """The path of a program."""
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
        found = shutil.which(name, path=path)
        self.that(found, f"{name} is not installed")
        return found or ""

    def module(self, name: str) -> ModuleType:
        """An importable module that not every installation has."""
        try:
            return importlib.import_module(name)
        except ImportError as error:
            self.absent(f"{name} cannot be imported: {error}")
            raise


@pytest.fixture(scope="session")
def require() -> Require:
    """`require.program("mosquitto")`, `require.module("redis")`, `require.that(condition, reason)`."""
    wish = os.environ.get("MQTT_REF_REQUIRE", "")
    if wish not in ("", "all"):
        pytest.fail(f"MQTT_REF_REQUIRE={wish}: only `all` or nothing", pytrace=False)
    return Require(wish == "all")


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the repository."""
    return ROOT


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that gives a TCP port nobody listens on; prefer `--port 0` where the program says which it took."""

    def port() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return port


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., object]:
    """`wait_until(condition, deadline=10)`: calls it until it gives something true, which it returns, or fails."""

    def wait(condition: Callable[[], T], deadline: float = 10.0, what: str = "") -> T:
        end = time.monotonic() + deadline
        pause = 0.001
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                pytest.fail(f"not within {deadline} s: {what or getattr(condition, '__name__', condition)}")
            time.sleep(pause)
            pause = min(2 * pause, 0.05)

    return wait


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Start three workers per core for `-n auto`: most tests wait for another process most of the time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 3 * cores


LONG = (
    "test_findings",
    "test_odd",
    "test_proof",
    "test_lawful",
    "test_spin",
    "test_faults",
    "test_ours",
    "test_runner",
    "test_restarts",
    "test_kills",
    "test_matrix",
    "test_oracle",
    "test_breaches",
    "test_agreement",
)
"""Files with tests that take many seconds, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin the long tests first, so that no worker is left with them at the end.

    Before them come those that run alone: no worker has to wait for the end of a long one.
    """
    order = {name: at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: -1 if item.get_closest_marker("alone") else order.get(item.path.stem, len(order)))


DOORS: pytest.StashKey[tempfile.TemporaryDirectory[str]] = pytest.StashKey()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every worker of this run the same folder for its locks."""
    if DOORS not in node.config.stash:
        node.config.stash[DOORS] = tempfile.TemporaryDirectory(prefix="mqtt_ref-doors-")
    node.workerinput["doors"] = node.config.stash[DOORS].name


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it, once the workers have gone."""
    if DOORS in config.stash:
        config.stash[DOORS].cleanup()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let nothing run beside a test marked `alone`, however many workers there are."""
    doors = getattr(item.config, "workerinput", {}).get("doors")
    if doors is None or sys.platform == "win32":
        return (yield)
    import fcntl

    alone = item.get_closest_marker("alone") is not None
    with Path(doors, "gate").open("ab") as gate, Path(doors, "room").open("ab") as room:
        fcntl.flock(gate, fcntl.LOCK_EX)  # who waits for the room holds the gate, so that nobody overtakes
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)
