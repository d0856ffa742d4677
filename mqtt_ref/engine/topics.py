# SPDX-License-Identifier: MIT
"""Topic Names and characters that the standard lets a server refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.generated.decisions import DOLLAR_PUBLISH_REFUSE

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker

__all__ = ["DISALLOWED", "disallowed", "refused"]

DISALLOWED: Final = (
    "X5-disallowed-unicode-malformed",
    "X311-disallowed-unicode-received",
    "X31-protocol-violation",
)
"""The statement that a disallowed character breaks, one for each version."""


def disallowed(text: str) -> bool:
    """True if the text has a control character (U+0001 to U+001F, U+007F to U+009F) or a non-character."""
    if text.isascii() and text.isprintable():
        return False
    for char in text:
        code = ord(char)
        if code < 0x20 or 0x7F <= code < 0xA0 or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            return True
    return False


def refused(broker: Broker, topic: str) -> bool:
    """True if no client may publish to this topic: it has too many levels, or begins with `$` and so it is decided.

    Cites: X5-dollar-topic-clients, X311-dollar-exchange
    """
    if topic[0] == "$" and broker.decisions.dollar_publish == DOLLAR_PUBLISH_REFUSE:
        return True
    return topic.count("/") >= broker.options.bounds.topic_levels
