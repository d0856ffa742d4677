# SPDX-License-Identifier: MIT
"""TLS for listeners: settings from files, the TLS layer, and limits on the number and time of handshakes."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.clocks import monotonic_ns
from mqtt_ref.net.channel import READ, peer_name
from mqtt_ref.net.layer import Layer, Parts, Stack, Units, joined

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener

__all__ = ["PENDING", "Handshakes", "Tls", "TlsError", "TlsSettings", "explain"]

PENDING: Final = 2000
"""Limit of unfinished handshakes of one listener."""
HANDSHAKE: Final = 1 << 20
"""Write buffer limit during a handshake, in bytes. It is more than a server writes in one."""
LOG = logging.getLogger("mqtt_ref.net")
APPLICATION_DATA: Final = 23
RECORD: Final = 16 * 1024
"""Largest number of bytes in one TLS record."""
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
"""Reasons that OpenSSL gives for bytes that are not TLS."""
NOTHING_SHARED: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "NO_SHARED_CIPHER", "NO_PROTOCOLS_AVAILABLE", "NO_SHARED_GROUPS"}
)


class TlsError(ValueError):
    """Certificates, keys or revocation lists cannot be used. The text says which file and why."""


@dataclass(frozen=True)
class TlsSettings:
    """TLS settings of a server, with PEM files. Each call of `context` reads the files again.

    With SSLKEYLOGFILE in the environment, the secrets of each connection are written to that file, for Wireshark.
    """

    certificate: str | os.PathLike[str]
    """The certificate, followed by its intermediate certificates."""
    key: str | os.PathLike[str] | None = None
    """The private key. None: it is in the file of the certificate."""
    key_password: str | None = None
    client_ca: str | os.PathLike[str] | None = None
    """Authorities (CA) whose client certificates are accepted. If it is set, clients may send a certificate."""
    require_certificate: bool = False
    """True: clients must send a certificate."""
    revocation_list: str | os.PathLike[str] | None = None
    """Revocation lists (CRL) of the authorities in `client_ca`."""
    minimum_version: str = "1.2"
    """The lowest accepted version of TLS: 1.2 or 1.3."""

    def context(self, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """Read the files and return an `SSLContext`. `alpn` are the application protocols that the server supports.

        Raises:
            TlsError: a file cannot be used, or the settings contradict each other.
        """
        if self.minimum_version not in VERSIONS:
            raise TlsError(f"minimum_version is {' or '.join(VERSIONS)}, not {self.minimum_version!r}")
        if self.client_ca is None and (self.require_certificate or self.revocation_list is not None):
            what = "require_certificate" if self.require_certificate else "revocation_list"
            raise TlsError(f"{what} needs client_ca: the authorities whose client certificates are accepted")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)  # writes SSLKEYLOGFILE
        context.minimum_version = VERSIONS[self.minimum_version]
        context.options |= ssl.OP_NO_RENEGOTIATION
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
            what = "a certificate and its key" if self.key is None else f"a certificate, or {where} is not a key,"
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
    """The unfinished TLS handshakes of one listener. A failed handshake is logged in one line.

    A handshake has the same timeout as a CONNECT. At the limit of `PENDING`, the oldest handshake is closed: clients
    that never finish theirs do not lock others out. `context` may be replaced: existing connections keep the old one.
    """

    def __init__(self, listener: Listener, driver: Driver, context: ssl.SSLContext) -> None:
        self.listener = listener
        self.driver = driver
        self.context = context
        self.pending: dict[Tls, None] = {}

    def begin(self, tls: Tls) -> asyncio.TimerHandle | None:
        """Register a new handshake. Return its timeout timer, or None if there is no timeout."""
        if len(self.pending) >= PENDING:
            next(iter(self.pending)).refuse("Too many TLS handshakes are under way, and this one is the oldest")
        self.pending[tls] = None
        timeout = self.listener.terms.connect_timeout
        if timeout is None:
            timeout = self.driver.broker.options.bounds.connect_timeout
        if not timeout:
            return None
        return self.driver.loop.call_later(timeout, tls.refuse, f"No TLS handshake within {timeout} s")

    def close(self) -> None:
        """Close all connections with an unfinished handshake."""
        for tls in list(self.pending):
            tls.give_up()


def record_head(head: bytearray) -> tuple[bool, int | None]:
    """Read the head of a TLS record (RFC 8446, section 5.1), for `Units`."""
    return head[0] == APPLICATION_DATA, int.from_bytes(head[3:5]) if len(head) == 5 else None


class Tls(Layer):
    """One TLS connection. The layers above are opened after its handshake."""

    __slots__ = ("_ended", "_handshakes", "_incoming", "_object", "_open", "_outgoing", "_records", "_stack", "_timer")

    def __init__(self, handshakes: Handshakes, stack: Stack) -> None:
        self._handshakes = handshakes
        self._stack = stack
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object: ssl.SSLObject | None = None
        self._open = False
        """True once the handshake is done."""
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False
        self._records: Units | None = Units(record_head)

    # ---------------------------------------------------------------- upwards

    def opened(self, now: int) -> None:
        transport = self._stack.transport
        if hasattr(transport, "max_size"):
            transport.max_size = READ
        # The layers above are not open yet, so they cannot handle `pause_writing`. A handshake stays below this limit.
        transport.set_write_buffer_limits(HANDSHAKE)
        self._timer = self._handshakes.begin(self)

    def receive(self, data: bytes, now: int) -> None:
        self._incoming.write(data)
        begun = self._records is not None and self._records.feed(data)
        if self._object is None:
            # Created with the first byte, so that an idle connection costs little.
            self._object = self._handshakes.context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        if not self._open and not self._shake_hands(self._object, now):
            return
        self._read(self._object, now)
        if self._records is not None:
            self.above.arriving(begun, now)

    def ended(self, now: int) -> bool:
        """Handle the end of input. For MQTT it does not matter if TLS was closed properly."""
        if not self._ended and self._open:
            self._ended = True
            self.above.ended(now)
        return False

    def lost(self, now: int, error: Exception | None) -> None:
        self._settle()
        if self._open:
            self.above.lost(now, error)

    # ---------------------------------------------------------------- the handshake

    def _shake_hands(self, tls: ssl.SSLObject, now: int) -> bool:
        """Continue the handshake. Return True once it is done and the layers above are open."""
        if self._stack.transport.is_closing():
            return False
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush(now)
            return False
        except ssl.SSLError as error:
            self._flush(now)  # sends the TLS alert
            self.refuse(explain(error))
            return False
        self._flush(now)
        self._settle()
        self._open = True
        self.above.opened(now)
        if not self._stack.notes_arrivals:
            self._records = None
        return True

    def refuse(self, why: str) -> None:
        """Log why the handshake failed, and close the connection."""
        handshakes = self._handshakes
        handshakes.driver.broker.counters.connections_refused += 1
        handshakes.driver.tell(why, self._peer(), handshakes.listener.name)
        self.give_up()

    def give_up(self) -> None:
        """Close the connection without logging."""
        self._settle()
        self.below.close()

    def _settle(self) -> None:
        """Remove this handshake from the unfinished ones and cancel its timer."""
        self._handshakes.pending.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---------------------------------------------------------------- bytes

    def _read(self, tls: ssl.SSLObject, now: int) -> None:
        """Decrypt all input and pass it to the layer above in one piece."""
        parts: list[bytes] = []
        ended = False
        failure: ssl.SSLError | None = None
        try:
            while not ended:
                part = tls.read(READ)
                ended = not part
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            ended = True
        except ssl.SSLError as error:
            failure = error
        if self._outgoing.pending:
            self._flush(now)
        data = joined(parts)
        if data and not self._ended:
            self.above.receive(data, now)
        if failure is not None:
            LOG.info("%s: TLS failed: %s", self._peer(), failure)
            self._stack.abort()
        elif ended and not self._ended:
            self._ended = True
            if not self.above.ended(now):
                self.close()

    # ---------------------------------------------------------------- downwards

    def write(self, parts: Parts, now: int) -> None:
        """Encrypt and send. Ignored if the connection is closing.

        Small parts are joined, because each would be a TLS record of its own. The encrypted bytes are a copy that
        belongs to this client alone.
        """
        tls = self._object
        assert tls is not None
        if self._stack.transport.is_closing():
            return
        try:
            for run in _runs(parts):
                rest = memoryview(run)
                while rest:
                    rest = rest[tls.write(rest) :]
        except ssl.SSLError as error:
            LOG.info("%s: TLS failed: %s", self._peer(), error)
            self._stack.abort()
            return
        self._flush(now)

    def close(self) -> None:
        if not self._stack.transport.is_closing():
            self._say_goodbye()
        self.below.close()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._say_goodbye()
        self.below.write_eof()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the client certificate for `peercert`, if the client sent one. Ask the layer below for other names."""
        if name == "peercert":
            return (None if self._object is None else self._object.getpeercert()) or default
        return self.below.get_extra_info(name, default)

    def _say_goodbye(self) -> None:
        """Send close_notify, the end of a TLS stream."""
        tls = self._object
        assert tls is not None
        try:
            tls.unwrap()
        except ssl.SSLError:  # the client has not sent its own close_notify yet, or TLS has ended
            pass
        self._flush(monotonic_ns())

    def _flush(self, now: int) -> None:
        data = self._outgoing.read()
        if data and not self._stack.transport.is_closing():
            self.below.write([data], now)

    def _peer(self) -> str:
        return peer_name(self._stack.transport.get_extra_info("peername")) or "a client that has gone"


def _runs(parts: Parts) -> Iterator[bytes | memoryview]:
    """Yield the parts, with those of less than `RECORD` bytes joined to the next ones."""
    run: list[bytes | memoryview] = []
    size = 0
    for part in parts:
        if not run and len(part) >= RECORD:
            yield part
            continue
        run.append(part)
        size += len(part)
        if size >= RECORD:
            yield joined(run)
            run = []
            size = 0
    if run:
        yield joined(run)


def explain(error: ssl.SSLError) -> str:
    """Return the text that tells an operator why a handshake failed."""
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
