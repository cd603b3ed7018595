"""A real Kafka broker for slow tests: Apache Kafka 0.9.0.1 and its ZooKeeper as processes on free ports.

`make build/kafka` brings its Java archives; JTSS_KAFKA names another folder of them. Tests without them are skipped.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer

from helpers.kafka_cluster import PATIENCE_SECONDS, Cluster
from helpers.mock_kafka import wait_until
from helpers.places import ROOT

PARTITIONS = 3  # of each topic; it makes topics on demand
# A broker of this age cannot be asked what it knows. Dead members are missed after 3 s, not 45 s.
SETTINGS = {"api.version.request": "false", "broker.version.fallback": "0.9.0.1"}
MEMBER = {"session.timeout.ms": "3000", "heartbeat.interval.ms": "300"}
WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()  # ends with the tests, however they end
JAVA = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1")
ZOOKEEPER = """
dataDir={folder}/zookeeper
clientPort={zookeeper}
clientPortAddress=127.0.0.1
"""
BROKER = """
broker.id=0
listeners=PLAINTEXT://127.0.0.1:{port}
zookeeper.connect=127.0.0.1:{zookeeper}
log.dirs={folder}/logs
num.partitions={partitions}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.min.session.timeout.ms=1000
"""


class RealKafka(Cluster):
    """One broker."""

    def __init__(self, archives: Path, folder: Path) -> None:
        self._folder, self._classes = folder, f"{archives}/*"
        ports = dict(zip(("zookeeper", "port"), _free_ports(2), strict=True))
        for name, text in (("zookeeper", ZOOKEEPER), ("broker", BROKER)):
            (folder / name).with_suffix(".properties").write_text(
                text.format(folder=folder, partitions=PARTITIONS, **ports)
            )
        super().__init__(f"127.0.0.1:{ports['port']}", SETTINGS)
        self._processes = {"zookeeper": self._start("zookeeper", "org.apache.zookeeper.server.ZooKeeperServerMain")}
        wait_until(lambda: _listens(ports["zookeeper"]), "ZooKeeper", self._failed)
        self.begin()

    def begin(self) -> None:
        """Start the broker, as often as it takes until ZooKeeper has forgotten the one before, after 6 s."""
        self._processes["broker"] = self._start("broker", "kafka.Kafka")

        def answers() -> bool:
            if self._processes["broker"].poll() is not None:
                self._processes["broker"] = self._start("broker", "kafka.Kafka")
            try:
                return bool(self.client(Producer).list_topics(timeout=1.0).brokers)
            except KafkaException:
                return False

        wait_until(answers, "the broker")

    def kill(self) -> None:
        """End the broker at once, as a power cut would."""
        self._processes["broker"].kill()
        self._processes["broker"].wait()

    def create(self, topic: str) -> None:
        """With PARTITIONS partitions."""
        producer = self.client(Producer)

        def is_there() -> bool:
            try:
                return len(producer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic].partitions) == PARTITIONS
            except KafkaException:  # what so old a broker says of a topic that comes to be, the client cannot read
                return False

        wait_until(is_there, f"topic {topic}")

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _start(self, name: str, main: str) -> subprocess.Popen:
        command = [*WITH_US, *JAVA, "-cp", self._classes, main, str(self._folder / f"{name}.properties")]
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)

    def _failed(self) -> Exception | None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                return RuntimeError(f"{name}: {(self._folder / f'{name}.log').read_text()[-2000:]}")
        return None


def _free_ports(n: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def real_kafka() -> Iterator[RealKafka]:
    archives = Path(os.environ.get("JTSS_KAFKA", ROOT / "build" / "kafka"))
    if not any(archives.glob("kafka_*.jar")):
        pytest.skip(f"no Kafka in {archives}: make build/kafka")
    if shutil.which("java") is None:
        pytest.skip("a real Kafka broker needs java")
    with tempfile.TemporaryDirectory(prefix="jtss-kafka.", ignore_cleanup_errors=True) as folder:
        kafka = RealKafka(archives.resolve(), Path(folder))
        try:
            yield kafka
        finally:
            kafka.close()
