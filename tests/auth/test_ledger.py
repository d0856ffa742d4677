# SPDX-License-Identifier: MIT
"""The ledger from Python and from what YAML and JSON readers give, and what is said about a wrong one."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from mqtt_ref.auth.filters import Permission
from mqtt_ref.auth.ledger import AclRule, AuthRule, Ledger, LedgerError, User, matches

WHOLE = """
auth:
  - username: peach
    password: password1
    allow: true
  - remote: 127.0.0.1:*
    allow: true
  - client: bad*
acl:
  - remote: 127.0.0.1:*
  - username: melon
    filters:
      melon/#: 3
      updates/#: write
      updates/#/x: deny
users:
  melon:
    password: secret
    acl: {melon/own: readwrite, "deny/#": 0}
  gone: {disallow: true}
"""


def test_the_three_ways_give_the_same() -> None:
    text = WHOLE.replace("      updates/#/x: deny\n", "")
    from_yaml = Ledger.from_mapping(yaml.safe_load(text))
    from_json = Ledger.from_mapping(json.loads(json.dumps(yaml.safe_load(text))))
    from_python = Ledger(
        auth=(
            AuthRule(username="peach", password="password1", allow=True),
            AuthRule(remote="127.0.0.1:*", allow=True),
            AuthRule(client="bad*"),
        ),
        acl=(
            AclRule(remote="127.0.0.1:*"),
            AclRule(username="melon", filters={"melon/#": 3, "updates/#": "write"}),
        ),
        users={
            "melon": User("secret", acl={"melon/own": Permission.READWRITE, "deny/#": "deny"}),
            "gone": User(disallow=True),
        },
    )
    assert from_yaml == from_json == from_python
    assert from_yaml.acl[1].filters == {"melon/#": Permission.READWRITE, "updates/#": Permission.WRITE}


@pytest.mark.parametrize("data", [{}, None, {"auth": None, "acl": [], "users": None}])
def test_an_empty_one_is_one(data: Any) -> None:
    assert Ledger.from_mapping(data) == Ledger()


@pytest.mark.parametrize(
    ("data", "path", "text"),
    [
        ([], (), "a list is not a mapping"),
        ({"user": {}}, ("user",), "did you mean `users`?"),
        ({"zzz": {}}, ("zzz",), "known are `auth`, `acl`, `users`"),
        ({"auth": {}}, ("auth",), "write the rules in order, each begins with `- `"),
        ({"auth": ["x"]}, ("auth", 0), "a text is not a mapping"),
        ({"auth": [{"usrname": "x"}]}, ("auth", 0, "usrname"), "did you mean `username`?"),
        ({"auth": [{"filters": {}}]}, ("auth", 0, "filters"), "known are `client`, `username`, `password`"),
        ({"auth": [{}, {"allow": "yes"}]}, ("auth", 1, "allow"), "'yes' is not `true` or `false`"),
        ({"auth": [{"allow": 1}]}, ("auth", 0, "allow"), "1 is not `true` or `false`"),
        ({"auth": [{"username": 5}]}, ("auth", 0, "username"), "a number is not text; write it in quotes"),
        ({"auth": [{"password": "$1$ab$cd"}]}, ("auth", 0, "password"), "a hash of an unknown kind"),
        ({"auth": [{"password": "$7$101$ab"}]}, ("auth", 0, "password"), "damaged"),
        ({"acl": [{"password": "x"}]}, ("acl", 0, "password"), "known are `client`, `username`, `remote`, `filters`"),
        ({"acl": [{"filters": ["a"]}]}, ("acl", 0, "filters"), "a list is not a mapping"),
        ({"acl": [{"filters": {"a": 4}}]}, ("acl", 0, "filters", "a"), "3 or readwrite"),
        ({"acl": [{"filters": {"a": None}}]}, ("acl", 0, "filters", "a"), "3 or readwrite"),
        ({"acl": [{"filters": {"a#": 1}}]}, ("acl", 0, "filters", "a#"), "`#` the whole last one"),
        ({"acl": [{"filters": {7: 1}}]}, ("acl", 0, "filters", 7), "in quotes"),
        ({"acl": [{"filters": {"$share/g/a": 1}}]}, ("acl", 0, "filters", "$share/g/a"), "write only its filter 'a'"),
        ({"auth": [{"anonymous": 1}]}, ("auth", 0, "anonymous"), "1 is not `true` or `false`"),
        ({"acl": [{"anonymous": "yes"}]}, ("acl", 0, "anonymous"), "'yes' is not `true` or `false`"),
        (
            {"auth": [{"anonymous": True, "username": "u"}]},
            ("auth", 0, "anonymous"),
            "never has the user name 'u'; leave one of them out",
        ),
        ({"users": []}, ("users",), "a list is not a mapping"),
        ({"users": {"": {}}}, ("users", ""), "a rule under `auth` or `acl`"),
        ({"users": {"*": {}}}, ("users", "*"), "a rule under `auth` or `acl`"),
        ({"users": {12: {}}}, ("users", 12), "write it in quotes"),
        ({"users": {"u": {"allow": True}}}, ("users", "u", "allow"), "did you mean `disallow`?"),
        ({"users": {"u": {"password": "*"}}}, ("users", "u", "password"), "or none"),
        ({"users": {"u": {"disallow": "no"}}}, ("users", "u", "disallow"), "'no' is not `true` or `false`"),
        ({"users": {"u": {"acl": {"#/a": 1}}}}, ("users", "u", "acl", "#/a"), "the whole last one"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_would_be_right(
    data: Any, path: tuple[str | int, ...], text: str
) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.from_mapping(data)
    (problem,) = caught.value.problems
    assert problem.path == path
    assert text in problem.text


def test_everything_that_is_wrong_is_said_at_once() -> None:
    data = yaml.safe_load(WHOLE)
    data["auth"][0]["allow"] = "perhaps"
    data["users"]["gone"]["disallow"] = 1
    with pytest.raises(LedgerError) as caught:
        Ledger.from_mapping(data)
    assert str(caught.value).splitlines() == [
        "auth[0].allow: 'perhaps' is not `true` or `false`",
        (
            "acl[1].filters[\"updates/#/x\"]: 'updates/#/x' is not a topic filter; "
            "`+` must be a whole level, `#` the whole last one"
        ),
        "users.gone.disallow: 1 is not `true` or `false`",
    ]


def test_no_error_and_no_repr_shows_a_password() -> None:
    secret = "$9$hunter2"
    for data in (
        {"auth": [{"password": secret}]},
        {"users": {"u": {"password": secret}}},
        {"users": {"u": {"password": ["hunter2"]}}},
        {"auth": [{"password": {"hunter2": 1}}]},
    ):
        with pytest.raises(LedgerError) as caught:
            Ledger.from_mapping(data)
        assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Ledger(auth=(AuthRule(password="hunter2"),), users={"u": User("hunter2")}))


def test_a_wrong_filter_from_python_is_refused_too() -> None:
    with pytest.raises(ValueError, match="not a topic filter"):
        AclRule(filters={"a#": 1})
    with pytest.raises(ValueError, match="not a permission"):
        User(acl={"a": "all"})
    for kind in (AuthRule, AclRule):
        with pytest.raises(ValueError, match="leave one of them out"):
            kind(anonymous=True, username="u*")


def test_rules_for_clients_without_user_name() -> None:
    data = {"auth": [{"anonymous": True, "allow": True}, {"anonymous": None}], "acl": [{"anonymous": False}]}
    ledger = Ledger.from_mapping(data)
    assert [rule.anonymous for rule in ledger.auth] == [True, None]
    assert ledger.acl[0].anonymous is False


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "", True),
        ("", "x", True),
        ("*", "", True),
        ("x", "x", True),
        ("x", "xy", False),
        ("x*", "x", True),
        ("x*", "xyz", True),
        ("x*", "yx", False),
        ("x*y", "xy", False),
        ("x*y", "x*y", True),
        ("X", "x", False),
    ],
)
def test_patterns(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) == fits
