# SPDX-License-Identifier: MIT
"""Builds the listeners of a server from a configuration. Modules that none of them needs are not imported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mqtt_ref.config.model import (
    Config,
    HealthListener,
    InfoListener,
    MqttListener,
    NetListener,
    TcpListener,
    Tls,
    UnixListener,
    WebSocketListener,
)
from mqtt_ref.config.options import VERSIONS
from mqtt_ref.config.problem import KeyPath
from mqtt_ref.engine.options import Terms
from mqtt_ref.net import tcp

if TYPE_CHECKING:
    from mqtt_ref.config.check import Report
    from mqtt_ref.net.listener import Listener
    from mqtt_ref.net.tls import TlsSettings

__all__ = ["address", "listeners"]

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>[0-9]{1,5})")


def address(text: str) -> tuple[str, int]:
    """Split `host:port`, `[::1]:port` or `:port` into host and port. An empty host means every address.

    Raises:
        ValueError: the text has another form, or the port is above 65535.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError(f"is {text!r}; it must be host:port, or :port for every address")
    return found["six"] or found["host"] or "", int(found["port"])


def listeners(config: Config, report: Report) -> list[Listener]:
    """Build the listeners of a configuration. Problems are reported by key path."""
    made: list[Listener] = []
    names: dict[str, int] = {}
    for place, wanted in enumerate(config.listeners):
        path: KeyPath = ("listeners", place)
        listener = _listener(wanted, path, report)
        if listener is None:
            continue
        if listener.name in names and (wanted.id or listener.port):
            report(
                (*path, "id"),
                f"is {listener.name!r}, like that of listeners[{names[listener.name]}]; it must be unique",
            )
        names[listener.name] = place
        made.append(listener)
    return made


def _listener(wanted: object, path: KeyPath, report: Report) -> Listener | None:
    try:
        if isinstance(wanted, WebSocketListener):
            from mqtt_ref.net.websocket import WebSocketListener as WebSocket
            from mqtt_ref.net.websocket import origin_problem

            host, port = address(wanted.address)
            origins = wanted.origins
            wrong = [(at, text) for at, site in enumerate(origins or ()) if (text := origin_problem(site))]
            if wrong:
                for at, text in wrong:
                    report((*path, "origins", at), text)
                return None
            return WebSocket(host, port, wanted.id, _tls(wanted.tls, path, report), _terms(wanted), origins=origins)
        if isinstance(wanted, TcpListener):
            host, port = address(wanted.address)
            return tcp.TcpListener(host, port, wanted.id, _tls(wanted.tls, path, report), _terms(wanted))
        if isinstance(wanted, UnixListener):
            from mqtt_ref.net.unix import UnixListener as Unix

            return Unix(wanted.address, wanted.id, _terms(wanted), mode=int(wanted.mode, 8))
        if isinstance(wanted, NetListener):
            return _adopted(wanted, path, report)
        if isinstance(wanted, InfoListener):
            return _info(wanted, path, report)
        assert isinstance(wanted, HealthListener)
        return _health(wanted, path, report)
    except ValueError as error:
        report((*path, "address"), str(error))
        return None


def _adopted(wanted: NetListener, path: KeyPath, report: Report) -> Listener:
    import socket

    from mqtt_ref.net.adopted import SocketListener, activated_sockets

    kind, _, name = wanted.address.partition(":")
    if kind == "fd":
        try:
            sock = socket.socket(fileno=int(name))
        except OSError as error:
            raise ValueError(f"is {wanted.address!r}: {error.strerror or error}") from error
    else:
        handed = dict(activated_sockets())
        if name not in handed:
            known = ", ".join(handed) or "none"
            raise ValueError(f"is {wanted.address!r}; the sockets from systemd are: {known}")
        sock = handed[name]
    return SocketListener(sock, wanted.id, _tls(wanted.tls, path, report), _terms(wanted))


def _info(wanted: InfoListener, path: KeyPath, report: Report) -> Listener:
    from mqtt_ref.http.guard import Guard
    from mqtt_ref.http.listener import HttpListener

    host, port = address(wanted.address)
    guard = Guard(wanted.token, hosts=wanted.hosts, origins=wanted.origins, reads=wanted.token_for_reading)
    return HttpListener(host, port, guard=guard, name=wanted.id, tls=_tls(wanted.tls, path, report))


def _health(wanted: HealthListener, path: KeyPath, report: Report) -> Listener:
    from mqtt_ref.http.health_app import health_app
    from mqtt_ref.http.listener import HttpListener

    host, port = address(wanted.address)
    return HttpListener(host, port, health_app(), name=wanted.id, tls=_tls(wanted.tls, path, report))


def _terms(wanted: MqttListener) -> Terms:
    versions = wanted.protocol_versions
    return Terms(
        versions=None if versions is None else tuple(VERSIONS[name] for name in versions),
        maximum_qos=wanted.maximum_qos,
        maximum_connections=wanted.maximum_connections,
        connect_timeout=wanted.connect_timeout,
        bytes_per_second=wanted.bytes_per_second,
        packets_per_second=wanted.packets_per_second,
    )


def _tls(wanted: Tls | None, path: KeyPath, report: Report) -> TlsSettings | None:
    """Build the TLS settings, and read the files once to check them."""
    if wanted is None:
        return None
    from mqtt_ref.net.tls import TlsError, TlsSettings

    settings = TlsSettings(
        certificate=wanted.certificate,
        key=wanted.key or None,
        key_password=wanted.key_password or None,
        client_ca=wanted.client_ca or None,
        require_certificate=wanted.require_certificate,
        revocation_list=wanted.revocation_list or None,
        minimum_version=wanted.minimum_version,
    )
    try:
        settings.context()
    except TlsError as error:
        report((*path, "tls"), str(error))
    return settings
