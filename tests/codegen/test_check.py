# SPDX-License-Identifier: MIT
"""`python -m codegen --check`: green as committed, red with a readable message for each kind of damage."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import codegen.__main__ as command
from codegen.load import load
from codegen.model import Row, Spec
from codegen.tables.reader import SpecError

FAST = "mqtt_ref/wire/generated/fast.py"


@pytest.fixture(scope="module")
def written(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of nothing but tables, what is written from them, and the code that carries them out."""
    made = tmp_path_factory.mktemp("project")
    shutil.copytree(root / "spec", made / "spec")
    for folder in ("engine", "broker", "hooks"):
        ignored = shutil.ignore_patterns("generated", "__pycache__")
        shutil.copytree(root / "mqtt_ref" / folder, made / "mqtt_ref" / folder, ignore=ignored)
    assert command.main(["--root", str(made)]) == 0
    return made


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "project"))


def check(project: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = command.main(["--check", "--root", str(project)])
    return code, capsys.readouterr().out


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_what_is_committed_is_what_the_tables_say(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "codegen", "--check"], cwd=root, capture_output=True, text=True, timeout=100, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_writing_twice_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(project, capsys) == (0, "")
    assert command.main(["--root", str(project)]) == 0
    assert capsys.readouterr().out == ""


def test_same_bytes_whatever_the_hash_seed(root: Path, written: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "spec", tmp_path / "spec")
    subprocess.run(
        [sys.executable, "-m", "codegen", "--root", str(tmp_path)],
        cwd=root,
        env={"PYTHONHASHSEED": "12345", "PATH": ""},
        check=True,
        capture_output=True,
        timeout=100,
    )
    copied = [written / "mqtt_ref" / folder for folder in ("engine", "broker", "hooks")]
    files = [f.relative_to(written) for f in written.rglob("*") if f.is_file() and f.parent not in copied]
    assert files
    for file in files:
        assert (tmp_path / file).read_bytes() == (written / file).read_bytes(), file


def test_drift_in_a_generated_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(project / FAST, "if packet_id == 0:", "if packet_id == 1:")
    code, out = check(project, capsys)
    assert code == 1
    assert f"{FAST}: differs from the tables" in out
    assert f"--- {FAST} (committed)" in out
    changed = [line.replace(" ", "") for line in out.splitlines() if line.startswith(("-  ", "+  "))]
    assert changed == ["-ifpacket_id==1:", "+ifpacket_id==0:"]
    assert out.endswith("1 finding. Run: python -m codegen\n")


def test_a_table_that_changed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(project / "spec" / "properties.toml", "range  = { min = 1, breach = ", "range  = { min = 2, breach = ")
    code, out = check(project, capsys)
    assert code == 1
    assert f"{FAST}: differs from the tables" in out
    assert "mqtt_ref/wire/generated/vectors.py: differs from the tables" in out


def test_generated_file_that_is_missing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / FAST).unlink()
    code, out = check(project, capsys)
    assert code == 1
    assert f"{FAST}: differs from the tables" in out


@pytest.mark.parametrize("place", ["mqtt_ref/wire/generated", "conformance", "docs", "tests"])
def test_orphan(place: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "old.py").write_text(f"# SPDX-License-Identifier: MIT\n# {command.MARK} from the tables in `spec/`.\n")
    (folder / "mine.py").write_text("# SPDX-License-Identifier: MIT\n")
    code, out = check(project, capsys)
    assert code == 1
    assert out.startswith(f"{place}/old.py: is marked as generated, but nothing writes it; delete it\n")
    assert "mine.py" not in out


def test_column_that_nothing_reads(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "EMITTERS", ("packets",))
    code, out = check(project, capsys)
    assert code == 1
    assert "spec: Packet: column 'flags' is read by no emitter" in out
    assert "spec: Check: column 'expression' is read by no emitter" in out
    assert f"{FAST}: is marked as generated, but nothing writes it; delete it" in out


def test_row_that_nothing_reads(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load(root / "spec")
    Row.start_counting()
    for prop in spec.properties:
        _ = prop.name
    Row.stop_counting()
    out = command.unread(spec)
    assert "spec: Reason SUCCESS: no emitter reads this row" in out
    assert "spec: Statement MQTT5-3.1.2-1: no emitter reads this row" in out
    assert not any(line.startswith("spec: Property ") for line in out)


def test_two_emitters_of_one_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "EMITTERS", ("packets", "packets"))
    with pytest.raises(SystemExit, match=r"packets\.py: written by two emitters"):
        command.generate(load(root / "spec"))


def test_every_generated_file_says_so(root: Path) -> None:
    for path, text in command.generate(load(root / "spec")).items():
        assert command.MARK in text[:400], path


def test_a_rule_made_of_nothing_is_refused_by_the_vectors(root: Path) -> None:
    """The vectors try each check of a field; one that no attempt can break would go untested, and is refused."""
    from dataclasses import replace as changed

    from codegen import emit_vectors

    spec = load(root / "spec")
    packets = []
    for packet in spec.packets:
        if packet.name == "CONNACK":
            fields = []
            for field in packet.fields:
                checks = tuple(changed(c, expression="session_present and reason_code > 255") for c in field.checks)
                fields.append(changed(field, checks=checks) if field.name == "reason_code" else field)
            packets.append(changed(packet, fields=tuple(fields)))
        else:
            packets.append(packet)
    broken: Spec = changed(spec, packets=tuple(packets))
    with pytest.raises(SpecError, match="CONNACK"):
        emit_vectors.emit(broken)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "spec/packets.toml",
            'if = "session_present and reason_code"',
            'if = "session_present and reason_code == 300"',
            "spec/packets.toml: packet CONNACK: check: nothing breaks 'session_present and reason_code == 300'",
        ),
        (
            "spec/packets.toml",
            'if = "session_present and reason_code"',
            'if = "session_present and reason_code > 0"',
            "spec/packets.toml: field reason_code: check: nothing repairs 'session_present and reason_code > 0'",
        ),
        (
            "spec/machines/connection.toml",
            "[[action]]",
            '[[input]]\nname = "idle"\nnumber = 90\nmeaning = "Nothing came."\n[[action]]',
            "spec/machines/connection.toml: input idle: name: no row has it in state await_connect",
        ),
    ],
)
def test_what_the_generator_cannot_know_is_asked_for(
    project: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new: str, said: str
) -> None:
    replace(project / file, old, new)
    assert command.main(["--check", "--root", str(project)]) == 2
    assert capsys.readouterr().err.startswith(said)
