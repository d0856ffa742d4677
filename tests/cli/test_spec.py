# SPDX-License-Identifier: MIT
"""`mqtt-ref spec`: everything the tables know can be found by the names people use."""

from __future__ import annotations

import pytest

from mqtt_ref.cli.main import main
from mqtt_ref.wire.generated.catalogue import PACKETS, PROPERTIES, REASONS, RETURN_CODES


def spec(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["spec", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_id(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = spec(capsys, "MQTT5-3.1.2-11")
    assert code == 0
    assert out.startswith("MQTT5-3.1.2-11  MQTT 5.0, section 3.1.2.6; MUST, binds the client")


def test_the_standards_own_spelling(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = spec(capsys, "MQTT-3.1.2-11")
    assert "MQTT5-3.1.2-11" in out
    assert "MQTT311-3.1.2-11" in out
    _, out, _ = spec(capsys, "--protocol", "3.1.1", "[MQTT-3.1.2-11]")
    assert "MQTT5-3.1.2-11" not in out
    assert "MQTT311-3.1.2-11" in out


@pytest.mark.parametrize("row", PROPERTIES, ids=lambda row: row.name)
def test_property_by_name_title_and_number(capsys: pytest.CaptureFixture[str], row: object) -> None:
    assert hasattr(row, "name")
    for word in (row.name, row.title, f"0x{row.identifier:02x}"):  # type: ignore[attr-defined]
        code, out, _ = spec(capsys, word)
        assert code == 0
        assert f"{row.title}  property" in out  # type: ignore[attr-defined]


def test_all_packets_and_reason_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for packet in PACKETS:
        assert f"packet type {packet.code}," in spec(capsys, packet.name.lower())[1]
    for reason in REASONS:
        assert f"Reason Code 0x{reason.code:02X}" in spec(capsys, f"0x{reason.code:02X}")[1]
        assert reason.title in spec(capsys, reason.name)[1]
    assert "return code" in spec(capsys, RETURN_CODES[1][1])[1]


def test_word(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = spec(capsys, "wildcard")
    assert code == 0
    assert "MQTT5-4.7.1-1" in out
    assert "MQTT311-" not in spec(capsys, "--protocol", "5", "wildcard")[1]


def test_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert spec(capsys, "no such thing")[0] == 1
    assert spec(capsys)[0] == 2


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = spec(capsys, "--counts")
    assert code == 0
    counts = {
        label.strip(): int(number.replace(",", ""))
        for number, label in (r.strip().split("  ", 1) for r in out.splitlines())
    }
    assert counts["statements of MQTT 5.0 with a number of their own"] == 251
    assert counts["statements of MQTT 3.1.1 with a number of their own"] == 141
    assert (counts["packets"], counts["properties"]) == (len(PACKETS), len(PROPERTIES))
    assert counts["return codes of MQTT 3.x"] == len(RETURN_CODES)
    assert counts["Reason Codes of MQTT 5.0"] == len({row.code for row in REASONS})
    assert all(counts.values())
