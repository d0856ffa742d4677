# SPDX-License-Identifier: MIT
"""Hooks that choose the recipients of a message: converts a router `Subscribers` to a `Selection` and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.matching import Subscribers
from mqtt_ref.broker.selection import Recipient, Selection
from mqtt_ref.broker.shared import Group
from mqtt_ref.broker.subscription import NO_LOCAL, RETAIN_AS_PUBLISHED, Entry, Merged, Subscribed
from mqtt_ref.hooks.chain import Chains, unfit

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.intercept import Refusal
    from mqtt_ref.engine.message import Message

__all__ = ["select_of"]

LARGEST: Final = 268_435_455
"""Largest Subscription Identifier."""


def select_of(chains: Chains, broker: Broker) -> Callable[[Message, Subscribers], Subscribers | Refusal | None] | None:
    """Build a function that shows the subscribers of a message to the hooks; None if no hook chooses."""
    chain = chains["on_select_subscribers"]
    if not chain:
        return None

    def select(message: Message, match: Subscribers) -> Subscribers:
        found = match
        selection = _shown(broker, found)
        for handler in chain:
            try:
                answer = handler.call(message, selection)
                if answer is None:
                    continue
                if not isinstance(answer, Selection):
                    raise unfit(answer, "a Selection or None")
                match = _meant(broker, found, answer)
            except Exception as error:
                handler.failed(error)
                return Subscribers([], [])
            selection = answer
        return match

    return select


def _shown(broker: Broker, match: Subscribers) -> Selection:
    """Convert a match to the selection that hooks see."""
    selection = Selection()
    for entry in match.plain:
        session = broker.sessions.by_handle[entry.subscriber]
        if session is not None:
            selection.clients.append(_recipient(session.client_id, entry))
    for group in match.shared:
        members = (broker.sessions.by_handle[member.subscriber] for member in group.members())
        selection.groups[_filter(group)] = [session.client_id for session in members if session is not None]
    return selection


def _recipient(client_id: str, entry: Entry) -> Recipient:
    return Recipient(client_id, entry.qos, entry.no_local, entry.retain_as_published, entry.identifiers)


def _filter(group: Group) -> str:
    return f"$share/{group.name}/{group.topic_filter}"


def _meant(broker: Broker, match: Subscribers, selection: Selection) -> Subscribers:
    """Convert the selection of a hook to a match.

    Raises:
        ValueError: a client or group is unknown, a client is chosen twice, or an option is invalid.
    """
    before = {entry.subscriber: entry for entry in match.plain}
    # Inline subscriptions belong to the embedding program, not to a client: hooks neither see nor remove them.
    plain = {handle: entry for handle, entry in before.items() if handle in broker.inline}
    for wanted in selection.clients:
        session = broker.by_client_id.get(wanted.client_id)
        if session is None:
            raise ValueError(f"there is no client {wanted.client_id!r}")
        if session.handle in plain:
            raise ValueError(f"client {wanted.client_id!r} is chosen twice")
        entry = before.get(session.handle)
        if entry is None or _recipient(wanted.client_id, entry) != wanted:
            entry = _entry(session.handle, wanted)
        plain[session.handle] = entry
    shared: list[Group] = []
    groups = {_filter(group): group for group in match.shared}
    for name, members in selection.groups.items():
        group = groups.get(name)
        if group is None:
            raise ValueError(f"there is no group {name!r}")
        shared.append(_group(broker, group, members))
    return Subscribers(list(plain.values()), [group for group in shared if len(group)])


def _entry(handle: int, wanted: Recipient) -> Entry:
    """Build the subscriptions that have the wanted options."""
    if not 0 <= wanted.qos <= 2:
        raise ValueError(f"QoS {wanted.qos} is invalid; it must be 0, 1 or 2")
    if not all(0 < identifier <= LARGEST for identifier in wanted.identifiers):
        raise ValueError(f"Subscription Identifiers must be 1 to {LARGEST}, not {wanted.identifiers}")
    options = wanted.qos
    options |= NO_LOCAL if wanted.no_local else 0
    options |= RETAIN_AS_PUBLISHED if wanted.retain_as_published else 0
    parts = tuple(Subscribed(handle, "", options, identifier, "") for identifier in wanted.identifiers or (0,))
    return parts[0] if len(parts) == 1 else Merged(parts)


def _group(broker: Broker, group: Group, members: list[str]) -> Group:
    """Return the group itself, which keeps its turns, if all members are chosen; else a group of the chosen ones."""
    chosen = Group(group.name, group.topic_filter)
    for client_id in members:
        session = broker.by_client_id.get(client_id)
        member = None if session is None else group.member(session.handle)
        if member is None:
            raise ValueError(f"client {client_id!r} is not a member of {_filter(group)}")
        chosen.add(member)
    return group if members == _shown(broker, Subscribers([], [group])).groups[_filter(group)] else chosen
