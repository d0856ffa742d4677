# SPDX-License-Identifier: MIT
"""SCRAM-SHA-256: the vectors of RFC 7677, both sides against each other, and every message that is none."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.auth.scram import ClientExchange, Credentials, ScramError, ServerExchange

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PENCIL = Credentials.from_password("pencil", SALT, 4096)
CLIENT_NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
CHALLENGE = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
PROOF = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def server() -> ServerExchange:
    return ServerExchange(lambda name: PENCIL, SERVER_NONCE)


def test_the_example_of_rfc_7677_as_server() -> None:
    exchange = server()
    assert exchange.first(FIRST) == CHALLENGE
    assert exchange.username == "user"
    assert exchange.final(FINAL) == PROOF


def test_the_example_of_rfc_7677_as_client() -> None:
    client = ClientExchange("user", "pencil", CLIENT_NONCE)
    assert client.first() == FIRST
    assert client.final(CHALLENGE) == FINAL
    client.check(PROOF)


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


@given(NAMES, NAMES, NAMES)
def test_who_knows_the_password_is_let_in_and_nobody_else(name: str, password: str, other: str) -> None:
    credentials = Credentials.from_password(password, b"salt")
    for tried in (password, other):
        exchange = ServerExchange({name: credentials}.__getitem__)
        client = ClientExchange(name, tried)
        final = client.final(exchange.first(client.first()))
        if tried == password:
            client.check(exchange.final(final))
        else:
            with pytest.raises(ScramError, match="invalid-proof"):
                exchange.final(final)


def test_names_and_passwords_that_look_the_same_are_the_same() -> None:
    credentials = Credentials.from_password("I\u00adX\u00a0\u2168")
    exchange = ServerExchange({"IX": credentials}.__getitem__)
    client = ClientExchange("I\u00adX", "IX IX")
    client.check(exchange.final(client.final(exchange.first(client.first()))))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "other-error"),
        (b"n", "other-error"),
        (b"n,,", "other-error"),
        (b"n,,n=user", "other-error"),
        (b"n,,r=abc,n=user", "other-error"),
        (b"n,,n=,r=abc", "other-error"),
        (b"n,,n=user,r=", "other-error"),
        (b"n,,n=user,r=a b", "other-error"),
        (b"n,,n=user,r=\xc3\xa4", "other-error"),
        (b"n,,n=user,r=\xff", "other-error"),
        (b"x,,n=user,r=abc", "other-error"),
        (b"n,x,n=user,r=abc", "other-error"),
        (b"n,a=root,n=user,r=abc", "other-error"),
        (b"p=tls-unique,,n=user,r=abc", "channel-binding-not-supported"),
        (b"n,,m=x,n=user,r=abc", "extensions-not-supported"),
        (b"n,,n=us=er,r=abc", "invalid-username-encoding"),
        (b"n,,n=us=2cer,r=abc", "invalid-username-encoding"),
        (b"n,,n=us\x07er,r=abc", "invalid-username-encoding"),
        (b"n,,n=user,r=" + b"a" * 5000, "other-error"),
    ],
)
def test_what_is_no_first_message(data: bytes, why: str) -> None:
    with pytest.raises(ScramError, match=why):
        server().first(data)


@pytest.mark.parametrize(
    "data", [b"y,,n=user,r=abc", b"n,a=user,n=user,r=abc", b"n,,n=user,r=abc,x=later", b"n,,n=us=2Cer=3D,r=abc"]
)
def test_what_is_one(data: bytes) -> None:
    exchange = server()
    assert exchange.first(data).startswith(b"r=abc%hv")
    assert exchange.username in ("user", "us,er=")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "other-error"),
        (FINAL.replace(b"c=biws", b"c=eSws"), "channel-bindings-dont-match"),
        (FINAL.replace(b"k0,p", b"k1,p"), "other-error"),
        (FINAL.replace(b"p=dH", b"p=dI"), "invalid-proof"),
        (FINAL.replace(b"p=dH", b"p=!H"), "invalid-encoding"),
        (FINAL[:-1], "invalid-encoding"),
        (b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA", "invalid-proof"),
        (b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "other-error"),
        (FINAL.replace(b",p=", b",x=1,p="), "invalid-proof"),
    ],
)
def test_what_is_no_proof(data: bytes, why: str) -> None:
    exchange = server()
    exchange.first(FIRST)
    with pytest.raises(ScramError, match=why):
        exchange.final(data)


def test_a_proof_counts_once_and_not_before_the_challenge() -> None:
    exchange = server()
    with pytest.raises(ScramError, match="other-error"):
        exchange.final(FINAL)
    exchange.first(FIRST)
    exchange.final(FINAL)
    with pytest.raises(ScramError, match="other-error"):
        exchange.final(FINAL)


@pytest.mark.parametrize(
    "data",
    [
        b"r=somebody-elses,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        CHALLENGE.replace(b"i=4096", b"i=4095"),
        CHALLENGE.replace(b"i=4096", b"i=99999999999"),
        CHALLENGE.replace(b"i=4096", b"i=-1"),
        CHALLENGE.replace(b"s=W2", b"s=!!"),
        b"e=other-error",
    ],
)
def test_a_client_believes_not_everything(data: bytes) -> None:
    client = ClientExchange("user", "pencil", CLIENT_NONCE)
    with pytest.raises(ScramError):
        client.final(data)
    with pytest.raises(ScramError):
        client.check(b"v=AAAA")


def test_a_server_that_does_not_know_the_password_is_found_out() -> None:
    client = ClientExchange("user", "pencil", CLIENT_NONCE)
    client.final(CHALLENGE)
    with pytest.raises(ScramError, match="invalid-proof"):
        client.check(PROOF.replace(b"6r", b"7r"))


def test_credentials_are_stored_as_text() -> None:
    text = str(PENCIL)
    assert text.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    again = Credentials.parse(text)
    assert str(again) == text
    assert again.verify(b"pencil")
    assert not again.verify(b"pencils")
    assert not again.verify(b"\xff")
    assert base64.b64encode(PENCIL.stored_key).decode() not in repr(PENCIL)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("SCRAM-SHA-256", "SCRAM-SHA-1"), "it is not"),
        (("4096", "4095"), "4,096 to 10,000,000"),
        (("4096", "99999999"), "4,096 to 10,000,000"),
        (("W22Z", "W"), "base64"),
        (("$WG5d", "$AAAAWG5d"), "32 bytes"),
    ],
)
def test_damaged_credentials_are_refused(change: tuple[str, str], why: str) -> None:
    assert change[0] in str(PENCIL)
    with pytest.raises(ValueError, match=why):
        Credentials.parse(str(PENCIL).replace(*change, 1))


MESSAGES = st.binary(max_size=60) | st.text("nypracsi=,+/%A2C3D ", max_size=60).map(str.encode)


@given(MESSAGES, MESSAGES)
def test_any_bytes_are_answered_or_refused(first: bytes, final: bytes) -> None:
    exchange = server()
    try:
        challenge = exchange.first(first)
    except ScramError:
        pass
    else:
        assert challenge.startswith(b"r=")
        with pytest.raises(ScramError):
            exchange.final(final)
    client = ClientExchange("user", "pencil", CLIENT_NONCE)
    with pytest.raises(ScramError):
        client.final(first)


@given(st.integers(0, len(FINAL) - 1), st.integers(1, 255))
def test_one_changed_byte_spoils_the_proof(at: int, change: int) -> None:
    exchange = server()
    exchange.first(FIRST)
    changed = bytearray(FINAL)
    changed[at] ^= change
    with pytest.raises(ScramError):
        exchange.final(bytes(changed))
