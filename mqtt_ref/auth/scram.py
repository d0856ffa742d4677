# SPDX-License-Identifier: MIT
"""SCRAM-SHA-256 (RFC 5802, RFC 7677): both sides prove that they know the password, and neither says it.

Messages in, messages out; `mqtt_ref.auth.scram_hook` carries them in AUTH packets. Channel binding is not offered.
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
"""The least that RFC 7677 recommends; the client pays for them, at each login."""

_MOST_ITERATIONS: Final = 10_000_000
_RANGE: Final = f"SCRAM-SHA-256 takes {ITERATIONS:,} to {_MOST_ITERATIONS:,} iterations"
_LONGEST: Final = 4096
"""Bytes of a message."""
_SALT_BYTES: Final = 16
_STORED: Final = re.compile(r"SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_NONCE: Final = re.compile(r"[!-+\--~]+")
_GS2: Final = re.compile(r"([ny]|p=[A-Za-z0-9.-]+),(?:a=([^,]+))?,")


class ScramError(ValueError):
    """The exchange failed; the text is an error value of RFC 5802."""


class Credentials:
    """What a server keeps of a password: enough to check a proof, not enough to make one."""

    __slots__ = ("iterations", "salt", "server_key", "stored_key")

    def __init__(self, salt: bytes, iterations: int, stored_key: bytes, server_key: bytes) -> None:
        self.salt = salt
        self.iterations = iterations
        self.stored_key = stored_key
        self.server_key = server_key

    def __repr__(self) -> str:
        return f"Credentials(iterations={self.iterations})"

    def __str__(self) -> str:
        """As it is stored: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`."""
        salt, stored, server = (base64.b64encode(x).decode() for x in (self.salt, self.stored_key, self.server_key))
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """What `str` wrote.

        Raises:
            ValueError: it is something else.
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
            raise ValueError("the salt or a key of the SCRAM-SHA-256 hash is no base64") from error
        if len(stored) != 32 or len(server) != 32:
            raise ValueError("the keys of a SCRAM-SHA-256 hash have 32 bytes each")
        return cls(salt, iterations, stored, server)

    @classmethod
    def from_password(cls, password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> Credentials:
        """The keys of a password; takes as long as the iterations make it.

        Raises:
            ValueError: the password has characters that it may not have, or the iterations are too few or too many.
        """
        if not ITERATIONS <= iterations <= _MOST_ITERATIONS:
            raise ValueError(_RANGE)
        if salt is None:
            salt = secrets.token_bytes(_SALT_BYTES)
        client_key, server_key = _keys(saslprep(password).encode(), salt, iterations)
        return cls(salt, iterations, hashlib.sha256(client_key).digest(), server_key)

    def verify(self, password: bytes) -> bool:
        """Whether this is the password; takes as long as the iterations make it."""
        try:
            prepared = saslprep(password.decode(), stored=False).encode()
        except ValueError:
            prepared = b""
        client_key, _ = _keys(prepared, self.salt, self.iterations)
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self.stored_key) and bool(prepared)


def _keys(prepared: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """ClientKey and ServerKey."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, iterations)
    return hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")


class ServerExchange:
    """One login as the server sees it: `first`, then `final`; anything else fails.

    `lookup` gives the credentials for a prepared user name. For a name that it does not know there have to be some too,
    always the same for the same name, so that nobody learns from the answer which names there are.
    """

    def __init__(self, lookup: Callable[[str], Credentials], nonce: str = "") -> None:
        self.username = ""
        self._lookup = lookup
        self._nonce = nonce or secrets.token_urlsafe(18)
        self._credentials: Credentials | None = None
        self._gs2 = ""
        self._said = ""

    def first(self, data: bytes) -> bytes:
        """The answer to the client's first message.

        Raises:
            ScramError: the message is not one, or asks for what is not offered.
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
            raise ScramError("other-error")  # nobody acts for somebody else here
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
        """The answer to the client's proof: ours.

        Raises:
            ScramError: the proof is wrong, or the message is none.
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
    """One login as the client sees it: `first`, `final`, then `check` what the server proves."""

    def __init__(self, username: str, password: str, nonce: str = "") -> None:
        self._password = saslprep(password, stored=False).encode()
        self._nonce = nonce or secrets.token_urlsafe(18)
        name = saslprep(username, stored=False).replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={self._nonce}"
        self._proof = b""

    def first(self) -> bytes:
        """The first message."""
        return f"n,,{self._bare}".encode()

    def final(self, data: bytes) -> bytes:
        """The proof, for the server's first message.

        Raises:
            ScramError: the message is not one, or asks for too little or too much work.
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
        """Believe the server, or not.

        Raises:
            ScramError: it does not know the password.
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
    """The attributes with these names, in their order; unknown ones may follow, and `last` ends it."""
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
