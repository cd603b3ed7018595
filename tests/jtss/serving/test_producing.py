"""Packets of files into a topic."""

import pytest

pytest.importorskip("confluent_kafka")

from confluent_kafka import KafkaError

from data_prep.simulate.packets import encode_file
from helpers.make_packets import night, save, save_tar, small
from helpers.mock_kafka import INIT_PRODUCER_ID, PRODUCE, mock_kafka
from jtss.errors import InputError
from jtss.serving import clients
from jtss.serving.framing import Schemas, read_message
from jtss.serving.log import Log
from jtss.serving.producing import packets, produce


@pytest.fixture
def kafka():
    with mock_kafka() as cluster:
        cluster.create("night", 1)
        yield cluster


def producer(kafka):
    return clients.producer(kafka.bootstrap, {}, Log().logger)


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_a_packet_is_a_message(kafka, tmp_path, codec):
    """Of a file with many, of one in a folder, of one in an archive."""
    records = [*night()[:3], small(7)]
    (tmp_path / "a.avro").write_bytes(encode_file(records, codec))
    save(tmp_path / "b", [small(8)])
    save_tar(tmp_path / "c.tar.gz", {"9.avro": encode_file([small(9)], codec)})
    assert produce(producer(kafka), "night", packets([tmp_path], pytest.fail), rate=1e6) == 6
    found = [read_message(message.value(), "", Schemas(None)) for message in kafka.messages("night")]
    assert found[:4] == [read_message(encode_file([record]), "", Schemas(None)) for record in records]
    assert sorted(alert.candid for alert in found[3:]) == [7, 8, 9]


def test_what_is_no_packet_is_refused_and_the_rest_sent(tmp_path):
    (tmp_path / "labels.csv").touch()
    with pytest.raises(InputError, match="no alert packet in it"):
        [*packets([tmp_path], pytest.fail)]
    with pytest.raises(FileNotFoundError, match="no such file or directory"):
        [*packets([tmp_path / "nowhere"], pytest.fail)]
    (tmp_path / "a.avro").write_bytes(encode_file([small(1)])[:-9])
    (tmp_path / "b.avro").write_bytes(encode_file([small(2)], "deflate").replace(b"deflate", b"snappy\0", 1))
    (tmp_path / "c.avro").write_bytes(encode_file([small(3)]))
    refused = []
    (packet,) = packets([tmp_path], refused.append)
    assert read_message(packet, "", Schemas(None)).candid == 3
    assert [text.split("/")[-1][:7] for text in refused] == ["a.avro:", "b.avro:"]
    assert "bad_block" in refused[0]


def test_what_is_not_delivered_is_an_error(kafka):
    kafka.refuse(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED, 1)
    with pytest.raises(OSError, match="topic night: Broker: Topic authorization failed; 1 of 1 messages were not"):
        produce(producer(kafka), "night", [b"one"])
    large = clients.producer(kafka.bootstrap, {"message.max.bytes": "1000"}, Log().logger)
    with pytest.raises(OSError, match=r"topic night: .*too large.*; 1 of 2 messages were not delivered"):
        produce(large, "night", [b"one", bytes(2000), b"two"])


def test_a_producer_that_fails_for_good_says_why(kafka):
    """Also where it tells that and what became of a message in one go."""
    kafka.unlearn(INIT_PRODUCER_ID)
    with pytest.raises(OSError, match=r"topic night: Idempotent producer not supported.*; 1 of 1 messages were not"):
        produce(producer(kafka), "night", [b"one"])
