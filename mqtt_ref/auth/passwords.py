# SPDX-License-Identifier: MIT
"""Passwords as they stand in a ledger: plain, or hashed so that who reads the file cannot log in.

| stored as | kind |
|---|---|
| `$argon2id$v=19$m=...,t=...,p=...$salt$hash` (also `argon2i`, `argon2d`) | argon2, the best; extra `argon2` |
| `$7$iterations$salt$hash` | PBKDF2 with SHA-512, as mosquitto_passwd writes it |
| `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` | good for passwords and for SCRAM-SHA-256 |
| anything else | the password itself |

Checking a hash takes long, on purpose: do it in a thread. argon2 and PBKDF2 let other threads run meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from importlib.util import find_spec
from typing import Final

from mqtt_ref.auth.scram import ITERATIONS, Credentials

__all__ = ["ARGON2", "PBKDF2", "SCHEMES", "SCRAM", "hash_password", "is_hashed", "problem_of", "verify"]

ARGON2: Final = "argon2"
PBKDF2: Final = "pbkdf2"
SCRAM: Final = "scram-sha-256"
SCHEMES: Final = (ARGON2, PBKDF2, SCRAM)

_HASHED: Final = re.compile(r"\$[0-9a-z-]+\$|SCRAM-SHA-256\$")
_ARGON2: Final = re.compile(
    r"\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,3})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_PBKDF2: Final = re.compile(r"\$7\$(\d{1,8})\$([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]+={0,2})")
_KINDS: Final = "argon2 ($argon2id$...), PBKDF2 of mosquitto_passwd ($7$...), SCRAM-SHA-256$..."
_EXTRA: Final = "argon2 hashes need a library: pip install 'mqtt_ref[argon2]'"

# What OWASP recommends as the least, so that a broker can check some dozens in a second.
MEMORY: Final = 19_456
TIME: Final = 2
LANES: Final = 1
PBKDF2_ITERATIONS: Final = 210_000
_SALT_BYTES: Final = 16
_MOST_MEMORY: Final = 4_194_304
_MOST_TIME: Final = 1000


def is_hashed(stored: str) -> bool:
    """Whether a stored password is a hash, so that checking one takes long."""
    return _HASHED.match(stored) is not None


def problem_of(stored: str) -> str:
    """Why a stored password cannot be used, and what would be right; empty if it can. It does not show the password."""
    if not is_hashed(stored):
        return ""
    if stored.startswith("$argon2"):
        found = _ARGON2.fullmatch(stored)
        if found is None or int(found[1]) > _MOST_MEMORY or int(found[2]) > _MOST_TIME:
            return "this argon2 hash is damaged; `mqtt-ref hash-password` writes another"
        return "" if find_spec("argon2") else _EXTRA
    if stored.startswith("$7$"):
        return "" if _pbkdf2_parts(stored) else "this PBKDF2 hash is damaged; `mqtt-ref hash-password` writes another"
    if stored.startswith("SCRAM-SHA-256$"):
        try:
            Credentials.parse(stored)
        except ValueError as error:
            return str(error)
        return ""
    return f"it looks like a hash of an unknown kind; there are {_KINDS}"


def verify(stored: str, password: bytes) -> bool:
    """Whether this is the password. In constant time for a plain one; slow for a hash.

    Raises:
        RuntimeError: it is an argon2 hash and the library is missing.
    """
    if not is_hashed(stored):
        return hmac.compare_digest(stored.encode(), password)
    if stored.startswith("$argon2"):
        return _verify_argon2(stored, password)
    if stored.startswith("$7$"):
        parts = _pbkdf2_parts(stored)
        if parts is None:
            return False
        iterations, salt, wanted = parts
        found = hashlib.pbkdf2_hmac("sha512", password, salt, iterations, len(wanted))
        return hmac.compare_digest(found, wanted)
    if stored.startswith("SCRAM-SHA-256$"):
        return Credentials.parse(stored).verify(password)
    return False


def hash_password(
    password: bytes, scheme: str = ARGON2, *, memory: int = MEMORY, time: int = TIME, iterations: int = 0
) -> str:
    """What to write into the ledger instead of a password, with a new salt.

    `memory` (KiB) and `time` (passes) are for argon2, `iterations` for the others (0: the default).

    Raises:
        RuntimeError: argon2 is asked for and the library is missing.
        ValueError: there is no such scheme, a number is out of range, or SCRAM does not allow a character.
    """
    if scheme == ARGON2:
        try:
            from argon2.low_level import Type, hash_secret
        except ImportError as error:
            raise RuntimeError(_EXTRA) from error
        if not (8 <= memory <= _MOST_MEMORY and 1 <= time <= _MOST_TIME):
            raise ValueError(f"argon2 takes 8 to {_MOST_MEMORY:,} KiB and 1 to {_MOST_TIME:,} passes")
        salt = secrets.token_bytes(_SALT_BYTES)
        return hash_secret(password, salt, time, memory, LANES, 32, Type.ID).decode()
    if scheme == PBKDF2:
        salt = secrets.token_bytes(_SALT_BYTES)
        iterations = iterations or PBKDF2_ITERATIONS
        digest = hashlib.pbkdf2_hmac("sha512", password, salt, iterations)
        return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
    if scheme == SCRAM:
        return str(Credentials.from_password(password.decode(), iterations=iterations or ITERATIONS))
    raise ValueError(f"there is no scheme {scheme!r}; {', '.join(SCHEMES)}")


def _verify_argon2(stored: str, password: bytes) -> bool:
    try:
        from argon2.exceptions import Argon2Error
        from argon2.low_level import Type, verify_secret
    except ImportError as error:
        raise RuntimeError(_EXTRA) from error
    kind = {"i": Type.I, "d": Type.D, "id": Type.ID}[stored[7 : stored.index("$", 7)]]
    try:
        return verify_secret(stored.encode(), password, kind)
    except Argon2Error:
        return False


def _pbkdf2_parts(stored: str) -> tuple[int, bytes, bytes] | None:
    found = _PBKDF2.fullmatch(stored)
    if found is None:
        return None
    try:
        salt, digest = base64.b64decode(found[2]), base64.b64decode(found[3])
    except binascii.Error:
        return None
    iterations = int(found[1])
    return (iterations, salt, digest) if iterations and salt and len(digest) >= 16 else None
