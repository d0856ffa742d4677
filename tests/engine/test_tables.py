# SPDX-License-Identifier: MIT
"""The tables as data: complete, cited, and changeable without touching the engine."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from codegen.tables.decisions import load_decisions
from codegen.tables.machines import Machine, load_machines
from codegen.tables.reader import SpecError
from mqtt_ref.engine import connection
from mqtt_ref.engine.generated.decisions import DECISIONS, LIMITS
from mqtt_ref.engine.tables import MACHINES, TABLES, changed, decided, recording
from mqtt_ref.wire.packets import Publish, Pubrec, Pubrel
from mqtt_ref.wire.statements import STATEMENTS
from tests.sansio import World

SPEC = {machine.name: machine for machine in load_machines()}


@pytest.mark.parametrize("name", MACHINES)
def test_every_pair_is_a_row_a_breach_or_impossible(name: str) -> None:
    machine: Machine = SPEC[name]
    module = importlib.import_module(f"mqtt_ref.engine.generated.{name}")
    assert tuple(machine.states) == module.STATES
    action, after = getattr(TABLES, f"{name}_action"), getattr(TABLES, f"{name}_next")
    assert len(action) == len(after) == len(module.CITES) == len(module.STATES) * module.WIDTH
    for s, state in enumerate(module.STATES):
        for number in range(module.WIDTH):
            at = s * module.WIDTH + number
            pair = machine.pair(state, number)
            assert module.CITES[at] == pair.cites
            if pair.effect:
                assert module.ACTIONS[action[at]] == pair.effect
                assert module.STATES[after[at]] == pair.next
                assert pair.cites, "a row cites its statement"
            else:
                assert action[at] == module.BREACH
                assert after[at] == s, "a breach does not move the machine"
                assert bool(pair.why) == (at in module.IMPOSSIBLE)
                assert pair.why or pair.cites, "a breach names the statement that is broken"


@pytest.mark.parametrize("name", MACHINES)
def test_every_citation_is_a_statement(name: str) -> None:
    for pair in SPEC[name].pairs.values():
        for one in pair.cites:
            assert one in STATEMENTS, one
    for one in SPEC[name].otherwise.cites:
        assert one in STATEMENTS, one


def test_every_decision_and_number_cites_statements() -> None:
    choices, limits = load_decisions()
    assert {choice.name for choice in choices} == set(DECISIONS)
    assert {limit.name for limit in limits} == set(LIMITS)
    for cites in (*(choice.cites for choice in choices), *(limit.cites for limit in limits)):
        for one in cites:
            assert one in STATEMENTS, one


def test_a_changed_copy_leaves_the_standard_alone() -> None:
    before = list(TABLES.qos_send_action)
    faulty = changed(TABLES, "qos_send", "await_pubrec", "pubrec_error", action="send_pubrel", next="await_pubcomp")
    assert TABLES.qos_send_action == before
    assert faulty.qos_send_action != before
    world = World(tables=faulty)
    sub = world.client("sub")
    sub.subscribe("t", 2)
    world.client("pub").publish("t", b"1", 2)
    packet_id = sub.one(Publish).packet_id
    assert sub.ask(Pubrec(packet_id, 0x80)) == Pubrel(packet_id)


def test_changed_numbers() -> None:
    world = World(tables=changed(TABLES, limits={"keep_alive_percent": 300}))
    a = world.client("a", keep_alive=10)
    world.pass_time(29)
    assert not a.closed
    world.pass_time(2)
    assert a.closed


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="machine"):
        changed(TABLES, "nothing", "idle", "puback", action="ignore")
    with pytest.raises(ValueError, match="not in tuple"):
        changed(TABLES, "qos_send", "idle", "nothing", action="ignore")
    with pytest.raises(ValueError, match="number"):
        changed(TABLES, limits={"nothing": 1})
    with pytest.raises(ValueError, match="decision"):
        decided(TABLES, {"nothing": "x"})
    with pytest.raises(ValueError, match="one, each"):
        decided(TABLES, {"overlapping": "x"})


@pytest.mark.skipif(not str(connection.__file__).endswith(".py"), reason="compiled code reads the tables directly")
def test_recording_notes_the_rows_that_ran() -> None:
    seen: set[str] = set()
    world = World(tables=recording(seen))
    sub = world.client("sub")
    assert "MQTT5-3.1.2-4" in seen
    sub.subscribe("t", 1)
    seen.clear()
    world.client("pub").publish("t", b"1", 1)
    assert {"MQTT5-4.3.2-2", "MQTT5-4.3.2-4"} <= seen
    assert "MQTT5-4.3.2-3" not in seen
    assert sub.payloads() == [b"1"]
    assert "MQTT5-4.3.2-3" in seen


def write(root: Path, text: str) -> Path:
    folder = root / "spec" / "machines"
    folder.mkdir(parents=True)
    (folder / "toy.toml").write_text(text)
    return root


TOY = """
machine = "toy"
title = "Toy"
start = "off"
[otherwise]
cites = ["MQTT5-1.5.4-1"]
reason = "PROTOCOL_ERROR"
[[state]]
name = "off"
meaning = "Off."
[[input]]
name = "push"
number = 0
meaning = "Push."
[[action]]
name = "click"
meaning = "Click."
[[row]]
state = "off"
input = ["push"]
effect = "click"
next = "off"
cites = ["MQTT5-1.5.4-1"]
"""


def test_a_right_machine_is_read(tmp_path: Path) -> None:
    (machine,) = load_machines(write(tmp_path, TOY))
    assert machine.pair("off", 0).effect == "click"
    assert machine.pair("off", 5).cites == ("MQTT5-1.5.4-1",)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('next = "off"', 'next = "on"', "machines/toy.toml: row 1: next: 'on' is not declared"),
        ('effect = "click"', 'effect = "bang"', "machines/toy.toml: row 1: effect: 'bang' is not declared"),
        ('input = ["push"]', 'input = ["pull"]', "machines/toy.toml: row 1: input: 'pull' is not declared"),
        ('cites = ["MQTT5-1.5.4-1"]\n', "", "machines/toy.toml: .*: cites: is missing"),
        ('["MQTT5-1.5.4-1"]\nreason', '["MQTT-1"]\nreason', "machines/toy.toml: otherwise: cites"),
        ('start = "off"', 'start = "on"', "machines/toy.toml: file: start"),
        ('machine = "toy"', 'machine = "boy"', "machines/toy.toml: file: machine"),
        ("number = 0", 'number = "0"', "machines/toy.toml: input push: number"),
        ('title = "Toy"', 'title = "Toy"\nnote = "x"', "machines/toy.toml: file: note"),
    ],
)
def test_a_wrong_row_is_refused_by_file_row_and_column(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert old in TOY
    with pytest.raises(SpecError, match=where):
        load_machines(write(tmp_path, TOY.replace(old, new)))


def test_a_pair_stands_once(tmp_path: Path) -> None:
    row = TOY[TOY.index("[[row]]") :]
    with pytest.raises(SpecError, match="has a row already"):
        load_machines(write(tmp_path, TOY + row))
