# SPDX-License-Identifier: MIT
"""A row of a table that the engine does not carry out is refused, with the place to mend."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codegen.carried_out import not_carried_out
from codegen.load import load
from codegen.tables.reader import SpecError


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    shutil.copytree(root / "spec", tmp_path / "spec")
    for folder in ("engine", "broker"):
        ignored = shutil.ignore_patterns("generated", "__pycache__")
        shutil.copytree(root / "mqtt_ref" / folder, tmp_path / "mqtt_ref" / folder, ignore=ignored)
    return tmp_path


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def findings(project: Path) -> list[str]:
    return not_carried_out(project, load(project / "spec"))


def test_everything_is_carried_out(project: Path) -> None:
    assert findings(project) == []


def test_an_input_that_nothing_feeds(project: Path) -> None:
    will = project / "spec" / "machines" / "will.toml"
    replace(will, "[[action]]", '[[input]]\nname    = "regretted"\nnumber  = 9\nmeaning = "Never."\n[[action]]')
    replace(will, 'input  = ["goodbye"]', 'input  = ["goodbye", "regretted"]')
    (finding,) = findings(project)
    assert finding.startswith("spec/machines/will.toml: input regretted: nothing in mqtt_ref/engine")
    assert "(ON_REGRETTED); its rows for armed can't be reached" in finding


def test_an_action_that_nothing_handles(project: Path) -> None:
    qos = project / "spec" / "machines" / "qos_receive.toml"
    replace(qos, 'name    = "pubcomp"', 'name    = "shrug"')
    replace(qos, 'effect = "pubcomp"', 'effect = "shrug"')
    found = findings(project)
    assert len(found) == 1
    assert found[0].startswith("spec/machines/qos_receive.toml: action shrug: nothing in mqtt_ref/engine")
    assert "it is the effect of held x pubrel" in found[0]


def test_code_that_stops_handling_an_action(project: Path) -> None:
    code = project / "mqtt_ref" / "engine" / "connection.py"
    replace(code, "elif action == DO_PINGRESP:", "elif action == 99:")
    (finding,) = findings(project)
    assert "spec/machines/connection.toml: action pingresp" in finding


def test_a_reaction_that_a_server_cannot_carry_out(project: Path) -> None:
    reactions = project / "spec" / "reactions.toml"
    replace(reactions, 'action   = "close"', 'action   = "suback"')
    with pytest.raises(SpecError, match=r"reactions.toml: .*: action: the server cannot carry out 'suback'"):
        load(project / "spec")


def test_code_that_stops_carrying_out_a_reaction(project: Path) -> None:
    code = project / "mqtt_ref" / "engine" / "reacting.py"
    replace(code, 'found.action == "connack"', 'found.action == "connack again"')
    found = findings(project)
    assert found
    assert all(one.startswith("spec/reactions.toml: reaction ") and "'connack'" in one for one in found)
