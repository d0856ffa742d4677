# SPDX-License-Identifier: MIT
"""Reads and checks `clients.toml`, and returns the list of runs, each with a readable id."""

import importlib
import importlib.util
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from interop.adapters.mosquitto_tools import program
from interop.peer import TAGS, VERSIONS
from interop.scenarios import SCENARIOS, Factory

DATA = Path(__file__).with_name("clients.toml")


@dataclass(frozen=True, slots=True)
class Lack:
    """A scenario that a client's interface cannot do, in all versions or some."""

    scenario: str
    versions: tuple[int, ...]
    why: str


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client of the matrix."""

    name: str
    adapter: str
    versions: tuple[int, ...]
    module: str | None
    programs: tuple[str, ...]
    lacks: tuple[Lack, ...]

    def missing(self) -> str | None:
        """Return what this client needs but is not installed."""
        if self.module is not None and importlib.util.find_spec(self.module.partition(".")[0]) is None:
            return f"the Python package {self.module.partition('.')[0]} is not installed"
        for name in self.programs:
            if program(name) is None:
                return f"{name} is not installed"
        own = getattr(importlib.import_module(self.adapter.partition(":")[0]), "missing", None)
        return None if own is None else cast("str | None", own())

    def factory(self) -> Factory:
        """The adapter's class."""
        module, _, name = self.adapter.partition(":")
        return cast(Factory, getattr(importlib.import_module(module), name))

    def can(self, scenario: str, version: int) -> bool:
        """True if the client speaks the version and its interface allows the scenario."""
        return version in self.versions and not any(
            lack.scenario == scenario and version in lack.versions for lack in self.lacks
        )


@dataclass(frozen=True, slots=True)
class Run:
    """One cell of the matrix."""

    scenario: str
    publisher: ClientRow
    publisher_version: int
    subscriber: ClientRow
    subscriber_version: int
    qos: int

    @property
    def id(self) -> str:
        """For example `exchange-paho.v5-to-gmqtt.v311-qos1`."""
        publisher = f"{self.publisher.name}.{TAGS[self.publisher_version]}"
        subscriber = f"{self.subscriber.name}.{TAGS[self.subscriber_version]}"
        who = publisher if publisher == subscriber else f"{publisher}-to-{subscriber}"
        return f"{self.scenario}-{who}-qos{self.qos}"


class DataError(Exception):
    """`clients.toml` has an invalid row."""


@cache
def load() -> dict[str, Any]:
    """Return the checked content of `clients.toml`."""
    with DATA.open("rb") as file:
        return tomllib.load(file)


def clients() -> list[ClientRow]:
    """Return the clients, checked."""
    rows = []
    for row in load()["client"]:
        name = row["name"]
        unknown = set(row) - {"name", "adapter", "versions", "module", "programs", "lacks"}
        if unknown:
            raise DataError(f"client {name}: nothing reads {sorted(unknown)}")
        versions = _versions(row["versions"], name)
        lacks = tuple(
            Lack(lack["scenario"], _versions(lack.get("versions", row["versions"]), name), lack["why"])
            for lack in row.get("lacks", [])
        )
        for lack in lacks:
            if lack.scenario not in SCENARIOS:
                raise DataError(f"client {name} lacks {lack.scenario}, which is not a scenario")
        rows.append(ClientRow(name, row["adapter"], versions, row.get("module"), tuple(row.get("programs", [])), lacks))
    return rows


def runs() -> Iterator[Run]:
    """Return every cell that clients.toml asks for."""
    rows = clients()
    named = [row["name"] for row in load()["scenario"]]
    if sorted(named) != sorted(SCENARIOS):
        raise DataError(f"scenarios in {DATA.name} and in scenarios.py differ: {set(named) ^ set(SCENARIOS)}")
    for scenario in load()["scenario"]:
        name = scenario["name"]
        spoken = _versions(scenario.get("versions", list(VERSIONS)), name)
        ends = [(row, version) for row in rows for version in spoken if row.can(name, version)]
        for publisher, publisher_version in ends:
            for subscriber, subscriber_version in ends:
                same = publisher is subscriber and publisher_version == subscriber_version
                if same or scenario.get("pair", False):
                    for qos in scenario["qos"]:
                        yield Run(name, publisher, publisher_version, subscriber, subscriber_version, qos)


def shared_in_v3(broker: str) -> str:
    """Return what this broker does with `$share/` filters of 3.x clients, according to the data."""
    return str(load()["shared_in_v3"].get(broker, "any"))


def _versions(names: list[str], where: str) -> tuple[int, ...]:
    try:
        return tuple(VERSIONS[name] for name in names)
    except KeyError as unknown:
        raise DataError(f"{where}: there is no version {unknown}") from None
