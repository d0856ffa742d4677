# SPDX-License-Identifier: MIT
"""Passwords in every form in which a ledger may hold them."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys

import pytest

from mqtt_ref.auth import passwords
from mqtt_ref.auth.passwords import ARGON2, PBKDF2, SCRAM, hash_password, is_hashed, problem_of, verify

# What others have written: argon2-cffi's documentation, and mosquitto_passwd's format by hand.
ARGON2_OF_OTHERS = "$argon2id$v=19$m=65536,t=3,p=4$MIIRqgvgQbgj220jfp0MPA$YfwJSVjtjSU0zzV/P3S9nnQ/USre2wvJMjfCIjrTQbg"
MOSQUITTO = "$7$101$" + "$".join(
    base64.b64encode(data).decode()
    for data in (b"salt-of-12by", hashlib.pbkdf2_hmac("sha512", b"secret", b"salt-of-12by", 101))
)


@pytest.mark.parametrize("scheme", [ARGON2, PBKDF2, SCRAM])
def test_a_hash_is_of_its_password_alone(scheme: str, require: object) -> None:
    if scheme == ARGON2:
        require.module("argon2")  # type: ignore[attr-defined]
    stored = hash_password(b"correct horse", scheme)
    assert is_hashed(stored)
    assert problem_of(stored) == ""
    assert verify(stored, b"correct horse")
    assert not verify(stored, b"correct hors")
    assert not verify(stored, b"")
    assert not verify(stored, b"\xff\xfe")
    assert hash_password(b"correct horse", scheme) != stored


def test_hashes_that_others_wrote(require: object) -> None:
    assert problem_of(MOSQUITTO) == ""
    assert verify(MOSQUITTO, b"secret")
    assert not verify(MOSQUITTO, b"Secret")
    require.module("argon2")  # type: ignore[attr-defined]
    assert problem_of(ARGON2_OF_OTHERS) == ""
    assert verify(ARGON2_OF_OTHERS, b"correct horse battery staple")
    assert not verify(ARGON2_OF_OTHERS, b"correct horse")


def test_mosquitto_passwd_writes_what_is_read(require: object, tmp_path: object) -> None:
    program = require.program("mosquitto_passwd")  # type: ignore[attr-defined]
    file = tmp_path / "passwords"  # type: ignore[operator]
    subprocess.run([program, "-b", "-c", str(file), "user", "secret"], check=True, capture_output=True)
    stored = file.read_text().strip().removeprefix("user:")
    assert stored.startswith("$7$")
    assert verify(stored, b"secret")
    assert not verify(stored, b"wrong")


def test_argon2_takes_what_it_is_told(require: object) -> None:
    require.module("argon2")  # type: ignore[attr-defined]
    assert "$m=8192,t=3,p=1$" in hash_password(b"x", ARGON2, memory=8192, time=3)


@pytest.mark.parametrize("plain", ["secret", "p$ss", "$", "$$", "SCRAM", "ä", "$Capital$"])
def test_anything_else_is_the_password_itself(plain: str) -> None:
    assert not is_hashed(plain)
    assert problem_of(plain) == ""
    assert verify(plain, plain.encode())
    assert not verify(plain, plain.encode() + b"x")


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("$argon2id$v=19$m=x,t=1,p=1$abc$def", "damaged"),
        ("$argon2id$", "damaged"),
        ("$7$101$abc", "damaged"),
        ("$7$0$c2FsdA==$c2FsdHNhbHRzYWx0c2FsdA==", "damaged"),
        ("$7$101$abcde$abcde", "damaged"),
        ("SCRAM-SHA-256$1:a$b:c", "iterations"),
        ("SCRAM-SHA-256$4096:!$b:c", "it is not"),
        ("$6$abc$def", "unknown kind"),
        ("$2b$10$abcdef", "unknown kind"),
    ],
)
def test_a_damaged_or_unknown_hash_is_said_to_be_so_and_lets_nobody_in(stored: str, text: str) -> None:
    problem = problem_of(stored)
    assert text in problem
    assert stored not in problem


@pytest.mark.parametrize("stored", ["$6$abc$def", "$7$101$abc"])
def test_a_hash_that_is_none_is_nobodys_password(stored: str) -> None:
    assert not verify(stored, stored.encode())
    assert not verify(stored, b"")


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="argon2, pbkdf2, scram-sha-256"):
        hash_password(b"x", "md5")


def test_what_is_missing_says_which_extra_to_install() -> None:
    """In a process of its own, in which argon2 cannot be imported."""
    code = f"""
import sys
sys.modules["argon2"] = None
import importlib.util
importlib.util.find_spec = lambda name: None
from mqtt_ref.auth.passwords import hash_password, problem_of, verify
print(problem_of({ARGON2_OF_OTHERS!r}))
for call in (lambda: hash_password(b"x"), lambda: verify({ARGON2_OF_OTHERS!r}, b"x")):
    try:
        call()
    except RuntimeError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 3 * "argon2 hashes need a library: pip install 'mqtt_ref[argon2]'\n"


def test_argon2_is_not_imported_before_it_is_used() -> None:
    code = "import sys, mqtt_ref.auth.passwords; print('argon2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_costs_are_not_below_what_is_recommended() -> None:
    assert (passwords.MEMORY, passwords.TIME) >= (19_456, 2)
    assert passwords.PBKDF2_ITERATIONS >= 210_000
