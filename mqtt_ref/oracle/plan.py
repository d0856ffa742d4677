# SPDX-License-Identifier: MIT
"""The settings of an oracle in a script file or a request: rules, limits, policy, clock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from mqtt_ref.config.check import check_as
from mqtt_ref.config.problem import ConfigError, KeyPath, Problem
from mqtt_ref.config.source import read
from mqtt_ref.engine.options import Options
from mqtt_ref.net.clock import Clock
from mqtt_ref.oracle.limiting import Limit
from mqtt_ref.oracle.rules import Rule, Script

if TYPE_CHECKING:
    from mqtt_ref.oracle.facade import AsyncOracle

__all__ = ["Limits", "Plan", "read_plan"]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the broker offers all its clients. A rule with `limit` sets the same for one client."""

    receive_maximum: Annotated[int, Meta(ge=1, le=65535)] | None = None
    maximum_qos: Annotated[int, Meta(ge=0, le=2)] | None = None
    retain_available: bool | None = None
    maximum_packet_size: Annotated[int, Meta(description="Bytes", ge=16, le=268_435_460)] | None = None
    topic_alias_maximum: Annotated[int, Meta(ge=0, le=65535)] | None = None
    maximum_session_expiry: Annotated[int, Meta(description="Seconds", ge=0, le=4_294_967_295)] | None = None
    wildcard_subscription_available: bool | None = None
    subscription_identifier_available: bool | None = None
    shared_subscription_available: bool | None = None
    server_keep_alive: Annotated[int, Meta(description="Seconds; 5.0 only", ge=1, le=65535)] | None = None

    def options(self, options: Options | None = None) -> Options:
        """Apply the limits that are set to `options`, which is changed, and return it."""
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        if options is None:
            options = Options()
        options.capabilities = Limit(**said).offered(options.capabilities)
        return options


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker to test clients with."""

    rules: list[Rule] = []
    limits: Limits = Limits()
    policy: Annotated[
        Literal["record", "close"],
        Meta(description="Continue after a packet that breaks a rule, or close as the standard requires"),
    ] = "record"
    clock: Annotated[float, Meta(description="Speed of the broker's clock; 1: real time", gt=0, le=1_000_000)] = 1.0

    def __post_init__(self) -> None:
        Script(self.rules)

    def oracle(self, options: Options | None = None, **more: Any) -> AsyncOracle:
        """Create the oracle, on a broker with these options. `more` are further arguments of `AsyncOracle`."""
        from mqtt_ref.oracle.facade import AsyncOracle

        limited = self.limits.options(options)
        return AsyncOracle(limited, rules=self.rules, on_violation=self.policy, clock=Clock(self.clock), **more)


def read_plan(path: Path) -> Plan:
    """Read a plan from a YAML or JSON file.

    Raises:
        ConfigError: the file is invalid. It holds all problems, each with line and key path.
    """
    source = read(path)
    problems: list[Problem] = []

    def report(where: KeyPath, text: str) -> None:
        problems.append(Problem(source.name, *source.place(where), where, text))

    plan = check_as(source.tree, Plan, report)
    if plan is None:
        raise ConfigError(problems)
    return plan
