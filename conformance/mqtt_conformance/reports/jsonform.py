# SPDX-License-Identifier: MIT
"""Writes the JSON report, and holds its format version and JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from mqtt_conformance.case import VERSION_NAMES
from mqtt_conformance.reports.summary import counts, rule_of
from mqtt_conformance.runner import Result
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref import __version__

__all__ = ["SCHEMA", "document", "render"]

FORMAT: Final = 1

SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "MQTT conformance report",
    "type": "object",
    "required": ["format", "suite", "broker", "counts", "results"],
    "properties": {
        "format": {"const": FORMAT},
        "suite": {"type": "string", "description": "version of the suite"},
        "broker": {
            "type": "object",
            "required": ["url", "versions"],
            "properties": {"url": {"type": "string"}, "versions": {"type": "array", "items": {"type": "string"}}},
        },
        "counts": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "protocol", "statements", "verdict", "seconds"],
                "properties": {
                    "id": {"type": "string"},
                    "protocol": {"enum": list(VERSION_NAMES.values())},
                    "statements": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                    "intent": {"type": "string"},
                    "verdict": {"enum": [str(v) for v in Verdict]},
                    "message": {"type": "string"},
                    "expected": {"type": "string"},
                    "seen": {"type": "string"},
                    "breach": {
                        "type": "string",
                        "description": "the rule broken first, if it is not one of the case's own",
                    },
                    "rule": {"type": "string", "description": "the rule that a failure blames"},
                    "seconds": {"type": "number", "minimum": 0},
                    "notes": {"type": "array", "items": {"type": "string"}},
                    "trace": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["t", "conn", "dir", "packet", "hex"],
                            "properties": {
                                "t": {"type": "number"},
                                "conn": {"type": "string"},
                                "dir": {
                                    "enum": [
                                        "out",
                                        "in",
                                        "opened",
                                        "closed",
                                        "dropped",
                                        "reset",
                                        "restarted",
                                        "killed",
                                        "flooded",
                                        "left out",
                                    ]
                                },
                                "packet": {"type": ["string", "null"]},
                                "hex": {"type": "string"},
                            },
                        },
                    },
                },
            },
        },
    },
}


def document(results: Sequence[Result], target: Target) -> dict[str, Any]:
    """Return the report as data. Passing cases carry no trace."""
    return {
        "format": FORMAT,
        "suite": __version__,
        "broker": {
            "url": target.url.rpartition("@")[2],
            "versions": [VERSION_NAMES[v] for v in sorted(target.capabilities.versions, reverse=True)],
        },
        "counts": {str(v): n for v, n in counts(results).items()},
        "results": [_result(r) for r in results],
    }


def _result(result: Result) -> dict[str, Any]:
    out: dict[str, Any] = {
        "id": result.case.id,
        "protocol": VERSION_NAMES[result.case.version],
        "statements": list(result.case.statements),
        "intent": result.case.intent,
        "verdict": str(result.verdict),
        "message": result.message,
        "expected": result.expected,
        "seen": result.seen,
        "seconds": round(result.seconds, 3),
        "notes": result.notes,
        **({"breach": result.breach} if result.breach else {}),
        **({"rule": rule_of(result)} if result.verdict is Verdict.FAIL else {}),
    }
    if result.verdict not in (Verdict.PASS, Verdict.UNSUPPORTED):
        out["trace"] = [
            {
                "t": round(r.t, 4),
                "conn": r.peer,
                "dir": r.what,
                "packet": None if r.packet is None else repr(r.packet),
                "hex": r.raw.hex(),
            }
            for r in result.trace
        ]
    return out


def render(results: Sequence[Result], target: Target) -> str:
    """Return the report as text."""
    return json.dumps(document(results, target), indent=1, ensure_ascii=True) + "\n"
