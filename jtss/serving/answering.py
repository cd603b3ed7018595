"""Alerts to answers, each by its own packet alone, by the functions that `jtss classify` uses.

An answer does not depend on what else is in the batch: a replay that cuts the stream elsewhere gives the same.
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

    answer: Callable[[Sequences], Answers]
    classifier: Classifier
    follow: Callable[[Sequences], tuple[Answers, Trajectories]]


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
    by: Answerer, alerts: Sequence[Alert], *, followed: bool = False, alike: bool = False
) -> list[dict | Rejection]:
    """The answer to each of K alerts, in order, see `as_answer`; or why it has none.

    An error that one of them causes is its own: the others are answered.

    Args:
        followed: with the "trajectory" of each, see `following.steps`.
        alike: with others that are `packets.alike`, which takes a tenth longer: what else is asked then changes no
            bit of an answer, and not by rounding.

    Raises:
        OSError, MemoryError, JaxRuntimeError: the machine fails, not a packet.
    """
    try:
        return _answers(by, alerts, followed, alike)
    except OF_THE_MACHINE:
        raise
    except Exception as error:  # on what nobody thought of; alone in its batch, an alert is named by it
        if len(alerts) > 1:
            half, how = len(alerts) // 2, {"followed": followed, "alike": alike}
            return answers(by, alerts[:half], **how) + answers(by, alerts[half:], **how)
        return [failed(one, error) for one in alerts]


def failed(alert: Alert, error: Exception) -> Rejection:
    """What is said of an alert on which something failed that nobody thought of."""
    detail = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Rejection("failed", detail, alert.source, alert.object_id, alert.candid)


def _answers(by: Answerer, alerts: Sequence[Alert], followed: bool, alike: bool) -> list[dict | Rejection]:
    rows: dict[int, list[PacketRow]] = {}
    steps: dict[int, dict] = {}

    def write(some: Iterable[PacketRow]) -> None:
        for row in some:
            rows.setdefault(int(row.oid), []).append(row)

    def answer(sequences: Sequences) -> Answers:
        if not followed:
            return by.answer(sequences)
        answered, along = by.follow(sequences)
        found = following.steps(sequences, along, by.classifier.classes)
        steps.update((int(name), {"trajectory": one}) for name, one in found.items())
        return answered

    with _apart(alerts) as ingested:
        notes, batches = ingested.notes_of_alerts(), ingested.batches()
        if alike:
            batches = (part for batch in batches for part in packets.alike(batch))
        classify.classify_packets(answer, batches, by.classifier, write, notes=notes, unread=())
        lost = {int(rejection.object_id): rejection for rejection in ingested.rejections()}
    return [
        as_answer(alert, rows[place]) | steps.get(place, {})
        if place in rows
        else lost[place]._replace(object_id=alert.object_id)
        for place, alert in enumerate(alerts)
    ]


@contextmanager
def _apart(alerts: Iterable[Alert]) -> Iterator[Ingested]:
    """Each as an object of its own, named by its place: what other packets of its object tell is not there for it."""
    named = (alert._replace(object_id=str(place)) for place, alert in enumerate(alerts))
    with (
        tempfile.TemporaryDirectory(prefix="jtss-serve.") as folder,
        ingest.ingest_items(named, workdir=folder, workers=1, pad_edges=True, choice="every") as ingested,
    ):
        yield ingested


def alone(alert: Alert) -> Sequences | Rejection:
    """An alert with what its packet tells, as one object; or why it cannot be used."""
    with _apart([alert]) as ingested:
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
