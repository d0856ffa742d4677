# SPDX-License-Identifier: MIT
"""Passwords in a ledger: plain, or hashed so that a reader of the file cannot log in.

| stored as | kind |
|---|---|
| `$argon2id$v=19$m=...,t=...,p=...$salt$hash` (also `argon2i`, `argon2d`) | argon2, the best choice; extra `argon2` |
| `$7$iterations$salt$hash` | PBKDF2 with SHA-512, as mosquitto_passwd writes it |
| `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` | for passwords and for SCRAM-SHA-256 |
| anything else | the password itself |

Checking a hash is slow on purpose: do it in a thread. argon2 and PBKDF2 let other threads run in the meantime.
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

# The minimum that OWASP recommends, so that a broker can check some dozens per second.
MEMORY: Final = 19_456
TIME: Final = 2
LANES: Final = 1
PBKDF2_ITERATIONS: Final = 210_000
_SALT_BYTES: Final = 16
_MOST_MEMORY: Final = 4_194_304
_MOST_TIME: Final = 1000


def is_hashed(stored: str) -> bool:
    """True if a stored password is a hash, which is slow to check."""
    return _HASHED.match(stored) is not None


def problem_of(stored: str) -> str:
    """Return what is wrong with a stored password and what would be right; empty if it is valid. Never shows it."""
    if not is_hashed(stored):
        return ""
    if stored.startswith("$argon2"):
        found = _ARGON2.fullmatch(stored)
        if found is None or int(found[1]) > _MOST_MEMORY or int(found[2]) > _MOST_TIME:
            return "this argon2 hash is damaged; make a new one with `mqtt-ref hash-password`"
        return "" if find_spec("argon2") else _EXTRA
    if stored.startswith("$7$"):
        if _pbkdf2_parts(stored):
            return ""
        return "this PBKDF2 hash is damaged; make a new one with `mqtt-ref hash-password`"
    if stored.startswith("SCRAM-SHA-256$"):
        try:
            Credentials.parse(stored)
        except ValueError as error:
            return str(error)
        return ""
    return f"it looks like a hash of an unknown kind; known are {_KINDS}"


def verify(stored: str, password: bytes) -> bool:
    """True if `password` is the stored one. Takes constant time for a plain password; is slow for a hash.

    Raises:
        RuntimeError: the hash is argon2 and the library is missing.
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
    """Hash a password for the ledger, with a new salt.

    `memory` (KiB) and `time` (passes) are for argon2, `iterations` for the others (0: the default).

    Raises:
        RuntimeError: the scheme is argon2 and the library is missing.
        ValueError: the scheme is unknown, a number is out of range, or SCRAM does not allow a character.
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
    raise ValueError(f"scheme {scheme!r} is unknown; it must be one of {', '.join(SCHEMES)}")


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
