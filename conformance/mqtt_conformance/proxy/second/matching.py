# SPDX-License-Identifier: MIT
"""Faults of a second author: matching."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from mqtt_conformance.proxy.fault import Hooks, Out, Rule
from mqtt_conformance.proxy.second.tools import Make, fault, forge, losing, spreading
from mqtt_conformance.proxy.world import Link, Sub, loosely, matches
from mqtt_ref.wire.packets import Suback

__all__: list[str] = []

fault(
    "matching-case-folded",
    "X5-topic-case-sensitive",
    "matching",
    5,
    0,
    "a message is delivered also to a filter that differs from its Topic Name in letter case only",
    ("X5-topic-match-exact",),
)(spreading(lambda wanted, topic: matches(wanted.lower(), topic.lower())))

fault(
    "matching-trailing-slash-ignored-311",
    "X311-topic-outer-slash",
    "matching",
    4,
    0,
    "a message to a/b/ is delivered to the filter a/b too",
    ("MQTT311-3.3.2-3", "X311-topic-match-exact"),
)(spreading(lambda wanted, topic: topic.endswith("/") and wanted == topic[:-1]))

fault(
    "matching-leading-slash-ignored",
    "X5-topic-slash-distinct",
    "matching",
    5,
    0,
    "a message to /a/b is delivered to the filter a/b too",
    ("MQTT5-3.3.2-3",),
)(spreading(lambda wanted, topic: topic.startswith("/") and wanted == topic[1:]))

fault(
    "matching-double-slash-collapsed-311",
    "X311-topic-empty-level",
    "matching",
    4,
    0,
    "a message to a//b is delivered to the filter a/b too",
    ("MQTT311-3.3.2-3",),
)(spreading(lambda wanted, topic: "//" in topic and matches(wanted, topic.replace("//", "/"))))

fault(
    "matching-plus-misses-empty-level-311",
    "X311-single-level-wildcard",
    "matching",
    4,
    0,
    "+ does not match a level of zero length",
    ("X311-topic-empty-level", "X311-deliver-to-matching"),
)(
    losing(
        lambda sub, topic: any(
            level == "+" and name == "" for level, name in zip(sub.plain.split("/"), topic.split("/"), strict=False)
        )
    )
)

fault(
    "matching-hash-misses-parent",
    "X5-multi-level-wildcard-matches",
    "matching",
    5,
    0,
    "a/+/# does not match the parent level: a message to a/b is not delivered to it",
    ("X5-message-to-every-match",),
)(losing(lambda sub, topic: sub.plain.endswith("+/#") and topic.count("/") == sub.plain.count("/") - 1))

fault(
    "matching-hash-misses-leading-slash",
    "X5-multi-level-wildcard-matches",
    "matching",
    5,
    0,
    "the filter # does not match a Topic Name that begins with a slash",
    ("X5-topic-level-empty", "X5-message-to-every-match"),
)(losing(lambda sub, topic: sub.plain == "#" and topic.startswith("/")))

fault(
    "matching-last-plus-takes-several-levels",
    "X5-single-level-wildcard-matches",
    "matching",
    5,
    0,
    "+ as the last level matches several levels: a/b/c is delivered to a/+",
    ("MQTT5-3.3.2-3",),
)(
    spreading(
        lambda wanted, topic: (
            wanted.endswith("/+") and matches(wanted[:-1] + "#", topic) and topic.count("/") > wanted.count("/")
        )
    )
)

fault(
    "matching-last-plus-optional-311",
    "X311-single-level-wildcard",
    "matching",
    4,
    0,
    "+ as the last level matches no level too: a message to a is delivered to a/+",
    ("MQTT311-3.3.2-3",),
)(spreading(lambda wanted, topic: wanted.endswith("/+") and matches(wanted[:-2], topic)))

fault(
    "matching-deep-topic-lost-311",
    "X311-topic-levels-unlimited",
    "matching",
    4,
    1,
    "a Topic Name of more than 16 levels matches no filter with #",
    ("X311-multi-level-wildcard", "MQTT311-4.5.0-1", "X311-deliver-to-matching"),
)(losing(lambda sub, topic: topic.count("/") >= 16 and "#" in sub.plain))

fault(
    "matching-plus-misses-dollar-inside",
    "X5-single-level-wildcard-matches",
    "matching",
    5,
    0,
    "+ does not match a level behind the first that begins with $",
    ("X5-message-to-every-match",),
)(
    losing(
        lambda sub, topic: any(
            level == "+" and name.startswith("$")
            for level, name in zip(sub.plain.split("/"), topic.split("/"), strict=False)
        )
    )
)

fault(
    "matching-two-plus-lost-311",
    "X311-deliver-to-matching",
    "matching",
    4,
    0,
    "a filter with more than one + matches nothing",
    ("X311-single-level-wildcard", "MQTT311-4.5.0-1"),
)(losing(lambda sub, topic: sub.plain.count("+") > 1))

fault(
    "matching-normalized",
    "MQTT5-4.7.3-4",
    "matching",
    5,
    0,
    "Topic Names and filters are compared in Unicode form NFC: a decomposed letter matches the composed one",
    ("X5-topic-match-exact",),
)(spreading(lambda wanted, topic: unicodedata.normalize("NFC", wanted) == unicodedata.normalize("NFC", topic)))

fault(
    "matching-space-trimmed-311",
    "X311-topic-match-exact",
    "matching",
    4,
    0,
    "spaces at the end of a Topic Name are taken off: a message to 'a/b ' is delivered to a/b",
    ("MQTT311-3.3.2-3", "MQTT311-4.7.3-4"),
)(spreading(lambda wanted, topic: topic.endswith(" ") and wanted == topic.rstrip(" ")))


def _dollar(test: Callable[[Sub], bool]) -> Make:
    """A rule by which subscriptions for which `test` holds get a message of $SYS."""

    def make() -> Rule:
        def down(link: Link, packet: Any) -> Out:
            if isinstance(packet, Suback) and link.session is not None:
                for sub in link.session.subs.values():
                    if test(sub) and loosely(sub.plain, "$SYS/broker/version") and not sub.memo.get("told"):
                        sub.memo["told"] = True
                        link.later(0.01, lambda: forge(link, "$SYS/broker/version", b"1.0", retain=True))
            return None

        return Hooks(down=down)

    return make


fault(
    "matching-plus-takes-dollar-311",
    "MQTT311-4.7.2-1",
    "matching",
    4,
    0,
    "a filter that begins with + matches $SYS topics, # does not: +/broker/version and +/# get $SYS/broker/version",
)(_dollar(lambda sub: sub.plain.startswith("+")))
fault(
    "shared-hash-takes-dollar",
    "MQTT5-4.7.2-1",
    "shared",
    5,
    0,
    "the filter # of a Shared Subscription matches $SYS topics: $share/g/# gets $SYS/broker/version",
    ("X5-shared-match-prefix",),
)(_dollar(lambda sub: bool(sub.share)))
