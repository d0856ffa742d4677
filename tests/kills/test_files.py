# SPDX-License-Identifier: MIT
"""Back ends on a disk that fails, without a broker; and that the tools of these tests do what they say."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.storage.port import KeyValue, StoreError
from mqtt_ref.storage.url import store_at
from tests.kills import faults
from tests.kills.faults import Shim, copied, power_failure
from tests.kills.places import environment

__all__: list[str] = []

# Writes `key = value` for each line `key value`, and says `ok` or the error; `?` says all pairs.
WRITER = """
import sys
from mqtt_ref.storage.port import StoreError
from mqtt_ref.storage.url import store_at
store = store_at(sys.argv[1], sys.argv[2]).back_end
store.open(write=True, create=True)
print("ready", flush=True)
for line in sys.stdin:
    try:
        if line == "?\\n":
            print(sorted(store.scan(b"")), flush=True)
            continue
        key, value = line.split()
        store.write({key.encode(): value.encode() * 100})
        print("ok", flush=True)
    except StoreError as error:
        print(f"error {error}", flush=True)
"""
KINDS = [("sqlite", ""), ("lmdb", "lmdb"), ("rocksdb", "rocksdict")]


class Writer:
    """A process that writes to a back end under the library."""

    def __init__(self, address: str, shim: Shim, durability: str = "full") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, address, durability],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(shim.environment(noted=True)),
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def ask(self, line: str) -> str:
        """Say a line, and return the answer; empty: it was killed."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._line()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, require: Any) -> Path:
    require.program("gcc")
    return faults.build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where that is to be had: what a disk does is up to the library."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mqtt_ref-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def shim(library: Path, tmp_path: Path) -> Iterator[Shim]:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "scratch").mkdir()
    found = Shim(library, root, tmp_path / "scratch")
    yield found
    found.close()


@pytest.fixture(params=KINDS, ids=[kind for kind, _ in KINDS])
def address(request: pytest.FixtureRequest, shim: Shim, require: Any) -> str:
    kind, module = request.param
    if module:
        require.module(module)
    return f"{kind}:{shim.root / 'store'}"


def back_end(address: str) -> KeyValue:
    found = store_at(address).back_end
    found.open(write=True, create=False)
    return found


def pairs(address: str) -> dict[bytes, bytes]:
    found = back_end(address)
    try:
        return dict(found.scan(b""))
    finally:
        found.close()


@pytest.mark.parametrize("how", faults.CUTS)
def test_what_was_written_survives_a_power_failure(address: str, shim: Shim, tmp_path: Path, how: str) -> None:
    copied(shim.root, tmp_path / "before")
    writer = Writer(address, shim)
    try:
        for number in range(20):
            assert writer.ask(f"key{number} {number}") == "ok"
        shim.arm(faults.KILL_BEFORE, faults.SYNC, 1)
        assert writer.ask("last last") == ""
        assert shim.hits == 1
    finally:
        writer.kill()
    cut = power_failure(shim.root, tmp_path / "before", shim.log, how, random.Random(1))
    assert cut.writes > 0
    found = pairs(address)
    assert {f"key{number}".encode() for number in range(20)} <= set(found)
    assert all(value in (key[3:] * 100, b"last" * 100) for key, value in found.items())


@pytest.mark.parametrize("durability", ["normal", "off"])
def test_less_durability_loses_writes_in_a_power_failure(
    address: str, shim: Shim, tmp_path: Path, durability: str
) -> None:
    """The power failure of these tests takes what is not safe."""
    copied(shim.root, tmp_path / "before")
    writer = Writer(address, shim, durability)
    try:
        for number in range(20):
            assert writer.ask(f"key{number} {number}") == "ok"
    finally:
        writer.kill()
    power_failure(shim.root, tmp_path / "before", shim.log, "lost", random.Random(1))
    try:
        found = pairs(address)
    except OSError:
        assert durability == "off"
        found = {}
    if address.startswith("lmdb") and durability == "normal":
        assert 19 <= len(found) <= 20  # it may lose the last write only
    else:
        assert len(found) < 20


@pytest.mark.parametrize(("kind", "module", "log"), [("sqlite", "", "store-wal"), ("rocksdb", "rocksdict", "*.log")])
def test_a_log_that_is_cut_off_anywhere(
    shim: Shim, tmp_path: Path, require: Any, kind: str, module: str, log: str
) -> None:
    """A disk that lied: the store opens, and has all writes up to one of them, or says that it is damaged."""
    if module:
        require.module(module)
    address = f"{kind}:{shim.root / 'store'}"
    writer = Writer(address, shim)
    for number in range(30):
        assert writer.ask(f"key{number:02} {number}") == "ok"
    writer.kill()
    copied(shim.root, tmp_path / "whole")
    (name,) = (path.relative_to(shim.root) for path in shim.root.rglob(log))
    size = (shim.root / name).stat().st_size
    rng = random.Random(1)
    lengths = set()
    refused = []
    for cut in [size - 1, size - 600, *(rng.randrange(size) for _ in range(10))]:
        copied(tmp_path / "whole", shim.root)
        os.truncate(shim.root / name, cut)
        try:
            found = sorted(pairs(address))
        except StoreError:
            refused.append(cut)
            continue
        assert found == [f"key{number:02}".encode() for number in range(len(found))]
        lengths.add(len(found))
    assert max(refused, default=0) < 600  # not even the table was made
    assert len(lengths) > 5
    assert max(lengths) == 29


@pytest.mark.parametrize("on", [faults.SYNC, faults.WRITE | faults.TRUNCATE], ids=["fsync", "full"])
def test_a_disk_that_failed_and_works_again(address: str, shim: Shim, tmp_path: Path, on: int) -> None:
    """After the error the same process goes on writing, and nothing that it said to be stored is lost."""
    copied(shim.root, tmp_path / "before")
    writer = Writer(address, shim)
    stored: dict[str, str] = {}
    try:
        for number in range(10):
            assert writer.ask(f"key{number} before") == "ok"
            stored[f"key{number}"] = "before"
        shim.arm(faults.FAIL, on, 1, error=errno.EIO if on == faults.SYNC else errno.ENOSPC)
        failed = [writer.ask(f"key{number} failed") for number in range(2)]
        assert all(answer.startswith("error") for answer in failed), failed
        shim.disarm()
        for number in range(5, 15):
            assert writer.ask(f"key{number} after") == "ok"
            stored[f"key{number}"] = "after"
        found = writer.ask("?")
        assert found.count("after" * 100) == 10
        assert "failed" not in found
    finally:
        writer.kill()
    power_failure(shim.root, tmp_path / "before", shim.log, "lost", random.Random(1))
    found = {key.decode(): value.decode() for key, value in pairs(address).items()}
    for key, value in stored.items():
        if value == "after":
            assert found[key] == value * 100
        else:
            assert found[key] in (value * 100, "failed" * 100)


def filled(address: str) -> dict[bytes, bytes]:
    store = store_at(address)
    store.open()
    store.back_end.write({b"x%d" % number: bytes(1000) for number in range(200)})
    store.close()
    return pairs(address)


def compact(address: str, shim: Shim) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mqtt_ref", "store", "compact", address],
        env=environment(shim.environment(noted=True)),
        capture_output=True,
        text=True,
    )


def test_a_compaction_survives_a_power_failure(address: str, shim: Shim, tmp_path: Path) -> None:
    before = filled(address)
    copied(shim.root, tmp_path / "before")
    done = compact(address, shim)
    assert done.returncode == 0, done.stderr
    power_failure(shim.root, tmp_path / "before", shim.log, "lost", random.Random(1))
    assert pairs(address) == before


def test_a_compaction_that_was_killed_is_done_again(address: str, shim: Shim) -> None:
    before = filled(address)
    shim.arm(faults.KILL_AFTER, faults.ANY, 1 << 30)
    assert compact(address, shim).returncode == 0
    most = shim.seen
    assert most
    for nth in {1, most // 2, most}:
        shim.arm(faults.KILL_AMID, faults.ANY, max(1, nth))
        compact(address, shim)
        shim.disarm()
        assert pairs(address) == before
        done = compact(address, shim)
        assert done.returncode == 0, done.stderr
        assert pairs(address) == before
