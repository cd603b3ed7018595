"""From sequences of rows to what a network reads: of packets equally many rows."""

from typing import NamedTuple

import numpy as np

from jtss import schema, views
from jtss.config.settings import Config
from jtss.network.inputs import Examples, assemble, counts_of, examples, labels_of, source_crops, subclasses_of
from jtss.network.parts import NO_ROW, Rows
from jtss.scaling import centre_crop
from jtss.schema import ALERT, DETECTION, LIMIT, NO_STAMP, SAME_TIME_DAYS, ZTF_MISSING, Sequences

TOLD = np.isin(schema.METADATA_NAMES, schema.TOLD_NAMES)
LEAST_ROWS = 16  # that are read of a packet, most of them none where it is short
SAME_SOURCE_ARCSEC = 1.5  # from the nearest source of the reference image
CHANGE_OF = ("magpsf", "isdiffpos", "distnr", "magnr")  # what `_change` reads
TOO_FAINT_MAG = 23.0
MOST_EXPONENT = 38.0  # where more comes out, magpsf is no magnitude
LEAST_LEFT = 0.05  # of the light of a source that fades: what is measured as less is noise
MOST_ROWS = 256  # that a packet is read of: a hundred visits a month are many


class Watched(NamedTuple):
    """How a survey has watched the places of K alerts.

    Attributes:
        days: [K] for how long when the alert comes; infinite: as it came.
        lone: [K] bool; whether nothing was detected before the alert.
    """

    days: np.ndarray
    lone: np.ndarray


def as_it_came(n_alerts: int) -> Watched:
    """K alerts as they came."""
    return Watched(np.full(n_alerts, np.inf), np.zeros(n_alerts, bool))


def to_train(
    sequences: Sequences, config: Config, watched: Watched | None = None, back: np.ndarray | None = None
) -> Examples:
    """What a model of any configuration learns from: the first n alerts of each object, or every packet.

    Args:
        sequences: N objects with K alerts.
        config: what reads them.
        watched: how a survey has watched their places, of a sequence that of its first alert; None: as they came.
        back: [K, P] int64; whose stamps a packet shows: that of its alert (0), of the alert before (1) and so on,
            where it tells so many, and its own where not; what is the same as its first is shown once; None: its own.
            A sequence shows them all.
    """
    n_alerts = sequences.n_alerts
    watched = watched or as_it_came(n_alerts.sum())
    since_jd = sequences.jd[sequences.kind == ALERT] - watched.days
    if config.packet.rows:
        back = np.zeros((len(since_jd), 1), np.int64) if back is None else back
        return _every(views.recounted(sequences, since_jd, watched.lone), config, since_jd, watched.lone, back)
    first = np.repeat(np.cumsum(n_alerts) - n_alerts, n_alerts)
    return examples(views.recounted(sequences, since_jd[first], watched.lone[first]), config)


def to_classify(sequences: Sequences, config: Config) -> Examples:
    """What a model of any configuration answers: the first n alerts of each object, or its first packet."""
    return of_first_alerts(sequences, config) if config.packet.rows else examples(sequences, config)


def _every(sequences: Sequences, config: Config, since_jd: np.ndarray, lone: np.ndarray, back: np.ndarray) -> Examples:
    """A packet for each alert of each object, of its latest `config.packet.rows` rows.

    Args:
        since_jd: [K] rows before it are left out.
        lone: [K] bool; of these all detections but the alert are left out.
        back: [K, P] int64; as `to_train` has it.
    """
    objects = np.repeat(np.arange(sequences.n_objects), sequences.n_alerts)
    began = np.cumsum(sequences.n_alerts) - sequences.n_alerts
    which = np.arange(len(objects)) - np.repeat(began, sequences.n_alerts)
    rows = _rows(sequences, objects, which, config.packet.rows)
    told = rows.at[:, :-1]
    rows.there[:, :-1] &= sequences.jd[told] >= since_jd[:, None]
    rows.there[:, :-1] &= ~lone[:, None] | (sequences.kind[told] == LIMIT)
    return _examples(sequences, objects, rows, config, _shown(sequences, rows, back))


def of_first_alerts(sequences: Sequences, config: Config) -> Examples:
    """A packet for the first alert of each object; see `of_alerts`."""
    objects = np.arange(sequences.n_objects)
    return of_alerts(sequences, config, objects, 0 * objects)


def of_alerts(sequences: Sequences, config: Config, objects: np.ndarray, which: np.ndarray) -> Examples:
    """A packet for each of some alerts, of all its rows, but the latest `MOST_ROWS` of very many.

    With the stamps of up to `config.packet.stamps` alerts, its own and those of the alerts before that it tells.

    Args:
        objects: [B]. which: [B] number of the alert among the object's alerts, from 0.
    """
    begin, end = views.packet_rows(sequences, objects, which)
    rows = _rows(sequences, objects, which, n_rows_read(int((end - begin).max(initial=1))))
    most = (rows.there & (sequences.kind[rows.at] == ALERT)).sum(axis=1).max(initial=1)
    n_stamps = min(_padded(int(most), 1), config.packet.stamps)
    every_one = np.broadcast_to(np.arange(n_stamps), (len(objects), n_stamps))
    return _examples(sequences, objects, rows, config, _shown(sequences, rows, every_one))


def n_rows_read(most: int) -> int:
    """How many rows the network reads of packets that have up to `most`."""
    return min(_padded(most, LEAST_ROWS), MOST_ROWS)


def _padded(n: int, least: int) -> int:
    """The next power of two, so that few programs serve packets of all lengths."""
    return max(least, 1 << (n - 1).bit_length())


class _PacketRows(NamedTuple):
    """Rows of B packets, R of each, the alert last.

    Attributes:
        at: [B, R] int64; where they are in the sequences. there: [B, R] bool; False for what fills up a packet.
    """

    at: np.ndarray
    there: np.ndarray


def _rows(sequences: Sequences, objects: np.ndarray, which: np.ndarray, n_rows: int) -> _PacketRows:
    """The latest rows of packets; where an exposure has two detections, the later."""
    begin, end = views.packet_rows(sequences, objects, which)
    row = end[:, None] + np.arange(-n_rows, 0)
    there = row >= begin[:, None]
    row = np.where(there, row, end[:, None] - 1)
    there[:, :-1] &= ~_detected_again(sequences, row)
    return _PacketRows(row, there)


def _shown(sequences: Sequences, rows: _PacketRows, back: np.ndarray) -> np.ndarray:
    """[B, P] int64: the places in packets of alerts that are `back` [B, P] alerts before the packets' own.

    A packet that tells fewer has its own there; what is the same as the first is none, -1.
    """
    is_alert = rows.there & (sequences.kind[rows.at] == ALERT)
    alerts_back = np.cumsum(is_alert[:, ::-1], axis=1)[:, ::-1] - 1
    found = is_alert[:, None] & (alerts_back[:, None] == back[:, :, None])
    shown = np.where(found.any(axis=2), found.argmax(axis=2), rows.at.shape[1] - 1)
    shown[:, 1:][shown[:, 1:] == shown[:, :1]] = NO_STAMP
    return shown


def _examples(
    sequences: Sequences, objects: np.ndarray, rows: _PacketRows, config: Config, shown: np.ndarray
) -> Examples:
    """Packets as a survey sends them: earlier alerts as told, without what only an alert has but for their stamps.

    Args:
        sequences: rows of N objects.
        objects: [B]. rows: of their packets.
        config: what reads them.
        shown: [B, P] places of the alerts in the packets whose stamps are seen; -1 = none.
    """
    row, there = rows
    alert = row[:, -1]
    kind, jd = sequences.kind[row], sequences.jd[row]
    kind[:, :-1] = np.where(kind[:, :-1] == ALERT, DETECTION, kind[:, :-1])
    metadata = sequences.metadata[row]
    metadata[:, :-1, ~TOLD] = np.nan
    metadata[~there] = np.nan
    dynamic, static = assemble(metadata, jd, sequences.allwise[objects], config.metadata)
    stamp = sequences.stamp_row[np.take_along_axis(row, shown, axis=1)]  # of none the last one, which is not seen
    seen = centre_crop(sequences.stamps, config.stamp.source_side)  # a view: no pixel is copied in vain below
    seen = seen if config.stamp.channels else seen[..., :0]
    no_stamp = (shown == NO_STAMP) | _masked(sequences.stamps[stamp.ravel()], config).reshape(stamp.shape)
    return Examples(
        stamps=source_crops(seen[stamp], config.stamp).astype(np.float16),
        dynamic=dynamic,
        static=static,
        label=labels_of(sequences.label[objects], config),
        subclass=subclasses_of(sequences.subclass[objects], config),
        split=sequences.split[objects],
        index=objects,
        counts=counts_of(sequences.metadata[alert]),
        rows=Rows(
            kind=np.where(there, kind, NO_ROW).astype(np.int8),
            fid=np.where(there, sequences.fid[row], 0).astype(np.int8),
            days=np.where(there, jd - jd[:, -1:], 0).astype(np.float32),
            change=_change(metadata),
            stamp_at=np.where(no_stamp, NO_STAMP, shown).astype(np.int32),
        ),
    )


def _change(metadata: np.ndarray) -> np.ndarray:
    """[...] float32: by how much detections [..., 26] are brighter than the reference image shows [mag].

    Of a source that the reference does not show, as if it showed one too faint for it. NaN where a value is missing. In
    float64, then rounded, as `inputs.derived` and for its reason.
    """
    columns = (schema.METADATA_NAMES.index(name) for name in CHANGE_OF)
    magpsf, is_positive, distance, reference = (metadata[..., column].astype(np.float64) for column in columns)
    is_there = (distance < SAME_SOURCE_ARCSEC) & (distance != ZTF_MISSING)  # -999: no source within reach
    unknown = np.isnan(distance) | np.isnan(reference) | (is_there & (reference == ZTF_MISSING))
    exponent = 0.4 * (np.where(is_there, reference, TOO_FAINT_MAG) - magpsf)
    times = 10 ** np.minimum(exponent, MOST_EXPONENT)  # of the light of the source, what is measured beside it
    change = 2.5 * np.log10(np.maximum(1 + (2 * is_positive - 1) * times, LEAST_LEFT))
    return np.where(unknown | ~(exponent <= MOST_EXPONENT), np.nan, change).astype(np.float32)


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
