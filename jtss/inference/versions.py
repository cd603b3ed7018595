"""Five versions of what a packet says of its object's past: how far does a classifier lean on it?

An alert is the same exposure and the same stamps whoever sends it, but its counters depend on when the survey began to
watch, and on whether the sender fills them in. Here a packet is `views.packet`: an alert with the earlier rows of 30
days that it tells. Its counters are `ndethist`, `ncovhist` and their difference; `jdstarthist` is not stored.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from jtss import schema, views
from jtss.schema import LIMIT, Sequences


def first_packets(sequences: Sequences) -> Sequences:
    """The first alert of each object as a packet: its last row, after the rows that it tells."""
    return views.packet(sequences, np.arange(sequences.n_objects), np.zeros(sequences.n_objects, np.int64))


def as_is(packets: Sequences) -> Sequences:
    """As the broker sent it."""
    return packets


def month(packets: Sequences) -> Sequences:
    """As a survey that began a month ago would have sent it: the counters count what the packet tells, and itself."""
    return _counting(packets, _told_detections(packets) + 1, packets.n_rows)


def day_one(packets: Sequences) -> Sequences:
    """As on the first night of a survey: seen once, in one exposure, and nothing is told."""
    once = np.ones(packets.n_objects, np.int64)
    return _counting(_with_rows(packets, np.zeros(len(packets.kind), bool)), once, once)


def first(packets: Sequences) -> Sequences:
    """As if the object had never been detected before: the exposures of a month, of which the limits alone are told.

    Harsher than the truth, for it claims that an old source was missed in every one of them.
    """
    exposures = packets.n_rows
    return _counting(_with_rows(packets, packets.kind == LIMIT), np.ones(len(exposures), np.int64), exposures)


def hidden(packets: Sequences) -> Sequences:
    """Without counters; what is told stays."""
    missing = np.full(packets.n_objects, np.nan)
    return _counting(packets, missing, missing)


VERSIONS: dict[str, Callable[[Sequences], Sequences]] = {
    version.__name__: version for version in (as_is, month, day_one, first, hidden)
}
WORDS = {
    "as_is": "as they came",
    "month": "of a survey that began a month ago",
    "day_one": "of the first night of a survey",
    "first": "of a lone first alert",
    "hidden": "counters hidden",
}


def latest(packets: Sequences, n: int) -> tuple[np.ndarray, Sequences]:
    """Packets that tell their latest n detections alone, the alert among them, and the limits since the first of these.

    Returns:
        [C] int64, which of the N packets tell so many; and these, shortened.
    """
    chosen = np.flatnonzero(_told_detections(packets) + 1 >= n)
    enough = schema.take(packets, chosen)
    detected = np.flatnonzero(enough.kind != LIMIT)
    last = np.searchsorted(detected, enough.object_start[1:] - 1)  # the alert is the last detection of its packet
    begins = detected[last - n + 1]
    owner = np.repeat(np.arange(enough.n_objects), enough.n_rows)
    return chosen, _with_rows(enough, np.arange(len(enough.kind)) >= begins[owner])


def without_stamps(packets: Sequences) -> Sequences:
    """The same packets, whose stamps hold no pixel; they take no memory."""
    return replace(packets, stamps=np.broadcast_to(np.float16(np.nan), packets.stamps.shape))


def _told_detections(packets: Sequences) -> np.ndarray:
    """[N] int64: detections before the alert of each packet."""
    return np.add.reduceat(packets.kind != LIMIT, packets.object_start[:-1], dtype=np.int64) - 1


def _counting(packets: Sequences, ndethist: np.ndarray, ncovhist: np.ndarray) -> Sequences:
    """The same packets, whose alerts have these counters [N]."""
    metadata, alerts = packets.metadata.copy(), packets.object_start[1:] - 1
    metadata[alerts[:, None], views.COUNTER_PLACES] = np.stack([ndethist, ncovhist, ncovhist - ndethist], axis=1)
    return replace(packets, metadata=metadata)


def _with_rows(packets: Sequences, kept: np.ndarray) -> Sequences:
    """The same packets with their alerts and, of what they tell, the rows marked [M] alone."""
    chosen = kept.copy()
    chosen[packets.object_start[1:] - 1] = True
    counts = np.add.reduceat(chosen, packets.object_start[:-1], dtype=np.int64)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return schema.select_rows(packets, np.arange(packets.n_objects), np.flatnonzero(chosen), start)
