"""Alerts to answers, each by its own packet alone, by the functions that `jtss classify` uses.

An answer does not depend on what else is in the batch: a replay that cuts the stream elsewhere gives the same. Only who
hands over earlier alerts, see `remembering`, has their stamps seen, too.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from data_prep import ingest
from data_prep.ingest import Ingested
from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from jtss.errors import InputError
from jtss.inference import classify, packets
from jtss.inference.model import Model
from jtss.inference.packets import Answers, Trajectories
from jtss.inference.table import Classifier, PacketRow
from jtss.schema import Sequences
from jtss.serving import following

OF_THE_MACHINE = (OSError, MemoryError, jax.errors.JaxRuntimeError)  # no packet is to blame: a full disk, no memory


class Answerer(NamedTuple):
    """A model of packets, and what its answers say of it; `follow` also tells how they came about."""

    answer: Callable[..., Answers]
    classifier: Classifier
    follow: Callable[..., tuple[Answers, Trajectories]]


def answerer(model: Model, *, calibrated: bool = False) -> Answerer:
    """What answers alerts by a model.

    Args:
        calibrated: scale its probabilities by its temperature, which its version tells then.

    Raises:
        InputError: it is a model of sequences, or it is to be calibrated and knows no temperature.
    """
    if not model.config.packet.rows:
        raise InputError(
            f"{model.label} answers an object by its first {model.config.n_detections} alerts, expected a model of"
            " packets, as any"
        )
    adjust, classifier = classify.adjustment(model, calibrated=calibrated)
    answer, follow = (partial(function, model, adjust=adjust) for function in (packets.answers, packets.followed))
    return Answerer(answer, classifier, follow)


def answers(
    by: Answerer,
    alerts: Sequence[Alert],
    *,
    earlier: Sequence[Sequence[Alert]] | None = None,
    followed: bool = False,
    alike: bool = False,
) -> list[dict | Rejection]:
    """The answer to each of K alerts, in order, see `as_answer`; or why it has none.

    An error that one of them causes is its own: the others are answered.

    Args:
        earlier: [K] alerts of the object of each, before it, whose stamps are seen, too; None: none of any.
        followed: with the "trajectory" of each, see `following.steps`; without `earlier`.
        alike: with others that are `packets.alike`, which takes a tenth longer: what else is asked then changes no
            bit of an answer, and not by rounding; without `earlier`.

    Raises:
        OSError, MemoryError, JaxRuntimeError: the machine fails, not a packet.
    """
    earlier = [()] * len(alerts) if earlier is None else earlier
    try:
        return _answers(by, alerts, earlier, followed, alike)
    except OF_THE_MACHINE:
        raise
    except Exception as error:  # on what nobody thought of; alone in its batch, an alert is named by it
        if len(alerts) > 1:
            half, how = len(alerts) // 2, {"followed": followed, "alike": alike}
            first = answers(by, alerts[:half], earlier=earlier[:half], **how)
            return first + answers(by, alerts[half:], earlier=earlier[half:], **how)
        return [failed(one, error) for one in alerts]


def failed(alert: Alert, error: Exception) -> Rejection:
    """What is said of an alert on which something failed that nobody thought of."""
    detail = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Rejection("failed", detail, alert.source, alert.object_id, alert.candid)


def _answers(
    by: Answerer, alerts: Sequence[Alert], earlier: Sequence[Sequence[Alert]], followed: bool, alike: bool
) -> list[dict | Rejection]:
    rows: dict[int, list[PacketRow]] = {}
    steps: dict[int, dict] = {}

    def write(some: Iterable[PacketRow]) -> None:
        for row in some:
            if row.candid == alerts[int(row.oid)].candid:  # and not the last one before it, where it cannot be used
                rows.setdefault(int(row.oid), []).append(row)

    def answer(sequences: Sequences) -> Answers:
        chosen = packets.last_alert(sequences)
        if not followed:
            return by.answer(sequences, chosen=chosen)
        answered, along = by.follow(sequences, chosen=chosen)
        found = following.steps(sequences, along, by.classifier.classes)
        steps.update((int(name), {"trajectory": one}) for name, one in found.items())
        return answered

    with _apart([*before, alert] for before, alert in zip(earlier, alerts, strict=True)) as ingested:
        notes, batches = ingested.notes_of_alerts(), ingested.batches()
        if alike:
            batches = (part for batch in batches for part in packets.alike(batch))
        classify.classify_packets(answer, batches, by.classifier, write, notes=notes, unread=())
        lost = {(int(one.object_id), one.candid): one for one in ingested.rejections()}
    return [
        as_answer(alert, rows[place]) | steps.get(place, {})
        if place in rows
        else lost[place, alert.candid]._replace(object_id=alert.object_id)
        for place, alert in enumerate(alerts)
    ]


@contextmanager
def _apart(groups: Iterable[Sequence[Alert]]) -> Iterator[Ingested]:
    """Each group as an object of its own, named by its place: what other packets of it tell is not there for it."""
    named = (alert._replace(object_id=str(place)) for place, group in enumerate(groups) for alert in group)
    with (
        tempfile.TemporaryDirectory(prefix="jtss-serve.") as folder,
        ingest.ingest_items(named, workdir=folder, workers=1, pad_edges=True, choice="every") as ingested,
    ):
        yield ingested


def alone(alert: Alert) -> Sequences | Rejection:
    """An alert with what its packet tells, as one object; or why it cannot be used."""
    with _apart([[alert]]) as ingested:
        for one in ingested.batches():
            return replace(one, object_id=np.array([alert.object_id], object))
        return next(ingested.rejections())._replace(object_id=alert.object_id)


def as_answer(alert: Alert, rows: Sequence[PacketRow]) -> dict:
    """The rows of the table of one packet, one for each class, as one object of JSON."""
    best = min(rows, key=lambda row: row.ranking)
    return {
        "objectId": alert.object_id,
        "candid": alert.candid,
        "jd": alert.jd,
        "model": best.classifier_name,
        "classifier_version": best.classifier_version,
        "class": best.class_name,
        "probabilities": {row.class_name: row.probability for row in rows},
        "subclass": best.subclass,
        "subclass_probability": best.subclass_probability,
        "n_detections": best.n_detections,
        "n_limits": best.n_limits,
        "n_stamps": best.n_stamps,
        "missing": best.missing.split(", ") if best.missing else [],
        "outlier": best.outlier,
        "note": best.note,
    }
