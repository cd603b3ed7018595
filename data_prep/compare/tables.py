"""The comparison as rows: values and correlations by class, worst first, and how they print."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.compare.distances import (
    NORMAL_95,
    correlation_gap,
    fraction_by_chance,
    ks_by_chance,
    ks_distance,
    quantiles,
    spearman,
    wasserstein_in_iqr,
)
from data_prep.compare.samples import Sample

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
MIN_OBJECTS = 5  # fewer say nothing about a distribution

PAIRS = (
    ("magpsf", "sigmapsf"),
    ("magpsf", "diffmaglim"),
    ("magpsf", "magnr"),
    ("magpsf", "classtar"),
    ("diffmaglim", "noise_difference"),
    ("diffmaglim", "background_science"),
    ("diffmaglim", "ncovhist"),
    ("background_science", "noise_science"),
    ("background_science", "background_template"),
    ("noise_science", "noise_difference"),
    ("fwhm", "classtar"),
    ("fwhm", "fwhm_difference"),
    ("fwhm_science", "fwhm_difference"),
    ("peak_difference", "sigmapsf"),
    ("sgscore1", "sharpnr"),
    ("sgscore1", "chinr"),
    ("sgscore1", "abs_gal_b"),
    ("magnr", "chinr"),
    ("magnr", "ndethist"),
    ("distpsnr1", "distnr"),
    ("distpsnr1", "abs_gal_b"),
    ("distpsnr2", "abs_gal_b"),
    ("distpsnr3", "abs_gal_b"),
    ("sources_science", "abs_gal_b"),
    ("ndethist", "ncovhist"),
    ("ndethist", "isdiffpos"),
    ("mjd", "ncovhist"),
)


class ValueRow(NamedTuple):
    """One value of one class; pairs are real, simulated.

    Attributes:
        objects: with the value. missing: fraction of objects (alerts, one vote per object) without it.
        ks, wasserstein: distances of the values that are there; wasserstein in interquartile ranges of the real ones.
        ks_chance, missing_chance: what ks and the difference in missing exceed once in 20 times though nothing differs.
        excess: by how much ks, or the difference in missing, is beyond chance: what the table is sorted by.
    """

    label: str
    name: str
    objects: tuple[int, int]
    missing: tuple[float, float]
    ks: float
    ks_chance: float
    missing_chance: float
    wasserstein: float
    quantiles: tuple[np.ndarray, np.ndarray]

    @property
    def excess(self) -> float:
        differs = abs(self.missing[1] - self.missing[0]) - self.missing_chance
        return max(differs, self.ks - self.ks_chance) if np.isfinite(self.ks) else differs


class PairRow(NamedTuple):
    """Rank correlation of two values of one class; pairs are real, simulated; `gap` in standard deviations."""

    label: str
    names: tuple[str, str]
    objects: tuple[int, int]
    correlation: tuple[float, float]
    gap: float


def compare_values(real: Sample, simulated: Sample, label: str) -> list[ValueRow]:
    """Every value of the objects of one class, worst first; the class must be there in both samples."""
    rows = [_value_row(real, simulated, label, name) for name in real.values]
    return sorted(rows, key=lambda row: -row.excess)


def compare_pairs(real: Sample, simulated: Sample, label: str) -> list[PairRow]:
    """Every correlation of PAIRS for one class, worst first, the unmeasurable last."""
    rows = []
    for names in PAIRS:
        (r, n), (s, m) = (_correlation(sample, label, names) for sample in (real, simulated))
        rows.append(PairRow(label, names, (n, m), (r, s), correlation_gap(r, n, s, m)))
    return sorted(rows, key=lambda row: -np.nan_to_num(abs(row.gap), nan=-1.0))


def count(sample: Sample, label: str) -> tuple[int, int]:
    """Alerts and objects of a class."""
    of_class = sample.label == label
    return int(of_class.sum()), len(np.unique(sample.object_id[of_class]))


def _value_row(real: Sample, simulated: Sample, label: str, name: str) -> ValueRow:
    parts = [_present(sample, label, (name,)) for sample in (real, simulated)]
    (a, a_weights), (b, b_weights) = ((values[0], weights) for values, weights, _, _ in parts)
    objects, missing = tuple(part[2] for part in parts), tuple(part[3] for part in parts)
    totals = [count(sample, label)[1] for sample in (real, simulated)]
    enough = min(objects) >= MIN_OBJECTS
    return ValueRow(
        label,
        name,
        objects,
        missing,
        ks=ks_distance(a, a_weights, b, b_weights) if enough else np.nan,
        ks_chance=ks_by_chance(*objects) if enough else np.nan,
        missing_chance=fraction_by_chance(missing[0], totals[0], missing[1], totals[1]),
        wasserstein=wasserstein_in_iqr(b, b_weights, a, a_weights) if enough else np.nan,
        quantiles=(quantiles(a, a_weights, LEVELS), quantiles(b, b_weights, LEVELS)),
    )


def _correlation(sample: Sample, label: str, names: tuple[str, str]) -> tuple[float, int]:
    (x, y), weights, n_objects, _ = _present(sample, label, names)
    return (spearman(x, y, weights) if n_objects >= MIN_OBJECTS else np.nan), n_objects


def _present(sample: Sample, label: str, names: Iterable[str]) -> tuple[list[np.ndarray], np.ndarray, int, float]:
    """The values of a class where all `names` are there, their weights, number of objects, and the fraction missing."""
    of_class = sample.label == label
    there = of_class & np.all([np.isfinite(sample.values[name]) for name in names], axis=0)
    missing = 1 - sample.weight[there].sum() / sample.weight[of_class].sum()
    n_objects = len(np.unique(sample.object_id[there]))
    return [sample.values[name][there] for name in names], sample.weight[there], n_objects, max(missing, 0.0)


def summary(rows: list[ValueRow]) -> str:
    """How many values are beyond chance, and by how much: one line to follow while a simulator is improved."""
    if not rows:
        return "not compared"
    beyond = [row.excess for row in rows if row.excess > 0]
    return f"{len(beyond)} of {len(rows)} values beyond chance; mean excess of all {sum(beyond) / len(rows):.3f}"


def values_text(rows: list[ValueRow]) -> str:
    """The values beyond chance as a table to read: two lines a value, real over simulated."""
    beyond = [row for row in rows if row.excess > 0]
    if not beyond:
        return "no value beyond chance"
    head = "".join(f"{f'q{100 * level:02.0f}':>11}" for level in LEVELS)
    lines = [f"{'value':<30}{'KS':>6}{'chance':>8}{'W/IQR':>8}{'':6}{'missing':>8}{head}"]
    for row in beyond:
        start = f"{row.name:<30}{_short(row.ks, 6)}{_short(row.ks_chance, 8)}{_short(row.wasserstein, 8)}"
        for title, lead, i in (("real", start, 0), ("sim", " " * len(start), 1)):
            numbers = "".join(f"{value:>11.4g}" if np.isfinite(value) else f"{'-':>11}" for value in row.quantiles[i])
            lines.append(f"{lead}{title:>6}{row.missing[i]:>8.2f}{numbers}")
    return "\n".join(lines)


def pairs_text(rows: list[PairRow]) -> str:
    """The correlations beyond chance as a table to read."""
    beyond = [row for row in rows if abs(row.gap) > NORMAL_95]
    if not beyond:
        return "no correlation beyond chance"
    lines = [f"{'rank correlation':<44}{'real':>7}{'sim':>7}{'gap/sd':>8}{'objects':>14}"]
    for row in beyond:
        objects = f"{row.objects[0]} | {row.objects[1]}"
        numbers = "".join(_short(value, 7) for value in row.correlation) + _short(row.gap, 8, 1)
        lines.append(f"{' ~ '.join(row.names):<44}{numbers}{objects:>14}")
    return "\n".join(lines)


def _short(value: float, width: int, digits: int = 2) -> str:
    return f"{value:>{width}.{digits}f}" if np.isfinite(value) else f"{'-':>{width}}"


def write_values(path: Path, rows: list[ValueRow]) -> None:
    """One CSV row for each class and value."""
    levels = [f"q{100 * level:02.0f}" for level in LEVELS]
    head = ["class", "value", "excess", "ks", "ks_chance", "wasserstein_iqr"]
    head += ["objects_real", "objects_simulated", "missing_real", "missing_simulated", "missing_chance"]
    head += [f"{level}_{of}" for of in ("real", "simulated") for level in levels]
    _write(path, head, map(_cells, rows))


def _cells(row: ValueRow) -> list:
    distances = (row.excess, row.ks, row.ks_chance, row.wasserstein)
    missing = (*row.objects, *row.missing, row.missing_chance)
    return [row.label, row.name, *distances, *missing, *row.quantiles[0], *row.quantiles[1]]


def write_pairs(path: Path, rows: list[PairRow]) -> None:
    """One CSV row for each class and pair."""
    head = ["class", "x", "y", "real", "simulated", "gap_sd", "objects_real", "objects_simulated"]
    _write(path, head, ([row.label, *row.names, *row.correlation, row.gap, *row.objects] for row in rows))


def _write(path: Path, head: list[str], lines: Iterable[list]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for line in lines:
            writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in line])
