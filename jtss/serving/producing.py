"""Files of packets into a topic, as a survey would send them."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from confluent_kafka import KafkaException, Producer

from data_prep.packets.containers import AVRO_SUFFIX, files_below
from jtss.errors import InputError

FLUSH_SECONDS = 1.0


def packets(paths: Iterable[Path]) -> Iterator[Path]:
    """The Avro files below paths, in the order of their names.

    Raises:
        FileNotFoundError: a path is not there.
        InputError: a path holds none.
    """
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder (expected alert packets, an Avro file each)")
        below = files_below(path) if path.is_dir() else [path]
        found = [file for file in below if file.name.lower().endswith(AVRO_SUFFIX)]
        if not found:
            raise InputError(f"{path}: no {AVRO_SUFFIX} file in it, expected alert packets, an Avro file each")
        yield from found


def produce(producer: Producer, topic: str, paths: Iterable[Path], rate: float | None = None) -> int:
    """Send each file as a message.

    Args:
        rate: messages per second; None: as fast as it goes.

    Returns:
        How many.

    Raises:
        OSError: a file cannot be read, or some messages were not delivered.
    """
    n_sent, failures = 0, []

    def report(error, _message) -> None:
        if error is not None:
            failures.append(error)

    start = time.monotonic()
    for path in paths:
        if rate is not None:
            time.sleep(max(start + n_sent / rate - time.monotonic(), 0))
        _send(producer, topic, path.read_bytes(), report)
        n_sent += 1
        producer.poll(0)
        if failures:
            break
    while producer.flush(FLUSH_SECONDS):
        pass  # each is delivered or fails in the end
    if failures:
        raise OSError(f"topic {topic}: {len(failures)} of {n_sent} packets were not delivered: {failures[0].str()}")
    return n_sent


def _send(producer: Producer, topic: str, value: bytes, report) -> None:
    while True:
        try:
            producer.produce(topic, value, on_delivery=report)
            return
        except BufferError:  # the queue is full: wait until some are delivered
            producer.poll(FLUSH_SECONDS)
        except KafkaException as error:
            raise OSError(f"topic {topic}: {error.args[0].str()}") from error
