"""Labels from catalogues: every piece of evidence for an object, and the class that all of it agrees on.

A row of a catalogue that names ZTF objects is evidence for these; one that does not, for all objects within a radius.
Nothing is chosen: where evidence disagrees the object has no class, and the table says what contradicts what.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.catalogues import sources, taxonomy
from data_prep.catalogues.sources import Entries
from data_prep.catalogues.taxonomy import OTHER, Meaning
from data_prep.packets.metadata import chord, unit_vectors
from jtss import files
from jtss.errors import InputError
from jtss.schema import CLASS_NAMES

RADIUS_ARCSEC = 1.5  # within which ZTF itself takes detections for one object
COLUMNS = ("objectId", "label", "subclass", "source", "name", "type", "separation_arcsec", "remark")
CONFLICT = "conflict"  # in place of a class, as OTHER: not "", which would let the next best table decide
UNKNOWN = "not in the table of names"
N_EXAMPLES = 3


class Evidence(NamedTuple):
    """That a catalogue says something of an object.

    Attributes:
        source, name, type: the catalogue, and its own names of the object and of the class.
        meaning: of `type`; None: the table of taxonomies does not have it.
        separation_arcsec: NaN where the catalogue names the object.
    """

    source: str
    name: str
    type: str
    meaning: Meaning | None
    separation_arcsec: float

    def __str__(self) -> str:
        label = self.meaning.label if self.meaning else ""
        return f"{label or 'nothing'} by {self.source} ({': '.join(filter(None, (self.name, self.type)))})"


@dataclass
class Account:
    """What became of the rows of one file of a catalogue.

    Attributes:
        title: the source and its file.
        n_rows: in the file; of these
        unclassified: without a class; unplaced: neither naming an object nor placed; foreign: of other objects than
            those asked for; and the others are evidence.
        named, placed: objects with evidence by name and by place; ambiguous: of the latter those with several rows.
        unknown: names of classes that are not in the table, each with its rows.
    """

    title: str
    n_rows: int
    unclassified: int = 0
    unplaced: int = 0
    foreign: int = 0
    used: int = 0
    named: set[str] = field(default_factory=set)
    placed: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def ambiguous(self) -> int:
        return sum(count > 1 for count in self.placed.values())

    def lines(self, n_asked: int | None, radius_arcsec: float) -> Iterator[str]:
        yield (
            f"{self.title}: {self.n_rows} rows: {self.used} used, {self.unclassified} without a class,"
            f" {self.foreign} of other objects, {self.unplaced} without name and position"
        )
        yield f"  by name: {len(self.named)} objects"
        if n_asked is not None:
            yield (
                f'  by position, within {radius_arcsec:g}": {n_asked} objects asked, {len(self.placed)} matched'
                f" ({self.ambiguous} of them to several rows), {n_asked - len(self.placed)} not"
            )


@dataclass
class Labels:
    """What catalogues say of objects.

    Attributes:
        evidence: by objectId.
        accounts: one for each file.
        n_asked: objects of the table of objects, None without one.
    """

    evidence: dict[str, list[Evidence]]
    accounts: list[Account]
    n_asked: int | None
    radius_arcsec: float

    def decided(self) -> Iterator[tuple[str, Meaning, str]]:
        """objectId, class and subclass, and what is to remark, of every object with evidence, in the order of names."""
        for object_id, evidence in sorted(self.evidence.items()):
            decision, conflict = taxonomy.decide([one.meaning for one in evidence if one.meaning])
            told = "; ".join(dict.fromkeys(str(one) for one in evidence if one.meaning and one.meaning.label))
            yield object_id, decision, f"{conflict} in conflict: {told}" if conflict else ""


def collect(
    given: Sequence[tuple[str, Path]],
    columns: Mapping[str, Mapping[str, str]],
    objects_path: Path | None,
    radius_arcsec: float = RADIUS_ARCSEC,
) -> Labels:
    """Read catalogues and find out of which objects they speak.

    Args:
        given: source and file of each catalogue.
        columns: other names of columns, by source; see `sources.columns_of`.
        objects_path: table of objectId, ra and dec [deg]; None: all objects that catalogues name.

    Raises:
        FileNotFoundError, InputError: of a file; or a catalogue without names of objects, and no objects to match.
    """
    asked = sources.objects(objects_path, columns.get(sources.OBJECTS, {})) if objects_path else None
    labels = Labels({}, [], len(asked[0]) if asked else None, radius_arcsec)
    for source, path in given:
        entries = sources.read(source, path, columns.get(source, {}))
        if asked is None and len(entries.label) and not any(entries.object_ids or ()):
            raise InputError(f"{source}:{path}: no row names a ZTF object; expected --objects, to match by position")
        labels.accounts.append(_take(labels.evidence, source, path, entries, asked, radius_arcsec))
    return labels


def _take(
    evidence: dict[str, list[Evidence]],
    source: str,
    path: Path,
    entries: Entries,
    asked: tuple[list[str], np.ndarray, np.ndarray] | None,
    radius_arcsec: float,
) -> Account:
    """Add what one catalogue says to the evidence."""
    account = Account(f"{source} ({path})", len(entries.label))
    for row, object_id, separation in (
        *_by_name(entries, account, asked),
        *_by_place(entries, account, asked, radius_arcsec),
    ):
        kind = entries.label[row].as_py()
        meaning = taxonomy.meaning(sources.SOURCES[source].taxonomy, kind)
        if meaning is None:
            account.unknown[kind] += 1
        elif entries.doubt[row]:
            meaning = Meaning(reason=entries.doubt[row])
        name = "" if entries.name is None else entries.name[row].as_py()
        evidence.setdefault(object_id, []).append(Evidence(source, name, kind, meaning, separation))
    return account


def _has_class(entries: Entries) -> np.ndarray:
    """[K] bool."""
    import pyarrow as pa
    from pyarrow import compute

    nothing = pa.array(sorted(sources.NO_CLASS), pa.large_string())
    return ~compute.is_in(compute.utf8_lower(entries.label), value_set=nothing).to_numpy(zero_copy_only=False)


def _by_name(entries, account, asked) -> Iterator[tuple[int, str, float]]:
    """Row, object and separation, of rows that name objects."""
    has_class, known = _has_class(entries), None if asked is None else {*asked[0]}
    account.unclassified = int(np.sum(~has_class))
    for row in np.flatnonzero(has_class) if entries.object_ids else ():
        names = entries.object_ids[row]
        wanted = [name for name in dict.fromkeys(names) if known is None or name in known]
        account.foreign += bool(names) and not wanted
        account.used += bool(wanted)
        account.named.update(wanted)
        for name in wanted:
            yield int(row), name, np.nan


def _by_place(entries, account, asked, radius_arcsec: float) -> Iterator[tuple[int, str, float]]:
    """Row, object and separation, of rows that name no object, for every object within the radius."""
    from scipy.spatial import cKDTree  # imported on use, as elsewhere: most commands match nothing

    nameless = _has_class(entries)
    if entries.object_ids:
        nameless &= np.array([not names for names in entries.object_ids], bool)
    placed = nameless & sources.on_sky(entries.ra, entries.dec) & (asked is not None)
    account.unplaced = int(np.sum(nameless & ~placed))
    rows = np.flatnonzero(placed)
    if not rows.size or not asked[0]:
        account.foreign += rows.size
        return
    names, *position = asked
    tree, places = cKDTree(unit_vectors(*position)), unit_vectors(entries.ra[rows], entries.dec[rows])
    near = np.isfinite(tree.query(places, distance_upper_bound=chord(radius_arcsec))[0])
    account.foreign += int(np.sum(~near))
    account.used += int(np.sum(near))
    for row, place in zip(rows[near], places[near], strict=True):
        for index in sorted(tree.query_ball_point(place, chord(radius_arcsec))):
            account.placed[names[index]] += 1
            apart = 2 * np.arcsin(np.linalg.norm(place - tree.data[index]) / 2)
            yield int(row), names[index], float(np.degrees(apart) * 3600)


def write(path: Path, labels: Labels) -> None:
    """Write a CSV with a row for each piece of evidence, which `data build --labels` reads.

    All rows of an object have its label and subclass. Where there is no class, the label is `OTHER` for what is known
    to be none of ours, `CONFLICT` where evidence disagrees, and empty where it says nothing; `remark` says more. The
    same evidence makes the same file.
    """
    with (
        files.replaced(path) as unfinished,
        files.naming(path),
        unfinished.open("w", newline="", encoding="utf-8") as out,
    ):
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for object_id, decision, conflict in labels.decided():
            label = decision.label or _instead(labels.evidence[object_id], conflict)
            for one in labels.evidence[object_id]:
                remark = conflict or (one.meaning.reason if one.meaning else UNKNOWN)
                apart = "" if np.isnan(one.separation_arcsec) else f"{one.separation_arcsec:.3f}"
                told = (one.source, one.name, one.type, apart, remark)
                writer.writerow((object_id, label, decision.subclass, *told))


def _instead(evidence: Sequence[Evidence], conflict: str) -> str:
    """What to write where there is no class."""
    is_other = any(one.meaning and one.meaning.label == OTHER for one in evidence)
    return CONFLICT if conflict else OTHER if is_other else ""


def report(labels: Labels) -> tuple[list[str], list[str]]:
    """What to say of labels, a line each, and of what to warn."""
    lines = [line for account in labels.accounts for line in account.lines(labels.n_asked, labels.radius_arcsec)]
    decided = list(labels.decided())
    counts = Counter(decision.label for _, decision, _ in decided)
    n_labelled = len(decided) - counts.pop("", 0)
    of_class = ", ".join(f"{name} {counts[name]}" for name in CLASS_NAMES if counts[name])
    lines.append(
        f"labelled: {n_labelled} of {labels.n_asked or len(decided)} objects" + (f": {of_class}" if of_class else "")
    )
    in_conflict = {
        what: [(name, remark) for name, _, remark in decided if remark.startswith(what)]
        for what in ("class", "subclass")
    }
    silent = [name for name, decision, remark in decided if not decision.label and not remark]
    others = sum(any(one.meaning and one.meaning.label == OTHER for one in labels.evidence[name]) for name in silent)
    lines.append(
        f"with evidence, not labelled: {len(in_conflict['class'])} in conflict, {others} of a class that is none of"
        f" ours, {len(silent) - others} of no class that is told"
    )
    return lines, list(_warnings(labels, in_conflict, n_labelled))


def _warnings(labels: Labels, in_conflict: Mapping[str, list[tuple[str, str]]], n_labelled: int) -> Iterator[str]:
    unknown = [
        f"{account.title}: {sum(account.unknown.values())} rows with {len(account.unknown)} names of classes that are"
        f" {UNKNOWN}: {', '.join(f'{name} ({count})' for name, count in account.unknown.most_common(N_EXAMPLES))}"
        for account in labels.accounts
        if account.unknown
    ]
    yield from unknown
    kept = {"class": "stay unlabelled", "subclass": "have a class and no subclass"}
    for what, cases in in_conflict.items():
        if cases:
            examples = " | ".join(f"{name}: {remark.partition(': ')[2]}" for name, remark in cases[:N_EXAMPLES])
            yield f"{len(cases)} objects with {what} in conflict {kept[what]}: {examples}"
    if not n_labelled:
        yield "no object is labelled"
