"""What a model says as tables of Astropy: a row for each object, packet, or row of a packet."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from jtss.inference import packets
from jtss.inference.packets import Trajectories
from jtss.inference.table import PacketRow, Row
from jtss.schema import KIND_NAMES


def wide(rows: Iterable[Row]) -> Iterator[tuple]:
    """One for each object, of rows that are one per class."""
    return map(_wide, _by_packet(rows))


def wide_of_packets(rows: Iterable[PacketRow]) -> Iterator[tuple]:
    """One for each packet, of rows that are one per class."""
    return map(_wide_of_packet, _by_packet(rows))


def of_objects(rows: Sequence[tuple], classes: Sequence[str]) -> Table:
    """The table of `wide` rows."""
    ids, candids, counts, best, chances, notes = zip(*rows, strict=True) if rows else ((),) * 6
    nothing = float("nan")
    columns = [
        Column(np.array(ids, str), "object_id"),
        MaskedColumn(
            np.array([candid or 0 for candid in candids], np.int64),
            "candid",
            mask=[candid is None for candid in candids],
        ),
        Column(np.array(best, str), "class"),
        Column(
            np.array([of.get(name, nothing) for of, name in zip(chances, best, strict=True)], np.float32), "probability"
        ),
        Column(np.array(counts, np.int32), "n_detections"),
        *(Column(np.array([of.get(name, nothing) for of in chances], np.float32), f"P_{name}") for name in classes),
        Column(np.array(notes, str), "note"),
    ]
    return Table(columns)


def of_packets(rows: Sequence[tuple], classes: Sequence[str]) -> Table:
    """The table of `wide_of_packets` rows."""
    types = {"n_limits": np.int32, "n_stamps": np.int32, "missing": str, "subclass": str}
    types |= {"subclass_probability": np.float32, "outlier": np.float32}  # None becomes NaN
    table = of_objects([row[: -len(types)] for row in rows], classes)
    for i, (name, kind) in enumerate(types.items(), start=-len(types)):
        table[name] = np.array([row[i] for row in rows], kind)
    return table


def of_trajectories(parts: Sequence[Trajectories], classes: Sequence[str]) -> Table:
    """The table of some packets at a time, a row for each of theirs."""
    parts = [*parts, packets.no_trajectories(len(classes))]
    columns = [np.concatenate(values) for values in zip(*parts, strict=True)]
    ids, candid, jd, kind, fid, magnitude, probabilities = columns
    table = Table(
        {
            "object_id": ids.astype(str),
            "candid": candid,
            "jd": jd,
            "kind": np.array(KIND_NAMES)[kind],
            "fid": fid,
            "magnitude": magnitude,
        }
    )
    for name, values in zip(classes, probabilities.T, strict=True):
        table[f"P_{name}"] = values
    return table


def _by_packet(rows: Iterable[Row | PacketRow]) -> Iterator[list]:
    """The rows of each packet, or object, which are one per class, or a single one without class."""
    return (list(group) for _, group in groupby(rows, key=lambda row: (row.oid, row.candid)))


def _wide(rows: Sequence[Row | PacketRow]) -> tuple[str, int | None, int, str, dict[str, float], str]:
    """One for the rows of `_by_packet`."""
    first = rows[0]
    chances = {row.class_name: row.probability for row in rows if row.class_name}
    best = next((row.class_name for row in rows if row.ranking == 1), "")
    return first.oid, first.candid, first.n_detections, best, chances, first.note


def _wide_of_packet(rows: Sequence[PacketRow]) -> tuple:
    first = rows[0]
    of_best = next((row for row in rows if row.ranking == 1), first)
    subclass = of_best.subclass or "", of_best.subclass_probability
    return *_wide(rows), first.n_limits, first.n_stamps, first.missing or "", *subclass, first.outlier
