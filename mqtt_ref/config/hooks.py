# SPDX-License-Identifier: MIT
"""Builds the hooks of a server from a configuration, in the order in which they are asked."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import msgspec

from mqtt_ref.config.model import Config, Custom
from mqtt_ref.config.problem import KeyPath
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.chain import chains_of

if TYPE_CHECKING:
    from mqtt_ref.auth.ledger import Ledger
    from mqtt_ref.auth.scram import Credentials
    from mqtt_ref.config.check import Report

__all__ = ["authentication", "own_hooks"]


def own_hooks(config: Config, report: Report) -> list[Hook]:
    """Build the debug hook and custom hooks. Problems are reported by key path."""
    wanted = config.hooks
    made: list[Hook] = []
    if wanted.debug is not None and wanted.debug.enable:
        from mqtt_ref.hooks.debug import Debug

        made.append(
            Debug(
                show_packet_data=wanted.debug.show_packet_data,
                show_pings=wanted.debug.show_pings,
                show_passwords=wanted.debug.show_passwords,
            )
        )
    for place, custom in enumerate(wanted.custom):
        hook = _custom(custom, ("hooks", "custom", place), report)
        if hook is not None:
            made.append(hook)
    return made


def authentication(config: Config, report: Report) -> list[Hook]:
    """Build the access hooks, in the order in which they are asked. Problems are reported by key path."""
    wanted = config.hooks.auth
    if wanted is None:
        return []
    made: list[Hook] = []
    book = None
    rules = _ledger(config, report)
    if rules is not None:
        from mqtt_ref.auth.ledger import LedgerError
        from mqtt_ref.auth.ledger_hook import LedgerHook

        try:
            book = LedgerHook(rules)
        except LedgerError as error:
            _pass_on(error, report)
    if wanted.certificates is not None:
        from mqtt_ref.auth.certificates import CertificateIdentity

        allow = None if book is None else book.may_connect
        made.append(CertificateIdentity(wanted.certificates.source, allow=allow, required=wanted.certificates.required))
    users = _credentials(config, report)
    if users is not None:
        from mqtt_ref.auth.scram_hook import ScramHook

        try:
            made.append(ScramHook(users))
        except ValueError as error:
            report(("hooks", "auth", "scram"), str(error))
    if book is not None:
        made.append(book)
    if wanted.allow_all:
        made.append(AllowAll())
    return made


def _ledger(config: Config, report: Report) -> Ledger | None:
    """Build the ledger of a configuration; None if it has none or it is invalid."""
    wanted = None if config.hooks.auth is None else config.hooks.auth.ledger
    if wanted is None:
        return None
    from mqtt_ref.auth.ledger import Ledger, LedgerError

    try:
        return Ledger.from_mapping(msgspec.to_builtins(wanted))
    except LedgerError as error:
        _pass_on(error, report)
        return None


def _credentials(config: Config, report: Report) -> dict[str, Credentials] | None:
    """Build the SCRAM credentials by user name; None if SCRAM is not configured."""
    wanted = None if config.hooks.auth is None else config.hooks.auth.scram
    if wanted is None:
        return None
    from mqtt_ref.auth.scram import Credentials

    found: dict[str, Credentials] = {}
    for name, stored in wanted.items():
        hashed = stored.startswith("SCRAM-SHA-256$")
        try:
            found[name] = Credentials.parse(stored) if hashed else Credentials.from_password(stored)
        except ValueError as error:
            report(("hooks", "auth", "scram", name), str(error))
    return found


def _pass_on(error: Any, report: Report) -> None:
    for problem in error.problems:
        report(("hooks", "auth", "ledger", *problem.path), problem.text)


def _custom(wanted: Custom, path: KeyPath, report: Report) -> Hook | None:
    """Import the class of a hook and create the hook."""
    module, _, name = wanted.hook.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # the module may raise anything
        why = error if isinstance(error, ImportError | AttributeError) else repr(error)
        report((*path, "hook"), f"is {wanted.hook!r}, which cannot be imported: {why}")
        return None
    if not (isinstance(found, type) and issubclass(found, Hook)):
        report((*path, "hook"), f"is {wanted.hook!r}, which is not a subclass of mqtt_ref.hooks.Hook")
        return None
    try:
        hook = found(**wanted.arguments)
    except Exception as error:
        report((*path, "arguments"), f"are not accepted by {wanted.hook}: {error!r}")
        return None
    try:
        chains_of((hook,))
    except TypeError as error:
        report((*path, "hook"), f"cannot be added: {error}")
    return hook
