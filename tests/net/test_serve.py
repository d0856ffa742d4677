# SPDX-License-Identifier: MIT
"""`mqtt-ref serve` as a user meets it: a process, real clients, signals, what it prints."""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connack, Disconnect, Publish, Suback, Will

QOS = (0, 1, 2)
LOOPS = ["uvloop", "asyncio"] if sys.platform != "win32" else ["asyncio"]


@pytest.fixture(scope="module", params=LOOPS)
def broker(request: pytest.FixtureRequest, serving_module: Callable[..., Any]) -> Generator[Any]:
    """One broker for the tests that only exchange messages."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    with serving_module([sys.executable, "-m", "mqtt_ref", "serve", "--port", "0", "-v"], request.param) as running:
        yield running.wait_ready()
        assert not running.err.having("ERROR|Traceback")


# ---------------------------------------------------------------- real clients


@pytest.mark.parametrize("qos", QOS)
@pytest.mark.parametrize("protocol", ["5", "3.1.1", "3.1"])
def test_paho(broker: Any, protocol: str, qos: int) -> None:
    import paho.mqtt.client as paho

    number = {"5": paho.MQTTv5, "3.1.1": paho.MQTTv311, "3.1": paho.MQTTv31}[protocol]
    events: queue.Queue[tuple[str, Any]] = queue.Queue()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"paho-{protocol}-{qos}", protocol=number)
    client.on_connect = lambda c, u, flags, reason, properties: events.put(("connect", reason))
    client.on_subscribe = lambda c, u, mid, codes, properties: events.put(("subscribe", codes))
    client.on_message = lambda c, u, message: events.put(("message", message))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        what, reason = events.get(timeout=10)
        assert (what, reason.is_failure) == ("connect", False)
        client.subscribe("paho/+", qos)
        assert events.get(timeout=10)[0] == "subscribe"
        sent = client.publish("paho/topic", b"by paho", qos)
        what, message = events.get(timeout=10)
        assert (what, message.topic, message.payload, message.qos) == ("message", "paho/topic", b"by paho", qos)
        sent.wait_for_publish(10)
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.parametrize("qos", QOS)
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_gmqtt(broker: Any, protocol: str, qos: int) -> None:
    gmqtt = pytest.importorskip("gmqtt")

    async def exchange() -> tuple[Any, ...]:
        loop = asyncio.get_running_loop()
        subscribed, arrived = loop.create_future(), loop.create_future()
        client = gmqtt.Client(f"gmqtt-{protocol}-{qos}")

        async def on_message(c: Any, topic: str, payload: bytes, got: int, properties: Any) -> int:
            arrived.set_result((topic, payload, got))
            return 0

        client.on_message = on_message
        client.on_subscribe = lambda c, mid, codes, properties: subscribed.set_result(codes)
        version = gmqtt.constants.MQTTv50 if protocol == "5" else gmqtt.constants.MQTTv311
        await client.connect("127.0.0.1", broker.port, version=version)
        try:
            client.subscribe("gmqtt/#", qos=qos)
            await asyncio.wait_for(subscribed, 10)
            client.publish("gmqtt/a/b", b"by gmqtt", qos=qos)
            return tuple(await asyncio.wait_for(arrived, 10))
        finally:
            await client.disconnect()

    assert asyncio.run(exchange()) == ("gmqtt/a/b", b"by gmqtt", qos)


@pytest.mark.parametrize("qos", QOS)
@pytest.mark.parametrize("protocol", ["5", "311", "31"])
def test_mosquitto_tools(broker: Any, require: Any, protocol: str, qos: int) -> None:
    sub, pub = require.program("mosquitto_sub"), require.program("mosquitto_pub")
    version = ["-V", {"5": "mqttv5", "311": "mqttv311", "31": "mqttv31"}[protocol]]
    topic = f"mosquitto/{protocol}/{qos}"
    port = ["-p", str(broker.port)]
    name = f"subscriber-{protocol}-{qos}"
    with subprocess.Popen(
        [sub, *port, *version, "-i", name, "-t", topic, "-q", str(qos), "-C", "1", "-W", "10", "-F", "%t %q %p"],
        stdout=subprocess.PIPE,
        text=True,
    ) as subscriber:
        try:
            # A retained message arrives whether the subscriber comes first or not.
            publish = [pub, *port, *version, "-t", topic, "-q", str(qos), "-r", "-m", "by mosquitto"]
            subprocess.run(publish, check=True, timeout=10)
            out, _ = subscriber.communicate(timeout=15)
        finally:
            subscriber.kill()
    assert (subscriber.returncode, out) == (0, f"{topic} {qos} by mosquitto\n")


@pytest.mark.parametrize("qos", QOS)
@pytest.mark.parametrize(("one", "other"), [(5, 4), (4, 5), (3, 5), (5, 3)])
def test_versions_mix(broker: Any, one: int, other: int, qos: int) -> None:
    with broker.client(one) as publisher, broker.client(other) as subscriber:
        publisher.connect("mix-publisher")
        subscriber.connect("mix-subscriber")
        subscriber.subscribe("mix/+", qos=qos)
        publisher.publish("mix/topic", b"x" * 70_000, qos=qos)
        message = subscriber.message()
        assert (message.topic, len(message.payload), message.qos) == ("mix/topic", 70_000, qos)
        publisher.disconnect()
        subscriber.disconnect()


def test_a_large_message_passes(broker: Any) -> None:
    payload = bytes(range(256)) * 4096 * 16
    with broker.client() as publisher, broker.client() as subscriber:
        publisher.connect("large-publisher")
        subscriber.connect("large-subscriber")
        subscriber.subscribe("large", qos=1)
        publisher.publish("large", payload, qos=1)
        assert subscriber.message().payload == payload


@pytest.mark.alone
def test_small_writes_are_not_delayed(broker: Any) -> None:
    """TCP_NODELAY: two small answers in a row would otherwise wait 40 ms for each other."""
    with broker.client() as client:
        client.connect("nodelay")
        client.subscribe("nodelay", qos=1)
        begin = time.monotonic()
        for _ in range(100):
            client.publish("nodelay", b"x", qos=1)
            client.message()
        assert time.monotonic() - begin < 2.0


def test_what_follows_in_the_same_write_is_answered(broker: Any) -> None:
    """CONNECT, SUBSCRIBE, PUBLISH and the end of the stream in one go."""
    with broker.client(4) as client:
        connect = bytes.fromhex("100d 00044d51545404020000 0001 61")
        client.send(connect + bytes.fromhex("8206 0001 0001 74 00  3003 0001 74"))
        client.socket.shutdown(1)
        kinds = [type(packet) for packet in client.until_closed()]
    assert kinds == [Connack, Suback, Publish]


# ---------------------------------------------------------------- the command


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_signal_ends_it_within_two_seconds(serve: Callable[..., Any], loop: str, number: int) -> None:
    broker = serve(loop=loop).wait_ready()
    five, three, deaf = broker.client(5), broker.client(4), broker.client(5, receive_buffer=4096)
    will = Will("gone", b"will")
    five.connect("five", will=will, keep_alive=60)
    five.subscribe("gone", qos=0)
    three.connect("three", will=will)
    deaf.connect("deaf")
    deaf.subscribe("deaf", qos=0)
    for _ in range(40):
        five.publish("deaf", bytes(1 << 18), qos=1)
    begin = time.monotonic()
    code = broker.end(number, 5)
    took = time.monotonic() - begin
    assert code == 0
    assert took < 2.0
    last = five.until_closed()[-1]
    assert isinstance(last, Disconnect)
    assert last.reason_code == 0x8B
    assert three.until_closed() == []
    for client in (five, three, deaf):
        client.close()


@pytest.mark.alone
def test_a_second_signal_ends_it_at_once(serve: Callable[..., Any]) -> None:
    broker = serve().wait_ready()
    with broker.client() as client:
        client.connect("stubborn")
        broker.process.send_signal(signal.SIGTERM)
        last = client.expect(Disconnect)
        assert last.reason_code == 0x8B
        # The client does not close its side, so the broker waits for it a while, but not now:
        broker.process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        code = broker.wait()
        assert time.monotonic() - begin < 0.5
        assert code in (0, 130)


def test_it_says_where_it_listens(serve: Callable[..., Any]) -> None:
    broker = serve().wait_ready()
    with broker.client() as client:
        client.connect("here")
        client.disconnect()
    assert broker.end() == 0
    first, second, third = broker.out.lines
    assert first == f"listening on mqtt://127.0.0.1:{broker.port}"
    assert second.startswith("listening on ws://127.0.0.1:")
    assert third.startswith("listening on http://127.0.0.1:")
    assert broker.err.lines == []


def test_every_address_of_localhost_has_the_same_port(serve: Callable[..., Any]) -> None:
    broker = serve("--host", "localhost", "--no-ws", "--no-http").wait_ready()
    broker.end()
    assert {line.rsplit(":", 1)[1] for line in broker.out.lines} == {str(broker.port)}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_others_are_let_in_only_when_told(serve: Callable[..., Any], host: str) -> None:
    broker = serve("--host", host)
    assert broker.wait() == 2
    assert broker.out.lines == []
    assert "--allow-all" in broker.err.lines[0]


def test_others_are_let_in_when_told(serve: Callable[..., Any]) -> None:
    broker = serve("--host", "0.0.0.0", "--allow-all")
    port = int(broker.out.wait(r"^listening on mqtt://0\.0\.0\.0:(\d+)$")[1])
    with RawClient(port) as client:
        assert client.connect("anybody").reason_code == 0


@pytest.mark.parametrize("loop", LOOPS)
def test_a_port_in_use(serve: Callable[..., Any], loop: str) -> None:
    first = serve().wait_ready()
    second = serve(port=first.port, loop=loop)
    assert second.wait() == 2
    assert second.out.lines == []
    assert len(second.err.lines) == 1
    assert f"cannot listen on localhost:{first.port}: the port is in use" in second.err.lines[0]


def test_an_address_of_another_machine(serve: Callable[..., Any]) -> None:
    broker = serve("--host", "192.0.2.1", "--allow-all")
    assert broker.wait() == 2
    assert "does not have that address" in broker.err.lines[0]


def test_verbose_says_who_comes_and_goes(serve: Callable[..., Any]) -> None:
    broker = serve("-v").wait_ready()
    with broker.client() as client:
        client.connect("visitor")
        client.disconnect()
    broker.err.wait(r"'visitor' at 127\.0\.0\.1:\d+ connected")
    broker.err.wait(r"'visitor' at 127\.0\.0\.1:\d+ disconnected")


def test_trace_can_be_read(serve: Callable[..., Any]) -> None:
    broker = serve("--trace", "--no-ws", "--no-http").wait_ready()
    with broker.client(5) as client:
        client.connect("traced", username="me", password=b"secret", keep_alive=30)
        client.subscribe("a/#", qos=1)
        client.publish("a/b", b"hello", qos=1)
        client.message()
        client.send(b"\x30\x05\x00\x03a/+")
        client.until_closed()
    with broker.client(5) as client:
        client.send(b"\x10\x20\x00\x04MQ")
    broker.out.wait("#2 -- closed")
    broker.end()
    lines = [line.partition(" ")[2] for line in broker.out.lines[1:]]
    name = "#1 traced"
    assert lines[0].startswith("#1 -- opened by 127.0.0.1:")
    assert (
        f"{name} -> CONNECT client_id='traced' version=5.0 clean_start=1 keep_alive=30 username='me' password=***"
        in lines
    )
    assert f"{name} -> SUBSCRIBE id=1 ['a/#' qos=1]" in lines
    assert f"{name} <- SUBACK id=1 reasons=[0x01 (Granted QoS 1)]" in lines
    assert f"{name} -> PUBLISH topic='a/b' payload=b'hello' qos=1 id=1" in lines
    assert f"{name} <- PUBLISH topic='a/b' payload=b'hello' qos=1 id=1" in lines
    assert f"{name} <- PUBACK id=1 reason=0x00 (Success)" in lines
    assert any(line.startswith(f"{name} -> broken PUBLISH: byte 6 in ") for line in lines)
    assert any(line.startswith(f"{name} <- DISCONNECT reason=0x") for line in lines)
    assert any(line.startswith("#2 -> incomplete, 6 bytes: 10 20 00 04 4d 51") for line in lines)
    assert "secret" not in "\n".join(lines)


def test_trace_as_records(serve: Callable[..., Any]) -> None:
    broker = serve("--trace=jsonl")
    broker.wait_ready(broker.err)
    with broker.client(5) as client:
        client.connect("traced")
        client.publish("t", b"\x00\xff", qos=1)
        client.disconnect()
    broker.out.wait('"close"')
    broker.end()
    records = [json.loads(line) for line in broker.out.lines]
    assert [(r["conn"], r["dir"], r["packet"] and r["packet"]["type"]) for r in records] == [
        (1, "open", None),
        (1, "in", "CONNECT"),
        (1, "out", "CONNACK"),
        (1, "in", "PUBLISH"),
        (1, "out", "PUBACK"),
        (1, "in", "DISCONNECT"),
        (1, "close", None),
    ]
    assert records[3]["hex"] == "320800017400010000ff"
    assert records[3]["packet"]["payload"] == {"hex": "00ff"}
    assert abs(records[0]["t"] - time.time_ns()) < 60 * 10**9


def test_a_trace_that_nobody_reads_does_not_stop_the_broker() -> None:
    """`mqtt-ref serve --trace | head -1`."""
    command = [sys.executable, "-m", "mqtt_ref", "serve", "--port", "0", "--trace"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            process.stdout.close()
            for _ in range(3):
                with RawClient(port) as client:
                    client.connect("unseen")
                    client.ping()
                    client.disconnect()
        finally:
            process.terminate()
        assert process.wait(5) == 0


# ---------------------------------------------------------------- start-up

FORBIDDEN = {
    "construct",
    "h11",
    "hypothesis",
    "importlib.metadata",
    "json",
    "msgspec",
    "mqtt_conformance",
    "mqtt_ref.wire.generated.statements",
    "mqtt_ref.wire.jsonform",
    "mqtt_ref.wire.reference",
    "sqlite3",
    "websockets",
    "yaml",
}


def test_serving_imports_only_what_it_uses() -> None:
    """What makes it listen within 300 ms: see `bench/startup.py`. Every import counted here costs milliseconds."""
    program = (
        "import asyncio, sys\n"
        "from mqtt_ref.cli import main, serve\n"
        "from mqtt_ref.hooks import AllowAll\n"
        "from mqtt_ref.server import Server\n"
        "from mqtt_ref.net.tcp import TcpListener\n"
        "async def run():\n"
        "    async with Server(hooks=[AllowAll()]): pass\n"
        "serve.run_loop(run())\n"
        "print(*sys.modules)\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert not FORBIDDEN & set(out.stdout.split())


def test_what_is_loaded_is_not_collected() -> None:
    """A collection of all that a large store has brought would stop the broker for a second."""
    program = (
        "import gc, os, signal\n"
        "from mqtt_ref.cli.serve import run_loop, serve\n"
        "from mqtt_ref.server import Server\n"
        "def ready(url):\n"
        "    print(gc.get_freeze_count() > len(gc.get_objects()))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "raise SystemExit(run_loop(serve(Server(hooks=[]), ready)))\n"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert out.stdout == "True\n"
