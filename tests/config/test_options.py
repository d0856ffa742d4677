# SPDX-License-Identifier: MIT
"""What the options of a configuration come to in the broker."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mqtt_ref.config.model import Capabilities, Compatibilities, Config, Redirect
from mqtt_ref.config.model import Options as OptionsSection
from mqtt_ref.config.options import broker_options
from mqtt_ref.config.problem import spelled
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.options import Redirect as BrokerRedirect


def made(**capabilities: Any) -> Options:
    config = Config(options=OptionsSection(capabilities=Capabilities(**capabilities)))
    return broker_options(config, lambda path, text: pytest.fail(f"{spelled(path)}: {text}"))


def wrong(section: OptionsSection) -> list[str]:
    found: list[str] = []
    broker_options(Config(options=section), lambda path, text: found.append(f"{spelled(path)}: {text}"))
    return found


def test_nothing_said_is_the_broker_s_own_defaults() -> None:
    assert made() == Options()


SAMPLES: dict[str, tuple[Any, str, Any]] = {
    "maximum_clients": (7, "bounds.clients", 7),
    "maximum_message_expiry_interval": (60, "bounds.message_expiry", 60),
    "maximum_client_writes_pending": (5, "bounds.queued_messages", 5),
    "maximum_memory": (70_000, "bounds.memory", 70_000),
    "maximum_inflight_bytes": (6000, "bounds.inflight_bytes", 6000),
    "maximum_queued_bytes": (5000, "bounds.queued_bytes", 5000),
    "maximum_queued_memory": (0, "bounds.queued_memory", 0),
    "maximum_session_expiry_interval": (3600, "capabilities.maximum_session_expiry", 3600),
    "maximum_packet_size": (1000, "capabilities.maximum_packet_size", 1000),
    "receive_maximum": (9, "capabilities.receive_maximum", 9),
    "maximum_inflight": (8, "bounds.maximum_inflight", 8),
    "topic_alias_maximum": (0, "capabilities.topic_alias_maximum", 0),
    "outbound_topic_aliases": (0, "bounds.outbound_aliases", 0),
    "shared_sub_available": (False, "capabilities.shared_subscription_available", False),
    "minimum_protocol_version": (5, "capabilities.versions", (5,)),
    "maximum_qos": (1, "capabilities.maximum_qos", 1),
    "retain_available": (False, "capabilities.retain_available", False),
    "wildcard_sub_available": (False, "capabilities.wildcard_subscription_available", False),
    "sub_id_available": (False, "capabilities.subscription_identifier_available", False),
    "maximum_keep_alive": (60, "capabilities.maximum_keep_alive", 60),
    "minimum_keep_alive": (5, "capabilities.minimum_keep_alive", 5),
    "zero_length_client_ids": (False, "capabilities.empty_client_id", False),
    "refused_filters": (["#"], "refused_filters", ("#",)),
    "maximum_subscriptions": (3, "bounds.subscriptions", 3),
    "maximum_parts": (5, "bounds.parts", 5),
    "maximum_shared_subscriptions": (6, "bounds.shared_subscriptions", 6),
    "maximum_subscription_identifiers": (7, "bounds.subscription_identifiers", 7),
    "maximum_topic_levels": (4, "bounds.topic_levels", 4),
    "maximum_retained": (2, "bounds.retained_messages", 2),
    "maximum_sessions": (2, "bounds.sessions", 2),
    "maximum_connections": (2, "bounds.connections", 2),
    "maximum_message_size": (2, "bounds.message_size", 2),
    "connect_timeout": (2, "bounds.connect_timeout", 2),
    "response_information": ("r/", "capabilities.response_information", "r/"),
    "redirect": (Redirect(server_reference="b", permanent=True), "redirect", BrokerRedirect(0x9D, "b")),
}


@pytest.mark.parametrize("name", [*msgspec.structs.asdict(Capabilities())])
def test_every_capability_arrives(name: str) -> None:
    """One that is forgotten in `SAMPLES` fails here, but for those that are switches of decisions."""
    if name == "compatibilities":
        return
    value, where, wanted = SAMPLES[name]
    found: Any = made(**{name: value})
    for key in where.split("."):
        found = getattr(found, key)
    assert found == wanted


@pytest.mark.parametrize(
    ("switches", "decision", "value"),
    [
        ({"obscure_not_authorized": True}, "not_authorized", "obscure"),
        ({"passive_client_disconnect": True}, "server_disconnect", "wait"),
        ({"always_return_response_info": True}, "response_information", "always"),
        ({"no_inherited_properties_on_ack": False}, "acknowledgement_properties", "inherit"),
    ],
)
def test_compatibilities_are_decisions(switches: dict[str, bool], decision: str, value: str) -> None:
    assert made(compatibilities=Compatibilities(**switches)).decisions == {decision: value}


def test_decisions_have_their_own_names_too() -> None:
    section = OptionsSection(decisions={"overlapping": "each", "overlaping": "one", "queue_full": "all"})
    found = wrong(section)
    assert found[0].startswith("options.decisions.overlaping: is not known; known are overlapping, ")
    assert found[1:] == ["options.decisions.queue_full: is 'all'; it must be one of newest, oldest"]


@pytest.mark.parametrize(
    ("capabilities", "text"),
    [
        ({"maximum_packet_size": 3}, "options.capabilities.maximum_packet_size: is 3; no client could connect"),
        ({"minimum_keep_alive": 9, "maximum_keep_alive": 5}, "options.capabilities.minimum_keep_alive: is above"),
        (
            {"refused_filters": ["a", "a#"]},
            "options.capabilities.refused_filters[1]: is 'a#', which is not a Topic Filter",
        ),
    ],
)
def test_what_cannot_be_is_said(capabilities: dict[str, Any], text: str) -> None:
    [line] = wrong(OptionsSection(capabilities=Capabilities(**capabilities)))
    assert line.startswith(text)
