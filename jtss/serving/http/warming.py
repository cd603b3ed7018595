"""Compile what a model of packets needs before the first packet comes."""

import numpy as np

from jtss import schema
from jtss.inference import packets
from jtss.inference.model import Model
from jtss.inference.predict import BATCH_SIZE, SHORT_BATCH
from jtss.network.packets import LEAST_ROWS, MOST_ROWS
from jtss.schema import ALERT, LIMIT, NO_SPLIT, Sequences

FIRST_JD, TOLD_DAYS = 2460000.5, 29.0


def warm(model: Model) -> None:
    """Answer made packets of every length and in batches of both sizes, so that all programs are there."""
    n_rows = LEAST_ROWS
    while n_rows <= MOST_ROWS:
        for n_packets in (SHORT_BATCH, BATCH_SIZE):
            packets.answers(model, made(n_packets, n_rows))
        n_rows *= 2


def made(n_packets: int, n_rows: int) -> Sequences:
    """As many objects of one alert after limits, each with another stamp, and no other value than a time."""
    kind = np.tile(np.array([LIMIT] * (n_rows - 1) + [ALERT], np.int8), n_packets)
    days = np.tile(np.linspace(-TOLD_DAYS, 0, n_rows), n_packets)
    stamp = np.ones((schema.STAMP_SIDE, schema.STAMP_SIDE, len(schema.CHANNEL_NAMES)), np.float16)
    return Sequences(
        stamps=np.multiply.outer(np.linspace(0, 1, n_packets, dtype=np.float16), stamp),
        stamp_row=schema.stamp_rows(kind),
        kind=kind,
        metadata=np.full((len(kind), len(schema.METADATA)), np.nan, np.float32),
        jd=FIRST_JD + days,
        candid=np.where(kind == ALERT, np.arange(1, len(kind) + 1), schema.NO_CANDID).astype(np.int64),
        fid=np.ones(len(kind), np.int8),
        object_id=np.array([str(i) for i in range(n_packets)], object),
        object_start=np.arange(n_packets + 1, dtype=np.int64) * n_rows,
        allwise=np.full((n_packets, len(schema.ALLWISE_BANDS)), np.nan, np.float32),
        label=np.full(n_packets, -1, np.int8),
        subclass=np.full(n_packets, schema.NO_SUBCLASS, np.int8),
        split=np.full(n_packets, NO_SPLIT, np.int8),
    )
