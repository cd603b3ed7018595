"""What one request, and all of them, may ask of a service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from jtss.serving.http.problems import Problem


class Limits(NamedTuple):
    """How much is taken, and for how long.

    Attributes:
        body_bytes: of a request; a packet of ZTF has 70 kB.
        unpacked_bytes: of the images in its packets, as these hold them: the files unpacked, ZTF's images gzipped.
        packets: in a request.
        requests: that are read or answered at the same time; explanations: of these, how many may be explanations.
        body_seconds: for a request to come in.
        unpack_seconds: for its packets to be unpacked; a good one takes a hundredth of a second.
        answer_seconds: for it to be answered, after it has come in.
    """

    body_bytes: int = 16 << 20
    unpacked_bytes: int = 64 << 20
    packets: int = 256
    requests: int = 32
    explanations: int = 4
    body_seconds: float = 30.0
    unpack_seconds: float = 10.0
    answer_seconds: float = 60.0


LIMITS = Limits()
RETRY_SECONDS = 1


class Places:
    """How many requests of a kind are at work; used in the thread of the event loop alone."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place.

        Raises:
            Problem: all are taken.
        """
        if self.taken >= self.most:
            detail = f"{self.most} requests of this kind are at work, which is as many as are taken; ask again"
            raise Problem(503, "busy", detail, retry_seconds=RETRY_SECONDS)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
