# SPDX-License-Identifier: MIT
"""Decides logins by the users and auth rules of a ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from mqtt_ref.auth.ledger import AuthRule, Ledger, matches, matches_anonymous, matches_remote
from mqtt_ref.auth.passwords import is_hashed, verify
from mqtt_ref.wire.codes import BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED

__all__ = ["BAD_USER_NAME_OR_PASSWORD", "NOT_AUTHORIZED", "Login", "Logins"]


@dataclass(frozen=True, slots=True)
class Login:
    """Result of a login: 0 or a Reason Code. `why` is for the log, not for the client."""

    code: int
    why: str


class Logins:
    """Decides logins. If `slow`, some passwords are hashes: call `decide` in a thread.

    The time of a refusal must not show if a user name exists: if no hash was checked, a decoy is checked. This works
    only if all hashes of a ledger take the same time.
    """

    def __init__(self, ledger: Ledger, verify: Callable[[str, bytes], bool] = verify) -> None:
        self._users = ledger.users
        self._rules = ledger.auth
        self._verify = verify
        stored = [user.password for user in ledger.users.values()] + [rule.password for rule in ledger.auth]
        hashes = [password for password in stored if is_hashed(password)]
        self.slow = bool(hashes)
        self._decoy = ""
        if hashes:
            kind, _ = Counter(map(_cost, hashes)).most_common(1)[0]
            self._decoy = next(password for password in hashes if _cost(password) == kind)

    def decide(self, client_id: str, username: str | None, password: bytes | None, remote: str) -> Login:
        """Decide a login: by the user, then by the first rule that matches. If neither decides, refuse."""
        attempt = _Attempt(self._verify, password)
        login = self._decide(attempt, client_id, username, remote)
        if login.code and password is not None and self._decoy and not attempt.hashes:
            attempt.is_password(self._decoy)
        return login

    def _decide(self, attempt: _Attempt, client_id: str, username: str | None, remote: str) -> Login:
        user = None if username is None else self._users.get(username)
        if user is not None:
            if user.password and not attempt.is_password(user.password):
                return Login(BAD_USER_NAME_OR_PASSWORD, "not the password of this user")
            if user.disallow:
                return Login(NOT_AUTHORIZED, "this user is disallowed")
            if user.password:
                return Login(0, "the user's password")
        name = username or ""
        for number, rule in enumerate(self._rules):
            if (
                matches(rule.client, client_id)
                and matches(rule.username, name)
                and matches_anonymous(rule.anonymous, name)
                and matches_remote(rule.remote, remote)
                and attempt.matches(rule)
            ):
                return Login(0 if rule.allow else NOT_AUTHORIZED, f"auth[{number}]")
        if username is None and attempt.password is None:
            return Login(NOT_AUTHORIZED, "no rule allows it without user name and password")
        return Login(BAD_USER_NAME_OR_PASSWORD, "no user and no rule allows it")


class _Attempt:
    """One login. Each hash is checked only once, even if several rules have it."""

    def __init__(self, verify: Callable[[str, bytes], bool], password: bytes | None) -> None:
        self.password = password
        self.hashes: dict[str, bool] = {}
        self._verify = verify

    def matches(self, rule: AuthRule) -> bool:
        """True if the password matches that of the rule, or the rule has none."""
        wanted = rule.password
        if wanted in ("", "*"):
            return True
        if wanted[-1] == "*" and not is_hashed(wanted):
            prefix = wanted[:-1].encode()
            return self.password is not None and self._verify(wanted[:-1], self.password[: len(prefix)])
        return self.is_password(wanted)

    def is_password(self, stored: str) -> bool:
        if self.password is None:
            return False
        if not is_hashed(stored):
            return self._verify(stored, self.password)
        if stored not in self.hashes:
            self.hashes[stored] = self._verify(stored, self.password)
        return self.hashes[stored]


def _cost(stored: str) -> str:
    """Return the part of a hash that decides how long its check takes."""
    if stored.startswith("SCRAM-SHA-256$"):
        return stored[: stored.index(":")]
    return stored.rsplit("$", 2)[0]
