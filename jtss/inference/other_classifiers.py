"""Predictions of other classifiers, from CSV: a column per class by candid, or the long form of ALeRCE's database."""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss.errors import InputError
from jtss.schema import CLASS_NAMES

KEY = "candid"
LARGEST = np.iinfo(np.int64).max
MOST_DIGITS = len(str(LARGEST))


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


def read(path: str | Path) -> Predictions:
    """The table.

    Raises:
        PredictionsError: not such a table, an alert is there twice, or a probability is no number.
        OSError: it cannot be read.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            header, *lines = csv.reader(file)
        except (ValueError, csv.Error) as error:
            raise PredictionsError(f"{path}: no table with a header ({error})") from None
    header = [name.strip() for name in header]
    classes = tuple(header[1:])
    if header[:1] != [KEY] or len(set(classes)) < max(2, len(classes)) or not set(classes) <= set(CLASS_NAMES):
        expected = f"{KEY}, then two or more of {','.join(CLASS_NAMES)}"
        raise PredictionsError(f"{path}: columns {','.join(header)}; expected {expected}")
    rows = [_row(f"{path}, line {number}", line, len(classes)) for number, line in enumerate(lines, start=2)]
    candid = np.array([alert for alert, _ in rows], np.int64)
    order = np.argsort(candid, kind="stable")
    candid = candid[order]
    twice = candid[1:][np.diff(candid) == 0]
    if twice.size:
        raise PredictionsError(f"{path}: {KEY} {twice[0]} is there more than once")
    return Predictions(classes, candid, np.array([values for _, values in rows]).reshape(-1, len(classes))[order])


def _row(place: str, line: list[str], n_classes: int) -> tuple[int, list[float]]:
    if len(line) != n_classes + 1:
        raise PredictionsError(f"{place}: {len(line)} values, expected {n_classes + 1}")
    if not (line[0].isdecimal() and len(line[0]) <= MOST_DIGITS and int(line[0]) <= LARGEST):
        raise PredictionsError(f"{place}: {KEY} {line[0]!r}, expected a whole number with all its digits, in 64 bits")
    try:
        values = [float(text) for text in line[1:]]
    except ValueError as error:
        raise PredictionsError(f"{place}: {error}, expected a probability") from None
    if not all(map(math.isfinite, values)):
        raise PredictionsError(f"{place}: probabilities {','.join(line[1:])}, expected finite numbers")
    return int(line[0]), values


def matched(predictions: Predictions, candid: np.ndarray) -> np.ndarray:
    """Probabilities [N, L] of the alerts [N] asked for; a row of NaN where the file does not have one."""
    answers = np.full((len(candid), len(predictions.classes)), np.nan)
    if len(predictions.candid):
        place = np.searchsorted(predictions.candid, candid).clip(max=len(predictions.candid) - 1)
        there = predictions.candid[place] == candid
        answers[there] = predictions.probabilities[place[there]]
    return answers


NO_ANSWER = -1
COLUMNS = ("oid", "class_name", "probability")
CLASSIFIER = "classifier_name"

# The subclasses of the light curve classifier among ours. Sánchez-Sáez et al. 2021
SUBCLASSES = {
    "AGN": ("QSO", "Blazar"),
    "SN": ("SNIa", "SNIbc", "SNII", "SLSN"),
    "VS": ("LPV", "E", "DSCT", "RRL", "CEP", "Periodic-Other", "YSO", "CV/Nova"),
}
OURS = {name: name for name in CLASS_NAMES} | {sub: name for name, subs in SUBCLASSES.items() for sub in subs}


def predicted(path: Path, name: str, object_ids: np.ndarray) -> np.ndarray:
    """The class with the highest probability, those of subclasses added up.

    Args:
        path: the CSV.
        name: of the classifier; chooses its rows where the column classifier_name has several.
        object_ids: [N] of whom to tell.

    Returns:
        [N] int64: index into `schema.CLASS_NAMES`, or `NO_ANSWER`.

    Raises:
        PredictionsError: no such table, several classifiers of other names, an unknown class, a class of an object that
            is there twice, or a probability that is none.
        OSError: it cannot be read.
    """
    sums = {oid: np.zeros(len(CLASS_NAMES)) for oid in map(str, object_ids)}
    seen = set()
    for place, row in _of_one_classifier(path, name):
        key, probability = (row["oid"], row["class_name"]), _probability(place, row["probability"])
        if key in seen:
            raise PredictionsError(f"{place}: class {key[1]} of {key[0]} is there twice; expected one version")
        seen.add(key)
        if key[1] not in OURS:
            raise PredictionsError(f"{place}: class {key[1]!r}, expected one of {', '.join(OURS)}")
        if key[0] in sums:
            sums[key[0]][CLASS_NAMES.index(OURS[key[1]])] += probability
    totals = np.stack([sums[oid] for oid in map(str, object_ids)])
    return np.where(totals.any(axis=1), totals.argmax(axis=1), NO_ANSWER)


def _of_one_classifier(path: Path, name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of classifier `name`, each with its place in words; all where there is only one classifier."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file)
            heads, rows = reader.fieldnames or [], [(f"{path}, line {reader.line_num}", row) for row in reader]
        except (ValueError, csv.Error) as error:
            raise PredictionsError(f"{path}: no table with a header ({error})") from None
    absent = [column for column in COLUMNS if column not in heads]
    if absent or not rows:
        raise PredictionsError(f"{path}: columns {','.join(heads)}, {len(rows)} rows; expected {','.join(COLUMNS)}")
    classifiers = Counter(row.get(CLASSIFIER, "") for _, row in rows)
    if len(classifiers) > 1 and name not in classifiers:
        there = ", ".join(map(str, classifiers))
        raise PredictionsError(f"{path}: has the classifiers {there}; name the one that is meant: NAME={path}")
    return iter([item for item in rows if len(classifiers) == 1 or item[1][CLASSIFIER] == name])


def _probability(place: str, text: str) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 <= value <= 1:
        raise PredictionsError(f"{place}: probability {text!r}, expected 0 to 1")
    return value
