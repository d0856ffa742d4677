# SPDX-License-Identifier: MIT
"""Makes the OpenAPI 3.1 document of an application from its routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mqtt_ref.http.app import JSON, PROBLEM, Problem

if TYPE_CHECKING:
    from mqtt_ref.http.app import App, Route

__all__ = ["document"]

REFERENCE: Final = "#/components/schemas/{name}"


def document(app: App) -> dict[str, Any]:
    """Return the document as a dictionary."""
    types: list[Any] = [Problem]
    for route in app.routes:
        types += [kind for kind in (route.query, route.body, route.response) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    by_type = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in app.routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, by_type, components)
    queries = {_name(by_type[id(route.query)]) for route in app.routes if route.query is not None}
    info = {"title": app.title, "version": app.version}
    if app.description:
        info["description"] = app.description
    return {
        "openapi": "3.1.0",
        "info": info,
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, by_type: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.template}").strip("_"),
        "summary": route.summary,
    }
    if route.tags:
        operation["tags"] = list(route.tags)
    text = (route.handler.__doc__ or "").strip()
    if text:
        operation["description"] = re.sub(r"[ \t]*\n[ \t]*", "\n", text)
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in route.names
    ]
    if route.query is not None:
        parameters += _parameters(components[_name(by_type[id(route.query)])])
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": by_type[id(route.body)]}}}
    if not route.public:
        operation["security"] = [{"token": []}] if route.changes else [{}, {"token": []}]
    operation["responses"] = _responses(route, by_type)
    return operation


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Turn the fields of a query struct into parameters."""
    required = schema.get("required", ())
    found = []
    for name, field in schema["properties"].items():
        kind = {key: value for key, value in field.items() if key != "description"}
        parameter = {"name": name, "in": "query", "required": name in required, "schema": kind}
        if "description" in field:
            parameter["description"] = field["description"]
        found.append(parameter)
    return found


def _responses(route: Route, by_type: dict[int, Any]) -> dict[str, Any]:
    fine: dict[str, Any] = {"description": route.summary}
    if route.response is not None:
        fine["content"] = {route.media.partition(";")[0]: {"schema": by_type[id(route.response)]}}
    texts = {400: "A parameter, the path or the body is invalid"}
    if not route.public:
        texts[401] = "The token is missing or wrong"
        texts[403] = "The host or the origin is not allowed, or the listener has no token"
    if route.body is not None:
        texts |= {413: "The body is too large", 415: f"The body is not {JSON}"}
    texts |= route.errors
    schema = {"content": {PROBLEM: {"schema": by_type[id(Problem)]}}}
    problems = {str(status): {"description": text, **schema} for status, text in sorted(texts.items())}
    return {str(route.status): fine, **problems}


def _name(schema: dict[str, Any]) -> str:
    """Return the name of the component that a schema refers to."""
    return str(schema["$ref"]).rpartition("/")[2]
