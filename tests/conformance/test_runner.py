# SPDX-License-Identifier: MIT
"""The runner: limits, profiles, what is left behind, transports, and running from pytest."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from conftest import Require
from mqtt_conformance import peer as peer_module
from mqtt_conformance import runner, testing
from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.faults.meddler import Meddler, Meddling
from mqtt_conformance.faults.spoil import drop
from mqtt_conformance.peer import Peer
from mqtt_conformance.profile import Profile, ProfileError, read_profile
from mqtt_conformance.record import SHOWN_BYTES, SHOWN_RECORDS, Record, shortened
from mqtt_conformance.reports import jsonform, reproducer, steps
from mqtt_conformance.runner import Result, last_alive, probe, run_case, run_cases
from mqtt_conformance.target import Target, TargetError
from mqtt_conformance.verdict import FLOOD, Verdict
from mqtt_ref.hooks import AllowAll
from mqtt_ref.server import Server
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Pingresp, Puback, Publish
from mqtt_ref.wire.primitives import V5
from tests.conformance.lame import lame_broker

PONG = "MQTT5-3.12.4-1/pingresp"
SERVED = "MQTT5-2.1.3-1/vector-flags-pingreq-fixed_header"
ROOT = Path(__file__).parents[2]


def made(body: Callable[[Peer], object], **changes: object) -> Case:
    values = {
        "id": "MQTT5-3.12.4-1/made", "version": 5, "statements": ("MQTT5-3.12.4-1",), "needs": frozenset(),
        "settings": (), "isolated": False, "intent": "Made for a test.", "body": body,
    }  # fmt: skip
    return Case(**{**values, **changes})  # type: ignore[arg-type]


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the broker does not start"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def lame() -> Iterator[Target]:
    with lame_broker() as port:
        target = Target(f"mqtt://127.0.0.1:{port}")
        asyncio.run(probe(target))
        yield target


def test_a_case_has_a_hard_limit(lame: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forever(peer: Peer) -> None:
        await peer.connect()
        await asyncio.sleep(60)

    monkeypatch.setattr(runner, "LIMIT", 0.2)
    result = asyncio.run(run_case(made(forever), lame))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "did not end" in result.message


def test_a_message_that_cannot_be_acknowledged_ends_the_case_alone(lame: Target) -> None:
    async def body(peer: Peer) -> None:
        await peer.connect()
        await peer.send(Puback(0))

    result = asyncio.run(run_case(made(body), lame))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "QoS 0" in result.message


def test_what_fails_once_and_then_passes_is_no_failure(lame: Target) -> None:
    tries: list[bool] = []

    async def body(peer: Peer) -> None:
        await peer.connect()
        tries.append(peer.run.patient)
        peer.check(peer.run.patient, "too early", expected="late", seen="early")

    (result,) = asyncio.run(run_cases([made(body)], lame))
    assert tries == [False, True, True]
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.message == "failed, and passed when each step was given time: too early"
    assert (result.expected, result.seen) == ("late", "early")


def test_a_broker_that_serves_some_clients_no_more_is_not_blamed_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "ANSWER", 0.2)

    async def body(peer: Peer) -> None:
        await peer.connect()
        peer.check(False, "no message came")

    with lame_broker(served=6) as port:
        target = Target(f"mqtt://127.0.0.1:{port}")
        asyncio.run(probe(target, [5]))
        (result,) = asyncio.run(run_cases([made(body)], target))
    assert (result.verdict, result.lost) == (Verdict.INCONCLUSIVE, True)
    assert result.message.endswith("no message came")


def test_a_broker_that_dies_while_a_case_is_tried_again_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "ANSWER", 0.2)

    async def run() -> Result:
        async with Server(hooks=[AllowAll()]) as server:
            dying = Meddling()
            async with Meddler(server.port, dying) as meddler:

                async def body(peer: Peer) -> None:
                    await peer.connect()
                    if peer.run.patient:
                        meddler.meddling = Meddling(down=drop(Connack))
                    peer.check(False, "no message came")

                target = Target(meddler.url)
                await probe(target, [5])
                return (await run_cases([made(body)], target))[0]

    result = asyncio.run(run())
    assert (result.verdict, result.lost) == (Verdict.INCONCLUSIVE, True)
    assert result.message.startswith("the broker does not serve every plain client any more")


def test_what_fails_twice_is_a_failure_although_it_passed_in_between(lame: Target) -> None:
    tries: list[bool] = []

    async def body(peer: Peer) -> None:
        await peer.connect()
        tries.append(len(tries) == 1)
        peer.check(tries[-1], "by chance")

    (result,) = asyncio.run(run_cases([made(body)], lame))
    assert (len(tries), result.verdict, result.message) == (3, Verdict.FAIL, "by chance")


@pytest.mark.parametrize(("versions", "verdict"), [({4, 5}, Verdict.PASS), ({4}, Verdict.FAIL)])
def test_a_broker_of_5_0_may_close_on_a_level_that_is_none(versions: set[int], verdict: Verdict) -> None:
    """3.1.1 asks for return code 0x01; 5.0 lets a server close without a word, and no level says which one holds."""
    slugs = ("vector-protocol-level-connect-protocol_version", "unsupported-level")
    cases = [load_cases()[f"MQTT311-3.1.2-2/{slug}"] for slug in slugs]

    async def run() -> list[Result]:
        silent = Meddling(down=drop(Connack, when=lambda talk, packet: packet.reason_code > 0))
        async with Server(hooks=[AllowAll()]) as server, Meddler(server.port, silent) as meddler:
            target = Target(meddler.url)
            await probe(target)
            target.capabilities.versions = frozenset(versions)
            return await run_cases(cases, target)

    assert [r.verdict for r in asyncio.run(run())] == [verdict] * 2


def test_progress_and_order(lame: Target) -> None:
    cases = [load_cases()[PONG], load_cases()[SERVED]]
    seen: list[Result] = []
    results = asyncio.run(run_cases(cases, lame, progress=seen.append))
    assert [r.case.id for r in results] == [PONG, SERVED]
    assert len(seen) == 2
    assert [r.verdict for r in results] == [Verdict.PASS, Verdict.FAIL]


def test_settings_need_a_profile(lame: Target) -> None:
    async def body(peer: Peer) -> None:
        await peer.connect()

    result = asyncio.run(run_case(made(body, settings=(("maximum_qos", 1),)), lame))
    assert result.verdict is Verdict.UNSUPPORTED
    assert "maximum_qos=1" in result.message


def test_nobody_there() -> None:
    with pytest.raises(TargetError, match=r"accepts no CONNECT|cannot be reached"):
        asyncio.run(probe(Target("mqtt://127.0.0.1:1")))


def test_the_case_that_ended_a_broker_is_named() -> None:
    case = load_cases()[PONG]
    alive, culprit, gone = (Result(case, Verdict.PASS, seconds=1, ended=t) for t in (10.0, 12.0, 13.0))
    culprit.case, gone.lost = load_cases()[SERVED], True
    assert last_alive([alive, culprit, gone]) == [SERVED]


def test_profile_names_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    for text, says in (
        ("nonsense = 1", "nonsense: no such key"),
        ("[capabilities]\nflying = true", "capabilities.flying: no such capability"),
        ("[commands]\nfly = 'x'", "commands.fly: no such command"),
        ('provides = ["luck"]', "'luck' cannot be provided"),
        ("[commands", "profile.toml"),
    ):
        path.write_text(text)
        with pytest.raises(ProfileError, match=says):
            read_profile(path)


def test_a_command_that_fails_is_told() -> None:
    profile = Profile(commands={"restart": "exit 3"})
    with pytest.raises(ProfileError, match="exit code 3"):
        asyncio.run(profile.command("restart"))


PROFILE = ROOT / "conformance" / "profiles" / "mosquitto.toml"


@pytest.fixture
def mosquitto_port(
    require: Require, free_port: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """The port of the Mosquitto that the profile starts."""
    require.program("mosquitto")
    require.that(shutil.which("sh"), "there is no shell")
    port = free_port()
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setenv("DIRECTORY", str(tmp_path / "mosquitto"))
    return port


def test_profile_restarts_and_configures_mosquitto(mosquitto_port: int) -> None:
    profile = read_profile(PROFILE)
    target = Target(f"mqtt://127.0.0.1:{mosquitto_port}")
    seen: list[int] = []

    async def limited(peer: Peer) -> None:
        reply = await peer.connect()
        seen.append(
            reply.properties.maximum_qos if reply.properties and reply.properties.maximum_qos is not None else 2
        )

    async def kept(peer: Peer) -> None:
        await peer.connect()
        await peer.publish(peer.topic(), b"kept", qos=1, retain=True)
        await peer.disconnect()
        await peer.restart()
        await peer.connect()
        await peer.subscribe(peer.topic())
        (message,) = await peer.messages(1)
        peer.equal(message.payload, b"kept", "the payload")

    cases = [
        made(limited, id="a", settings=(("maximum_qos", 1),)),
        made(limited, id="b"),
        made(kept, id="c", needs=frozenset({"restart", "persistence"}), isolated=True),
        made(kept, id="d", needs=frozenset({"kill", "durability"}), isolated=True),
    ]

    async def all_of_it() -> list[Result]:
        await profile.command("start")
        try:
            await target.ready()
            await probe(target)
            return await run_cases(cases, target, profile)
        finally:
            await profile.command("stop")

    results = asyncio.run(all_of_it())
    assert [(r.verdict, r.message) for r in results[:3]] == [(Verdict.PASS, "")] * 3
    assert (results[3].verdict, results[3].message) == (Verdict.UNSUPPORTED, "needs a profile that provides durability")
    assert seen == [2, 1]
    assert target.capabilities.maximum_qos == 2


def test_the_command_starts_restarts_and_stops_what_a_profile_names(mosquitto_port: int, tmp_path: Path) -> None:
    """From the command line, with the shipped profile; what is retained outlives a restart, and nothing is left."""
    url = f"mqtt://127.0.0.1:{mosquitto_port}"
    names = ["MQTT5-3.3.1-5/retained-after-restart", "MQTT311-3.1.2-5/queued-after-restart",
             "MQTT5-3.2.2-9/maximum-qos-told", "MQTT5-3.1.3-8/empty-id-refused"]  # fmt: skip
    words = [sys.executable, "-m", "mqtt_ref", "conformance", url, "--profile", str(PROFILE), "--select", *names]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'conformance'}"}
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 pass, 1 informational" in ran.stdout
    assert not (tmp_path / "mosquitto").exists()
    with pytest.raises(OSError, match=r".*"):
        socket.create_connection(("127.0.0.1", mosquitto_port), 1)


def test_the_script_of_a_case_with_a_restart_asks_for_it() -> None:
    case = load_cases()["MQTT5-3.3.1-5/retained-after-restart"]
    result = Result(case, Verdict.FAIL, trace=[Record(0.1, "client", "restarted", b"", None)])
    script = reproducer.render(result, Target("mqtt://127.0.0.1:1"))
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False, input="\n"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "the broker was restarted here" in ran.stdout


def test_nothing_retained_is_left(require: Require, free_port: Callable[[], int], tmp_path: Path) -> None:
    program = require.program("mosquitto")
    port = free_port()
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    broker = subprocess.Popen([program, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        target = Target(f"mqtt://127.0.0.1:{port}")
        cases = [c for c in load_cases().values() if "retain" in c.id or "will" in c.id or "-publish-" in c.id]

        async def all_of_it() -> list[str]:
            await probe(target)
            await run_cases(cases, target)
            watcher = Peer(runner._run("watcher"), target, 5, "watcher")
            await watcher.connect()
            await watcher.subscribe("#")
            await watcher.barrier()
            await watcher._wait(lambda: False, 0.3)
            left = [p.topic for p in watcher.inbox if isinstance(p, Publish)]
            await watcher.disconnect()
            return left

        assert asyncio.run(all_of_it()) == []
    finally:
        broker.terminate()
        broker.wait(10)


def test_tls_with_a_client_certificate(require: Require, free_port: Callable[[], int], tmp_path: Path) -> None:
    program, trustme = require.program("mosquitto"), require.module("trustme")
    authority = trustme.CA()
    server, client = authority.issue_cert("localhost"), authority.issue_cert("client@example.org")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, certificate in (("server", server), ("client", client)):
        certificate.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        certificate.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
    port = free_port()
    (tmp_path / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nrequire_certificate true\ncafile {tmp_path}/ca.pem\n"
        f"certfile {tmp_path}/server.pem\nkeyfile {tmp_path}/server.key\nuser root\n"
    )
    tmp_path.chmod(0o755)
    broker = subprocess.Popen([program, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        words = [
            sys.executable, "-m", "mqtt_ref", "conformance", f"mqtts://localhost:{port}", "--select", PONG,
            "MQTT5-3.8.4-1/suback", "--cafile", tmp_path / "ca.pem",
        ]  # fmt: skip
        env = {"PYTHONPATH": f"{ROOT}:{ROOT / 'conformance'}", "PATH": "/usr/bin:/bin"}
        with_it = [*words, "--cert", tmp_path / "client.pem", "--key", tmp_path / "client.key"]
        ran = subprocess.run(with_it, capture_output=True, text=True, timeout=60, check=False, env=env)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "2 pass" in ran.stdout
        ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=env)
        assert ran.returncode == 2, ran.stdout + ran.stderr
    finally:
        broker.terminate()
        broker.wait(10)


def test_websocket(require: Require) -> None:
    server = require.module("websockets.asyncio.server")

    async def serve(link: object) -> None:
        async for data in link:  # type: ignore[attr-defined]
            pings = sum(byte >> 4 == 12 for byte in data[::2]) if data[0] >> 4 == 12 else 0
            answer = b"\x20\x03\x00\x00\x00" if data[0] >> 4 == 1 else b"\xd0\x00" * pings
            if answer:
                await link.send(answer)  # type: ignore[attr-defined]

    async def all_of_it() -> list[Result]:
        async with server.serve(serve, "127.0.0.1", 0, subprotocols=["mqtt"]) as listening:
            port = listening.sockets[0].getsockname()[1]
            target = Target(f"ws://127.0.0.1:{port}/mqtt")
            await probe(target, (5,))
            return await run_cases([load_cases()[PONG], load_cases()[SERVED]], target)

    assert [r.verdict for r in asyncio.run(all_of_it())] == [Verdict.PASS, Verdict.FAIL]


@testing.cases(protocol="5", select_only=[PONG, "MQTT5-2.1.3-1"], skip=[SERVED])
def test_from_pytest(mqtt_case: Case, lame: Target) -> None:
    if mqtt_case.id == PONG:
        assert testing.check(mqtt_case, lame.url).verdict is Verdict.PASS


def test_from_pytest_a_failure_says_all(lame: Target) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"MQTT5-2\.1\.3-1 .*section 2\.1\.3[\s\S]*c1 00"):
        testing.check(load_cases()[SERVED], lame.url)


def test_from_pytest_knows_failures(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text(f'[[failure]]\ncase = "{SERVED}"\nreason = "not checked"\n')
    mark = testing.cases(protocol="5", select_only=[SERVED, PONG], expect=known)
    assert [bool(p.marks) for p in mark.args[1]] == [True, False]
    with pytest.raises(ValueError, match="no such version"):
        testing.cases(protocol="7")


class Flooding:
    """A broker that accepts every client, and then sends the same bytes without end; counts how many it could send."""

    def __init__(self, flood: bytes) -> None:
        self.flood = flood
        self.sent = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(1000)
            writer.write(encode(V5, Connack()))
            while True:
                writer.write(self.flood)
                await writer.drain()
                self.sent += len(self.flood)
        except OSError:
            pass
        finally:
            writer.transport.abort()


BUFFERS = 8 * 1024 * 1024
"""Bytes that the system may hold between the two."""


@pytest.mark.parametrize(
    "flood",
    [
        encode(V5, Publish("foreign", bytes(60_000))),
        encode(V5, Pingresp()) * 1000,
        b"\x36\x05\x00\x01a\x00\x00" * 1000,  # QoS 3
        bytes(60_000),
    ],
    ids=["messages", "small packets", "broken packets", "zeros"],
)
def test_a_broker_that_never_stops_sending_is_not_read_without_end(flood: bytes) -> None:
    async def waits(peer: Peer) -> None:
        await peer.connect()
        await peer.barrier()
        await peer.silent()

    async def closed(peer: Peer) -> None:
        await peer.connect()
        await peer.expect_closed()

    async def run() -> list[Result]:
        broker = Flooding(flood)
        server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            target = Target(f"mqtt://127.0.0.1:{port}")
            await probe(target, (5,))
            before = broker.sent
            found = [await run_case(made(waits), target), await run_case(made(closed), target)]
            assert broker.sent - before <= 2 * (FLOOD + BUFFERS)
        return found

    for result in asyncio.run(run()):
        assert result.verdict is not Verdict.PASS
        assert result.proven or result.verdict is Verdict.INCONCLUSIVE, result
        kept = [record for record in result.trace if record.what == "in"]
        assert sum(len(record.raw) for record in kept) <= SHOWN_BYTES + 65_536
        assert len(kept) <= SHOWN_RECORDS
        target = Target("mqtt://127.0.0.1")
        assert len(jsonform.render([result], target)) < 8 * SHOWN_BYTES


def test_a_flood_over_websocket_ends_the_case_too() -> None:
    async def waits(peer: Peer) -> None:
        await peer.connect()
        await peer.expect_closed()

    async def flood(link: ServerConnection) -> None:
        await link.recv()
        await link.send(encode(V5, Connack()))
        await link.send(bytes(FLOOD + 1))
        await link.wait_closed()

    async def run() -> Result:
        async with serve(flood, "127.0.0.1", 0, subprotocols=[Subprotocol("mqtt")]) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await run_case(made(waits), Target(f"ws://127.0.0.1:{port}"))

    result = asyncio.run(run())
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "more than 8 MB" in result.message


def test_a_long_trace_is_shown_from_its_beginning_with_all_that_the_client_did() -> None:
    ping = Pingresp()
    trace = [Record(n / 10, "client", "out" if n % 100 == 0 else "in", b"\xd0\0", ping) for n in range(5000)]
    shown = shortened(trace)
    assert [record.t for record in shown if record.what == "out"] == [n / 10 for n in range(0, 5000, 100)]
    assert len([record for record in shown if record.what == "in"]) == SHOWN_RECORDS
    assert shown[-1].what == "left out"
    assert list(steps.lines(shown))[-1].endswith("-- left out: 3,950 more packets of the broker")
    assert shortened(trace[:500]) == trace[:500]
    large = [Record(0.0, "client", "in", bytes(SHOWN_BYTES), None), Record(0.1, "client", "in", b"1", None)]
    assert [record.what for record in shortened(large)] == ["in", "left out"]
