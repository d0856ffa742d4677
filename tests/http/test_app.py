# SPDX-License-Identifier: MIT
"""Routes: which one answers, what it is handed, what goes out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mqtt_ref.http import App, HttpError, Request, Response


class Query(msgspec.Struct, forbid_unknown_fields=True):
    limit: int = 10
    word: str = ""
    all: bool = False


class Body(msgspec.Struct, forbid_unknown_fields=True):
    number: int


def an_app() -> App:
    app = App("things", "1")

    @app.get("/things", summary="All", query=Query, response=list[str])
    def things(request: Request) -> list[str]:
        return [request.query.word] * request.query.limit

    @app.get("/things/{name}", summary="One", response=dict[str, str])
    def thing(request: Request) -> dict[str, str]:
        return request.params

    @app.get("/things/{name}/parts/{part}", summary="A part", response=dict[str, str])
    def part(request: Request) -> dict[str, str]:
        return request.params

    @app.post("/things", summary="Make one", body=Body, response=Body, status=201)
    def make(request: Request) -> Body:
        assert isinstance(request.body, Body)
        return request.body

    @app.delete("/things/{name}", summary="Remove one")
    def remove(request: Request) -> None:
        return None

    return app


def test_a_path_finds_its_route_and_what_varies_in_it() -> None:
    app = an_app()
    assert app.find("GET", "/things")[0].summary == "All"
    assert app.find("HEAD", "/things")[0].summary == "All"
    route, params = app.find("GET", "/things/a%2Fb%20c+d%C3%A9")
    assert (route.summary, params) == ("One", {"name": "a/b c+dé"})
    assert app.find("GET", "/things/a/parts/b")[1] == {"name": "a", "part": "b"}


@pytest.mark.parametrize("path", ["", "/", "/thing", "/things/", "/things/a/", "/things/a/parts", "//things", "*"])
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(HttpError) as caught:
        an_app().find("GET", path)
    assert caught.value.status == 404


def test_a_method_that_a_path_does_not_take() -> None:
    with pytest.raises(HttpError) as caught:
        an_app().find("PUT", "/things")
    assert (caught.value.status, caught.value.headers) == (405, (("allow", "GET, HEAD, POST"),))
    with pytest.raises(HttpError) as caught:
        an_app().find("OPTIONS", "/things/x")
    assert caught.value.headers == (("allow", "DELETE, GET, HEAD"),)


def test_a_path_is_utf_8() -> None:
    with pytest.raises(HttpError, match="UTF-8") as caught:
        an_app().find("GET", "/things/%ff")
    assert caught.value.status == 400


def test_a_query_is_read_into_its_struct() -> None:
    route, _ = an_app().find("GET", "/things")
    assert route.read_query("") == Query()
    assert route.read_query("limit=3&word=a%26b+c&all=true") == Query(3, "a&b c", True)
    assert route.read_query("word=") == Query(word="")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("limit=x", "`int`"),
        ("limit=", "`int`"),
        ("all=maybe", "`bool`"),
        ("other=1", "unknown field `other`"),
        ("limit=1&limit=2", "twice"),
        ("limit", "cannot be read"),
        ("word=%ff", "cannot be read"),
        ("&".join(f"a{n}=1" for n in range(200)), "cannot be read"),
    ],
)
def test_a_query_that_is_wrong_says_where(text: str, reason: str) -> None:
    route, _ = an_app().find("GET", "/things")
    with pytest.raises(HttpError, match=reason) as caught:
        route.read_query(text)
    assert caught.value.status == 400


def test_a_route_without_parameters_takes_none() -> None:
    route, _ = an_app().find("GET", "/things/x")
    assert route.read_query("") is None
    with pytest.raises(HttpError, match="takes no parameters"):
        route.read_query("a=1")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"number": 1} x', "not JSON"),
        (b'{"number": "\xff"}', "not JSON|Expected `int`"),
        (b"[" * 100_000, "JSON|Expected `object`"),
        (b'{"number": ' + b"[" * 100_000, "JSON|Expected `int`"),
        (b"{}", "missing required field `number`"),
        (b'{"number": true}', r"Expected `int`, got `bool` - at `\$.number`"),
        (b'{"number": 1, "x": 2}', "unknown field `x`"),
    ],
)
def test_a_body_that_is_wrong_says_where(data: bytes, reason: str) -> None:
    route, _ = an_app().find("POST", "/things")
    assert route.read_body(b'{"number": 1}') == Body(1)
    with pytest.raises(HttpError, match=reason) as caught:
        route.read_body(data)
    assert caught.value.status == 400


def test_a_route_without_body_takes_none() -> None:
    route, _ = an_app().find("DELETE", "/things/x")
    assert route.read_body(b"") is None
    with pytest.raises(HttpError, match="takes no body"):
        route.read_body(b"{}")


def test_what_a_handler_returns_goes_out() -> None:
    app = an_app()
    made = app.find("POST", "/things")[0].answer(Body(3))
    assert (made.status, made.body, made.media) == (201, b'{"number":3}', "application/json")
    gone = app.find("DELETE", "/things/x")[0].answer(None)
    assert (gone.status, gone.body, gone.media) == (204, b"", "")
    whole = Response(418, b"tea", "text/plain")
    assert app.find("GET", "/things")[0].answer(whole) is whole


def test_text_goes_out_as_it_is() -> None:
    app = App("x", "1")
    app.get("/text", summary="Text", response=str, media="text/plain")(lambda request: "é")
    app.get("/bytes", summary="Bytes", response=str, media="text/plain")(lambda request: b"\xff")
    assert app.find("GET", "/text")[0].answer("é").body == "é".encode()
    assert app.find("GET", "/bytes")[0].answer(b"\xff").body == b"\xff"


def test_a_route_is_declared_once() -> None:
    app = an_app()
    with pytest.raises(ValueError, match="GET /things is declared twice"):
        app.get("/things", summary="Again", response=int)(lambda request: 1)


def test_an_error_is_an_object_that_says_why() -> None:
    response = HttpError(404, "no such thing", (("x-a", "b"),)).response()
    assert response.headers == (("x-a", "b"),)
    form: Any = msgspec.json.decode(response.body)
    assert form == {"status": 404, "title": "Not Found", "detail": "no such thing"}
