# SPDX-License-Identifier: MIT
"""Makes the options of a broker from their names: `options(maximum_qos=1, queued_messages=5)`."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from typing import Any, Final

from mqtt_ref.engine.generated.decisions import DECISIONS
from mqtt_ref.engine.options import Bounds, Capabilities, Options

__all__ = ["options"]

GROUPS: Final = ("capabilities", "bounds", "decisions")


def options(**settings: Any) -> Options:
    """Return options with these capabilities, bounds, decisions and other settings, each by its own name.

    Raises:
        TypeError: a name is unknown (the text gives similar names), or a value has the wrong type.
        ValueError: a decision does not have this value, or a limit that is sent to clients is out of range.
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
    """Check that `value` has the type of the default, and is in the range that can be sent to a client."""
    from mqtt_ref.oracle.limiting import Limit

    kind = type(default)
    if kind in (bool, int, str) and type(value) is not kind:
        raise TypeError(f"{name} must be {kind.__name__}, not {value!r}")
    if name in Limit.__struct_fields__:
        Limit(**{name: value})
