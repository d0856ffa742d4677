# SPDX-License-Identifier: MIT
"""`mqtt-ref decode`: what it takes, what it prints, what it exits with."""

from __future__ import annotations

import io
import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.cli.main import main
from mqtt_ref.wire import fast, reference
from mqtt_ref.wire.jsonform import packet_from_json
from mqtt_ref.wire.packets import Connack, Connect, Pingreq, Publish
from mqtt_ref.wire.primitives import V5, V311
from mqtt_ref.wire.recording import hex_bytes


def decode(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["decode", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    "words",
    [
        ["c000"],
        ["c0 00"],
        ["c0", "00"],
        ["0xC0 0x00"],
        ["0xc000"],
        ["c0|00"],
        ["c0:00"],
        ["c0\n00  # a comment"],
        ["\\xc0\\x00"],
    ],
)
def test_spellings_of_hex(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, _ = decode(capsys, *words)
    assert code == 0
    assert out.startswith("PINGREQ (MQTT 5.0, from the client, 2 bytes)")


def test_finding(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = decode(capsys, "-V", "311", "82 06 0001 0001 61 03")
    assert code == 1
    assert "MQTT311-3.8.3-4" in out
    assert "^^" in out


@pytest.mark.parametrize("words", [["xyz"], ["c0 0"], ["/no/such/file.pcap"], ["  "]])
def test_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = decode(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith("mqtt-ref decode: ")


def test_sender_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert decode(capsys, "--from", "server", "c000")[0] == 1
    assert decode(capsys, "-V", "5", "f000")[0] == 1
    code, out, _ = decode(capsys, "30 06 0001 61 00 7879")
    assert code == 0
    assert "with another meaning" in out


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["decode", "--help"])
    assert "mqtt-ref decode traffic.pcap" in capsys.readouterr().out


STREAM = reference.encode(V311, Connect("c", protocol_version=4)) + reference.encode(V311, Publish("a", b"\0"))


@pytest.mark.parametrize("content", [STREAM, STREAM.hex(" ").encode(), (STREAM.hex() + "\n").encode()])
def test_file(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "packets"
    path.write_bytes(content)
    code, out, _ = decode(capsys, str(path))
    assert code == 0
    assert "PUBLISH (MQTT 3.1.1, from the client, 6 bytes)" in out


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(STREAM)))
    code, out, _ = decode(capsys, "-")
    assert code == 0
    assert out.count("MQTT 3.1.1") >= 2


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = decode(capsys, "--json", "c000 c100")
    assert code == 1
    first, second = rows(out)
    assert packet_from_json(first["packet"]) == Pingreq()
    assert second["violation"]["statement"] == "MQTT5-2.1.3-1"
    assert (first["v"], second["offset"]) == (1, 2)


def test_trace(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    records = [
        {"t": 1, "conn": "a", "dir": "in", "hex": reference.encode(V311, Connect("a", protocol_version=4)).hex()},
        {"t": 2, "conn": "b", "dir": "in", "hex": reference.encode(V5, Connect("b")).hex()},
        {"t": 3, "conn": "a", "dir": "out", "hex": reference.encode(V311, Connack()).hex()},
        {"t": 4, "conn": "b", "dir": "out", "hex": reference.encode(V5, Connack()).hex()},
    ]
    path.write_text("\n".join(json.dumps(r) for r in records) + "\n")
    code, out, _ = decode(capsys, "--json", str(path))
    assert code == 0
    assert [(r["conn"], r["protocol"], r["sender"]) for r in rows(out)] == [
        ("a", 4, "client"),
        ("b", 5, "client"),
        ("a", 4, "server"),
        ("b", 5, "server"),
    ]


@pytest.mark.parametrize("line", ["{", '{"hex": 1}', '{"hex": "zz"}', "{}", "[" * 100_000])
def test_damaged_trace(capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text('{"conn": "a", "hex": "c000"}\n' + line + "\n")
    code, _, err = decode(capsys, str(path))
    assert code == 2
    assert "line 2" in err


def capture(*talk: tuple[bool, bytes], port: int = 1883) -> bytes:
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    at = [1, 1]
    for up, data in talk:
        one, two = (b"\x7f\0\0\1", 50000), (b"\x7f\0\0\2", port)
        source, target = (one, two) if up else (two, one)
        body = struct.pack(">HHIIBBHHH", source[1], target[1], at[up], 0, 80, 16, 0, 0, 0) + data
        packet = struct.pack(">BBHHHBBH", 69, 0, 20 + len(body), 0, 0, 64, 6, 0) + source[0] + target[0] + body
        at[up] += len(data)
        out += struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet
    return out


def test_capture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "traffic.pcap"
    data = reference.encode(V311, Connect("c" * 20, protocol_version=4))
    path.write_bytes(
        capture((True, data[:3]), (True, data[3:]), (False, reference.encode(V311, Connack())), (True, b"\xc0\0"),
                (False, b"\xd0\0"), (True, b"\xe1\0"), port=4242)
    )  # fmt: skip
    code, out, _ = decode(capsys, "--json", str(path))
    assert code == 1
    assert [(r["sender"], r["protocol"]) for r in rows(out)] == [
        ("client", 4),
        ("server", 4),
        ("client", 4),
        ("server", 4),
        ("client", 4),
    ]
    assert rows(out)[-1]["violation"]["statement"] == "MQTT311-3.14.1-1"
    code, out, _ = decode(capsys, str(path))
    assert "connection 1 127.0.0.1:50000" in out


def test_capture_from_the_middle_of_a_connection(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "traffic.pcap"
    path.write_bytes(capture((True, b"\xc0\0"), (False, b"\xd0\0")))
    code, out, _ = decode(capsys, "--json", str(path))
    assert code == 0
    assert [r["sender"] for r in rows(out)] == ["client", "server"]


def test_capture_without_mqtt(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "traffic.pcap"
    path.write_bytes(capture((True, b"GET / HTTP/1.1\r\nHost: somewhere.example\r\n\r\n"), port=80))
    code, _, err = decode(capsys, str(path))
    assert code == 2
    assert "CONNECT" in err


def test_garbage_behind_a_broken_packet(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = decode(capsys, "-V", "5", "c100 00 00 00")
    assert code == 1
    assert out.count("breach:") == 1
    assert "3 bytes after a broken packet" in err


def test_hex_bytes() -> None:
    assert hex_bytes("") == b""
    assert hex_bytes("0x10, 0x20") == b"\x10\x20"
    assert hex_bytes("1 0") == b"\x10"
    assert hex_bytes("hello") is None


ODD = "a\x9b31m\u202e\u2028"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_nothing_that_acts_on_a_terminal_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    """Neither from packets nor from the name of a connection in a trace."""
    data = fast.encode(5, Connect(ODD)) + fast.encode(5, Publish(ODD, ODD.encode()))
    record = tmp_path / "trace.jsonl"
    record.write_text(json.dumps({"t": 1, "conn": ODD, "dir": "in", "hex": data.hex() + "30"}) + "\n")
    main(["decode", *flags, str(record)])
    shown = capsys.readouterr()
    assert (shown.out + shown.err).replace("\n", "").isprintable()
    assert r"\u202e" in shown.out
