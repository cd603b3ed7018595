"""What a model of packets answers to packets: the classes after the last row, or after every row, and what it had read.

An answer is of one alert: its packet, with the detections and limits of 30 days before it. Other alerts of the object
change it by what their packets tell of the time before this one, and by nothing that is later.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np

from jtss import schema, views
from jtss.config.settings import Config
from jtss.inference import predict
from jtss.inference.known_alerts import outlier_scores
from jtss.inference.model import Model
from jtss.inference.predict import Probabilities
from jtss.metrics.classification import LEAST_PROBABILITY
from jtss.network import packets
from jtss.network.inputs import Examples, standardised
from jtss.network.parts import NO_ROW, Rows
from jtss.schema import ALERT, CLASS_OF_SUBCLASS, LIMIT, NO_STAMP, Sequences

STAMPS, HISTORY = "stamps", "history"
AT_ONCE = 256  # packets in memory as the network reads them
THREADS = 2  # one program of 64 packets leaves a part of two cores idle


class Answers(NamedTuple):
    """The answers to K packets.

    Attributes:
        object_id: [K] object array of str. candid: [K] int64, of the alert.
        object, which: [K] int64; the alert is number `which` of the alerts of this object of the sequences.
        probabilities: [K, L] float32.
        subclass: [K, L] object array of str; the most probable subclass of each class, "" where it has none.
        subclass_share: [K, L] float32; its probability given the class, NaN where there is none.
        n_detections: [K] int64, read, the alert among them. n_limits: [K] int64.
        n_stamps: [K] int64; of the alert, and of those before that its packet tells and that were given, too.
        missing: [K] object array of str; groups of what the model reads that were not there: "counters, history", ""
            for none.
        confidence: [K] float32; the largest class probability before any calibration or other class priors.
        outlier: [K] float32; the share of held-out alerts that are less unusual; NaN where the model has no
            `KnownAlerts`.
    """

    object_id: np.ndarray
    candid: np.ndarray
    object: np.ndarray
    which: np.ndarray
    probabilities: np.ndarray
    subclass: np.ndarray
    subclass_share: np.ndarray
    n_detections: np.ndarray
    n_limits: np.ndarray
    n_stamps: np.ndarray
    missing: np.ndarray
    confidence: np.ndarray
    outlier: np.ndarray


class Trajectories(NamedTuple):
    """The answers after each of T rows of packets, one packet after the other, in time order.

    Attributes:
        object_id: [T] object array of str. candid: [T] int64, of the alert whose packet tells the row.
        jd: [T] float64 [day]. kind, fid: [T] int8; as `Sequences` has them.
        magnitude: [T] float32 [mag]; of a detection its magpsf, of a limit its depth, diffmaglim; NaN = not given.
        probabilities: [T, L] float32; NaN before the first detection, where there is nothing to classify.
    """

    object_id: np.ndarray
    candid: np.ndarray
    jd: np.ndarray
    kind: np.ndarray
    fid: np.ndarray
    magnitude: np.ndarray
    probabilities: np.ndarray


class Chosen(NamedTuple):
    """K alerts of N objects, one at the least.

    Attributes:
        object: [K] int64. which: [K] int64, number among the alerts of this object, from 0.
    """

    object: np.ndarray
    which: np.ndarray


class Part(NamedTuple):
    """B alerts on their way: of which object and its how many, what is read of them, and what the network puts out."""

    objects: np.ndarray
    which: np.ndarray
    read: Examples
    after: Probabilities  # [B, R, …], after each row
    hidden: np.ndarray  # [B, M, U], after the last


Adjust = Callable[[np.ndarray], np.ndarray]  # probabilities [B, L] → others [B, L]


def every_alert(sequences: Sequences) -> Chosen:
    """All alerts, object by object in time order."""
    n_alerts = sequences.n_alerts
    objects = np.repeat(np.arange(sequences.n_objects), n_alerts)
    return Chosen(objects, np.arange(len(objects)) - np.repeat(np.cumsum(n_alerts) - n_alerts, n_alerts))


def last_alert(sequences: Sequences) -> Chosen:
    """The latest alert of each object."""
    return Chosen(np.arange(sequences.n_objects), sequences.n_alerts - 1)


def alike(sequences: Sequences) -> Iterator[Sequences]:
    """Objects of one alert each, so many at a time and of such lengths that one program answers them and each of them.

    Another program sums in another order; in which place of it a packet stands, and beside which, changes no bit.
    """
    objects = np.arange(sequences.n_objects)
    begin, end = views.packet_rows(sequences, objects, 0 * objects)
    lengths = np.array([packets.n_rows_read(int(n)) for n in end - begin], np.int64)
    for length in np.unique(lengths):
        mine = np.flatnonzero(lengths == length)
        for first in range(0, len(mine), predict.SHORT_BATCH):
            yield schema.take(sequences, mine[first : first + predict.SHORT_BATCH])


def answers(model: Model, sequences: Sequences, adjust: Adjust = np.asarray, chosen: Chosen | None = None) -> Answers:
    """The answer to alerts of N objects.

    Args:
        model: of packets.
        adjust: calibrates the probabilities, or turns them to other class priors.
        chosen: which alerts, in this order; None: `every_alert`.
    """
    parts = [_answers(model, sequences, part) for part in _in_parts(model, sequences, chosen)]
    return _joined(Answers, parts, adjust)


def followed(
    model: Model, sequences: Sequences, adjust: Adjust = np.asarray, chosen: Chosen | None = None
) -> tuple[Answers, Trajectories]:
    """`answers` and `trajectories`, read once."""
    both = [
        (_answers(model, sequences, part), _trajectories(sequences, part))
        for part in _in_parts(model, sequences, chosen)
    ]
    said, along = zip(*both, strict=True)
    return _joined(Answers, said, adjust), _joined(Trajectories, along, adjust)


def trajectories(model: Model, sequences: Sequences, adjust: Adjust = np.asarray) -> Trajectories:
    """The answers after every row of the packet of every alert; arguments as `answers` has them."""
    parts = [_trajectories(sequences, part) for part in _in_parts(model, sequences, None)]
    return _joined(Trajectories, parts, adjust)


def _joined(kind: type[NamedTuple], parts: Sequence[NamedTuple], adjust: Adjust) -> NamedTuple:
    joined = kind(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return joined._replace(probabilities=adjust(joined.probabilities))


def no_trajectories(n_classes: int) -> Trajectories:
    """Of no packets."""
    kinds = (object, np.int64, np.float64, np.int8, np.int8, np.float32)
    return Trajectories(*(np.zeros(0, kind) for kind in kinds), np.zeros((0, n_classes), np.float32))


def _in_parts(model: Model, sequences: Sequences, chosen: Chosen | None) -> Iterator[Part]:
    """Some alerts at a time."""
    objects, which = chosen or every_alert(sequences)
    for first in range(0, len(objects), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        read = packets.of_alerts(sequences, model.config, objects[some], which[some])
        batch = standardised(read, model.statistics)
        with ThreadPoolExecutor(THREADS) as pool:
            each = [*pool.map(partial(predict.with_hidden, model), predict.in_parts(batch))]
        after, hidden = zip(*each, strict=True)
        joined = Probabilities(*map(np.concatenate, zip(*after, strict=True)))
        yield Part(objects[some], which[some], read, joined, np.concatenate(hidden))


def _alert_rows(sequences: Sequences, objects: np.ndarray, which: np.ndarray) -> np.ndarray:
    """[B] int64: the row of each alert."""
    first_alert = np.cumsum(sequences.n_alerts) - sequences.n_alerts
    return np.flatnonzero(sequences.kind == ALERT)[first_alert[objects] + which]


def _answers(model: Model, sequences: Sequences, part: Part) -> Answers:
    config, rows = model.config, part.read.rows
    kind, n_stamps = rows.kind, (rows.stamp_at != NO_STAMP).sum(axis=1) * bool(config.stamp.channels)
    classes, subclasses = (probabilities[:, -1] for probabilities in part.after)
    return Answers(
        object_id=sequences.object_id[part.objects],
        candid=sequences.candid[_alert_rows(sequences, part.objects, part.which)],
        object=part.objects,
        which=part.which,
        probabilities=classes,
        **_subclasses(config, classes, subclasses),
        n_detections=((kind != NO_ROW) & (kind != LIMIT)).sum(axis=1),
        n_limits=(kind == LIMIT).sum(axis=1),
        n_stamps=n_stamps,
        missing=_missing(config, part.read, (rows.stamp_at[:, 0] != NO_STAMP) & bool(config.stamp.channels)),
        confidence=classes.max(axis=1),
        outlier=_outlier(model, part.hidden),
    )


def _outlier(model: Model, hidden: np.ndarray) -> np.ndarray:
    if model.known_alerts is None:
        return np.full(len(hidden), np.nan, np.float32)
    return outlier_scores(model.known_alerts, hidden)


def _subclasses(config: Config, classes: np.ndarray, subclasses: np.ndarray) -> dict[str, np.ndarray]:
    """`subclass` and `subclass_share` of `Answers`, of [B, L] and [B, S]."""
    names = np.full(classes.shape, "", object)
    shares = np.full(classes.shape, np.nan, np.float32)
    of_class = np.array([CLASS_OF_SUBCLASS[name] for name in config.subclasses], object)
    for column, name in enumerate(config.classes):
        mine = np.flatnonzero(of_class == name)
        if mine.size:
            best = mine[subclasses[:, mine].argmax(axis=1)]
            names[:, column] = np.array(config.subclasses, object)[best]
            chances = subclasses[np.arange(len(best)), best]
            shares[:, column] = chances / np.maximum(classes[:, column], LEAST_PROBABILITY)
    return {"subclass": names, "subclass_share": shares}


def _missing(config: Config, read: Examples, has_stamp: np.ndarray) -> np.ndarray:
    """Which groups of what `config` reads are not there, of each packet."""
    names = (*config.metadata.dynamic, *config.metadata.static)
    unknown = np.isnan(np.concatenate([read.dynamic[:, -1], read.static], axis=1))
    absent = {
        group: unknown[:, [name in members for name in names]].all(axis=1)
        for group, members in schema.METADATA_GROUPS.items()
        if not {*members}.isdisjoint(names)
    }
    absent[HISTORY] = (read.rows.kind != NO_ROW).sum(axis=1) == 1
    if config.stamp.channels:
        absent[STAMPS] = ~has_stamp
    table = np.stack(list(absent.values()), axis=1)
    texts = (", ".join(group for group, is_absent in zip(absent, row, strict=True) if is_absent) for row in table)
    return np.array([*texts], object)


def _trajectories(sequences: Sequences, part: Part) -> Trajectories:
    objects, which, after = part.objects, part.which, part.after
    rows: Rows = part.read.rows
    packet, place = np.nonzero(rows.kind != NO_ROW)
    alert = _alert_rows(sequences, objects, which)
    row = alert[packet] - (rows.kind.shape[1] - 1 - place)
    kind = rows.kind[packet, place]
    detected = np.cumsum((rows.kind != NO_ROW) & (rows.kind != LIMIT), axis=1)[packet, place] > 0
    metadata = dict(zip(schema.METADATA_NAMES, sequences.metadata[row].T, strict=True))
    return Trajectories(
        object_id=sequences.object_id[objects][packet],
        candid=sequences.candid[alert][packet],
        jd=sequences.jd[row],
        kind=kind,
        fid=sequences.fid[row],
        magnitude=np.where(kind == LIMIT, metadata["diffmaglim"], metadata["magpsf"]),
        probabilities=np.where(detected[:, None], after.classes[packet, place], np.float32(np.nan)),
    )
