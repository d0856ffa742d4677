# SPDX-License-Identifier: MIT
"""Lines of the log: text and JSON, one line each, bounded in a flood."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Generator

import pytest

from mqtt_ref import log

SECOND = 1_000_000_000


@pytest.fixture
def logger() -> Generator[logging.Logger]:
    logger = logging.getLogger("mqtt_ref")
    before = (logger.level, logger.propagate, logger.handlers[:])
    yield logging.getLogger("mqtt_ref.test")
    logger.level, logger.propagate, logger.handlers[:] = before
    logger.setLevel(before[0])


def test_silent_until_set_up(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("mqtt_ref").propagate = False  # pytest listens at the root
    logger.error("nobody asked")
    assert capsys.readouterr() == ("", "")


def test_text(logger: logging.Logger) -> None:
    stream = io.StringIO()
    log.setup(logging.INFO, stream=stream)
    logger.info("hello %s", "world")
    logger.debug("not shown")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO test: hello world\n", stream.getvalue())


def test_what_a_peer_sends_cannot_break_a_line(logger: logging.Logger) -> None:
    stream = io.StringIO()
    log.setup(stream=stream)
    logger.warning("client %s", "a\nERROR forged\x1b[2J\u2028é")
    assert stream.getvalue().splitlines()[0].endswith(r"client a\nERROR forged\x1b[2J\u2028é")
    assert len(stream.getvalue().splitlines()) == 1


def test_json(logger: logging.Logger) -> None:
    stream = io.StringIO()
    log.setup(form="json", stream=stream)
    logger.warning("closed", extra={"fields": {"client_id": "a\nb", "code": 0x81}})
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("failed")
    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first.pop("t")[-1] == "Z"
    assert first == {"level": "warning", "logger": "mqtt_ref.test", "text": "closed", "client_id": "a\nb", "code": 0x81}
    assert "ValueError: broken" in second["traceback"]


def test_what_a_line_is_about_does_not_hide_what_it_is(logger: logging.Logger) -> None:
    stream = io.StringIO()
    log.setup(form="json", stream=stream)
    logger.warning("closed", extra={"fields": {"level": "fine", "text": "forged", "code": 1}})
    (row,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (row["level"], row["text"], row["code"]) == ("warning", "closed", 1)


def test_there_are_two_forms() -> None:
    with pytest.raises(ValueError, match="text or json, not 'xml'"):
        log.setup(form="xml")


def test_a_flood_is_counted() -> None:
    said: list[str] = []
    throttle = log.Throttle(said.append, most=3)
    assert [throttle.passes(SECOND + n) for n in range(5)] == [True, True, True, False, False]
    assert not said
    assert throttle.passes(2 * SECOND)
    assert said == ["2 more lines like these were left out"]
    throttle.settle()
    assert len(said) == 1


ODD = "a\x1b[2J\x9b31m\u202e\u2028\ud800"


@pytest.mark.parametrize("form", log.FORMS)
def test_nothing_that_acts_on_a_terminal_is_in_any_form(logger: logging.Logger, form: str) -> None:
    """Also in the fields and in the traceback, which shows what the exception says."""
    stream = io.StringIO()
    log.setup(form=form, stream=stream)
    try:
        raise ValueError(ODD)
    except ValueError:
        logger.exception("failed: %s", ODD, extra={"fields": {ODD: [ODD]}})
    assert stream.getvalue().replace("\n", "").isprintable()
    if form == "json":
        row = json.loads(stream.getvalue())
        assert row["text"] == f"failed: {ODD}"
        assert row[ODD] == [ODD]
