"""A long stream: is every message answered once, and does the memory of `jtss serve kafka` stay where it is?

    python -m benchmarks.stream --bootstrap HOST:9092 --messages 1000000 -m RUN [--set-kafka NAME=VALUE]
    python -m benchmarks.stream --bootstrap HOST:9092 --messages 100000 -m RUN --kills 20

Simulated packets, and one message in fifty that is none, go to a topic of their own, a few thousand ahead of what the
service has committed, so that the cluster need not keep them. With a small model it is quick: what is measured is all
that is around it. The topic must come to be when it is asked for, as most clusters have it, or be given by --topic,
empty. With --kills the service is ended by SIGKILL so often, at random moments, and begun anew at once.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks import results
from benchmarks.service import cpu_seconds
from data_prep.simulate.archive import stream_packets
from jtss.serving import clients

POISON = (b"poison", b"", None, b"Obj\x01nothing", b"\0\0\0\0\7record")
EVERY = 50  # one message in so many is none
AHEAD = 5_000  # messages that are sent and not yet committed
N_OBJECTS, ROTATE_SECONDS, WAIT_SECONDS, TIMEOUT_SECONDS = 120, 3, 0.5, 60
N_BLOCKS, LEAST_SAMPLES = 10, 5


class Sample(NamedTuple):
    """The service at some time: messages committed, and bytes of memory that it holds."""

    n_committed: int
    resident: int


def values() -> Iterator[bytes | None]:
    """Messages without end."""
    packets = list(stream_packets(n_objects=N_OBJECTS, seed=5, classes=("AGN", "SN", "VS", "asteroid", "bogus")))
    number = 0
    while True:
        is_poison = number % EVERY == EVERY - 1
        yield POISON[number // EVERY % len(POISON)] if is_poison else packets[number % len(packets)]
        number += 1


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; Linux."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return 1024 * int(line.split()[1])


def partitions(consumer: Consumer, topic: str) -> list[int]:
    return sorted(consumer.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic].partitions)


def committed(consumer: Consumer, topic: str) -> int:
    """Messages that the group of a consumer has committed."""
    asked = [TopicPartition(topic, number) for number in partitions(consumer, topic)]
    return sum(max(one.offset, 0) for one in consumer.committed(asked, timeout=TIMEOUT_SECONDS))


class Service:
    """The service as a process; `kill` ends it without a word, and begins another."""

    def __init__(self, command: list[str]) -> None:
        self._command, self._process = command, subprocess.Popen(command)  # what it has to say is for whoever waits

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise RuntimeError where it has ended by itself."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the service ended with status {self._process.returncode}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process = subprocess.Popen(self._command)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def fed(service: Service, producer: Producer, consumer: Consumer, topic: str, n: int) -> Iterator[Sample]:
    """Send messages as the service takes them, to all partitions in turn, until it has committed all of them."""
    stream, numbers, n_sent, n_committed = values(), partitions(consumer, topic), 0, 0
    while n_committed < n:
        service.check()
        for value in islice(stream, max(min(n, n_committed + AHEAD) - n_sent, 0)):
            producer.produce(topic, value, partition=numbers[n_sent % len(numbers)])
            n_sent += 1
        if producer.flush(TIMEOUT_SECONDS):
            raise RuntimeError(f"the cluster does not take messages, {n_sent} so far")
        time.sleep(WAIT_SECONDS)
        n_committed = committed(consumer, topic)
        yield Sample(n_committed, resident(service.pid))


def with_kills(samples: Iterator[Sample], service: Service, n: int, kills: int) -> Iterator[Sample]:
    """The same samples, while the service is killed after random numbers of messages, at any point of its round."""
    rng = np.random.default_rng(kills)
    moments = sorted(rng.integers(9 * n // 10, size=kills), reverse=True)
    for sample in samples:
        if moments and sample.n_committed >= moments[-1]:
            moments.pop()
            time.sleep(rng.uniform(0, ROTATE_SECONDS))
            service.kill()
        yield sample
    if moments:
        raise RuntimeError(f"all was committed before the last {len(moments)} of {kills} kills; send more messages")


def account(folder: Path, n: int) -> dict[str, int]:
    """How many answers and dead letters there are, messages without either, and those with more than one."""
    kinds = {"answers": folder.glob("*.jsonl"), "dead_letters": (folder / "dead").glob("*.jsonl")}
    numbers, places = {}, []
    for kind, paths in kinds.items():
        found = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
        numbers[kind] = len(found)
        places += [(one["partition"], one["offset"]) for one in found]
    n_different = len({*places})
    return numbers | {"lost": n - n_different, "doubled": len(places) - n_different}


def growth(samples: list[Sample]) -> dict[str, float | list[float]]:
    """Mean memory in each tenth of the stream, and bytes per message by a line through all but the first tenth."""
    count, bytes_ = np.array(samples, float).T
    block = np.minimum((N_BLOCKS * count / count[-1]).astype(int), N_BLOCKS - 1)
    means = [float(bytes_[block == number].mean()) for number in range(N_BLOCKS) if (block == number).any()]
    numbers: dict = {"mean_mb_of_each_tenth": [round(mean / 1e6, 2) for mean in means]}
    late = block > 0
    if len({*count[late]}) < LEAST_SAMPLES:
        return numbers
    (slope, _), covariance = np.polyfit(count[late], bytes_[late], 1, cov=True)
    return numbers | {
        "bytes_per_message": round(float(slope), 2),
        "bytes_per_message_standard_error": round(float(np.sqrt(covariance[0, 0])), 2),
    }


def measured(options: argparse.Namespace, folder: Path) -> dict:
    given = clients.settings(options.set_kafka)
    client = {"bootstrap.servers": options.bootstrap} | given
    producer = Producer(client)
    group = topic = options.topic or f"jtss-benchmark-{int(time.time())}"
    clients.require_topic(producer, topic)  # which makes it, where topics come to be on demand
    consumer = Consumer(client | {"group.id": group})
    command = [sys.executable, "-m", "jtss", "serve", "kafka", "--bootstrap", options.bootstrap, "--group", group]
    command += ["--topic", topic, "-m", options.model, "--out", f"dir:{folder}", "--rotate", str(ROTATE_SECONDS)]
    command += [word for pair in options.set_kafka for word in ("--set-kafka", pair)]
    began = time.perf_counter()
    service = Service(command)
    try:
        samples = fed(service, producer, consumer, topic, options.messages)
        samples = list(with_kills(samples, service, options.messages, options.kills))
        took, used = time.perf_counter() - began, cpu_seconds(service.pid)
    finally:
        service.stop()
        consumer.close()
    rate = {"messages": options.messages, "kills": options.kills, "seconds": round(took, 1)}
    if options.kills:  # time and memory are those of many processes
        return rate | account(folder, options.messages)
    rate["cpu_ms_each"] = round(1e3 * used / options.messages, 2)
    return rate | account(folder, options.messages) | growth(samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bootstrap", metavar="HOST:PORT", required=True)
    parser.add_argument("--messages", metavar="N", type=int, default=100_000)
    parser.add_argument("--kills", metavar="N", type=int, default=0, help="end the service so often by SIGKILL")
    parser.add_argument("--topic", metavar="NAME", help="empty; default: one of its own")
    parser.add_argument("-m", "--model", default="any", help="(default: %(default)s)")
    parser.add_argument("--set-kafka", metavar="NAME=VALUE", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jtss-stream.") as folder:
        numbers = measured(options, Path(folder))
    for name, value in numbers.items():
        print(f"{name}: {value}")
    results.record("stream", numbers)


if __name__ == "__main__":
    main()
