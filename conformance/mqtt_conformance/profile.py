# SPDX-License-Identifier: MIT
"""A user's description of a broker: credentials, capabilities, and commands to start, stop and configure it."""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mqtt_conformance.target import Capabilities

__all__ = ["COMMAND_LIMIT", "PROVIDED", "Profile", "ProfileError", "read_profile"]

COMMANDS = ("start", "stop", "restart", "kill", "apply")
COMMAND_LIMIT = 30.0
"""The time that a command may take, in seconds."""
PROVIDED = frozenset({"restart", "kill", "setting", "persistence", "durability", "enhanced_auth", "users"})
"""What a case may need that no CONNACK shows. A profile has to state it."""


class ProfileError(Exception):
    """The profile is invalid, or one of its commands failed."""


@dataclass
class Profile:
    """One broker as its user describes it.

    `capabilities` override what the probe read. `commands` are run by a shell: `start` before the run, `stop` after it;
    `restart` shuts the broker down cleanly, `kill` ends it at once, and both start it again; `apply` changes settings,
    which it gets as environment variables `SETTING_<NAME>`. Without such variables `apply` restores the normal
    settings. `settings` names those that `apply` understands. `provides` states what cannot be seen from outside:
    `persistence` (sessions, wills and retained messages are still there after `restart`), `durability` (also after
    `kill`), `users`, `enhanced_auth`. Commands run in `directory`, the folder of the profile's file.
    """

    username: str | None = None
    password: str | None = None
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    capabilities: dict[str, Any] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    settings: frozenset[str] = frozenset()
    provides: frozenset[str] = frozenset()
    directory: Path | None = None

    def override(self, found: Capabilities) -> None:
        """Replace probed values with those of the profile."""
        for name, value in self.capabilities.items():
            setattr(found, name, value)

    def offers(self, need: str) -> bool:
        """True if the profile provides one of `PROVIDED`."""
        if need in ("restart", "kill"):
            return need in self.commands
        if need == "setting":
            return "apply" in self.commands
        return need in self.provides

    async def command(self, name: str, settings: Mapping[str, object] | None = None) -> None:
        """Run one of the commands.

        Raises:
            ProfileError: the command failed, or took longer than 30 s.
        """
        environment = dict(os.environ)
        for key, value in (settings or {}).items():
            environment[f"SETTING_{key.upper()}"] = str(value)
        process = await asyncio.create_subprocess_shell(
            self.commands[name], env=environment, cwd=self.directory, stdin=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(COMMAND_LIMIT):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            raise ProfileError(f"the profile's command {name!r} did not end within {COMMAND_LIMIT:.0f} s") from None
        if code:
            raise ProfileError(f"the profile's command {name!r} failed with exit code {code}")


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: the file does not exist or is not TOML, or a key does not exist. The text names file and key.
    """
    try:
        data = tomllib.loads(path.read_text())
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{path}: {error}") from error
    known = {f.name for f in fields(Profile)} - {"directory"}
    for key in data:
        if key not in known:
            raise ProfileError(f"{path}: {key}: no such key; the keys are {', '.join(sorted(known))}")
    capabilities = {f.name for f in fields(Capabilities)}
    for key in data.get("capabilities", {}):
        if key not in capabilities:
            raise ProfileError(
                f"{path}: capabilities.{key}: no such capability; there are {', '.join(sorted(capabilities))}"
            )
    for key in data.get("commands", {}):
        if key not in COMMANDS:
            raise ProfileError(f"{path}: commands.{key}: no such command; the commands are {', '.join(COMMANDS)}")
    provided = PROVIDED - {"restart", "kill", "setting"}
    for key in data.get("provides", ()):
        if key not in provided:
            raise ProfileError(
                f"{path}: provides: {key!r} cannot be provided; the values are {', '.join(sorted(provided))}"
            )
    for key in ("settings", "provides"):
        if key in data:
            data[key] = frozenset(data[key])
    return Profile(**data, directory=path.resolve().parent)
