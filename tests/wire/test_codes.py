# SPDX-License-Identifier: MIT
"""Reason Codes and packet types come from the tables: nobody types a number that has a name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_ref.wire import codes, packets
from mqtt_ref.wire.packets import PACKET_NAMES
from mqtt_ref.wire.reasons import ReasonCode

OTHER_BYTES = {
    "engine/topics.py": "code points that topics may not have",
    "wire/constructs/scans.py": "bytes of UTF-8",
    "wire/raw.py": "where a Variable Byte Integer grows",
}
"""Files whose numbers look like Reason Codes and are none."""
WITH_CODE = {name: at for name in codes.__all__ if (at := getattr(packets, name.capitalize(), None)) is not None}
NUMBERS = {int(code) for code in ReasonCode if code >= codes.FAILURE}


def test_they_are_those_of_the_enums_and_classes() -> None:
    reasons = {name: int(code) for name, code in ReasonCode.__members__.items()}
    types = {name: at for at, name in enumerate(PACKET_NAMES) if at}
    named = {name: getattr(codes, name) for name in codes.__all__ if name != "PROPERTY_SIZES"}
    assert named == {**reasons, **types, "FAILURE": 0x80}
    assert {name: kind.TYPE for name, kind in WITH_CODE.items()} == types


def typed(tree: ast.AST, text: str, other_bytes: bool) -> Iterator[tuple[int, str]]:
    """Where a number is typed that the tables have a name for: line and what is wrong."""
    bits = {id(side) for node in ast.walk(tree) if isinstance(node, ast.BinOp) for side in (node.left, node.right)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_number(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id in codes.__all__:
                    yield node.lineno, f"{target.id} is in mqtt_ref.wire.codes"
        elif isinstance(node, ast.Constant) and is_number(node) and node.value in NUMBERS:
            written = ast.get_source_segment(text, node) or ""
            if written.startswith("0x") and id(node) not in bits and not other_bytes:
                yield node.lineno, f"{written} is {ReasonCode(node.value).name}, or FAILURE"
        elif isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            if any(isinstance(side, ast.Attribute) and side.attr in ("reason_code", "TYPE") for side in sides):
                if any(is_number(one) and one.value for side in sides for one in (side, *getattr(side, "elts", ()))):
                    yield node.lineno, "a Reason Code or packet type is compared with a number"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CODE_AT:
            at = CODE_AT[node.func.id]
            given = [*node.args[at : at + 1], *(one.value for one in node.keywords if one.arg == "reason_code")]
            if any(is_number(one) and one.value for one in given):
                yield node.lineno, f"{node.func.id} is made with a number as its Reason Code"


def is_number(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


CODE_AT = {
    kind.__name__: kind.__match_args__.index("reason_code")
    for kind in WITH_CODE.values()
    if "reason_code" in kind.__match_args__
}
"""By class of packets: which argument its Reason Code is."""


def test_none_is_typed_by_hand(root: Path) -> None:
    found = []
    for path in sorted((root / "mqtt_ref").rglob("*.py")):
        name = path.relative_to(root / "mqtt_ref").as_posix()
        text = path.read_text()
        if "Written by `python -m codegen`" not in text[:400]:
            found += [
                f"mqtt_ref/{name}:{line}: {what}" for line, what in typed(ast.parse(text), text, name in OTHER_BYTES)
            ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "NOT_AUTHORIZED = 0x87",
        "PUBLISH: Final = 3",
        "OTHER = 0x97",
        "if code >= 0x80: pass",
        "if packet.reason_code == 4: pass",
        "if packet.TYPE in (4, 5): pass",
        "Puback(1, 16)",
        "Connack(reason_code=5)",
        "def f(code=0x98): pass",
    ],
)
def test_each_way_to_type_one_is_seen(line: str) -> None:
    assert list(typed(ast.parse(line), line, False))


@pytest.mark.parametrize("line", ["x = byte & 0x80", "if code == 0: pass", "Puback(1)", "Connack(0)", "LIMIT = 135"])
def test_other_numbers_are_not(line: str) -> None:
    assert not list(typed(ast.parse(line), line, False))
