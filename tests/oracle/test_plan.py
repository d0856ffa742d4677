# SPDX-License-Identifier: MIT
"""Scripts in files: what they come to, and what is said where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqtt_ref.config.problem import ConfigError
from mqtt_ref.oracle.actions import Close, Delay, Drop, Replace
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.plan import Limits, Plan, read_plan
from mqtt_ref.oracle.rules import Rule

SCRIPT = """\
clock: 10
policy: close
limits: {receive_maximum: 1}
rules:
  - name: lost
    when: {packet: PUBREC, to: X, nth: 2}
    do: {type: drop}
  - when: {packet: PINGREQ, from: "*"}
    do:
      - {type: delay, seconds: 0.5}
      - type: close
  - when: {packet: CONNACK, to: "bad-*"}
    do: {type: replace, packet: {type: PUBACK, packet_id: 1}}
"""


def said(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "script.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_plan(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def test_a_script(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    assert read_plan(path) == Plan(
        rules=[
            Rule(when=Match(packet="PUBREC", to="X", nth=2), do=Drop(), name="lost"),
            Rule(when=Match(packet="PINGREQ", by="*"), do=[Delay(seconds=0.5), Close()]),
            Rule(when=Match(packet="CONNACK", to="bad-*"), do=Replace(packet={"type": "PUBACK", "packet_id": 1})),
        ],
        limits=Limits(receive_maximum=1),
        policy="close",
        clock=10.0,
    )
    oracle = read_plan(path).oracle()
    assert oracle.server.options.capabilities.receive_maximum == 1
    assert oracle.clock.scale == 10


def test_everything_that_is_wrong_is_said_with_its_place(tmp_path: Path) -> None:
    found = said(
        tmp_path,
        """\
clock: fast
rules:
  - when: {packet: PUBREK, to: X}
    do: {type: dropp}
  - when: {}
    do: [{type: delay}, {type: split, size: 0}]
  - do: {type: drop}
    whne: {}
""",
    )
    assert [line.partition(": ")[0] + ": " + line.split(": ")[1] for line in found] == [
        "1:1: clock",
        "3:12: rules[0].when.packet",
        "4:10: rules[0].do.type",
        "6:10: rules[1].do[0]",
        "6:39: rules[1].do[1].size",
        "8:5: rules[2].whne",
        "7:5: rules[2]",
    ]
    assert "did you mean PUBREL?" in found[1]
    assert "did you mean drop?" in found[2]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("{when: {to: X, from: Y}, do: {type: drop}}", "2:6: rules[0].when: `to` and `from` (in Python: `by`) exclude"),
        ("{when: {}, do: {type: replace}}", "2:16: rules[0].do: give the packet as exactly one of"),
        ("{when: {}, do: {type: replace, illegal: NONE}}", "there is no illegal packet 'NONE'"),
        ("{when: {}, do: {type: replace, packet: {type: PUBLISH}}}", "PUBLISH: a required attribute is missing"),
        ("{when: {}, do: {type: corrupt}}", "`corrupt` needs exactly one of `at`"),
        ("{when: {packet: PUBACK}, do: {type: refuse}}", "`limit` and `refuse` need `packet: CONNECT`"),
        ("{when: {topic: a/#/b}, do: {type: drop}}", "`topic` is 'a/#/b', which is not a valid Topic Filter"),
    ],
)
def test_what_its_parts_say_together_is_wrong(tmp_path: Path, rule: str, text: str) -> None:
    (found,) = said(tmp_path, f"rules:\n  - {rule}\n")
    assert text in found


def test_two_rules_of_one_name(tmp_path: Path) -> None:
    rule = "{name: x, when: {}, do: {type: drop}}"
    (found,) = said(tmp_path, f"rules:\n  - {rule}\n  - {rule}\n")
    assert "two rules have the name 'x'" in found
