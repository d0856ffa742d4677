# SPDX-License-Identifier: MIT
"""`mqtt-ref check-config`: checks a configuration and prints every problem."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

__all__ = ["configure", "run"]

FINE, FINDINGS = 0, 1
EXAMPLE = """\
examples:
  mqtt-ref check-config broker.yaml
  MQTT_REF__OPTIONS__CAPABILITIES__MAXIMUM_QOS=1 mqtt-ref check-config broker.yaml --print
  mqtt-ref check-config --schema > broker.schema.json

Each problem is one line: file, line, column and key path, or the environment variable that is wrong. The exit code is
1 if there are any. Nothing is started.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("file", nargs="?", type=Path, help="YAML or JSON file; without it, only the environment")
    parser.add_argument("--print", action="store_true", help="print all values, with defaults; secrets are masked")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema, for editors, and do nothing else")


def run(args: argparse.Namespace) -> int:
    """Check the configuration and print the problems."""
    from mqtt_ref.config.compose import compose
    from mqtt_ref.config.load import effective, load, schema
    from mqtt_ref.config.problem import ConfigError
    from mqtt_ref.wire.printable import printable

    if args.schema:
        print(json.dumps(schema(), indent=2))
        return FINE
    try:
        loaded = load(args.file, os.environ)
        compose(loaded)
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return FINDINGS
    if args.print:
        print(effective(loaded.config), end="")
    else:
        print(printable(f"{args.file or 'the environment'}: fine"))
    return FINE
