# SPDX-License-Identifier: MIT
"""The decisions of an embedder: which clients may connect, publish, subscribe and read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Connect

__all__ = ["ACCEPT", "CHALLENGE", "REFUSE", "Access", "Verdict"]

ACCEPT: Final = 0
CHALLENGE: Final = 1
REFUSE: Final = 2


class Verdict:
    """The result of an authentication step: accept, challenge (send an AUTH with `data`), or refuse with a code."""

    __slots__ = ("code", "data", "outcome", "text", "username")

    def __init__(
        self, outcome: int = ACCEPT, code: int = 0, data: bytes | None = None, username: str = "", text: str = ""
    ) -> None:
        self.outcome = outcome
        self.code = code
        self.data = data
        self.username = username
        self.text = text

    def __repr__(self) -> str:
        return f"Verdict({self.outcome}, code=0x{self.code:02X})"


class Access:
    """The decisions of an embedder, each a callable or None. None allows everything and costs nothing.

    Each is named after its event. `on_connect_authenticate(connection, connect)` returns a `Verdict`. If it returns
    None, an `Ask` effect leaves and the answer comes through `Broker.answer`. `methods` are the supported
    Authentication Methods; `on_auth_packet(connection, method, data, renewal)` answers each of their steps in the same
    way. The event `on_acl_check` has three callables. `on_acl_check_publish(connection, topic, qos, retain)` and
    `on_acl_check_subscribe(connection, filter, qos)` return 0 or a Reason Code of 0x80 or above. If `waits` is True,
    they may return `intercept.ASK`, so that the question leaves as an effect. `on_acl_check_read(session, topic)` is
    called for each topic that is delivered. Its answers are remembered until `Broker.rules_changed`.

    Cites: X5-security-options-offered, X5-topic-authorization, X311-topic-authorization, X5-authentication-optional
    """

    __slots__ = (
        "methods",
        "on_acl_check_publish",
        "on_acl_check_read",
        "on_acl_check_subscribe",
        "on_auth_packet",
        "on_connect_authenticate",
        "waits",
    )

    def __init__(
        self,
        *,
        on_connect_authenticate: Callable[[Connection, Connect], Verdict | None] | None = None,
        methods: frozenset[str] = frozenset(),
        on_auth_packet: Callable[[Connection, str, bytes | None, bool], Verdict | None] | None = None,
        on_acl_check_publish: Callable[[Connection, str, int, bool], int] | None = None,
        on_acl_check_subscribe: Callable[[Connection, str, int], int] | None = None,
        on_acl_check_read: Callable[[Session, str], bool] | None = None,
        waits: bool = False,
    ) -> None:
        self.on_connect_authenticate = on_connect_authenticate
        self.methods = methods
        self.on_auth_packet = on_auth_packet
        self.on_acl_check_publish = on_acl_check_publish
        self.on_acl_check_subscribe = on_acl_check_subscribe
        self.on_acl_check_read = on_acl_check_read
        self.waits = waits
