# SPDX-License-Identifier: MIT
"""The OpenAPI document is complete, and the API answers as it says, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import hypothesis
import msgspec
import pytest
import schemathesis
from schemathesis import GenerationMode

from mqtt_ref.http import App, Guard, HttpListener, Request
from mqtt_ref.http.broker_app import broker_app
from mqtt_ref.http.openapi import document
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import ConnectProperties
from tests.http.conftest import TOKEN, Site


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    return document(broker_app())


def operations(api: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_route_is_in_the_document(api: dict[str, Any]) -> None:
    routes = {(route.method.lower(), route.template) for route in broker_app().routes}
    assert {(method, path) for method, path, _ in operations(api)} == routes
    ids = [operation["operationId"] for _, _, operation in operations(api)]
    assert len(ids) == len(set(ids))
    assert all(operation["summary"] for _, _, operation in operations(api))


def test_what_changes_something_needs_the_token(api: dict[str, Any]) -> None:
    for method, path, operation in operations(api):
        if method != "get":
            assert operation["security"] == [{"token": []}]
            assert {"401", "403"} <= operation["responses"].keys()
        elif path.startswith("/api/"):
            assert operation["security"] == [{}, {"token": []}]
        else:
            assert "security" not in operation
    assert api["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}


def test_references_lead_somewhere(api: dict[str, Any]) -> None:
    def references(form: Any) -> Iterator[str]:
        if isinstance(form, dict):
            for key, value in form.items():
                if key == "$ref":
                    yield value
                else:
                    yield from references(value)
        elif isinstance(form, list):
            for value in form:
                yield from references(value)

    found = {reference.removeprefix("#/components/schemas/") for reference in references(api)}
    assert found == api["components"]["schemas"].keys()


def test_parameters_say_what_they_are() -> None:
    class Query(msgspec.Struct):
        needed: Annotated[int, msgspec.Meta(ge=1, description="How many")]
        word: str = "x"

    app = App("x", "1")
    app.get("/{name}/x", summary="X", query=Query, response=int)(lambda request: 1)
    path, needed, word = document(app)["paths"]["/{name}/x"]["get"]["parameters"]
    assert path == {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    assert needed == {
        "name": "needed",
        "in": "query",
        "required": True,
        "description": "How many",
        "schema": {"type": "integer", "minimum": 1},
    }
    assert word["required"] is False
    assert word["schema"]["default"] == "x"


def test_a_route_that_is_declared_later_is_in_the_document() -> None:
    app = broker_app()
    (route, _), request = app.find("GET", "/openapi.json"), Request("GET", "/openapi.json", {}, "", Any)  # type: ignore[arg-type]
    assert "/later" not in route.handler(request)["paths"]
    app.get("/later", summary="Later", response=int)(lambda request: 1)
    assert "/later" in route.handler(request)["paths"]


@pytest.fixture
def api_schema(serve: Callable[..., Site]) -> Iterator[Any]:
    """The document of a broker that holds something of everything."""
    site = serve(HttpListener(port=0, guard=Guard(TOKEN)))
    with RawClient(site.server.port) as client:
        client.connect("0", properties=ConnectProperties(session_expiry_interval=1000))
        client.subscribe("#", "0")
        for topic in ("0", "a/b"):
            client.publish(topic, b"\x00\xff", qos=1, retain=True)
        config = schemathesis.Config.from_dict({"auth": {"openapi": {"token": {"bearer": TOKEN}}}})
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{site.port}/openapi.json", config=config)


def has_float(form: Any) -> bool:
    if isinstance(form, dict):
        return any(has_float(value) for value in form.values())
    if isinstance(form, list):
        return any(has_float(value) for value in form)
    return isinstance(form, float)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_the_api_answers_as_the_document_says(api_schema: Any, mode: GenerationMode) -> None:
    asked = set()
    for result in api_schema.get_all_operations():
        operation = result.ok()

        @hypothesis.settings(max_examples=10, suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def answers(case: schemathesis.Case) -> None:
            # 1.0 is an integer for JSON Schema; not for us.
            hypothesis.assume(mode is GenerationMode.NEGATIVE or not has_float(case.body))
            asked.add(case.operation.label)
            case.call_and_validate(timeout=10)

        try:
            answers()
        except hypothesis.errors.Unsatisfiable:  # there is nothing about it that could be wrong
            assert mode is GenerationMode.NEGATIVE
    assert len(asked) >= 10
