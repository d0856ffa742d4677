# SPDX-License-Identifier: MIT
"""`mqtt-ref ping`: a real CONNECT, and an exit code."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from websockets.sync.server import serve
from websockets.typing import Subprotocol

from mqtt_ref import AllowAll, TcpListener, ThreadedServer, WebSocketListener
from mqtt_ref.cli.main import main
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.oracle.actions import Refuse, Replace
from mqtt_ref.oracle.facade import Oracle
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.oracle.rules import Rule


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    with Oracle() as found:
        yield found


@pytest.mark.parametrize("version", ["5", "311", "31"])
def test_a_broker_that_takes_it(oracle: Oracle, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", "-V", version, oracle.url]) == 0
    assert "accepted within" in capsys.readouterr().out
    oracle.wait(Condition(packet=Match(packet="DISCONNECT", by="ping*")))
    assert oracle.findings == []
    assert main(["ping", "-q", oracle.url]) == 0
    assert capsys.readouterr().out == ""


def test_a_broker_that_does_not(oracle: Oracle, capsys: pytest.CaptureFixture[str]) -> None:
    oracle.rules = [Rule(when=Match(packet="CONNECT", by="*"), do=Refuse(code=5))]
    assert main(["ping", oracle.url]) == 1
    assert "reason_code=5" in capsys.readouterr().err
    oracle.rules = [Rule(when=Match(packet="CONNACK"), do=Replace(hex="d000"))]
    assert main(["ping", oracle.url]) == 1
    assert "Pingresp()" in capsys.readouterr().err


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
        assert main(["ping", url, "--timeout", "0.1"]) == 2
        assert main(["ping", url.replace("mqtt:", "mqtts:"), "--timeout", "0.1"]) == 2
    assert main(["ping", url.replace("//", "//anna:s3cret@"), "--timeout", "1"]) == 2
    assert main(["ping", "unix:/nobody/here"]) == 2
    assert main(["ping", "mqtt://nobody.invalid"]) == 2
    assert main(["ping", "http://127.0.0.1"]) == 2
    silence, no_tls, nobody, no_socket, no_host, no_url = capsys.readouterr().err.splitlines()
    assert silence == f"mqtt-ref ping: {url}: no answer in time"
    assert no_tls.endswith(": no answer in time")
    assert nobody == f"mqtt-ref ping: {url.replace('//', '//anna:***@')}: connection refused: no server listens there"
    assert no_socket == "mqtt-ref ping: unix:/nobody/here: No such file or directory"
    assert no_host == "mqtt-ref ping: mqtt://nobody.invalid: there is no host of that name"
    assert "not a URL of a broker" in no_url


def test_a_peer_without_tls_and_one_with_a_certificate_of_nobody(
    oracle: Oracle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ping", oracle.url.replace("mqtt:", "mqtts:")]) == 2
    pem = tmp_path / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    tls = TlsSettings(pem)
    with ThreadedServer(listeners=[TcpListener(port=0, tls=tls)], hooks=[AllowAll()]) as server:
        assert main(["ping", server.url]) == 2
    plain, strange = capsys.readouterr().err.splitlines()
    assert "no TLS: " in plain
    assert "its certificate is not trusted: " in strange


def test_over_websocket(capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadedServer(listeners=[WebSocketListener(port=0), TcpListener(port=0)], hooks=[AllowAll()]) as server:
        assert main(["ping", server.url]) == 0
        assert main(["ping", f"{server.url}/mqtt".replace("//", "//anna:s3cret@")]) == 0
        assert main(["ping", server.server.listeners[1].urls[0].replace("mqtt:", "ws:"), "--timeout", "1"]) == 2
        assert server.clients() == []
    assert main(["ping", server.url]) == 2
    out, err = capsys.readouterr()
    assert "accepted within" in out
    assert "s3cret" not in out
    no_websocket, nobody = err.splitlines()
    assert "no WebSocket for MQTT: " in no_websocket
    assert nobody.endswith(": connection refused: no server listens there")


def test_over_websocket_and_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    listener = WebSocketListener(port=0, tls=TlsSettings(tmp_path / "server.pem"))
    with ThreadedServer(listeners=[listener], hooks=[AllowAll()]) as server:
        assert main(["ping", server.url]) == 2
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        for _ in range(20):
            assert main(["ping", "-V", "5", server.url, "--timeout", "10"]) == 0
    assert "its certificate is not trusted: " in capsys.readouterr().err


def test_a_websocket_that_closes_behind_its_handshake(capsys: pytest.CaptureFixture[str]) -> None:
    with serve(lambda link: link.close(), "127.0.0.1", 0, subprotocols=[Subprotocol("mqtt")]) as peer:
        thread = threading.Thread(target=peer.serve_forever)
        thread.start()
        try:
            assert main(["ping", f"ws://127.0.0.1:{peer.socket.getsockname()[1]}", "--timeout", "10"]) == 2
        finally:
            peer.shutdown()
            thread.join(10)
    assert "closed without an answer" in capsys.readouterr().err


@pytest.mark.parametrize("first", [b"\x30\xff\xff\xff\x7f", b"\x20\xff\xff\xff\x7f"])
def test_an_answer_that_never_ends_is_not_read_to_its_end(first: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """It says that 256 MB follow: that is not waited for."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            link, _ = server.accept()
            with link:
                link.recv(1000)
                link.sendall(first + bytes(1000))
                link.recv(1000)  # until the other side closes

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert main(["ping", f"mqtt://127.0.0.1:{server.getsockname()[1]}", "-V", "5", "--timeout", "30"]) == 2
        finally:
            thread.join(10)
    assert not thread.is_alive()
    assert "the answer has more than 1,048,576 bytes" in capsys.readouterr().err
