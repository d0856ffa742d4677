# SPDX-License-Identifier: MIT
"""Writes JUnit XML, with the statements of each case as properties."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from mqtt_conformance.case import VERSION_NAMES
from mqtt_conformance.reports.steps import lines
from mqtt_conformance.reports.summary import rule_of, section_of
from mqtt_conformance.runner import Result
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.printable import printable

__all__ = ["render"]


def render(results: Sequence[Result]) -> str:
    """Return one suite per protocol version, with one test case per case."""
    root = ElementTree.Element("testsuites", name="mqtt conformance")
    for version in sorted({r.case.version for r in results}, reverse=True):
        mine = [r for r in results if r.case.version == version]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"MQTT {VERSION_NAMES[version]}",
            tests=str(len(mine)),
            failures=str(sum(r.verdict is Verdict.FAIL for r in mine)),
            skipped=str(sum(r.verdict in (Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE) for r in mine)),
            errors="0",
            time=f"{sum(r.seconds for r in mine):.3f}",
        )
        for result in mine:
            _case(suite, result, version)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, result: Result, version: int) -> None:
    element = ElementTree.SubElement(
        suite,
        "testcase",
        name=result.case.id,
        classname=f"mqtt{VERSION_NAMES[version]}.{section_of(result)}",
        time=f"{result.seconds:.3f}",
    )
    properties = ElementTree.SubElement(element, "properties")
    for statement in result.case.statements:
        ElementTree.SubElement(properties, "property", name="statement", value=statement)
    ElementTree.SubElement(properties, "property", name="verdict", value=result.verdict)
    if result.verdict is Verdict.FAIL:
        ElementTree.SubElement(properties, "property", name="rule", value=rule_of(result))
    if result.breach:
        ElementTree.SubElement(properties, "property", name="breach", value=result.breach)
    for note in result.notes:
        ElementTree.SubElement(properties, "property", name="note", value=_clean(note))
    message = _clean(result.message)
    if result.verdict is Verdict.FAIL:
        failure = ElementTree.SubElement(element, "failure", message=message)
        failure.text = _clean(f"expected: {result.expected}\nseen: {result.seen}\n\n" + "\n".join(lines(result.trace)))
    elif result.verdict in (Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE):
        ElementTree.SubElement(element, "skipped", message=f"{result.verdict}: {message}")
    elif message:
        ElementTree.SubElement(element, "system-out").text = f"{result.verdict}: {message}"


def _clean(text: str) -> str:
    """Escape control characters, surrogates and non-characters. XML 1.0 does not allow most of them."""
    return printable(text, "\t\n\r")
