"""Portions of work for the processes that decode, and who reads a file: the process that decodes it, or this one.

Files of an alert or some are read where they are decoded. Archives and large files are read here, front to back, in
blocks; so is a file that another process could not read: it may lack a disk that this one has, or have been unlucky.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from data_prep.packets.avro import Block
from data_prep.packets.containers import read
from data_prep.packets.decode import Decoded
from data_prep.packets.walking import File

Item = File | Block | Alert | Rejection

ALERTS_PER_TASK = 64
BYTES_PER_TASK = 8 << 20
BYTES_PER_ALERT = 1 << 16  # in a file, about
MOST_RETURNED = ALERTS_PER_TASK  # files that could be read here; after as many no more are handed out


class Reader:
    """Hands out items in portions and takes what became of them, in the same order."""

    def __init__(self, items: Iterable[Item], on_read: Callable[[int], object]) -> None:
        """`on_read` is told the bytes of files that were read, wherever that was."""
        self._items, self._on_read = items, on_read
        self._n_bytes: deque[int] = deque()  # of the files in each portion that is on its way
        self._n_returned = 0

    def portions(self) -> Iterator[list[Item]]:
        """Portions worth sending to another process."""
        for portion in portions(self._handed_out()):
            self._n_bytes.append(sum(item.size or 0 for item in portion if isinstance(item, File)))
            yield portion

    def _handed_out(self) -> Iterator[Item]:
        for item in self._items:
            if isinstance(item, File) and not (item.is_small and self._n_returned < MOST_RETURNED):
                yield from read(item, self._on_read)
            else:
                yield item

    def slices(
        self, results: Iterable[list[Decoded | File]], decode: Callable[[list[Item]], list[Decoded | File]]
    ) -> Iterator[Decoded]:
        """What was decoded, in the order of the items; files that came back are read and decoded here.

        Args:
            results: of each portion, what `decode` gives.
            decode: as in the other processes.
        """
        for result in results:
            for part in result:
                yield from self._read_here(part, decode) if isinstance(part, File) else (part,)
            self._on_read(self._n_bytes.popleft())

    def _read_here(self, file: File, decode: Callable[[list[Item]], list[Decoded | File]]) -> Iterator[Decoded]:
        is_readable = False
        for portion in portions(read(file)):
            is_readable = is_readable or any(isinstance(item, Block) for item in portion)
            yield from decode(portion)
        self._n_returned += is_readable


def portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The items in lists of about `ALERTS_PER_TASK` alerts, or fewer where they are large."""
    portion, n_alerts, n_bytes = [], 0, 0
    for item in items:
        portion.append(item)
        alerts, size = _extent(item)
        n_alerts, n_bytes = n_alerts + alerts, n_bytes + size
        if n_alerts >= ALERTS_PER_TASK or n_bytes >= BYTES_PER_TASK:
            yield portion
            portion, n_alerts, n_bytes = [], 0, 0
    if portion:
        yield portion


def _extent(item: Item) -> tuple[int, int]:
    """How many alerts an item is, and how many bytes are sent or read."""
    if isinstance(item, Block):
        return item.n_records, len(item.payload) + len(item.schema_json)
    size = item.size or BYTES_PER_ALERT if isinstance(item, File) else 0
    return max(1, size // BYTES_PER_ALERT), size
