"""Predictions of classifiers from tables: a column per class, or the long form of ALeRCE's database; ours are both.

What `jtss classify` writes (.csv, .parquet, .jsonl) and what the table of `jtss.Model.classify` becomes as CSV can be
read, and so can tables of others, as CSV. Columns that are not asked for are passed over, and so are rows without an
answer.
"""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss.errors import InputError
from jtss.schema import CLASS_NAMES

KEY = "candid"
OBJECT_KEYS = ("oid", "object_id", "objectId")
LONG = ("class_name", "probability")
CLASSIFIER = "classifier_name"
OF_CLASS = "P_"  # how a column of probabilities begins in the table of `jtss.Model.classify`
NOTHING = ("", "nan")  # in place of the probability of an object that was not classified
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
ECSV_MARK = "# %ECSV"
LARGEST = np.iinfo(np.int64).max
MOST_DIGITS = len(str(LARGEST))

# The subclasses of the light curve classifier among ours. Sánchez-Sáez et al. 2021
SUBCLASSES = {
    "AGN": ("QSO", "Blazar"),
    "SN": ("SNIa", "SNIbc", "SNII", "SLSN"),
    "VS": ("LPV", "E", "DSCT", "RRL", "CEP", "Periodic-Other", "YSO", "CV/Nova"),
}
OURS = {name: name for name in CLASS_NAMES} | {sub: name for name, subs in SUBCLASSES.items() for sub in subs}


class PredictionsError(InputError):
    """A file that is no table of probabilities, or of other alerts; the message names file and line."""


class Predictions(NamedTuple):
    """What a file says.

    Attributes:
        classes: L names.
        candid: [P] int64, ascending.
        probabilities: [P, L] float64.
    """

    classes: tuple[str, ...]
    candid: np.ndarray
    probabilities: np.ndarray


class _Table(NamedTuple):
    """A file as text: the names of its columns, and its rows, each with its place in words."""

    heads: tuple[str, ...]
    rows: list[tuple[str, dict[str, str]]]


def read(path: str | Path) -> Predictions:
    """Probabilities by candid; those of subclasses are added up.

    Raises:
        PredictionsError: not such a table, a class of an alert is there twice, or a probability is no number.
        OSError: it cannot be read.
    """
    table = _table(Path(path))
    columns = _class_columns(path, table.heads, (KEY,))
    found: dict[int, dict[str, float]] = {}
    for place, key, chances in _answers(table, KEY, columns):
        candid = _candid(place, key)
        alert = found.setdefault(candid, {})
        if alert.keys() & chances.keys():
            raise PredictionsError(f"{path}: {KEY} {candid} is there more than once")
        alert |= {_known(place, name): _finite(place, name, text) for name, text in chances.items()}
    named = {OURS[name] for chances in found.values() for name in chances}
    classes = tuple(columns) if columns else tuple(name for name in CLASS_NAMES if name in named)
    probabilities = np.zeros((len(found), len(classes)))
    for row, chances in zip(probabilities, found.values(), strict=True):
        for name, value in chances.items():
            row[classes.index(OURS[name])] += value
    candid = np.fromiter(found, np.int64, len(found))
    order = np.argsort(candid)
    return Predictions(classes, candid[order], probabilities[order])


def matched(predictions: Predictions, candid: np.ndarray) -> np.ndarray:
    """Probabilities [N, L] of the alerts [N] asked for; a row of NaN where the file does not have one."""
    answers = np.full((len(candid), len(predictions.classes)), np.nan)
    if len(predictions.candid):
        place = np.searchsorted(predictions.candid, candid).clip(max=len(predictions.candid) - 1)
        there = predictions.candid[place] == candid
        answers[there] = predictions.probabilities[place[there]]
    return answers


NO_ANSWER = -1


def predicted(path: Path, name: str, object_ids: np.ndarray) -> np.ndarray:
    """The class with the highest probability, those of subclasses added up.

    Args:
        path: the table.
        name: of the classifier; chooses its rows where the column classifier_name has several.
        object_ids: [N] of whom to tell.

    Returns:
        [N] int64: index into `schema.CLASS_NAMES`, or `NO_ANSWER`.

    Raises:
        PredictionsError: no such table, several classifiers of other names, an unknown class, a class of an object that
            is there twice, or a probability that is none.
        OSError: it cannot be read.
    """
    table = _of_one_classifier(path, _table(Path(path)), name)
    columns = _class_columns(path, table.heads, OBJECT_KEYS)
    key = next(head for head in OBJECT_KEYS if head in table.heads)
    sums = {oid: np.zeros(len(CLASS_NAMES)) for oid in map(str, object_ids)}
    seen = set()
    for place, oid, chances in _answers(table, key, columns):
        for class_name, text in chances.items():
            if (oid, class_name) in seen:
                raise PredictionsError(f"{place}: class {class_name} of {oid} is there twice; expected one version")
            seen.add((oid, class_name))
            value = _probability(place, text)
            if oid in sums:
                sums[oid][CLASS_NAMES.index(OURS[_known(place, class_name)])] += value
    totals = np.stack([sums[oid] for oid in map(str, object_ids)])
    return np.where(totals.any(axis=1), totals.argmax(axis=1), NO_ANSWER)


def _table(path: Path) -> _Table:
    """A file of any of our formats; what is none of them by its name is CSV."""
    try:
        return READERS.get(path.suffix, _csv)(path)
    except (ValueError, TypeError, csv.Error) as error:
        if isinstance(error, PredictionsError):
            raise
        raise PredictionsError(f"{path}: no table with a header ({error})") from None


def _csv(path: Path) -> _Table:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        heads = tuple(name.strip() for name in next(reader, ()))
        lines = [(f"{path}, line {reader.line_num}", line) for line in reader if line]
    if heads and heads[0].startswith(ECSV_MARK):
        raise PredictionsError(f"{path}: an ECSV table, expected CSV: write it by table.write('F.csv')")
    separated = next((text for mark, text in SEPARATORS.items() if len(heads) == 1 and mark in heads[0]), None)
    if separated:
        raise PredictionsError(
            f"{path}: columns are separated by {separated}, expected commas: save it as CSV with commas between columns"
            " and points in numbers"
        )
    for place, line in lines:
        if len(line) != len(heads):
            raise PredictionsError(f"{place}: {len(line)} values, expected {len(heads)}")
    return _Table(heads, [(place, dict(zip(heads, line, strict=True))) for place, line in lines])


def _jsonl(path: Path) -> _Table:
    with open(path, encoding="utf-8") as file:
        return _of_values(path, list(map(json.loads, file)))


def _parquet(path: Path) -> _Table:
    from pyarrow import parquet  # here, because it takes long to load, and other formats do without

    with parquet.ParquetFile(path) as file:
        return _of_values(path, file.read().to_pylist(), tuple(file.schema_arrow.names))


def _of_values(path: Path, rows: list[dict], heads: tuple[str, ...] | None = None) -> _Table:
    """Values as text, each number as the shortest that reads back as it."""
    texts = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    numbered = [(f"{path}, row {number}", row) for number, row in enumerate(texts, start=1)]
    return _Table(tuple(texts[0] if texts else ()) if heads is None else heads, numbered)


READERS = {".jsonl": _jsonl, ".parquet": _parquet}


def _class_columns(path: Path, heads: tuple[str, ...], keys: tuple[str, ...]) -> dict[str, str]:
    """Column by class; empty where the table is of the long form. PredictionsError for what is neither."""
    columns = [(head.removeprefix(OF_CLASS), head) for head in heads]
    columns = [(name, head) for name, head in columns if name in CLASS_NAMES or head.startswith(OF_CLASS)]
    has_key, names = any(key in heads for key in keys), [name for name, _ in columns]
    if has_key and all(heads.count(head) == 1 for head in LONG):
        return {}
    if has_key and len({*names} & {*CLASS_NAMES}) == len(names) >= 2:
        return dict(columns)
    raise PredictionsError(
        f"{path}: columns {','.join(heads)}; expected {' or '.join(keys)}, and two or more of {','.join(CLASS_NAMES)}"
        f" (or {OF_CLASS}{CLASS_NAMES[0]},…), or {','.join(LONG)}"
    )


def _answers(table: _Table, key: str, columns: dict[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Place, key and {class: probability as text} of every row that has an answer."""
    for place, row in table.rows:
        if columns:
            chances = {name: row[head] for name, head in columns.items()}
        else:
            chances = {row["class_name"]: row["probability"]}
        unclassified = all(text.strip().lower() in NOTHING for text in chances.values())
        if not (unclassified and (columns or "" in chances)):
            yield place, row[key], chances


def _of_one_classifier(path: Path, table: _Table, name: str) -> _Table:
    """The rows of classifier `name`; all where there is only one classifier."""
    classifiers = Counter(row.get(CLASSIFIER, "") for _, row in table.rows)
    if len(classifiers) <= 1:
        return table
    if name not in classifiers:
        there = ", ".join(classifiers)
        raise PredictionsError(f"{path}: has the classifiers {there}; name the one that is meant: NAME={path}")
    return table._replace(rows=[item for item in table.rows if item[1][CLASSIFIER] == name])


def _candid(place: str, text: str) -> int:
    if not (text.isdecimal() and len(text) <= MOST_DIGITS and int(text) <= LARGEST):
        raise PredictionsError(f"{place}: {KEY} {text!r}, expected a whole number with all its digits, in 64 bits")
    return int(text)


def _known(place: str, name: str) -> str:
    if name not in OURS:
        raise PredictionsError(f"{place}: class {name!r}, expected one of {', '.join(OURS)}")
    return name


def _finite(place: str, name: str, text: str) -> float:
    value = _number(text)
    if not math.isfinite(value):
        raise PredictionsError(f"{place}: probability {text!r} of {name}, expected a finite number")
    return value


def _probability(place: str, text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise PredictionsError(f"{place}: probability {text!r}, expected 0 to 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
