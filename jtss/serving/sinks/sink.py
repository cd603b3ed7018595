"""What a sink is: it takes answers and dead letters, and says when they are safe.

A replay of messages puts out the same again.
"""

from collections.abc import Iterable
from typing import Protocol

from jtss.serving.messages import Outcome, Partition

DEAD = "dead"


class SinkError(Exception):
    """It does not take everything now; nothing of what was added is dropped."""


class Sink(Protocol):
    """Takes outcomes, and brings them to safety."""

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take outcomes, of each partition in order."""

    def is_due(self) -> bool:
        """Whether it is time to deliver what was added."""

    def first_offsets(self) -> dict[Partition, int]:
        """The first offset of each partition that waits here, where its file would replace that of a new owner."""

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop what was added of these: somebody else answers them now."""

    def forget_before(self, offsets: dict[Partition, int]) -> None:
        """Drop what was added of messages before these: somebody else has answered them."""

    def deliver(self) -> list[Outcome]:
        """Bring all that was added to safety, and return it.

        Raises:
            SinkError: some of it is not safe; to be tried again.
        """
