# SPDX-License-Identifier: MIT
"""TLS: what an operator sets, and the handshakes of a listener, bounded in number and in time."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from mqtt_ref.net.channel import LINGER, peer_name

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener

__all__ = ["AT_ONCE", "WAITING", "Handshakes", "TlsError", "TlsSettings", "explain"]

AT_ONCE: Final = 1000
"""Handshakes of one listener that are under way at once; others wait their turn."""
WAITING: Final = 10_000
"""Handshakes that are under way or wait; connections above are closed."""
VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

PLAIN: Final = frozenset(
    {
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "WRONG_VERSION_NUMBER",
        "UNKNOWN_PROTOCOL",
        "BAD_RECORD_TYPE",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_TOO_SMALL",
    }
)
"""What OpenSSL says about bytes that are no TLS."""
NOTHING_SHARED: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "NO_SHARED_CIPHER", "NO_PROTOCOLS_AVAILABLE", "NO_SHARED_GROUPS"}
)


class TlsError(ValueError):
    """Certificates, keys or lists that cannot be used; the text says which file and why."""


@dataclass(frozen=True)
class TlsSettings:
    """The server's side of TLS, from PEM files. `context` reads them, each time anew.

    With SSLKEYLOGFILE in the environment, the secrets of each connection are written to that file, for Wireshark.
    """

    certificate: str | os.PathLike[str]
    """The certificate, followed by the ones between it and its authority."""
    key: str | os.PathLike[str] | None = None
    """The private key; None: it stands with the certificate."""
    key_password: str | None = None
    client_ca: str | os.PathLike[str] | None = None
    """Authorities whose client certificates are taken; with one, clients may send a certificate."""
    require_certificate: bool = False
    """Whether clients have to send one."""
    revocation_list: str | os.PathLike[str] | None = None
    """Certificates that are taken no more: the lists (CRL) of the authorities in `client_ca`."""
    minimum_version: str = "1.2"
    """The lowest version of TLS: 1.2 or 1.3."""

    def context(self, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """Read the files.

        Raises:
            TlsError: one cannot be used, or the settings contradict each other.
        """
        if self.minimum_version not in VERSIONS:
            raise TlsError(f"minimum_version is {' or '.join(VERSIONS)}, not {self.minimum_version!r}")
        if self.client_ca is None and (self.require_certificate or self.revocation_list is not None):
            what = "require_certificate" if self.require_certificate else "revocation_list"
            raise TlsError(f"{what} needs client_ca: the authorities whose client certificates are taken")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # writes SSLKEYLOGFILE
        context.minimum_version = VERSIONS[self.minimum_version]
        self._load_chain(context)
        if self.client_ca is not None:
            _load(context, self.client_ca, "client_ca")
            context.verify_mode = ssl.CERT_REQUIRED if self.require_certificate else ssl.CERT_OPTIONAL
            if self.revocation_list is not None:
                _load(context, self.revocation_list, "revocation_list")
                if not context.cert_store_stats()["crl"]:
                    raise TlsError(f"revocation_list: {os.fspath(self.revocation_list)} holds no revocation list")
                context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def _load_chain(self, context: ssl.SSLContext) -> None:
        _readable(self.certificate, "certificate")
        if self.key is not None:
            _readable(self.key, "key")
        where = os.fspath(self.certificate if self.key is None else self.key)
        asked = False

        def password() -> str:  # without it OpenSSL would ask on the terminal
            nonlocal asked
            asked = True
            return self.key_password or ""

        try:
            context.load_cert_chain(self.certificate, self.key, password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise TlsError(f"key: {where} is not the key of {os.fspath(self.certificate)}") from error
            if asked:
                what = "is not the right one" if self.key_password else "is needed"
                raise TlsError(f"key_password {what} for {where}") from error
            what = "a certificate and its key" if self.key is None else "a certificate, or the key no key"
            raise TlsError(f"certificate: {os.fspath(self.certificate)} is not {what} in PEM ({error})") from error


def _readable(path: str | os.PathLike[str], what: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise TlsError(f"{what}: cannot read {os.fspath(path)}: {error.strerror}") from error


def _load(context: ssl.SSLContext, path: str | os.PathLike[str], what: str) -> None:
    _readable(path, what)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TlsError(f"{what}: {os.fspath(path)} is not in PEM ({error.reason or error})") from error


class Handshakes:
    """The handshakes of one listener. What fails costs its client one line of the log, and nobody else anything.

    A handshake has the time that the listener gives a client for its CONNECT. `context` may be replaced: connections
    that exist keep the one they began with.
    """

    def __init__(
        self, listener: Listener, driver: Driver, context: ssl.SSLContext, factory: Callable[[], asyncio.Protocol]
    ) -> None:
        self.listener = listener
        self.driver = driver
        self.context = context
        self.factory = factory
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def door(self) -> asyncio.Protocol:
        """The protocol of a connection that was accepted just now."""
        return _Door(self)

    def close(self) -> None:
        """Give up on the handshakes that are under way."""
        for task in self._tasks:
            task.cancel()

    def begin(self, door: _Door, transport: asyncio.Transport) -> None:
        """A client came."""
        if len(self._tasks) >= WAITING:
            self._refuse(transport, "Too many TLS handshakes are under way")
            return
        # Whatever it sends is for the handshake.
        transport.pause_reading()
        task = self.driver.loop.create_task(self._shake(door, transport))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _shake(self, door: _Door, transport: asyncio.Transport) -> None:
        timeout = self.listener.terms.connect_timeout
        if timeout is None:
            timeout = self.driver.broker.options.bounds.connect_timeout
        loop = self.driver.loop
        tls: asyncio.Transport | None = None
        try:
            async with asyncio.timeout(timeout or None), self._room:
                tls = await loop.start_tls(
                    transport,
                    door,
                    self.context,
                    server_side=True,
                    ssl_handshake_timeout=timeout or None,
                    ssl_shutdown_timeout=LINGER,
                )
        except TimeoutError:
            self._refuse(transport, f"No TLS handshake within {timeout} s")
        except ConnectionAbortedError:  # the loop's own limit
            self._refuse(transport, f"No TLS handshake within {timeout} s")
        except ssl.SSLError as error:
            self._refuse(transport, explain(error))
        except OSError:  # somebody looked whether the port is open
            transport.abort()
        except BaseException:
            transport.abort()
            raise
        if tls is not None:
            door.open(tls, self.factory())

    def _refuse(self, transport: asyncio.Transport, why: str) -> None:
        self.driver.broker.counters.connections_refused += 1
        self.driver.tell(why, peer_name(transport.get_extra_info("peername")), self.listener.name)
        transport.abort()


class _Door(asyncio.Protocol):
    """Stands in for the client's protocol during the handshake, and keeps what comes before that one has its place."""

    def __init__(self, handshakes: Handshakes) -> None:
        self._handshakes = handshakes
        self._early: list[bytes] = []
        self._ended = False
        self._lost = False
        self._error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._handshakes.begin(self, cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def eof_received(self) -> bool:
        self._ended = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._error = exc

    def open(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """The handshake is over: what came meanwhile goes to the protocol, and what comes from now on too."""
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        for data in self._early:
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()
        if self._lost:
            protocol.connection_lost(self._error)


def explain(error: ssl.SSLError) -> str:
    """Why a handshake failed, in words of an operator."""
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The client's certificate is refused: {error.verify_message}"
    if reason in PLAIN:
        what = "HTTP" if reason == "HTTP_REQUEST" else "Plain bytes"
        return f"{what} came to a listener with TLS: the client has to use TLS ({_words(reason)})"
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "The client sent no certificate, which is required here"
    if "ALERT" in reason:
        return f"The client ended the TLS handshake: {_words(reason.partition('ALERT_')[2] or reason)}"
    if reason in NOTHING_SHARED:
        return f"The client offers no version or cipher of TLS that is taken here ({_words(reason)})"
    return f"The TLS handshake failed: {_words(reason) or error}"


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()
