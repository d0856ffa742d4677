# SPDX-License-Identifier: MIT
"""Whether what is traced is what stands there, and whether every statement that binds a server has code or a reason."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.wire.statements import STATEMENTS, binding
from tests.traceability import ROOT, Place, places, untraced

SERVERS = {statement.id for version in (3, 4, 5) for statement in binding("server", version)}

SOURCE = '''\
"""A module [MQTT5-1.5.4-1]."""

from dataclasses import dataclass

RULE = ("MQTT5-1.5.5-1", 1)
BOTH = (RULE, 2)
ROWS = {
    "limit": 3,  # [MQTT5-2.1.3-1]
    "other": 4,
}
LAST = 5
"""What comes last [MQTT5-3.1.0-1]."""


@dataclass
class Options:
    """Options [MQTT5-3.1.2-1]."""

    limit: int = 6
    plain: int = 7
    """Not less [MQTT5-3.1.2-2]."""

    def total(self) -> int:
        """Their sum."""
        return self.limit + self.plain


def decide(value: int) -> int:
    """Decides.

    [MQTT5-3.1.2-3]
    """
    if value == LAST:
        # [MQTT5-3.1.4-1]
        return (
            BOTH[1]
        )
    for one in (1, 2):  # [MQTT5-3.1.4-2]
        value += one
    raise ValueError("[MQTT5-3.1.4-3]")
'''


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Place]:
    """Where the citations of `SOURCE` and of a file that reads its attributes lead."""
    package = tmp_path / "mqtt_ref" / "wire" / "generated"
    package.mkdir(parents=True)
    (package / "statements.py").write_text('ROWS = ("MQTT5-3.1.4-4",)\n')
    (tmp_path / "mqtt_ref" / "one.py").write_text(SOURCE)
    (tmp_path / "mqtt_ref" / "two.py").write_text("def use(options):\n    return options.limit\n")
    out: dict[str, Place] = {}
    for statement, where in places(tmp_path).items():
        (out[statement],) = where
    return out


@pytest.mark.parametrize(
    ("statement", "name", "texts"),
    [
        ("MQTT5-3.1.2-1", "Options", ['"""Their sum."""', "return self.limit + self.plain"]),
        ("MQTT5-3.1.2-2", "Options.plain", ["return self.limit + self.plain"]),
        ("MQTT5-2.1.3-1", "ROWS.limit", ["return self.limit + self.plain", "return options.limit"]),
        ("MQTT5-1.5.5-1", "RULE", ["BOTH[1]"]),
        ("MQTT5-3.1.0-1", "LAST", ["if value == LAST:"]),
        ("MQTT5-3.1.4-1", "decide", ["return (", "BOTH[1]", ")"]),
        ("MQTT5-3.1.4-2", "decide", ["value += one"]),
        ("MQTT5-3.1.4-3", "decide", ['raise ValueError("[MQTT5-3.1.4-3]")']),
    ],
)
def test_what_a_citation_stands_for(found: dict[str, Place], statement: str, name: str, texts: list[str]) -> None:
    place = found[statement]
    files = {"mqtt_ref/one.py": SOURCE.splitlines(), "mqtt_ref/two.py": ["", "return options.limit"]}
    assert place.name == name
    assert [files[file][line - 1].strip() for file, line in sorted(place.spots)] == texts


def test_a_docstring_cites_for_all_of_its_function_or_module(found: dict[str, Place]) -> None:
    lines = {line for _, line in found["MQTT5-3.1.2-3"].spots}
    begin = SOURCE.splitlines().index('    """Decides.') + 1
    assert lines == set(range(begin, len(SOURCE.splitlines()) + 1))
    assert {line for _, line in found["MQTT5-1.5.4-1"].spots} > lines


def test_lists_of_statements_are_no_code(found: dict[str, Place]) -> None:
    assert "MQTT5-3.1.4-4" not in found


def test_reasons_are_for_statements_that_bind_a_server() -> None:
    reasons = untraced()
    for pattern, why in reasons.items():
        assert fnmatch.filter(SERVERS, pattern), f"{pattern}: nothing that binds a server has that id"
        assert len(why) > 20, pattern
        for mentioned in STATEMENTS:
            if f"({mentioned})" in why:
                assert mentioned not in reasons, f"{pattern}: {mentioned}, which is to hold it, has no code either"


def test_two_reasons_for_one_statement_are_refused(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    row = '[[untraced]]\nstatement = ["X5-any", "X5-other"]\nwhy = "because"\n'
    (tmp_path / "tests" / "untraced.toml").write_text(row)
    assert untraced(tmp_path) == {"X5-any": "because", "X5-other": "because"}
    (tmp_path / "tests" / "untraced.toml").write_text(row + row)
    with pytest.raises(ValueError, match="X5-any"):
        untraced(tmp_path)


@pytest.mark.timeout(1200)
def test_every_statement_that_binds_a_server_is_traced_or_has_a_reason(require: Any, tmp_path: Path) -> None:
    """Here by its code alone; the long form records the tests too, which takes minutes."""
    cited, reasons = places(), untraced()
    assert sorted(s for s in SERVERS - cited.keys() if not any(fnmatch.fnmatchcase(s, p) for p in reasons)) == []
    if os.environ.get("MQTT_REF_PROFILE") == "exhaustive":
        require.module("coverage")
        command = [sys.executable, "-m", "tests.traceability", "--brief", "--data", str(tmp_path / "trace")]
        env = {**os.environ, "MQTT_REF_PROFILE": "ci", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'conformance'}"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
