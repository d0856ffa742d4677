# SPDX-License-Identifier: MIT
"""The rules of the standard as data: transitions, reactions, numbers and decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Final, SupportsIndex, overload

from mqtt_ref.engine.generated import auth, connection, qos_receive, qos_send, session, subscription, will
from mqtt_ref.engine.generated.decisions import DECISIONS, LIMITS, Decisions, Limits
from mqtt_ref.wire.reactions import REACTIONS, Reaction, reaction

__all__ = ["MACHINES", "TABLES", "Tables", "changed", "decided", "recording"]

MACHINES: Final = ("connection", "session", "qos_send", "qos_receive", "will", "auth", "subscription")
"""The names of the state machines."""


class Tables:
    """The rules of one broker. `TABLES` has those of the standard; a faulty broker gets a changed copy."""

    def __init__(self) -> None:
        self.connection_action: list[int] = connection.ACTION
        self.connection_next: list[int] = connection.NEXT
        self.session_action: list[int] = session.ACTION
        self.session_next: list[int] = session.NEXT
        self.qos_send_action: list[int] = qos_send.ACTION
        self.qos_send_next: list[int] = qos_send.NEXT
        self.qos_receive_action: list[int] = qos_receive.ACTION
        self.qos_receive_next: list[int] = qos_receive.NEXT
        self.will_action: list[int] = will.ACTION
        self.will_next: list[int] = will.NEXT
        self.auth_action: list[int] = auth.ACTION
        self.auth_next: list[int] = auth.NEXT
        self.subscription_action: list[int] = subscription.ACTION
        self.subscription_next: list[int] = subscription.NEXT
        self.limits = Limits()
        self.decisions = Decisions()
        self.reaction_rows: Sequence[Reaction] = REACTIONS
        """The reaction table: the first row that fits decides."""
        self.reactions: dict[str, Reaction] = {}
        """Reactions that replace those of the table, by statement; empty in the standard."""
        self.go_on = False
        """True if a breach by a connected client is noted and the packet skipped, for a judge that records.

        If the end of the packet is unknown, the connection is closed nevertheless.
        """

    def reaction(self, statement: str, reason: int, version: int, state: str) -> Reaction:
        """Return what the server does about a client's breach of `statement`."""
        if self.reactions:
            other = self.reactions.get(statement)
            if other is not None:
                return other
        return reaction(statement, reason, version, state, "server", self.reaction_rows)


TABLES: Final = Tables()
"""The standard."""


def _copy(tables: Tables) -> Tables:
    new = Tables()
    for name in MACHINES:
        for part in ("action", "next"):
            setattr(new, f"{name}_{part}", copy(getattr(tables, f"{name}_{part}")))
    for name in LIMITS:
        setattr(new.limits, name, getattr(tables.limits, name))
    for name in DECISIONS:
        setattr(new.decisions, name, getattr(tables.decisions, name))
    new.reaction_rows = copy(tables.reaction_rows)
    new.reactions = dict(tables.reactions)
    new.go_on = tables.go_on
    return new


def changed(
    tables: Tables,
    machine: str = "",
    state: str = "",
    input: str = "",  # noqa: A002
    *,
    action: str | None = None,
    next: str | None = None,  # noqa: A002
    limits: dict[str, int] | None = None,
    reactions: dict[str, Reaction] | None = None,
    reaction_rows: Sequence[Reaction] | None = None,
    go_on: bool | None = None,
) -> Tables:
    """Return a copy of `tables` with one transition, some numbers or some reactions changed.

    Raises:
        ValueError: the machine, state, input, action or number does not exist.
    """
    new = _copy(tables)
    if machine:
        if machine not in MACHINES:
            raise ValueError(f"no machine is called {machine!r}; there are {', '.join(MACHINES)}")
        module = _MODULES[machine]
        states: tuple[str, ...] = module[0]
        at = states.index(state) * len(module[1]) + module[1].index(input)
        if action is not None:
            getattr(new, f"{machine}_action")[at] = module[2].index(action)
        if next is not None:
            getattr(new, f"{machine}_next")[at] = states.index(next)
    for name, value in (limits or {}).items():
        if name not in LIMITS:
            raise ValueError(f"no number is called {name!r}; there are {', '.join(LIMITS)}")
        setattr(new.limits, name, value)
    new.reactions.update(reactions or {})
    if reaction_rows is not None:
        new.reaction_rows = reaction_rows
    if go_on is not None:
        new.go_on = go_on
    return new


def decided(tables: Tables, choices: dict[str, str]) -> Tables:
    """Return a copy of `tables` with the decisions in `choices`, by name; `tables` itself if there are none.

    Raises:
        ValueError: a decision or its value does not exist.
    """
    if not choices:
        return tables
    new = _copy(tables)
    for name, value in choices.items():
        if name not in DECISIONS:
            raise ValueError(f"no decision is called {name!r}; there are {', '.join(DECISIONS)}")
        values = DECISIONS[name][0]
        if value not in values:
            raise ValueError(f"decision {name}: {value!r} is not one of {', '.join(values)}")
        setattr(new.decisions, name, values.index(value))
    return new


_MODULES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], list[tuple[str, ...]]]]] = {
    "connection": (connection.STATES, connection.INPUTS, connection.ACTIONS, connection.CITES),
    "session": (session.STATES, session.INPUTS, session.ACTIONS, session.CITES),
    "qos_send": (qos_send.STATES, qos_send.INPUTS, qos_send.ACTIONS, qos_send.CITES),
    "qos_receive": (qos_receive.STATES, qos_receive.INPUTS, qos_receive.ACTIONS, qos_receive.CITES),
    "will": (will.STATES, will.INPUTS, will.ACTIONS, will.CITES),
    "auth": (auth.STATES, auth.INPUTS, auth.ACTIONS, auth.CITES),
    "subscription": (subscription.STATES, subscription.INPUTS, subscription.ACTIONS, subscription.CITES),
}


class _Noting(list[int]):
    """A transition list that notes the statements of each row that is looked up."""

    def __init__(self, values: Iterable[int], cites: list[tuple[str, ...]], seen: set[str]) -> None:
        super().__init__(values)
        self.cites = cites
        self.seen = seen

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[int]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> int | list[int]:
        if isinstance(index, int):
            self.seen.update(self.cites[index])
        return super().__getitem__(index)


def recording(seen: set[str], tables: Tables = TABLES) -> Tables:
    """Return a copy of `tables` that adds to `seen` the statements of each row that the engine uses.

    It works in plain Python only: compiled code reads lists directly.
    """
    new = _copy(tables)
    for name in MACHINES:
        attribute = f"{name}_action"
        setattr(new, attribute, _Noting(getattr(new, attribute), _MODULES[name][3], seen))
    return new
