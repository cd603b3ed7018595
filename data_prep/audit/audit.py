"""The audit of a data set: all checks, and their report."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.audit import objects, shortcuts, stamps
from data_prep.audit.columns import Columns, read
from data_prep.audit.finding import LEAK, NOTE, OK, WARNING, Finding
from jtss.dataset import in_words, open_checked
from jtss.errors import InputError
from jtss.schema import NO_SPLIT, SPLIT_NAMES

# Each with what is said where it has no findings, in the order of the report.
CHECKS: dict[str, tuple[Callable[[Columns], list[Finding]], str]] = {
    "object ids": (objects.same_ids, "each once"),
    "positions": (objects.same_places, f"no two objects within {objects.RADIUS_ARCSEC:g}″ in different splits"),
    "alerts": (objects.same_alerts, "no candid in two splits"),
    "sequences": (objects.sequences, "in time order, alerts as many and as far apart as allowed"),
    "histories": (objects.histories, "limits are no detections, no exposure comes twice"),
}
NO_DUPLICATES = "no near-duplicates across splits"


class Audit(NamedTuple):
    """The findings of a data set, and a line that says what it is."""

    title: str
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> bool:
        return any(finding.level == LEAK for finding in self.findings)

    def __str__(self) -> str:
        counts = {level: sum(finding.level == level for finding in self.findings) for level in (LEAK, WARNING)}
        result = ", ".join(f"{n} {level.lower()}{'s' * (n != 1)}" for level, n in counts.items())
        return "\n".join([self.title, *map(str, self.findings), f"audit: {result}"])


def audit(path: str | Path) -> Audit:
    """Look for leaks: what would make accuracies measured on a data set higher than those on new objects.

    Reads the stamps once, if there are splits to compare. What it cannot see: neighbours farther than 2″, whose stamps
    share some sky; near-duplicates that are shifted; labels that were made from the values that a model reads; damage,
    which `inspect` sees by the hash.

    Raises:
        InputError: not a data set, columns that break the contract, or a file that cannot be read to its end.
    """
    try:
        with open_checked(path) as file:
            columns = read(file)
            findings = []
            for name, (check, text) in CHECKS.items():
                findings += _or_ok(check(columns), name, text)
            if not (columns.split != NO_SPLIT).any():
                findings.append(Finding(NOTE, "splits", "none: nothing to compare"))
                return Audit(_title(path, columns), tuple(findings))
            findings += _or_ok(stamps.stamps(file, columns.alerts), "stamps", NO_DUPLICATES)
            return Audit(_title(path, columns), (*findings, *shortcuts.shortcuts(columns.alerts)))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}), expected a complete data set") from error


def _or_ok(findings: list[Finding], check: str, text: str) -> list[Finding]:
    return findings or [Finding(OK, check, text)]


def _title(path: str | Path, columns: Columns) -> str:
    sizes = [f"{np.sum(columns.split == i)} {name}" for i, name in enumerate(SPLIT_NAMES)]
    sizes.append(f"{np.sum(columns.split == NO_SPLIT)} in no split")
    return f"{path}: {len(columns.object_id)} objects ({', '.join(sizes)}); {in_words(columns.kind)}"
