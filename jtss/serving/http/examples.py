"""Simulated packets to try a service with: the latest of an object of each class."""

import io
from functools import cache
from threading import Lock

import fastavro

from data_prep.simulate.archive import packet_chunk
from data_prep.simulate.dataset import chunks
from data_prep.simulate.packets import encode_file
from jtss.schema import CLASS_NAMES

SEED, OBJECTS_PER_CLASS = 5, 4


_one_makes = Lock()  # what is cached is made by all who ask before it is there


def examples() -> bytes:
    """An Avro file of a packet of each class, that of a few objects which tells most; takes seconds, once."""
    with _one_makes:
        return _made()


@cache
def _made() -> bytes:
    found = []
    for chunk in chunks(OBJECTS_PER_CLASS * len(CLASS_NAMES), SEED, CLASS_NAMES, "mixed"):
        found.append(max(fastavro.reader(io.BytesIO(packet_chunk(chunk).avro)), key=_told))
    return encode_file(found)


def _told(record: dict) -> tuple[int, int]:
    """How many rows a packet tells of the kind of which it has fewer, detections or limits; and of both."""
    rows = record["prv_candidates"] or ()
    n_detections = sum(row["magpsf"] is not None for row in rows)
    return min(n_detections, len(rows) - n_detections), len(rows)
