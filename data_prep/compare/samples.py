"""From a folder of labelled alert packets to a table of numbers, one row an alert."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep import labels
from data_prep.compare.stamp_statistics import STAMP_STATISTICS, stamp_statistics
from data_prep.ledger import Ledger, Rejection
from data_prep.packets.alerts import Alert, decode_block
from data_prep.packets.avro import Block
from data_prep.packets.containers import read_blocks
from data_prep.packets.history import judge
from data_prep.packets.metadata import catalogue, columns_of
from data_prep.packets.stamps import StampError, decode_stamps, is_full
from data_prep.workers import available_cores, ordered_map
from jtss import dataset
from jtss.errors import InputError
from jtss.histories import SUMMARY_NAMES, summary
from jtss.schema import ALERT, CHANNEL_NAMES, CLASS_NAMES, METADATA_NAMES, STAMP_SIDE, ZTF_MISSING

# Where labels have grades: nobody confirms bogus alerts, so theirs are weak at best.
GRADES = dict.fromkeys(CLASS_NAMES, "strong") | {"bogus": "weak"}
DERIVED = ("mjd", "fid", "abs_gal_b", "abs_ecl_lat", "magpsf-magnr", "diffmaglim-magpsf", "other_shape")
PAST = tuple(f"past_{name}" for name in SUMMARY_NAMES)  # of the 30 days that a packet tells
VALUE_NAMES = (*METADATA_NAMES, *DERIVED, *PAST, *STAMP_STATISTICS)
ALERTS_PER_TASK = 64


class Sample(NamedTuple):
    """Alerts of labelled objects.

    Attributes:
        values: [M] float64 for each of VALUE_NAMES, NaN = missing.
        object_id, label: [M] str.
        candid: [M] int64.
        weight: [M] one vote per object: 1 / number of its alerts here.
        ledger: alerts kept and dropped.
    """

    values: dict[str, np.ndarray]
    object_id: np.ndarray
    label: np.ndarray
    candid: np.ndarray
    weight: np.ndarray
    ledger: Ledger


class _Measured(NamedTuple):
    values: np.ndarray  # [k, len(VALUE_NAMES)]
    object_ids: list[str]
    candids: list[int]
    rejections: list[Rejection]


def read_sample(folder: str | Path) -> Sample:
    """Read and measure the labelled alerts of a folder.

    Args:
        folder: alert packets as `build` reads them, and labels.csv with the columns objectId and label; where it has
            a column grade, AGN, SN, VS and asteroid count with "strong" only, bogus with "weak" only.

    Raises:
        FileNotFoundError: no such folder, or no labels.csv in it.
        InputError: a data set or another file, labels.csv cannot be used, or there is no alert of a labelled object.
    """
    folder = Path(folder)
    if folder.is_file() or (dataset.index_of(folder) and not (folder / "labels.csv").is_file()):
        raise InputError(f"{folder}: no alert packets and labels.csv in a folder; jtss realism compares data sets")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder (expected alert packets and labels.csv)")
    known = _graded_labels(folder / "labels.csv")
    ledger, parts = Ledger(), []
    alerts = _labelled(_outcomes(folder), known, ledger)
    tasks = iter(lambda: list(islice(alerts, ALERTS_PER_TASK)), [])
    for part in ordered_map(measure, tasks, available_cores()):
        parts.append(part)
        ledger.keep(len(part.object_ids))
        for rejection in part.rejections:
            ledger.drop(rejection.reason)
    object_id = np.array([name for part in parts for name in part.object_ids], str)
    if not len(object_id):
        counts = ", ".join(f"{n} {reason}" for reason, n in ledger.dropped.items())
        raise InputError(f"{folder}: no alert of a labelled object among {ledger.read} alerts ({counts or 'none'})")
    counts = Counter(object_id.tolist())
    values = np.concatenate([part.values for part in parts])
    return Sample(
        dict(zip(VALUE_NAMES, values.T, strict=True)),
        object_id,
        label=np.array([known[name] for name in object_id], str),
        candid=np.array([candid for part in parts for candid in part.candids]),
        weight=np.array([1 / counts[name] for name in object_id]),
        ledger=ledger,
    )


def read_stamps(folder: str | Path, chosen: Iterable[tuple[str, int]]) -> dict[tuple[str, int], np.ndarray]:
    """Stamps [3, H, W] float32 of those alerts of a folder that are chosen by objectId and candid."""
    chosen = set(chosen)
    alerts = (alert for alert in _outcomes(Path(folder)) if (alert.object_id, alert.candid) in chosen)
    return {(alert.object_id, alert.candid): np.stack(decode_stamps(alert.cutouts)) for alert in alerts}


def measure(alerts: list[Alert]) -> _Measured:
    """The values of alerts; those without usable stamps are rejected."""
    kept, stamps, rejections = [], [], []
    for alert in alerts:
        try:
            stamps.append(np.stack(decode_stamps(alert.cutouts)))
            kept.append(alert)
        except StampError as error:
            rejections.append(Rejection(error.reason, error.detail, alert.source, alert.object_id, alert.candid))
    full = np.array([is_full(stamp[0]) for stamp in stamps], bool)
    empty = np.full((len(CHANNEL_NAMES), STAMP_SIDE, STAMP_SIDE), np.nan, np.float32)
    images = [stamp if fits else empty for stamp, fits in zip(stamps, full, strict=True)]
    values = _metadata(kept) | {"other_shape": ~full}
    values |= {name: np.where(full, measured, np.nan) for name, measured in _statistics(images).items()}
    table = np.stack([np.asarray(values[name], float) for name in VALUE_NAMES], axis=-1)
    return _Measured(table, [alert.object_id for alert in kept], [alert.candid for alert in kept], rejections)


def _statistics(images: list[np.ndarray]) -> dict[str, np.ndarray]:
    if not images:
        return {name: np.zeros(0) for name in STAMP_STATISTICS}
    return stamp_statistics(np.stack(images))


def _metadata(alerts: list[Alert]) -> dict[str, np.ndarray]:
    table = catalogue(columns_of([alert.candidate for alert in alerts])).astype(float)
    past = _past(alerts, table)
    table[table == ZTF_MISSING] = np.nan
    values = dict(zip(METADATA_NAMES, table.T, strict=True))
    return (
        values
        | dict(zip(PAST, past.T, strict=True))
        | {
            "mjd": np.array([alert.jd for alert in alerts], float) - 2_400_000.5,
            "fid": np.array([alert.fid or np.nan for alert in alerts], float),
            "abs_gal_b": np.abs(values["gal_b"]),
            "abs_ecl_lat": np.abs(values["ecl_lat"]),
            "magpsf-magnr": values["magpsf"] - values["magnr"],
            "diffmaglim-magpsf": values["diffmaglim"] - values["magpsf"],
        }
    )


def _past(alerts: list[Alert], metadata: np.ndarray) -> np.ndarray:
    """[A, F] summaries of what each alert's packet tells of its object's last 30 days, with the alert itself."""
    jd = np.array([alert.jd for alert in alerts], float)
    position = metadata[:, [METADATA_NAMES.index(name) for name in ("ra", "dec")]]
    rows, n_told, _ = judge([alert.history for alert in alerts], jd, position)
    summaries = np.empty((len(alerts), len(PAST)))
    for i, told in enumerate(np.split(rows, np.cumsum(n_told)[:-1]) if len(alerts) else ()):
        told = told[np.lexsort((told["fid"], told["jd"]))]
        summaries[i] = summary(
            np.append(told["jd"], jd[i]),
            np.append(told["fid"], alerts[i].fid),
            np.append(told["kind"], ALERT),
            np.concatenate([told["metadata"], metadata[i : i + 1]]),
        )
    return summaries


def _outcomes(folder: Path) -> Iterator[Alert | Rejection]:
    items = (decode_block(item) if isinstance(item, Block) else [item] for item in read_blocks(folder))
    return chain.from_iterable(items)


def _labelled(outcomes: Iterable[Alert | Rejection], known: dict[str, str], ledger: Ledger) -> Iterator[Alert]:
    for outcome in outcomes:
        if isinstance(outcome, Rejection):
            ledger.drop(outcome.reason, outcome.n_alerts)
        elif outcome.object_id in known:
            yield outcome
        else:
            ledger.drop("other_label_or_grade")


def _graded_labels(path: Path) -> dict[str, str]:
    """Label by objectId of the objects in one of our classes, graded well enough."""
    known = {name: label for name, label in labels.load(path).items() if label in CLASS_NAMES}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "grade" not in (rows.fieldnames or ()):
            return known
        grades = {(row["objectId"].strip(), (row["grade"] or "").strip()) for row in rows}
    return {name: label for name, label in known.items() if (name, GRADES[label]) in grades}
