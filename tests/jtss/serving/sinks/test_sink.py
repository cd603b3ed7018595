"""What a stream asks of every sink."""

import inspect

import pytest

pytest.importorskip("confluent_kafka")
pytest.importorskip("psycopg")

from jtss.serving.sinks.database import DatabaseSink
from jtss.serving.sinks.folders import FolderSink
from jtss.serving.sinks.sink import Sink
from jtss.serving.sinks.topics import TopicSink

ASKED = sorted(name for name in vars(Sink) if not name.startswith("_"))


@pytest.mark.parametrize("kind", [DatabaseSink, FolderSink, TopicSink])
def test_a_sink_takes_what_a_stream_gives(kind):
    assert len(ASKED) == 6
    for name in ASKED:
        given, taken = (inspect.signature(getattr(one, name)).parameters for one in (Sink, kind))
        assert list(taken) == list(given), name
