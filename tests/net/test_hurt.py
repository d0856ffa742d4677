# SPDX-License-Identifier: MIT
"""A broker that cannot be hurt: what a hostile or broken client does costs that client its connection, and nobody else
anything; one line of the log says why.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)

LOOPS = ["uvloop", "asyncio"] if sys.platform != "win32" else ["asyncio"]
CONNECT_TIMEOUT = 1
BOUNDS = {
    "connect_timeout": CONNECT_TIMEOUT,
    "subscriptions": 1000,
    "queued_messages": 100,
    "queued_bytes": 1 << 20,
    "topic_levels": 200,
}
MEBIBYTE = 1 << 20
TLS_HELLO = bytes.fromhex("160301020001 0001fc0303") + bytes(range(256)) * 2
HTTP = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n"


class Bystander:
    """A client that does nothing wrong: its messages come back to it, one after the other, all the time."""

    def __init__(self, port: int) -> None:
        self.client = RawClient(port, version=5)
        self.client.connect("bystander")
        self.client.subscribe("bystander/#", qos=1)
        self.rounds = 0
        self.slowest = 0.0
        self.failure: BaseException | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                begin = time.monotonic()
                self.client.publish("bystander/topic", self.rounds.to_bytes(8, "big"), qos=1)
                assert self.client.message().payload == self.rounds.to_bytes(8, "big")
                self.slowest = max(self.slowest, time.monotonic() - begin)
                self.rounds += 1
        except BaseException as error:  # shown by `stop`, in the thread of the test
            self.failure = error

    def stop(self) -> None:
        self._end.set()
        self._thread.join(20)
        self.client.close()
        if self.failure is not None:
            raise self.failure


@pytest.fixture(scope="module", params=LOOPS)
def module_broker(request: pytest.FixtureRequest, serving_module: Callable[..., Any]) -> Generator[Any]:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    program = str(Path(__file__).parent / "small_broker.py")
    with serving_module([sys.executable, program, json.dumps(BOUNDS)], request.param) as broker:
        yield broker.wait_ready()


@pytest.fixture
def broker(module_broker: Any) -> Generator[Any]:
    """The broker, with a bystander who must not notice anything, and nothing in the log that is our fault."""
    until_the_log_speaks(module_broker)
    before = len(module_broker.err.lines)
    module_broker.before = before
    module_broker.said = lambda: module_broker.err.lines[before:]
    bystander = Bystander(module_broker.port)
    module_broker.bystander = bystander
    try:
        yield module_broker
        reached = bystander.rounds
        end = time.monotonic() + 10
        while bystander.rounds < reached + 3 and bystander.failure is None:
            assert time.monotonic() < end, "the bystander is stuck"
            time.sleep(0.001)
    finally:
        bystander.stop()
    assert bystander.slowest < 5.0
    assert not [line for line in module_broker.said() if " ERROR " in line or "Traceback" in line]


def until_the_log_speaks(broker: Any) -> None:
    """After a flood, lines are left out for the rest of the second; wait for one that is not."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        since = len(broker.err.lines)  # ports come again
        with broker.client() as client:
            client.send(b"\x00\x00")
            client.until_closed()
            if not broker.err.within(0.1, re.escape(address(client)), since):
                continue
        with broker.client() as client:  # usual lines are left out by a count of their own
            client.connect()
            who = re.escape(address(client))
        if broker.err.within(0.1, who, since):
            return
    pytest.fail("the log says nothing any more")


def address(client: RawClient) -> str:
    host, port = client.socket.getsockname()[:2]
    return f"{host}:{port}"


def says_once(broker: Any, who: str, pattern: str = "") -> str:
    """The one line of the log that names this connection as closed; `pattern` is what it has to say."""
    matching = rf"(?:WARNING|INFO).*{re.escape(who)}: .*{pattern}"
    broker.err.wait(matching, since=broker.before)
    lines = [line for line in broker.said() if f"{who}:" in line]
    assert len(lines) == 1, lines
    return lines[0]


# ---------------------------------------------------------------- no MQTT at all


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TLS_HELLO, id="tls"),
        pytest.param(HTTP, id="http"),
        pytest.param(b"\x00" * 100, id="zeros"),
        pytest.param(b"\xff" * 100, id="ones"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(encode(5, Publish("too/early", b"x")), id="publish"),
        pytest.param(encode(5, Pingreq()), id="ping"),
        pytest.param(b"\x10\xff\xff\xff\xff\x01", id="length of five bytes"),
        pytest.param(bytes.fromhex("10100004") + b"MQTX" + bytes(12), id="another protocol"),
    ],
)
def test_what_is_not_mqtt_is_closed_without_a_word(broker: Any, data: bytes) -> None:
    with broker.client() as client:
        client.send(data)
        assert client.until_closed(CONNECT_TIMEOUT + 1) == []
        says_once(broker, address(client))


def test_random_bytes(broker: Any) -> None:
    draw = random.Random(1883)
    for _ in range(100):
        with broker.client() as client, contextlib.suppress(LinkClosed):
            client.send(draw.randbytes(draw.randrange(1, 3000)))
            client.socket.shutdown(socket.SHUT_WR)
            assert client.until_closed(CONNECT_TIMEOUT + 1) == []


def test_random_bytes_after_connect(broker: Any) -> None:
    draw = random.Random(3)
    for version in (3, 4, 5):
        for number in range(40):
            with broker.client(version) as client, contextlib.suppress(LinkClosed):
                client.connect(f"random-{number}")
                client.send(draw.randbytes(draw.randrange(1, 3000)))
                client.socket.shutdown(socket.SHUT_WR)
                assert not [p for p in client.until_closed(5) if not isinstance(p, Disconnect | Suback)]


def test_random_damage_to_real_traffic(broker: Any) -> None:
    draw = random.Random(5)
    good = b"".join(
        encode(5, packet)
        for packet in (
            Connect("damaged", properties=ConnectProperties(receive_maximum=10, topic_alias_maximum=10)),
            Subscribe(1, [Subscription("damaged/#", 2), Subscription("other/+/x", 1)]),
            Publish("damaged/topic", b"payload", qos=1, packet_id=7),
            Publish("damaged/topic", b"payload", qos=2, packet_id=8),
            Puback(1),
            Pingreq(),
        )
    )
    for _ in range(150):
        data = bytearray(good)
        for _ in range(draw.randrange(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with broker.client() as client, contextlib.suppress(LinkClosed):
            client.send(bytes(data))
            client.socket.shutdown(socket.SHUT_WR)
            client.until_closed(CONNECT_TIMEOUT + 1)


# ---------------------------------------------------------------- silence


def test_no_connect_at_all(broker: Any) -> None:
    with broker.client() as client:
        begin = time.monotonic()
        assert client.until_closed(CONNECT_TIMEOUT + 1) == []
        assert time.monotonic() - begin > CONNECT_TIMEOUT * 0.9
        says_once(broker, address(client), "No CONNECT")


def test_half_a_connect_and_silence(broker: Any) -> None:
    whole = encode(5, Connect("half", keep_alive=10))
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(broker.client()) for _ in range(4)]
        for link, size in zip(links, (1, 2, 7, len(whole) - 1), strict=True):
            link.send(whole[:size])
        for link in links:
            assert link.until_closed(CONNECT_TIMEOUT + 1) == []
            says_once(broker, address(link), "No CONNECT")


@pytest.mark.alone
def test_a_connect_byte_by_byte_has_no_more_time(broker: Any) -> None:
    """Slow loris: what counts is the whole CONNECT, not that something comes now and then."""
    data = encode(5, Connect("loris" * 4000))
    sent = 0
    with broker.client() as client:
        begin = time.monotonic()
        client.socket.settimeout(0.01)
        while sent < len(data):
            try:
                client.socket.sendall(data[sent : sent + 1])
                sent += 1
                if not client.socket.recv(1):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        took = time.monotonic() - begin
        assert CONNECT_TIMEOUT * 0.9 < took < CONNECT_TIMEOUT + 1
        says_once(broker, address(client), "No CONNECT")


def test_a_slow_client_that_is_in_time_is_served(broker: Any) -> None:
    data = encode(5, Connect("slow")) + encode(5, Publish("slow", b"x", qos=1, packet_id=9))
    with broker.client() as client:
        for at in range(len(data)):
            client.send(data[at : at + 1])
        assert client.expect(Connack).reason_code == 0
        assert client.expect(Puback).packet_id == 9
        client.disconnect()


def test_many_silent_links_end_in_time(broker: Any) -> None:
    links = [broker.client() for _ in range(300)]
    end = time.monotonic() + CONNECT_TIMEOUT + 2
    for link in links:
        assert link.until_closed(max(0.1, end - time.monotonic())) == []
        link.close()


def test_silence_after_connect_ends_with_the_keep_alive(broker: Any) -> None:
    with broker.client() as five, broker.client(4) as three:
        five.connect("silent-5", keep_alive=1)
        three.connect("silent-3", keep_alive=1)
        last = five.until_closed(4)
        assert [type(p) for p in last] == [Disconnect]
        assert last[0].reason_code == 0x8D
        assert three.until_closed(4) == []
        says_once(broker, f"'silent-5' at {address(five)}")
        says_once(broker, f"'silent-3' at {address(three)}")


# ---------------------------------------------------------------- too much


def test_a_length_of_256_mb_is_not_believed(broker: Any) -> None:
    """Nothing is set aside for what is only announced, and an unfinished CONNECT has its time limit."""
    before = broker.resident()
    links = [broker.client() for _ in range(20)]
    for link in links:
        link.send(b"\x10\xff\xff\xff\x7f\x00\x04MQTT\x05\x02\x00\x00")
    for link in links:
        assert link.until_closed(CONNECT_TIMEOUT + 1.5) == []
        says_once(broker, address(link))
        link.close()
    assert broker.resident() - before < 10 * MEBIBYTE


def test_a_publish_of_256_mb_that_never_comes(broker: Any) -> None:
    before = broker.resident()
    with broker.client() as client:
        client.connect("huge", keep_alive=1)
        client.send(b"\x30\xff\xff\xff\x7f\x00\x01t\x00" + bytes(1000))
        last = client.until_closed(4)
        assert [p.reason_code for p in last if isinstance(p, Disconnect)] == [0x8D]
        says_once(broker, f"'huge' at {address(client)}")
    assert broker.resident() - before < 10 * MEBIBYTE


def test_deep_topics(broker: Any) -> None:
    """65,535 slashes are legal; the broker refuses what is deeper than its bound, and keeps nothing of it."""
    slashes = "/" * 65_535
    with broker.client() as client, broker.client() as watcher:
        watcher.connect("deep-watcher")
        watcher.subscribe("/#")
        client.connect("deep")
        begin = time.monotonic()
        client.send(Publish(slashes, b"x", qos=1, packet_id=5), Publish(slashes, b"x", retain=True))
        assert client.expect(Puback).reason_code == 0x90
        client.send(Subscribe(6, [Subscription(slashes), Subscription("+/" * 32_767 + "#"), Subscription("/" * 100)]))
        assert [code >= 0x80 for code in client.expect(Suback).reason_codes] == [True, True, False]
        client.subscribe("/#")
        client.ping()
        watcher.ping()
        assert time.monotonic() - begin < 2
        assert not client.inbox
        assert not watcher.inbox


def test_deep_topics_without_a_bound(serve: Callable[..., Any], tmp_path: Path) -> None:
    """The deepest topic there can be is one like any other, where the operator allows it."""
    config = tmp_path / "deep.yaml"
    config.write_text(
        'listeners: [{type: tcp, address: "127.0.0.1:0"}]\n'
        "hooks: {auth: {allow_all: true}}\n"
        "options: {capabilities: {maximum_topic_levels: 65536}}\n"
    )
    broker = serve("--config", str(config), port=None).wait_ready()
    slashes = "/" * 65_535
    with broker.client() as client:
        client.connect("deep")
        begin = time.monotonic()
        for topic_filter in (slashes, "/#", "+/" * 32_767 + "#"):
            assert client.subscribe(topic_filter) == [0]
            client.publish(slashes, b"deep")
            assert client.message().topic == slashes
            client.send(Unsubscribe(7, [topic_filter]))
            client.expect(Unsuback)
        client.publish(slashes, b"kept", retain=True)
        client.subscribe("/#")
        assert client.message().payload == b"kept"
        assert time.monotonic() - begin < 5
        client.disconnect()
    assert broker.end() == 0
    assert broker.err.lines == []


def test_a_flood_of_subscriptions(broker: Any) -> None:
    """Beyond the bound each is refused with Quota exceeded; memory stays within it."""
    before = broker.resident()
    with broker.client() as client:
        client.connect("flood")
        codes: list[int] = []
        for batch in range(40):
            filters = [f"flood/{batch}/{number}/+/#" for number in range(250)]
            codes += client.subscribe(*filters, packet_id=batch + 1)
    assert len(codes) == 10_000
    assert codes[: BOUNDS["subscriptions"]] == [0] * BOUNDS["subscriptions"]
    assert set(codes[BOUNDS["subscriptions"] :]) == {0x97}
    assert broker.resident() - before < 20 * MEBIBYTE


def test_a_flood_that_nobody_reads_the_answers_of(broker: Any) -> None:
    """The broker stops reading from who takes no answers: what it holds is bounded, what is sent gets stuck."""
    before = broker.resident()
    publish = encode(4, Publish("stuck", b"", qos=1, packet_id=1))
    flood = publish * 10_000
    sent = got = 0
    with broker.client(4, receive_buffer=4096) as client:
        client.connect("stuck")
        client.socket.settimeout(1.0)
        with contextlib.suppress(TimeoutError):
            while sent < 100 * MEBIBYTE:
                sent += client.socket.send(flood[sent % len(publish) :])
        assert sent < 100 * MEBIBYTE
        assert broker.resident() - before < 16 * MEBIBYTE
        # It only has to read to be served again, with an answer to each.
        client.socket.settimeout(10)
        answers = sent // len(publish) * len(encode(4, Puback(1)))
        while got < answers:
            got += len(client.socket.recv(MEBIBYTE))
        assert got == answers
        if sent % len(publish):
            client.send(publish[sent % len(publish) :])
            client.expect(Puback)
        client.ping()


# ---------------------------------------------------------------- who does not read


@pytest.mark.alone
def test_a_subscriber_that_stops_reading(broker: Any) -> None:
    """It costs bounded memory; the others get everything, at their speed."""
    with broker.client(receive_buffer=4096) as deaf, broker.client() as good, broker.client() as publisher:
        deaf.connect("deaf", properties=ConnectProperties(receive_maximum=10))
        deaf.subscribe("news/#", qos=1)
        good.connect("good")
        good.subscribe("news/#", qos=1)
        publisher.connect("publisher")
        payload = bytes(64 * 1024)
        rounds = []
        before = broker.resident()
        for number in range(1, 601):
            begin = time.monotonic()
            publisher.publish(f"news/{number}", payload, qos=number % 2, packet_id=number)
            assert good.message().topic == f"news/{number}"
            rounds.append(time.monotonic() - begin)
        # 37 MiB went to each: the deaf one's are dropped, or wait within the bounds.
        assert broker.resident() - before < 24 * MEBIBYTE
        assert sum(rounds[-150:]) < 3 * sum(rounds[:150]) + 0.5
        # It wakes up: what it kept is in order, and it can go on.
        seen: list[list[int]] = [[], []]
        with contextlib.suppress(TimeoutError):
            while True:
                message = deaf.message(1.0)
                seen[message.qos].append(int(message.topic[5:]))
        assert all(one and one == sorted(one) for one in seen)
        publisher.publish("news/2000", b"fresh", qos=1)
        assert deaf.message().payload == b"fresh"


def test_a_hundred_subscribers_that_stop_reading(broker: Any) -> None:
    before = broker.resident()
    with contextlib.ExitStack() as stack:
        for number in range(100):
            deaf = stack.enter_context(broker.client(receive_buffer=4096))
            deaf.connect(f"deaf-{number}")
            deaf.subscribe("small/#", qos=0)
        publisher = stack.enter_context(broker.client())
        publisher.connect("small-publisher")
        payload = bytes(1000)
        for _ in range(100):
            publisher.send(*[Publish("small/news", payload)] * 100)
        publisher.ping()
        # 10 MB to each, a gigabyte in all.
        assert broker.resident() - before < 150 * MEBIBYTE


# ---------------------------------------------------------------- who comes and goes


def test_thousands_connect_and_close(broker: Any) -> None:
    handles = f"/proc/{broker.pid}/fd"
    before = len(os.listdir(handles)) if os.path.isdir(handles) else 0
    connect = encode(4, Connect("", protocol_version=4))
    for number in range(3000):
        link = socket.create_connection(("127.0.0.1", broker.port), timeout=10)
        if number % 3 == 0:
            link.sendall(connect)
        elif number % 3 == 1:
            link.sendall(connect[:5])
        link.close()
    end = time.monotonic() + 5
    while before and len(os.listdir(handles)) > before + 1:
        assert time.monotonic() < end, "links stay open"
        time.sleep(0.01)
    # The lines of a flood are counted, not written.
    broker.err.wait(r"INFO connection: \d+ more lines like these were left out", since=broker.before)
    assert len(broker.said()) < 2000


def test_reset_in_the_middle_of_a_packet(broker: Any) -> None:
    client = broker.client()
    client.connect("reset-1")
    client.send(encode(5, Pingreq()) + b"\x30\x20\x00\x05topic")
    client.expect(Pingresp)  # so the other bytes of that write were read, too
    who = f"'reset-1' at {address(client)}"
    client.reset()
    says_once(broker, who, "in the middle of a packet")


def test_a_will_is_published_after_a_reset(broker: Any) -> None:
    from mqtt_ref.wire.packets import Will

    with broker.client() as watcher:
        watcher.connect("watcher")
        watcher.subscribe("wills/#")
        client = broker.client()
        client.connect("reset-2", will=Will("wills/reset-2", b"gone"))
        client.reset()
        assert watcher.message(5).payload == b"gone"


def test_a_violation_is_answered_even_while_the_client_goes_on_sending(broker: Any) -> None:
    """Closing with unread input resets the connection and may destroy the DISCONNECT: the client has to get it."""
    for number in range(20):
        with broker.client() as client:
            client.connect(f"chatty-{number}")
            client.send(b"\x30\x05\x00\x03a/+" + bytes(200_000))
            last = client.until_closed(3)
            assert [getattr(p, "reason_code", None) for p in last] == [0x81] or [
                getattr(p, "reason_code", None) for p in last
            ] == [0x90]


def test_who_does_not_close_is_cut(broker: Any) -> None:
    """After the last word the client has a second to close its side."""
    with broker.client() as client:
        client.connect("clinger")
        client.send(b"\xf1\x00")
        assert [type(p) for p in client.until_closed()] == [Disconnect]
        begin = time.monotonic()
        with contextlib.suppress(LinkClosed):
            while time.monotonic() - begin < 5:
                client.send(b"\x00" * 100)
        assert time.monotonic() - begin < 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("loop", LOOPS)
def test_no_descriptors_are_left(serving_module: Callable[..., Any], loop: str) -> None:
    """Who is connected is served; who comes gets in when others have gone; the log does not fill up."""
    command = f"ulimit -n 60; exec {sys.executable} -m mqtt_ref serve --port 0"
    with serving_module(["/bin/sh", "-c", command], loop) as broker, contextlib.ExitStack() as stack:
        broker.wait_ready()
        first = stack.enter_context(broker.client())
        first.connect("first")
        crowd = [stack.enter_context(broker.client()) for _ in range(100)]
        first.ping()
        for link in crowd:
            link.close()
        end = time.monotonic() + 10
        while True:  # until the broker has seen that they have gone
            with contextlib.suppress(LinkClosed), broker.client() as last:
                assert last.connect("last").reason_code == 0
                break
            assert time.monotonic() < end, "nobody gets in any more"
        assert len(broker.err.lines) < 10
