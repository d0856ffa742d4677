# SPDX-License-Identifier: MIT
"""Options from names alone."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.options import Options
from mqtt_ref.testing.settings import options


def test_each_setting_finds_its_place() -> None:
    made = options(maximum_qos=1, queued_messages=5, reason_strings=False, shared_for_v3="share")
    assert made.capabilities.maximum_qos == 1
    assert made.bounds.queued_messages == 5
    assert made.reason_strings is False
    assert made.decisions == {"shared_for_v3": "share"}
    assert options() == Options()


def test_no_name_means_two_things() -> None:
    from dataclasses import fields

    from mqtt_ref.engine.generated.decisions import DECISIONS
    from mqtt_ref.engine.options import Bounds, Capabilities

    names = [field.name for kind in (Options, Capabilities, Bounds) for field in fields(kind)]
    assert len(names) == len(set(names))
    (both,) = {*names} & {*DECISIONS}
    value = DECISIONS[both][0][0]
    assert options(**{both: value}).decisions == {both: value}, "decisions have values that are words"


def test_what_there_is_not() -> None:
    with pytest.raises(TypeError, match="no option 'max_qos'; perhaps maximum_qos"):
        options(max_qos=1)
    with pytest.raises(ValueError, match="shared_for_v3: 'maybe' is not one of"):
        options(shared_for_v3="maybe")
    with pytest.raises(ValueError, match="receive_maximum of Limit: Expected `int` >= 1"):
        options(receive_maximum=0)
    with pytest.raises(TypeError, match="queued_messages must be int, not '5'"):
        options(queued_messages="5")
