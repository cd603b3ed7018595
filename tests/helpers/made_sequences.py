"""Sequences made for tests: right in shape and dtype, seeded, with a bright centre in every stamp."""

from dataclasses import fields

import numpy as np

from jtss import schema
from jtss.schema import ALERT, DETECTION, LIMIT, NO_CANDID, Sequences

CLASSES = ("AGN", "SN", "VS")
FIRST_CANDID = 2481169255715015001  # does not survive a double
COLUMN = {name: i for i, name in enumerate(schema.METADATA_NAMES)}


def of_alerts(**columns: np.ndarray) -> Sequences:
    """Sequences whose every row is an alert, so that kind and stamp_row need not be given."""
    kind = np.full(len(columns["jd"]), ALERT, np.int8)
    return Sequences(kind=kind, stamp_row=schema.stamp_rows(kind), **columns)


def sequences(counts=(3, 1, 2), *, label=None, subclass=None, split=None, seed=0, prefix="ZTF") -> Sequences:
    """Objects with `counts` alerts, a day apart; labels, subclasses and splits -1 unless given."""
    rng = np.random.default_rng(seed)
    n, m, side = len(counts), int(sum(counts)), schema.STAMP_SIDE
    stamps = rng.random((m, side, side, 3)) * 0.2
    stamps[:, side // 2, side // 2] = 1
    made = of_alerts(
        stamps=stamps.astype(np.float16),
        metadata=rng.normal(size=(m, len(schema.METADATA))).astype(np.float32),
        jd=2458000.5 + np.arange(m, dtype=np.float64),
        candid=FIRST_CANDID + np.arange(m, dtype=np.int64),
        fid=(np.arange(m) % 3).astype(np.int8),
        object_id=np.array([f"{prefix}{i}" for i in range(n)], object),
        object_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        allwise=np.full((n, 4), np.nan, np.float32),
        label=np.full(n, -1, np.int8) if label is None else np.array(label, np.int8),
        subclass=np.full(n, -1, np.int8) if subclass is None else np.array(subclass, np.int8),
        split=np.full(n, -1, np.int8) if split is None else np.array(split, np.int8),
    )
    schema.check(made)
    return made


def with_histories(made: Sequences, seed=0, most=6) -> Sequences:
    """The same alerts among told rows: up to `most` an object, detections and limits, from its month before on."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(made.n_objects), rng.integers(0, most + 1, made.n_objects))
    m, first, last = len(owner), made.object_start[:-1], made.object_start[1:] - 1
    kind = rng.choice(np.array([DETECTION, LIMIT], np.int8), m)
    metadata = rng.normal(size=(m, len(schema.METADATA))).astype(np.float32)
    metadata[np.ix_(kind == LIMIT, np.array(schema.METADATA_NAMES) != "diffmaglim")] = np.nan
    told = {
        "kind": kind,
        "stamp_row": np.full(m, schema.NO_STAMP),
        "metadata": metadata,
        "jd": rng.uniform(made.jd[first][owner] - 29, made.jd[last][owner] + 3),
        "candid": np.where(kind == LIMIT, NO_CANDID, FIRST_CANDID - 1 - np.arange(m)),
        "fid": rng.integers(1, 4, m).astype(np.int8),
    }
    owner = np.concatenate([np.repeat(np.arange(made.n_objects), made.n_rows), owner])
    order = np.lexsort((np.concatenate([made.jd, told["jd"]]), owner))
    columns = {item.name: getattr(made, item.name) for item in fields(made)}
    columns |= {name: np.concatenate([columns[name], values])[order] for name, values in told.items()}
    columns["object_start"] = np.searchsorted(owner[order], np.arange(made.n_objects + 1)).astype(np.int64)
    both = Sequences(**columns)
    schema.check(both)  # the alerts are still in the order of their stamps
    return both


def labelled(n=60, detections=2, **metadata) -> Sequences:
    """`n` objects of three classes in turn, of the test split, with these values of their metadata."""
    objects = sequences([detections] * n, label=[i % 3 for i in range(n)], split=[2] * n)
    for name, values in metadata.items():
        objects.metadata[:, COLUMN[name]] = np.asarray(values)
    return objects


class FakeClassifier:
    """Answers for objects with `n` alerts: 0.75 for the class of its label, or of `wrong[object_id]`."""

    def __init__(self, n: int, wrong: dict[str, tuple[int, float]] | None = None) -> None:
        self.n, self.wrong, self.calls = n, wrong or {}, []

    def __call__(self, made: Sequences) -> tuple[np.ndarray, np.ndarray]:
        self.calls.append(list(made.object_id))
        indices = np.flatnonzero(made.n_alerts >= self.n)
        rows = []
        for i in indices:
            best, chance = self.wrong.get(made.object_id[i], (max(int(made.label[i]), 0) % 3, 0.75))
            row = np.full(3, (1 - chance) / 2)
            row[best] = chance
            rows.append(row)
        return indices, np.array(rows, np.float32).reshape(-1, 3)
