"""Events as lines of JSON."""

import json

from jtss.serving.log import Log


def test_an_event_is_a_line_of_json(capsys):
    log = Log()
    log.say("started", topic="alerts", n=3)
    log.warn("sink_failed", error='of "two"\nlines')
    log.logger.error("from a %s", "library")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert (lines[0]["event"], lines[0]["topic"], lines[0]["n"]) == ("started", "alerts", 3)
    assert lines[1]["error"] == 'of "two"\nlines'
    assert lines[2]["event"] == "from a library"
    assert all(line["time"].endswith("+00:00") for line in lines)
