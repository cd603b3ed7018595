"""Files of packets into a topic."""

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError

from helpers.make_packets import night, save, small
from helpers.mock_kafka import PRODUCE, mock_kafka
from jtss.errors import InputError
from jtss.serving import clients
from jtss.serving.log import Log
from jtss.serving.producing import packets, produce


@pytest.fixture
def kafka():
    with mock_kafka() as cluster:
        cluster.create("night", 1)
        yield cluster


def producer(kafka):
    return clients.producer(kafka.bootstrap, {}, Log().logger)


def test_a_file_is_a_message(kafka, tmp_path):
    save(tmp_path / "b", [small(number) for number in range(3)])
    save(tmp_path / "a", night()[:1])
    (tmp_path / "a" / "labels.csv").touch()
    files = [*packets([tmp_path])]
    assert [file.parent.name for file in files] == ["a", "b", "b", "b"]
    assert produce(producer(kafka), "night", files, rate=1e6) == 4
    assert [message.value() for message in kafka.messages("night")] == [file.read_bytes() for file in files]


def test_folders_without_packets_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no \.avro file in it"):
        [*packets([tmp_path])]
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        [*packets([tmp_path / "nowhere"])]


def test_what_is_not_delivered_is_an_error(kafka, tmp_path):
    save(tmp_path, [small(1)])
    kafka.refuse(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED, 1)
    with pytest.raises(OSError, match="topic night: 1 of 1 packets were not delivered: Broker: Topic authorization"):
        produce(producer(kafka), "night", packets([tmp_path]))
    large = clients.producer(kafka.bootstrap, {"message.max.bytes": "1000"}, Log().logger)
    (tmp_path / "large.avro").write_bytes(bytes(2000))
    with pytest.raises(OSError, match=r"topic night: .*too large"):
        produce(large, "night", [tmp_path / "large.avro"])
