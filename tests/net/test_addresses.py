# SPDX-License-Identifier: MIT
"""Both loopback addresses, families that a machine lacks, free ports that both families have."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.net import tcp
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.net.tcp import TcpListener, is_loopback
from mqtt_ref.testing.rawclient import RawClient

bind = tcp._bind


@pytest.fixture
def six(require: Any) -> None:
    """Only with IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError as error:
        require.absent(f"this machine has no ::1: {error}")


def test_localhost_is_both(running: Callable[..., Any], six: None) -> None:
    listener = TcpListener("localhost", 0)
    running(listener)
    assert listener.urls == [f"mqtt://127.0.0.1:{listener.port}", f"mqtt://[::1]:{listener.port}"]
    for host in ("127.0.0.1", "::1"):
        with RawClient(listener.port, host=host) as client:
            client.connect("one")


def test_the_default_run_is_reached_at_both(serve: Callable[..., Any], six: None) -> None:
    """One line for each listener says its address."""
    broker = serve().wait_ready()
    ports = [
        int(broker.out.wait(rf"^listening on {scheme}://127\.0\.0\.1:(\d+)$")[1]) for scheme in ("mqtt", "ws", "http")
    ]
    assert len(broker.out.lines) == 3
    for port in ports:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), 10).close()


@pytest.mark.parametrize("host", ["[::1]", "::1"])
def test_an_address_in_brackets(running: Callable[..., Any], six: None, host: str) -> None:
    listener = TcpListener(host, 0)
    running(listener)
    assert listener.urls == [f"mqtt://[::1]:{listener.port}"]
    assert is_loopback(host)


def test_brackets_on_the_command_line(serve: Callable[..., Any], six: None) -> None:
    broker = serve("--host", "[::1]", "--no-ws", "--no-http")
    port = int(broker.out.wait(r"^listening on mqtt://\[::1\]:(\d+)$")[1])
    socket.create_connection(("::1", port), 10).close()


@pytest.mark.parametrize("lacking", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_a_family_that_the_machine_lacks_is_skipped(
    monkeypatch: pytest.MonkeyPatch, six: None, lacking: int, number: int
) -> None:
    """Also if it is the first one."""

    def without(family: int, address: tuple[Any, ...]) -> socket.socket:
        if family == lacking:
            raise OSError(number, "no such family")
        return bind(family, address)

    monkeypatch.setattr(tcp, "_bind", without)
    sockets = TcpListener("localhost", 0).bind()
    try:
        assert [one.family for one in sockets] == [{socket.AF_INET, socket.AF_INET6}.difference({lacking}).pop()]
    finally:
        for one in sockets:
            one.close()


def test_no_family_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(family: int, address: tuple[Any, ...]) -> socket.socket:
        raise OSError(errno.EADDRNOTAVAIL, "no such address")

    monkeypatch.setattr(tcp, "_bind", without)
    with pytest.raises(ListenerError, match="this machine does not have that address"):
        TcpListener("localhost", 0).bind()


def test_a_free_port_is_free_in_both_families(monkeypatch: pytest.MonkeyPatch, six: None) -> None:
    """The one that the first family gets may be in use in the second."""
    tried: list[int] = []

    def busy(family: int, address: tuple[Any, ...]) -> socket.socket:
        if family == socket.AF_INET6:
            tried.append(address[1])
            if len(tried) < 5:
                raise OSError(errno.EADDRINUSE, "in use")
        return bind(family, address)

    monkeypatch.setattr(tcp, "_bind", busy)
    listener = TcpListener("localhost", 0)
    sockets = listener.bind()
    for one in sockets:
        assert one.getsockname()[1] == listener.port == tried[-1]
        one.close()
    assert len(tried) == 5


def test_a_port_that_was_asked_for_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def busy(family: int, address: tuple[Any, ...]) -> socket.socket:
        tried.append(address[1])
        raise OSError(errno.EADDRINUSE, "in use")

    monkeypatch.setattr(tcp, "_bind", busy)
    with pytest.raises(ListenerError, match="the port is in use"):
        TcpListener("localhost", 1883).bind()
    assert tried == [1883]
