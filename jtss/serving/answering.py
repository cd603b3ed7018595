"""Alerts to answers, each by its own packet alone, by the functions that `jtss classify` uses.

An answer does not depend on what else is in the batch: a replay that cuts the stream elsewhere gives the same.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import jax

from data_prep import ingest
from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert
from jtss.errors import InputError
from jtss.inference import classify, packets
from jtss.inference.model import Model
from jtss.inference.packets import Answers
from jtss.inference.table import Classifier, PacketRow
from jtss.schema import Sequences

OF_THE_MACHINE = (OSError, MemoryError, jax.errors.JaxRuntimeError)  # no packet is to blame: a full disk, no memory


class Answerer(NamedTuple):
    """A model of packets, and what its answers say of it."""

    answer: Callable[[Sequences], Answers]
    classifier: Classifier


def answerer(model: Model) -> Answerer:
    """What answers alerts by a model.

    Raises:
        InputError: it is a model of sequences.
    """
    if not model.config.packet.rows:
        raise InputError(
            f"{model.label} answers an object by its first {model.config.n_detections} alerts, expected a model of"
            " packets, as any"
        )
    adjust, classifier = classify.adjustment(model)
    return Answerer(partial(packets.answers, model, adjust=adjust), classifier)


def answers(by: Answerer, alerts: Sequence[Alert]) -> list[dict | Rejection]:
    """The answer to each of K alerts, in order, see `as_answer`; or why it has none.

    An error that one of them causes is its own: the others are answered.

    Raises:
        OSError, MemoryError, JaxRuntimeError: the machine fails, not a packet.
    """
    try:
        return _answers(by, alerts)
    except OF_THE_MACHINE:
        raise
    except Exception as error:  # on what nobody thought of; alone in its batch, an alert is named by it
        if len(alerts) > 1:
            half = len(alerts) // 2
            return answers(by, alerts[:half]) + answers(by, alerts[half:])
        detail = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return [Rejection("failed", detail, one.source, one.object_id, one.candid) for one in alerts]


def _answers(by: Answerer, alerts: Sequence[Alert]) -> list[dict | Rejection]:
    rows: dict[int, list[PacketRow]] = {}

    def write(some: Iterable[PacketRow]) -> None:
        for row in some:
            rows.setdefault(int(row.oid), []).append(row)

    # Each is an object of its own, named by its place: what other packets of its object tell is not there for it.
    apart = (alert._replace(object_id=str(place)) for place, alert in enumerate(alerts))
    with (
        tempfile.TemporaryDirectory(prefix="jtss-serve.") as folder,
        ingest.ingest_items(apart, workdir=folder, workers=1, pad_edges=True, choice="every") as ingested,
    ):
        notes = ingested.notes_of_alerts()
        classify.classify_packets(by.answer, ingested.batches(), by.classifier, write, notes=notes, unread=())
        lost = {int(rejection.object_id): rejection for rejection in ingested.rejections()}
    return [
        as_answer(alert, rows[place]) if place in rows else lost[place]._replace(object_id=alert.object_id)
        for place, alert in enumerate(alerts)
    ]


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
