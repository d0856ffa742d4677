# SPDX-License-Identifier: MIT
"""One HTTP connection: parses requests with h11, lets the application answer them, and enforces limits."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import h11

from mqtt_ref.clocks import monotonic_ns
from mqtt_ref.http.app import JSON, HttpError, Request, Response, Route
from mqtt_ref.net.layer import Stack

if TYPE_CHECKING:
    from mqtt_ref.http.listener import HttpListener
    from mqtt_ref.net.driver import Driver

__all__ = ["HttpChannel"]

LOG = logging.getLogger("mqtt_ref.http")
READ_AHEAD: Final = 64 * 1024
"""Bytes of further requests that are read while one is answered."""
SPARE: Final = 8
"""Connections above the limit that are accepted for public routes while all others are being handled."""
CONTINUE: Final = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class HttpChannel(Stack):
    """Answers requests in order, one for each turn of the loop. Closes if one is too slow, too large or invalid."""

    def __init__(self, driver: Driver, listener: HttpListener) -> None:
        self.compose(listener.layers(self), self)
        self.listener = listener
        self.driver = driver
        self.limits = listener.limits
        self.remote = ""
        self._h11 = h11.Connection(h11.SERVER, self.limits.head)
        self._reading = False
        """True if a request has begun to arrive."""
        self._route: Route | None = None
        self._request: Request | None = None
        self._refusal: HttpError | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._ahead = 0
        self._task: asyncio.Task[None] | None = None
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._choked = False
        self._served = False
        """True once a request was answered."""
        self._eof = False
        """True if the client sends nothing more."""
        self._last = False
        """True if the connection is closed after the next answer."""
        self._spare = False
        """True if it is above the limit: it is for one request of a public route."""
        self._ending = False
        """True if it is being closed: further input is ignored."""

    # ---------------------------------------------------------------- from the layers

    def opened(self, now: int) -> None:
        peer = self.transport.get_extra_info("peername")
        self.remote = str(peer[0]) if isinstance(peer, tuple) else ""
        self.transport.set_write_buffer_limits(0)  # so that `_choked` means: not everything is sent
        self._arm(self.limits.request, self._too_slow)
        channels = self.listener.channels
        while len(channels) >= self.limits.connections and self._make_room():
            pass
        if len(channels) >= self.limits.connections + SPARE:
            self._respond(HttpError(503, "there are too many connections").response(), last=True)
        elif len(channels) >= self.limits.connections:
            self._spare = self._last = True
        channels[self] = None

    def receive(self, data: bytes, now: int) -> None:
        if self._ending:
            return
        self._h11.receive_data(data)
        if self._task is not None or self._choked or self._turn is not None:
            self._ahead += len(data)
            if self._ahead > READ_AHEAD:
                self.transport.pause_reading()
            return
        if not self._reading:
            self._reading = True
            self._arm(self.limits.request, self._too_slow)
        self._advance()

    def ended(self, now: int) -> bool:
        self._eof = True
        if not self._ending:
            self._h11.receive_data(b"")
            if self._task is None and not self._choked and self._turn is None:
                self._advance()
        return self.top.can_write_eof()

    def lost(self, now: int, error: Exception | None) -> None:
        self._ending = True
        self._disarm()
        if self._turn is not None:
            self._turn.cancel()
        if self._task is not None:
            self._task.cancel()
        self.listener.channels.pop(self, None)

    def arriving(self, begun: bool, now: int) -> None: ...

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        return False

    def text_frame(self, data: bytes, now: int) -> None: ...

    def pause_writing(self) -> None:
        self._choked = True
        self._arm(self.limits.write, self.abort)

    def resume_writing(self) -> None:
        self._choked = False
        if self._ending:
            self._arm(self.limits.linger, self.abort)
        elif self._task is None:
            self._next()

    # ---------------------------------------------------------------- from the listener

    @property
    def idle(self) -> bool:
        """True if it waits for a request that has not begun to arrive."""
        return not (self._reading or self._ending or self._choked or self._task is not None)

    def leave(self) -> asyncio.Task[None] | None:
        """Close once the current request is answered. Return the task that answers it, or None."""
        if self._task is not None:
            self._last = True
        elif not self._ending:
            self._end()
        return self._task

    def _make_room(self) -> bool:
        """Close the connection that is needed least: one between two requests, else the oldest that waits for a client.

        A new connection, whose request is about to come, is among the last ones.
        """
        channels = self.listener.channels
        for channel in channels:
            if channel.idle and channel._served:
                channel.leave()
                break
        else:
            for channel in channels:
                if channel._give_way():
                    break
            else:
                return False
        del channels[channel]  # it is closed in a moment
        return True

    def _give_way(self) -> bool:
        """Close if the client has not sent its whole request, or does not read the answer. Return False if not."""
        if self._choked or self._ending:
            self.abort()
            return True
        if self._task is not None or self._turn is not None:
            return False
        text = "there are too many connections, and this request did not come at once"
        self._respond(HttpError(503, text).response(), last=True)
        self.top.close()
        return True

    # ---------------------------------------------------------------- requests

    def _advance(self) -> None:
        """Parse the input, up to the end of one request."""
        self._turn = None
        while self._task is None and not self._ending and not self._choked and self._turn is None:
            try:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    if self._h11.they_are_waiting_for_100_continue:
                        self.top.write([self._h11.send(CONTINUE) or b""], monotonic_ns())
                    return
                if isinstance(event, h11.Request):
                    self._begin(event)
                elif isinstance(event, h11.Data):
                    self._take(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._handle()
                else:  # the client sends nothing more
                    self._end()
            except h11.RemoteProtocolError as error:
                error.__traceback__ = None  # it holds a frame of h11 that holds the error
                self._respond(HttpError(error.error_status_hint, f"invalid HTTP/1.1: {error}").response(), last=True)
            except HttpError as error:
                self._respond(error.response(), last=True)

    def _begin(self, event: h11.Request) -> None:
        """Check the head of a request: its route and its permission, before any of the body is kept."""
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        target = event.target.decode("latin-1")
        if target.startswith(("http://", "https://")):  # the absolute form, as for proxies
            try:
                parts = urlsplit(target)
            except ValueError as error:
                raise HttpError(400, f"{target!r} is not a valid URL: {error}") from None
            headers["host"] = parts.netloc
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = Request(event.method.decode("ascii"), target, headers, self.remote, self.driver)
        self._request = request
        if not event.http_version.startswith(b"1."):
            raise HttpError(505, "this listener supports HTTP/1.1 only")
        length = headers.get("content-length", "0")
        chunked = "transfer-encoding" in headers
        if chunked and "content-length" in headers:  # RFC 9112, section 6.1
            raise HttpError(400, "a body has a Content-Length or a Transfer-Encoding, not both")
        try:
            route, request.params = self.listener.app.find(request.method, request.path)
            self._route = route
            if self._spare and not route.public:
                raise HttpError(503, "there are too many connections")
            self.listener.guard.check(route, request)
            if (chunked or int(length)) and headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
                raise HttpError(415, f"a body is {JSON}")
            request.query = route.read_query(target.partition("?")[2])
        except HttpError as error:
            if self._h11.they_are_waiting_for_100_continue:
                raise
            self._refusal = error.with_traceback(None)  # the frame refers to this channel
        if int(length) > self.limits.body:
            raise HttpError(413, f"a body has at most {self.limits.body} bytes")

    def _take(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._size += len(data)
        if self._size > self.limits.body:
            raise HttpError(413, f"a body has at most {self.limits.body} bytes")
        if self._refusal is None:
            self._body.append(bytes(data))

    def _handle(self) -> None:
        """Let the handler answer a complete request."""
        self._disarm()
        refusal, route, request = self._refusal, self._route, self._request
        if refusal is not None:
            self._respond(refusal.response())
            return
        assert route is not None
        assert request is not None
        try:
            request.body = route.read_body(b"".join(self._body))
            value = route.handler(request)
            if inspect.isawaitable(value):
                self._task = self.driver.loop.create_task(self._wait(route, value))
                return
            response = route.answer(value)
        except Exception as error:
            response = self._failed(error)
        self._respond(response)

    async def _wait(self, route: Route, value: Awaitable[Any]) -> None:
        """Wait for a handler that answers later."""
        try:
            async with asyncio.timeout(self.limits.handler):
                answer = await value
            response = route.answer(answer)
        except TimeoutError:
            response = HttpError(503, f"no answer within {self.limits.handler:g} seconds").response()
        except Exception as error:
            response = self._failed(error)
        self._task = None
        if not self._ending:
            self._respond(response)

    def _failed(self, error: Exception) -> Response:
        """Return the answer to a request whose handler raised."""
        if isinstance(error, HttpError):
            return error.response()
        assert self._request is not None
        LOG.error("%s %s failed", self._request.method, self._request.path, exc_info=error)
        return HttpError(500, "the request failed; the log of the server says why").response()

    # ---------------------------------------------------------------- answers

    def _respond(self, response: Response, last: bool = False) -> None:
        """Write an answer, then continue with the next request or close."""
        self._disarm()
        request = self._request
        if request is not None and request.method not in ("GET", "HEAD"):
            LOG.info("%s from %s: %s %d", request.method, self.remote, request.path, response.status)
            self.driver.schedule()  # it may have changed the broker
        headers = [
            ("date", _date(time.time())),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            *response.headers,
        ]
        if response.media:
            headers.append(("content-type", response.media))
        if response.status != 204:
            headers.append(("content-length", str(len(response.body))))
        if last or self._last:
            headers.append(("connection", "close"))
        http = self._h11
        out = http.send(h11.Response(status_code=response.status, headers=headers)) or b""
        if response.body and (request is None or request.method != "HEAD"):
            out += http.send(h11.Data(data=response.body)) or b""
        out += http.send(h11.EndOfMessage()) or b""
        self.top.write([out], monotonic_ns())
        if last or self._last or http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            self._end()
            return
        http.start_next_cycle()
        self._served = True
        self._route = self._request = self._refusal = None
        self._body = []
        self._size = 0
        if not self._choked:
            self._next()

    def _next(self) -> None:
        """Wait for the next request, or handle it in the next turn if it has come already."""
        self._ahead = 0
        self.transport.resume_reading()
        data, ended = self._h11.trailing_data
        self._reading = bool(data)
        if data or ended:
            self._arm(self.limits.request, self._too_slow)
            self._turn = self.driver.loop.call_soon(self._advance)
        else:
            self._arm(self.limits.idle, self._end)

    def _end(self) -> None:
        """Close so that the last answer arrives. Unread input would reset the connection, so it is read and ignored."""
        idle, self._ending = self.idle, True
        transport, top = self.transport, self.top
        if transport.is_closing():
            return
        if not self._choked:
            self._arm(self.limits.linger, transport.abort)
        if idle or self._eof or not top.can_write_eof():
            top.close()
            return
        try:
            top.write_eof()
        except OSError:  # the client has gone already
            transport.abort()
        else:
            transport.resume_reading()

    # ---------------------------------------------------------------- time

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self.driver.loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        """Answer 408 to a request that is not complete in time, or close if none has begun."""
        if self._reading:
            text = f"the request was not complete within {self.limits.request:g} seconds"
            self._respond(HttpError(408, text).response(), last=True)
        else:
            self._end()


def _date(seconds: float) -> str:
    """Return a date of HTTP, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in any locale."""
    now = time.gmtime(seconds)
    day, month = DAYS[now.tm_wday], MONTHS[now.tm_mon - 1]
    return f"{day}, {now.tm_mday:02d} {month} {now.tm_year} {now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d} GMT"
