"""Objects as an exported file takes them, raw, and what jtss answers to them: what a file is compared with."""

from dataclasses import replace

import numpy as np

from jtss import schema, views
from jtss.config.settings import Config
from jtss.export.signature import (
    ALLWISE,
    FID,
    HISTORY,
    LAYOUTS,
    METADATA,
    OUTLIER,
    PROBABILITIES,
    STAMPS,
    SUBCLASSES,
    TIME_GAP,
    inputs_of,
)
from jtss.inference import calibration, predict
from jtss.inference.known_alerts import outlier_scores
from jtss.inference.model import Model
from jtss.inference.packets import every_alert
from jtss.metrics.classification import LEAST_PROBABILITY
from jtss.network import packets, subclasses
from jtss.network.inputs import standardised
from jtss.scaling import min_max
from jtss.schema import METADATA_NAMES, Sequences

FAINTEST, BRIGHTEST = 0.5, 4.5  # decimal logarithm of the range of an image [DN]
MOST_SKY_DN, GRAIN = 1000.0, 2e-4  # level of its least pixel; noise finer than a stored stamp resolves
TOLD_PLACES = [METADATA_NAMES.index(name) for name in schema.TOLD_NAMES]


def as_decoded(sequences: Sequences, seed: int) -> tuple[Sequences, np.ndarray]:
    """Objects whose stamps are as a camera may have given them: scaled stamps, made raw again.

    Returns:
        The objects, their stamps scaled from the raw ones as `data_prep` does it; and raw stamps [K, S, S, 3] float32,
        of another level and range in each image.
    """
    rng, stamps = np.random.default_rng(seed), sequences.stamps.astype(np.float32)
    images = (len(stamps), 1, 1, stamps.shape[-1])
    span = 10 ** rng.uniform(FAINTEST, BRIGHTEST, images)
    light = stamps + rng.normal(0, GRAIN, stamps.shape)
    raw = (rng.uniform(-MOST_SKY_DN, MOST_SKY_DN, images) + span * light).astype(np.float32)
    return replace(sequences, stamps=min_max(raw).astype(np.float16)), raw


def raw_inputs(
    sequences: Sequences, config: Config, layout: str = LAYOUTS[0], pixels: np.ndarray | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The objects that have as many alerts as a model reads, or every packet, as the exported file takes them.

    Args:
        sequences: N objects.
        config: of the model. layout: of the stamps that the file takes.
        pixels: [K, S, S, 3] float32, raw stamps instead of the objects' own.

    Returns:
        [B] int64, which of the objects these are; and by the names of the inputs arrays [B, …], see `inputs_of`.
        Histories are filled up in front to as many rows as jtss reads.
    """
    stamps = sequences.stamps.astype(np.float32) if pixels is None else pixels
    index, every = (_packets if config.packet.rows else _first_alerts)(sequences, config, stamps)
    if layout == "NCHW":
        every[STAMPS] = np.moveaxis(every[STAMPS], -1, -3)
    shapes = {each.name: each.shape for each in inputs_of(config, layout)}
    shapes[HISTORY] = every[HISTORY].shape[1:] if HISTORY in shapes else ()
    return index, {
        each.name: np.ascontiguousarray(every[each.name].reshape(len(index), *shapes[each.name]), np.float32)
        for each in inputs_of(config, layout)
    }


def _first_alerts(sequences: Sequences, config: Config, stamps: np.ndarray) -> tuple[np.ndarray, dict]:
    n, alerts = config.n_detections, views.alerts(sequences)
    index = np.flatnonzero(alerts.n_rows >= n)
    rows = alerts.object_start[index, None] + np.arange(n)
    jd = alerts.jd[rows]
    return index, {
        STAMPS: stamps[rows],
        METADATA: alerts.metadata[rows],
        TIME_GAP: np.diff(jd, axis=1, prepend=jd[:, :1]),
        ALLWISE: alerts.allwise[index],
    }


def _packets(sequences: Sequences, config: Config, stamps: np.ndarray) -> tuple[np.ndarray, dict]:
    objects, which = every_alert(sequences)
    begin, end = views.packet_rows(sequences, objects, which)
    alert, n_rows = end - 1, packets.n_rows_read(int((end - begin).max(initial=1)))
    row = end[:, None] + np.arange(-n_rows, -1)
    there = row >= begin[:, None]
    row = np.where(there, row, alert[:, None])
    days, told = sequences.jd[row] - sequences.jd[alert, None], sequences.metadata[row][..., TOLD_PLACES]
    history = np.concatenate([days[..., None], sequences.fid[row][..., None], told], axis=-1)
    history[~there] = np.nan
    return objects, {
        STAMPS: stamps[sequences.stamp_row[alert]],
        METADATA: sequences.metadata[alert],
        FID: sequences.fid[alert],
        HISTORY: history,
        ALLWISE: sequences.allwise[objects],
    }


def answers(model: Model, sequences: Sequences) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """What jtss answers, as `jtss classify --calibrated` does where the model has a temperature.

    Args:
        model: exportable.

    Returns:
        [B] int64 as `raw_inputs` has them; and by the names of the outputs arrays [B, …], see `signature.outputs_of`.
    """
    temperature = model.temperature or 1.0
    if not model.config.packet.rows:
        index, probabilities = predict.predict(model, sequences)
        return index, {PROBABILITIES: calibration.scaled(probabilities, temperature)}
    objects, which = every_alert(sequences)
    batch = standardised(packets.of_alerts(sequences, model.config, objects, which), model.statistics)
    after, hidden = zip(*(predict.with_hidden(model, part) for part in predict.in_parts(batch)), strict=True)
    of_class, of_subclass = (np.concatenate(parts)[:, -1] for parts in zip(*after, strict=True))
    given = {PROBABILITIES: calibration.scaled(of_class, temperature)}
    if model.config.subclasses:
        class_of = subclasses.class_of(model.config)
        share = of_subclass / np.maximum(of_class, LEAST_PROBABILITY)[:, class_of]
        given[SUBCLASSES] = share * given[PROBABILITIES][:, class_of]
    if model.known_alerts is not None:
        given[OUTLIER] = outlier_scores(model.known_alerts, np.concatenate(hidden))
    return objects, given
