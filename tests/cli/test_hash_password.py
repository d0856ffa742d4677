# SPDX-License-Identifier: MIT
"""`mqtt-ref hash-password`: from standard input, from a terminal without showing it, and what it refuses."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time

import pytest

from mqtt_ref.auth.passwords import verify

COMMAND = [sys.executable, "-m", "mqtt_ref", "hash-password"]


def run(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], input=text, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("words", [["--scheme", "pbkdf2"], ["--scheme", "scram-sha-256", "--iterations", "5000"]])
def test_it_hashes_the_first_line_of_standard_input(words: list[str]) -> None:
    done = run(*words, text="correct horse\r\nnot this\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert verify(done.stdout.rstrip("\n"), b"correct horse")
    assert "5000" in words or "210000" in done.stdout


def test_argon2_is_the_default(require: object) -> None:
    require.module("argon2")  # type: ignore[attr-defined]
    done = run("--memory", "8192", "--time", "1", text="ä\n")
    assert done.stdout.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert verify(done.stdout.rstrip("\n"), "ä".encode())


def test_it_takes_an_argument_only_if_asked_to() -> None:
    done = run("--scheme", "pbkdf2", "--password", "secret")
    assert verify(done.stdout.rstrip("\n"), b"secret")
    refused = run("--scheme", "pbkdf2", "secret")
    assert refused.returncode == 2
    assert "unrecognized arguments" in refused.stderr


@pytest.mark.parametrize(
    ("words", "text", "says"),
    [
        ([], "", "there is no password"),
        ([], "\n", "there is no password"),
        (["--scheme", "md5"], "x", "invalid choice"),
        (["--scheme", "pbkdf2", "--iterations", "0"], "x", "less than 1"),
        (["--scheme", "scram-sha-256", "--iterations", "10"], "x", "4,096 to 10,000,000"),
        (["--scheme", "scram-sha-256"], "\x07", "may not be in a user name or password"),
    ],
)
def test_what_it_refuses(words: list[str], text: str, says: str) -> None:
    done = run(*words, text=text)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_numbers_out_of_range_are_refused(require: object) -> None:
    require.module("argon2")  # type: ignore[attr-defined]
    done = run("--memory", "1", text="x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "argon2 takes 8 to" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("second", "code"), [("s3cret", 0), ("other", 2)])
def test_on_a_terminal_it_asks_twice_and_shows_nothing(second: str, code: int) -> None:
    import pty

    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [*COMMAND, "--scheme", "pbkdf2"])
    shown = b""
    try:
        for prompt, answer in ((b"Password: ", "s3cret"), (b"Again: ", second)):
            shown += until(terminal, prompt)
            os.write(terminal, f"{answer}\n".encode())
        shown += until(terminal, b"")
    finally:
        os.close(terminal)
        _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == code
    assert b"s3cret" not in shown
    last = shown.decode().strip().splitlines()[-1]
    if code:
        assert "the two passwords are not the same" in last
    else:
        assert verify(last, b"s3cret")


def until(terminal: int, prompt: bytes) -> bytes:
    """What a terminal shows until a prompt comes, or, without one, to its end."""
    shown = b""
    end = time.monotonic() + 30
    while not prompt or prompt not in shown:
        if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
            pytest.fail(f"no {prompt!r} in {shown!r}")
        try:
            data = os.read(terminal, 4096)
        except OSError:  # its end, on Linux
            break
        if not data:
            break
        shown += data
    return shown
