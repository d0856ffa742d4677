# SPDX-License-Identifier: MIT
"""Our broker keeps the rules whatever carries its packets: a part of the suite over each listener, or all of it.

MQTT_REF_PROFILE=exhaustive runs all of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
import trustme

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.profile import Profile
from mqtt_conformance.runner import probe, run_cases
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.listener import Listener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.net.unix import UnixListener
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.server import Server

VERSIONS = [5, 4, 3]
ALL = os.environ.get("MQTT_REF_PROFILE") == "exhaustive"
SHARE = 9
"""One of so many cases runs; whatever depends on what carries the packets runs always."""


def chosen() -> list[Case]:
    cases = list(load_cases().values())
    if ALL:
        return cases
    carried = [case for case in cases if case.needs & {"ws", "tls", "tcp"}]
    return list({case.id: case for case in [*cases[::SHARE], *carried]}.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = tmp_path_factory.mktemp("listeners")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(there / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(there / "server.pem")
    return there


def listener(kind: str, folder: Path) -> Listener:
    tls = TlsSettings(folder / "server.pem")
    if kind == "unix":
        if sys.platform == "win32":
            pytest.skip("no Unix sockets there")
        return UnixListener(folder / "mqtt.sock")
    if kind in ("ws", "wss"):
        return WebSocketListener(port=0, tls=tls if kind == "wss" else None)
    return TcpListener(port=0, tls=tls if kind == "mqtts" else None)


@pytest.mark.parametrize("kind", ["mqtt", "mqtts", "ws", "wss", "unix"])
def test_the_suite_passes(kind: str, folder: Path) -> None:
    async def run() -> Counter[Verdict]:
        async with Server(listeners=[listener(kind, folder)], hooks=[AllowAll()]) as server:
            target = Target(server.url, cafile=str(folder / "ca.pem"))
            assert target.scheme == kind
            await probe(target, VERSIONS)
            results = await run_cases(chosen(), target, Profile(), jobs=16)
        assert [f"{r.case.id}: {r.message}: {r.seen}" for r in results if r.verdict is Verdict.FAIL] == []
        return Counter(result.verdict for result in results)

    verdicts = asyncio.run(run())
    assert set(verdicts) <= {Verdict.PASS, Verdict.INFORMATIONAL, Verdict.UNSUPPORTED}
    assert verdicts[Verdict.PASS] > (1600 if ALL else 150)
