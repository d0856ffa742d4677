# SPDX-License-Identifier: MIT
"""SASLprep: the examples of RFC 4013 and one text for each thing that is forbidden."""

from __future__ import annotations

import pytest

from mqtt_ref.auth.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("a\u3000b", "a b"),
        ("", ""),
        ("\u00ad", ""),
        ("\u0627\u0628", "\u0627\u0628"),
        ("\u06271\u0628", "\u06271\u0628"),
        ("o\u0308", "\u00f6"),
    ],
)
def test_what_looks_the_same_becomes_the_same(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text",
    [
        "\u0007",
        "\u007f",
        "a\u0085",
        "\ue000",
        "\ufdd0",
        "\ud800",
        "\ufff9",
        "\u2ff0",
        "\u200e",
        "\U000e0001",
        "\u06271",
        "\u0627a\u0628",
    ],
)
def test_what_is_forbidden(text: str) -> None:
    with pytest.raises(ValueError, match="user name or password"):
        saslprep(text)


def test_what_unicode_3_2_did_not_know_may_be_asked_for_and_not_stored() -> None:
    assert saslprep("\U0001f511", stored=False) == "\U0001f511"
    with pytest.raises(ValueError, match="not assigned"):
        saslprep("\U0001f511")
