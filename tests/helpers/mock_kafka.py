"""A Kafka cluster within this process, by librdkafka's mock broker, for tests.

It knows topics, partitions, groups and committed offsets, and forgets the first messages of a partition beyond 5 MiB.
Others reach it by TCP, as they would a real one. Its functions are C's, in the wheel of confluent-kafka.
"""

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import confluent_kafka

from helpers.kafka_cluster import Cluster

BROKER = ctypes.c_int32(1)  # its number
PRODUCE, OFFSET_COMMIT, INIT_PRODUCER_ID = 0, 8, 22  # numbers of requests in Kafka's protocol
# For groups whose members change: the broker waits about a session for those that may still come, and members learn of
# a rebalance by heartbeats.
SOON = {"session.timeout.ms": "1500", "heartbeat.interval.ms": "100"}


@cache
def _library() -> ctypes.CDLL:
    (path,) = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


class MockKafka(Cluster):
    """One broker."""

    def __init__(self) -> None:
        self._library, error = _library(), ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._owner = ctypes.c_void_p(self._library.rd_kafka_new(0, conf, error, ctypes.c_size_t(512)))
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._owner, 1))
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, ctypes.c_int32(0))
        super().__init__(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode(), {})

    def close(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._owner)

    def create(self, topic: str, partitions: int) -> None:
        self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)

    def refuse(self, request: int, error: int, times: int) -> None:
        """Answer the next requests of a kind with an error, see `confluent_kafka.KafkaError`."""
        errors = (ctypes.c_int * times)(*[error] * times)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(times), errors
        )

    def unlearn(self, request: int) -> None:
        """From now on know no request of a kind, as a broker that is older."""
        self._library.rd_kafka_mock_set_apiversion(
            self._cluster, ctypes.c_int16(request), ctypes.c_int16(-1), ctypes.c_int16(-1)
        )

    def go_away(self) -> None:
        """Cut all connections and take none, until `come_back`; what is known stays known."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, BROKER)

    def come_back(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, BROKER)

    def delay(self, milliseconds: int) -> None:
        """Let each answer take so long, as a cluster that is far away."""
        self._library.rd_kafka_mock_broker_set_rtt(self._cluster, BROKER, milliseconds)

    def forget_refusals(self, request: int) -> None:
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(request))


@contextmanager
def mock_kafka() -> Iterator[MockKafka]:
    kafka = MockKafka()
    try:
        yield kafka
    finally:
        kafka.close()


def wait_until(holds: Callable[[], object], what: str, failed: Callable[[], Exception | None] = lambda: None) -> None:
    """Wait for a state, however slow the machine is; `failed` tells of an error after which it cannot come."""
    while not holds():
        assert failed() is None, f"{what}: cannot come any more, {failed()!r}"
        time.sleep(0.02)
