# SPDX-License-Identifier: MIT
"""Hook for SCRAM-SHA-256: enhanced authentication at CONNECT, and re-authentication.

An example to copy for other methods: `auth_methods` names them, `on_auth_packet` answers each step.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Final

from mqtt_ref.auth.ledger import Ledger
from mqtt_ref.auth.passwords import is_hashed
from mqtt_ref.auth.saslprep import saslprep
from mqtt_ref.auth.scram import ITERATIONS, METHOD, Credentials, ScramError, ServerExchange
from mqtt_ref.hooks import Challenge, Decision, Hook
from mqtt_ref.log import Throttle
from mqtt_ref.wire.codes import NOT_AUTHORIZED

if TYPE_CHECKING:
    from mqtt_ref.broker.views import Client

__all__ = ["ScramHook", "credentials_of"]

LOG = logging.getLogger("mqtt_ref.auth")
LINES: Final = Throttle(LOG.warning)
PATIENCE: Final = 120.0
"""Seconds after which an unfinished exchange is discarded. The server itself waits for a shorter time."""


class ScramHook(Hook):
    """Accept the users whose credentials are given, under the name that they prove.

    A client that re-authenticates must be the same user. For an unknown name the exchange continues to its end with
    made-up credentials, so that it does not show which names exist.
    """

    id = "scram-sha-256"
    auth_methods = frozenset({METHOD})

    def __init__(self, credentials: Mapping[str, Credentials]) -> None:
        self._secret = secrets.token_bytes(32)
        # By client: start time and exchange, in the order of the start times.
        self._exchanges: dict[Client, tuple[float, ServerExchange]] = {}
        self._credentials: dict[str, Credentials] = {}
        self._iterations = ITERATIONS
        self.replace(credentials)

    def replace(self, credentials: Mapping[str, Credentials]) -> None:
        """Use these credentials from now on. Connected clients stay connected.

        Raises:
            ValueError: a name has characters that SCRAM does not allow.
        """
        prepared = {saslprep(name): one for name, one in credentials.items()}
        counted = Counter(one.iterations for one in prepared.values()).most_common(1)
        self._iterations = counted[0][0] if counted else ITERATIONS
        self._credentials = prepared

    def on_auth_packet(self, client: Client, method: str, data: bytes | None, renewal: bool) -> Challenge | Decision:
        """Answer the client's first message with a challenge, and its proof with the server's proof."""
        begun = self._exchanges.pop(client, None)
        try:
            if begun is None:
                exchange = ServerExchange(self._lookup)
                challenge = exchange.first(data or b"")
                self._forget_old()
                self._exchanges[client] = (monotonic(), exchange)
                return Challenge(challenge)
            exchange = begun[1]
            proof = exchange.final(data or b"")
        except ScramError as error:
            return self._refused(client, begun[1].username if begun else "", str(error))
        if renewal and exchange.username != saslprep(client.username, stored=False):
            return self._refused(client, exchange.username, f"it must stay the user {client.username!r}")
        return Decision(True, username=exchange.username, data=proof)

    def on_disconnect(self, client: Client, reason_code: int, text: str) -> None:
        """Discard an unfinished re-authentication."""
        self._exchanges.pop(client, None)

    def _lookup(self, username: str) -> Credentials:
        found = self._credentials.get(username)
        if found is not None:
            return found
        salt, key = (hmac.digest(self._secret, f"{what} {username}".encode(), "sha256") for what in ("salt", "key"))
        return Credentials(salt[:16], self._iterations, key, key)

    def _forget_old(self) -> None:
        """Discard old exchanges: `on_disconnect` is not called for a client that left before it was accepted."""
        before = monotonic() - PATIENCE
        for client in list(islice(self._exchanges, 2)):  # at most two go for each one that comes: there are never many
            if self._exchanges[client][0] < before:
                del self._exchanges[client]

    def _refused(self, client: Client, username: str, why: str) -> Decision:
        if LINES.passes(monotonic_ns()):
            LOG.warning("login refused: client %r, user %r at %s: %s", client.id, username, client.remote, why)
        return Decision(False, NOT_AUTHORIZED, "Not authorized")


def credentials_of(ledger: Ledger) -> dict[str, Credentials]:
    """Return the users of a ledger that can log in with SCRAM-SHA-256: with such a hash or a plain password.

    The keys of a plain password are derived here, which takes some milliseconds each.

    Raises:
        ValueError: a plain password has characters that SCRAM does not allow.
    """
    found: dict[str, Credentials] = {}
    for name, user in ledger.users.items():
        if user.disallow or not user.password:
            continue
        if user.password.startswith("SCRAM-SHA-256$"):
            found[name] = Credentials.parse(user.password)
        elif not is_hashed(user.password):
            found[name] = Credentials.from_password(user.password)
    return found
