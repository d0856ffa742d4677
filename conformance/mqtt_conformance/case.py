# SPDX-License-Identifier: MIT
"""The registry of cases: the statements that each one decides, what it needs, and its function."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mqtt_conformance.profile import PROVIDED
from mqtt_ref.wire.statements import STATEMENTS

if TYPE_CHECKING:
    from mqtt_conformance.peer import Peer

__all__ = ["REGISTRY", "VERSION_NAMES", "Case", "case", "load_cases"]

VERSION_NAMES = {5: "5", 4: "3.1.1", 3: "3.1"}
NEEDS = frozenset(
    {
        "tcp", "tls", "ws", "retain", "qos1", "qos2", "wildcard", "shared", "subscription_identifiers", "topic_alias",
        "assigned_id", "session", *PROVIDED,
    }
)  # fmt: skip
"""What a case may need: a transport, a capability of the broker, or something that a profile provides."""

Body = Callable[["Peer"], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """One case for one protocol version.

    `id` is `<first statement of the version>/<slug>`. `statements` are all rules that it decides. `needs` are the
    transports and capabilities without which it is unsupported. `settings` are options that a profile has to apply
    (`{"maximum_qos": 1}`). `isolated` cases run alone because they disturb others.
    """

    id: str
    version: int
    statements: tuple[str, ...]
    needs: frozenset[str]
    settings: tuple[tuple[str, object], ...]
    isolated: bool
    intent: str
    body: Body = field(repr=False)

    @property
    def level(self) -> str:
        """The strictest level among its rules: must, should or may."""
        levels = {STATEMENTS[s].level for s in self.statements}
        return next(level for level in ("must", "should", "may") if level in levels)


REGISTRY: dict[str, Case] = {}


def case(
    *statements: str,
    slug: str,
    needs: Sequence[str] = (),
    settings: dict[str, object] | None = None,
    isolated: bool = False,
) -> Callable[[Body], Body]:
    """Register a case for every protocol version that `statements` belong to.

    The function's docstring says what the case expects; users read it. The function gets a `Peer` that is not connected
    yet. `peer.version` is the version that the case runs in.

    Raises:
        ValueError: a statement or need does not exist, the slug is taken, or the docstring is missing.
    """

    def register(body: Body) -> Body:
        add_case(body, (body.__doc__ or "").strip(), *statements, slug=slug, needs=needs, settings=settings,
                 isolated=isolated)  # fmt: skip
        return body

    return register


def add_case(
    body: Body,
    intent: str,
    *statements: str,
    slug: str,
    needs: Sequence[str] = (),
    settings: dict[str, object] | None = None,
    isolated: bool = False,
) -> None:
    """Register a body that code made, for example one for each derived vector. Otherwise like `case`."""
    if not intent:
        raise ValueError(f"case {slug!r}: a docstring has to say what the case is for")
    for name in statements:
        if name not in STATEMENTS:
            raise ValueError(f"case {slug!r}: there is no statement {name!r}")
    for name in needs:
        if name not in NEEDS:
            raise ValueError(f"case {slug!r}: {name!r} is not a need; the needs are {', '.join(sorted(NEEDS))}")
    for version in sorted({STATEMENTS[s].version for s in statements}, reverse=True):
        mine = tuple(s for s in statements if STATEMENTS[s].version == version)
        identifier = f"{mine[0]}/{slug}"
        if identifier in REGISTRY:
            raise ValueError(f"case {identifier!r} is registered twice")
        REGISTRY[identifier] = Case(
            id=identifier,
            version=version,
            statements=mine,
            needs=frozenset(needs),
            settings=tuple(sorted((settings or {}).items())),
            isolated=isolated,
            intent=" ".join(intent.split()),
            body=body,
        )


def load_cases() -> dict[str, Case]:
    """Import every module of cases and the derived vectors. Return the registry in a stable order."""
    package = importlib.import_module("mqtt_conformance.cases")
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"mqtt_conformance.cases.{module}")
    return dict(sorted(REGISTRY.items(), key=lambda item: (-item[1].version, item[0])))
