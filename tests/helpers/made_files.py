"""Data files of random numbers."""

import numpy as np

from data_prep.ledger import Ledger
from helpers.made_sequences import of_alerts
from jtss.dataset import Writer
from jtss.schema import METADATA_NAMES, NO_SPLIT, NO_SUBCLASS, Sequences

SPLIT = np.array([0, 2, 1, -1], np.int8)


def some_sequences(counts, seed=0) -> Sequences:
    """Objects with `counts` alerts."""
    rng = np.random.default_rng(seed)
    n_rows, n_objects = sum(counts), len(counts)
    stamps = rng.random((n_rows, 63, 63, 3)).astype(np.float16)
    stamps[0, :5] = np.nan
    return of_alerts(
        stamps=stamps,
        metadata=rng.random((n_rows, len(METADATA_NAMES))).astype(np.float32),
        jd=2458000.5 + np.sort(rng.random(n_rows)),
        candid=rng.integers(1, 2**62, n_rows),
        fid=rng.integers(0, 4, n_rows).astype(np.int8),
        object_id=np.array([f"ZTF18é{i:04d}" for i in range(n_objects)], object),
        object_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        allwise=np.full((n_objects, 4), np.nan, np.float32),
        label=rng.integers(-1, 5, n_objects).astype(np.int8),
        subclass=np.full(n_objects, NO_SUBCLASS, np.int8),
        split=np.full(n_objects, NO_SPLIT, np.int8),
    )


def write(path, batches, split, **options) -> str:
    ledger = Ledger()
    ledger.keep(sum(len(batch.stamps) for batch in batches))
    ledger.drop("stamp_shape", 3)
    with Writer(path, survey="ZTF", command="test", **options) as writer:
        for batch in batches:
            writer.append(batch)
        return writer.finish(split=split, ledger=ledger.as_dict())
