# SPDX-License-Identifier: MIT
"""Who may call a route: changes need a token, and nothing is told to a page of another site.

A browser lets any web page send requests to this machine, and a name that its owner points here after the page was
loaded (DNS rebinding) lets the page read the answers. So the name that the browser believes to talk to, in Host, and
the site that the page is from, in Origin, are checked even on loopback.
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from mqtt_ref.http.app import HttpError, Request, Route
from mqtt_ref.net.tcp import is_loopback

__all__ = ["Guard", "host_of"]

CHALLENGE: Final = (("www-authenticate", 'Bearer realm="mqtt_ref"'),)


class Guard:
    """The rules of one listener.

    `token` is what a change needs as `Authorization: Bearer TOKEN`; without one, nothing can be changed. What is read
    without being `public` needs it too when it is asked for from another machine, or always with `reads`. `hosts` are
    names, besides `localhost` and addresses, by which the listener is called; `*` stands for all, which makes DNS
    rebinding possible again. `origins` are the sites (`https://example.com`) whose pages may call it.
    """

    def __init__(
        self, token: str = "", *, hosts: Iterable[str] = (), origins: Iterable[str] = (), reads: bool = False
    ) -> None:
        self.token = token
        self.hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(origin.lower() for origin in origins)
        self.reads = reads

    def check(self, route: Route, request: Request) -> None:
        """Let the request pass or refuse it.

        Raises:
            HttpError: 401 or 403, says why.
        """
        if route.public:
            return
        host = request.headers.get("host", "")
        if not self.knows(host):
            raise HttpError(403, f"this listener is not known as {host!r}; `hosts` names what it is called by")
        self._check_origin(request.headers.get("origin"), host)
        if route.changes and not self.token:
            raise HttpError(403, "nothing can be changed here: no token is configured")
        if route.changes or self.reads or not is_loopback(request.remote):
            self._check_token(request.headers.get("authorization", ""))

    def knows(self, host: str) -> bool:
        """Whether a Host header names this listener: an address, which no other site can have, or a known name."""
        name = host_of(host)
        if name is None:
            return False
        return "*" in self.hosts or name == "localhost" or _is_address(name) or name in self.hosts

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or origin.lower() in self.origins:
            return
        try:
            same = urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:
            same = False
        if not same:
            raise HttpError(403, f"pages from {origin!r} may not call this; `origins` names those that may")

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if not authorization:
            raise HttpError(401, "this needs `Authorization: Bearer` with the token of this listener", CHALLENGE)
        known = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self.token.encode("utf-8", "replace"))
        if scheme.lower() != "bearer" or not known or not self.token:
            raise HttpError(401, "this is not the token of this listener", CHALLENGE)


def host_of(header: str) -> str | None:
    """The name or address in a Host header, in lower case; None if it is none."""
    if header.startswith("["):
        name, closed, rest = header[1:].partition("]")
        if not closed:
            return None
    else:
        name, colon, port = header.partition(":")
        rest = colon + port
    if not name or (rest and not (rest.startswith(":") and rest[1:].isdecimal())):
        return None
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name)
        except OSError:
            continue
        return True
    return False
