# SPDX-License-Identifier: MIT
"""Who gets a message, as something that may be looked at and changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Recipient", "Selection"]


class Recipient(NamedTuple):
    """One client that gets a copy, and how: as its subscriptions say, taken together.

    `qos` is the maximum that is granted; `identifiers` are the Subscription Identifiers that the copy carries.
    """

    client_id: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    identifiers: tuple[int, ...] = ()


@dataclass
class Selection:
    """The subscribers of a message. `groups` has, by filter of a Shared Subscription, the members it may go to: the
    first of them that can take it gets it.
    """

    clients: list[Recipient] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
