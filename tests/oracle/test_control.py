# SPDX-License-Identifier: MIT
"""The oracle over HTTP: brokers that are started, disturbed, watched, reset and stopped."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest

from mqtt_ref.http import Guard, HttpListener
from mqtt_ref.oracle.control import Control
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect, Pingreq, Publish, Subscribe, Subscription

TOKEN = "s3cret"


class Api:
    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> tuple[int, Any]:
        link = HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        link.request(method, path, None if body is None else json.dumps(body), headers)
        answer = link.getresponse()
        data = answer.read()
        link.close()
        if "json" in answer.headers.get("content-type", "") and "jsonl" not in answer.headers["content-type"]:
            return answer.status, json.loads(data)
        return answer.status, data.decode()

    def start(self, **wanted: Any) -> tuple[str, int]:
        """A new broker: the path of its resources, and its port."""
        status, broker = self("POST", "/v1/brokers", wanted)
        assert status == 201, broker
        return f"/v1/brokers/{broker['id']}", broker["port"]


@pytest.fixture
def api() -> Iterator[Api]:
    control = Control(maximum=3)
    listener = HttpListener(port=0, app=control.app, guard=Guard(TOKEN))
    with ThreadedServer(listeners=[listener], hooks=[control]):
        yield Api(listener.port)
    assert control.oracles == {}


def link(port: int, *packets: Any) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), 5)
    opened.sendall(b"".join(encode(5, packet) for packet in (Connect("X"), *packets)))
    return opened


def test_a_test_from_start_to_end(api: Api) -> None:
    rule = {"name": "lost", "when": {"packet": "PINGRESP", "to": "X", "nth": 1}, "do": {"type": "drop"}}
    path, port = api.start(rules=[rule], limits={"receive_maximum": 1})
    with link(port, Pingreq(), Pingreq()):
        status, happened = api("POST", f"{path}/wait", {"connected": "X"})
        assert (status, happened["kind"], happened["name"]) == (200, "connected", "X")
        status, happened = api("POST", f"{path}/wait", {"packet": {"packet": "PINGRESP", "to": "X"}})
        assert (status, happened["packet"]["type"]) == (200, "PINGRESP")
        status, rules = api("GET", f"{path}/rules")
        assert (rules["fired"], rules["rules"][0]["when"]["nth"]) == ({"lost": 1}, 1)
        status, late = api("POST", f"{path}/wait", {"packet": {"packet": "PINGRESP"}, "count": 2, "within": 0.02})
        assert (status, late["detail"]) == (408, "it happened 1 of 2 times within 0.02 s")
        status, trace = api("GET", f"{path}/trace")
        types = [(json.loads(line)["packet"] or {}).get("type") for line in trace.splitlines()]
        assert sorted(filter(None, types)) == ["CONNACK", "CONNECT", "PINGREQ", "PINGREQ", "PINGRESP"]
        assert api("GET", path)[1]["clients"] == 1
    assert api("GET", f"{path}/verdict")[1]["clean"] is True
    assert api("DELETE", path) == (204, "")
    assert api("GET", path)[0] == 404
    with pytest.raises(OSError):
        link(port)


def test_what_a_client_does_wrong_is_in_the_verdict(api: Api) -> None:
    path, port = api.start()
    with link(port, Connect("X")):
        status, _ = api("POST", f"{path}/wait", {"finding": "*"})
        assert status == 200
        verdict = api("GET", f"{path}/verdict")[1]
        assert (verdict["clean"], verdict["must"]) == (False, 1)
        assert verdict["findings"][0]["rule"] == "X5-connect-once"
        assert verdict["findings"][0]["client_id"] == "X"
    assert api("POST", f"{path}/reset")[0] == 204
    assert api("GET", f"{path}/verdict")[1]["clean"] is True
    assert api("GET", f"{path}/trace") == (200, "")


def test_rules_are_replaced_and_added(api: Api) -> None:
    path, _ = api.start()
    one = {"name": "one", "when": {}, "do": {"type": "drop"}}
    two = {"name": "two", "when": {"from": "Y"}, "do": [{"type": "delay", "seconds": 1}, {"type": "close"}]}
    assert api("PUT", f"{path}/rules", {"rules": [one]})[0] == 204
    assert api("POST", f"{path}/rules", {"rules": [two]})[0] == 204
    assert [rule["name"] for rule in api("GET", f"{path}/rules")[1]["rules"]] == ["one", "two"]
    assert api("GET", f"{path}/rules")[1]["rules"][1]["when"]["from"] == "Y"
    assert api("POST", f"{path}/rules", {"rules": [two]}) == (
        409,
        {"status": 409, "title": "Conflict", "detail": "two rules have the name 'two'; names must be unique"},
    )
    status, problem = api("PUT", f"{path}/rules", {"rules": [{"when": {}, "do": {"type": "dropp"}}]})
    assert (status, "$.rules[0].do.type" in problem["detail"]) == (400, True)


def test_the_broker_publishes_and_its_clock_leaps(api: Api) -> None:
    path, port = api.start(clock=2.0)
    with link(port, Subscribe(1, [Subscription("a", 0)]), Publish("a", b"")):
        assert api("POST", f"{path}/wait", {"packet": {"packet": "PUBLISH", "to": "X"}})[0] == 200
        assert api("POST", f"{path}/publish", {"topic": "a", "payload": "x"})[1] == {"matched": True}
        waited = api("POST", f"{path}/wait", {"packet": {"packet": "PUBLISH", "to": "X", "topic": "a"}, "count": 2})
        assert waited[1]["packet"]["payload"] == "x"
        assert api("POST", f"{path}/clock", {"jump": 3600, "scale": 1})[0] == 204
        assert api("GET", path)[1]["clock"] == 1.0
        assert api("POST", f"{path}/publish", {"topic": "a/#"})[0] == 400


def test_there_are_only_so_many_brokers(api: Api) -> None:
    paths = [api.start()[0] for _ in range(3)]
    status, problem = api("POST", "/v1/brokers", {})
    assert (status, problem["detail"]) == (429, "3 brokers run, which is the maximum: delete one first")
    assert len(api("GET", "/v1/brokers")[1]["brokers"]) == 3
    assert api("DELETE", paths[0])[0] == 204
    _, port = api.start()
    assert api("DELETE", paths[1])[0] == 204
    assert api("POST", "/v1/brokers", {"port": port})[0] == 409


def test_nothing_is_changed_without_the_token(api: Api) -> None:
    assert api("POST", "/v1/brokers", {}, token="other")[0] == 401


def test_what_can_be_asked_for_is_documented(api: Api) -> None:
    document = api("GET", "/openapi.json")[1]
    assert {path for path in document["paths"] if path.startswith("/v1/brokers/{id}/")} == {
        f"/v1/brokers/{{id}}/{name}" for name in ("rules", "clock", "publish", "wait", "trace", "verdict", "reset")
    }
    schemas = document["components"]["schemas"]
    assert "from" in schemas["Match"]["properties"]
    assert {"Drop", "Delay", "Freeze", "HalfOpen", "Limit", "Refuse"} <= set(schemas)


def test_the_packets_that_no_server_may_send_are_listed(api: Api) -> None:
    packets = api("GET", "/v1/illegal?protocol=5&word=PINGRESP")[1]["packets"]
    assert "PINGRESP/flags-0001" in [packet["name"] for packet in packets]
    assert api("GET", "/v1/illegal?protocol=4")[0] == 400
