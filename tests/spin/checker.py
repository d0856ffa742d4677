# SPDX-License-Identifier: MIT
"""Runs `spin`: explores a model, or takes a random run of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.spin.replay import Bounded

__all__ = ["Bounds", "Explored", "available", "explore", "simulate"]

HERE: Final = Path(__file__).parent
MODEL: Final = "broker.pml"
MACHINES: Final = "machines.pml"
NUMBER: Final = r"\s*([\d.e+]+)"
DEFAULTS: Final = {"SESSIONS": 1, "IDS": 2, "MESSAGES": 2, "BATCHES": 1, "TOGETHER": 0}
"""What `broker.pml` has without any definition, as far as a replay has to know it."""

_MEANS: Final = {"invalid end state": "nothing goes on", "non-progress cycle": "it goes round for ever"}
"""What `spin` finds by itself, in other words."""


@dataclass(frozen=True)
class Bounds:
    """How much may happen in a model, by the names that `broker.pml` has for it."""

    name: str
    values: Mapping[str, int]

    def definitions(self) -> list[str]:
        """As options of the preprocessor."""
        return [f"-D{name}={value}" for name, value in self.values.items()]

    def bounded(self) -> Bounded:
        """As far as a replay has to know them."""
        known = {**DEFAULTS, **self.values}
        return Bounded(
            known["SESSIONS"],
            known["IDS"],
            known["MESSAGES"],
            known["BATCHES"],
            known.get("QUOTA", known["IDS"]),
            bool(known["TOGETHER"]),
        )


@dataclass(frozen=True)
class Explored:
    """What an exploration found. `finding` is empty if every claim holds; `printed` is the run that leads to it."""

    states: int
    transitions: int
    depth: int
    seconds: float
    complete: bool
    finding: str = ""
    printed: tuple[str, ...] = ()


def available() -> str:
    """Which program is missing, or nothing."""
    return ", ".join(name for name in ("spin", "gcc") if shutil.which(name) is None)


def explore(
    bounds: Bounds,
    machines: str = "",
    rule: str = "",
    *,
    breadth: bool = False,
    cycles: bool = False,
    seconds: float = 3600,
    megabytes: int = 12_000,
) -> Explored:
    """Explore every state within some bounds, until a claim fails or the time is over.

    `machines` are other tables than the committed ones, `rule` is a broken rule of the journal. With `breadth` the run
    that is found is a shortest one. With `cycles` a run that goes on for ever counts as a finding; every run ends.

    Raises:
        RuntimeError: `spin` or the C compiler refuses the model.
    """
    options = bounds.definitions()
    if rule:
        options.append(f"-DFAULT={rule}")
    if breadth:
        options.append("-DBREADTH")
    search = ["-DBFS", "-DSAFETY"] if breadth else ["-DNP"] if cycles else ["-DSAFETY"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        _lay_out(folder, machines)
        _must(folder, "spin", "-a", *options, MODEL)
        # A seeded fault is found in a second, so that the time goes into compiling.
        compiler = ["tcc"] if breadth and shutil.which("tcc") else ["gcc", "-O1"]
        size = f"-DMEMLIM={megabytes}"
        _must(folder, *compiler, "-w", "-DNOREDUCE", "-DCOLLAPSE", size, *search, "-o", "pan", "pan.c")
        run = ["./pan", "-w24", *([] if breadth else ["-m1000000"]), *(["-l"] if cycles else [])]
        begun = time.monotonic()
        try:
            done = subprocess.run(run, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
            said = done.stdout
        except subprocess.TimeoutExpired as late:
            said = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        spent = time.monotonic() - begun
        found = re.search(r"pan:1: (.*)", said)
        finding, printed = found[1] if found else "", ""
        if finding and (folder / f"{MODEL}.trail").exists():
            trail = ["spin", "-T", "-t", *options, MODEL]
            printed = subprocess.run(trail, cwd=folder, capture_output=True, text=True, check=False).stdout
            wrong = re.search(r"^\s*wrong: (.*)", printed, re.MULTILINE)
            finding = wrong[1] if wrong else _MEANS.get(finding.split(" (")[0], finding)
        complete = not found and "Search not completed" not in said and "errors: 0" in said
        return Explored(
            _count(rf"{NUMBER} states, stored", said),
            _count(rf"{NUMBER} transitions", said),
            _count(rf"depth reached{NUMBER}", said),
            round(spent, 1),
            complete,
            finding,
            tuple(printed.splitlines()),
        )


def simulate(bounds: Bounds, seed: int) -> list[str]:
    """One random run of the model, as it printed it.

    Raises:
        RuntimeError: `spin` refuses the model.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        _lay_out(folder)
        command = ["spin", "-T", f"-n{seed}", *bounds.definitions(), MODEL]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if "step " not in done.stdout:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout.splitlines()  # it ends with an error if a claim fails, and says which


def _lay_out(folder: Path, machines: str = "") -> None:
    """Copy the model, because `spin` writes into the folder in which it runs."""
    (folder / MODEL).write_text((HERE / MODEL).read_text())
    (folder / MACHINES).write_text(machines or (HERE / MACHINES).read_text())


def _count(pattern: str, said: str) -> int:
    found = re.search(pattern, said)
    return int(float(found[1])) if found else 0


def _must(folder: Path, *command: str) -> str:
    """Run a program that has to succeed; returns what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
