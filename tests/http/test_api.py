# SPDX-License-Identifier: MIT
"""The API against a broker that runs: what is listed, what can be done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any
from urllib.parse import quote

import pytest

from mqtt_ref.http import Guard, HttpListener
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import ConnectProperties, Disconnect, Publish, Will
from tests.http.conftest import TOKEN, Site

V1 = "/api/v1"


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve(HttpListener(port=0, guard=Guard(TOKEN)))


@pytest.fixture
def client(site: Site) -> Generator[RawClient]:
    """A client that is connected and has subscribed."""
    with RawClient(site.server.port) as client:
        properties = ConnectProperties(session_expiry_interval=100)
        client.connect("a/ä b", username="u", keep_alive=30, properties=properties)
        client.subscribe("t/#", "$share/g/x", qos=1)
        yield client


A = f"/{quote('a/ä b', safe='')}"


def test_clients(site: Site, client: RawClient) -> None:
    (listed,) = site.get(f"{V1}/clients").json["items"]
    assert 0 <= listed.pop("connected_for") < 60
    assert listed == {
        "client_id": "a/ä b",
        "username": "u",
        "remote": f"127.0.0.1:{client.socket.getsockname()[1]}",
        "listener": f"mqtt:127.0.0.1:{site.server.port}",
        "protocol_version": 5,
        "clean_start": True,
        "keep_alive": 30,
        "session_expiry": 100,
        "subscriptions": 2,
        "inflight": 0,
        "queued": 0,
    }
    one = site.get(f"{V1}/clients{A}").json
    assert one["client_id"] == "a/ä b"
    assert site.get(f"{V1}/clients/b").detail == "no client 'b' is connected"


def test_clients_by_what_they_are(site: Site, client: RawClient) -> None:
    def found(query: str) -> int:
        return len(site.get(f"{V1}/clients?{query}").json["items"])

    for query in ("client_id=a*", f"client_id={quote('a/ä b')}", "username=u", "remote=127.0.0.1:*", "listener=mqtt:*"):
        assert found(query) == 1
    for query in ("client_id=a", "client_id=b*", "username=v", "remote=10.*", "listener=x", "username=u&client_id=b"):
        assert found(query) == 0


def test_sessions_outlive_their_clients(site: Site, client: RawClient, wait_until: Callable[..., object]) -> None:
    (session,) = site.get(f"{V1}/sessions?connected=true").json["items"]
    assert session["expires_in"] is None
    client.close()
    wait_until(lambda: site.get(f"{V1}/sessions?connected=false").json["items"])
    assert site.get(f"{V1}/clients{A}").status == 404
    session = site.get(f"{V1}/sessions{A}").json
    assert 90 < session.pop("expires_in") <= 100
    assert session == {
        "client_id": "a/ä b",
        "username": "u",
        "protocol_version": 5,
        "connected": False,
        "session_expiry": 100,
        "subscriptions": 2,
        "inflight": 0,
        "queued": 0,
        "queued_bytes": 0,
    }
    site.change("POST", f"{V1}/publish", {"topic": "t/1", "payload": "12", "qos": 1})
    session = site.get(f"{V1}/sessions{A}").json
    assert (session["queued"], session["queued_bytes"]) == (1, 5)
    assert site.change("DELETE", f"{V1}/sessions{A}").status == 204
    assert site.get(f"{V1}/sessions{A}").detail == "there is no session 'a/ä b'"
    assert site.change("DELETE", f"{V1}/sessions{A}").status == 404


def test_subscriptions(site: Site, client: RawClient) -> None:
    plain, shared = site.get(f"{V1}/subscriptions").json["items"]
    assert plain == {
        "client_id": "a/ä b",
        "topic_filter": "t/#",
        "qos": 1,
        "no_local": False,
        "retain_as_published": False,
        "retain_handling": 0,
        "identifier": None,
    }
    assert shared["topic_filter"] == "$share/g/x"

    def found(query: str) -> list[str]:
        return [item["topic_filter"] for item in site.get(f"{V1}/subscriptions?{query}").json["items"]]

    assert found("topic=t/1") == ["t/#"]
    assert found("topic=x") == found(f"topic_filter={quote('$share/g/x')}") == ["$share/g/x"]
    assert found("topic=y") == found("client_id=b") == found("topic_filter=t") == []
    assert site.get(f"{V1}/subscriptions?topic=%23").detail.endswith("at `$.topic`")


def test_publish(site: Site, client: RawClient) -> None:
    message = {
        "topic": "t/1",
        "payload": {"hex": "00ff"},
        "qos": 1,
        "properties": {
            "payload_format_indicator": 0,
            "message_expiry_interval": 60,
            "content_type": "x/y",
            "response_topic": "r",
            "correlation_data": "c",
            "user_property": [["a", "b"], ["a", "c"]],
        },
    }
    assert site.change("POST", f"{V1}/publish", message).json == {"matched": True}
    got = client.expect(Publish)
    assert (got.topic, got.payload, got.qos, got.retain) == ("t/1", b"\x00\xff", 1, False)
    given = got.properties
    assert given is not None
    assert (given.content_type, given.response_topic, given.correlation_data) == ("x/y", "r", b"c")
    assert given.user_property == [("a", "b"), ("a", "c")]
    assert site.change("POST", f"{V1}/publish", {"topic": "nobody"}).json == {"matched": False}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "missing required field `topic`"),
        ({"topic": ""}, "length >= 1"),
        ({"topic": "a/+"}, r"regex .* at `\$.topic`"),
        ({"topic": "a\0b"}, r"at `\$.topic`"),
        ({"topic": "ä" * 40_000}, "65535|65,535"),
        ({"topic": "t", "qos": 3}, r"<= 2`? - at `\$.qos"),
        ({"topic": "t", "payload": {"hex": "0"}}, r"\$.payload"),
        ({"topic": "t", "payload": 1}, r"\$.payload"),
        ({"topic": "t", "retains": True}, "unknown field `retains`"),
        ({"topic": "t", "properties": {"response_topic": "#"}}, "response_topic"),
        ({"topic": "t", "properties": {"content_type": "x" * 70_000}}, "65535|65,535"),
        ({"topic": "t", "properties": {"message_expiry_interval": -1}}, "message_expiry_interval"),
    ],
)
def test_what_cannot_be_published(site: Site, client: RawClient, body: Any, reason: str) -> None:
    import re

    answer = site.change("POST", f"{V1}/publish", body)
    assert answer.status == 400
    assert re.search(reason, answer.detail), answer.detail
    client.ping()  # nothing came


def test_retained(site: Site) -> None:
    assert site.get(f"{V1}/retained").json == {"items": [], "next": None}
    properties = {"message_expiry_interval": 60, "content_type": "x", "correlation_data": {"hex": "00"}}
    for topic, payload in (("a/b", "text"), ("a", "x" * 5000), ("b", {"hex": "00"})):
        message = {"topic": topic, "payload": payload, "qos": 1, "retain": True, "properties": properties}
        site.change("POST", f"{V1}/publish", message)
    listed = {item["topic"]: item for item in site.get(f"{V1}/retained").json["items"]}
    assert listed.keys() == {"a/b", "a", "b"}
    assert 50 < listed["a/b"].pop("expires_in") <= 60
    assert listed["a/b"] == {"topic": "a/b", "qos": 1, "size": 4, "payload": "text", "publisher": ""}
    assert (listed["a"]["size"], listed["a"]["payload"]) == (5000, None)
    assert listed["b"]["payload"] == {"hex": "00"}
    one = site.get(f"{V1}/retained/a%2Fb").json
    assert one["properties"]["content_type"] == "x"
    assert one["properties"]["correlation_data"] == {"hex": "00"}
    assert site.get(f"{V1}/retained/a").json["payload"] == "x" * 5000

    def found(query: str) -> list[str]:
        return [item["topic"] for item in site.get(f"{V1}/retained?topic_filter={quote(query)}").json["items"]]

    assert found("a/#") == ["a/b", "a"]
    assert found("+") == ["a", "b"]
    assert found("a/b") == ["a/b"]
    assert found("c") == []
    assert found("$SYS/broker/version") == ["$SYS/broker/version"]
    assert site.get(f"{V1}/retained?topic_filter=%23/a").detail.endswith("at `$.topic_filter`")

    assert site.change("DELETE", f"{V1}/retained/a%2Fb").status == 204
    assert site.change("DELETE", f"{V1}/retained/a%2Fb").detail == "nothing is retained for 'a/b'"
    assert site.get(f"{V1}/retained/a%2Fb").status == 404
    assert site.change("DELETE", f"{V1}/retained/{quote('$SYS/broker/version', safe='')}").status == 403
    assert found("#") == ["a", "b"]


def test_a_large_payload_is_not_shown(site: Site) -> None:
    with RawClient(site.server.port) as client:
        client.connect("a")
        client.publish("large", bytes(2 * 1024 * 1024), qos=1, retain=True)
    one = site.get(f"{V1}/retained/large").json
    assert (one["size"], one["payload"], one["publisher"]) == (2 * 1024 * 1024, None, "a")


def test_disconnect(site: Site, client: RawClient) -> None:
    with RawClient(site.server.port) as other:
        other.connect("b", will=Will("t/will", b"gone"))
        assert site.change("DELETE", f"{V1}/clients/b").status == 204
        assert other.expect(Disconnect).reason_code == 0x98
        assert other.until_closed() == []
    assert client.message().payload == b"gone"
    assert site.change("DELETE", f"{V1}/clients/b").status == 404
    assert site.change("DELETE", f"{V1}/clients{A}?end_session=true").status == 204
    assert client.expect(Disconnect).reason_code == 0x98
    assert site.get(f"{V1}/sessions").json["items"] == []


def test_reset(site: Site, client: RawClient) -> None:
    with RawClient(site.server.port) as other:
        other.connect("b", will=Will("will", b"kept", retain=True))
        site.change("POST", f"{V1}/publish", {"topic": "kept", "payload": "x", "retain": True})
        assert site.change("POST", f"{V1}/reset?sessions=false").json == {"sessions": 0, "retained": 1}
        assert len(site.get(f"{V1}/clients").json["items"]) == 2
        site.change("POST", f"{V1}/publish", {"topic": "kept", "payload": "x", "retain": True})
        assert site.change("POST", f"{V1}/reset").json == {"sessions": 2, "retained": 2}
        assert other.expect(Disconnect).reason_code == 0x98
    assert site.get(f"{V1}/sessions").json["items"] == site.get(f"{V1}/retained").json["items"] == []
    state = site.get("/info").json
    assert (state["clients_total"], state["retained"], state["subscriptions"]) == (0, 0, 0)
    assert site.server.broker.retained.store.get("$SYS/broker/version") is not None


def test_reload(site: Site) -> None:
    assert site.change("POST", f"{V1}/reload").status == 409
    read: list[str] = []
    site.server.driver.on_reload = lambda: read.append("at once")
    assert site.change("POST", f"{V1}/reload").status == 204

    async def later() -> None:
        await asyncio.sleep(0)
        read.append("later")

    site.server.driver.on_reload = later
    assert site.change("POST", f"{V1}/reload").status == 204
    assert read == ["at once", "later"]

    def wrong() -> None:
        raise ValueError("rules.yaml, line 3: no such thing")

    site.server.driver.on_reload = wrong
    answer = site.change("POST", f"{V1}/reload")
    assert (answer.status, answer.detail) == (422, "rules.yaml, line 3: no such thing")


CHANGES = [
    ("POST", "/publish", {"topic": "t/1", "payload": "x"}),
    ("DELETE", A, None),
    ("DELETE", f"/sessions{A}", None),
    ("DELETE", "/retained/kept", None),
    ("POST", "/reset", None),
    ("POST", "/reload", None),
]


@pytest.mark.parametrize(("method", "target", "body"), CHANGES)
def test_nothing_changes_without_right(site: Site, client: RawClient, method: str, target: str, body: Any) -> None:
    """No token, a wrong one, a page of another site with the token, a name that was rebound."""
    target = V1 + ("/clients" + target if target == A else target)
    site.change("POST", f"{V1}/publish", {"topic": "kept", "payload": "x", "retain": True})
    right = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    for headers, status in [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        (right | {"origin": "http://evil.example"}, 403),
        (right | {"origin": "null"}, 403),
        (right | {"host": "evil.example"}, 403),
        (right | {"host": f"evil.example:{site.port}", "origin": f"http://evil.example:{site.port}"}, 403),
    ]:
        if body is None:
            headers = {name: value for name, value in headers.items() if name != "content-type"}
        assert site.ask(method, target, body, headers).status == status
    client.ping()
    assert len(site.get(f"{V1}/sessions").json["items"]) == 1
    assert site.get(f"{V1}/retained/kept").status == 200


def test_a_page_that_was_rebound_reads_nothing_of_clients(site: Site, client: RawClient) -> None:
    for target in ("/clients", "/sessions", "/subscriptions", "/retained", f"/clients{A}", f"/sessions{A}"):
        assert site.get(V1 + target, {"host": f"evil.example:{site.port}"}).status == 403
        assert site.get(V1 + target, {"origin": "http://evil.example"}).status == 403


def test_without_a_token_nothing_can_be_changed(serve: Callable[..., Site]) -> None:
    site = serve(HttpListener(port=0))
    assert site.change("POST", f"{V1}/reset").detail == "nothing can be changed here: no token is configured"
    assert site.get(f"{V1}/clients").status == 200


def test_retained_messages_are_cleared_by_filter(site: Site) -> None:
    for topic in ("a/1", "a/2/x", "b"):
        site.change("POST", f"{V1}/publish", {"topic": topic, "payload": "x", "retain": True})

    def clear(query: str) -> Any:
        return site.change("DELETE", f"{V1}/retained{query}")

    assert clear("?topic_filter=a/%2B").json == {"removed": 1}
    assert clear("?topic_filter=a/%23").json == {"removed": 1}
    assert clear("?topic_filter=a/%23").json == {"removed": 0}
    assert clear("?topic_filter=%24SYS/%23").json == {"removed": 0}, "they belong to the broker"
    assert [item["topic"] for item in site.get(f"{V1}/retained").json["items"]] == ["b"]
    for wrong in ("", "?topic_filter=", "?topic_filter=%23/a"):
        assert clear(wrong).status == 400
    assert site.get("/api/v1/retained/b").status == 200


def test_many_retained_messages_are_cleared_in_steps(site: Site) -> None:
    def fill() -> None:
        for number in range(2500):
            site.server.publish(f"many/{number}", b"x", retain=True)

    site.call(fill)
    assert site.change("DELETE", f"{V1}/retained?topic_filter=many/%23").json == {"removed": 2500}
    assert site.get(f"{V1}/retained").json["items"] == []
