# SPDX-License-Identifier: MIT
"""The ACL of a ledger in a form that is fast for any number of rules.

All filters are in one tree. The rules that match a client, and its permission for a topic, are computed once and
cached. The cache is bounded. Filters with `%u` or `%c` are in a tree of their own for each client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mqtt_ref.auth.filters import Permission, filled, has_names, most_specific, strictest
from mqtt_ref.auth.ledger import AclRule, Ledger, matches, matches_anonymous, matches_remote
from mqtt_ref.broker.topics import is_wildcard, split_shared
from mqtt_ref.broker.tree import LevelTree

__all__ = ["CompiledAcl"]

ROOM: Final = 65_536
"""Size of the cache in answers. A client counts as one, plus one for every `_RULES_PER_ANSWER` rules that match it, and
one for each filter in its own trees."""
_RULES_PER_ANSWER: Final = 4
_LONGEST: Final = 512
"""Maximum length, in characters, of a topic whose answer is cached."""
_NO_LEVEL: Final = "\0"
"""A level that no filter of a rule can contain."""


class _Filter:
    """A filter, and the permission of each rule that has it, by rule number."""

    __slots__ = ("levels", "rules")

    def __init__(self, topic_filter: str) -> None:
        self.levels = topic_filter.split("/")
        self.rules: dict[int, int] = {}


class _Filters:
    """Filters in a tree. `dollar_apart=False`: in rules, wildcards also match levels that begin with `$`."""

    __slots__ = ("_filters", "_tree")

    def __init__(self) -> None:
        self._tree: LevelTree[_Filter] = LevelTree(dollar_apart=False)
        self._filters: dict[str, _Filter] = {}

    def add(self, rule: int, topic_filter: str, permission: int) -> None:
        found = self._filters.get(topic_filter)
        if found is None:
            found = self._filters[topic_filter] = _Filter(topic_filter)
            self._tree.insert(topic_filter, found)
        # Two filters of a rule may become the same one once names are filled in.
        found.rules[rule] = permission & found.rules.get(rule, permission)

    def __len__(self) -> int:
        return len(self._filters)

    def matching(self, topic: str) -> list[_Filter]:
        return self._tree.matching(topic)


class _Client:
    """Rules that apply to one client: the filters of its user, then the numbers of ACL rules in their order.

    `named` has the filters of these rules in which its names were filled in.
    """

    __slots__ = ("answers", "named", "own", "rules")

    def __init__(self, own: _Filters | None, rules: dict[int, None], named: _Filters | None) -> None:
        self.own = own
        self.rules = rules
        self.named = named
        self.answers: dict[str, int] = {}


class CompiledAcl:
    """Permission of each client for each topic, from the ACL rules and users of one ledger."""

    def __init__(self, ledger: Ledger, room: int = ROOM) -> None:
        self._rules = ledger.acl
        self._filters = _Filters()
        self._by_username: dict[str, list[int]] = {}
        self._by_client: dict[str, list[int]] = {}
        self._others: list[int] = []
        self._named: dict[int, dict[str, int]] = {}
        for number, rule in enumerate(ledger.acl):
            plain, named = _split(rule.filters)
            for topic_filter, permission in plain.items():
                self._filters.add(number, topic_filter, permission)
            if named:
                self._named[number] = named
            self._index(number, rule)
        users = {name: _split(user.acl) for name, user in ledger.users.items() if user.acl}
        self._users = {name: _own(plain) for name, (plain, named) in users.items() if not named}
        self._users_named = {name: (plain, named) for name, (plain, named) in users.items() if named}
        self._clients: dict[tuple[str, str, str], _Client] = {}
        self._most = room
        self._room = room

    def permission(self, client_id: str, username: str, remote: str, topic: str) -> int:
        """Return the permission of a client for a topic: 0 to 3, see `Permission`.

        The filter of a SUBSCRIBE is checked like a topic: its wildcards match only wildcards of a rule. A Shared
        Subscription is checked by the filter after its group. Messages are checked by their own topic on delivery.
        """
        identity = (client_id, username, remote)
        client = self._clients.get(identity)
        if client is None:
            client = self._client(client_id, username, remote)
            filters = 0 if client.named is None else len(client.named)
            if client.own is not None and username in self._users_named:
                filters += len(client.own)
            self._spend(1 + len(client.rules) // _RULES_PER_ANSWER + filters)
            self._clients[identity] = client
        answer = client.answers.get(topic)
        if answer is None:
            answer = self._judge(client, _as_name(topic))
            if len(topic) <= _LONGEST:
                client.answers[topic] = answer
                self._spend(1)
        return answer

    def _index(self, number: int, rule: AclRule) -> None:
        """Index a rule by its exact user name or Client Identifier, if it has one."""
        if rule.username and not rule.username.endswith("*"):
            self._by_username.setdefault(rule.username, []).append(number)
        elif rule.client and not rule.client.endswith("*"):
            self._by_client.setdefault(rule.client, []).append(number)
        else:
            self._others.append(number)

    def _client(self, client_id: str, username: str, remote: str) -> _Client:
        """Collect the rules that match. A rule without filters allows everything, so it ends the list."""
        about = [*self._by_username.get(username, ()), *self._by_client.get(client_id, ()), *self._others]
        rules: dict[int, None] = {}
        for number in sorted(about):
            rule = self._rules[number]
            if (
                matches(rule.client, client_id)
                and matches(rule.username, username)
                and matches_anonymous(rule.anonymous, username)
                and matches_remote(rule.remote, remote)
            ):
                if not rule.filters:
                    break
                rules[number] = None
        named: _Filters | None = None
        for number in rules if self._named else ():
            for topic_filter, permission in self._named.get(number, {}).items():
                text = filled(topic_filter, permission, username, client_id)
                if text is not None:
                    if named is None:
                        named = _Filters()
                    named.add(number, text, permission)
        return _Client(self._own(client_id, username), rules, named)

    def _own(self, client_id: str, username: str) -> _Filters | None:
        """Return the filters of the client's user."""
        split = self._users_named.get(username)
        if split is None:
            return self._users.get(username)
        plain, named = split
        own = _own(plain)
        for topic_filter, permission in named.items():
            text = filled(topic_filter, permission, username, client_id)
            if text is not None:
                own.add(0, text, permission)
        return own

    def _judge(self, client: _Client, name: str) -> int:
        if client.own is not None:
            found = client.own.matching(name)
            if found:
                return _together(found, 0)
        if not client.rules:
            return Permission.READWRITE
        found = self._filters.matching(name)
        if client.named is not None:
            found = [*found, *client.named.matching(name)]
        first = _first(client.rules, found)
        return Permission.READWRITE if first is None else _together([f for f in found if first in f.rules], first)

    def _spend(self, cost: int) -> None:
        """Clear the whole cache when it is full: this needs no bookkeeping for each answer."""
        self._room -= cost
        if self._room < 0:
            self._clients = {}
            self._room = self._most


def _split(filters: Mapping[str, Permission | int | str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the filters without and with names to fill in."""
    plain: dict[str, int] = {}
    named: dict[str, int] = {}
    for topic_filter, permission in filters.items():
        (named if has_names(topic_filter) else plain)[topic_filter] = int(permission)
    return plain, named


def _own(filters: dict[str, int]) -> _Filters:
    own = _Filters()
    for topic_filter, permission in filters.items():
        own.add(0, topic_filter, permission)
    return own


def _first(rules: dict[int, None], found: list[_Filter]) -> int | None:
    """Return the first rule that has one of the filters. The smaller of the two collections is searched."""
    if sum(len(f.rules) for f in found) < len(rules):
        return min((number for f in found for number in f.rules if number in rules), default=None)
    return next((number for number in rules if any(number in f.rules for f in found)), None)


def _together(filters: list[_Filter], rule: int) -> int:
    """Combine the permissions of several filters of one rule."""
    if len(filters) == 1:
        return filters[0].rules[rule]
    return strictest(filters[i].rules[rule] for i in most_specific([f.levels for f in filters]))


def _as_name(topic: str) -> str:
    """Replace each wildcard of a filter by a level that only wildcards match. A topic is unchanged."""
    if not is_wildcard(topic):
        share = split_shared(topic)
        return topic if share is None else share[1]
    share = split_shared(topic)
    levels = (topic if share is None else share[1]).split("/")
    return "/".join(_NO_LEVEL if level in ("+", "#") else level for level in levels)
