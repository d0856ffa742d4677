# SPDX-License-Identifier: MIT
"""What a user knows about a broker: credentials, capabilities, and how to start, restart, kill and configure it."""

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
"""Seconds that a command may take."""
PROVIDED = frozenset({"restart", "kill", "setting", "persistence", "durability", "enhanced_auth", "users"})
"""What cases may need that no CONNACK tells, so that a profile has to say it."""


class ProfileError(Exception):
    """The profile says something that cannot be, or one of its commands failed."""


@dataclass
class Profile:
    """One broker as its user describes it.

    `capabilities` override what the probe read. `commands` are run by a shell: `start` before the run, `stop` after it;
    `restart` ends the broker in order and `kill` where it stands, and both start it again; `apply` changes settings,
    which it gets as environment variables `SETTING_<NAME>`; without any it goes back to normal. `settings` names those
    that `apply` understands. `provides` says what nobody can see from outside: `persistence` (what was stored is there
    after `restart`), `durability` (also after `kill`), `users`, `enhanced_auth`. Commands run in `directory`, which is
    that of the file.
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
        """Put what the user said in place of what was probed."""
        for name, value in self.capabilities.items():
            setattr(found, name, value)

    def offers(self, need: str) -> bool:
        """Whether the profile provides something that is no capability, one of `PROVIDED`."""
        if need in ("restart", "kill"):
            return need in self.commands
        if need == "setting":
            return "apply" in self.commands
        return need in self.provides

    async def command(self, name: str, settings: Mapping[str, object] | None = None) -> None:
        """Run one of the commands.

        Raises:
            ProfileError: it failed, or took longer than 30 s.
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
        ProfileError: no such file, not TOML, or a key that does not exist; names file and key.
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
            raise ProfileError(f"{path}: {key}: is not a key; {', '.join(sorted(known))} are")
    capabilities = {f.name for f in fields(Capabilities)}
    for key in data.get("capabilities", {}):
        if key not in capabilities:
            raise ProfileError(f"{path}: capabilities.{key}: is not one; {', '.join(sorted(capabilities))} are")
    for key in data.get("commands", {}):
        if key not in COMMANDS:
            raise ProfileError(f"{path}: commands.{key}: is not one; {', '.join(COMMANDS)} are")
    provided = PROVIDED - {"restart", "kill", "setting"}
    for key in data.get("provides", ()):
        if key not in provided:
            raise ProfileError(f"{path}: provides: {key!r} is nothing to provide; {', '.join(sorted(provided))} are")
    for key in ("settings", "provides"):
        if key in data:
            data[key] = frozenset(data[key])
    return Profile(**data, directory=path.resolve().parent)
