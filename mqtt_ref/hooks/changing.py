# SPDX-License-Identifier: MIT
"""Hooks that change or refuse input. Each handler gets the result of the one before; every result is validated."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from mqtt_ref.broker.views import Client, view_of
from mqtt_ref.engine.generated.events import Intercept
from mqtt_ref.engine.intercept import LATER, Refusal
from mqtt_ref.hooks.chain import Chain, Chains, Handler, unfit
from mqtt_ref.hooks.declare import ENGINE, EVENTS
from mqtt_ref.hooks.outcomes import Drop, Reject
from mqtt_ref.hooks.selecting import select_of
from mqtt_ref.wire.codes import NOT_AUTHORIZED, UNSPECIFIED_ERROR
from mqtt_ref.wire.fast import decode, encode
from mqtt_ref.wire.framing import head_size
from mqtt_ref.wire.packets import Connect, Packet, Publish, Will
from mqtt_ref.wire.primitives import CLIENT, V5
from mqtt_ref.wire.reasons import REASON_TITLES
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session

__all__ = ["CHANGES", "Change", "fold", "intercept_of", "legal"]

FAILED: Final = Refusal(UNSPECIFIED_ERROR, "A hook failed")
DROPPED: Final = Refusal(0, "", True)


class Change:
    """Rules for one event: what its handlers may return, and the outcome when a handler raises."""

    failed: Refusal | None = FAILED
    droppable = False
    decides = False
    """True if the first answer decides, so that no further handler is asked."""

    def mark(self, value: Any) -> tuple[object, ...]:
        """Return the parts of a value that must stay the same. Called before a handler sees the value."""
        return (type(value), getattr(value, "packet_id", 0))

    def given_up(self, handler: Handler, error: Exception) -> Refusal | None:
        """Return the outcome when a handler raises, and log the error."""
        if self.droppable and isinstance(error, Drop):
            return DROPPED
        handler.failed(error)
        return self.failed

    def check(self, broker: Broker, version: int, mark: tuple[object, ...], answer: Any) -> Any:
        """Validate the answer of a handler and return the value for the next one.

        Raises:
            TypeError: the answer has the wrong type.
            ValueError: the answer is illegal, or a part that must stay the same was changed.
        """
        if type(answer) is not mark[0]:
            raise unfit(answer, f"a {_name(mark[0])} or None")
        if self.mark(answer) != mark:
            raise ValueError(f"it changed a part that must stay the same: {answer!r}")
        return legal(answer, version, CLIENT) if isinstance(answer, Packet) else answer


class Decide(Change):
    """Nothing can be changed: the first answer accepts or refuses."""

    decides = True

    def check(self, broker: Broker, version: int, mark: tuple[object, ...], answer: Any) -> Any:
        if answer is False:
            raise Reject(NOT_AUTHORIZED)
        if answer is not True:
            raise unfit(answer, "True, False or None")
        return None


class _Connect(Change):
    """Nothing can be changed, only refused."""

    def check(self, broker: Broker, version: int, mark: tuple[object, ...], answer: Any) -> Any:
        raise unfit(answer, "None")


class _Read(Change):
    droppable = True

    def mark(self, value: Any) -> tuple[object, ...]:
        return (type(value), getattr(value, "packet_id", 0), getattr(value, "protocol_version", 0))


class _Subscribe(Change):
    def mark(self, value: Any) -> tuple[object, ...]:
        return (type(value), value.packet_id, len(value.subscriptions))


class _Unsubscribe(Change):
    failed = None

    def mark(self, value: Any) -> tuple[object, ...]:
        return (type(value), value.packet_id, len(value.topic_filters))


class _Publish(Change):
    """Validated by the rules of 5.0, so that a hook can add properties to the PUBLISH of a 3.x client."""

    droppable = True

    def mark(self, value: Any) -> tuple[object, ...]:
        return (Publish,)

    def check(self, broker: Broker, version: int, mark: tuple[object, ...], answer: Any) -> Publish:
        if type(answer) is not Publish:
            raise unfit(answer, "a Publish or None")
        capabilities = broker.options.capabilities
        if answer.qos > capabilities.maximum_qos:
            raise ValueError(f"QoS {answer.qos} is above the maximum")
        if answer.retain and not capabilities.retain_available:
            raise ValueError("retained messages are not supported")
        numbered = Publish(
            answer.topic, answer.payload, answer.qos, answer.retain, False, 1 if answer.qos else 0, answer.properties
        )
        found = legal(numbered, V5, CLIENT)
        assert isinstance(found, Publish)
        return found


class _Will(Change):
    droppable = True

    def mark(self, value: Any) -> tuple[object, ...]:
        return (Will,)

    def check(self, broker: Broker, version: int, mark: tuple[object, ...], answer: Any) -> Will:
        if type(answer) is not Will:
            raise unfit(answer, "a Will or None")
        carrier = legal(Connect("c", protocol_version=version, will=answer), version, CLIENT)
        assert isinstance(carrier, Connect)
        assert carrier.will is not None
        return carrier.will


SPECIAL: Final[dict[str, Change]] = {
    "on_connect": _Connect(),
    "on_packet_read": _Read(),
    "on_publish": _Publish(),
    "on_subscribe": _Subscribe(),
    "on_unsubscribe": _Unsubscribe(),
    "on_will": _Will(),
}
CHANGES: Final[dict[str, Change]] = {
    event.name: SPECIAL.get(event.name) or (Change() if event.kind == "transform" else Decide())
    for event in EVENTS.values()
    if event.by == ENGINE and event.kind in ("transform", "decide") and event.name != "on_select_subscribers"
}
"""By event, the rules for input that hooks may change or refuse. `selecting` handles `on_select_subscribers`."""


def legal(packet: Packet, version: int, sender: int) -> Packet:
    """Encode a packet, decode it again, and return the result.

    Raises:
        TypeError: a field has the wrong type.
        ValueError: the packet breaks a rule.
    """
    if isinstance(packet, Connect):
        version = packet.protocol_version
    data = encode(version, packet)
    found = decode(version, sender, data, 0, head_size(data), len(data))
    if isinstance(found, Violation):
        title = REASON_TITLES.get(found.reason, f"0x{found.reason:02X}")
        raise ValueError(f"it returned an illegal packet ({title}, {found.statement}): {packet!r}")
    return found


def _name(kind: object) -> str:
    return getattr(kind, "__name__", str(kind))


def fold(chain: Chain, broker: Broker, event: str, *arguments: Any) -> Any:
    """Return the last argument as the handlers changed it, None if it is unchanged, or a `Refusal`."""
    change = CHANGES[event]
    mark = change.mark(arguments[-1])
    changed = False
    for handler in chain:
        try:
            answer = handler.call(*arguments)
            if answer is not None:
                client = arguments[0]
                version = client.protocol_version if isinstance(client, Client) else V5
                value = change.check(broker, version, mark, answer)
                if change.decides:
                    return None
                arguments = (*arguments[:-1], value)
                changed = True
        except Reject as no:
            return Refusal(no.reason_code or FAILED.code, no.text)
        except Exception as error:
            return change.given_up(handler, error)
    return arguments[-1] if changed else None


def intercept_of(chains: Chains, broker: Broker) -> Intercept:
    """Build the `Intercept` of these hooks: a callable for each event that has a handler."""
    waits = any(handler.waits for event in CHANGES for handler in chains[event])
    intercept = Intercept(waits=waits, on_select_subscribers=select_of(chains, broker))
    for event in CHANGES:
        if chains[event]:
            setattr(intercept, event, _seam(chains[event], broker, event))
    return intercept


def _seam(chain: Chain, broker: Broker, event: str) -> Callable[..., Any]:
    if any(handler.waits for handler in chain):
        return _later

    def of_client(subject: Connection | Session | None, value: Any) -> Any:
        return fold(chain, broker, event, view_of(subject), value)

    def of_client_and_more(subject: Connection | Session | None, *rest: Any) -> Any:
        return fold(chain, broker, event, view_of(subject), *rest)

    if not EVENTS[event].of_client:
        return partial(fold, chain, broker, event)
    return of_client if len(EVENTS[event].arguments) == 2 else of_client_and_more


def _later(*_: object) -> Refusal:
    return LATER
