"""Packets of files into a topic, one a message, as a survey would send them."""

import io
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import fastavro
from confluent_kafka import KafkaException, Producer

from data_prep.packets.avro import MAGIC, SYNC_BYTES, Block
from data_prep.packets.containers import read_blocks
from jtss.errors import InputError
from jtss.serving.clients import POLL_SECONDS, settle

SYNC = bytes(range(SYNC_BYTES))


def packets(paths: Iterable[Path], refused: Callable[[str], object]) -> Iterator[bytes]:
    """Every packet below paths as an Avro file of its own, in a fixed order.

    Args:
        paths: folders, Avro files of one packet or many, tar archives of these.
        refused: is told of each file, or part of it, that cannot be read as alert packets, and why.

    Raises:
        FileNotFoundError: a path is not there.
        InputError: a path holds none.
    """
    for path in paths:
        n_packets = 0
        for block in read_blocks(path):
            if isinstance(block, Block):
                for packet in _single(block, refused):
                    n_packets += 1
                    yield packet
            elif block.n_alerts:
                refused(f"{block.source}: {block.reason} ({block.detail}), expected alert packets")
        if not n_packets:
            raise InputError(f"{path}: no alert packet in it, expected Avro files or archives of them")


def _single(block: Block, refused: Callable[[str], object]) -> Iterator[bytes]:
    """The records of a block, each as a file with the schema of their writer."""
    try:
        reader = fastavro.reader(io.BytesIO(_file(block)))
        schema = reader.writer_schema
        for record in reader:
            file = io.BytesIO()
            fastavro.writer(file, schema, [record], sync_marker=SYNC)
            yield file.getvalue()
    except Exception as error:  # on damaged bytes: ValueError, EOFError, zlib.error and others
        refused(f"{block.source}: {type(error).__name__}: {error}; expected alert packets")


def _file(block: Block) -> bytes:
    """A block as an Avro file; Apache Avro 1.11 specification, object container files."""
    header = {"avro.schema": block.schema_json, "avro.codec": block.codec.encode()}
    pairs = b"".join(_bytes(name.encode()) + _bytes(value) for name, value in header.items())
    return MAGIC + _long(len(header)) + pairs + _long(0) + SYNC + _long(block.n_records) + _bytes(block.payload) + SYNC


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _long(value: int) -> bytes:
    """A number that is not negative, as a zigzag varint."""
    value <<= 1
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def produce(producer: Producer, topic: str, values: Iterable[bytes], rate: float | None = None) -> int:
    """Send messages.

    Args:
        values: of the messages.
        rate: messages per second; None: as fast as it goes.

    Returns:
        How many.

    Raises:
        OSError: some were not delivered.
    """
    n_sent, n_queued, lost, failure = 0, 0, [], None

    def report(error, _message) -> None:
        if error is not None:
            lost.append(error)

    start = time.monotonic()
    try:
        for value in values:
            if rate is not None:
                time.sleep(max(start + n_sent / rate - time.monotonic(), 0))
            n_sent += 1
            _send(producer, topic, value, report)
            n_queued += 1
            producer.poll(0)
            if lost:
                break
    except KafkaException as error:
        failure = error.args[0]
    why = settle(producer) or failure or next(iter(lost), None)
    if why is not None:
        n_lost = n_sent - n_queued + len(lost)
        raise OSError(f"topic {topic}: {why.str()}; {n_lost} of {n_sent} messages were not delivered")
    return n_sent


def _send(producer: Producer, topic: str, value: bytes, report) -> None:
    while True:
        try:
            producer.produce(topic, value, on_delivery=report)
            return
        except BufferError:  # the queue is full: wait until some are delivered
            producer.poll(POLL_SECONDS)
        except KafkaException:
            producer.poll(0)  # raises why a client has failed for good, which says more
            raise
