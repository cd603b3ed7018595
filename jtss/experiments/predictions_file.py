"""Somebody else's probabilities: a CSV with the column candid and one column per class."""

import csv
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss.schema import CLASS_NAMES

KEY = "candid"
LARGEST = np.iinfo(np.int64).max
MOST_DIGITS = len(str(LARGEST))


class PredictionsError(ValueError):
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
    with open(path, newline="", encoding="utf-8") as file:
        try:
            header, *lines = csv.reader(file)
        except (ValueError, csv.Error) as error:
            raise PredictionsError(f"{path}: no table with a header ({error})") from None
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
    found = np.full((len(candid), len(predictions.classes)), np.nan)
    if len(predictions.candid):
        place = np.searchsorted(predictions.candid, candid).clip(max=len(predictions.candid) - 1)
        there = predictions.candid[place] == candid
        found[there] = predictions.probabilities[place[there]]
    return found
