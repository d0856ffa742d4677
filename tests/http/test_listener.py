# SPDX-License-Identifier: MIT
"""The HTTP listener: over TLS too, and what it says when it cannot be opened."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable

import pytest
import trustme

from mqtt_ref.http import App, HttpListener, Request, Response
from mqtt_ref.net.listener import ListenerError
from tests.http.conftest import LOOPS, Answer, Site


@pytest.mark.parametrize("loop", LOOPS)
def test_over_tls(serve: Callable[..., Site], loop: str) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    app = App("x", "1")

    @app.get("/large", summary="Much", response=str)
    def large(request: Request) -> Response:
        return Response(body=bytes(3_000_000))

    site = serve(HttpListener("localhost", 0, app, tls=context), loop)
    assert site.listener.urls[0].startswith("https://")
    link = http.client.HTTPSConnection("localhost", site.port, context=trusting, timeout=10)
    for target, headers, size in (
        ("/large", {}, 3_000_000),
        ("/openapi.json", {}, 0),
        ("/large", {"connection": "close"}, 3_000_000),
    ):
        link.request("GET", target, headers=headers)
        answer = Answer(link.getresponse())
        assert answer.status == 200
        assert len(answer.body) >= size
    link.close()


def test_a_port_that_is_taken(serve: Callable[..., Site]) -> None:
    site = serve(HttpListener(port=0))
    with pytest.raises(ListenerError, match="the port is in use"):
        site.call(lambda: site.server.add_listener(HttpListener(port=site.port, name="second")))
    assert site.get("/healthz").status == 200
