# SPDX-License-Identifier: MIT
"""The faults of `mqtt_conformance.proxy`: each breaks a known rule, and without one the proxy changes no byte."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from conftest import ROOT
from mqtt_conformance.proxy.fault import PATHS, Rule
from mqtt_conformance.proxy.rows import FAULTS, fault
from mqtt_conformance.proxy.rows.malformed import EXAMPLES, found
from mqtt_conformance.proxy.score import VERDICTS, judge, totals
from mqtt_conformance.proxy.sets import ALL, SETS
from mqtt_conformance.proxy.world import Link, World, level_of, matches
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Publish, PublishProperties, Suback, Subscribe, Subscription, Will
from mqtt_ref.wire.statements import STATEMENTS
from tests.conformance.proxied import Proxied, exercise

RECORD = ROOT / "conformance" / "results" / "proxy.json"


class TestRows:
    def test_there_are_as_many_as_promised(self) -> None:
        assert len(FAULTS) >= 250
        assert len(SETS["second"]) >= 100
        assert len(ALL) == sum(map(len, SETS.values())), "an id is that of two faults"

    def test_a_row_names_a_statement_of_its_version_that_binds_somebody_and_a_known_path(self) -> None:
        for row in ALL.values():
            for name in (row.statement, *row.also):
                assert STATEMENTS[name].version == row.version, (row.id, name)
            assert row.path in PATHS, row.id
            assert row.qos in (None, 0, 1, 2), row.id
            assert isinstance(row.make(), Rule), row.id

    def test_each_fault_has_its_own_state(self) -> None:
        row = fault("suback-missing")
        assert row.make() is not row.make()

    def test_an_unknown_fault_is_refused(self) -> None:
        with pytest.raises(KeyError):
            fault("there-is-none")

    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
    def test_the_fault_of_an_example_shows_for_it_and_not_for_a_legal_packet(self, example: Any) -> None:
        world = World(FAULTS[f"tolerates-{example.id}"].make(), example.version)
        link = world.open()
        if example.data[0] >> 4 != 1:
            link.from_client(encode(example.version, Connect("c", example.version)))
            assert world.fired == 0
        link.out_server.clear()
        link.from_client(example.data)
        assert world.fired == 1
        assert b"".join(link.out_server) != example.data
        assert found(example.version, example.data) is not None


class Echo:
    """A server that keeps what it receives and answers with given bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.got = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            with peer:
                peer.sendall(self.answer)
                while data := peer.recv(4096):
                    self.got += data

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)


class TestControl:
    @pytest.mark.parametrize("data", [bytes(range(256)) * 9, b"\x10\x03abc\xff\xff\xff\xff\xff", b""])
    def test_no_byte_is_changed_in_either_direction(self, data: bytes, wait_until: Any) -> None:
        echo = Echo(data[::-1])
        try:
            with Proxied(echo.port, None) as proxy:
                with socket.create_connection(("127.0.0.1", proxy.port), 10) as client:
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                    got = b""
                    while more := client.recv(4096):
                        got += more
                assert got == data[::-1]
                wait_until(lambda: echo.got == data, deadline=5)
                assert proxy.errors == []
        finally:
            echo.close()

    @pytest.mark.parametrize("version", [5, 4, 3])
    @pytest.mark.parametrize("rule", [None, Rule()], ids=["none", "parsed"])
    def test_clients_see_the_same_as_without_the_proxy(
        self, version: int, rule: Rule | None, mqtt_broker_factory: Any
    ) -> None:
        plain = exercise(mqtt_broker_factory().port, version)
        with Proxied(mqtt_broker_factory().port, rule, version) as proxy:
            assert exercise(proxy.port, version) == plain
            assert proxy.world.fired == 0
            assert proxy.errors == []
        assert len(plain) > 8


@pytest.fixture(scope="module")
def upstream(mqtt_broker_factory: Any) -> Any:
    return mqtt_broker_factory()


class TestFaults:
    """Some faults, seen by a client. The expected difference is typed by hand from the standard."""

    def test_a_content_type_is_lost_on_one_path_only(self, upstream: ThreadedServer) -> None:
        with Proxied(upstream.port, fault("content-type-lost-live").make()) as proxy, RawClient(proxy.port) as one:
            one.connect()
            one.subscribe("ct/t")
            one.publish("ct/t", b"x", retain=True, properties=PublishProperties(content_type="text"))
            live = one.message()
            assert live.properties is None or live.properties.content_type is None
            one.subscribe("ct/+", packet_id=2)
            kept = one.message()
            assert kept.retain
            assert kept.properties is not None
            assert kept.properties.content_type == "text"

    def test_an_unacknowledged_message_is_not_resent(self, upstream: ThreadedServer) -> None:
        with Proxied(upstream.port, fault("not-resent-1-311").make(), 4) as proxy:
            with RawClient(proxy.port, version=4) as one:
                one.connect("resend", clean_start=False)
                one.subscribe("re/send", qos=1)
                one.publish("re/send", b"x", 1)
                assert one.expect(Publish).packet_id
            with RawClient(proxy.port, version=4) as one:
                assert one.connect("resend", clean_start=False).session_present
                one.ping()
                assert not one.inbox
            assert proxy.world.fired == 1

    def test_a_malformed_packet_is_ignored(self, upstream: ThreadedServer) -> None:
        bad = b"\x36\x07\x00\x01a\x00\x01\x00x"
        with Proxied(upstream.port, fault("tolerates-publish-qos-3").make()) as proxy, RawClient(proxy.port) as one:
            one.connect()
            one.send(bad)
            one.ping()
        with RawClient(upstream.port) as one:
            one.connect()
            one.send(bad)
            assert one.until_closed()

    def test_a_message_with_lower_qos_is_completed_towards_the_broker(self, upstream: ThreadedServer) -> None:
        with Proxied(upstream.port, fault("qos-2-as-1-live").make()) as proxy, RawClient(proxy.port) as one:
            one.connect("lower", clean_start=True)
            one.subscribe("lo/wer", qos=2)
            for number in range(3):
                one.publish("lo/wer", b"%d" % number, 2, packet_id=number + 1)
            got = [one.message() for _ in range(3)]
            assert [p.qos for p in got] == [1, 1, 1]
            assert [p.payload for p in got] == [b"0", b"1", b"2"]
            assert proxy.errors == []

    def test_an_old_client_stays_when_it_is_taken_over(self, upstream: ThreadedServer) -> None:
        with (
            Proxied(upstream.port, fault("takeover-old-stays").make()) as proxy,
            RawClient(proxy.port) as old,
            RawClient(proxy.port) as new,
        ):
            old.connect("same")
            new.connect("same")
            new.ping()
            old.ping()

    def test_a_will_is_published_after_a_normal_disconnect(self, upstream: ThreadedServer) -> None:
        with Proxied(upstream.port, fault("will-after-disconnect").make()) as proxy, RawClient(proxy.port) as one:
            one.connect()
            one.subscribe("wi/ll")
            with RawClient(proxy.port) as other:
                other.connect("goes", will=Will("wi/ll", b"bye"))
                other.disconnect()
            assert one.message().payload == b"bye"

    def test_a_dollar_topic_reaches_a_wildcard(self, upstream: ThreadedServer) -> None:
        with Proxied(upstream.port, fault("dollar-matches").make()) as proxy, RawClient(proxy.port) as one:
            one.connect()
            one.subscribe("+/dollar")
            one.publish("$x/dollar", b"y")
            assert one.message().topic == "$x/dollar"


class TestWorld:
    def test_paths(self) -> None:
        world = World(Rule())
        publisher, link = world.open(), world.open()
        for one, name in ((publisher, "p"), (link, "c")):
            one.from_client(encode(5, Connect(name)))
            one.from_server(encode(5, Connack()))
        seen: list[str] = []

        class Paths(Rule):
            def publish(self, link: Link, delivery: Any) -> None:
                seen.append(delivery.path)

        world.rule = Paths()
        publisher.from_client(encode(5, Publish("a/b", b"kept", retain=True)))
        link.from_client(encode(5, Subscribe(1, [Subscription("a/b")])))
        link.from_server(encode(5, Suback(1, [0])) + encode(5, Publish("a/b", b"kept", retain=True)))
        publisher.from_client(encode(5, Publish("a/b", b"new")))
        link.from_server(encode(5, Publish("a/b", b"new")))
        link.from_server(encode(5, Publish("a/b", b"new", 1, dup=True, packet_id=1)))
        assert seen == ["retained", "live", "resent"]

    @pytest.mark.parametrize(
        ("topic_filter", "topic", "wanted"),
        [
            ("#", "a", True),
            ("#", "$a", False),
            ("+/b", "$a/b", False),
            ("$a/#", "$a/b", True),
            ("a/#", "a", True),
            ("a/+", "a", False),
            ("a/+", "a/", True),
            ("+/+", "/b", True),
            ("+", "/b", False),
            ("a/b", "A/b", False),
        ],
    )
    def test_matching(self, topic_filter: str, topic: str, wanted: bool) -> None:
        assert matches(topic_filter, topic) is wanted

    def test_the_level_of_an_illegal_connect(self) -> None:
        assert level_of(b"\x10\x03\x00\x04MQTT\x04", 2) == 4
        assert level_of(b"\x10\x03\x00\x04MQTT\x09", 2) == 0
        assert level_of(b"\x10\x00", 2) == 0


class TestScore:
    ROW = fault("suback-missing")

    def _result(self, **fields: Any) -> dict[str, Any]:
        return {"id": "x/y", "verdict": "fail", "statements": [], **fields}

    def test_verdicts(self) -> None:
        assert judge(self.ROW, 1, [self._result(statements=["MQTT5-3.8.4-1"])])[0] == "named"
        assert judge(self.ROW, 1, [self._result(rule="MQTT5-3.8.4-1")])[0] == "named"
        assert judge(self.ROW, 1, [self._result(statements=["MQTT5-3.8.4-2"])])[0] == "other name"
        assert judge(self.ROW, 1, [self._result(verdict="pass")])[0] == "missed"
        assert judge(self.ROW, 0, [])[0] == "never fired"

    def test_totals(self) -> None:
        rows = {"a": {"path": "live", "verdict": "named"}, "b": {"path": "will", "verdict": "missed"}}
        assert totals(rows)["all"] == {**dict.fromkeys(VERDICTS, 0), "named": 1, "missed": 1}
        assert totals(rows)["live"]["named"] == 1

    def test_the_record_is_of_these_faults(self) -> None:
        record = json.loads(RECORD.read_text())
        for name, row in record["faults"].items():
            assert (row["statement"], row["path"]) == (FAULTS[name].statement, FAULTS[name].path), name
            assert row["verdict"] in VERDICTS
            assert "error" not in row, (name, row["error"])
        assert record["totals"] == totals(record["faults"])


def test_the_command_says_how_often_the_fault_fired(upstream: ThreadedServer) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mqtt_conformance.proxy",
            "--upstream",
            f"mqtt://127.0.0.1:{upstream.port}",
            "--fault",
            "pingresp-flags",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        with RawClient(port) as one:
            one.connect()
            one.send(b"\xc0\0")
            one.read()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "fired 1\n"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait(10)
