# SPDX-License-Identifier: MIT
"""Access hooks: the first answer that is not None decides. No answer or an error means denied."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from mqtt_ref.broker.topics import split_shared
from mqtt_ref.broker.views import client_of, owner_of
from mqtt_ref.engine.access import ACCEPT, CHALLENGE, REFUSE, Access, Verdict
from mqtt_ref.engine.intercept import ASK
from mqtt_ref.hooks.allow import AllowAll
from mqtt_ref.hooks.chain import Chain, Chains, unfit
from mqtt_ref.hooks.outcomes import Challenge, Decision, Reject
from mqtt_ref.wire.codes import NOT_AUTHORIZED

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Connect

__all__ = ["V", "access_of", "denial", "entitled", "read_acl", "read_decision", "read_step", "refusal", "unshared"]

NOBODY: Final = "no hook decides who may connect"
V = TypeVar("V", Verdict, int)
"""The form in which the engine gets an answer."""


def access_of(chains: Chains, broker: Broker) -> Access | None:
    """Build the `Access` of these hooks; None if every client may do everything."""
    connect = chains["on_connect_authenticate"]
    steps = chains["on_auth_packet"]
    acl = chains["on_acl_check"]
    methods: frozenset[str] = frozenset().union(*(handler.hook.auth_methods for handler in steps))
    open_door = _always(connect)
    free = _always(acl)
    if open_door and free and not methods:
        return None
    return Access(
        on_connect_authenticate=None if open_door else _authenticate(connect),
        methods=methods,
        on_auth_packet=_exchange(steps) if methods else None,
        on_acl_check_publish=None if free else _publish(acl),
        on_acl_check_subscribe=None if free else _subscribe(acl, broker),
        on_acl_check_read=None if free else _read(acl),
        waits=any(handler.waits for handler in acl),
    )


def _always(chain: Chain) -> bool:
    """True if the first handler is that of `AllowAll`, so that no other handler is ever asked."""
    return bool(chain) and getattr(type(chain[0].hook), chain[0].event) is getattr(AllowAll, chain[0].event)


def _authenticate(chain: Chain) -> Callable[[Connection, Connect], Verdict | None]:
    waits = any(handler.waits for handler in chain)

    def authenticate(connection: Connection, connect: Connect) -> Verdict | None:
        if waits:
            return None
        return first(chain, read_decision, denial(NOBODY), client_of(connection), connect)

    return authenticate


def _exchange(chain: Chain) -> Callable[[Connection, str, bytes | None, bool], Verdict | None]:
    def exchange(connection: Connection, method: str, data: bytes | None, renewal: bool) -> Verdict | None:
        able = entitled(chain, method)
        if any(handler.waits for handler in able):
            return None
        return first(able, read_step, denial(), client_of(connection), method, data, renewal)

    return exchange


def entitled(chain: Chain, method: str) -> Chain:
    """Return the handlers of hooks that support this Authentication Method."""
    return tuple(handler for handler in chain if method in handler.hook.auth_methods)


def _publish(chain: Chain) -> Callable[[Connection, str, int, bool], int]:
    if any(handler.waits for handler in chain):
        return lambda link, topic, qos, retain: ASK

    def publish(connection: Connection, topic: str, qos: int, retain: bool) -> int:
        client = client_of(connection)
        for handler in chain:
            try:
                answer = handler.call(client, topic, True)
                if answer is not None:
                    return read_acl(answer)
            except Reject as no:
                return no.reason_code or NOT_AUTHORIZED
            except Exception as error:
                handler.failed(error)
                return NOT_AUTHORIZED
        return NOT_AUTHORIZED

    return publish


def _subscribe(chain: Chain, broker: Broker) -> Callable[[Connection, str, int], int]:
    if any(handler.waits for handler in chain):
        return lambda link, topic_filter, qos: ASK

    def subscribe(connection: Connection, topic_filter: str, qos: int) -> int:
        name = unshared(broker, connection, topic_filter)
        return first(chain, read_acl, NOT_AUTHORIZED, client_of(connection), name, False)

    return subscribe


def unshared(broker: Broker, connection: Connection, topic_filter: str) -> str:
    """Remove `$share/name/` from a filter that is a Shared Subscription on this connection."""
    session = connection.session
    if session is not None and broker.router.is_shared(topic_filter, session.version):
        share = split_shared(topic_filter)
        if share is not None:
            return share[1]
    return topic_filter


def _read(chain: Chain) -> Callable[[Session, str], bool]:
    """Check read access when a message is delivered. Delivery cannot wait, so only plain methods are asked.

    If no plain method decides, and a hook with `filters_only` was not asked, the topic is allowed: the answer for the
    filter is valid for it.
    """
    plain = tuple(handler for handler in chain if not handler.waits)
    undecided = len(plain) < len(chain)

    def read(session: Session, topic: str) -> bool:
        client = owner_of(session)
        for handler in plain:
            try:
                answer = handler.call(client, topic, False)
                if answer is not None:
                    return read_acl(answer) == 0
            except Reject:
                return False
            except Exception as error:
                handler.failed(error)
                return False
        return undecided

    return read


def first(chain: Chain, read: Callable[[object], V], denied: V, *args: object) -> V:
    """Return the first answer that is not None, converted by `read`; `denied` if there is none."""
    for handler in chain:
        try:
            answer = handler.call(*args)
            if answer is not None:
                return read(answer)
        except Reject as no:
            return refusal(denied, no)
        except Exception as error:
            handler.failed(error)
            return denied
    return denied


def refusal(denied: V, no: Reject) -> V:
    """Return `denied` with the Reason Code and text of the raised `Reject`."""
    if isinstance(denied, Verdict):
        return Verdict(REFUSE, no.reason_code or NOT_AUTHORIZED, text=no.text)
    return no.reason_code or NOT_AUTHORIZED


def denial(text: str = "") -> Verdict:
    """Return a refusal with Not authorized (0x87)."""
    return Verdict(REFUSE, NOT_AUTHORIZED, text=text)


def read_decision(answer: object) -> Verdict:
    """Convert an answer of `on_connect_authenticate`.

    Raises:
        TypeError: the answer has the wrong type.
    """
    if answer is True:
        return Verdict(ACCEPT)
    if answer is False:
        return Verdict(REFUSE, NOT_AUTHORIZED)
    if isinstance(answer, Decision):
        if answer.allow:
            return Verdict(ACCEPT, data=answer.data, username=answer.username)
        return Verdict(REFUSE, answer.reason_code or NOT_AUTHORIZED, text=answer.text)
    raise unfit(answer, "True, False, a Decision or None")


def read_step(answer: object) -> Verdict:
    """Convert an answer of `on_auth_packet`.

    Raises:
        TypeError: the answer has the wrong type.
    """
    if isinstance(answer, Challenge):
        return Verdict(CHALLENGE, data=answer.data)
    if isinstance(answer, Decision):
        return read_decision(answer)
    raise unfit(answer, "a Challenge, a Decision or None")


def read_acl(answer: object) -> int:
    """Convert an answer of `on_acl_check` to a Reason Code.

    Raises:
        TypeError: the answer has the wrong type.
    """
    if answer is True:
        return 0
    if answer is False:
        return NOT_AUTHORIZED
    raise unfit(answer, "True, False or None")
