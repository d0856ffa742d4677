# SPDX-License-Identifier: MIT
"""What the reports say about a run that has each verdict, and that a failure can be reproduced from them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mqtt_conformance.case import load_cases
from mqtt_conformance.record import Record
from mqtt_conformance.reports import html, jsonform, junit, markdown, reproducer, terminal
from mqtt_conformance.runner import Result
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.packets import Pingreq, Pingresp
from mqtt_ref.wire.statements import STATEMENTS
from tests.conformance.lame import lame_broker

EVIL = "<script>alert('x')</script> \x01 \ud800 ]]> `"


@pytest.fixture(scope="module")
def results() -> list[Result]:
    cases = list(load_cases().values())[:: len(load_cases()) // 12]
    out = []
    for number, (case, verdict) in enumerate(zip(cases, list(Verdict) * 2, strict=False)):
        trace = [
            Record(0.0, "client", "opened", b"", None),
            Record(0.001, "client", "out", b"\xc0\x00", Pingreq()),
            Record(0.002, "client", "in", b"\xd0\x00", Pingresp()),
            Record(0.003, "client", "closed", b"", None),
        ]
        out.append(Result(case, verdict, f"message {number} {EVIL}", f"this {EVIL}", f"that {EVIL}", 0.5, trace=trace))
    return out


def test_junit_parses_and_counts_right(results: list[Result]) -> None:
    root = ElementTree.fromstring(junit.render(results).split("\n", 1)[1])
    suites = root.findall("testsuite")
    assert sum(int(s.attrib["tests"]) for s in suites) == len(root.findall("testsuite/testcase")) == len(results)
    assert sum(int(s.attrib["failures"]) for s in suites) == len(root.findall("testsuite/testcase/failure")) == 2
    assert sum(int(s.attrib["skipped"]) for s in suites) == len(root.findall("testsuite/testcase/skipped")) == 4
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert "c0 00" in (failure.text or "")
    assert "expected: this" in (failure.text or "")


def fits(value: Any, schema: dict[str, Any], path: str = "$") -> Iterator[str]:
    """What does not fit, for the part of JSON Schema that the report's schema uses."""
    kinds: dict[str, tuple[type, ...]] = {
        "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
        "null": (type(None),),
    }  # fmt: skip
    if "const" in schema and value != schema["const"]:
        yield f"{path} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is not one of {schema['enum']}"
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(isinstance(value, kinds[name]) for name in names):
            yield f"{path} is not of type {schema['type']}"
            return
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{path} lacks {name}"
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
            yield from fits(item, inner, f"{path}.{name}")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{path} is too short"
        for number, item in enumerate(value):
            yield from fits(item, schema.get("items", {}), f"{path}[{number}]")


def test_json_keeps_to_its_schema(results: list[Result]) -> None:
    target = Target("mqtt://user:secret@localhost:1883")
    text = jsonform.render(results, target)
    data = json.loads(text)
    assert list(fits(data, jsonform.SCHEMA)) == []
    assert "secret" not in text
    assert data["counts"]["fail"] == 2
    assert all(("trace" in r) == (r["verdict"] not in ("pass", "unsupported")) for r in data["results"])
    assert list(fits({**data, "format": 2}, jsonform.SCHEMA))


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.links.append(value or "")


def test_html_is_self_contained_and_lists_each_failure(results: list[Result]) -> None:
    quotes = dict.fromkeys(results[1].case.statements, "what the standard says")
    text = html.render(results, quotes, "localhost:1883")
    text.encode()
    page = Page()
    page.feed(text)
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(", text)
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for result in results:
        if result.verdict is Verdict.FAIL:
            assert result.case.id in text
            assert "c0 00" in text
            assert all(name in text for name in result.case.statements)
    assert "what the standard says" in text
    assert "Pingreq()" in text


def test_markdown_and_badge(results: list[Result]) -> None:
    text = markdown.render(results)
    text.encode()
    assert text.count("- **") == 2
    assert "<script>" not in re.sub(r"`[^`]*`", "", text)
    badge = json.loads(markdown.badge(results))
    assert badge["message"] == "6/8"
    assert badge["color"] == "red"
    assert json.loads(markdown.badge([r for r in results if r.verdict is Verdict.PASS]))["color"] == "brightgreen"


def test_terminal_quotes_the_standard(results: list[Result]) -> None:
    quotes = dict.fromkeys(results[1].case.statements, "what the standard says")
    text = terminal.render(results, quotes)
    assert "the standard: what the standard says" in text
    assert STATEMENTS[results[1].case.statements[0]].meaning in text
    assert "-> Pingreq()" in text


def test_a_reproducer_shows_the_same_packets(results: list[Result], tmp_path: Path) -> None:
    with lame_broker() as port:
        connect = bytes.fromhex("100f00044d5154540502003c0000026331")
        failed = Result(
            results[1].case,
            Verdict.FAIL,
            EVIL,
            f'three """ quotes {EVIL}',
            "\\",
            trace=[
                Record(0.0, "client", "opened", b"", None),
                Record(0.0, "client", "out", connect, connect),
                Record(0.0, "client", "in", b"\x20\x03\x00\x00\x00", None),
                Record(0.0, "client", "out", b"\xc1\x00", b"\xc1\x00"),
            ],
        )
        script = tmp_path / "failure.py"
        script.write_text(reproducer.render(failed, Target(f"mqtt://127.0.0.1:{port}")))
        seen = subprocess.run([sys.executable, "-I", script], capture_output=True, text=True, timeout=30, check=True)
    assert seen.stdout.splitlines() == [
        f"client -> CONNECT {connect.hex(' ')}",
        "client <- CONNACK 20 03 00 00 00",
        "client -> PINGREQ c1 00",
        "client <- PINGRESP d0 00",
    ]
