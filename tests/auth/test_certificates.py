# SPDX-License-Identifier: MIT
"""The name of a client from its certificate: as OpenSSL reads real ones, and what becomes of it."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from mqtt_ref.auth.certificates import CertificateIdentity, identities
from mqtt_ref.auth.ledger import AclRule, AuthRule, Ledger, User
from mqtt_ref.auth.ledger_hook import LedgerHook
from mqtt_ref.hooks import Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.packets import Connack, Connect
from tests.sansio import Client, World

PLAIN: dict[str, Any] = {
    "subject": ((("organizationName", "Garden"),), (("commonName", "melon"),)),
    "subjectAltName": (("DNS", "melon.example"), ("email", "melon@garden.example"), ("URI", "urn:dev:7")),
}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("common_name", ["melon"]),
        ("dns", ["melon.example"]),
        ("email", ["melon@garden.example"]),
        ("uri", ["urn:dev:7"]),
    ],
)
def test_where_a_name_may_stand(source: str, names: list[str]) -> None:
    assert identities(PLAIN, source) == names
    assert identities({}, source) == []


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match="common_name, email, dns, uri"):
        CertificateIdentity("serial")


def shown(certificate: Any, authority: Any) -> dict[str, Any]:
    """What a server's TLS says of the certificate that a client shows, without a socket."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_side)
    server_side.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server_side)
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client_side)
    certificate.configure_cert(client_side)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = server.getpeercert()
    assert found
    return found


def test_names_of_real_certificates(require: Any) -> None:
    trustme = require.module("trustme")
    authority = trustme.CA()
    found = shown(authority.issue_cert("melon.example", "m@garden.example", common_name="mélon"), authority)
    assert identities(found, "common_name") == ["mélon"]
    assert identities(found, "dns") == ["melon.example"]
    assert identities(found, "email") == ["m@garden.example"]
    assert identities(found, "uri") == []


def connected(certificate: Any, *hooks: Hook, version: int = 5) -> tuple[Connack, Client]:
    world = World()
    Dispatcher(world.broker, hooks)
    client = world.link(version)
    client.connection.peer_certificate = certificate
    client.send(Connect("c", protocol_version=version, username="root", password=b"x"))
    return client.one(Connack), client


class Access(Hook):
    """Topics by user name, as a ledger would have it, without waiting for anybody."""

    def on_acl_check(self, client: Any, topic: str, write: bool) -> bool:
        return bool(topic == client.username)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_the_name_in_the_certificate_is_the_user_name(version: int) -> None:
    connack, client = connected(PLAIN, CertificateIdentity(), Access(), version=version)
    assert connack.reason_code == 0
    assert client.subscribe("melon") == 0
    assert client.subscribe("root") == {3: 0, 4: 0x80, 5: 0x87}[version]
    assert client.connection.username == "melon"


@pytest.mark.parametrize(
    ("certificate", "options", "code"),
    [
        (PLAIN, {}, 0),
        (PLAIN, {"allow": {"melon"}.__contains__}, 0),
        (PLAIN, {"allow": {"peach"}.__contains__}, 0x87),
        (None, {}, 0x87),
        (None, {"required": True}, 0x87),
        ({}, {"required": True}, 0x87),
        ({"subject": ()}, {}, 0x87),
        ({"subject": ((("commonName", "a"), ("commonName", "b")),)}, {}, 0x87),
        ({"subject": ((("commonName", ""),),)}, {}, 0x87),
    ],
)
def test_who_is_let_in(certificate: Any, options: dict[str, Any], code: int) -> None:
    connack, client = connected(certificate, CertificateIdentity(**options))
    assert connack.reason_code == code
    assert client.closed == (code != 0)


class LetIn(Hook):
    def on_connect_authenticate(self, client: Any, connect: Connect) -> bool:
        return True


@pytest.mark.parametrize(("required", "code"), [(False, 0), (True, 0x87)])
def test_who_shows_none_is_left_to_the_next_hook_or_refused(required: bool, code: int) -> None:
    connack, _ = connected(None, CertificateIdentity(required=required), LetIn())
    assert connack.reason_code == code


def test_a_certificate_without_the_name_is_not_left_to_the_next_hook() -> None:
    connack, _ = connected({"subject": ()}, CertificateIdentity(), LetIn())
    assert connack.reason_code == 0x87


def test_a_disallowed_user_is_not_let_in_by_a_certificate() -> None:
    ledger = LedgerHook(
        Ledger(
            users={"melon": User(disallow=True), "peach": User("secret")},
            auth=(AuthRule(allow=True),),
            acl=(AclRule(filters={"#": "deny"}),),
        )
    )
    assert not ledger.may_connect("melon")
    assert ledger.may_connect("peach")
    assert ledger.may_connect("stranger")
    connack, _ = connected(PLAIN, CertificateIdentity(allow=ledger.may_connect), LetIn())
    assert connack.reason_code == 0x87
