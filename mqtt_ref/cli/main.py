# SPDX-License-Identifier: MIT
"""Entry point of `mqtt-ref`: finds a command by its name, imports its module and runs it."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from mqtt_ref import __version__

__all__ = ["COMMANDS", "Command", "is_compiled", "main"]

FINE, FINDINGS, USAGE = 0, 1, 2

# name -> (module with `configure` and `run`, the line that `mqtt-ref --help` shows)
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("mqtt_ref.cli.serve", "run the broker"),
    "conformance": ("mqtt_conformance.cli", "judge any broker by the statements of the standards"),
    "oracle": ("mqtt_ref.cli.oracle", "judge clients, live or from recorded traffic"),
    "check-config": ("mqtt_ref.cli.check_config", "check a configuration and print every problem"),
    "decode": ("mqtt_ref.cli.decode", "decode packets: fields, offsets, and what is wrong"),
    "spec": ("mqtt_ref.cli.spec", "look up statements, packets, properties and Reason Codes"),
    "ping": ("mqtt_ref.cli.ping", "check if a broker accepts a client, for health checks"),
    "hash-password": ("mqtt_ref.cli.hash_password", "hash a password for the users and rules of a ledger"),
}


class Command(Protocol):
    """Interface of the module of a command."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments, with an example as the epilog."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command. Returns 0: fine, 1: findings, 2: wrong usage or a peer that cannot be reached."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in COMMANDS:
            code = _run(words[0], words[1:])
        else:
            code = _front(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, for example `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except KeyboardInterrupt:
        return 130
    return code


def _run(name: str, words: list[str]) -> int:
    module, line = COMMANDS[name]
    command = cast("Command", importlib.import_module(module))
    parser = argparse.ArgumentParser(
        prog=f"mqtt-ref {name}", description=line, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.configure(parser)
    return command.run(parser.parse_args(words))


def _front(words: list[str]) -> int:
    """Handle arguments that do not begin with a command."""
    parser = argparse.ArgumentParser(
        prog="mqtt-ref",
        usage="mqtt-ref [--help] [--version] COMMAND ...",
        description="MQTT 5.0, 3.1.1 and 3.1 with the standard as its source.",
        epilog=_listing(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and whether it is compiled")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    args, _ = parser.parse_known_args(words)
    if args.version:
        form = "compiled" if is_compiled() else "plain Python"
        print(f"mqtt-ref {__version__} ({form})")
        return FINE
    if args.command is None:
        if words:
            parser.error(f"there is no option {words[0]}")
        parser.print_help(sys.stderr)
        return USAGE
    print(f"mqtt-ref: {_unknown(args.command)}", file=sys.stderr)
    return USAGE


def _listing() -> str:
    width = max((len(name) for name in COMMANDS), default=0)
    lines = [f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join(["commands:", *lines, "", "`mqtt-ref COMMAND --help` explains one and shows an example."])


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    if near:
        return f"there is no command {name!r}; did you mean {near[0]!r}?"
    return f"there is no command {name!r}; `mqtt-ref --help` lists them all"


def is_compiled() -> bool:
    """True if the code on the path of a message was compiled by mypyc."""
    from importlib.machinery import EXTENSION_SUFFIXES
    from importlib.util import find_spec

    try:
        spec = find_spec("mqtt_ref.wire.framing")
    except ModuleNotFoundError:
        return False
    return spec is not None and spec.origin is not None and spec.origin.endswith(tuple(EXTENSION_SUFFIXES))
