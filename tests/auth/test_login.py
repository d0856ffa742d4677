# SPDX-License-Identifier: MIT
"""Users, then the auth rules in their order; and that a refusal takes the same time for all names."""

from __future__ import annotations

import pytest

from mqtt_ref.auth.ledger import AuthRule, Ledger, User
from mqtt_ref.auth.login import BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED, Logins
from mqtt_ref.auth.passwords import PBKDF2, SCRAM, hash_password, is_hashed, verify

BAD, NOT = BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED
HASH = hash_password(b"melon", SCRAM)
OTHER = hash_password(b"peach", SCRAM)

LEDGER = Ledger(
    auth=(
        AuthRule(username="banned"),
        AuthRule(remote="127.0.0.1:*", allow=True),
        AuthRule(remote="123.*"),
        AuthRule(client="sensor-*", password="token-*", allow=True),
        AuthRule(username="left", password="alone", allow=True),
        AuthRule(username="left"),
        AuthRule(username="any", password="*", allow=True),
    ),
    users={
        "melon": User("secret"),
        "gone": User("secret", disallow=True),
        "out": User(disallow=True),
        "left": User(),
    },
)


@pytest.mark.parametrize(
    ("client", "username", "password", "remote", "code"),
    [
        ("c", "melon", b"secret", "9.9.9.9:1", 0),
        ("c", "melon", b"wrong", "9.9.9.9:1", BAD),
        ("c", "melon", b"", "9.9.9.9:1", BAD),
        ("c", "melon", None, "9.9.9.9:1", BAD),
        ("c", "melon", b"wrong", "127.0.0.1:1", BAD),  # a user is not let in by a rule
        ("c", "melon", b"secret", "123.1.1.1:1", 0),  # nor kept out by one
        ("c", "gone", b"secret", "9.9.9.9:1", NOT),
        ("c", "gone", b"wrong", "9.9.9.9:1", BAD),
        ("c", "out", b"x", "127.0.0.1:1", NOT),
        ("c", "left", b"alone", "9.9.9.9:1", 0),
        ("c", "left", b"wrong", "9.9.9.9:1", NOT),
        ("c", "banned", b"x", "127.0.0.1:1", NOT),
        ("c", "x", b"x", "127.0.0.1:1", 0),
        ("c", None, None, "127.0.0.1:1", 0),
        ("c", "x", b"x", "127.0.0.11:1", BAD),
        ("c", "x", b"x", "123.4.5.6:1", NOT),
        ("sensor-1", "x", b"token-5", "9.9.9.9:1", 0),
        ("sensor-1", None, b"token-", "9.9.9.9:1", 0),
        ("sensor-1", "x", b"toke", "9.9.9.9:1", BAD),
        ("sensor-1", "x", None, "9.9.9.9:1", BAD),
        ("other-1", "x", b"token-5", "9.9.9.9:1", BAD),
        ("c", "any", None, "9.9.9.9:1", 0),
        ("c", "any", b"\xff", "9.9.9.9:1", 0),
        ("c", None, None, "9.9.9.9:1", NOT),
        ("c", "", b"", "9.9.9.9:1", BAD),
        ("c", "Melon", b"secret", "9.9.9.9:1", BAD),
    ],
)
def test_the_first_match_decides(
    client: str, username: str | None, password: bytes | None, remote: str, code: int
) -> None:
    login = Logins(LEDGER).decide(client, username, password, remote)
    assert login.code == code
    assert login.why
    assert "secret" not in login.why


def test_an_empty_ledger_lets_nobody_in() -> None:
    assert Logins(Ledger()).decide("c", "u", b"p", "r").code == BAD


class Counting:
    """Counts the hashes that are checked."""

    def __init__(self) -> None:
        self.hashes = 0

    def __call__(self, stored: str, password: bytes) -> bool:
        self.hashes += is_hashed(stored)
        return verify(stored, password)


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("hashed", b"melon", 0),
        ("hashed", b"wrong", BAD),
        ("plain", b"wrong", BAD),
        ("nobody", b"wrong", BAD),
        ("out", b"wrong", NOT),
        ("banned", b"wrong", NOT),
        (None, b"wrong", BAD),
    ],
)
def test_every_refusal_checks_one_hash(username: str | None, password: bytes, code: int) -> None:
    users = {"hashed": User(HASH), "plain": User("secret"), "out": User(disallow=True)}
    counting = Counting()
    logins = Logins(Ledger(users=users, auth=(AuthRule(username="banned"),)), counting)
    assert logins.slow
    assert logins.decide("c", username, password, "r").code == code
    assert counting.hashes == 1


def test_without_a_password_none_is_checked_for_anybody() -> None:
    for username in ("hashed", "nobody"):
        counting = Counting()
        assert Logins(Ledger(users={"hashed": User(HASH)}), counting).decide("c", username, None, "r").code == BAD
        assert counting.hashes == 0


def test_a_hash_is_checked_once_however_many_rules_have_it() -> None:
    counting = Counting()
    rules = tuple(AuthRule(password=stored, client=f"c{n}*") for n in range(3) for stored in (HASH, OTHER))
    same = (AuthRule(password=HASH), AuthRule(password=HASH), AuthRule(password=OTHER, allow=True))
    assert Logins(Ledger(auth=rules + same), counting).decide("x", "u", b"peach", "r").code == 0
    assert counting.hashes == 2


def test_the_decoy_is_of_the_kind_that_most_have() -> None:
    rare = hash_password(b"x", PBKDF2)
    logins = Logins(Ledger(users={"a": User(rare), "b": User(HASH), "c": User(OTHER)}))
    assert logins._decoy == HASH


def test_plain_passwords_need_no_thread() -> None:
    assert not Logins(LEDGER).slow


@pytest.mark.parametrize(
    ("anonymous", "username", "code"),
    [(True, None, 0), (True, "", 0), (True, "x", BAD), (False, None, NOT), (False, "", BAD), (False, "x", 0)],
)
def test_a_rule_may_be_for_clients_with_or_without_user_name_only(
    anonymous: bool, username: str | None, code: int
) -> None:
    logins = Logins(Ledger(auth=(AuthRule(anonymous=anonymous, allow=True),)))
    assert logins.decide("c", username, None, "127.0.0.1:5").code == code
