"""Alert packets that a notebook gives, in whatever form, read and decoded."""

import io
import os
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import BinaryIO

from data_prep import ingest
from data_prep.infrared import crossmatch
from data_prep.infrared.crossmatch import AllWise, OnDemand
from data_prep.ingest import Ingested
from data_prep.ledger import Rejection
from data_prep.packets.alerts import from_record
from data_prep.packets.containers import read_stream
from data_prep.packets.walking import find
from data_prep.remote import masked
from data_prep.tasks import Item
from jtss.api.calls import one_family
from jtss.errors import InputError
from jtss.schema import Sequences

Given = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Mapping  # one source of alerts


class Alerts:
    """Alert packets that were read and decoded: sequences of detections, and an account of what could not be used.

    The stamps are in a temporary folder, 24 KB an alert, which goes with this object or by `close`. Afterwards there
    are no more sequences and no list of rejections; the account stays.

    Attributes:
        ledger: alerts read, kept and dropped by reason, as plain numbers.
        object_ids: sorted names of the objects with a usable detection.
        rejected: for each object with an alert that could not be used: the reasons.
    """

    def __init__(self, ingested: Ingested, files: ExitStack, allwise: AllWise | None) -> None:
        self._ingested, self._allwise = ingested, allwise
        self.close = weakref.finalize(self, files.close)
        self.ledger = ingested.ledger.as_dict()
        self.object_ids = ingested.object_ids
        lost = ingested.dropped_by_object()
        self.rejected = {oid: ", ".join(sorted(reasons)) for oid, reasons in lost.items()}

    def __len__(self) -> int:
        return len(self.object_ids)

    def __enter__(self) -> "Alerts":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Alerts of {len(self)} objects: {self.ledger['read']} read, {self.ledger['kept']} kept>"

    def rejections(self) -> Iterator[Rejection]:
        """Every alert that was not used: reason, detail, source, object_id, candid.

        Raises:
            InputError: the alerts are closed.
        """
        self._require_open()
        return self._while_open(self._ingested.rejections())

    def batches(self, allwise: str | os.PathLike | AllWise | None = None) -> Iterator[Sequences]:
        """The sequences as arrays, sorted by object, up to 256 objects at a time; `allwise` as in `read_alerts`.

        Raises:
            InputError: the alerts are closed; or as `read_alerts` of the catalogue.
        """
        self._require_open()
        catalogue = self._allwise if allwise is None else _catalogue(allwise)
        return self._while_open(self._ingested.batches(allwise=catalogue))

    def _require_open(self) -> None:
        if not self.close.alive:
            raise InputError(f"{self}: closed; use them inside their `with` block, or read them again by read_alerts")

    def _while_open(self, items: Iterator) -> Iterator:
        """The items; where the alerts are closed meanwhile, that is the error, not what the missing files raise."""
        try:
            yield from items
        except (ValueError, OSError):
            self._require_open()
            raise


def read_alerts(alerts: Given | Iterable[Given], allwise: str | os.PathLike | AllWise | None = None) -> Alerts:
    """Read alert packets.

    Args:
        alerts: a folder, an Avro file or a tar archive by its path or URL; the bytes of a file; a file open for reading
            bytes; a record that is decoded already, as fastavro or a broker's client gives it; or any number of these.
        allwise: catalogue of W1 to W4: the path of a .csv, .parquet, .fits or others, or of a HATS catalogue, or
            "tap:URL" or "xmatch:URL".

    Raises:
        InputError: a path that is not there, something that cannot hold alerts, or nothing in it is an alert.
    """
    return read_given(alerts, allwise)


def read_given(
    alerts: Given | Iterable[Given],
    allwise: str | os.PathLike | AllWise | None,
    *,
    histories: bool = True,
    choice: str = "sequence",
) -> Alerts:
    """As `read_alerts`; without what packets tell of the past, or with another choice of alerts, see `ingest`."""
    with ExitStack() as files, one_family():
        catalogue = _catalogue(allwise)
        folder = files.enter_context(tempfile.TemporaryDirectory(prefix="jtss."))
        sources = [alerts] if isinstance(alerts, Given) or hasattr(alerts, "read") else alerts
        given = Counter()
        items = _items(sources, given, histories)
        ingested = files.enter_context(
            ingest.ingest_items(items, workdir=folder, pad_edges=True, histories=histories, choice=choice)
        )
        if given and not ingested.ledger.kept and not ingested.dropped_by_object():
            reasons = ingested.ledger.as_dict()["dropped"] or ingested.ledger.as_dict()["notes"]
            why = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
            raise InputError(f"{', '.join(given)[:200]}: no alert in it that can be used ({why or 'nothing is there'})")
        return Alerts(ingested, files.pop_all(), catalogue)


def account_of(alerts: Alerts) -> Ingested:
    """What was read, with the account that only our own code asks for."""
    return alerts._ingested


def _catalogue(allwise: str | os.PathLike | AllWise | None) -> AllWise | None:
    with one_family():
        return allwise if allwise is None or isinstance(allwise, AllWise | OnDemand) else crossmatch.load(allwise)


def _items(sources: Iterable[Given], given: Counter, histories: bool) -> Iterator[Item]:
    """What the sources hold; counts by kind, or by path, what was given."""
    if not isinstance(sources, Iterable):
        raise InputError(f"{type(sources).__name__}: expected paths, bytes, open files or records of alerts")
    for number, source in enumerate(sources):
        if isinstance(source, str | os.PathLike):
            given[masked(source)] += 1
            yield from find(source)
        elif isinstance(source, bytes | bytearray | memoryview):
            given["bytes"] += 1
            yield from read_stream(io.BytesIO(source), f"bytes {number}")
        elif isinstance(source, Mapping):
            given["records"] += 1
            yield from_record(source, f"record {number}", histories)
        elif hasattr(source, "read"):
            name = str(getattr(source, "name", f"stream {number}"))
            given[name] += 1
            if isinstance(source, io.TextIOBase):
                raise InputError(f"{name}: a file open for text; expected open(…, 'rb')")
            yield from read_stream(source, name)
        else:
            kind = type(source).__name__
            raise InputError(f"source {number}: {kind}; expected a path, bytes, an open file or a record of an alert")
