# SPDX-License-Identifier: MIT
"""The suite's own clients keep the rules of clients, but where a case breaks one on purpose.

A broker may close on a client that breaks one, so that a case which did so unawares would accuse it of nothing.
"""

from __future__ import annotations

import asyncio

import pytest

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.profile import Profile
from mqtt_conformance.runner import Result, probe, run_cases
from mqtt_conformance.target import Target
from mqtt_ref.testing.oracle import Oracle
from mqtt_ref.wire.packets import Connect

ON_PURPOSE = frozenset(
    [
        "alias-above-maximum",
        "alias-not-carried-over",
        "alias-unknown",
        "auth-after-refusal",
        "auth-behind-connect",
        "auth-without-method",
        "closed-after-own-disconnect",
        "disconnect-after-zero",
        "disconnect-flags",
        "dup-not-forwarded",
        "error-touches-no-other",
        "errors-are-told",
        "id-in-use",
        "identifier-from-client",
        "keep-alive",
        "malformed-behind-connect",
        "no-duplicate",
        "no-problem-information",
        "null-in-filter",
        "protocol-error",
        "puback-ends",
        "pubrec-unknown",
        "pubrel-unknown",
        "receive-maximum-exceeded",
        "second-connect",
        "second-connect-other-id",
        "server-disconnect",
        "shared-no-local",
        "small-answers",
        "small-pubrel",
        "two-connects-at-once",
        "violation-closes",
        "wrong-ack",
        "wrong-ack-qos2",
        "wrong-closing-code",
        "wrong-flags",
        "wrong-ill-formed",
        "wrong-no-such-packet",
        "wrong-null",
        "wrong-publish-qos-3",
        "wrong-string-pair",
        "wrong-subscribe-nothing",
        "wrong-unsubscribe-nothing",
    ]
)
"""Slugs of the cases that break a rule behind an accepted CONNECT, and take every answer that this may get."""


def broken_by(cases: list[Case]) -> dict[str, str]:
    """Run cases against a judge. Return, for each that broke a rule, what the judge said, by slug."""
    oracle = Oracle(on_violation="close")

    async def run() -> list[Result]:
        target = Target(oracle.url)
        await probe(target)
        return await run_cases(cases, target, Profile())

    oracle.start()
    try:
        results = asyncio.run(run())
        findings = oracle.findings
    finally:
        oracle.stop()
    whose = {
        record.packet.client_id: result.case.id.partition("/")[2]
        for result in results
        for record in result.trace
        if record.what == "out" and isinstance(record.packet, Connect) and record.packet.client_id
    }
    return {whose[f.client_id]: f"{f.rule}: {f.seen}" for f in findings if f.client_id in whose and f.level == "must"}


@pytest.mark.timeout(300)
def test_rules_are_broken_on_purpose_only() -> None:
    cases = [c for c in load_cases().values() if "/vector-" not in c.id and "setting" not in c.needs]
    broken = broken_by(cases)
    assert sorted(f"{slug}: {said}" for slug, said in broken.items() if slug not in ON_PURPOSE) == []
    missed = ON_PURPOSE - set(broken)
    if "keep-alive" in missed:
        # A judge that was late itself, beside all other cases, accuses no client of silence. Alone it is in time.
        broken |= broken_by([case for case in cases if case.id.partition("/")[2] == "keep-alive"])
    assert ON_PURPOSE - set(broken) == set()
