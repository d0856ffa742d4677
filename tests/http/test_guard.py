# SPDX-License-Identifier: MIT
"""Who may call what: tokens, the name in Host, the site in Origin."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.http import App, Guard, HttpError, Request
from mqtt_ref.http.app import Route
from mqtt_ref.http.guard import host_of

HOST = "127.0.0.1:8080"
DRIVER: Any = None  # no guard looks at it


def route(method: str = "GET", public: bool = False) -> Route:
    app = App("x", "1")
    app.route(method, "/x", summary="x", public=public)(lambda request: None)
    return app.find(method, "/x")[0]


def status(guard: Guard, to: Route, remote: str = "127.0.0.1", **headers: str) -> int:
    """What a request is refused with, or 0."""
    try:
        guard.check(to, Request(to.method, "/x", {"host": HOST} | headers, remote, DRIVER))
    except HttpError as error:
        refusal = error
    else:
        return 0
    assert refusal.detail
    assert ("www-authenticate" in dict(refusal.headers)) == (refusal.status == 401)
    return refusal.status


READ, CHANGE, PUBLIC = route(), route("POST"), route(public=True)


def test_reading_on_loopback_is_free() -> None:
    for remote in ("127.0.0.1", "127.9.9.9", "::1"):
        assert status(Guard(), READ, remote) == 0
        assert status(Guard("t"), READ, remote) == 0


def test_reading_from_another_machine_needs_the_token() -> None:
    for guard in (Guard(), Guard("t")):
        assert status(guard, READ, "192.0.2.1") == 401
        assert status(guard, READ, "") == 401
    assert status(Guard("t"), READ, "192.0.2.1", authorization="Bearer t") == 0


def test_reading_needs_the_token_where_that_is_wished() -> None:
    assert status(Guard("t", reads=True), READ) == 401
    assert status(Guard("t", reads=True), READ, authorization="Bearer t") == 0


def test_changes_need_the_token_on_loopback_too() -> None:
    guard = Guard("t")
    assert status(guard, CHANGE) == 401
    for wrong in ("Bearer", "Bearer ", "Bearer x", "Bearer tt", "Basic t", "t", "Bearer é", "Bearer t t"):
        assert status(guard, CHANGE, authorization=wrong) == 401
    for right in ("Bearer t", "bearer t", "BEARER  t "):
        assert status(guard, CHANGE, authorization=right) == 0


def test_without_a_token_nothing_can_be_changed() -> None:
    assert status(Guard(), CHANGE) == 403
    assert status(Guard(), CHANGE, authorization="Bearer ") == 403
    assert status(Guard(reads=True), READ, authorization="Bearer ") == 401


def test_every_method_but_get_and_head_is_a_change() -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert status(Guard("t"), route(method)) == 401


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "localhost.:80", "127.0.0.1", "10.0.0.1:80", "[::1]", "[fe80::1]:8080"]
)
def test_hosts_that_no_other_site_can_have(host: str) -> None:
    assert status(Guard(), READ, host=host) == 0
    assert status(Guard("t"), CHANGE, host=host, authorization="Bearer t") == 0


@pytest.mark.parametrize(
    "host",
    [
        *(
            "",
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "127.0.0.1@evil",
        ),
        *("1", "[::1", "[::1]x", "localhost:", "localhost:x", "0x7f000001", "127.1", "a b", "localhost:80, evil"),
    ],
)
def test_a_host_that_a_page_could_have_rebound(host: str) -> None:
    assert status(Guard("t"), READ, host=host) == 403
    assert status(Guard("t"), CHANGE, host=host, authorization="Bearer t") == 403
    assert status(Guard(), PUBLIC, host=host) == 0


def test_hosts_that_are_configured() -> None:
    guard = Guard("t", hosts=["Broker.Example"])
    assert status(guard, READ, host="broker.example:80") == 0
    assert status(guard, READ, host="BROKER.example.") == 0
    assert status(guard, READ, host="other.example") == 403
    assert status(Guard(hosts=["*"]), READ, host="other.example") == 0
    assert status(Guard(hosts=["*"]), READ, host="") == 403


def test_pages_of_this_listener_may_call_it() -> None:
    assert status(Guard(), READ, origin=f"http://{HOST}") == 0
    assert status(Guard("t"), CHANGE, origin=f"https://{HOST}", authorization="Bearer t") == 0


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:8081", "http://[::1", f"http://x@{HOST}"],
)
def test_pages_of_other_sites_may_not(origin: str) -> None:
    assert status(Guard("t"), READ, origin=origin) == 403
    assert status(Guard("t"), CHANGE, origin=origin, authorization="Bearer t") == 403


def test_origins_that_are_configured() -> None:
    guard = Guard("t", origins=["https://Board.example"])
    assert status(guard, CHANGE, origin="https://board.example", authorization="Bearer t") == 0
    assert status(guard, CHANGE, origin="http://board.example", authorization="Bearer t") == 403
    assert status(guard, CHANGE, origin="https://board.example") == 401


def test_what_is_public_is_told_to_all() -> None:
    assert status(Guard("t", reads=True), PUBLIC, "192.0.2.1", host="x", origin="null") == 0


def test_the_name_in_a_host_header() -> None:
    assert host_of("A.B:1") == "a.b"
    assert host_of("[::1]:1") == "::1"
    assert host_of("a:b") is None
