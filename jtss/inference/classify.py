"""Classify objects in batches as they come from alert packets, and lose none."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from jtss.errors import InputError
from jtss.inference import calibration
from jtss.inference.missing import NO_PIXELS, Missing, missing
from jtss.inference.model import Model, version
from jtss.inference.portraits import Portrait, portrait
from jtss.inference.predict import Predict, predict
from jtss.inference.screening import SCREENED, Screen, no_screening
from jtss.inference.table import TOO_FEW, Classifier, Write, classified_rows, rejected_rows
from jtss.invocation import option, spelled
from jtss.metrics import priors
from jtss.schema import Sequences

SHOWN_PER_CLASS = 3


class Tally(NamedTuple):
    """What became of the objects.

    Attributes:
        by_class: objects by most probable class.
        unclassified: objects without class, by reason.
        shown: the first objects of each predicted class, for a picture.
    """

    by_class: Counter
    unclassified: Counter
    shown: list[Portrait]


def classify(
    predict: Predict,
    batches: Iterable[Sequences],
    classifier: Classifier,
    write: Write,
    *,
    notes: Mapping[str, str],
    rejected: Mapping[str, str],
    screen: Screen = no_screening,
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
    """
    tally, seen = Tally(Counter(), Counter(), []), set()
    for sequences in batches:
        bogus, lack = screen(sequences).rejected, _lack(classifier, sequences)
        blank = lack.blank & ~bogus
        indices, probabilities = predict(sequences)
        answered = ~(bogus | blank)[indices]
        indices, probabilities = indices[answered], probabilities[answered]
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


def summary(tally: Tally, classes: tuple[str, ...]) -> str:
    """The tally as text, one number a line."""
    lines = [("objects classified", tally.by_class.total())]
    lines += [(f"  {name}", tally.by_class[name]) for name in classes]
    lines += [("objects without class", tally.unclassified.total())]
    # That screening rejected nothing is worth a line, too.
    lines += [
        (f"  {reason}", count) for reason, count in tally.unclassified.most_common() if count or reason == SCREENED
    ]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {count:>9,}" for name, count in lines)


def answering(
    model: Model, *, calibrated: bool = False, class_priors: Mapping[str, float] | None = None
) -> tuple[Predict, Classifier]:
    """What answers for a trained model, and what the table says of it: the version tells how its answers were changed.

    Args:
        model: the trained model.
        calibrated: scale its probabilities by its temperature.
        class_priors: fraction of each class among the objects to come, normalised; None: those that it learnt with.

    Raises:
        ValueError: no temperature, other classes than the model has, or the priors that it learnt with are not known.
    """
    answer, described = partial(predict, model), classifier(model, calibrated)
    if calibrated:
        answer = calibration.calibrated(answer, model.temperature)
    if class_priors is not None:
        wanted = priors.class_priors(class_priors, model.config.classes, balanced=True)
        answer = with_priors(answer, wanted.proportions, learnt_priors(model))
        described = described._replace(version=f"{described.version}.priors")
    return answer, described


def learnt_priors(model: Model) -> np.ndarray:
    """[L]: the class priors that a model was trained with: equal ones, or those of its training objects.

    Raises:
        InputError: it was trained on the class proportions of its data, which its provenance does not tell.
    """
    classes = model.config.classes
    if model.config.training.class_balance != "natural":
        return np.full(len(classes), 1 / len(classes))
    try:
        counts = np.array([model.provenance["training_data"]["objects"]["train"][name] for name in classes], float)
    except KeyError:
        raise InputError(
            f"{option('priors')}: {model.label} does not say how many objects of each class it learnt from"
        ) from None
    return counts / counts.sum()


def with_priors(predict: Predict, wanted: np.ndarray, learnt: np.ndarray) -> Predict:
    """A classifier for other class priors [L] than those it learnt with; see `jtss.metrics.priors.reweighted`."""

    def reweighted_predict(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
        indices, probabilities = predict(sequences)
        return indices, priors.reweighted(probabilities, wanted, learnt).astype(np.float32)

    return reweighted_predict


def classifier(run: Model, calibrated: bool = False) -> Classifier:
    """Name, version, classes and reach of a trained model; where its probabilities are calibrated, its version says so.

    Raises:
        ValueError: it is to be calibrated and knows no temperature.
    """
    name = version(run)
    if calibrated:
        if run.temperature is None:
            raise ValueError(
                f"{option('calibrated', True)}: {run.label} has no temperature, expected a model that was exported with"
                f" the report of its own test split: {spelled('models', 'export', 'RUN', '--report', 'REPORT.json')}"
            )
        name += f".t{run.temperature:.4g}"
    return Classifier(run.config.name, name, run.config.classes, run.config.n_detections, run.config)
