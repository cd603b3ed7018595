"""Alert packets to sequences: read, decode on all cores, choose, and hand out object by object.

Serves `build`, which stores the sequences, and classification, which does not. What is read goes to disk until it is
known which detections are kept, and so do the histories that packets tell; memory holds some numbers of each alert, 40
bytes at the peak, when the sequences are chosen, then about 300 for each different row of the past of some objects.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep import history
from data_prep.infrared import crossmatch
from data_prep.labels import encode, encode_subclasses
from data_prep.ledger import Ledger, Rejection
from data_prep.packets.decode import OTHERS_APART, REMARKS, Decoded, decode
from data_prep.packets.history import TOLD, once_each, tally
from data_prep.packets.metadata import MAX_APART_ARCSEC
from data_prep.packets.walking import File, find
from data_prep.remote import is_url, path_of
from data_prep.sequences import APART, BEFORE, BEYOND, CHOICES, DUPLICATE, KEPT, VERDICTS, WITHIN, apart
from data_prep.spool import ENTRIES_AT_ONCE, Spool
from data_prep.tasks import ALERTS_PER_TASK, Item, Reader
from data_prep.workers import WorkerError, Workers, available_cores, ordered_map
from jtss import files
from jtss.schema import ALERT, ALLWISE_BANDS, DETECTION, NO_CANDID, NO_SPLIT, Sequences, stamp_rows


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
        rank, names = spool.objects()
        verdict = self._choose(rank, len(names))
        self._drop(verdict, rank, names)
        owner = rank[self._order]
        self._edges = np.append(np.flatnonzero(np.diff(owner, prepend=-1)), len(owner))
        kept = self._verdict == KEPT
        self._kept, owner = self._order[kept], owner[kept]
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        self._start = np.append(first, len(owner)).astype(np.int64)
        self.object_ids = [names[i] for i in owner[first].tolist()]
        self._note_kept()

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
        return self._positions

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
        marked = self._remarks >> REMARKS.index(remark) & 1
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
        marked = self._remarks[:, None] >> bits & 1
        lost = self._lost_besides() if self._choice == "latest" else {}
        notes = {}
        for i, of in enumerate(owner.tolist()):
            remarks = [remark for remark, is_marked in zip(NOTED, marked[i], strict=True) if is_marked]
            remarks += lost.get(self.object_ids[of], [])
            if remarks:
                (candid,) = self._spool.entries(self._kept[i : i + 1])["candid"].tolist()
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
        here = slice(self._edges[first], self._edges[last])
        n_told = self._spool.entries(self._order[here])["n_told"].astype(np.int64)
        begin, told = first, 0
        for index, count in enumerate(np.add.reduceat(n_told, self._edges[first:last] - here.start).tolist(), first):
            if index > begin and told + count > TOLD_AT_ONCE:
                yield begin, index
                begin, told = index, 0
            told += count
        yield begin, last

    def _rows(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows (TOLD) of some objects, of their alerts and of what all of their packets tell; and how many each."""
        here = slice(self._edges[first], self._edges[last])
        owner = np.repeat(np.arange(last - first), np.diff(self._edges[first : last + 1]))
        entries = self._spool.entries(self._order[here])
        own = self._own(self._order[here], entries, self._verdict[here], owner)
        everything = history.joined([own, history.gather(self._told(entries, owner))])
        chosen, notes = history.once(*everything)
        self._note_history(notes)
        return everything.rows[chosen], np.bincount(everything.owner[chosen], minlength=last - first)

    def _note_history(self, notes: Mapping[str, int]) -> None:
        if self._histories:
            for name, count in notes.items():
                self.ledger.note(name, count)

    def _own(self, packets: np.ndarray, entries: np.ndarray, verdict: np.ndarray, owner: np.ndarray) -> history.Told:
        """The rows of alerts that were read."""
        own = verdict != DUPLICATE
        rows = np.zeros(own.sum(), TOLD)
        for name in ("jd", "candid", "fid"):
            rows[name] = entries[name][own]
        rows["kind"] = np.where(verdict[own] == KEPT, ALERT, DETECTION)
        rows["metadata"] = self._spool.read("metadata", packets[own])
        return history.Told(owner[own], np.full(len(rows), history.OWN), rows)

    def _told(self, entries: np.ndarray, owner: np.ndarray) -> Iterator[history.Told]:
        """What packets tell of the past, a portion at a time, and nothing at the least."""
        n_told = entries["n_told"].astype(np.int64)
        rank = _ranks(owner, entries)
        portion = (np.cumsum(n_told) - n_told) // TOLD_AT_ONCE
        for part in np.split(np.arange(len(entries)), np.flatnonzero(np.diff(portion)) + 1):
            of_packets = (np.repeat(column[part], n_told[part]) for column in (owner, rank))
            yield history.Told(*of_packets, self._spool.read_told(entries[part]))

    def _choose(self, rank: np.ndarray, n_objects: int) -> np.ndarray:
        """Choose the detections of each object, some objects at a time.

        Returns:
            [M] int8: what became of each detection, in the order of reading.
        """
        verdict = np.empty(len(rank), np.int8)
        orders, verdicts, remarks, positions, candids = [], [], [], [], []
        for rows in _of_whole_objects(rank, n_objects):
            entries = self._spool.entries(rows)
            order, verdict[rows] = _chosen(rank[rows], entries, self._choice)
            verdict_here = verdict[rows][order]
            kept = order[verdict_here == KEPT]
            owner = rank[rows][kept]
            apart = np.isin(owner, rank[rows[verdict[rows] == APART]])
            orders.append(rows[order])
            verdicts.append(verdict_here)
            remarks.append(entries["remarks"][kept] | apart.astype(np.uint8) << REMARKS.index(OTHERS_APART))
            positions.append(entries["position"][kept[np.diff(owner, prepend=-1) != 0]])
            candids.append(entries["candid"][kept])
            notes = once_each(self._spool.notes(entries), _same(rank[rows], entries["candid"]))
            for name, count in tally(notes).items():
                self.ledger.note(name, count)
        self._order = _joined(orders, np.int64)
        self._verdict = _joined(verdicts, np.int8)  # object by object in time order, as `_order`
        self._remarks = _joined(remarks, np.uint8)
        self._positions = np.concatenate([np.zeros((0, 2)), *positions])
        self._candids = _joined(candids, np.int64)
        return verdict

    def _drop(self, verdict: np.ndarray, rank: np.ndarray, names: list[str]) -> None:
        """Settle the account: each detection read is now kept or dropped.

        Raises:
            RuntimeError: it does not balance, as where somebody else changed the temporary files.
        """
        n_read = self.ledger.read + len(verdict)
        sources = self._spool.sources()
        for first, entries in self._spool.entries_in_order():
            for row, (candid, source) in enumerate(zip(entries["candid"].tolist(), sources, strict=False), first):
                if verdict[row] == KEPT:
                    self.ledger.keep()
                    continue
                reason = VERDICTS[verdict[row]]
                self._rejections.add(Rejection(reason, DETAILS[verdict[row]], source, names[rank[row]], candid))
                self.ledger.drop(reason)
        if self.ledger.read != n_read:
            raise RuntimeError(f"{n_read} alerts read, {self.ledger.read} of them kept or dropped; expected all")

    def _note_kept(self) -> None:
        for bit, name in enumerate(REMARKS):
            self.ledger.note(name, int((self._remarks >> bit & 1).sum()))
        known = self._candids[self._candids != NO_CANDID]
        self.ledger.note("candid_under_several_objects", len(known) - len(np.unique(known)))
        self.ledger.note("without_candid", len(self._candids) - len(known))


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *parts])


def _of_whole_objects(rank: np.ndarray, n_objects: int) -> Iterator[np.ndarray]:
    """Indices of detections, of some objects after the other: about `ENTRIES_AT_ONCE` of them, or of one object.

    Args:
        rank: [M] the number of the object of each.
    """
    end = np.cumsum(np.bincount(rank, minlength=n_objects))
    first = 0
    while first < n_objects:
        n_before = end[first - 1] if first else 0
        last = max(int(np.searchsorted(end, n_before + ENTRIES_AT_ONCE, side="right")), first + 1)
        yield np.flatnonzero((rank >= first) & (rank < last))
        first = last


def _ranks(owner: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """[k] which packet each is of those in order: the same for copies of one."""
    named = (owner, entries["jd"], entries["candid"], entries["digest"])
    new = np.any([np.diff(column) != 0 for column in named], axis=0)
    return np.cumsum(np.concatenate([[False], new]))


def _same(rank: np.ndarray, candid: np.ndarray) -> np.ndarray:
    """[M] int64: the same number for packets of one object with one candid, wherever they place it; none is alone."""
    order = np.lexsort((candid, rank))
    changes = (np.diff(rank[order]) != 0) | (np.diff(candid[order]) != 0) | (candid[order][1:] == NO_CANDID)
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(np.append(False, changes))[: len(order)]
    return number


def _chosen(rank: np.ndarray, entries: np.ndarray, choice: str) -> tuple[np.ndarray, np.ndarray]:
    """One of `sequences.CHOICES` of the detections at one place."""
    verdict = np.full(len(entries), APART, np.int8)
    group = np.unique(rank, return_inverse=True)[1]
    near = np.flatnonzero(~apart(group, *entries["position"].T))
    order, verdict[near] = CHOICES[choice](group[near], *(entries[name][near] for name in ("jd", "candid", "digest")))
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
        paths: directories, Avro files, tar archives, also as URLs; the result does not depend on their order.
        workdir: an empty folder for temporary data, 24 KB per alert and 0.1 KB per row of its history; the caller
            deletes it, after the last batch.
        workers: processes, or where else; None = one per core, or this one alone for a few hundred alerts.
        pad_edges: keep alerts at the edge of the image, padded with NaN (to classify), or drop them (to train).
        histories: read what packets tell of the past; otherwise the sequences are of the alerts alone, and the ledger
            does not speak of histories. Models of sequences do not read them, and they take a sixth of the time.
        choice: which alerts of an object are kept: the first few ("sequence"), the "latest", or "every" one; see
            `sequences.CHOICES`.
        progress: show a bar on stderr.
        passed_over: files that the program reads or writes besides, not to be counted where they lie among the alerts;
            None stands for none.
        remedy: what the user of the caller can do where a worker process dies.

    Raises:
        FileNotFoundError, InputError: a path does not exist, or a URL cannot be read; nothing is read then.
        OSError: the disk of `workdir` is full.
        WorkerError: a worker process died.
    """
    places = list(paths)
    others = [other for other in passed_over if other is not None]
    besides = {other if is_url(other) else path_of(other).resolve() for other in others}
    found = [find(place, besides) for place in places]  # says so where one is not there
    # What is elsewhere is listed once, and remembered; what is here is walked once for its size and once to be read.
    found = [list(items) if is_url(place) else items for place, items in zip(places, found, strict=True)]
    n_bytes = sum(
        _size(items if is_url(place) else find(place, besides)) for place, items in zip(places, found, strict=True)
    )
    with tqdm(total=n_bytes or None, unit="B", unit_scale=True, disable=not progress) as bar:

        def tell(n_alerts: int) -> None:
            bar.set_postfix_str(f"{n_alerts} alerts", refresh=False)

        return ingest_items(
            chain.from_iterable(found),
            workdir=workdir,
            workers=workers,
            pad_edges=pad_edges,
            histories=histories,
            choice=choice,
            tell=tell,
            on_read=bar.update,
            remedy=remedy,
        )


def ingest_items(
    items: Iterable[Item],
    *,
    workdir: str | Path,
    workers: Workers | None = None,
    pad_edges: bool = False,
    histories: bool = True,
    choice: str = "sequence",
    tell: Callable[[int], object] = lambda n_alerts: None,
    on_read: Callable[[int], object] = lambda n_bytes: None,
    remedy: str = FEWER,
) -> Ingested:
    """Read alerts from wherever they come: `walking.find`, `containers.read_stream`, `alerts.from_record`.

    Args:
        items: files, blocks of encoded alerts, alerts, and what could not be read.
        workdir, workers, pad_edges, histories, choice, remedy: as in `ingest`.
        tell: is told how many alerts were read so far.
        on_read: is told the bytes of files as they are read.

    Raises:
        OSError, WorkerError: as `ingest`.
    """
    function = partial(decode, pad_edges=pad_edges, histories=histories)
    reader = Reader(items, on_read)
    results = _on_all_cores(function, reader.portions(), workers)
    try:
        slices = reader.slices(results, function)
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


def _size(found: Iterable[File | Rejection]) -> int:
    """Bytes that will be read of what was found, as far as that is known before."""
    return sum(item.size or 0 for item in found if isinstance(item, File) and not item.is_refused)


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
