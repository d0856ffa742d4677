# SPDX-License-Identifier: MIT
"""A broker's options from names alone: `options(maximum_qos=1, queued_messages=5)`."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Final

from mqtt_ref.engine.generated.decisions import DECISIONS
from mqtt_ref.engine.options import Bounds, Capabilities, Options

__all__ = ["options"]

GROUPS: Final = ("capabilities", "bounds", "decisions")


def options(**settings: Any) -> Options:
    """Options with these capabilities, bounds, decisions and other settings, each by its own name.

    Raises:
        TypeError: there is no such setting, and says which are called alike; or its value is of another kind.
        ValueError: a decision has no such value, or a limit that clients are told is out of its range.
    """
    made = Options()
    own = [field.name for field in fields(Options) if field.name not in GROUPS]
    places: dict[str, object] = dict.fromkeys(own, made)
    places |= {field.name: made.bounds for field in fields(Bounds)}
    places |= {field.name: made.capabilities for field in fields(Capabilities)}
    for name, value in settings.items():
        if name in DECISIONS and (isinstance(value, str) or name not in places):
            if value not in DECISIONS[name][0]:
                raise ValueError(f"{name}: {value!r} is not one of {', '.join(DECISIONS[name][0])}")
            made.decisions[name] = value
        elif name in places:
            _check(name, value, getattr(places[name], name))
            setattr(places[name], name, value)
        else:
            alike = get_close_matches(name, [*places, *DECISIONS])
            hint = f"; perhaps {' or '.join(alike)}" if alike else ""
            raise TypeError(f"a broker has no option {name!r}{hint}")
    return made


def _check(name: str, value: Any, default: object) -> None:
    """Whether it is of the kind that the default is, and in the range of what a client can be told."""
    from mqtt_ref.oracle.limiting import Limit

    kind = type(default)
    if kind in (bool, int, str) and type(value) is not kind:
        raise TypeError(f"{name} is {kind.__name__}, not {value!r}")
    if name in Limit.__struct_fields__:
        Limit(**{name: value})
