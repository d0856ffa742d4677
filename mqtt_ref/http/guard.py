# SPDX-License-Identifier: MIT
"""Access control for routes: changes need a token, and pages of other sites are refused.

A browser lets any web page send requests to this machine. With DNS rebinding, the page can also read the responses: its
owner points its host name to this machine after the page was loaded. So even on loopback, Host (the name that the
browser uses) and Origin (the site of the page) are checked.
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
    """The access rules of one listener.

    - `token`: a change needs `Authorization: Bearer TOKEN`. Without a token, nothing can be changed. Reading a route
      that is not `public` needs the token too, from other machines.
    - `hosts`: names of the listener, besides `localhost` and addresses. `*` allows all names, and so DNS rebinding.
    - `origins`: the sites (`https://example.com`) whose pages may call the listener.
    - `reads`: reading needs the token from this machine too.
    """

    def __init__(
        self, token: str = "", *, hosts: Iterable[str] = (), origins: Iterable[str] = (), reads: bool = False
    ) -> None:
        self.token = token
        self.hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(origin.lower() for origin in origins)
        self.reads = reads

    def check(self, route: Route, request: Request) -> None:
        """Check that the request is allowed.

        Raises:
            HttpError: 401 or 403; the text says why.
        """
        if route.public:
            return
        host = request.headers.get("host", "")
        if not self.knows(host):
            raise HttpError(403, f"{host!r} is not a name of this listener; `hosts` lists its names")
        self._check_origin(request.headers.get("origin"), host)
        if route.changes and not self.token:
            raise HttpError(403, "nothing can be changed here: no token is configured")
        if route.changes or self.reads or not is_loopback(request.remote):
            self._check_token(request.headers.get("authorization", ""))

    def knows(self, host: str) -> bool:
        """True if a Host header names this listener: a known name, or an address (no other site can have it)."""
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
            raise HttpError(403, f"pages from {origin!r} may not call this; `origins` lists the sites that may")

    def _check_token(self, authorization: str) -> None:
        scheme, _, token = authorization.partition(" ")
        if not authorization:
            raise HttpError(401, "this needs `Authorization: Bearer` with the token of this listener", CHALLENGE)
        known = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self.token.encode("utf-8", "replace"))
        if scheme.lower() != "bearer" or not known or not self.token:
            raise HttpError(401, "this is not the token of this listener", CHALLENGE)


def host_of(header: str) -> str | None:
    """Return the name or address in a Host header, in lower case, or None if the header is invalid."""
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
