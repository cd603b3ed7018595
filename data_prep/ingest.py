"""Alert packets to sequences: read, decode on all cores, choose, and hand out object by object.

Serves `build`, which stores the sequences, and classification, which does not. What is read goes to disk until it is
known which detections are kept, and so do the histories that packets tell; memory holds some numbers of each alert: 200
to 300 bytes at the peak, when the sequences are chosen, then about 300 for each different row of an object's past.
"""

import errno
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep import crossmatch, history
from data_prep.labels import encode, encode_subclasses
from data_prep.ledger import Ledger, Rejection
from data_prep.packets.alerts import Alert
from data_prep.packets.avro import Block
from data_prep.packets.containers import READABLE_SUFFIXES, files_below, read_blocks
from data_prep.packets.decode import KEY, OTHERS_APART, REMARKS, ROW, Decoded, decode
from data_prep.packets.history import NOTE, TOLD, once_each, tally
from data_prep.packets.metadata import MAX_APART_ARCSEC
from data_prep.sequences import APART, BEFORE, BEYOND, CHOICES, DUPLICATE, KEPT, VERDICTS, WITHIN, apart
from data_prep.workers import WorkerError, Workers, available_cores, ordered_map
from jtss import files
from jtss.schema import ALERT, ALLWISE_BANDS, DETECTION, NO_CANDID, NO_SPLIT, Sequences, stamp_rows


class Spool:
    """A file of rows of fixed size, written once in the order of reading, then read row by row in any order.

    In memory: 50 bytes a detection and 11 for each kind of fault in its history, twice that while `index` joins the
    parts, and about 200 an object for its name. The file is read, not mapped: mapped pages would count as the process's
    memory. The source of each row goes to a second file that is only read front to back, and what its packet tells of
    the past to a third.
    """

    def __init__(self, folder: str | Path) -> None:
        self._file = open(Path(folder, "rows"), "w+b", buffering=0)  # noqa: SIM115 - open as long as the spool
        self._sources = open(Path(folder, "sources"), "w+", encoding="utf-8")  # noqa: SIM115
        self._told = open(Path(folder, "told"), "w+b", buffering=0)  # noqa: SIM115
        self._codes: dict[str, int] = {}
        self._parts: list[tuple[np.ndarray, np.ndarray]] = []
        self._notes: list[np.ndarray] = []
        self.n_rows = 0

    def close(self) -> None:
        for file in (self._file, self._sources, self._told):
            file.close()

    def append(self, decoded: Decoded) -> None:
        """Add detections.

        Raises:
            OSError: the disk is full; names the folder and the size.
        """
        codes = [self._codes.setdefault(name, len(self._codes)) for name in decoded.object_ids]
        self._parts.append((decoded.keys, np.array(codes, np.int32)))
        self._notes.append(decoded.notes)
        self._notes[-1]["packet"] += self.n_rows
        self.n_rows += len(codes)
        try:
            _write_all(self._file.fileno(), decoded.rows.view(np.uint8).data)
            _write_all(self._told.fileno(), decoded.told.view(np.uint8).data)
            self._sources.writelines(f"{json.dumps(source)}\n" for source in decoded.sources)
        except OSError as error:
            size = (self._file.tell() + self._told.tell()) / 1e9
            raise OSError(
                f"{self._file.name}: cannot grow beyond {size:.1f} GB ({os.strerror(error.errno)})"
            ) from error

    def index(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Keys [M] KEY, rank [M] of the object among the sorted names, and these names; once, at the end."""
        keys = np.concatenate([np.zeros(0, KEY), *(keys for keys, _ in self._parts)])
        codes = np.concatenate([np.zeros(0, np.int32), *(codes for _, codes in self._parts)])
        self._parts.clear()
        names = sorted(self._codes)
        rank = np.empty(len(names), np.int32)
        rank[[self._codes[name] for name in names]] = np.arange(len(names), dtype=np.int32)
        return keys, rank[codes], names

    def notes(self) -> np.ndarray:
        """NOTE: what was wrong with the histories of packets, by the row of their detection."""
        return np.concatenate([np.zeros(0, NOTE), *self._notes])

    def read(self, name: str, indices: np.ndarray) -> np.ndarray:
        """[k, ...]: a field of ROW of the rows of these indices."""
        field, offset = ROW.fields[name]
        values = np.empty(len(indices), field)
        for place, index in enumerate(indices.tolist()):
            data = os.pread(self._file.fileno(), field.itemsize, index * ROW.itemsize + offset)
            values[place] = np.frombuffer(data, field.base).reshape(field.shape)
        return values

    def read_told(self, start: np.ndarray, count: np.ndarray) -> np.ndarray:
        """TOLD: what packets tell, one after the other, from where it begins and how many rows it is.

        Raises:
            OSError: the file ends before it; names the file.
        """
        rows, end = np.empty(count.sum(), TOLD), np.cumsum(count)
        data = memoryview(rows.view(np.uint8))
        places = zip(*((column * TOLD.itemsize).tolist() for column in (start, end - count, end)), strict=True)
        for at, begin, stop in places:
            if begin < stop and os.preadv(self._told.fileno(), [data[begin:stop]], at) < stop - begin:
                raise OSError(errno.EIO, "temporary file of histories ends early", self._told.name)
        return rows

    def sources(self) -> Iterator[str]:
        """The source of each row, in order."""
        self._sources.seek(0)
        return (json.loads(line) for line in self._sources)


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class RejectionLog:
    """Rejections on disk: a night of broken packets must not fill the memory."""

    def __init__(self, folder: str | Path) -> None:
        self._file = open(Path(folder, "rejections"), "w+", encoding="utf-8")  # noqa: SIM115 - open as long as the log

    def close(self) -> None:
        self._file.close()

    def add(self, rejection: Rejection) -> None:
        self._file.write(json.dumps(rejection) + "\n")

    def read(self) -> Iterator[Rejection]:
        self._file.flush()
        with open(self._file.name, encoding="utf-8") as file:
            for line in file:
                yield Rejection(*json.loads(line))


ROW_COLUMNS = ("kind", "metadata", "jd", "candid", "fid")
ALERTS_PER_TASK = 64
BYTES_PER_TASK = 8 << 20
TASKS_ALONE = 8  # about 500 alerts or half a second of decoding, which is what other processes take to start
FEWER = f"give fewer alerts at a time: {TASKS_ALONE * ALERTS_PER_TASK} or fewer are decoded without worker processes"
OBJECTS_PER_BATCH = 256
ALERTS_PER_BATCH = 5 * OBJECTS_PER_BATCH  # 30 MB of stamps, unless a single object has more
NOT_READ = "another_alert_not_read"
NOTED = ("padded_edge", "constant_stamp", OTHERS_APART)  # remarks that stand in the table of predictions
# Notes that count the objects with a source in the catalogue that has a magnitude, and with one that has none.
ALLWISE_MATCHED, ALLWISE_WITHOUT = "allwise_matched", "allwise_matched_without_magnitudes"
ALLWISE_AMBIGUOUS = "allwise_several_within_the_radius"
ALLWISE_NOTES = (ALLWISE_MATCHED, ALLWISE_WITHOUT, ALLWISE_AMBIGUOUS)
TOLD_AT_ONCE = 100_000  # rows of histories, 25 MB at work
REJECTIONS_AT_ONCE = 10_000

DETAILS = {
    DUPLICATE: "this candid came before for the same object",
    WITHIN: "less than 6 hours after the last kept detection",
    BEYOND: "the sequence is complete",
    BEFORE: "a later alert of the object is read, whose packet tells of this one",
    APART: f"more than {MAX_APART_ARCSEC:g} arcsec from the median position of the alerts under this id",
}


class Ingested:
    """What alert packets came to: the ledger, the rejections, and the sequences.

    Attributes:
        ledger: alerts read, kept, dropped by reason, and notes on kept ones.
        object_ids: sorted names of the objects with a kept detection.
    """

    def __init__(
        self,
        spool: Spool,
        ledger: Ledger,
        rejections: RejectionLog,
        files: ExitStack,
        histories: bool,
        choice: str,
    ) -> None:
        self.ledger, self._histories, self._choice = ledger, histories, choice
        self._spool, self._rejections, self._files = spool, rejections, files
        self._keys, rank, names = spool.index()
        keys = self._keys
        order, verdict = _choose(rank, keys, choice)
        self._drop(verdict, rank, names)
        self._order, self._verdict = order, verdict[order]  # object by object in time order
        self._edges = np.append(np.unique(rank[order], return_index=True)[1], len(order))
        self._kept = order[self._verdict == KEPT]
        self._object, first = np.unique(rank[self._kept], return_index=True)
        self._start = np.append(first, len(self._kept)).astype(np.int64)
        self.object_ids = [names[i] for i in self._object]
        self._told_end = np.cumsum(keys["n_told"], dtype=np.int64)
        self._mark_others_apart(rank, verdict)
        self._take_notes(rank)

    def __enter__(self) -> "Ingested":
        return self

    def __exit__(self, *_exception) -> None:
        self._files.close()

    @property
    def n_objects(self) -> int:
        return len(self.object_ids)

    @property
    def positions(self) -> np.ndarray:
        """[N, 2] float64: ra, dec [deg] of the first kept detection of each object; NaN where unknown."""
        return self._keys["position"][self._kept[self._start[:-1]]]

    def rejections(self) -> Iterator[Rejection]:
        """Everything that was dropped, in order of reading, then what the choice of sequences dropped."""
        return self._rejections.read()

    def dropped_by_object(self) -> dict[str, Counter[str]]:
        """For each object that lost alerts and is known by name: how many, by reason."""
        lost: dict[str, Counter[str]] = {}
        for rejection in self.rejections():
            if rejection.object_id:
                lost.setdefault(rejection.object_id, Counter())[rejection.reason] += rejection.n_alerts
        return lost

    def unread_alerts(self) -> Iterator[tuple[str, int | None, str]]:
        """Object, candid and reason of each dropped alert of an object known by name, but for duplicates."""
        for lost in self.rejections():
            if lost.object_id and lost.reason != VERDICTS[DUPLICATE]:
                yield lost.object_id, lost.candid or None, lost.reason

    def unread_objects(self) -> Iterator[tuple[str, int | None, str]]:
        """As `unread_alerts`, once for each object without a kept alert, with all its reasons."""
        kept = {*self.object_ids}
        for object_id, reasons in self.dropped_by_object().items():
            if object_id not in kept:
                yield object_id, None, ", ".join(sorted(reasons))

    def objects_with(self, remark: str) -> set[str]:
        """Names of the objects with a kept detection that carries one of `decode.REMARKS`, e.g. "padded_edge"."""
        marked = self._keys["remarks"][self._kept] >> REMARKS.index(remark) & 1
        per_object = np.add.reduceat(marked, self._start[:-1]) if len(marked) else marked
        return {self.object_ids[i] for i in np.flatnonzero(per_object)}

    def notes(self) -> dict[str, str]:
        """What a reader of predictions must know, by object: a stamp padded at the edge, alerts far from the others."""
        notes: dict[str, list[str]] = {}
        for remark in NOTED:
            for object_id in self.objects_with(remark):
                notes.setdefault(object_id, []).append(remark)
        return {object_id: "; ".join(remarks) for object_id, remarks in notes.items()}

    def notes_of_alerts(self) -> dict[tuple[str, int], str]:
        """As `notes`, by object and candid of each kept alert of which there is something to know.

        Where one alert of each object is kept: also of others that it does not stand for, since they cannot be used.
        """
        owner = np.repeat(np.arange(self.n_objects), np.diff(self._start))
        bits = [REMARKS.index(remark) for remark in NOTED]
        marked = self._keys["remarks"][self._kept][:, None] >> bits & 1
        lost = self._lost_besides() if self._choice == "latest" else {}
        notes = {}
        for i, (of, candid) in enumerate(zip(owner, self._keys["candid"][self._kept].tolist(), strict=True)):
            remarks = [remark for remark, is_marked in zip(NOTED, marked[i], strict=True) if is_marked]
            remarks += lost.get(self.object_ids[of], [])
            if remarks:
                notes[self.object_ids[of], candid] = "; ".join(remarks)
        return notes

    def _lost_besides(self) -> dict[str, list[str]]:
        """By object: the reasons for which alerts of it were dropped that no other stands for."""
        harmless = {VERDICTS[verdict] for verdict in (DUPLICATE, BEFORE)}
        return {
            object_id: [f"{NOT_READ}: {reason}" for reason in sorted(reasons.keys() - harmless)]
            for object_id, reasons in self.dropped_by_object().items()
        }

    def batches(
        self,
        objects_per_batch: int = OBJECTS_PER_BATCH,
        allwise: crossmatch.AllWise | crossmatch.OnDemand | None = None,
        labels: Mapping[str, str] | None = None,
        subclasses: Mapping[str, str] | None = None,
    ) -> Iterator[Sequences]:
        """The sequences, sorted by object, a batch at a time, of no more than `ALERTS_PER_BATCH` alerts or one object.

        The ledger's notes on histories count the rows so far.

        Args:
            allwise: catalogue to match at the place of the first kept detection; without it all magnitudes are NaN. The
                ledger's notes ALLWISE_NOTES count the objects so far, see `crossmatch.report`.
            labels, subclasses: label and subclass by objectId.
        """
        for name in (*history.NOTES, *ALLWISE_NOTES):
            self.ledger.notes.pop(name, None)
        if allwise is not None:
            self.ledger.notes[ALLWISE_MATCHED] = 0
            allwise = crossmatch.around(allwise, *self.positions.T)
        first = 0
        while first < self.n_objects:
            within = int(np.searchsorted(self._start, self._start[first] + ALERTS_PER_BATCH, side="right")) - 1
            last = min(max(within, first + 1), first + objects_per_batch, self.n_objects)
            yield self._batch(first, last, allwise, labels or {}, subclasses or {})
            first = last

    def _batch(
        self, first: int, last: int, allwise, labels: Mapping[str, str], subclasses: Mapping[str, str]
    ) -> Sequences:
        groups = [self._rows(*group) for group in self._groups(first, last)]
        rows = np.concatenate([rows for rows, _ in groups])
        names = self.object_ids[first:last]
        start = np.cumsum([0, *np.concatenate([counts for _, counts in groups])])
        self._note_history(history.counts(rows["kind"]))
        bands = np.full((len(names), len(ALLWISE_BANDS)), np.nan, np.float32)
        if allwise is not None:
            places = self.positions[first:last].T
            nearest = crossmatch.sources(allwise, *places)
            bands = crossmatch.magnitudes(allwise, nearest)
            n_matched = int((~np.isnan(bands).all(axis=1)).sum())
            self.ledger.notes[ALLWISE_MATCHED] += n_matched
            self.ledger.note(ALLWISE_WITHOUT, int((nearest >= 0).sum()) - n_matched)
            self.ledger.note(ALLWISE_AMBIGUOUS, int((crossmatch.n_sources(allwise, *places) > 1).sum()))
        return Sequences(
            stamps=self._spool.read("stamps", self._kept[self._start[first] : self._start[last]]),
            stamp_row=stamp_rows(rows["kind"]),
            **{name: np.ascontiguousarray(rows[name]) for name in ROW_COLUMNS},
            object_id=np.array(names, object),
            object_start=start,
            allwise=bands,
            label=encode(names, labels),
            subclass=encode_subclasses(names, labels, subclasses),
            split=np.full(len(names), NO_SPLIT, np.int8),
        )

    def _groups(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Objects `first` to `last` in groups whose histories fit into the memory; that of a single object may not."""
        n_told = np.add.reduceat(
            self._keys["n_told"][self._order[self._edges[first] : self._edges[last]]],
            self._edges[first:last] - self._edges[first],
            dtype=np.int64,
        )
        begin, told = first, 0
        for index, count in enumerate(n_told.tolist(), first):
            if index > begin and told + count > TOLD_AT_ONCE:
                yield begin, index
                begin, told = index, 0
            told += count
        yield begin, last

    def _rows(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows (TOLD) of some objects, of their alerts and of what all of their packets tell; and how many each."""
        here = slice(self._edges[first], self._edges[last])
        owner = np.repeat(np.arange(last - first), np.diff(self._edges[first : last + 1]))
        everything = history.joined([self._own(here, owner), history.gather(self._told(here, owner))])
        chosen, notes = history.once(*everything)
        self._note_history(notes)
        return everything.rows[chosen], np.bincount(everything.owner[chosen], minlength=last - first)

    def _note_history(self, notes: Mapping[str, int]) -> None:
        if self._histories:
            for name, count in notes.items():
                self.ledger.note(name, count)

    def _own(self, here: slice, owner: np.ndarray) -> history.Told:
        """The rows of alerts that were read."""
        own = self._verdict[here] != DUPLICATE
        packets = self._order[here][own]
        rows = np.zeros(len(packets), TOLD)
        for name in ("jd", "candid", "fid"):
            rows[name] = self._keys[name][packets]
        rows["kind"] = np.where(self._verdict[here][own] == KEPT, ALERT, DETECTION)
        rows["metadata"] = self._spool.read("metadata", packets)
        return history.Told(owner[own], np.full(len(rows), history.OWN), rows)

    def _told(self, here: slice, owner: np.ndarray) -> Iterator[history.Told]:
        """What packets tell of the past, a portion at a time, and nothing at the least."""
        packets = self._order[here]
        n_told = self._keys["n_told"][packets].astype(np.int64)
        rank = _ranks(owner, self._keys[packets])
        portion = (np.cumsum(n_told) - n_told) // TOLD_AT_ONCE
        for part in np.split(np.arange(len(packets)), np.flatnonzero(np.diff(portion)) + 1):
            count = n_told[part]
            rows = self._spool.read_told(self._told_end[packets[part]] - count, count)
            of_packets = (np.repeat(column[part], count) for column in (owner, rank))
            yield history.Told(*of_packets, rows)

    def _drop(self, verdict: np.ndarray, rank: np.ndarray, names: list[str]) -> None:
        """Settle the account: each detection read is now kept or dropped.

        Raises:
            RuntimeError: it does not balance, as where somebody else changed the temporary files.
        """
        n_read = self.ledger.read + len(verdict)
        for row, source in enumerate(self._spool.sources()):
            if verdict[row] == KEPT:
                self.ledger.keep()
                continue
            reason = VERDICTS[verdict[row]]
            candid = int(self._keys["candid"][row])
            self._rejections.add(Rejection(reason, DETAILS[verdict[row]], source, names[rank[row]], candid))
            self.ledger.drop(reason)
        if self.ledger.read != n_read:
            raise RuntimeError(f"{n_read} alerts read, {self.ledger.read} of them kept or dropped; expected all")

    def _mark_others_apart(self, rank: np.ndarray, verdict: np.ndarray) -> None:
        """Remark on kept detections whose object has others elsewhere."""
        mixed = np.isin(rank[self._kept], rank[verdict == APART])
        self._keys["remarks"][self._kept[mixed]] |= 1 << REMARKS.index(OTHERS_APART)

    def _take_notes(self, rank: np.ndarray) -> None:
        notes = once_each(self._spool.notes(), _same(rank, self._keys["candid"]))
        for name, count in tally(notes).items():
            self.ledger.note(name, count)
        for bit, name in enumerate(REMARKS):
            self.ledger.note(name, int((self._keys["remarks"][self._kept] >> bit & 1).sum()))
        candid = self._keys["candid"][self._kept]
        known = candid[candid != NO_CANDID]
        self.ledger.note("candid_under_several_objects", len(known) - len(np.unique(known)))
        self.ledger.note("without_candid", len(candid) - len(known))


def _ranks(owner: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """[k] which packet each is of those in order: the same for copies of one."""
    named = (owner, keys["jd"], keys["candid"], keys["digest"])
    new = np.any([np.diff(column) != 0 for column in named], axis=0)
    return np.cumsum(np.concatenate([[False], new]))


def _same(rank: np.ndarray, candid: np.ndarray) -> np.ndarray:
    """[M] int64: the same number for packets of one object with one candid, wherever they place it; none is alone."""
    order = np.lexsort((candid, rank))
    changes = (np.diff(rank[order]) != 0) | (np.diff(candid[order]) != 0) | (candid[order][1:] == NO_CANDID)
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(np.append(False, changes))[: len(order)]
    return number


def _choose(rank: np.ndarray, keys: np.ndarray, choice: str) -> tuple[np.ndarray, np.ndarray]:
    """One of `sequences.CHOICES` of the detections at one place."""
    verdict = np.full(len(keys), APART, np.int8)
    near = np.flatnonzero(~apart(rank, *keys["position"].T))
    order, verdict[near] = CHOICES[choice](rank[near], *(keys[name][near] for name in ("jd", "candid", "digest")))
    return near[order], verdict


def ingest(
    paths: Iterable[str | Path],
    *,
    workdir: str | Path,
    workers: Workers | None = None,
    pad_edges: bool = False,
    histories: bool = True,
    choice: str = "sequence",
    progress: bool = True,
    passed_over: Iterable[str | Path | None] = (),
    remedy: str = FEWER,
) -> Ingested:
    """Read alert packets.

    Args:
        paths: directories, Avro files, tar archives; the result does not depend on their order.
        workdir: an empty folder for temporary data, 24 KB per alert and 0.1 KB per row of its history; the caller
            deletes it, after the last batch.
        workers: processes, or where else; None = one per core, or this one alone for a few hundred alerts.
        pad_edges: keep alerts at the edge of the image, padded with NaN (to classify), or drop them (to train).
        histories: read what packets tell of the past; otherwise the sequences are of the alerts alone, and the ledger
            does not speak of histories. Models of sequences do not read them, and they take a third of the time.
        choice: which alerts of an object are kept: the first few ("sequence"), the "latest", or "every" one; see
            `sequences.CHOICES`.
        progress: show a bar on stderr.
        passed_over: files that the program reads or writes besides, not to be counted where they lie among the alerts;
            None stands for none.
        remedy: what the user of the caller can do where a worker process dies.

    Raises:
        FileNotFoundError: a path does not exist; nothing is read then.
        OSError: the disk of `workdir` is full.
        WorkerError: a worker process died.
    """
    paths = [Path(path) for path in paths]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or directory (expected alert packets)")
    besides = {Path(path).resolve() for path in passed_over if path is not None}
    n_bytes = sum(_size(path, besides) for path in paths)
    with tqdm(total=n_bytes, unit="B", unit_scale=True, disable=not progress) as bar:
        items = chain.from_iterable(read_blocks(path, bar.update, besides) for path in paths)

        def tell(n_alerts: int) -> None:
            bar.set_postfix_str(f"{n_alerts} alerts", refresh=False)

        return ingest_items(
            items,
            workdir=workdir,
            workers=workers,
            pad_edges=pad_edges,
            histories=histories,
            choice=choice,
            tell=tell,
            remedy=remedy,
        )


def ingest_items(
    items: Iterable[Block | Alert | Rejection],
    *,
    workdir: str | Path,
    workers: Workers | None = None,
    pad_edges: bool = False,
    histories: bool = True,
    choice: str = "sequence",
    tell: Callable[[int], object] = lambda n_alerts: None,
    remedy: str = FEWER,
) -> Ingested:
    """Read alerts from wherever they come: `containers.read_blocks`, `containers.read_stream`, `alerts.from_record`.

    Args:
        items: blocks of encoded alerts, alerts, and what could not be read.
        workdir, workers, pad_edges, histories, choice, remedy: as in `ingest`.
        tell: is told how many alerts were read so far.

    Raises:
        OSError, WorkerError: as `ingest`.
    """
    function = partial(decode, pad_edges=pad_edges, histories=histories)
    slices = chain.from_iterable(_on_all_cores(function, _tasks(items), workers))
    try:
        return ingest_decoded(slices, workdir=workdir, histories=histories, choice=choice, tell=tell)
    except WorkerError as error:
        raise WorkerError(f"{error}; {remedy}") from error


def ingest_decoded(
    slices: Iterable[Decoded],
    *,
    workdir: str | Path,
    histories: bool = True,
    choice: str = "sequence",
    tell: Callable[[int], object] = lambda n_alerts: None,
) -> Ingested:
    """Choose among detections that are rows of numbers already.

    Args:
        slices: a few detections each.
        workdir, histories, choice, tell: as in `ingest_items`.

    Raises:
        OSError: as `ingest`.
    """
    with ExitStack() as files:
        spool, rejections = (
            files.enter_context(closing(Spool(workdir))),
            files.enter_context(closing(RejectionLog(workdir))),
        )
        ledger = Ledger()
        for decoded in slices:
            _take(decoded, spool, ledger, rejections)
            tell(ledger.read + spool.n_rows)
        return Ingested(spool, ledger, rejections, files.pop_all(), histories, choice)


def _on_all_cores(function: Callable, tasks: Iterator, workers: Workers | None) -> Iterator:
    """`workers.ordered_map`; unless told how many workers, do a few tasks here: others would only start meanwhile."""
    few = [] if workers else list(islice(tasks, TASKS_ALONE + 1))
    alone = workers is None and len(few) <= TASKS_ALONE
    return ordered_map(function, chain(few, tasks), 1 if alone else workers or available_cores())


def _take(decoded: Decoded, spool: Spool, ledger: Ledger, rejections: RejectionLog) -> None:
    spool.append(decoded)
    for rejection in decoded.rejections:
        rejections.add(rejection)
        ledger.drop(rejection.reason, rejection.n_alerts)


def _tasks(items: Iterable[Block | Alert | Rejection]) -> Iterator[list[Block | Alert | Rejection]]:
    """The items in portions worth sending to a worker."""
    task, n_alerts, n_bytes = [], 0, 0
    for item in items:
        task.append(item)
        n_alerts += item.n_records if isinstance(item, Block) else 1
        n_bytes += len(item.payload) + len(item.schema_json) if isinstance(item, Block) else 0
        if n_alerts >= ALERTS_PER_TASK or n_bytes >= BYTES_PER_TASK:
            yield task
            task, n_alerts, n_bytes = [], 0, 0
    if task:
        yield task


def _size(path: Path, passed_over: Collection[Path] = ()) -> int:
    """Bytes that will be read below a path."""
    if not path.is_dir():
        return path.stat().st_size
    files = (file for file in files_below(path, passed_over) if file.name.lower().endswith(READABLE_SUFFIXES))
    return sum(file.stat().st_size for file in files if os.path.isfile(file))


def write_rejects(path: Path, ingested: Ingested) -> None:
    """Every rejection as a JSON object in a line of its own.

    Raises:
        OSError: the file cannot be written, or the temporary file of rejections cannot be read; names the one it is.
    """
    rejections = ingested.rejections()
    with files.replaced(path) as unfinished:
        with files.naming(path):
            unfinished.touch()
        while lines := [_as_line(rejection) for rejection in islice(rejections, REJECTIONS_AT_ONCE)]:
            with files.naming(path), unfinished.open("a", encoding="utf-8") as file:
                file.writelines(lines)


def _as_line(rejection: Rejection) -> str:
    line = {
        "file": rejection.source,
        "objectId": rejection.object_id or None,
        "candid": rejection.candid or None,
        "reason": rejection.reason,
        "detail": rejection.detail,
        "n_alerts": rejection.n_alerts,
    }
    return json.dumps(line) + "\n"
