# SPDX-License-Identifier: MIT
"""Topic Aliases in both directions. They belong to one Network Connection and end with it.

Cites: MQTT5-3.3.2-7
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection

__all__ = ["ABOVE_MAXIMUM", "UNKNOWN", "assign", "forget", "resolve"]

ABOVE_MAXIMUM: Final = "\0above"
UNKNOWN: Final = "\0unknown"


def resolve(connection: Connection, topic: str, alias: int) -> str:
    """Return the topic of a PUBLISH that carries an alias. A Topic Name sets the alias, an empty one uses it.

    Aliases from 1 to the Topic Alias Maximum of the CONNACK are valid; for all others the result is `ABOVE_MAXIMUM`.
    For an alias that was never set the result is `UNKNOWN`.

    Cites: MQTT5-3.3.2-12, MQTT5-3.3.2-9, X5-topic-alias-invalid, X5-topic-alias-known-empty, X5-topic-alias-known-name,
    X5-topic-alias-unknown-name, X5-topic-alias-remapped, X5-topic-alias-directions
    """
    if alias > connection.agreement.alias_in_maximum or alias == 0:
        return ABOVE_MAXIMUM
    known = connection.alias_in
    if topic:
        if known is None:
            known = connection.alias_in = {}
        connection.broker.budget.aliased(connection, topic, known.get(alias, ""))
        known[alias] = topic
        return topic
    if known is None:
        return UNKNOWN
    return known.get(alias, UNKNOWN)


def assign(connection: Connection, topic: str) -> int:
    """Return the alias of a topic towards a client, or 0 if it gets none.

    A negative alias is new: this PUBLISH sets it and carries the Topic Name. No alias is above the client's maximum.

    Cites: MQTT5-3.1.2-26, MQTT5-3.1.2-27, MQTT5-3.3.2-11
    """
    known = connection.alias_out
    if known is None:
        known = connection.alias_out = {}
    alias = known.get(topic)
    if alias is not None:
        return alias
    if len(known) >= connection.agreement.alias_out_maximum:
        return 0
    known[topic] = len(known) + 1
    return -len(known)


def forget(connection: Connection, topic: str) -> None:
    """Remove the newest alias, because the PUBLISH that was to set it is not sent."""
    if connection.alias_out is not None:
        connection.alias_out.pop(topic, None)
