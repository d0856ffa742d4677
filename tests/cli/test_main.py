# SPDX-License-Identifier: MIT
"""The front of the command line: finds a command, says what it does not know."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from mqtt_ref import __version__
from mqtt_ref.cli.failure import named, plainly
from mqtt_ref.cli.main import COMMANDS, is_compiled, main


@pytest.fixture
def greet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that says hello as often as asked."""
    module = types.ModuleType("greet")

    def configure(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("times", type=int)
        parser.epilog = "example: mqtt-ref greet 2"

    def run(args: argparse.Namespace) -> int:
        print("hello " * args.times)
        return 1

    vars(module).update(configure=configure, run=run)
    monkeypatch.setitem(sys.modules, "greet", module)
    monkeypatch.setitem(COMMANDS, "greet", ("greet", "says hello"))


@pytest.mark.usefixtures("greet")
def test_a_command_gets_its_arguments_and_gives_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["greet", "2"]) == 1
    assert capsys.readouterr().out == "hello hello \n"


@pytest.mark.usefixtures("greet")
def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "says hello" in capsys.readouterr().out


@pytest.mark.usefixtures("greet")
def test_an_unknown_command_is_refused_with_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gret", "--times", "2"]) == 2
    assert "there is no command 'gret'; did you mean 'greet'?" in capsys.readouterr().err
    assert main(["xyz"]) == 2
    assert "there is no command 'xyz'; `mqtt-ref --help` lists them all" in capsys.readouterr().err


@pytest.mark.usefixtures("greet")
def test_wrong_arguments_of_a_command_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["greet", "often"])
    assert "mqtt-ref greet: error: argument times" in capsys.readouterr().err


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--nope"])
    assert "there is no option --nope" in capsys.readouterr().err


def test_no_command_shows_the_help_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: mqtt-ref" in capsys.readouterr().err


def test_version_says_which_form_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    form = "compiled" if is_compiled() else "plain Python"
    assert capsys.readouterr().out == f"mqtt-ref {__version__} ({form})\n"


def test_ctrl_c_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("stopped")

    def run(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    vars(module).update(configure=lambda parser: None, run=run)
    monkeypatch.setitem(sys.modules, "stopped", module)
    monkeypatch.setitem(COMMANDS, "stopped", ("stopped", "is stopped"))
    assert main(["stopped"]) == 130


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGPIPE semantics")
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "mqtt_ref", "--version"]
    with os.fdopen(writing, "wb") as stdout:
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _ = COMMANDS[name]
    importlib.import_module(module)
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    text = capsys.readouterr().out
    assert f"usage: mqtt-ref {name}" in text
    assert "example" in text.lower()


def test_nothing_is_imported_that_the_command_does_not_use(tmp_path: Path) -> None:
    heavy = ["asyncio", "construct", "h11", "importlib.metadata", "logging", "msgspec", "uvloop", "websockets", "yaml"]
    others = [module for module, _ in COMMANDS.values()]
    code = (
        "import sys; from mqtt_ref.cli.main import main; main(['--version']); main(['nosuchcommand']);"
        f"print(*(m for m in {heavy + others} if m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.splitlines()[1:] == [""]


def test_texts_of_files_and_peers_do_not_act_on_the_terminal() -> None:
    odd = "a\x9b31m\u202e"
    for text in (plainly(ValueError(odd)), plainly(OSError(2, odd, odd)), named(f"mqtt://u:p@{odd}"), named(odd)):
        assert text.isprintable()
    assert plainly(ValueError("one\ntwo")) == "one\ntwo"
