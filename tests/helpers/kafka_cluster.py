"""What tests do with a Kafka cluster, be it a mock or a real one: send, read, and ask what a group has committed."""

from confluent_kafka import Consumer, Message, Producer, TopicPartition

PATIENCE_SECONDS = 600  # of clients for an answer, which they must be given; it takes parts of a second
QUICK = {"fetch.wait.max.ms": "10"}  # by default half a second passes where a partition has nothing more


class Cluster:
    """A cluster.

    Attributes:
        bootstrap: its address, HOST:PORT.
        settings: of librdkafka, that its clients need.
    """

    def __init__(self, bootstrap: str, settings: dict[str, str]) -> None:
        self.bootstrap, self.settings = bootstrap, settings

    def client(self, kind: type, **more: str):
        return kind({"bootstrap.servers": self.bootstrap, "log_level": "2"} | self.settings | more)

    def produce(self, topic: str, values: list[bytes | None], partition: int | None = None) -> None:
        """Messages without keys; partition None: one after the other on all partitions of the topic."""
        producer = self.client(Producer)
        n = len(producer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic].partitions)
        for index, value in enumerate(values):
            producer.produce(topic, value, partition=index % n if partition is None else partition)
        assert producer.flush(PATIENCE_SECONDS) == 0

    def messages(self, topic: str) -> list[Message]:
        """All messages that are there, partition by partition."""
        consumer = self.client(Consumer, **{"group.id": "reader", "enable.auto.commit": "false"}, **QUICK)
        try:
            found = []
            for partition, end in self._ends(consumer, topic).items():
                consumer.assign([TopicPartition(topic, partition, 0)])
                while end and (not found or (found[-1].partition(), found[-1].offset()) != (partition, end - 1)):
                    if (message := consumer.poll(0.1)) is not None:
                        assert message.error() is None, message.error()
                        found.append(message)
            return found
        finally:
            consumer.close()

    def n_messages(self, topic: str) -> int:
        consumer = self.client(Consumer, **{"group.id": "reader"})
        try:
            return sum(self._ends(consumer, topic).values())
        finally:
            consumer.close()

    def _ends(self, consumer: Consumer, topic: str) -> dict[int, int]:
        partitions = sorted(consumer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic].partitions)
        return {
            partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=PATIENCE_SECONDS)[1]
            for partition in partitions
        }

    def committed(self, group: str, topic: str, partitions: int) -> list[int]:
        """The offset that a group has committed in each partition, 0 where none."""
        consumer = self.client(Consumer, **{"group.id": group})
        try:
            asked = [TopicPartition(topic, partition) for partition in range(partitions)]
            return [max(found.offset, 0) for found in consumer.committed(asked, timeout=PATIENCE_SECONDS)]
        finally:
            consumer.close()
