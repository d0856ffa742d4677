# SPDX-License-Identifier: MIT
"""`mqtt-ref hash-password`: hashes a password, so that a reader of the ledger cannot log in."""

from __future__ import annotations

import argparse
import sys
from getpass import getpass

from mqtt_ref.auth.passwords import ARGON2, MEMORY, SCHEMES, TIME, hash_password

__all__ = ["configure", "run"]

FINE, USAGE = 0, 2
EXAMPLE = """\
examples:
  mqtt-ref hash-password                        asks twice, without showing what you type
  pass show broker | mqtt-ref hash-password     takes the first line of standard input
  mqtt-ref hash-password --scheme scram-sha-256

The output is the value of `password:` in the ledger; write it in quotes. argon2 is the best choice. pbkdf2 needs no
library, and mosquitto can read it too. With scram-sha-256 the user can also log in with SCRAM-SHA-256."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("--scheme", choices=SCHEMES, default=ARGON2, help=f"how to hash (default: {ARGON2})")
    parser.add_argument("--memory", type=int, default=MEMORY, metavar="KIB", help=f"for argon2 (default: {MEMORY})")
    parser.add_argument("--time", type=int, default=TIME, metavar="PASSES", help=f"for argon2 (default: {TIME})")
    parser.add_argument("--iterations", type=_positive, default=0, metavar="N", help="for pbkdf2 and scram-sha-256")
    parser.add_argument(
        "--password", metavar="TEXT", help="the password; only for tests: others can see it, and your shell stores it"
    )


def run(args: argparse.Namespace) -> int:
    """Print the hash."""
    try:
        password = args.password if args.password is not None else _asked()
        if not password:
            raise ValueError("there is no password")
        hashed = hash_password(
            password.encode(), args.scheme, memory=args.memory, time=args.time, iterations=args.iterations
        )
    except (RuntimeError, ValueError) as error:
        print(f"mqtt-ref hash-password: {error}", file=sys.stderr)
        return USAGE
    print(hashed)
    return FINE


def _asked() -> str:
    """Read the password from the terminal or from the first line of standard input; empty if there is none.

    Raises:
        ValueError: the two passwords from the terminal differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    try:
        password = getpass("Password: ")
        again = getpass("Again: ")
    except EOFError:
        return ""
    if password != again:
        raise ValueError("the two passwords are not the same")
    return password


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
