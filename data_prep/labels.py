"""Labels of objects from a table, and their splits: by object, so that no object is in two of them."""

import csv
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep import tables
from jtss.errors import InputError
from jtss.schema import (
    CLASS_NAMES,
    CLASS_OF_SUBCLASS,
    MAX_DETECTIONS,
    NO_SPLIT,
    NO_SUBCLASS,
    SPLIT_NAMES,
    SUBCLASSES,
    UNLABELLED,
)

REQUIRED = ("objectId", "label")
OPTIONAL = "subclass"
COLUMNS = (*REQUIRED, OPTIONAL)
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
# What has another extension is CSV, whose lines we look at closely; of these the rows have numbers.
TABLES = {kind for kind in tables.READERS if kind != ".csv"}


def load(path: str | Path, columns: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read the label of each object, as written.

    Args:
        path: CSV, Parquet, ECSV, VOTable or FITS with the columns objectId and label, in any case; others are ignored,
            but `load_subclasses` reads subclass. An object may have many rows; empty labels say nothing.
        columns: other names of these columns, by ours, as `tables.renamed` gives them.

    Returns:
        label by objectId, also those that are no class of ours.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: not CSV in UTF-8, another separator, a column is missing or there twice, a row is too short or too
            long, a quote runs on over other rows, or an object has two labels; names the line where it begins. Of the
            other kinds of files, what `tables.read` does not take.
    """
    rows = _rows(Path(path), columns or {})
    return _by_object(Path(path), "labels", ((place, name, label) for place, name, label, _ in rows))


def load_subclasses(path: str | Path, columns: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read the subclass of each object, as written, from the column subclass of the same file; none without it.

    Returns:
        subclass by objectId, also those that are none of ours.

    Raises:
        FileNotFoundError, InputError: as `load`; or an object has two subclasses.
    """
    rows = _rows(Path(path), columns or {})
    return _by_object(Path(path), "subclasses", ((place, name, subclass) for place, name, _, subclass in rows))


def objects(path: str | Path, columns: Mapping[str, str] | None = None) -> list[str]:
    """The objectIds of a table, each once, in their order, also of those without a label.

    Raises:
        FileNotFoundError, InputError: as `load`.
    """
    return [*dict.fromkeys(name for _, name, _, _ in _rows(Path(path), columns or {}))]


def _by_object(path: Path, what: str, rows: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """What rows say of objects, by objectId; nothing where they say nothing, and one thing of each object."""
    said: dict[str, str] = {}
    for place, object_id, text in rows:
        if text and said.setdefault(object_id, text) != text:
            raise InputError(f"{path}: object {object_id} has two {what}, {said[object_id]} and {text} ({place})")
    return said


def _rows(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Where a row begins (line 2), its objectId, its label, and its subclass, "" without one."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (labels)")
    is_packed = path.suffix.lower() in (tables.COMPRESSED, tables.ZIPPED)
    if is_packed or tables.kind_of(path) in TABLES or _is_ecsv(path):
        yield from _rows_of_table(path, columns)
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line, *row in _rows_of(path, file, columns):
                yield f"line {line}", *row
    except UnicodeError as error:
        raise InputError(f"{path}: not a CSV file in UTF-8: {error}; save it as one") from error


def _is_ecsv(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(tables.ECSV_MARK)) == tables.ECSV_MARK


def _rows_of_table(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    wanted = {name: tables.Wanted("text", ((name,),), required=name != OPTIONAL) for name in COLUMNS}
    table = tables.read(path, tables.by_name(wanted, columns), "labels")
    texts = [table[name].to_pylist() if name in table else [""] * len(table["label"]) for name in COLUMNS]
    for number, row in enumerate(zip(*texts, strict=True), 1):
        yield f"row {number}", *row


def _rows_of(path: Path, file: Iterable[str], columns: Mapping[str, str]) -> Iterator[tuple[int, str, str, str]]:
    numbered = _numbered(path, csv.reader(file, strict=True))
    _, header = next(numbered, (1, []))
    of_id, of_label, of_subclass = _columns(path, header, columns)
    for line, row in numbered:
        if not row:
            continue
        if len(row) <= max(of_id, of_label):
            raise InputError(f"{path}, line {line}: too few columns, expected objectId and label")
        if any(field.strip() for field in row[len(header) :]):
            raise InputError(f"{path}, line {line}: {len(row)} columns, expected {len(header)}")
        if any(_holds_a_row(field, len(header), of_label) for field in row) or "\n" in row[of_id] + row[of_label]:
            raise InputError(f"{path}, line {line}: a quote that opens here runs on over the next lines")
        subclass = "" if of_subclass is None else "".join(row[of_subclass : of_subclass + 1])
        yield line, row[of_id].strip(), row[of_label].strip(), subclass.strip()


def _numbered(path: Path, reader) -> Iterator[tuple[int, list[str]]]:
    """Rows, each with the number of the line where it begins: the reader knows where it ends."""
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise InputError(f"{path}, line {line}: a quote that opens here has no end") from error
            raise InputError(f"{path}, line {line}: not a CSV file in UTF-8: {error}") from error
        yield line, row


def _columns(path: Path, header: list[str], columns: Mapping[str, str]) -> tuple[int, int, int | None]:
    """Where objectId, label and subclass are; None: there is no subclass."""
    names = [name.strip().lower() for name in header]
    required = {name: columns.get(name, name) for name in COLUMNS if name in REQUIRED or name in columns}
    for wrong, count in (("no", 0), ("more than one", 2)):
        asked = (required | {OPTIONAL: columns.get(OPTIONAL, OPTIONAL)} if count else required).values()
        missing = [name for name in asked if min(names.count(name.lower()), 2) == count]
        if missing:
            separated = [name for mark, name in SEPARATORS.items() if len(header) == 1 and mark in header[0]]
            advice = f"; columns seem to be separated by {separated[0]}, expected commas" if separated else ""
            found = ", ".join(header) or "nothing"
            raise InputError(f"{path}: {wrong} column {', '.join(missing)}; found {found}{advice}")
    of_id, of_label = (names.index(required[name].lower()) for name in REQUIRED)
    of_subclass = columns.get(OPTIONAL, OPTIONAL).lower()
    return of_id, of_label, names.index(of_subclass) if of_subclass in names else None


def _holds_a_row(field: str, n_columns: int, of_label: int) -> bool:
    """Whether a field has swallowed a row: a note may well have many lines, but they do not name a class in place."""
    lines = (line.split(",") for line in field.splitlines()[1:])
    return any(len(row) >= n_columns and row[of_label].strip() in CLASS_NAMES for row in lines)


def encode(object_ids: Iterable[str], labels: Mapping[str, str]) -> np.ndarray:
    """[N] int8: index into CLASS_NAMES; -1 for objects without a label or with one that is no class of ours."""
    codes = {name: code for code, name in enumerate(CLASS_NAMES)}
    return np.array([codes.get(labels.get(name, ""), UNLABELLED) for name in object_ids], np.int8)


def encode_subclasses(
    object_ids: Iterable[str], labels: Mapping[str, str], subclasses: Mapping[str, str]
) -> np.ndarray:
    """[N] int8: index into SUBCLASSES; -1 for objects without a subclass or with one that is none of their class."""
    known = [
        SUBCLASSES.index(subclasses[name]) if _is_of_class(labels.get(name), subclasses.get(name)) else NO_SUBCLASS
        for name in object_ids
    ]
    return np.array(known, np.int8)


def _is_of_class(label: str | None, subclass: str | None) -> bool:
    return subclass in CLASS_OF_SUBCLASS and CLASS_OF_SUBCLASS[subclass] == label


def subclass_notes(object_ids: Sequence[str], labels: Mapping[str, str], subclasses: Mapping[str, str]) -> Counter[str]:
    """How many of the objects have a subclass that does not count, by its name: none of ours, or not of their class."""
    said = ((labels.get(name), subclasses[name]) for name in object_ids if name in subclasses)
    return Counter(
        f"objects with subclass {subclass}, " + ("not of their class" if subclass in SUBCLASSES else "not a subclass")
        for label, subclass in said
        if not _is_of_class(label, subclass)
    )


def notes(object_ids: Iterable[str], labels: Mapping[str, str]) -> Counter[str]:
    """How many of the objects stay unlabelled, by what their label says: nothing, or a name that is no class."""
    names = (labels.get(object_id, "") for object_id in object_ids)
    return Counter(
        f"objects with label {name}, not a class" if name else "objects without label"
        for name in names
        if name not in CLASS_NAMES
    )


def absent(labels: Mapping[str, str], object_ids: Collection[str]) -> list[str]:
    """The labelled objects that are not among those given."""
    return sorted(labels.keys() - set(object_ids))


def conflicts(object_ids: list[str], labels: Mapping[str, str], source: np.ndarray) -> list[list[str]]:
    """Objects that are one source by their place, but have labels of different classes.

    Args:
        object_ids: N names.
        labels: label by name.
        source: [N] the same number for objects that are one source, see `same_source.groups`.

    Returns:
        For each such source the names of its objects with a class.
    """
    code = encode(object_ids, labels)
    labelled = np.flatnonzero(code != UNLABELLED)
    labelled = labelled[np.argsort(source[labelled], kind="stable")]
    members = np.split(labelled, np.flatnonzero(np.diff(source[labelled])) + 1)
    return [[object_ids[i] for i in group] for group in members if len(set(code[group])) > 1]


PER_CLASS = 200  # objects of each class for test, and as many for validation; TSC §IV-A
PER_CLASS_OF_FIRST_ALERTS = 100
BOGUS = "bogus"
FIRST_ALERT_CLASSES = ("asteroid", BOGUS)  # have one alert: a data set of them is for classifiers of first alerts
FIRST_ALERT_SHARE = 0.05  # of the labelled objects; fewer are strays in a set of sequences
APART_SHARE = 0.1  # of all bogus; more that return are no rarity, and the test has some of them
LEAST_SCORED = 10  # objects of a class in a test that is worth keeping for sequences of all lengths
TRAIN, VALIDATION, TEST = (SPLIT_NAMES.index(name) for name in ("train", "validation", "test"))


def draw(object_id: str, seed: int) -> int:
    """A number that stands for an object's place in the draw: a keyed hash, uniform in 64 bits."""
    digest = hashlib.blake2b(object_id.encode(), digest_size=8, key=str(seed).encode())
    return int.from_bytes(digest.digest(), "big")


class Candidates(NamedTuple):
    """The objects of a class among which test and validation are drawn.

    Attributes:
        rows: their indices.
        least: alerts that each of them has.
        wanted: how many are asked for, each for test and for validation.
    """

    rows: np.ndarray
    least: int
    wanted: int

    @property
    def n_each(self) -> int:
        """For test, and as many for validation: at most a quarter, so that half is left to train."""
        return min(self.wanted, len(self.rows) // 4)


def candidates(label: np.ndarray, n_alerts: np.ndarray) -> dict[str, Candidates]:
    """Who may be drawn for test and validation, by class.

    None that `returns_though_bogus`. In a data set of sequences those with five alerts, so that sequences of all
    lengths are scored on the same objects; all objects of a class where those with five alerts would give fewer than
    `LEAST_SCORED` for the test, and all would give more. In a data set of first alerts, see `is_of_first_alerts`, all.

    Args:
        label: [N] int8, -1 = unknown. n_alerts: [N] alerts of each object, 6 hours apart.

    FIDELITY, Splits.
    """
    drawn = ~returns_though_bogus(label, n_alerts)
    of_class = {name: np.flatnonzero(drawn & (label == code)) for code, name in enumerate(CLASS_NAMES)}
    of_first_alerts = is_of_first_alerts(label)
    wanted = PER_CLASS_OF_FIRST_ALERTS if of_first_alerts else PER_CLASS
    result = {}
    for name, members in of_class.items():
        whole = Candidates(members[n_alerts[members] >= MAX_DETECTIONS], MAX_DETECTIONS, wanted)
        every = Candidates(members, 1, wanted)
        is_enough = whole.n_each >= min(LEAST_SCORED, every.n_each)
        result[name] = whole if is_enough and not of_first_alerts else every
    return result


def is_of_first_alerts(label: np.ndarray) -> bool:
    """Whether labels [N] are those of a data set of first alerts: some of its objects can have no more than one."""
    n_single = _n_single(label)
    return bool(n_single and n_single >= FIRST_ALERT_SHARE * np.sum(label != UNLABELLED))


def returns_though_bogus(label: np.ndarray, n_alerts: np.ndarray) -> np.ndarray:
    """[N] bool: bogus with a second alert, in a data set of first alerts where it is rare.

    It is some hundredth of all bogus, and the hundred of the test would have one or none of it: so half of it is in no
    split, to be judged unseen in both its alerts, and models of packets learn from the other half.

    TSC §IV-B; `candidates` says what is given.
    """
    bogus = label == CLASS_NAMES.index(BOGUS)
    returns = bogus & (n_alerts > 1)
    is_rare = is_of_first_alerts(label) and returns.sum() <= APART_SHARE * bogus.sum()
    return returns & is_rare


def _n_apart(label: np.ndarray, n_alerts: np.ndarray, split: np.ndarray) -> int:
    return int(np.sum(returns_though_bogus(label, n_alerts) & (split == NO_SPLIT)))


def _n_single(label: np.ndarray) -> int:
    return int(np.isin(label, [CLASS_NAMES.index(name) for name in FIRST_ALERT_CLASSES]).sum())


def assign(
    object_id: np.ndarray, label: np.ndarray, n_alerts: np.ndarray, seed: int, source: np.ndarray | None = None
) -> np.ndarray:
    """Draw the split of each object, class by class.

    The first of the `candidates` of a class in the order of `draw` are for test, as many after them for validation, the
    rest of the class for training. An object's place does not depend on the order of the input, and new objects push
    few others on.

    Args:
        object_id: [N] names.
        label: [N] int8, -1 = unknown.
        n_alerts: [N] alerts of each object, 6 hours apart.
        seed: another seed is another draw.
        source: [N] the same number for objects that are one source, see `same_source.groups`: all go where the one with
            the lowest id goes, so that a split may have a few more or less. None: every object is one of its own.

    Returns:
        [N] int8, index into SPLIT_NAMES; -1 for unlabelled objects, and for every second one that
        `returns_though_bogus`, with its source.

    TSC §IV-A; FIDELITY, Splits.
    """

    def place(row: int) -> tuple[int, str]:
        return draw(object_id[row], seed), object_id[row]

    apart = np.zeros(len(label), bool)
    apart[sorted(np.flatnonzero(returns_though_bogus(label, n_alerts)), key=place)[::2]] = True
    if source is not None:
        apart |= np.isin(source, source[apart])
    split = np.where((label >= 0) & ~apart, TRAIN, NO_SPLIT).astype(np.int8)
    for drawn in candidates(label, n_alerts).values():
        members = sorted(drawn.rows, key=place)
        split[members[drawn.n_each : 2 * drawn.n_each]] = VALIDATION
        split[members[: drawn.n_each]] = TEST
    split[apart] = NO_SPLIT
    if source is not None:
        _keep_together(split, object_id, source)
    return split


def _keep_together(split: np.ndarray, object_id: np.ndarray, source: np.ndarray) -> None:
    """Move, in place, the labelled objects of each source into the split of the first of them."""
    labelled = np.flatnonzero(split != NO_SPLIT)
    labelled = labelled[np.argsort(object_id[labelled].astype(str), kind="stable")]
    _, first, which = np.unique(source[labelled], return_index=True, return_inverse=True)
    split[labelled] = split[labelled[first]][which]


def splits_made(label: np.ndarray, n_alerts: np.ndarray, split: np.ndarray) -> tuple[str, list[str]]:
    """Which splits `assign` has made of objects and why, in a line; and warnings where they might not be those meant.

    Args:
        label: [N] int8, -1 = unknown. n_alerts: [N] alerts of each object, 6 hours apart.
        split: [N] int8, as assigned.
    """
    drawn = {name: of_class for name, of_class in candidates(label, n_alerts).items() if np.any(label == _code(name))}
    n_single, n_labelled = _n_single(label), int(np.sum(label != UNLABELLED))
    single = f"{n_single} of {n_labelled} labelled objects are {' or '.join(FIRST_ALERT_CLASSES)}"
    if is_of_first_alerts(label):
        made = f"splits of first alerts, since {single}: among all objects of a class"
    else:
        made = f"splits of sequences: among objects with {MAX_DETECTIONS} alerts"
    counts = ", ".join(f"{name} {_sizes(name, label, split)}{_whence(of_class)}" for name, of_class in drawn.items())
    n_apart = _n_apart(label, n_alerts, split)
    apart = f"; {n_apart} {BOGUS} that return are in none, to be screened unseen" if n_apart else ""
    line = f"{made}, for test / validation: {counts or 'none, for no object is labelled'}{apart}"
    return line, list(_doubts(drawn, label, n_alerts, single))


def _code(name: str) -> int:
    return CLASS_NAMES.index(name)


def _sizes(name: str, label: np.ndarray, split: np.ndarray) -> str:
    return " / ".join(str(np.sum(split[label == _code(name)] == part)) for part in (TEST, VALIDATION))


def _whence(drawn: Candidates) -> str:
    shorter = drawn.wanted == PER_CLASS and drawn.least < MAX_DETECTIONS
    return " of any number of alerts" if shorter and drawn.n_each else ""


def _doubts(drawn: Mapping[str, Candidates], label: np.ndarray, n_alerts: np.ndarray, single: str) -> Iterator[str]:
    others = [name for name in drawn if name not in FIRST_ALERT_CLASSES]
    long = {name: int(np.sum(n_alerts[label == _code(name)] >= MAX_DETECTIONS)) for name in others}
    if not is_of_first_alerts(label) and len(others) < len(drawn):
        yield (
            f"{single}, too few for a data set of first alerts, so that the splits are those of sequences; leave these"
            f" labels out, or add objects of these classes until they are {FIRST_ALERT_SHARE:.0%} of all"
        )
    elif is_of_first_alerts(label) and others and min(long.values()) >= 4 * LEAST_SCORED:
        counts = ", ".join(f"{name} {count}" for name, count in long.items())
        yield (
            f"{single}, so that the splits are those of first alerts, although there are objects with {MAX_DETECTIONS}"
            f" alerts ({counts}); for models of sequences build a data set without these labels"
        )
    if without := [name for name, of_class in drawn.items() if not of_class.n_each]:
        yield f"no object of {', '.join(without)} for test and validation, which need at least 4 labelled of a class"


def split_notes(label: np.ndarray, n_alerts: np.ndarray, split: np.ndarray) -> dict[str, int]:
    """For classes too small for the draw: how many objects test has instead, and of what kind; as `splits_made`."""
    drawn = {name: of_class for name, of_class in candidates(label, n_alerts).items() if len(of_class.rows)}
    n_test = {name: int(np.sum(split[label == _code(name)] == TEST)) for name in drawn}
    fewer = {
        f"test objects of {name}, fewer than {of_class.wanted}": n_test[name]
        for name, of_class in drawn.items()
        if n_test[name] < of_class.wanted
    }
    shorter = {
        f"test objects of {name}, not all with {MAX_DETECTIONS} alerts": n_test[name]
        for name, of_class in drawn.items()
        if of_class.least < MAX_DETECTIONS and of_class.wanted == PER_CLASS and n_test[name]
    }
    n_apart = _n_apart(label, n_alerts, split)
    return fewer | shorter | ({f"{BOGUS} that return, in no split": n_apart} if n_apart else {})


def as_drawn(
    object_id: Sequence[str], label: np.ndarray, drawn: Mapping[str, str], source: np.ndarray
) -> tuple[np.ndarray, Counter[str]]:
    """The splits that somebody else has drawn, but that objects of one source go where the first of them does.

    Args:
        object_id: [N] names. label: [N] int8, -1 = unknown.
        drawn: name of the split by objectId, of `SPLIT_NAMES`.
        source: as in `assign`.

    Returns:
        split: [N] int8, index into SPLIT_NAMES; -1 for unlabelled objects, and for those that nobody has drawn.
        notes: for the ledger, on labelled objects that were moved, or have no split.
    """
    codes = [SPLIT_NAMES.index(drawn[name]) if drawn.get(name) else NO_SPLIT for name in object_id]
    before = np.where(label != UNLABELLED, codes, NO_SPLIT).astype(np.int8)
    split = before.copy()
    _keep_together(split, np.asarray(object_id, object), source)
    counts = {
        "objects moved to the split of the same source": int((split != before).sum()),
        "labelled objects without split": int(np.sum((label != UNLABELLED) & (split == NO_SPLIT))),
    }
    return split, Counter({name: count for name, count in counts.items() if count})


def splits_drawn(label: np.ndarray, split: np.ndarray) -> tuple[str, list[str]]:
    """Which splits `as_drawn` has taken over, in a line; and a warning where a class is missing in one."""
    present = [name for name in CLASS_NAMES if np.any(label == _code(name))]
    counts = ", ".join(f"{name} {_sizes(name, label, split)}" for name in present)
    line = f"splits as the set has them, for test / validation: {counts or 'none, for no object is labelled'}"
    doubts = []
    for part, part_name in enumerate(SPLIT_NAMES):
        if missing := [name for name in present if not np.any((label == _code(name)) & (split == part))]:
            doubts.append(f"no object of {', '.join(missing)} for {part_name}")
    return line, doubts
