# SPDX-License-Identifier: MIT
"""Builds the options of the broker from a configuration."""

from __future__ import annotations

from mqtt_ref.broker.topics import valid_topic_filter
from mqtt_ref.config.check import Report
from mqtt_ref.config.model import Config
from mqtt_ref.engine import options as broker
from mqtt_ref.engine.generated.decisions import DECISIONS
from mqtt_ref.wire.codes import SERVER_MOVED, USE_ANOTHER_SERVER
from mqtt_ref.wire.primitives import MAXIMUM_PACKET_SIZE

__all__ = ["VERSIONS", "broker_options"]

VERSIONS = {"3.1": 3, "3.1.1": 4, "5.0": 5}
"""Protocol level by the name of a version."""


def broker_options(config: Config, report: Report) -> broker.Options:
    """Build the options of the broker. Problems are reported by key path."""
    asked = config.options.capabilities
    at = ("options", "capabilities")
    capabilities = broker.Capabilities(
        versions=tuple(level for level in VERSIONS.values() if level >= asked.minimum_protocol_version),
        maximum_qos=asked.maximum_qos,
        retain_available=asked.retain_available,
        maximum_packet_size=asked.maximum_packet_size or MAXIMUM_PACKET_SIZE,
        topic_alias_maximum=asked.topic_alias_maximum,
        receive_maximum=asked.receive_maximum,
        wildcard_subscription_available=asked.wildcard_sub_available,
        subscription_identifier_available=asked.sub_id_available,
        shared_subscription_available=asked.shared_sub_available,
        maximum_keep_alive=asked.maximum_keep_alive,
        minimum_keep_alive=asked.minimum_keep_alive,
        maximum_session_expiry=asked.maximum_session_expiry_interval,
        response_information=asked.response_information,
        empty_client_id=asked.zero_length_client_ids,
    )
    bounds = broker.Bounds(
        memory=asked.maximum_memory,
        maximum_inflight=asked.maximum_inflight,
        inflight_bytes=asked.maximum_inflight_bytes,
        queued_messages=asked.maximum_client_writes_pending,
        queued_bytes=asked.maximum_queued_bytes,
        queued_memory=asked.maximum_queued_memory,
        outbound_aliases=asked.outbound_topic_aliases,
        connect_timeout=asked.connect_timeout,
        subscriptions=asked.maximum_subscriptions,
        parts=asked.maximum_parts,
        shared_subscriptions=asked.maximum_shared_subscriptions,
        subscription_identifiers=asked.maximum_subscription_identifiers,
        topic_levels=asked.maximum_topic_levels,
        retained_messages=asked.maximum_retained,
        sessions=asked.maximum_sessions,
        connections=asked.maximum_connections,
        message_size=asked.maximum_message_size,
        clients=asked.maximum_clients,
        message_expiry=asked.maximum_message_expiry_interval,
        hook_timeout=config.options.hook_timeout,
        write_buffer=config.options.client_net_write_buffer_size,
        read_buffer=config.options.client_net_read_buffer_size,
    )
    if 0 < asked.maximum_packet_size < 16:
        report(
            (*at, "maximum_packet_size"),
            f"is {asked.maximum_packet_size}; no client could connect. It must be at least 16, or 0 for no limit",
        )
    if asked.maximum_keep_alive and asked.minimum_keep_alive > asked.maximum_keep_alive:
        report((*at, "minimum_keep_alive"), f"is above maximum_keep_alive, which is {asked.maximum_keep_alive}")
    for place, name in enumerate(asked.refused_filters):
        if not valid_topic_filter(name):
            report((*at, "refused_filters", place), f"is {name!r}, which is not a Topic Filter")
    redirect = None
    if asked.redirect is not None:
        code = SERVER_MOVED if asked.redirect.permanent else USE_ANOTHER_SERVER
        redirect = broker.Redirect(code, asked.redirect.server_reference)
    return broker.Options(
        capabilities=capabilities,
        bounds=bounds,
        decisions=_decisions(config, report),
        refused_filters=tuple(asked.refused_filters),
        redirect=redirect,
        sys_topic_resend_interval=config.options.sys_topic_resend_interval,
        inline_client=config.options.inline_client,
        reason_strings=config.options.reason_strings,
        restore_sys_info=asked.compatibilities.restore_sys_info_on_restart,
    )


def _decisions(config: Config, report: Report) -> dict[str, str]:
    """Collect the decisions given by name, and those that the compatibilities set."""
    wanted: dict[str, str] = {}
    for name, value in config.options.decisions.items():
        path = ("options", "decisions", name)
        if name not in DECISIONS:
            report(path, f"is not known; known are {', '.join(DECISIONS)}")
        elif value not in DECISIONS[name][0]:
            report(path, f"is {value!r}; it must be one of {', '.join(DECISIONS[name][0])}")
        else:
            wanted[name] = value
    switches = config.options.capabilities.compatibilities
    if switches.obscure_not_authorized:
        wanted["not_authorized"] = "obscure"
    if switches.passive_client_disconnect:
        wanted["server_disconnect"] = "wait"
    if switches.always_return_response_info:
        wanted["response_information"] = "always"
    if not switches.no_inherited_properties_on_ack:
        wanted["acknowledgement_properties"] = "inherit"
    return wanted
