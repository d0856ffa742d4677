# SPDX-License-Identifier: MIT
"""SCRAM-SHA-256 (RFC 5802, RFC 7677): both sides prove that they know the password without sending it.

This module handles messages only; `mqtt_ref.auth.scram_hook` sends them in AUTH packets. Channel binding is not
supported.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

from mqtt_ref.auth.saslprep import saslprep

__all__ = ["ITERATIONS", "METHOD", "ClientExchange", "Credentials", "ScramError", "ServerExchange"]

METHOD: Final = "SCRAM-SHA-256"
ITERATIONS: Final = 4096
"""The minimum that RFC 7677 recommends. The client computes them at each login."""

_MOST_ITERATIONS: Final = 10_000_000
_RANGE: Final = f"SCRAM-SHA-256 takes {ITERATIONS:,} to {_MOST_ITERATIONS:,} iterations"
_LONGEST: Final = 4096
"""Maximum size of a message in bytes."""
_SALT_BYTES: Final = 16
_STORED: Final = re.compile(r"SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_NONCE: Final = re.compile(r"[!-+\--~]+")
_GS2: Final = re.compile(r"([ny]|p=[A-Za-z0-9.-]+),(?:a=([^,]+))?,")


class ScramError(ValueError):
    """The exchange failed; the text is an error value of RFC 5802."""


class Credentials:
    """What a server stores for a password: enough to check a proof, not enough to make one."""

    __slots__ = ("iterations", "salt", "server_key", "stored_key")

    def __init__(self, salt: bytes, iterations: int, stored_key: bytes, server_key: bytes) -> None:
        self.salt = salt
        self.iterations = iterations
        self.stored_key = stored_key
        self.server_key = server_key

    def __repr__(self) -> str:
        return f"Credentials(iterations={self.iterations})"

    def __str__(self) -> str:
        """The stored form: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`."""
        salt, stored, server = (base64.b64encode(x).decode() for x in (self.salt, self.stored_key, self.server_key))
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Read the stored form, which `str` returns.

        Raises:
            ValueError: the text is malformed, or its iterations are out of range.
        """
        found = _STORED.fullmatch(text)
        if found is None:
            raise ValueError("it is not SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")
        iterations = int(found[1])
        if not ITERATIONS <= iterations <= _MOST_ITERATIONS:
            raise ValueError(_RANGE)
        try:
            salt, stored, server = (base64.b64decode(found[i], validate=True) for i in (2, 3, 4))
        except binascii.Error as error:
            raise ValueError("the salt or a key of the SCRAM-SHA-256 hash is not base64") from error
        if len(stored) != 32 or len(server) != 32:
            raise ValueError("the keys of a SCRAM-SHA-256 hash must have 32 bytes each")
        return cls(salt, iterations, stored, server)

    @classmethod
    def from_password(cls, password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> Credentials:
        """Derive the keys of a password. The time grows with the iterations.

        Raises:
            ValueError: the password has a prohibited character, or the iterations are out of range.
        """
        if not ITERATIONS <= iterations <= _MOST_ITERATIONS:
            raise ValueError(_RANGE)
        if salt is None:
            salt = secrets.token_bytes(_SALT_BYTES)
        client_key, server_key = _keys(saslprep(password).encode(), salt, iterations)
        return cls(salt, iterations, hashlib.sha256(client_key).digest(), server_key)

    def verify(self, password: bytes) -> bool:
        """True if this is the password. The time grows with the iterations."""
        try:
            prepared = saslprep(password.decode(), stored=False).encode()
        except ValueError:
            prepared = b""
        client_key, _ = _keys(prepared, self.salt, self.iterations)
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self.stored_key) and bool(prepared)


def _keys(prepared: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """Return ClientKey and ServerKey."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")


class ServerExchange:
    """Server side of one login: call `first`, then `final`. Any other order fails.

    `lookup` returns the credentials for a prepared user name. For an unknown name it must return made-up ones, always
    the same for the same name, so that the answer does not show which names exist.
    """

    def __init__(self, lookup: Callable[[str], Credentials], nonce: str = "") -> None:
        self.username = ""
        self._lookup = lookup
        self._nonce = nonce or secrets.token_urlsafe(18)
        self._credentials: Credentials | None = None
        self._gs2 = ""
        self._said = ""

    def first(self, data: bytes) -> bytes:
        """Answer the client's first message.

        Raises:
            ScramError: the message is malformed, or asks for something that is not supported.
        """
        text = _text(data)
        header = _GS2.match(text)
        if header is None:
            raise ScramError("other-error")
        if header[1].startswith("p="):
            raise ScramError("channel-binding-not-supported")
        bare = text[header.end() :]
        if bare.startswith("m="):
            raise ScramError("extensions-not-supported")
        fields = _attributes(bare, "nr")
        self.username = _prepared_name(fields["n"])
        if header[2] is not None and _prepared_name(header[2]) != self.username:
            raise ScramError("other-error")  # to act for another user is not supported
        if not _NONCE.fullmatch(fields["r"]):
            raise ScramError("other-error")
        self._gs2 = header[0]
        self._nonce = fields["r"] + self._nonce
        self._credentials = credentials = self._lookup(self.username)
        salt = base64.b64encode(credentials.salt).decode()
        answer = f"r={self._nonce},s={salt},i={credentials.iterations}"
        self._said = f"{bare},{answer}"
        return answer.encode()

    def final(self, data: bytes) -> bytes:
        """Check the client's proof and return the server's proof.

        Raises:
            ScramError: the proof is wrong, the message is malformed, or `first` was not called.
        """
        text = _text(data)
        credentials, self._credentials = self._credentials, None
        if credentials is None:
            raise ScramError("other-error")
        fields = _attributes(text, "cr", last="p")
        if fields["c"] != base64.b64encode(self._gs2.encode()).decode():
            raise ScramError("channel-bindings-dont-match")
        if not hmac.compare_digest(fields["r"].encode(), self._nonce.encode()):
            raise ScramError("other-error")
        proof = _decoded(fields["p"])
        said = f"{self._said},{text[: text.rindex(',p=')]}".encode()
        signature = hmac.digest(credentials.stored_key, said, "sha256")
        if len(proof) != len(signature):
            raise ScramError("invalid-proof")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), credentials.stored_key):
            raise ScramError("invalid-proof")
        return b"v=" + base64.b64encode(hmac.digest(credentials.server_key, said, "sha256"))


class ClientExchange:
    """Client side of one login: call `first`, `final`, then `check`."""

    def __init__(self, username: str, password: str, nonce: str = "") -> None:
        self._password = saslprep(password, stored=False).encode()
        self._nonce = nonce or secrets.token_urlsafe(18)
        name = saslprep(username, stored=False).replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={self._nonce}"
        self._proof = b""

    def first(self) -> bytes:
        """Return the first message."""
        return f"n,,{self._bare}".encode()

    def final(self, data: bytes) -> bytes:
        """Answer the server's first message with the client's proof.

        Raises:
            ScramError: the message is malformed, or its iterations are out of range.
        """
        text = _text(data)
        fields = _attributes(text, "rsi")
        nonce = fields["r"]
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce) or not fields["i"].isdecimal():
            raise ScramError("other-error")
        iterations = int(fields["i"][:9])
        if not ITERATIONS <= iterations <= _MOST_ITERATIONS:
            raise ScramError("other-error")
        client_key, server_key = _keys(self._password, _decoded(fields["s"]), iterations)
        without_proof = f"c=biws,r={nonce}"
        said = f"{self._bare},{text},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True)))
        self._proof = b"v=" + base64.b64encode(hmac.digest(server_key, said, "sha256"))
        return without_proof.encode() + b",p=" + proof

    def check(self, data: bytes) -> None:
        """Check the server's proof.

        Raises:
            ScramError: the server does not know the password.
        """
        if not self._proof or not hmac.compare_digest(data, self._proof):
            raise ScramError("invalid-proof")


def _text(data: bytes) -> str:
    if len(data) > _LONGEST:
        raise ScramError("other-error")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ScramError("other-error") from None


def _attributes(text: str, names: str, last: str = "") -> dict[str, str]:
    """Return the attributes with these names, in this order. Unknown ones may follow; `last` must be the last one."""
    parts = text.split(",")
    wanted = list(names)
    if len(parts) < len(wanted) + len(last):
        raise ScramError("other-error")
    named = parts[: len(wanted)]
    if last:
        named.append(parts[-1])
        wanted.append(last)
    found: dict[str, str] = {}
    for name, part in zip(wanted, named, strict=True):
        if not part.startswith(f"{name}=") or len(part) == 2:
            raise ScramError("other-error")
        found[name] = part[2:]
    return found


def _prepared_name(escaped: str) -> str:
    if re.search("=(?!2C|3D)", escaped):
        raise ScramError("invalid-username-encoding")
    try:
        return saslprep(escaped.replace("=2C", ",").replace("=3D", "="), stored=False)
    except ValueError:
        raise ScramError("invalid-username-encoding") from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ScramError("invalid-encoding") from None
