# SPDX-License-Identifier: MIT
"""The subscribers of a message, in a form that hooks may read and change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Recipient", "Selection"]


class Recipient(NamedTuple):
    """One client that gets a copy, with its matching subscriptions taken together.

    `qos` is the highest granted QoS; `identifiers` are the Subscription Identifiers that the copy carries.
    """

    client_id: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    identifiers: tuple[int, ...] = ()


@dataclass
class Selection:
    """The subscribers of a message.

    `groups` has, by filter of a Shared Subscription, the members that may get it. The first one that can take it gets
    it.
    """

    clients: list[Recipient] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
