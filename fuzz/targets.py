"""One target for each reader of foreign bytes: what it may do with any bytes is read them or refuse them by name.

Whatever else it raises, a result that breaks its contract, 10 seconds or `MEMORY_MB` for one input are findings.
"""

import json
import re
import resource
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep import labels
from data_prep.history import once
from data_prep.infrared import crossmatch
from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert, from_record
from data_prep.packets.avro import Block
from data_prep.packets.containers import read_blocks
from data_prep.packets.decode import Decoded, decode
from data_prep.packets.fits import StampError, decode_cutout
from data_prep.published import candidates, stamps
from fuzz import seeds
from jtss import dataset
from jtss.errors import InputError
from jtss.inference import other_classifiers
from jtss.pretrained import file
from jtss.schema import ALLWISE_BANDS, DETECTION, LIMIT, METADATA_NAMES, TOLD_DAYS, check

MEMORY_MB = 1024  # beyond what a target holds after its seeds; a block has 64 MB, its decoded alerts a few times that
HEAP_HEADER = 16  # bytes, of a global heap and of each object in it
REFUSALS = (InputError, StampError)


class NothingKeptError(InputError):
    """Packets of which every alert was rejected by name."""


class KnownFaultError(InputError):
    """Bytes that a library cannot stand, which is not ours to mend."""


class Target(NamedTuple):
    """A reader of foreign bytes.

    Attributes:
        read: takes the bytes; raises one of REFUSALS where it refuses them.
        seeds: makes inputs that it reads.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]

    def try_on(self, data: bytes) -> None:
        """Read any bytes; what it raises is a finding."""
        try:
            self.read(data)
        except REFUSALS as error:
            if isinstance(error.__context__, MemoryError):
                raise error.__context__ from None


@contextmanager
def limited_memory() -> Iterator[None]:
    """Within it, this process gets MEMORY_MB beyond what it holds, and no more."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + (MEMORY_MB << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def in_a_file(suffix: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of paths as one of bytes."""

    def read_bytes(data: bytes) -> object:
        with tempfile.NamedTemporaryFile(suffix=suffix) as copy:
            copy.write(data)
            copy.flush()
            return read(Path(copy.name))

    return read_bytes


def in_an_hdf5_file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of HDF5 files as one of bytes, but for those with which the library (2.0) itself does not get on."""
    read_bytes = in_a_file(".h5", read)

    def read_unless_known(data: bytes) -> object:
        if any(_is_a_trap(data[match.start() :]) for match in re.finditer(b"GCOL", data)):
            raise KnownFaultError("a global heap that HDF5 believes before it looks")
        return read_bytes(data)

    return read_unless_known


def _is_a_trap(heap: bytes) -> bool:
    """Whether H5HG__cache_heap_deserialize takes memory beyond the file, or loops over an object that takes no bytes.

    HDF5 File Format Specification 3.0, §III.E.
    """
    end, at = int.from_bytes(heap[8:16], "little"), HEAP_HEADER
    if end > len(heap):
        return True
    while at + HEAP_HEADER <= end:
        index, size = int.from_bytes(heap[at : at + 2], "little"), int.from_bytes(heap[at + 8 : at + 16], "little")
        step = (HEAP_HEADER + size + -size % 8 if index else size) % 2**64
        if not step:
            return True
        at += step
    return False


def keep(items: Iterable[Block | Alert | Rejection]) -> None:
    """Decode to rows, as for a data set, and look at what comes out."""
    n_kept = 0
    for item in items:
        for part in decode([item], pad_edges=True):
            n_kept += len(part.rows)
            assert part.n_read == len(part.rows) + sum(rejection.n_alerts for rejection in part.rejections)
            assert not np.any((part.rows["stamps"] < 0) | (part.rows["stamps"] > 1))
            assert not np.isinf(part.rows["metadata"]).any()
            assert all(part.object_ids)
            assert np.all(part.keys["candid"] > 0)
            check_told(part)
    if not n_kept:
        raise NothingKeptError("no alert")


def check_told(part: Decoded) -> None:
    """What histories tell is as the contract says of rows, and in the past of the alerts."""
    told, now = part.told, np.repeat(part.keys["jd"], part.keys["n_told"])
    assert len(told) == len(now)
    assert np.all((told["jd"] < now) & (told["jd"] > now - TOLD_DAYS))
    assert np.all((told["candid"] >= 0) & np.isin(told["fid"], (0, 1, 2, 3)))
    assert not np.isinf(told["metadata"]).any()
    given = np.isfinite(told["metadata"])
    assert np.all(given[:, METADATA_NAMES.index("magpsf")] == (told["kind"] == DETECTION))
    assert np.all(given[told["kind"] == LIMIT].sum(axis=1) == 1)
    chosen, _ = once(np.zeros(len(told), int), np.zeros(len(told), int), told)
    assert np.all(np.diff(told["jd"][chosen]) >= 0)


def read_packets(path: Path) -> None:
    keep(read_blocks(path))


def read_record(data: bytes) -> None:
    keep([Block("fuzz", 0, RECORD_SCHEMA, "null", 1, data)])


def read_schema(data: bytes) -> None:
    keep([Block("fuzz", 0, data, "null", 1, RECORD)])


RECORD_SCHEMA, (RECORD,) = seeds.schemas()[0], seeds.records()


def read_json_record(data: bytes) -> None:
    try:
        record = json.loads(data, object_hook=_with_bytes)
    except (ValueError, RecursionError):
        return
    if isinstance(record, Mapping):
        keep([from_record(record, "fuzz")])


def _with_bytes(values: dict) -> dict:
    data = values.get("stampData")
    return values | {"stampData": data.encode(seeds.LATIN)} if isinstance(data, str) else values


def read_catalogue(path: Path) -> None:
    sources = crossmatch.load(path)
    found = crossmatch.match(sources, np.array([10.0, np.nan]), np.array([1.0, 0.0]))
    assert found.shape == (2, len(ALLWISE_BANDS))
    assert not np.isinf(found).any()


def read_triplets(path: Path) -> None:
    restored, faults = stamps.restore(stamps.read(path, 0, stamps.count(path)))
    assert len(restored) == len(faults)
    assert not np.any(restored == 0)


def read_candidates(path: Path) -> None:
    objects, (n_rows,) = candidates.objects([path])
    assert sum(each.n_rows for each in objects.values()) == n_rows
    assert all(each.label and each.split is not None for each in objects.values())
    for record in candidates.rows(path):
        assert record["objectId"] in objects
        assert record["candid"] >= 0
        from_record(record, "fuzz")


def read_data(path: Path) -> None:
    dataset.attributes(path)
    for batch in dataset.read(path):
        check(batch)


def read_predictions(path: Path) -> None:
    made = other_classifiers.read(path)
    assert np.isfinite(made.probabilities).all()
    other_classifiers.matched(made, np.array([12, 13]))


def read_votes(path: Path) -> None:
    other_classifiers.predicted(path, "lc_classifier", np.array(["ZTF18a", "ZTF18c"]))


TARGETS = {
    "avro": Target(in_a_file(".avro", read_packets), seeds.avro),
    "avro_gz": Target(in_a_file(".avro.gz", read_packets), seeds.packed(seeds.avro, "gz")),
    "record": Target(read_record, seeds.records),
    "schema": Target(read_schema, lambda: seeds.schemas()[:1]),
    "json_record": Target(read_json_record, seeds.json_records),
    "cutout": Target(decode_cutout, seeds.cutouts),
    "fits_image": Target(lambda data: decode_cutout(seeds.gzip(data)), seeds.fits_images),
    "tar": Target(in_a_file(".tar", read_packets), seeds.tars),
    **{
        f"tar_{kind}": Target(in_a_file(f".tar.{kind}", read_packets), seeds.packed(seeds.tars, kind))
        for kind in seeds.PACKERS
    },
    "labels": Target(in_a_file(".csv", labels.load), seeds.labels),
    "triplets": Target(in_a_file(".npy", read_triplets), seeds.triplets),
    "candidates": Target(in_a_file(".csv", read_candidates), seeds.candidates),
    **{
        f"catalogue_{kind[1:]}": Target(in_a_file(kind, read_catalogue), seeds.catalogue(kind))
        for kind in (".csv", ".ecsv", ".tbl", ".vot", ".fits", ".parquet")
    },
    "data": Target(in_an_hdf5_file(read_data), seeds.data_files),
    "model": Target(in_an_hdf5_file(file.read), seeds.models),
    "predictions": Target(in_a_file(".csv", read_predictions), seeds.predictions),
    "votes": Target(in_a_file(".csv", read_votes), seeds.votes),
}
