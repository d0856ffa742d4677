# SPDX-License-Identifier: MIT
"""The judge does not cry wolf: a strict client is never accused, whatever it does and whatever the network loses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.oracle.faults.client import Client
from mqtt_ref.oracle.report import as_text
from mqtt_ref.wire.packets import ConnectProperties
from mqtt_ref.wire.primitives import V5, V31, V311
from tests.oracle.rig import End, Rig

TOPICS = st.sampled_from(["a", "a/b", "c", "a/b/c"])
FILTERS = st.sampled_from(["a", "#", "a/+", "c", "$share/g/a/#"])
QOS = st.integers(0, 2)
PAYLOADS = st.sampled_from([b"", b"x", b"y", bytes(60)])

ACTIONS = st.one_of(
    st.tuples(st.just("connect"), st.booleans(), st.sampled_from([0, 30, 3600]), st.sampled_from([0, 5, 60])),
    st.tuples(st.just("publish"), TOPICS, PAYLOADS, QOS, st.booleans()),
    st.tuples(st.just("publish"), TOPICS, PAYLOADS, QOS, st.booleans()),
    st.tuples(st.just("publish_short"), TOPICS, PAYLOADS),
    st.tuples(st.just("subscribe"), FILTERS, QOS),
    st.tuples(st.just("unsubscribe"), FILTERS),
    st.tuples(st.just("ping")),
    st.tuples(st.just("disconnect")),
    st.tuples(st.just("drop")),
    st.tuples(st.just("up")),
    st.tuples(st.just("down")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("time"), st.sampled_from([0.01, 0.5, 3.0, 20.0])),
)

OPTIONS = st.builds(
    Capabilities,
    receive_maximum=st.sampled_from([1, 2, 1024]),
    maximum_qos=st.sampled_from([0, 1, 2, 2]),
    retain_available=st.booleans(),
    maximum_packet_size=st.sampled_from([60, 268_435_460]),
    topic_alias_maximum=st.sampled_from([0, 1, 100]),
    maximum_keep_alive=st.sampled_from([0, 4]),
    wildcard_subscription_available=st.booleans(),
    shared_subscription_available=st.booleans(),
)


def act(rig: Rig, end: End, version: int, action: tuple[Any, ...]) -> None:
    name, args = action[0], action[1:]
    if name == "connect":
        clean, expiry, keep_alive = args
        more: dict[str, Any] = {}
        if version == V5:
            more["properties"] = ConnectProperties(session_expiry_interval=expiry)
        end.connect(clean_start=clean, keep_alive=keep_alive, **more)
    elif name == "publish":
        end.act("publish", *args[:3], retain=args[3])
    elif name == "time":
        rig.pass_time(args[0])
    elif name in ("drop", "settle"):
        getattr(end, name)()
    elif name in ("up", "down"):
        getattr(end, f"deliver_{name}")()
    elif name == "publish_short":
        if version == V5:
            end.act(name, *args)
    else:
        end.act(name, *args)


@pytest.mark.parametrize("version", [V5, V311, V31])
@settings(max_examples=120, deadline=None)
@given(capabilities=OPTIONS, actions=st.lists(st.tuples(st.integers(0, 1), ACTIONS), min_size=10, max_size=60))
def test_strict_clients_are_never_accused(
    version: int, capabilities: Capabilities, actions: list[tuple[int, tuple[Any, ...]]]
) -> None:
    if version != V5:
        # A server that says nothing of its limits has none.
        capabilities.maximum_packet_size = 268_435_460
        capabilities.maximum_qos = 2
        capabilities.retain_available = True
        capabilities.receive_maximum = 1024
        capabilities.wildcard_subscription_available = capabilities.shared_subscription_available = True
    rig = Rig(Options(capabilities), [Client("one", version), Client("two", version)])
    for end in rig.ends:
        act(rig, end, version, ("connect", False, 3600, 60))
        end.settle()
    for which, action in actions:
        act(rig, rig.ends[which], version, action)
    for end in rig.ends:
        end.settle()
    assert not rig.judge.findings, "\n\n".join(as_text(finding) for finding in rig.judge.findings)
