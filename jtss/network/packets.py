"""From sequences of rows to what a network reads: of packets equally many rows."""

from typing import NamedTuple

import numpy as np

from jtss import schema, views
from jtss.config.settings import Config
from jtss.network.inputs import Examples, assemble, counts_of, examples, labels_of, source_crops, subclasses_of
from jtss.network.parts import NO_ROW, Rows
from jtss.scaling import centre_crop
from jtss.schema import ALERT, DETECTION, LIMIT, NO_STAMP, SAME_TIME_DAYS, Sequences

TOLD = np.isin(schema.METADATA_NAMES, schema.TOLD_NAMES)
MOST_ROWS = 256  # that a packet is read of: a hundred visits a month are many


class Watched(NamedTuple):
    """How a survey has watched the places of K alerts.

    Attributes:
        days: [K] for how long when the alert comes; infinite: as it came.
        lone: [K] bool; whether nothing was detected before the alert.
    """

    days: np.ndarray
    lone: np.ndarray


def to_train(sequences: Sequences, config: Config, watched: Watched | None = None) -> Examples:
    """What a model of any configuration learns from: the first n alerts of each object, or every packet.

    Args:
        sequences: N objects with K alerts.
        config: what reads them.
        watched: how a survey has watched their places, of a sequence that of its first alert; None: as they came.
    """
    n_alerts = sequences.n_alerts
    watched = watched or Watched(np.full(n_alerts.sum(), np.inf), np.zeros(n_alerts.sum(), bool))
    since_jd = sequences.jd[sequences.kind == ALERT] - watched.days
    if config.packet.rows:
        return every(views.recounted(sequences, since_jd, watched.lone), config, since_jd, watched.lone)
    first = np.repeat(np.cumsum(n_alerts) - n_alerts, n_alerts)
    return examples(views.recounted(sequences, since_jd[first], watched.lone[first]), config)


def to_classify(sequences: Sequences, config: Config) -> Examples:
    """What a model of any configuration answers: the first n alerts of each object, or its first packet."""
    return of_first_alerts(sequences, config) if config.packet.rows else examples(sequences, config)


def every(
    sequences: Sequences, config: Config, since_jd: np.ndarray | float = -np.inf, lone: np.ndarray | bool = False
) -> Examples:
    """A packet for each alert of each object, of its latest `config.packet.rows` rows.

    Args:
        since_jd: [K] rows before it are left out. lone: [K] so are all detections but the alert.
    """
    objects = np.repeat(np.arange(sequences.n_objects), sequences.n_alerts)
    began = np.cumsum(sequences.n_alerts) - sequences.n_alerts
    which = np.arange(len(objects)) - np.repeat(began, sequences.n_alerts)
    since_jd, lone = (np.broadcast_to(values, len(objects)) for values in (since_jd, lone))
    return _examples(sequences, objects, which, config, config.packet.rows, since_jd, lone)


def of_first_alerts(sequences: Sequences, config: Config) -> Examples:
    """A packet for the first alert of each object; see `of_alerts`."""
    objects = np.arange(sequences.n_objects)
    return of_alerts(sequences, config, objects, 0 * objects)


def of_alerts(sequences: Sequences, config: Config, objects: np.ndarray, which: np.ndarray) -> Examples:
    """A packet for each of some alerts, of all its rows, but the latest `MOST_ROWS` of very many.

    Args:
        objects: [B]. which: [B] number of the alert among the object's alerts, from 0.
    """
    begin, end = views.packet_rows(sequences, objects, which)
    n_rows = min(_padded(int((end - begin).max(initial=1))), MOST_ROWS)
    return _examples(sequences, objects, which, config, n_rows)


def _padded(n_rows: int) -> int:
    """The next power of two, 16 at the least, so that few programs serve packets of all lengths."""
    return max(16, 1 << (n_rows - 1).bit_length())


def _examples(
    sequences: Sequences,
    objects: np.ndarray,
    which: np.ndarray,
    config: Config,
    n_rows: int,
    since_jd: np.ndarray | None = None,
    lone: np.ndarray | None = None,
) -> Examples:
    """Packets as a survey sends them, with their rows at the end of `n_rows`: earlier alerts as told, without stamps.

    Args:
        sequences: rows of N objects.
        objects: [B]. which: [B] number of the alert among the object's alerts, from 0.
        config: what reads them.
        n_rows: how many of the latest rows are read.
        since_jd, lone: as `every` has them; None: no row is left out.
    """
    begin, end = views.packet_rows(sequences, objects, which)
    row = end[:, None] + np.arange(-n_rows, 0)
    there = row >= begin[:, None]
    row = np.where(there, row, end[:, None] - 1)
    there[:, :-1] &= ~_detected_again(sequences, row)
    if since_jd is not None:
        told = row[:, :-1]
        there[:, :-1] &= (sequences.jd[told] >= since_jd[:, None]) & (~lone[:, None] | (sequences.kind[told] == LIMIT))
    kind, jd = sequences.kind[row], sequences.jd[row]
    kind[:, :-1] = np.where(kind[:, :-1] == ALERT, DETECTION, kind[:, :-1])
    metadata = sequences.metadata[row]
    metadata[:, :-1, ~TOLD] = np.nan
    metadata[~there] = np.nan
    dynamic, static = assemble(metadata, jd, sequences.allwise[objects], config.metadata)
    stamp = sequences.stamp_row[end - 1]
    seen = centre_crop(sequences.stamps, config.stamp.source_side)  # a view: no pixel is copied in vain below
    seen = seen if config.stamp.channels else seen[..., :0]
    no_stamp = _masked(sequences.stamps[stamp], config)
    return Examples(
        stamps=source_crops(seen[stamp[:, None]], config.stamp).astype(np.float16),
        dynamic=dynamic,
        static=static,
        label=labels_of(sequences.label[objects], config),
        subclass=subclasses_of(sequences.subclass[objects], config),
        split=sequences.split[objects],
        index=objects,
        counts=counts_of(sequences.metadata[end - 1]),
        rows=Rows(
            kind=np.where(there, kind, NO_ROW).astype(np.int8),
            fid=np.where(there, sequences.fid[row], 0).astype(np.int8),
            days=np.where(there, jd - jd[:, -1:], 0).astype(np.float32),
            stamp_at=np.where(no_stamp, NO_STAMP, n_rows - 1).astype(np.int32)[:, None],
        ),
    )


def _detected_again(sequences: Sequences, row: np.ndarray) -> np.ndarray:
    """[B, R - 1] bool: of rows [B, R] those before another of the same exposure, of which one tells all.

    ZTF may detect a badly subtracted source twice in an exposure, and send two alerts.
    """
    jd, fid = sequences.jd[row], sequences.fid[row]
    same = (np.diff(jd, axis=1) < SAME_TIME_DAYS) & (fid[:, :-1] == fid[:, 1:])
    return same & (row[:, :-1] != row[:, 1:]) & (sequences.kind[row[:, :-1]] != LIMIT)


def _masked(stamps: np.ndarray, config: Config) -> np.ndarray:
    """[K] bool: the crops of these stamps have no pixel in any image that is read, as if there were no stamp."""
    if not config.stamp.channels:
        return np.zeros(len(stamps), bool)
    channels = [schema.CHANNEL_NAMES.index(name) for name in config.stamp.channels]
    return np.isnan(centre_crop(stamps, config.stamp.crop)[..., channels]).all(axis=(1, 2, 3))
