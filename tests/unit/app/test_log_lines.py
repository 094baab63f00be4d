"""What a line of the log holds when it is read by machines."""

import datetime
import json

import pytest
import structlog

from chathooks.app.logs import configure_logs, json_line


def test_a_line_has_its_fields_the_level_and_the_time_in_utc() -> None:
    before = datetime.datetime.now(datetime.UTC)
    line = json.loads(json_line(None, "warning", {"event": "store full", "free": 12, "what": b"a"}))
    assert (line["event"], line["free"], line["level"]) == ("store full", 12, "warning")
    assert line["timestamp"].endswith("Z")
    assert "+" not in line["timestamp"]
    assert datetime.datetime.fromisoformat(line["timestamp"]) >= before


@pytest.mark.parametrize("method", ["exception", "error"])
def test_a_line_of_a_failure_holds_the_traceback_and_not_the_object(method: str) -> None:
    try:
        raise ValueError("no such place")
    except ValueError as failure:
        line = json.loads(json_line(None, method, {"event": "failed", "exc_info": failure}))
    assert line["level"] == "error"
    assert "ValueError: no such place" in line["exception"]
    assert "exc_info" not in line


def test_what_json_does_not_know_is_shown_as_python_shows_it() -> None:
    line = json.loads(json_line(None, "info", {"event": "looked", "at": object}))
    assert line["at"] == repr(object)


def test_in_a_cluster_every_line_names_its_node(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        configure_logs("info", node="web-1")
        structlog.get_logger("test").info("looked")
    finally:
        structlog.reset_defaults()
    line = json.loads(capfd.readouterr().err)
    assert (line["node"], line["event"], line["level"]) == ("web-1", "looked", "info")
