# SPDX-License-Identifier: MIT
"""`mqtt-ref oracle`: what each subcommand prints, and its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.cli.main import main
from mqtt_ref.cli.record_file import RecordFile
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.oracle.finding import finding_to_json
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.oracle.report import as_text, read_record
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.capture import capture
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Publish
from mqtt_ref.wire.pcap import Chunk
from mqtt_ref.wire.primitives import V5


def record(way: str, data: bytes) -> str:
    return json.dumps({"t": 1_000_000_000, "conn": 1, "dir": way, "packet": None, "hex": data.hex()})


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A client that sends an illegal PINGREQ, and a control character in a topic."""
    path = tmp_path / "trace.jsonl"
    lines = [
        record("open", b""),
        record("in", encode(V5, Connect("lamp"))),
        record("out", encode(V5, Connack())),
        record("in", b"\xc1\x00"),
        record("in", encode(V5, Publish("a\x07", b""))),
        record("close", b""),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_check_shows_each_finding_in_full(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["oracle", "check", str(trace)]) == 1
    out = capsys.readouterr().out
    for part in (
        "1. MQTT5-2.1.3-1  (must, MQTT 5.0, section 2.1.3)",
        "2. X5-disallowed-unicode-not-sent  (should",
        "client:   'lamp', connection 1",
        "U+0007 in the Topic Name",
        "-> CONNECT client_id='lamp'",
        "c1",
        "1 connection: 1 finding, 1 recommendation not followed, of 2 rules",
    ):
        assert part in out


def test_what_is_only_advised_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(
        "\n".join([record("in", encode(V5, Connect("c"))), record("in", encode(V5, Publish("a\x07", b"")))])
    )
    assert main(["oracle", "check", "--brief", str(path)]) == 0
    assert "X5-disallowed-unicode-not-sent (should)" in capsys.readouterr().out


def test_check_as_json(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["oracle", "check", "--json", str(trace)]) == 1
    form = json.loads(capsys.readouterr().out)
    assert (form["v"], form["connections"], form["must"], form["should"]) == (1, 1, 1, 1)
    first = form["findings"][0]
    assert (first["rule"], first["hex"], first["offset"], first["packet"]) == ("MQTT5-2.1.3-1", "c100", 0, None)
    assert [event["from"] for event in first["history"]] == ["client", "server", "client"]
    assert first["history"][0]["packet"]["client_id"] == "lamp"


def test_report_reads_what_serve_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage()
    stage.connect()
    stage.raw(b"\xc1\x00")
    path = tmp_path / "findings.jsonl"
    path.write_text("".join(json.dumps(finding_to_json(finding)) + "\n" for finding in stage.findings))
    assert main(["oracle", "report", str(path)]) == 1
    assert "MQTT5-2.1.3-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "text", "says"),
    [
        (["check"], "zzz", "which side"),
        (["check"], "c000", "which side"),
        (["report"], "{}", "line 1: this is not a finding"),
        (["report"], "x", "line 1"),
    ],
)
def test_what_cannot_be_read_is_said(
    words: list[str], text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    assert main(["oracle", *words, str(path)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", '{"t": 1, "conn": 1, "dir": "in", "packet": null, "hex": "c000"}'])
def test_nothing_that_could_be_judged_is_not_clean(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(text)
    assert main(["oracle", "check", str(path)]) == 2
    assert "1 connection, 1 not judged" in capsys.readouterr().out


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["oracle", "check", "not-there.pcap"]) == 2
    assert main(["oracle", "report", "not-there.jsonl"]) == 2
    assert main(["decode", "/"]) == 2
    checked, reported, _ = capsys.readouterr().err.splitlines()
    assert checked == "mqtt-ref oracle check: not-there.pcap: No such file or directory"
    assert reported == "mqtt-ref oracle report: not-there.jsonl: No such file or directory"


def test_coverage_says_how_each_statement_is_decided(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["oracle", "coverage", "--protocol", "5"]) == 0
    out = capsys.readouterr().out
    assert "MQTT5-3.3.1-1" in out
    assert "server acts: quota-held" in out
    assert "133 statements that the standard numbers bind the client" in out
    assert "MQTT311" not in out


SIGINT = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for another process on Windows")


def test_serve_refuses_to_be_open_by_accident(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["oracle", "serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "--allow-all" in capsys.readouterr().err


def started(*more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mqtt_ref", "oracle", "serve", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def addresses(process: subprocess.Popen[str], *schemes: str) -> list[str]:
    """Where it says that it listens: so many lines."""
    assert process.stdout is not None
    urls = [process.stdout.readline().removeprefix("listening on ").strip() for _ in schemes]
    assert [url.partition(":")[0] for url in urls] == list(schemes)
    return urls


@SIGINT
def test_check_says_of_a_trace_what_serve_said(tmp_path: Path) -> None:
    """Same rules, texts and order; a packet comes in two parts, and a link is lost in the middle of one."""
    path = tmp_path / "findings.jsonl"
    process = started("--port", "0", "--record", str(path), "--trace=jsonl")
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(":")[2])
        for name in ("lamp", "lamp", "fan"):
            with RawClient(port) as client:
                client.connect(name)
                again = encode(V5, Publish("a", b"x", 1, False, True, 1))
                client.send(again[:5])
                client.send(again[5:] + b"\xc1\x00")
                client.ping()
                client.send(again[:3])
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    live = list(read_record(path.read_text()))
    assert [finding.rule for finding in live] == ["MQTT5-4.3.2-2", "MQTT5-2.1.3-1"] * 3
    found = judge_recording(out.encode()).findings
    assert [as_text(finding) for finding in found] == [as_text(finding) for finding in live]
    assert list(found) == live


def test_check_says_what_a_capture_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends = ("10.0.0.1", "10.0.0.2", 40000, 1883)
    back = ("10.0.0.2", "10.0.0.1", 1883, 40000)
    path = tmp_path / "holes.pcap"
    path.write_bytes(
        capture(
            [
                Chunk(1, 1, *ends, encode(V5, Connect("lamp"))),
                Chunk(2, 1, *back, encode(V5, Connack()), gap=7),
                Chunk(3, 1, *ends, b"\xc1\x00"),
            ]
        )
    )
    assert main(["oracle", "check", "--brief", str(path)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("MQTT5-2.1.3-1: 'lamp'")
    assert out[1].startswith(
        "not judged: connection 1 10.0.0.1:40000: 7 bytes of the server are missing after byte 0; "
    )
    assert out[2] == "1 connection, 1 judged in part (bytes are missing): 1 finding, of 1 rule"
    assert main(["oracle", "check", "--json", str(path)]) == 1
    (hole,) = json.loads(capsys.readouterr().out)["holes"]
    assert hole.pop("unjudged").startswith("from there on, nothing is judged that depends on the server")
    assert hole == {
        "conn": "1 10.0.0.1:40000",
        "remote": "10.0.0.1:40000",
        "kind": "bytes",
        "from": "server",
        "behind": 0,
        "bytes": 7,
        "places": 1,
    }


@SIGINT
def test_serve_records_and_ends_with_1(tmp_path: Path) -> None:
    path = tmp_path / "findings.jsonl"
    process = started("--port", "0", "--record", str(path))
    try:
        port = int(addresses(process, "mqtt", "ws", "http")[0].rpartition(":")[2])
        with RawClient(port) as client:
            client.connect("lamp")
            client.send(b"\xc1\x00")
            client.ping()
            client.disconnect()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "MQTT5-2.1.3-1: 'lamp' on connection 1" in err
    assert "1 connection: 1 finding, of 1 rule" in err
    assert json.loads(path.read_text())["rule"] == "MQTT5-2.1.3-1"


CONFIG = """\
listeners:
  - {type: ws, id: web, address: "127.0.0.1:0"}
  - {type: tcp, id: plain, address: "127.0.0.1:0"}
hooks: {auth: {ledger: {users: {alice: {password: first, acl: {"#": readwrite}}}}}}
options: {capabilities: {maximum_qos: 1}}
"""
SCRIPT = "limits: {receive_maximum: 7}"


@SIGINT
@pytest.mark.parametrize("script", ["", SCRIPT], ids=["alone", "with a script"])
def test_serve_takes_the_configuration_of_the_broker(script: str, tmp_path: Path) -> None:
    (tmp_path / "broker.yaml").write_text(CONFIG)
    (tmp_path / "script.yaml").write_text(script)
    more = ["--script", str(tmp_path / "script.yaml")] if script else []
    process = started("--config", str(tmp_path / "broker.yaml"), *more)
    try:
        port = int(addresses(process, "ws", "mqtt")[1].rpartition(":")[2])
        with RawClient(port) as client:
            client.send(Connect("stranger"))
            assert client.expect(Connack).reason_code == 0x87
        with RawClient(port) as client:
            properties = client.connect("lamp", username="alice", password=b"first").properties
            assert properties is not None
            assert properties.maximum_qos == 1
            assert properties.receive_maximum == (7 if script else 1024)
            client.send(Publish("a", b"", qos=2, packet_id=1))
            client.ping()  # so that the server has read it
            client.disconnect()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "MQTT5-3.2.2-11: 'lamp' on connection 2" in err


def test_a_configuration_that_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broker.yaml").write_text("listenres: []")
    assert main(["oracle", "serve", "--config", str(tmp_path / "broker.yaml")]) == 2
    assert "listenres" in capsys.readouterr().err


def test_flags_and_configuration_do_not_both_say_where_to_listen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broker.yaml").write_text(CONFIG)
    assert main(["oracle", "serve", "--config", str(tmp_path / "broker.yaml"), "--ws-port", "0"]) == 2
    assert "--ws-port: the configuration says where to listen" in capsys.readouterr().err


def test_a_record_on_a_full_disk_counts_what_is_missing(require: Any, tmp_path: Path) -> None:
    require.that(Path("/dev/full").exists(), "there is no /dev/full")
    record = RecordFile("/dev/full")
    assert record.add({"a": 1}).startswith("cannot write /dev/full: No space left")
    assert record.add({"a": 2}) == "", "once"
    assert (record.lost, record.why) == (2, "No space left on device")
    record.close()


def test_a_part_of_a_line_does_not_stay_in_a_record(tmp_path: Path) -> None:
    """When the disk is full in the middle of a line, and has room later."""
    record = RecordFile(str(tmp_path / "record.jsonl"))
    whole = record._file

    class Full:
        """Takes half a line."""

        def write(self, line: bytes) -> int:
            return whole.write(line[:5])

        def __getattr__(self, name: str) -> Any:
            return getattr(whole, name)

    assert record.add({"number": 1}) == ""
    record._file = Full()  # type: ignore[assignment]
    assert "the disk is full" in record.add({"number": 2})
    record._file = whole
    assert record.add({"number": 3}) == ""
    record.close()
    lines = (tmp_path / "record.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 3]
