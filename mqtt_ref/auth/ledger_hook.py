# SPDX-License-Identifier: MIT
"""Hook that decides access by a ledger, which can be replaced while clients are connected."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Final

from mqtt_ref.auth.compiled import CompiledAcl
from mqtt_ref.auth.filters import Permission
from mqtt_ref.auth.ledger import Ledger, LedgerError, Problem
from mqtt_ref.auth.login import Login, Logins
from mqtt_ref.auth.passwords import problem_of
from mqtt_ref.auth.turns import Turns, neighbourhood
from mqtt_ref.hooks import Decision, Hook
from mqtt_ref.log import Throttle
from mqtt_ref.wire.codes import SERVER_BUSY
from mqtt_ref.wire.reasons import REASON_TITLES

if TYPE_CHECKING:
    from mqtt_ref.broker.views import Client
    from mqtt_ref.wire.packets import Connect

__all__ = ["LedgerHook"]

LOG = logging.getLogger("mqtt_ref.auth")
LINES: Final = Throttle(LOG.warning)
DENIALS: Final = Throttle(LOG.warning)
_READ: Final = int(Permission.READ)
_WRITE: Final = int(Permission.WRITE)


class LedgerHook(Hook):
    """Authenticate clients and check topics by a `Ledger`.

    Hashed passwords are checked by `workers` threads (0: one for each processor, at most four). Client addresses take
    turns, so that a flood of logins from one address delays a login from another by no more than one check for each
    address. At most `waiting` logins are open. If there are more, clients of the address with most waiting logins are
    refused with Server busy (0x89).

    Raises:
        LedgerError: a password hash is invalid or not supported.
    """

    id = "ledger"

    def __init__(self, ledger: Ledger, *, workers: int = 0, waiting: int = 1000) -> None:
        self.ledger: Ledger
        self._logins: Logins
        self._acl: CompiledAcl
        self._workers = workers or min(4, os.cpu_count() or 1)
        self._turns: Turns[Login] = Turns(self._workers, waiting)
        self._busy = Login(SERVER_BUSY, f"{waiting} other logins are waiting")
        self._pool: ThreadPoolExecutor | None = None
        self._take(ledger)

    def replace(self, ledger: Ledger) -> None:
        """Use another ledger from now on. Call this on the server's loop.

        Connected clients stay connected. The new rules apply from the next message and the next SUBSCRIBE.

        Raises:
            LedgerError: a password hash is invalid or not supported; the old ledger stays in use.
        """
        self._take(ledger)
        self.rules_changed()

    def may_connect(self, username: str) -> bool:
        """True if a user that another hook has identified may connect: it is not disallowed."""
        user = self.ledger.users.get(username)
        return user is None or not user.disallow

    def _take(self, ledger: Ledger) -> None:
        stored: dict[tuple[str | int, ...], str] = {}
        stored.update((("auth", number, "password"), rule.password) for number, rule in enumerate(ledger.auth))
        stored.update((("users", name, "password"), user.password) for name, user in ledger.users.items())
        problems = [Problem(path, problem) for path, password in stored.items() if (problem := problem_of(password))]
        if problems:
            raise LedgerError(problems)
        self._logins, self._acl = Logins(ledger), CompiledAcl(ledger)
        self.ledger = ledger

    async def on_connect_authenticate(self, client: Client, connect: Connect) -> Decision:
        """Decide by the users, then by the auth rules. Hashes are checked in a thread."""
        logins = self._logins
        facts = (client.id, connect.username, connect.password, client.remote)
        if not logins.slow:
            login = logins.decide(*facts)
        else:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, "mqtt_ref-passwords")
            work = partial(logins.decide, *facts)
            login = await self._turns.run(self._pool, neighbourhood(client.remote), work) or self._busy
        if login.code == 0:
            return Decision(True)
        if LINES.passes(monotonic_ns()):
            LOG.warning("login refused: client %r, user %r at %s: %s", *facts[:2], facts[3], login.why)
        return Decision(False, login.code, REASON_TITLES[login.code])

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
        """Decide by the user's own filters, then by the ACL rules."""
        permission = self._acl.permission(client.id, client.username, client.remote, topic)
        allowed = permission & (_WRITE if write else _READ) != 0
        if not allowed:
            _note_denial(client, topic, write)
        return allowed

    def on_stopped(self) -> None:
        """Stop the threads. Logins that wait for one get no answer."""
        pool, self._pool = self._pool, None
        self._turns = Turns(self._workers, self._turns.most)
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _note_denial(client: Client, topic: str, write: bool) -> None:
    """Log a denial. Denied reading is level INFO: it is usual to subscribe to more than may be read."""
    level = logging.WARNING if write else logging.INFO
    if LOG.isEnabledFor(level) and DENIALS.passes(monotonic_ns()):
        what = "publish to" if write else "read"
        LOG.log(
            level,
            "denied: client %r, user %r at %s may not %s %r",
            client.id,
            client.username,
            client.remote,
            what,
            topic,
        )
