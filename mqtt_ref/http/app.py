# SPDX-License-Identifier: MIT
"""An HTTP application. Each route is declared once, for the dispatch and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver

__all__ = ["JSON", "PROBLEM", "TEXT", "App", "HttpError", "Problem", "Request", "Response", "Route"]

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
TEXT: Final = "text/plain; charset=utf-8"
FIELDS: Final = 100
"""Limit of parameters in a query."""

Handler = Callable[["Request"], Any]
H = TypeVar("H", bound=Handler)


class Problem(msgspec.Struct, frozen=True):
    """An error, in the form of RFC 9457."""

    status: int
    title: str
    detail: str


class HttpError(Exception):
    """A request is refused. The response has the status, and a JSON object that says why."""

    def __init__(self, status: int, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers

    def response(self) -> Response:
        """Return the response to send."""
        problem = Problem(self.status, HTTPStatus(self.status).phrase, self.detail)
        return Response(self.status, msgspec.json.encode(problem), PROBLEM, self.headers)


@dataclass(slots=True)
class Response:
    """A response. A handler returns one if a value that becomes JSON is not enough."""

    status: int = 200
    body: bytes = b""
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Request:
    """A request, validated against the declaration of its route."""

    method: str
    target: str
    """Path and query as sent, percent-encoded."""
    headers: dict[str, str]
    """Header values by lower-case name. If a name occurs several times, the last value."""
    remote: str
    """The address of the peer, without its port."""
    driver: Driver
    """The driver of the broker that this listener belongs to."""
    params: dict[str, str] = field(default_factory=dict)
    """The part of the path for each `{name}` of the template."""
    query: Any = None
    """An instance of the struct that the route declares, or None."""
    body: Any = None
    """An instance of the struct that the route declares, or None."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path, with its parameters and its responses."""

    method: str
    template: str
    handler: Handler
    summary: str
    query: Any = None
    """A struct whose fields are the query parameters. None: there are no parameters."""
    body: Any = None
    """The type of the JSON body. None: no body is allowed."""
    response: Any = None
    """The type of the response body. None: there is no body."""
    status: int = 200
    media: str = JSON
    errors: dict[int, str] = field(default_factory=dict)
    """Error statuses of the handler itself, and when they occur."""
    public: bool = False
    """True: callable without a token and by any host name. It must show nothing about clients."""
    tags: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """True if a call may change something."""
        return self.method not in ("GET", "HEAD")

    @property
    def segments(self) -> tuple[str, ...]:
        """The path template, split at its slashes."""
        return tuple(self.template.split("/"))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the variable parts of the path."""
        return tuple(part[1:-1] for part in self.segments if part.startswith("{"))

    def params(self, segments: list[str]) -> dict[str, str] | None:
        """Return the value for each name of the template, or None if the path does not match."""
        template = self.segments
        if len(segments) != len(template):
            return None
        found: dict[str, str] = {}
        for wanted, part in zip(template, segments, strict=True):
            if not wanted.startswith("{"):
                if wanted != part:
                    return None
            elif not part:
                return None
            else:
                found[wanted[1:-1]] = _decoded(part)
        return found

    def read_query(self, text: str) -> Any:
        """Return the parameters of a query string as the struct `query`.

        Raises:
            HttpError: 400; the text says which parameter is wrong.
        """
        if self.query is None:
            if text:
                raise HttpError(400, f"{self.template} takes no parameters")
            return None
        try:
            pairs = parse_qsl(
                text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=FIELDS
            )
        except ValueError as error:
            raise HttpError(400, f"the query cannot be read: {error}") from None
        values = dict(pairs)
        if len(values) != len(pairs):
            raise HttpError(400, "a parameter occurs twice in the query")
        try:
            return msgspec.convert(values, self.query, strict=False)
        except msgspec.ValidationError as error:
            raise HttpError(400, f"query: {error}") from None

    def read_body(self, data: bytes) -> Any:
        """Return the JSON body as the type `body`.

        Raises:
            HttpError: 400; the text says what is wrong and where.
        """
        if self.body is None:
            if data:
                raise HttpError(400, f"{self.method} {self.template} takes no body")
            return None
        try:
            return msgspec.json.decode(data, type=self.body)
        except msgspec.ValidationError as error:
            raise HttpError(400, f"body: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HttpError(400, f"the body is not JSON: {error}") from None

    def answer(self, value: Any) -> Response:
        """Turn the result of the handler into a response."""
        if isinstance(value, Response):
            return value
        if self.response is None:
            return Response(self.status, b"", "")
        if self.media == JSON:
            return Response(self.status, msgspec.json.encode(value))
        return Response(self.status, value if isinstance(value, bytes) else str(value).encode(), self.media)


class App:
    """The routes of an application.

        app = App("mine", "1.0")

        @app.get("/things/{name}", summary="One thing", response=Thing, errors={404: "there is no such thing"})
        def thing(request: Request) -> Thing: ...

    A handler returns a value of the type `response` of its route, which becomes JSON, or it returns a `Response`. It
    may be `async`. To refuse a request, it raises `HttpError`.
    """

    def __init__(self, title: str, version: str, description: str = "") -> None:
        self.title = title
        self.version = version
        self.description = description
        self.routes: list[Route] = []
        self._fixed: dict[str, dict[str, Route]] = {}
        self._document: dict[str, Any] | None = None
        self.get("/openapi.json", summary="This OpenAPI document", response=dict[str, Any], public=True)(self._openapi)

    def route(self, method: str, template: str, *, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare a route. `more` are fields of `Route`. ValueError: this method and path are declared already."""

        def declare(handler: H) -> H:
            if "response" not in more:
                more.setdefault("status", 204)
            route = Route(method, template, handler, summary, **more)
            if any(r.method == method and r.template == template for r in self.routes):
                raise ValueError(f"{method} {template} is declared twice")
            self.routes.append(route)
            self._document = None
            if not route.names:
                self._fixed.setdefault(template, {})[method] = route
            return handler

        return declare

    def get(self, template: str, *, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare the handler of GET, and of HEAD."""
        return self.route("GET", template, summary=summary, **more)

    def post(self, template: str, *, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare the handler of POST."""
        return self.route("POST", template, summary=summary, **more)

    def put(self, template: str, *, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare the handler of PUT."""
        return self.route("PUT", template, summary=summary, **more)

    def delete(self, template: str, *, summary: str, **more: Any) -> Callable[[H], H]:
        """Declare the handler of DELETE."""
        return self.route("DELETE", template, summary=summary, **more)

    def _openapi(self, request: Request) -> dict[str, Any]:
        from mqtt_ref.http.openapi import document

        if self._document is None:
            self._document = document(self)
        return self._document

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route of a request, and the values in its path.

        Raises:
            HttpError: 404; 405 with the allowed methods; 400 if the path is not UTF-8.
        """
        fixed = self._fixed.get(path)
        if fixed is not None:
            there = {name: (route, dict[str, str]()) for name, route in fixed.items()}
        else:
            segments = path.split("/")
            there = {}
            for route in self.routes:
                params = route.params(segments) if route.names else None
                if params is not None:
                    there.setdefault(route.method, (route, params))
        if not there:
            raise HttpError(404, f"there is no {path}")
        found = there.get("GET" if method == "HEAD" else method)
        if found is None:
            methods = sorted({*there, "HEAD"} if "GET" in there else there)
            raise HttpError(405, f"{path} takes {', '.join(methods)}", (("allow", ", ".join(methods)),))
        return found


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise HttpError(400, "the path is not UTF-8") from None
