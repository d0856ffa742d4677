# SPDX-License-Identifier: MIT
"""TLS: with real certificates and real clients of it; what goes wrong has one clear line, and costs nobody else."""

from __future__ import annotations

import datetime
import re
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mqtt_ref.engine.options import Terms
from mqtt_ref.net import tls as tls_module
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsError, TlsSettings
from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect, Publish


def revoked(authority: Any, file: str, *certificates: trustme.LeafCert) -> None:
    """Writes the authority's list of the certificates that are taken no more."""
    now = datetime.datetime.now(datetime.UTC)
    issuer = x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes())
    key = load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    made = made.last_update(now - datetime.timedelta(days=1)).next_update(now + datetime.timedelta(days=1))
    for one in certificates:
        serial = x509.load_pem_x509_certificate(one.cert_chain_pems[0].bytes()).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
        made = made.add_revoked_certificate(entry.build())
    signed = made.sign(key, hashes.SHA256())  # type: ignore[arg-type]
    authority.path(file).write_bytes(signed.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def listener(authority: Any) -> TcpListener:
    return TcpListener(port=0, tls=TlsSettings(authority.path("server.pem")))


@pytest.fixture
def mutual(authority: Any) -> TcpListener:
    settings = TlsSettings(authority.path("server.pem"), client_ca=authority.path("ca.pem"), require_certificate=True)
    return TcpListener(port=0, tls=settings)


def refused(authority: Any, port: int, context: ssl.SSLContext) -> None:
    """The handshake fails, at once or, in 1.3, with the first read."""
    with pytest.raises((ssl.SSLError, OSError, LinkClosed)):
        with authority.connect(port, context) as client:
            client.connect("refused")


# ---------------------------------------------------------------- what works


def test_messages_of_every_size_pass(running: Callable[..., Any], authority: Any, listener: TcpListener) -> None:
    running(listener)
    assert listener.urls == [f"mqtts://127.0.0.1:{listener.port}"]
    with authority.connect(listener.port) as one, authority.connect(listener.port, version=4) as other:
        one.connect("one")
        one.subscribe("#", qos=2)
        other.connect("other", clean_start=True)
        for size in (0, 1, 100, 16_384, 16_385, 1_000_000):
            other.publish("t", bytes(size), qos=2)
            assert len(one.message().payload) == size
        other.disconnect()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_both_versions_are_spoken(
    running: Callable[..., Any], authority: Any, listener: TcpListener, version: str
) -> None:
    running(listener)
    context = authority.client()
    context.minimum_version = context.maximum_version = tls_module.VERSIONS[version]
    with authority.connect(listener.port, context) as client:
        client.connect("one")
        client.ping()
        assert client.socket.version() == f"TLSv{version}"  # type: ignore[attr-defined]
        client.disconnect()


def test_the_protocol_is_agreed_on(running: Callable[..., Any], authority: Any, listener: TcpListener) -> None:
    running(listener)
    for offered, agreed in ((["mqtt"], "mqtt"), (["x", "mqtt"], "mqtt"), (["http/1.1"], None), ([], None)):
        context = authority.client()
        if offered:
            context.set_alpn_protocols(offered)
        with authority.connect(listener.port, context) as client:
            client.connect("one")
            assert client.socket.selected_alpn_protocol() == agreed  # type: ignore[attr-defined]


def test_any_cut_of_the_stream_will_do(running: Callable[..., Any], authority: Any, listener: TcpListener) -> None:
    """Handshake and packets, one byte at a time."""
    running(listener)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.client().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", listener.port), 10) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def until(step: Callable[[], Any]) -> Any:
            while True:
                try:
                    done = step()
                except ssl.SSLWantReadError:
                    done = None
                for byte in outgoing.read():
                    plain.send(bytes([byte]))
                if done is not None:
                    return done
                incoming.write(plain.recv(1000))

        until(lambda: client.do_handshake() or True)
        until(lambda: client.write(encode(5, Connect("bytes"))))
        assert until(lambda: client.read(1000))[:1] == b"\x20"


def test_the_certificate_of_the_client_is_known(
    running: Callable[..., Any], authority: Any, mutual: TcpListener
) -> None:
    server = running(mutual)
    with authority.connect(mutual.port, authority.client("client.pem")) as client:
        client.connect("one")
        (link,) = server.server.broker.connections.values()
        subject = dict(pair for part in link.peer_certificate["subject"] for pair in part)
        assert subject["commonName"] == "gauge 7"


def test_a_certificate_may_be_sent_but_need_not(running: Callable[..., Any], authority: Any) -> None:
    settings = TlsSettings(authority.path("server.pem"), client_ca=authority.path("ca.pem"))
    optional = TcpListener(port=0, tls=settings)
    server = running(optional)
    for file, known in (("", False), ("client.pem", True)):
        with authority.connect(optional.port, authority.client(file)) as client:
            client.connect("one")
            (link,) = server.server.broker.connections.values()
            assert (link.peer_certificate is not None) is known
            client.disconnect()


def test_a_client_that_sends_and_leaves_at_once_is_heard(
    running: Callable[..., Any], authority: Any, listener: TcpListener
) -> None:
    plain = TcpListener(port=0)
    running(listener, plain)
    with RawClient(plain.port) as subscriber:
        subscriber.connect("subscriber")
        subscriber.subscribe("#")
        with authority.connect(listener.port) as client:
            client.send(Connect("hasty"), Publish("t", b"x" * 100_000), b"\xe0\x00")
            client.socket.shutdown(socket.SHUT_WR)
            assert len(subscriber.message().payload) == 100_000


def test_the_last_packet_arrives_though_the_client_goes_on_sending(
    running: Callable[..., Any], authority: Any, listener: TcpListener
) -> None:
    """What the broker closes, it closes so that a DISCONNECT is not destroyed by a reset."""
    running(listener)
    with authority.connect(listener.port) as client:
        client.connect("one")
        try:
            client.send(b"\x00" * 10, *[encode(5, Publish("t", bytes(1000)))] * 300)
        except LinkClosed:
            pass
        (last,) = client.until_closed()
        assert last.reason_code == 0x81


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (encode(5, Connect("plain")), "Plain bytes came to a listener with TLS"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP came to a listener with TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "Plain bytes came to a listener with TLS"),
        (bytes(50), "Plain bytes came to a listener with TLS"),
    ],
    ids=["mqtt", "http", "ssh", "zeros"],
)
def test_plain_bytes_are_told_as_such(
    running: Callable[..., Any],
    authority: Any,
    listener: TcpListener,
    said: Callable[..., str],
    data: bytes,
    text: str,
) -> None:
    running(listener)
    with socket.create_connection(("127.0.0.1", listener.port), 10) as plain:
        plain.sendall(data)
        host, port = plain.getsockname()
        while plain.recv(1000):
            pass
    assert said(text).startswith(f"{host}:{port}: ")
    with authority.connect(listener.port) as client:
        client.connect("goes on")


def test_tls_on_the_plain_port_is_told_as_such(
    running: Callable[..., Any], authority: Any, said: Callable[..., str]
) -> None:
    plain = TcpListener(port=0)
    running(plain)
    with pytest.raises((ssl.SSLError, OSError)):
        authority.connect(plain.port)
    said("TLS came to a listener without TLS")


def test_a_client_without_a_certificate_is_refused(
    running: Callable[..., Any], authority: Any, mutual: TcpListener, said: Callable[..., str]
) -> None:
    running(mutual)
    refused(authority, mutual.port, authority.client())
    said("The client sent no certificate, which is required here")


def test_an_expired_certificate_is_refused(
    running: Callable[..., Any], authority: Any, mutual: TcpListener, said: Callable[..., str]
) -> None:
    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    authority.certificate("expired", not_before=then - datetime.timedelta(days=1), not_after=then)
    running(mutual)
    refused(authority, mutual.port, authority.client("expired.pem"))
    said("The client's certificate is refused: certificate has expired")


def test_a_certificate_of_another_authority_is_refused(
    running: Callable[..., Any], authority: Any, mutual: TcpListener, said: Callable[..., str], tmp_path: Path
) -> None:
    stranger = trustme.CA().issue_cert("client.example.org")
    stranger.private_key_and_cert_chain_pem.write_to_path(tmp_path / "stranger.pem")
    context = authority.client()
    context.load_cert_chain(tmp_path / "stranger.pem")
    running(mutual)
    refused(authority, mutual.port, context)
    said("The client's certificate is refused: unable to get local issuer certificate")


def test_a_revoked_certificate_is_refused(
    running: Callable[..., Any], authority: Any, said: Callable[..., str]
) -> None:
    lost = authority.certificate("lost")
    revoked(authority, "crl.pem", lost)
    settings = TlsSettings(
        authority.path("server.pem"),
        client_ca=authority.path("ca.pem"),
        require_certificate=True,
        revocation_list=authority.path("crl.pem"),
    )
    listener = TcpListener(port=0, tls=settings)
    running(listener)
    refused(authority, listener.port, authority.client("lost.pem"))
    said("The client's certificate is refused: certificate revoked")
    with authority.connect(listener.port, authority.client("client.pem")) as client:
        client.connect("not lost")


def test_a_client_that_does_not_trust_us_is_told_about(
    running: Callable[..., Any], authority: Any, listener: TcpListener, said: Callable[..., str]
) -> None:
    running(listener)
    with pytest.raises(ssl.SSLCertVerificationError):
        authority.connect(listener.port, ssl.create_default_context())
    said("The client ended the TLS handshake: unknown ca")


def test_an_old_version_is_refused(running: Callable[..., Any], authority: Any, said: Callable[..., str]) -> None:
    listener = TcpListener(port=0, tls=TlsSettings(authority.path("server.pem"), minimum_version="1.3"))
    running(listener)
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    refused(authority, listener.port, context)
    said("The client offers no version or cipher of TLS that is taken here")


def test_a_handshake_has_its_time(running: Callable[..., Any], authority: Any, said: Callable[..., str]) -> None:
    listener = TcpListener(port=0, tls=TlsSettings(authority.path("server.pem")), terms=Terms(connect_timeout=1))
    running(listener)
    with socket.create_connection(("127.0.0.1", listener.port), 10) as silent:
        begin = time.monotonic()
        assert silent.recv(1) == b""
        assert 0.9 < time.monotonic() - begin < 5
    said("No TLS handshake within 1 s")


def test_who_only_looks_whether_the_port_is_open_is_not_worth_a_line(
    running: Callable[..., Any], authority: Any, listener: TcpListener, caplog: pytest.LogCaptureFixture
) -> None:
    server = running(listener)
    socket.create_connection(("127.0.0.1", listener.port), 10).close()
    with authority.connect(listener.port) as client:
        client.connect("one")
        client.disconnect()
    server.do(server.server.stop())
    assert [record.getMessage() for record in caplog.records if record.name.startswith("mqtt_ref")] == []


def test_a_flood_of_handshakes_does_not_keep_others_out(
    running: Callable[..., Any], authority: Any, listener: TcpListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_module, "PENDING", 20)
    server = running(listener)
    flood = [socket.create_connection(("127.0.0.1", listener.port), 10) for _ in range(100)]
    try:
        with authority.connect(listener.port) as client:
            client.connect("one of many")
            client.ping()
            handshakes = listener._handshakes
            assert handshakes is not None
            assert server.do(lambda: len(handshakes.pending)) <= 20
            assert flood[0].recv(1) == b""  # the oldest gave way
    finally:
        for one in flood:
            one.close()


def test_garbage_in_an_established_connection_ends_that_one(
    running: Callable[..., Any], authority: Any, listener: TcpListener
) -> None:
    running(listener)
    with authority.connect(listener.port) as good, authority.connect(listener.port) as bad:
        good.connect("good")
        bad.connect("bad")
        raw = socket.socket(fileno=bad.socket.detach())
        raw.settimeout(10)
        raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        with raw:
            try:
                while raw.recv(1000):
                    pass
            except ConnectionResetError:
                pass
        good.ping()


# ---------------------------------------------------------------- settings


def test_settings_that_cannot_be_say_why(authority: Any, tmp_path: Path) -> None:
    server, key, ca = authority.path("server.pem"), authority.path("client.key"), authority.path("ca.pem")
    locked = tmp_path / "locked.key"
    plain = load_pem_private_key(authority.path("server.key").read_bytes(), None)
    locked.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    for settings, text in (
        (TlsSettings(tmp_path / "none.pem"), r"certificate: cannot read .*none\.pem: No such file"),
        (TlsSettings(server, tmp_path / "none.key"), r"key: cannot read .*none\.key: No such file"),
        (TlsSettings(empty), r"certificate: .*empty\.pem is not a certificate and its key in PEM"),
        (TlsSettings(server, key), r"key: .*client\.key is not the key of .*server\.pem"),
        (TlsSettings(server, locked), r"key_password is needed for .*locked\.key"),
        (TlsSettings(server, locked, "wrong"), r"key_password is not the right one for .*locked\.key"),
        (TlsSettings(server, client_ca=empty), r"client_ca: .*empty\.pem is not in PEM"),
        (TlsSettings(server, client_ca=tmp_path / "none"), r"client_ca: cannot read"),
        (TlsSettings(server, client_ca=ca, revocation_list=ca), r"revocation_list: .*ca\.pem holds no revocation list"),
        (TlsSettings(server, require_certificate=True), "require_certificate needs client_ca"),
        (TlsSettings(server, revocation_list=ca), "revocation_list needs client_ca"),
        (TlsSettings(server, minimum_version="1.1"), r"minimum_version is 1\.2 or 1\.3, not '1\.1'"),
    ):
        with pytest.raises(TlsError, match=text):
            settings.context()
    TlsSettings(server, locked, "secret").context()


def test_a_listener_says_which_certificate_it_cannot_use(running: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(ListenerError, match=r"^secure: certificate: cannot read"):
        running(TcpListener(port=0, name="secure", tls=TlsSettings(tmp_path / "none.pem")))


def test_the_port_is_the_one_of_mqtt_over_tls_unless_told(authority: Any) -> None:  # X311-tls-port
    assert TcpListener(tls=TlsSettings(authority.path("server.pem"))).port == 8883


def test_certificates_are_read_again_and_nobody_is_disconnected(
    running: Callable[..., Any], authority: Any, tmp_path: Path
) -> None:
    server, ca, crl = tmp_path / "server.pem", tmp_path / "ca.pem", authority.path("reload.pem")
    server.write_bytes(authority.path("server.pem").read_bytes())
    ca.write_bytes(authority.path("ca.pem").read_bytes())
    lost = authority.certificate("lost later")
    revoked(authority, "reload.pem")
    listener = TcpListener(port=0, tls=TlsSettings(server, client_ca=ca, require_certificate=True, revocation_list=crl))
    running_server = running(listener)
    before = authority.connect(listener.port, authority.client("lost later.pem"))
    with before:
        before.connect("before")
        serial = before.socket.getpeercert()["serialNumber"]  # type: ignore[attr-defined]
        authority.certificate("next", "127.0.0.1")
        server.write_bytes(authority.path("next.pem").read_bytes())
        revoked(authority, "reload.pem", lost)
        running_server.do(listener.reload)
        with authority.connect(listener.port, authority.client("client.pem")) as after:
            after.connect("after")
            assert after.socket.getpeercert()["serialNumber"] != serial  # type: ignore[attr-defined]
        refused(authority, listener.port, authority.client("lost later.pem"))
        before.ping()
        server.write_text("broken")
        with pytest.raises(ListenerError, match="is not a certificate"):
            running_server.do(listener.reload)
        with authority.connect(listener.port, authority.client("client.pem")) as still:
            still.connect("still")
        before.ping()


def test_a_context_of_ones_own_is_used_as_it_is(running: Callable[..., Any], authority: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.path("server.pem"))
    listener = TcpListener(port=0, tls=context)
    running(listener).do(listener.reload)
    with authority.connect(listener.port) as client:
        client.connect("one")


def test_secrets_are_written_for_wireshark(
    running: Callable[..., Any], authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    listener = TcpListener(port=0, tls=TlsSettings(authority.path("server.pem")))
    running(listener)
    monkeypatch.delenv("SSLKEYLOGFILE")
    with authority.connect(listener.port) as client:
        client.connect("one")
    assert re.search(r"^(CLIENT_RANDOM|SERVER_TRAFFIC_SECRET_0) [0-9a-f]+ ", keys.read_text(), re.MULTILINE)
