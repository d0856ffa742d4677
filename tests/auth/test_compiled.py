# SPDX-License-Identifier: MIT
"""ACL rules in their fast form, against the list gone through word for word."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_ref.auth.compiled import CompiledAcl
from mqtt_ref.auth.filters import Permission
from mqtt_ref.auth.ledger import AclRule, Ledger, User
from mqtt_ref.broker.topics import matches as topic_matches

TOPICS = ["/".join(levels) for n in (1, 2, 3) for levels in product("ab", repeat=n)]
NAMES = ["x", "xy", "xyz"]
NAMED = ["/".join(levels) for n in (1, 2) for levels in product(["a", "b", *NAMES], repeat=n) if {*levels} & {*NAMES}]
SPACE = [
    *TOPICS,
    *NAMED,
    *("/".join(levels) for n in (1, 2, 3, 4) for levels in product("abz", repeat=n) if "z" in levels),
]


def as_rule(topic_filter: str, topic: str) -> bool:
    """A wildcard of a rule stands for `$` too."""
    return topic_matches(topic_filter, "x" + topic if topic.startswith("$") and topic_filter[0] in "+#" else topic)


@cache
def topics_of(topic_filter: str) -> frozenset[str]:
    return frozenset(topic for topic in SPACE if topic_matches(topic_filter, topic))


def for_client(filters: Mapping[str, Any], client: str, username: str) -> dict[str, int]:
    """The filters with the names of one client. None of the names here is a trap."""
    found: dict[str, int] = {}
    for topic_filter, permission in filters.items():
        if "%u" not in topic_filter or username:
            name = topic_filter.replace("%u", username).replace("%c", client)
            found[name] = int(permission) & found.get(name, 3)
    return found


def slow_filters(filters: dict[str, int], topic: str) -> int | None:
    found = {f: topics_of(f) for f in filters if as_rule(f, topic)}
    if not found:
        return None
    deciding = [f for f, here in found.items() if not any(other < here for other in found.values())]
    answer = 3
    for f in deciding:
        answer &= filters[f]
    return answer


def slow_text(pattern: str, text: str) -> bool:
    return pattern in ("", "*", text) or (pattern.endswith("*") and text[: len(pattern) - 1] == pattern[:-1])


def slow(ledger: Ledger, client: str, username: str, remote: str, topic: str) -> int:
    user = ledger.users.get(username)
    if user is not None:
        answer = slow_filters(for_client(user.acl, client, username), topic)
        if answer is not None:
            return answer
    for rule in ledger.acl:
        if rule.anonymous is not None and rule.anonymous == bool(username):
            continue
        if slow_text(rule.client, client) and slow_text(rule.username, username) and slow_text(rule.remote, remote):
            if not rule.filters:
                return 3
            answer = slow_filters(for_client(rule.filters, client, username), topic)
            if answer is not None:
                return answer
    return 3


FILTERS = st.dictionaries(
    st.sampled_from(
        [
            "a",
            "b",
            "+",
            "#",
            "a/+",
            "+/a",
            "a/#",
            "+/#",
            "a/b",
            "+/+",
            "a/+/b",
            "+/b/+",
            "a/b/#",
            "/a",
            "%u/+",
            "a/%c",
            "%c/%u",
        ]
    ),
    st.integers(0, 3),
    max_size=5,
)
TEXTS = st.sampled_from(["", "*", "x", "xy", "x*", "y"])
REMOTES = st.sampled_from(["", "*", "10.0.0.*", "10.0.0.1:*", "10.0.0.2:7"])
RULES = st.builds(AclRule, client=TEXTS, username=TEXTS, remote=REMOTES, filters=FILTERS) | st.builds(
    AclRule, client=TEXTS, remote=REMOTES, filters=FILTERS, anonymous=st.booleans()
)
LEDGERS = st.builds(
    Ledger,
    acl=st.lists(RULES, max_size=6).map(tuple),
    users=st.dictionaries(st.sampled_from(["x", "y"]), st.builds(User, acl=FILTERS), max_size=2),
)


@settings(max_examples=300)
@given(LEDGERS, st.sampled_from([0, 3, 1000]))
def test_it_is_the_list_gone_through(ledger: Ledger, room: int) -> None:
    acl = CompiledAcl(ledger, room)
    for client, username, remote in product(["x", "xyz"], ["", "x", "xy"], ["10.0.0.1:99", "10.0.0.2:7"]):
        for topic in [*TOPICS, "a/b", "x/a", "a/x", "xyz/xy", "x/x"]:
            assert acl.permission(client, username, remote, topic) == slow(ledger, client, username, remote, topic)


def permission(
    rules: list[AclRule], topic: str, client: str = "c", username: str = "u", remote: str = "1.2.3.4:5"
) -> int:
    return CompiledAcl(Ledger(acl=tuple(rules))).permission(client, username, remote, topic)


def test_without_rules_everything_is_allowed() -> None:
    assert permission([], "a") == Permission.READWRITE


def test_a_rule_without_filters_ends_the_list() -> None:
    rules = [AclRule(username="u"), AclRule(filters={"#": "deny"})]
    assert permission(rules, "a") == Permission.READWRITE
    assert permission(rules, "a", username="v") == Permission.DENY


def test_a_rule_none_of_whose_filters_matches_is_passed_over() -> None:
    rules = [AclRule(filters={"a": "read"}), AclRule(filters={"b": "write"})]
    assert [permission(rules, topic) for topic in "abc"] == [Permission.READ, Permission.WRITE, Permission.READWRITE]


def test_the_first_rule_that_matches_decides_however_specific_a_later_one_is() -> None:
    rules = [AclRule(filters={"#": "read"}), AclRule(filters={"a/b": "readwrite"})]
    assert permission(rules, "a/b") == Permission.READ


def test_within_a_rule_the_order_does_not_count() -> None:
    for filters in ({"a/#": "deny", "a/b": "read"}, {"a/b": "read", "a/#": "deny"}):
        assert permission([AclRule(filters=filters)], "a/b") == Permission.READ
        assert permission([AclRule(filters=filters)], "a/c") == Permission.DENY


def test_of_equals_deny() -> None:
    rules = [AclRule(filters={"a/+": "readwrite", "+/b": "deny"})]
    assert permission(rules, "a/b") == Permission.DENY
    assert permission(rules, "a/c") == Permission.READWRITE


def test_wildcards_of_a_rule_stand_for_dollar_too() -> None:
    assert permission([AclRule(filters={"#": "deny"})], "$SYS/broker/uptime") == Permission.DENY
    assert permission([AclRule(filters={"+/broker/#": "deny"})], "$SYS/broker/uptime") == Permission.DENY


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("1.2.3.4:5", True),
        ("1.2.3.4", True),
        ("1.2.3.4:*", True),
        ("1.2.3.*", True),
        ("1.2.3", False),
        ("1.2.3.4:6", False),
        ("1.2.3.40", False),
        ("*", True),
    ],
)
def test_a_remote_is_named_with_its_port_or_without(pattern: str, fits: bool) -> None:
    found = permission([AclRule(remote=pattern, filters={"#": "deny"})], "a")
    assert (found == Permission.DENY) == fits


@pytest.mark.parametrize("pattern", ["::1", "[::1]", "[::1]:5", "[::1]:*"])
def test_so_is_one_of_ipv6(pattern: str) -> None:
    assert permission([AclRule(remote=pattern, filters={"#": "deny"})], "a", remote="[::1]:5") == Permission.DENY


@pytest.mark.parametrize(
    ("filters", "subscribed", "readable"),
    [
        ({"a/b": "read", "#": "deny"}, "a/b", True),
        ({"a/b": "read", "#": "deny"}, "a/#", False),
        ({"a/b": "read", "#": "deny"}, "a/+", False),
        ({"a/+": "read", "#": "deny"}, "a/+", True),
        ({"a/+": "read", "#": "deny"}, "a/#", True),
        ({"a/#": "read", "#": "deny"}, "a/#", True),
        ({"a/#": "read", "#": "deny"}, "#", False),
        ({"a/#": "read", "a/secret": "deny"}, "a/#", True),
        ({"a/#": "read", "a/secret": "deny"}, "$share/g/a/#", True),
        ({"a/#": "read", "a/secret": "deny"}, "$share/g/a/secret", False),
        ({"a/#": "deny"}, "$share/g/a/+", False),
        ({"a/#": "deny"}, "+/b", True),
    ],
)
def test_a_subscription_is_judged_as_if_its_filter_were_a_topic(
    filters: dict[str, str], subscribed: str, readable: bool
) -> None:
    assert bool(permission([AclRule(filters=filters)], subscribed) & Permission.READ) == readable


def test_wildcards_against_wildcards_cost_no_more_than_names() -> None:
    """Each level of `+/+/...` could be found twice, as a wildcard and as itself: 2 to the 24 answers."""
    deep = "/".join(["+"] * 24)
    rules = [AclRule(filters={deep: 1, **{f"{deep[: 2 * n]}x": 1 for n in range(1, 24)}})]
    begin = time.process_time()
    assert permission(rules, deep) == Permission.READ
    assert time.process_time() - begin < 1


def test_what_is_remembered_is_bounded() -> None:
    acl = CompiledAcl(Ledger(acl=tuple(AclRule(filters={f"t/{n}": n % 4}) for n in range(100))), room=1000)
    for client in range(50):
        for n in range(100):
            assert acl.permission(f"c{client}", "", "r", f"t/{n}") == n % 4
    assert sum(1 + len(client.rules) // 4 + len(client.answers) for client in acl._clients.values()) <= 1001
    long = "t/" + "x" * 1000
    assert acl.permission("c", "", "r", long) == Permission.READWRITE
    assert all(long not in client.answers for client in acl._clients.values())


@pytest.mark.alone
def test_a_thousand_rules_cost_little() -> None:
    """A topic that is remembered costs two lookups, one that is not no more than its matching filters."""
    rules = [AclRule(username=f"user-{n}", filters={f"u/{n}/#": "readwrite", "#": "deny"}) for n in range(1000)]
    acl = CompiledAcl(Ledger(acl=tuple(rules)))
    assert acl.permission("c", "user-999", "r", "u/999/x") == Permission.READWRITE
    begin = time.process_time()
    for _ in range(20_000):
        acl.permission("c", "user-999", "r", "u/999/x")
    known = (time.process_time() - begin) / 20_000
    begin = time.process_time()
    for n in range(2_000):
        acl.permission("c", "user-999", "r", f"u/999/{n}")
    new = (time.process_time() - begin) / 2_000
    assert known < 20e-6
    assert new < 200e-6


OWN = [AclRule(filters={"own/%u/#": "readwrite", "dev/%c": "write"}), AclRule(filters={"#": "deny"})]


@pytest.mark.parametrize(
    ("username", "client", "topic", "allowed"),
    [
        ("alice", "c", "own/alice/x", 3),
        ("alice", "c", "own/alice/#", 3),
        ("alice", "c", "own/bob/x", 0),
        ("alice", "c", "own/+/x", 0),
        ("alice", "c", "dev/c", 2),
        ("", "c", "own//x", 0),
        ("", "c", "own/alice/x", 0),
        ("+", "c", "own/alice/x", 0),
        ("#", "c", "own/alice/x", 0),
        ("alice/x", "c", "own/alice/x/y", 0),
        ("alice", "#", "dev/c", 0),
        ("alice", "+", "dev/c", 0),
    ],
)
def test_names_of_a_client_give_it_its_own_topics_and_no_others(
    username: str, client: str, topic: str, allowed: int
) -> None:
    assert permission(OWN, topic, client, username) == allowed
    user = User(acl={"own/%u/#": "readwrite", "dev/%c": "write", "#": "deny"})
    own = CompiledAcl(Ledger(users={"alice": user, "alice/x": user, "+": user, "#": user}))
    if username:
        assert own.permission(client, username, "1.2.3.4:5", topic) == allowed


def test_what_is_denied_by_name_is_denied_to_names_that_fit_nowhere() -> None:
    rules = [AclRule(filters={"private/%u/#": "deny", "#": "readwrite"})]
    assert permission(rules, "private/alice/x", username="bob") == Permission.READWRITE
    for username in ("alice", "+", "#", "alice/x"):
        assert permission(rules, "private/alice/x", username=username) == Permission.DENY


def test_filters_of_a_rule_that_become_the_same_are_all_respected() -> None:
    rules = [AclRule(filters={"a/%u": "read", "a/%c": "write", "b/%u": "readwrite", "b/x": "deny"})]
    assert permission(rules, "a/x", "x", "x") == Permission.DENY
    assert permission(rules, "b/x", "x", "x") == Permission.DENY


def test_clients_with_filters_of_their_own_are_forgotten_like_others() -> None:
    acl = CompiledAcl(Ledger(acl=tuple(OWN)), room=50)
    for number in range(1000):
        assert acl.permission(f"c{number}", f"u{number}", "1.2.3.4:5", f"own/u{number}/x") == Permission.READWRITE
        assert len(acl._clients) <= 51


@pytest.mark.parametrize(("anonymous", "allowed"), [(True, {""}), (False, {"u", "*"}), (None, {"", "u", "*"})])
def test_a_rule_for_clients_without_user_name(anonymous: bool | None, allowed: set[str]) -> None:
    rules = [AclRule(anonymous=anonymous, filters={"#": "read"}), AclRule(filters={"#": "deny"})]
    assert {name for name in ("", "u", "*") if permission(rules, "a", username=name)} == allowed
