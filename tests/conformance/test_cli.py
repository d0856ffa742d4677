# SPDX-License-Identifier: MIT
"""`mqtt-ref conformance`: what it runs, what it writes, and how it ends."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_conformance import cli
from mqtt_conformance.case import load_cases
from tests.conformance.lame import lame_broker

SERVED = "MQTT5-2.1.3-1/vector-flags-pingreq-fixed_header"
PONG = "MQTT5-3.12.4-1/pingresp"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with lame_broker() as port:
        yield f"mqtt://127.0.0.1:{port}"


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    cli.configure(parser)
    return cli.run(parser.parse_args([str(w) for w in words]))


def test_ends_with_0_when_nothing_is_found(url: str) -> None:
    assert run(url, "--select", PONG) == 0


def test_ends_with_1_on_a_failure_and_writes_all_reports(url: str, tmp_path: Path) -> None:
    words = [w for kind in ("junit", "json", "html", "markdown", "badge") for w in (f"--{kind}", tmp_path / kind)]
    assert run(url, "--select", SERVED, PONG, "--reproducers", tmp_path / "r", *words) == 1
    assert all((tmp_path / kind).stat().st_size for kind in ("junit", "json", "html", "markdown", "badge"))
    assert [p.name for p in (tmp_path / "r").iterdir()] == [SERVED.replace("/", "-") + ".py"]
    data = json.loads((tmp_path / "json").read_text())
    assert {r["id"]: r["verdict"] for r in data["results"]} == {SERVED: "fail", PONG: "pass"}


def test_known_failures(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = tmp_path / "known.toml"
    assert run(url, "--select", SERVED, "--write-expect", known) == 1
    assert run(url, "--select", SERVED, PONG, "--expect", known) == 0
    known.write_text(known.read_text() + f'\n[[failure]]\ncase = "{PONG}"\nreason = "was broken once"\n')
    capsys.readouterr()
    assert run(url, "--select", SERVED, PONG, "--expect", known) == 1
    assert f"repaired, remove it from the list: {PONG}" in capsys.readouterr().out
    known.write_text("")
    assert run(url, "--select", SERVED, "--expect", known) == 1
    assert f"new failure: {SERVED}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mqtt://127.0.0.1:1"], "cannot be reached: nobody listens there"),
        (["http://127.0.0.1"], "the scheme must be one of"),
        ([], "name the broker"),
        (["mqtt://127.0.0.1:1", "--protocol", "6"], "is not one of"),
        (["mqtt://127.0.0.1:1", "--select", "MQTT5-9.9.9-9"], "no case has MQTT5-9.9.9-9"),
        (["mqtt://127.0.0.1:1", "--skip", "nothing"], "no case has nothing"),
        (["mqtt://127.0.0.1:1", "--section", "99"], "no case belongs to section 99"),
        (["mqtt://127.0.0.1:1", "--jobs", "0"], "--jobs must be at least 1"),
        (["mqtt://127.0.0.1:1", "--timeout-factor", "0"], "--timeout-factor must be greater than 0"),
        (["mqtt://127.0.0.1:1", "--select", PONG, "--skip", PONG], "no case is left"),
        (["mqtt://127.0.0.1:1", "--expect", "/does/not/exist"], "/does/not/exist"),
        (["mqtt://127.0.0.1:1", "--profile", "/does/not/exist"], "/does/not/exist"),
        (["mqtt://127.0.0.1:1", "--standard", "/does/not/exist"], "/does/not/exist"),
    ],
)
def test_ends_with_2_and_says_why(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 2
    assert says in capsys.readouterr().err


def test_list_select_section_and_skip(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list", "--protocol", "5") == 0
    assert f"{sum(c.version == 5 for c in load_cases().values())} cases" in capsys.readouterr().out
    assert run("--list", "--select", "MQTT-3.12.4-1", "--protocol", "3.1.1") == 0
    assert "MQTT311-3.12.4-1/pingresp" in capsys.readouterr().out
    cases = list(load_cases().values())
    chosen = cli.select(cases, [5], [], ["4.7"], ["MQTT5-4.7.1-1"])
    assert chosen
    assert not any("MQTT5-4.7.1-1" in c.statements for c in chosen)


def test_strict_makes_advice_a_finding(url: str) -> None:
    assert run(url, "--select", "MQTT5-3.1.4-3/takeover-reason", "--timeout-factor", "0.1") in (0, 1)
    assert run(url, "--select", PONG, "--strict") == 0


def test_quotes_a_copy_of_the_standard(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "mqtt-v5.md"
    copy.write_text("# MQTT Version 5.0\n\nSomething. Here stands **the** rule of the flags [MQTT-2.1.3-1].\n")
    assert run(url, "--select", SERVED, "--standard", copy) == 1
    assert "the standard: Here stands the rule of the flags" in capsys.readouterr().out


def test_summary_of_a_ci_job(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert run(url, "--select", PONG) == 0
    assert "## MQTT conformance" in (tmp_path / "summary").read_text()
