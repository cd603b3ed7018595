"""Classify objects in batches as they come from alert packets, and lose none."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice, tee
from typing import NamedTuple

import numpy as np

from jtss import views
from jtss.errors import InputError
from jtss.inference import calibration, known_alerts
from jtss.inference.known_alerts import Abstention
from jtss.inference.missing import NO_PIXELS, Missing, missing
from jtss.inference.model import Model, version
from jtss.inference.packets import Adjust, Answers
from jtss.inference.portraits import Portrait, portrait
from jtss.inference.predict import Predict, predict
from jtss.inference.screening import SCREENED, Screen, no_screening
from jtss.inference.table import (
    TOO_FEW,
    Classifier,
    Write,
    classified_rows,
    packet_rows,
    rejected_rows,
    unread_rows,
)
from jtss.invocation import option, spelled
from jtss.metrics import priors
from jtss.schema import Sequences

Each = Callable[[Callable[[Sequences], object], Iterable[Sequences]], Iterable]
SHOWN_PER_CLASS = 3
UNREAD_AT_ONCE = 10_000
FITTED = "fitted"  # as class priors: those that the model itself was given


class Tally(NamedTuple):
    """What became of the objects.

    Attributes:
        by_class: objects by most probable class.
        unclassified: objects without class, by reason.
        shown: the first objects of each predicted class, for a picture.
        abstained: objects with a class from which the model abstains, by what for.
    """

    by_class: Counter
    unclassified: Counter
    shown: list[Portrait]
    abstained: Counter


def classify(
    predict: Predict,
    batches: Iterable[Sequences],
    classifier: Classifier,
    write: Write,
    *,
    notes: Mapping[str, str],
    rejected: Mapping[str, str],
    screen: Screen = no_screening,
    each: Each = map,
) -> Tally:
    """Write the rows of every object: of those in `batches`, then of those in `rejected` that were not among them.

    Args:
        predict: the classifier; answers for the objects with enough detections.
        batches: objects with at least one usable detection; no object comes twice.
        classifier: what to write beside the probabilities.
        write: takes rows.
        notes: remark by object id, for objects that have one.
        rejected: reason by object id, for objects of which an alert could not be used.
        screen: says which objects are bogus; those get a row that says so, and no class.
        each: applies a function to every batch, in order; elsewhere than here, maybe ahead.
    """
    tally, seen = Tally(Counter(), Counter(), [], Counter()), set()
    batches, to_screen, to_answer = tee(batches, 3)
    screened = (map if screen is no_screening else each)(screen, to_screen)
    answered = zip(batches, screened, each(predict, to_answer), strict=True)
    for sequences, verdict, (indices, probabilities) in answered:
        bogus, lack = verdict.rejected, _lack(classifier, sequences)
        blank = lack.blank & ~bogus
        classified = ~(bogus | blank)[indices]
        indices, probabilities = indices[classified], probabilities[classified]
        reasons = dict.fromkeys(np.flatnonzero(bogus), SCREENED) | dict.fromkeys(np.flatnonzero(blank), NO_PIXELS)
        remarks = _remarks(sequences, notes, lack.notes)
        write(classified_rows(classifier, sequences, indices, probabilities, remarks, reasons))
        seen.update(map(str, sequences.object_id))
        n_bogus, n_blank = int(bogus.sum()), int(blank.sum())
        tally.unclassified[TOO_FEW] += sequences.n_objects - len(indices) - n_bogus - n_blank
        tally.unclassified.update({NO_PIXELS: n_blank} if n_blank else {})
        if screen is not no_screening:
            tally.unclassified[SCREENED] += n_bogus
        _count(tally, sequences, indices, probabilities, classifier, remarks)
    lost = {oid: reason for oid, reason in rejected.items() if oid not in seen}
    write(rejected_rows(classifier, lost))
    tally.unclassified.update(lost.values())
    return tally


def classify_packets(
    answer: Callable[[Sequences], Answers],
    batches: Iterable[Sequences],
    classifier: Classifier,
    write: Write,
    *,
    notes: Mapping[tuple[str, int], str],
    unread: Iterable[tuple[str, int | None, str]],
    abstention: Abstention | None = None,
    each: Each = map,
) -> Tally:
    """Write the rows of every packet: of the alerts in `batches`, then of those that could not be read.

    An alert of which one copy is answered is not among the latter.

    Args:
        answer: the classifier, see `packets.answers`.
        batches: objects with at least one usable alert; every alert is answered.
        classifier: what to write beside the probabilities.
        write: takes rows.
        notes: remark by object id and candid, for alerts that have one.
        unread: object id, candid and reason of each alert that could not be used.
        abstention: when the model abstains, which a note says; its probabilities stay. None: never.
        each: as in `classify`.
    """
    tally, seen = Tally(Counter(), Counter(), [], Counter()), set()
    batches, to_answer = tee(batches)
    for sequences, answered in zip(batches, each(answer, to_answer), strict=True):
        abstains = _abstains(answered, abstention, tally)
        keys = [*zip(map(str, answered.object_id), answered.candid.tolist(), strict=True)]
        alone = views.first(sequences, answered.object, answered.which)
        lacking = _lack(classifier, alone).notes
        remarks = {
            key: "; ".join(filter(None, (abstaining, notes.get(key), lack)))
            for key, abstaining, lack in zip(keys, abstains, lacking, strict=True)
        }
        write(packet_rows(classifier, answered, remarks))
        seen.update(keys)
        _count_packets(tally, alone, answered, classifier, remarks)
    lost = ((oid, candid, reason) for oid, candid, reason in unread if (oid, candid) not in seen)
    while some := [*islice(lost, UNREAD_AT_ONCE)]:
        write(unread_rows(classifier, some))
        tally.unclassified.update(reason for _, _, reason in some)
    return tally


def _abstains(answered: Answers, abstention: Abstention | None, tally: Tally) -> list[str]:
    """The notes of alerts from which the model abstains, "" of the others; they are counted."""
    if abstention is None:
        return [""] * len(answered.candid)
    notes = [abstention.note(confidence) for confidence in answered.confidence]
    tally.abstained[abstention.name] += sum(map(bool, notes))  # that there is none is worth a line, too
    return notes


def _count_packets(
    tally: Tally,
    alone: Sequences,
    answered: Answers,
    classifier: Classifier,
    notes: Mapping[tuple[str, int], str],
) -> None:
    """Count the answers to K alerts, each an object of its own."""
    for i, best in enumerate(answered.probabilities.argmax(axis=1)):
        name = classifier.classes[int(best)]
        if tally.by_class[name] < SHOWN_PER_CLASS:
            note = notes.get((str(answered.object_id[i]), int(answered.candid[i])), "")
            tally.shown.append(portrait(alone, i, classifier.classes, answered.probabilities[i], 1, note=note))
        tally.by_class[name] += 1


def _lack(classifier: Classifier, sequences: Sequences) -> Missing:
    if classifier.reads is None:
        return Missing(np.zeros(sequences.n_objects, bool), [""] * sequences.n_objects)
    return missing(classifier.reads, sequences)


def _remarks(sequences: Sequences, notes: Mapping[str, str], lack: Sequence[str]) -> dict[str, str]:
    """Remarks by object id: those given, then what is missing."""
    both = ((str(oid), notes.get(str(oid), ""), more) for oid, more in zip(sequences.object_id, lack, strict=True))
    return {oid: "; ".join(filter(None, remarks)) for oid, *remarks in both if any(remarks)}


def _count(
    tally: Tally,
    sequences: Sequences,
    indices: np.ndarray,
    probabilities: np.ndarray,
    classifier: Classifier,
    notes: Mapping[str, str],
) -> None:
    for i, chances in zip(indices, probabilities, strict=True):
        name = classifier.classes[int(chances.argmax())]
        if tally.by_class[name] < SHOWN_PER_CLASS:
            note = notes.get(str(sequences.object_id[i]), "")
            tally.shown.append(portrait(sequences, i, classifier.classes, chances, classifier.n_detections, note=note))
        tally.by_class[name] += 1


def summary(tally: Tally, classes: tuple[str, ...], of: str = "objects") -> str:
    """The tally of objects, or of alerts, as text, one number a line."""
    lines = [(f"{of} classified", tally.by_class.total())]
    lines += [(f"  {name}", tally.by_class[name]) for name in classes]
    lines += [(f"  of these it abstains {what}", count) for what, count in tally.abstained.items()]
    lines += [(f"{of} without class", tally.unclassified.total())]
    # That screening rejected nothing is worth a line, too.
    lines += [
        (f"  {reason}", count) for reason, count in tally.unclassified.most_common() if count or reason == SCREENED
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {count:>9,}" for name, count in lines)


def adjustment(
    model: Model, *, calibrated: bool = False, class_priors: Mapping[str, float] | None = None
) -> tuple[Adjust, Classifier]:
    """What is done to the probabilities of a trained model, and what a table says of it: its version tells of both.

    Args:
        model: the trained model.
        calibrated: scale its probabilities by its temperature.
        class_priors: fraction of each class among the objects to come, normalised; None: those that it learnt with.

    Raises:
        ValueError: no temperature, other classes than the model has, or the priors that it learnt with are not known.
    """
    steps, described = [], classifier(model, calibrated)
    if calibrated:
        steps.append(partial(calibration.scaled, temperature=model.temperature))
    if class_priors is not None:
        wanted = priors.class_priors(class_priors, model.config.classes, balanced=True)
        steps.append(partial(priors.reweighted, proportions=wanted.proportions, learnt=learnt_priors(model)))
        described = described._replace(version=f"{described.version}.priors")

    def adjust(probabilities: np.ndarray) -> np.ndarray:
        for step in steps:
            probabilities = step(probabilities).astype(np.float32)
        return probabilities

    return adjust, described


def answering(
    model: Model, *, calibrated: bool = False, class_priors: Mapping[str, float] | None = None
) -> tuple[Predict, Classifier]:
    """What answers for a trained model of sequences, with its `adjustment`, and what the table says of it."""
    adjust, described = adjustment(model, calibrated=calibrated, class_priors=class_priors)

    def answer(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
        indices, probabilities = predict(model, sequences)
        return indices, adjust(probabilities)

    return answer, described


def abstaining(model: Model, coverage: float | None) -> Abstention | None:
    """When a model is to abstain, so that it answers this share of held-out alerts; None for no coverage.

    Raises:
        InputError: the share is none; a model of sequences, or one that knows of no held-out alerts.
    """
    if coverage is None:
        return None
    asked = option("coverage", coverage)
    if not 0 < coverage <= 1:
        raise InputError(f"{asked}: expected a share of the alerts, above 0 and at most 1, as 0.9")
    if not model.config.packet.rows:
        raise InputError(f"{asked}: {model.label} is a model of sequences, expected a model of packets")
    if model.known_alerts is None:
        export = spelled("models", "export", model.label if model.folder else "RUN", "--name", "NAME")
        raise InputError(
            f"{asked}: {model.label} does not know how sure it is of held-out alerts; expected an exported model of"
            f" this version: {export}"
        )
    return known_alerts.abstention(model.known_alerts, coverage)


def learnt_priors(model: Model) -> np.ndarray:
    """[L]: the class priors that a model was trained with: equal ones, or those of its training objects.

    Of a mixture of files each counts by its weight, as far as it has objects for training.

    Raises:
        InputError: it was trained on the class proportions of its data, which its provenance does not tell.
    """
    classes = model.config.classes
    if model.config.training.class_balance != "natural":
        return np.full(len(classes), 1 / len(classes))
    try:
        own = model.provenance.get("mixture", [{"weight": 1.0, "training_data": model.provenance["training_data"]}])
        counts = np.array([[one["training_data"]["objects"]["train"][name] for name in classes] for one in own], float)
    except KeyError:
        raise InputError(
            f"{option('priors')}: {model.label} does not say how many objects of each class it learnt from"
        ) from None
    weights = np.array([one["weight"] for one in own])
    drawn = (weights / np.maximum(counts.sum(axis=1), 1)) @ counts
    return drawn / drawn.sum()


def fitted_priors(model: Model) -> dict[str, float]:
    """The class priors that a model was given by `jtss models calibrate --priors`.

    Raises:
        InputError: it was given none.
    """
    fitted = model.provenance.get("calibration", {}).get("priors")
    if fitted is None:
        how = spelled("models", "calibrate", model.label, "REPORT.json", "--priors", "--name", "NAME")
        raise InputError(
            f"{option('priors', FITTED)}: {model.label} has no class priors of its own, expected a model that was given"
            f" some: {how}"
        )
    return priors.normalised(fitted)


def classifier(run: Model, calibrated: bool = False) -> Classifier:
    """Name, version, classes and reach of a trained model; where its probabilities are calibrated, its version says so.

    Raises:
        InputError: it is to be calibrated and knows no temperature.
    """
    name = version(run)
    if calibrated:
        if run.temperature is None:
            raise InputError(
                f"{option('calibrated', True)}: {run.label} has no temperature, expected a model that was exported with"
                f" the report of its own test split: {spelled('models', 'export', 'RUN', '--report', 'REPORT.json')}"
            )
        name += f".t{run.temperature:.4g}"
    return Classifier(run.config.name, name, run.config.classes, run.config.n_detections, run.config)
