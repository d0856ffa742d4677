# SPDX-License-Identifier: MIT
"""The rule ledger: users, and rules for connecting and for topics. Rules are ordered; the first match decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mqtt_ref.auth.filters import Permission, filter_problem
from mqtt_ref.wire.printable import printable

__all__ = [
    "AclRule",
    "AuthRule",
    "Ledger",
    "LedgerError",
    "Problem",
    "User",
    "matches",
    "matches_anonymous",
    "matches_remote",
]

Path = tuple[str | int, ...]


def matches(pattern: str, text: str) -> bool:
    """True if the text matches the pattern. Empty and `*` match anything; `ab*` matches what begins with `ab`."""
    if pattern in ("", "*"):
        return True
    if pattern[-1] == "*":
        return text.startswith(pattern[:-1])
    return pattern == text


def matches_remote(pattern: str, remote: str) -> bool:
    """Like `matches`, for an address. The pattern may omit the port: `10.0.0.5`, `::1`."""
    if matches(pattern, remote):
        return True
    host, colon, _ = remote.rpartition(":")
    return colon == ":" and pattern.strip("[]") == host.strip("[]")


def matches_anonymous(anonymous: bool | None, username: str) -> bool:
    """True if a client with this user name matches `anonymous` of a rule. An empty user name is none."""
    return anonymous is None or anonymous == (not username)


@dataclass(frozen=True, slots=True)
class AuthRule:
    """Allow or deny the connections of clients that match.

    All four patterns must match, see `matches`; `remote` may omit the port. The password may be a hash (see
    `mqtt_ref.auth.passwords`). `anonymous=True` matches only clients without user name, False only those with one.

    Raises:
        ValueError: `anonymous` and `username` cannot match together.
    """

    client: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    remote: str = ""
    allow: bool = False
    anonymous: bool | None = None

    def __post_init__(self) -> None:
        _check_anonymous(self.anonymous, self.username)


@dataclass(frozen=True, slots=True)
class AclRule:
    """Permissions, by Topic Filter, of the clients that match. A rule without filters allows everything.

    `anonymous=True` matches only clients without user name, False only those with one. In filters, `%u` stands for the
    user name and `%c` for the Client Identifier of the client, see `mqtt_ref.auth.filters.filled`.

    Raises:
        ValueError: a filter or a permission is invalid, or `anonymous` and `username` cannot match together.
    """

    client: str = ""
    username: str = ""
    remote: str = ""
    filters: Mapping[str, Permission | int | str] = field(default_factory=dict)
    anonymous: bool | None = None

    def __post_init__(self) -> None:
        _check_anonymous(self.anonymous, self.username)
        object.__setattr__(self, "filters", _permissions(self.filters))


@dataclass(frozen=True, slots=True)
class User:
    """One user, found by name before the rules are looked at.

    A user with a password is accepted only with it, whatever the rules say. Without a password, the rules decide. A
    user with `disallow` is never accepted. The rules also decide about topics that no filter of `acl` matches. `%u` and
    `%c` in its filters are replaced as in rules.

    Raises:
        ValueError: a filter or a permission is invalid.
    """

    password: str = field(default="", repr=False)
    disallow: bool = False
    acl: Mapping[str, Permission | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "acl", _permissions(self.acl))


@dataclass(frozen=True, slots=True)
class Ledger:
    """Users, rules for connecting (default: deny) and rules for topics (default: allow)."""

    auth: tuple[AuthRule, ...] = ()
    acl: tuple[AclRule, ...] = ()
    users: Mapping[str, User] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "auth", tuple(self.auth))
        object.__setattr__(self, "acl", tuple(self.acl))
        object.__setattr__(self, "users", dict(self.users))

    @classmethod
    def from_mapping(cls, data: Any) -> Ledger:
        """Build a ledger from the content of a YAML or JSON file: `{"auth": [...], "acl": [...], "users": {...}}`.

        Raises:
            LedgerError: the content is invalid; it has every problem with its key path.
        """
        return _Reader().ledger(data)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one key path of a ledger, and what would be right. It never shows a password."""

    path: Path
    text: str

    def __str__(self) -> str:
        return printable(f"{_spoken(self.path)}: {self.text}" if self.path else self.text)


class LedgerError(ValueError):
    """An invalid ledger; `problems` says where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def _anonymous_problem(anonymous: bool | None, username: str) -> str:
    if anonymous and username not in ("", "*"):
        return f"a client without user name never has the user name {username!r}; leave one of them out"
    return ""


def _check_anonymous(anonymous: bool | None, username: str) -> None:
    problem = _anonymous_problem(anonymous, username)
    if problem:
        raise ValueError(problem)


def _permissions(filters: Mapping[str, Permission | int | str]) -> dict[str, Permission]:
    for topic_filter in filters:
        problem = filter_problem(topic_filter)
        if problem:
            raise ValueError(problem)
    return {topic_filter: Permission.of(value) for topic_filter, value in filters.items()}


def _spoken(path: Path) -> str:
    """Write a key path as `acl[0].filters["a/#"]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.isidentifier():
            text += f".{key}" if text else key
        else:
            text += f'["{key}"]'
    return text


class _Reader:
    """Reads a ledger from a mapping and collects all problems."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def ledger(self, data: object) -> Ledger:
        found = self.fields(data, (), "auth", "acl", "users")
        auth = [self.auth_rule(rule, path) for path, rule in self.items(found.get("auth"), ("auth",))]
        acl = [self.acl_rule(rule, path) for path, rule in self.items(found.get("acl"), ("acl",))]
        users: dict[str, User] = {}
        for name, user in self.mapping(found.get("users"), ("users",)).items():
            path = ("users", name if isinstance(name, int) else str(name))
            if not isinstance(name, str):
                self.wrong(path, f"the user name {name!r} is not text; write it in quotes")
            elif name == "":
                text = "an empty text is not a user name; for clients without one write a rule under `auth` or `acl`"
                self.wrong(path, f"{text} with `anonymous: true`")
            elif name == "*":
                self.wrong(path, "'*' is not a user name; for all users write a rule under `auth` or `acl`")
            else:
                users[name] = self.user(user, path)
        if self.problems:
            raise LedgerError(self.problems)
        return Ledger(tuple(auth), tuple(acl), users)

    def auth_rule(self, data: object, path: Path) -> AuthRule:
        found = self.fields(data, path, "client", "username", "password", "remote", "allow", "anonymous")
        username = self.text(found, path, "username")
        return AuthRule(
            self.text(found, path, "client"),
            username,
            self.password(found, path),
            self.text(found, path, "remote"),
            self.truth(found, path, "allow"),
            self.anonymous(found, path, username),
        )

    def acl_rule(self, data: object, path: Path) -> AclRule:
        found = self.fields(data, path, "client", "username", "remote", "filters", "anonymous")
        username = self.text(found, path, "username")
        return AclRule(
            self.text(found, path, "client"),
            username,
            self.text(found, path, "remote"),
            self.filters(found, path, "filters"),
            self.anonymous(found, path, username),
        )

    def user(self, data: object, path: Path) -> User:
        found = self.fields(data, path, "password", "disallow", "acl")
        password = self.password(found, path)
        if password == "*":
            self.wrong(
                (*path, "password"), "`*` is not a password; write one, or none to let the rules under `auth` decide"
            )
        return User(password, self.truth(found, path, "disallow"), self.filters(found, path, "acl"))

    # ---------------------------------------------------------------- values

    def wrong(self, path: Path, text: str) -> None:
        self.problems.append(Problem(path, text))

    def mapping(self, data: object, path: Path) -> Mapping[Any, object]:
        if data is None:
            return {}
        if isinstance(data, Mapping):
            return data
        self.wrong(path, f"{_kind(data)} is not a mapping; write `key: value` lines")
        return {}

    def items(self, data: object, path: Path) -> list[tuple[Path, object]]:
        if data is None:
            return []
        if isinstance(data, list | tuple):
            return [((*path, i), item) for i, item in enumerate(data)]
        self.wrong(path, f"{_kind(data)} is not a list; write the rules in order, each begins with `- `")
        return []

    def fields(self, data: object, path: Path, *names: str) -> dict[str, object]:
        """Return the mapping, and report each key that is not in `names`."""
        found: dict[str, object] = {}
        for key, value in self.mapping(data, path).items():
            if key in names:
                found[key] = value
                continue
            from difflib import get_close_matches

            near = get_close_matches(str(key), names, 1)
            right = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(f'`{name}`' for name in names)}"
            self.wrong((*path, key if isinstance(key, int) else str(key)), f"is not known here; {right}")
        return found

    def text(self, found: dict[str, object], path: Path, name: str) -> str:
        value = found.get(name)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        self.wrong((*path, name), f"{_kind(value)} is not text; write it in quotes")
        return ""

    def truth(self, found: dict[str, object], path: Path, name: str) -> bool:
        value = found.get(name, False)
        if not isinstance(value, bool):
            self.wrong((*path, name), f"{value!r} is not `true` or `false`")
            return False
        return value

    def anonymous(self, found: dict[str, object], path: Path, username: str) -> bool | None:
        """Return `anonymous` of a rule; None if it is absent or invalid."""
        if found.get("anonymous") is None:
            return None
        value = self.truth(found, path, "anonymous")
        problem = _anonymous_problem(value, username)
        if problem:
            self.wrong((*path, "anonymous"), problem)
            return None
        return value

    def password(self, found: dict[str, object], path: Path) -> str:
        from mqtt_ref.auth.passwords import problem_of

        password = self.text(found, path, "password")
        problem = problem_of(password)
        if problem:
            self.wrong((*path, "password"), problem)
        return password

    def filters(self, found: dict[str, object], path: Path, name: str) -> dict[str, Permission]:
        permissions: dict[str, Permission] = {}
        for topic_filter, value in self.mapping(found.get(name), (*path, name)).items():
            at = (*path, name, topic_filter if isinstance(topic_filter, int) else str(topic_filter))
            problem = filter_problem(topic_filter)
            if problem:
                self.wrong(at, problem)
                continue
            try:
                permissions[topic_filter] = Permission.of(value)
            except ValueError as error:
                self.wrong(at, str(error))
        return permissions


def _kind(value: object) -> str:
    """Describe a value without showing it: it may be a password."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    return "nothing" if value is None else f"a {type(value).__name__}"
