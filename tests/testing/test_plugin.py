# SPDX-License-Identifier: MIT
"""The pytest plugin, in runs of pytest as users have them."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.testing import plugin
from mqtt_ref.wire.pcap import streams

Outcome = Any


FAULTY = """
def test_faulty(mqtt_oracle):
    client = RawClient(mqtt_oracle.port)
    client.connect("melon")
    client.send(b"\\xc1\\x00")
    client.ping()
    client.disconnect()
"""


def test_a_broker_is_ready_when_the_test_begins(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
def test_ready(mqtt_broker):
    assert mqtt_broker.url == f"mqtt://{mqtt_broker.host}:{mqtt_broker.port}"
    with RawClient(mqtt_broker.port, mqtt_broker.host) as client:
        client.connect("melon")
        assert mqtt_broker.client("melon").connected

def test_the_next_has_one_of_its_own(mqtt_broker):
    assert mqtt_broker.clients() == []
"""
    )
    outcome.counts(passed=2)


def test_a_factory_gives_as_many_as_one_asks_for(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
started = []

def test_two(mqtt_broker_factory):
    started.extend([mqtt_broker_factory(), mqtt_broker_factory(maximum_qos=1)])
    assert len({broker.port for broker in started}) == 2
    with RawClient(started[1].port) as client:
        assert client.connect("melon").properties.maximum_qos == 1

def test_they_run_until_the_end(mqtt_broker_factory):
    with RawClient(started[0].port) as client:
        client.connect("melon")
"""
    )
    outcome.counts(passed=2)


def test_a_client_that_breaks_a_rule_fails_the_test(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(FAULTY)
    outcome.counts(failed=1)
    assert "MQTT5-2.1.3-1" in outcome.out
    trace = outcome.out.partition("MQTT trace")[2]
    assert re.search(r"#1 melon -> .*MQTT5-2\.1\.3-1", trace), outcome.out
    assert re.search(r"#1 melon <- CONNACK", trace), outcome.out
    assert "MQTT findings" in outcome.out


def test_what_is_broken_behind_the_test_fails_too(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
@pytest.fixture
def client(mqtt_oracle):
    client = RawClient(mqtt_oracle.port)
    client.connect("melon")
    yield client
    client.send(b"\\xc1\\x00")
    client.disconnect()

def test_late(client):
    client.ping()
"""
    )
    outcome.counts(passed=1, error=1)
    assert "MQTT5-2.1.3-1" in outcome.out
    assert outcome.out.count("MQTT trace") == 1


def test_a_finding_is_told_once(run_pytest: Callable[..., Outcome]) -> None:
    run_pytest(FAULTY + "    mqtt_oracle.check()\n").counts(failed=1)


def test_a_failing_test_shows_the_trace_of_a_broker_without_judge(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
def test_fails(mqtt_broker):
    with RawClient(mqtt_broker.port) as client:
        client.connect("melon")
    assert False
"""
    )
    outcome.counts(failed=1)
    assert re.search(r"MQTT trace.*#1 melon -> CONNECT", outcome.out, re.DOTALL), outcome.out


@pytest.mark.parametrize(
    "mark",
    [
        '@pytest.mark.mqtt_allow("MQTT5-2.1.3-1")',
        '@pytest.mark.mqtt_allow("MQTT-2.1.3-1")',
        "@pytest.mark.xfail(strict=True)",
    ],
)
def test_a_known_fault_can_be_allowed_or_expected(run_pytest: Callable[..., Outcome], mark: str) -> None:
    outcome = run_pytest(FAULTY.replace("def ", mark + "\ndef "))
    outcome.counts(**{"xfailed" if "xfail" in mark else "passed": 1})


def test_markers_set_up_the_broker(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import Hook

pytestmark = pytest.mark.mqtt_options(receive_maximum=3, maximum_qos=0)

@pytest.mark.parametrize("fixture", ["mqtt_broker", "mqtt_oracle"])
@pytest.mark.mqtt_options(maximum_qos=1)
def test_the_closest_wins(request, fixture):
    with RawClient(request.getfixturevalue(fixture).port) as client:
        properties = client.connect("melon").properties
        client.disconnect()
    assert (properties.receive_maximum, properties.maximum_qos) == (3, 1)

@pytest.mark.mqtt_options(on_violation="close")
def test_a_broker_that_closes(mqtt_oracle):
    with RawClient(mqtt_oracle.port) as client:
        client.connect("melon")
        client.send(b"\\xc1\\x00")
        assert type(client.until_closed()[-1]) is Disconnect
    mqtt_oracle.allow("MQTT5-2.1.3-1")

class Nobody(Hook):
    pass

@pytest.mark.mqtt_options(hooks=[Nobody()])
def test_access(mqtt_broker):
    with RawClient(mqtt_broker.port) as client:
        client.send(Connect("melon"))
        assert client.read().reason_code == 0x87

@pytest.mark.mqtt_options(hooks=[])
def test_no_hooks_let_nobody_in(mqtt_broker):
    with RawClient(mqtt_broker.port) as client:
        assert client.connect("melon").reason_code == 0x87
"""
    )
    outcome.counts(passed=5)


def test_a_setting_that_there_is_not(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest("@pytest.mark.mqtt_options(maximum_qoss=1)\ndef test_it(mqtt_broker): pass\n")
    outcome.counts(error=1)
    assert "a broker has no option 'maximum_qoss'; perhaps maximum_qos" in outcome.out


def test_one_broker_for_both_fixtures(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
@pytest.fixture
def client(mqtt_broker):
    with RawClient(mqtt_broker.port) as client:
        client.connect("melon")
        yield client
        client.disconnect()

def test_it(client, mqtt_oracle, mqtt_broker):
    assert mqtt_broker is mqtt_oracle.server
    mqtt_oracle.expect(Connect, client_id="melon")

@pytest.mark.usefixtures("mqtt_oracle")
def test_judged(client):
    client.send(b"\\xc1\\x00")
"""
    )
    outcome.counts(passed=1, failed=1)


def test_the_tls_lab(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
import socket, ssl
from mqtt_ref.testing.rawclient import LinkClosed

def talk(listener, context):
    with socket.create_connection((listener.host, listener.port), 5) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as connected:
            client = RawClient(connected=connected)
            client.connect("melon")
            client.disconnect()

def test_good(mqtt_tls, mqtt_oracle):
    talk(mqtt_tls.good, mqtt_tls.context())
    mqtt_oracle.expect(Connect, client_id="melon")

@pytest.mark.parametrize("name", ["expired", "wrong_host", "unknown_ca"])
def test_bad(mqtt_tls, name):
    why = {"expired": "expired", "wrong_host": "mismatch", "unknown_ca": "issuer|self"}[name]
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        talk(getattr(mqtt_tls, name), mqtt_tls.context())

def test_mutual(mqtt_tls):
    talk(mqtt_tls.mutual, mqtt_tls.context(mqtt_tls.client))

@pytest.mark.parametrize("name", ["expired_client", "unknown_client", None])
def test_mutual_bad(mqtt_tls, name):
    with pytest.raises((OSError, LinkClosed), match="(?i)alert|closed|reset"):
        talk(mqtt_tls.mutual, mqtt_tls.context(name and getattr(mqtt_tls, name)))
"""
    )
    outcome.counts(passed=8)


def test_captures_on_request(run_pytest: Callable[..., Outcome], tmp_path: Path) -> None:
    source = (
        "def test_it(mqtt_broker):\n    with RawClient(mqtt_broker.port) as client:\n        client.connect('melon')\n"
    )
    run_pytest(source + FAULTY, "--mqtt-pcap", "captures").counts(passed=1, failed=1)
    files = sorted(path.name for path in (tmp_path / "captures").iterdir())
    assert files == ["test_it.py_test_faulty.pcap", "test_it.py_test_it.pcap"]
    chunks = list(streams((tmp_path / "captures" / files[0]).read_bytes()))
    assert b"".join(chunk.data for chunk in chunks if chunk.target_port == 1883).endswith(b"\xc1\x00\xc0\x00\xe0\x00")


def test_two_workers_at_once(run_pytest: Callable[..., Outcome]) -> None:
    outcome = run_pytest(
        """
@pytest.mark.parametrize("number", range(8))
def test_it(mqtt_oracle, mqtt_broker_factory, number):
    for port in (mqtt_oracle.port, mqtt_broker_factory().port):
        with RawClient(port) as client:
            client.connect("melon")
            client.publish("a", str(number).encode(), retain=True)
            client.ping()
            client.disconnect()
    assert [one.payload for one in mqtt_oracle.server.retained()] == [str(number).encode()]
"""
        + FAULTY,
        "-n",
        "2",
    )
    outcome.counts(passed=8, failed=1)
    assert "MQTT trace" in outcome.out, "the section comes from the worker"


def test_nothing_is_imported_before_it_is_used() -> None:
    code = (
        "import pytest, sys; known = {*sys.modules}; import mqtt_ref.testing.plugin; print(*({*sys.modules} - known))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"mqtt_ref", "mqtt_ref.testing", "mqtt_ref.testing.plugin"}


def test_pytest_finds_the_plugin() -> None:
    (entry,) = importlib.metadata.entry_points(group="pytest11", name="mqtt_ref")
    assert entry.load() is plugin


def test_the_options_of_pytest_mqtt_are_left_to_it(run_pytest: Callable[..., Outcome]) -> None:
    """A plugin with its options, declared as it does: it and ours both work."""
    conftest = """
def pytest_addoption(parser):
    for name in ("host", "port", "username", "password"):
        parser.addoption(f"--mqtt-{name}", action="store")
def pytest_configure(config):
    config.addinivalue_line("markers", "capmqtt_decode_utf8: Capture MQTT messages as `str`")
"""
    source = "def test_it(mqtt_broker, request):\n    assert request.config.getoption('--mqtt-host') == 'there'\n"
    run_pytest(source, "--mqtt-host", "there", conftest=conftest).counts(passed=1)


def test_the_plugin_can_be_seen(run_pytest: Callable[..., Outcome]) -> None:
    markers = run_pytest("", "--markers").out
    assert all(f"@pytest.mark.{marker.split(':')[0]}" in markers for marker in plugin.MARKERS)
    fixtures = run_pytest("", "--fixtures").out
    for name in ("mqtt_broker", "mqtt_broker_factory", "mqtt_oracle", "mqtt_tls"):
        assert re.search(rf"^{name}\b.*\n    \S", fixtures, re.MULTILINE), name


def test_async_tests(run_pytest: Callable[..., Outcome]) -> None:
    """A client on the test's own event loop, without a plugin for async tests."""
    outcome = run_pytest(
        """
import asyncio, aiomqtt

def test_it(mqtt_oracle):
    async def play():
        async with aiomqtt.Client(mqtt_oracle.host, mqtt_oracle.port, identifier="melon") as client:
            await mqtt_oracle.expect_async(Connect, client="melon")
            await client.subscribe("a")
            await client.publish("a", "ripe")
            assert (await anext(aiter(client.messages))).payload == b"ripe"
            assert await mqtt_oracle.wait_for_async(lambda: mqtt_oracle.packets(Publish, topic="a"))
            with pytest.raises(AssertionError, match="from the client within 0.05 s"):
                await mqtt_oracle.expect_async(Publish, topic="b", within=0.05)
    asyncio.run(play())
"""
    )
    outcome.counts(passed=1)


def test_the_example_suite(root: Path, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini"), "."]
    done = subprocess.run(command, cwd=root / "examples" / "pytest", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_tshark_opens_a_capture_as_mqtt(require: Any, run_pytest: Callable[..., Outcome], tmp_path: Path) -> None:
    tshark = require.program("tshark")
    run_pytest(FAULTY.replace('b"\\xc1\\x00"', 'Publish("garden/melon", b"ripe")'), "--mqtt-pcap", ".").counts(passed=1)
    (capture,) = tmp_path.glob("*.pcap")
    done = subprocess.run([tshark, "-r", str(capture), "-T", "json"], capture_output=True, text=True, check=True)
    layers = [packet["_source"]["layers"] for packet in json.loads(done.stdout)]
    text = json.dumps([layer["mqtt"] for layer in layers if "mqtt" in layer])
    assert '"mqtt.topic": "garden/melon"' in text
    assert '"mqtt.clientid": "melon"' in text
    assert "_ws.malformed" not in done.stdout
    assert "_ws.expert" not in text
