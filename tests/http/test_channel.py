# SPDX-License-Identifier: MIT
"""HTTP on the wire: keep-alive, pipelining, HEAD, and clients that are wrong, slow, large or many."""

from __future__ import annotations

import asyncio
import http.client
import logging
import re
import socket
import struct
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import msgspec
import pytest

from mqtt_ref.http import App, Guard, HttpError, HttpListener, Limits, Request, Response
from mqtt_ref.http.channel import SPARE
from tests.http.conftest import BEARER, JSON_BEARER, LOOPS, TOKEN, Site

Serve = Callable[..., Site]
HEAD = "Host: localhost\r\n"


class Word(msgspec.Struct):
    word: str


def an_app() -> App:
    app = App("test", "1")

    @app.get("/hello", summary="Hello", response=Word)
    def hello(request: Request) -> Word:
        return Word("hello")

    @app.post("/echo", summary="Says the word", body=Word, response=Word)
    def echo(request: Request) -> Word:
        assert isinstance(request.body, Word)
        return request.body

    @app.get("/late", summary="Answers in a moment", response=Word)
    async def late(request: Request) -> Word:
        await asyncio.sleep(0)
        return Word("late")

    @app.get("/never", summary="Does not answer", response=Word)
    async def never(request: Request) -> Word:
        await asyncio.Event().wait()
        raise AssertionError

    @app.get("/refused", summary="Refuses", response=Word)
    def refused(request: Request) -> Word:
        raise HttpError(409, "not now")

    @app.get("/refused-late", summary="Refuses", response=Word)
    async def refused_late(request: Request) -> Word:
        raise HttpError(409, "not now either")

    @app.get("/broken", summary="Has a bug", response=Word)
    def broken(request: Request) -> Word:
        raise RuntimeError("a bug")

    @app.get("/broken-answer", summary="Has a bug", response=Word)
    def broken_answer(request: Request) -> object:
        return object()

    @app.get("/large", summary="Much", response=str)
    def large(request: Request) -> Response:
        return Response(body=bytes(8 * 1024 * 1024), media="application/octet-stream")

    @app.delete("/nothing", summary="Answers nothing")
    def nothing(request: Request) -> None:
        return None

    return app


@pytest.fixture(params=LOOPS)
def site(serve: Serve, request: pytest.FixtureRequest) -> Site:
    return serve(HttpListener(port=0, app=an_app(), guard=Guard(TOKEN)), request.param)


def limited(serve: Serve, loop: str = "asyncio", **limits: float) -> Site:
    chosen = Limits(**limits)  # type: ignore[arg-type]
    return serve(HttpListener(port=0, app=an_app(), guard=Guard(TOKEN), limits=chosen), loop)


# ---------------------------------------------------------------- what a client expects


def test_an_answer(site: Site) -> None:
    answer = site.get("/hello")
    assert answer.status == 200
    assert answer.json == {"word": "hello"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()) < 60


def test_a_connection_is_kept(site: Site) -> None:
    link = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    for _ in range(3):
        for method, target in (("GET", "/hello"), ("GET", "/late"), ("GET", "/nope"), ("HEAD", "/hello")):
            link.request(method, target)
            response = link.getresponse()
            response.read()
            assert response.getheader("connection") is None
        link.request("POST", "/echo", '{"word": "x"}', JSON_BEARER)
        assert link.getresponse().read() == b'{"word":"x"}'
        link.request("POST", "/echo", "refused without the token")
        assert link.getresponse().read()
        link.request("DELETE", "/nothing", headers=BEARER)
        response = link.getresponse()
        assert (response.status, response.read(), response.getheader("content-length")) == (204, b"", None)
    assert len(site.listener.channels) == 1
    link.close()


def test_head_is_get_without_the_body(site: Site) -> None:
    get, head = site.get("/hello"), site.ask("HEAD", "/hello")
    assert (head.status, head.body) == (200, b"")
    assert {k: v for k, v in head.headers.items() if k != "date"} == {
        k: v for k, v in get.headers.items() if k != "date"
    }
    missing = site.ask("HEAD", "/nope")
    assert (missing.status, missing.body) == (404, b"")


def test_requests_that_come_at_once_are_answered_in_order(site: Site) -> None:
    with site.raw() as raw:
        targets = ["/hello", "/late", "/nope", "/refused"] * 25
        raw.send("".join(f"GET {target} HTTP/1.1\r\n{HEAD}\r\n" for target in targets))
        raw.socket.shutdown(socket.SHUT_WR)
        found = re.findall(rb"HTTP/1.1 (\d+)", raw.rest())
    assert found == [b"200", b"200", b"404", b"409"] * 25


def test_a_request_in_single_bytes(site: Site) -> None:
    with site.raw() as raw:
        for byte in f'POST /echo HTTP/1.1\r\n{HEAD}{lines(JSON_BEARER)}content-length: 12\r\n\r\n{{"word":"a"}}':
            raw.send(byte)
        assert raw.answer().json == {"word": "a"}


def test_a_body_in_chunks(site: Site) -> None:
    with site.raw() as raw:
        raw.send(f"POST /echo HTTP/1.1\r\n{HEAD}{lines(JSON_BEARER)}transfer-encoding: chunked\r\n\r\n")
        for part in ('{"word"', ':"chunks"}', ""):
            raw.send(f"{len(part):x}\r\n{part}\r\n")
        assert raw.answer().json == {"word": "chunks"}
        raw.send(f"GET /hello HTTP/1.1\r\n{HEAD}\r\n")
        assert raw.answer().status == 200


def test_the_body_is_asked_for_only_if_it_is_wanted(site: Site) -> None:
    expect = "expect: 100-continue\r\ncontent-length: 12\r\n\r\n"
    with site.raw() as raw:
        raw.send(f"POST /echo HTTP/1.1\r\n{HEAD}{lines(JSON_BEARER)}{expect}")
        assert raw.socket.recv(1000).startswith(b"HTTP/1.1 100 ")
        raw.send('{"word":"a"}')
        assert raw.answer().json == {"word": "a"}
    with site.raw() as raw:
        raw.send(f"POST /echo HTTP/1.1\r\n{HEAD}{expect}")
        assert raw.answer().status == 401
        assert raw.rest() == b""


def test_http_1_0(site: Site) -> None:
    with site.raw() as raw:
        raw.send(f"GET /hello HTTP/1.0\r\n{HEAD}\r\n")
        assert raw.answer().status == 200
        assert raw.rest() == b""


def test_a_client_that_wants_to_close(site: Site) -> None:
    with site.raw() as raw:
        raw.send(f"GET /hello HTTP/1.1\r\n{HEAD}Connection: close\r\n\r\n")
        answer = raw.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert raw.rest() == b""


def test_a_target_with_the_host_in_it(site: Site) -> None:
    with site.raw() as raw:
        raw.send(f"GET http://localhost/hello HTTP/1.1\r\n{HEAD}\r\n")
        assert raw.answer().status == 200
        raw.send(f"GET http://evil.example/hello HTTP/1.1\r\n{HEAD}\r\n")
        assert "evil.example" in raw.answer().detail


def test_a_large_answer_to_a_client_that_takes_its_time(site: Site, wait_until: Callable[..., object]) -> None:
    for version in ("1.0", "1.1"):
        with site.raw() as raw:
            raw.send(f"GET /large HTTP/{version}\r\n{HEAD}\r\n" * 2)
            wait_until(lambda: any(channel._choked for channel in site.listener.channels))
            answer = raw.answer()
            assert len(answer.body) == 8 * 1024 * 1024


# ---------------------------------------------------------------- what a handler may do


def test_a_handler_that_refuses(site: Site) -> None:
    assert site.get("/refused").detail == "not now"
    assert site.get("/refused-late").detail == "not now either"


def test_a_handler_with_a_bug_is_logged_and_the_server_goes_on(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for target in ("/broken", "/broken-answer"):
        answer = site.get(target)
        assert answer.status == 500
        assert "a bug" not in answer.detail
    assert [r.getMessage() for r in caplog.records if r.name == "mqtt_ref.http"] == [
        "GET /broken failed",
        "GET /broken-answer failed",
    ]
    assert site.get("/hello").status == 200


def test_a_handler_that_never_answers(serve: Serve) -> None:
    site = limited(serve, handler=0.05)
    answer = site.get("/never")
    assert answer.status == 503
    assert "0.05 seconds" in answer.detail


def test_a_client_that_goes_away_while_it_is_answered(site: Site, wait_until: Callable[..., object]) -> None:
    with site.raw() as raw:
        raw.send(f"GET /never HTTP/1.1\r\n{HEAD}\r\n")
        wait_until(lambda: site.call(lambda: len(asyncio.all_tasks())) >= 3)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: not site.listener.channels)
    wait_until(lambda: site.call(lambda: len(asyncio.all_tasks())) == 2, what="the handler to be cancelled")


def test_a_change_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mqtt_ref.http"):
        site.change("POST", "/echo", {"word": "a"})
        site.ask("POST", "/echo", {"word": "a"})
        site.get("/hello")
    assert [r.getMessage() for r in caplog.records if r.name == "mqtt_ref.http"] == [
        "POST from 127.0.0.1: /echo 200",
        "POST from 127.0.0.1: /echo 401",
    ]


# ---------------------------------------------------------------- clients that are wrong


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ("HELLO\r\n\r\n", 400),
        ("GET /hello HTTP/1.1\r\n\r\n", 400),
        (f"GET /hello HTTP/1.1\r\n{HEAD}{HEAD}\r\n", 400),
        (f"GET /hello HTTP/2.0\r\n{HEAD}\r\n", 505),
        (f"GET hello HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /hel lo HTTP/1.1\r\n{HEAD}\r\n", 400),
        (f"GET /hello HTTP/1.1\r\n{HEAD}no colon\r\n\r\n", 400),
        (f"GET /hello HTTP/1.1\r\n{HEAD}a: b\r\n c\x00: d\r\n\r\n", 400),
        (f"POST /echo HTTP/1.1\r\n{HEAD}content-length: -1\r\n\r\n", 400),
        (f"POST /echo HTTP/1.1\r\n{HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nx", 400),
        (f"POST /echo HTTP/1.1\r\n{HEAD}content-length: 99999999999999999999\r\n\r\n", 413),
        (f"POST /echo HTTP/1.1\r\n{HEAD}transfer-encoding: gzip\r\n\r\n", 501),
        (f"POST /echo HTTP/1.1\r\n{HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        ("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400),
        ("\x10\x10\x00\x04MQTT\x05\x02\x00<\x00\x00\x03abc\r\n\r\n", 400),
        (f"OPTIONS * HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"CONNECT localhost:80 HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET http://[::1/hello HTTP/1.1\r\n{HEAD}\r\n", 400),
        (f"GET http://localhost]/hello HTTP/1.1\r\n{HEAD}\r\n", 400),
    ],
)
def test_what_is_no_request(serve: Serve, data: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    site = limited(serve)
    with site.raw() as raw:
        raw.send(data.encode("latin-1"))
        raw.socket.shutdown(socket.SHUT_WR)
        answer = raw.answer()
        assert answer.status == status
        assert answer.detail
        raw.rest()
    assert site.get("/hello").status == 200
    assert not [record for record in caplog.records if record.exc_info]


def test_two_lengths_of_a_body_are_one_too_many(site: Site) -> None:
    """RFC 9112, section 6.1: a proxy in front may believe the other one, and what is behind the body is smuggled in."""
    with site.raw() as raw:
        raw.send(
            f"POST /echo HTTP/1.1\r\n{HEAD}{lines(JSON_BEARER)}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        raw.send(f'f\r\n{{"word": "one"}}\r\n0\r\n\r\nGET /hello HTTP/1.1\r\n{HEAD}\r\n')
        answer = raw.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert raw.rest() == b""


def test_a_content_type_that_a_form_can_have(site: Site) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = site.ask("POST", "/echo", b'{"word": "a"}', BEARER | {"content-type": kind})
        assert (answer.status, answer.detail) == (415, "a body is application/json")
    right = BEARER | {"content-type": "Application/JSON; charset=utf-8"}
    assert site.ask("POST", "/echo", b'{"word": "a"}', right).status == 200


def test_a_head_that_is_too_large(site: Site) -> None:
    for head in (f"GET /{'x' * 20_000} HTTP/1.1\r\n", f"GET /hello HTTP/1.1\r\nx: {'y' * 20_000}\r\n"):
        with site.raw() as raw:
            raw.send(head)
            assert raw.answer().status == 431
            assert raw.rest() == b""


def test_a_body_that_is_too_large(serve: Serve) -> None:
    site = limited(serve, body=1000)
    assert site.change("POST", "/echo", {"word": "x" * 980}).status == 200
    with site.raw() as raw:  # refused before it is sent
        raw.send(f"POST /echo HTTP/1.1\r\n{HEAD}{lines(JSON_BEARER)}content-length: 1001\r\n\r\n")
        assert raw.answer().detail == "a body has at most 1000 bytes"
    with site.raw() as raw:  # the answer arrives although more is on its way
        raw.send(f"POST /echo HTTP/1.1\r\n{HEAD}{lines(JSON_BEARER)}transfer-encoding: chunked\r\n\r\n")
        raw.send(f"2710\r\n{'x' * 10_000}\r\n" * 20)
        assert raw.answer().status == 413


def test_a_body_of_somebody_without_the_token_is_not_kept(site: Site, wait_until: Callable[..., object]) -> None:
    with site.raw() as raw:
        raw.send(f"POST /echo HTTP/1.1\r\n{HEAD}content-type: application/json\r\ncontent-length: 1000000\r\n\r\n")
        raw.send(b"x" * 999_999)
        wait_until(lambda: any(channel._size > 900_000 for channel in site.listener.channels))
        assert [channel._body for channel in site.listener.channels] == [[]]
        raw.send(b"x")
        assert raw.answer().status == 401


def test_the_broker_lives_on_after_garbage(site: Site) -> None:
    import random

    lots = random.Random(5)
    for _ in range(50):
        with site.raw() as raw:
            raw.send(lots.randbytes(lots.randint(1, 3000)))
    assert site.get("/hello").status == 200


# ---------------------------------------------------------------- clients that are slow, and many


@pytest.mark.parametrize("loop", LOOPS)
def test_a_request_that_comes_drop_by_drop(serve: Serve, loop: str, wait_until: Callable[..., object]) -> None:
    site = limited(serve, loop, request=0.2)
    for head in ("GET /hello HTTP/1.1\r\n", f"POST /echo HTTP/1.1\r\n{HEAD}content-length: 100\r\n\r\n"):
        with site.raw() as raw:
            raw.send(head)
            started = time.monotonic()
            raw.socket.settimeout(0.01)
            while time.monotonic() < started + 10:  # a byte now and then does not buy time
                try:
                    raw.socket.recv(1, socket.MSG_PEEK)
                    break
                except TimeoutError:
                    raw.send("x")
            raw.socket.settimeout(10)
            assert raw.answer().status == 408
            assert time.monotonic() - started < 5


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_on_which_nothing_comes(serve: Serve, loop: str) -> None:
    site = limited(serve, loop, request=0.05, idle=0.05)
    with site.raw() as raw:
        assert raw.rest() == b""
    with site.raw() as raw:
        raw.send(f"GET /hello HTTP/1.1\r\n{HEAD}\r\n")
        assert raw.answer().status == 200
        assert raw.rest() == b""


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_does_not_take_its_answer(serve: Serve, loop: str, wait_until: Callable[..., object]) -> None:
    site = limited(serve, loop, write=0.1)
    with site.raw() as raw:
        raw.send(f"GET /large HTTP/1.1\r\n{HEAD}\r\n")
        wait_until(lambda: site.listener.channels)
        wait_until(lambda: not site.listener.channels, what="the connection to be cut")


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_asks_without_end_and_reads_nothing(serve: Serve, loop: str) -> None:
    site = limited(serve, loop)
    request = f"GET /never HTTP/1.1\r\n{HEAD}\r\n".encode() * 100
    with site.raw() as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        raw.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            raw.socket.sendall(request * 10_000)
        (channel,) = site.listener.channels
        assert site.call(lambda: len(channel._h11.trailing_data[0])) < 1_000_000
    assert site.get("/hello").status == 200


@pytest.mark.parametrize("loop", LOOPS)
def test_requests_that_hang_do_not_take_the_place_of_others(
    serve: Serve, loop: str, wait_until: Callable[..., object]
) -> None:
    """Above the limit the oldest incomplete request gives way, so that a whole one is answered at once."""
    site = limited(serve, loop, connections=3)
    slow = [site.raw() for _ in range(3)]
    for raw in slow:
        raw.send("GET /hello")
    wait_until(lambda: site.call(lambda: [channel.idle for channel in site.listener.channels]) == [False] * 3)
    assert site.get("/hello").status == 200
    gone = slow[0].answer()
    assert (gone.status, gone.headers["connection"]) == (503, "close")
    for raw in slow[1:]:
        raw.send(f" HTTP/1.1\r\n{HEAD}\r\n")
        assert raw.answer().status == 200
    assert site.get("/hello").status == 200, "one that was idle had to go"
    for raw in slow:
        raw.socket.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_health_is_told_while_all_connections_are_being_handled(
    serve: Serve, loop: str, wait_until: Callable[..., object]
) -> None:
    site = limited(serve, loop, connections=3)
    busy = [site.raw() for _ in range(3)]
    for raw in busy:
        raw.send(f"GET /never HTTP/1.1\r\n{HEAD}\r\n")
    wait_until(lambda: site.call(lambda: [channel.idle for channel in site.listener.channels]) == [False] * 3)
    assert site.get("/openapi.json").status == 200, "a public route"
    assert site.get("/hello").status == 503
    for raw in busy:
        raw.socket.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_connections_have_a_bound_however_many_come(serve: Serve, loop: str, wait_until: Callable[..., object]) -> None:
    site = limited(serve, loop, connections=3)
    raws = [site.raw() for _ in range(60)]
    for at, raw in enumerate(raws):
        raw.send(f"GET /never HTTP/1.1\r\n{HEAD}\r\n" if at % 2 else "G")
    wait_until(lambda: len(site.listener.channels) <= 3 + SPARE, deadline=10)
    for raw in raws:
        raw.socket.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_closing_is_bounded(serve: Serve, loop: str, wait_until: Callable[..., object]) -> None:
    site = limited(serve, loop, closing=0.2)
    with site.raw() as waits, site.raw() as idle, site.raw() as half:
        waits.send(f"GET /never HTTP/1.1\r\n{HEAD}\r\n")
        idle.send(f"GET /hello HTTP/1.1\r\n{HEAD}\r\n")
        assert idle.answer().status == 200
        half.send("GET /hello")
        # Closing with unread bytes would be a reset.
        wait_until(lambda: site.call(lambda: sum(channel.idle for channel in site.listener.channels)) == 1)
        started = time.monotonic()
        site.call(site.listener.close)
        assert time.monotonic() - started < 5
        assert idle.rest() == b""
        with pytest.raises(ConnectionError):
            site.get("/hello")
        assert half.rest() == waits.rest() == b""


def lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
