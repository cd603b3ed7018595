"""How well a model classifies labelled objects."""

import os
import tempfile
from pathlib import Path

from jtss.api.calls import one_family, warn
from jtss.api.data import Dataset
from jtss.api.models import Model


def evaluate(
    model: Model | str | os.PathLike,
    data: str | os.PathLike | Dataset,
    split: str = "test",
    out: str | os.PathLike | None = None,
) -> dict:
    """Accuracy, confusion and the rest of a model on labelled objects, as report.json has them.

    Args:
        model: as `load_model` gives or takes it.
        data: data set.
        split: train, validation, test or all.
        out: folder for report.html and report.json, which are replaced; None: nothing is written.

    Returns:
        The report as plain numbers, lists and dicts; a number that is not defined is NaN, what is not known None.

        report_version, created, command: of the report.
        warnings: what a reader must know before believing the numbers; each is a warning of Python's as well.
        model: what was evaluated: name, version, classes, n_detections, run, seeds, trained_on, …
        data: what on: path, split, content_hash, is_training_file, …; objects: how many by what became of them.
        results: n_objects; accuracy (value, interval, wilson_interval, confidence) and balanced_accuracy (value,
            interval); cross_entropy_nat, brier, calibration_error; confusion_matrix [L, L], a row for each true class;
            classes: of each its support, precision, recall and f1; reliability.
        sky: purity and completeness of each class at the class priors of the paper, for models of its three classes.
        slices: accuracy by brightness, filter and more of what an object is like.
        selective: accuracy of the most confident part; of each class the threshold that reaches a purity.
        ranking: curves of each class against all others, and the areas under them.
        calibration: the temperature that fits these data, and the scores before and after.
        over_time: in reports of models of packets alone. by_alerts: accuracy by number of alerts; same_objects: the
            same of the objects that have n_alerts; by_days: accuracy by days since the first detection told;
            stability: of each class how often the predicted class flips and how far the probabilities move; against:
            other models, of `jtss evaluate` with more than one.
        subclasses: in the same reports; of each class the accuracy of the subclass, given the class, by the first and
            by the latest packet; None where no subclass is known.
        inference: median_s_per_object and what it was measured with.
        learning_curve: of the training, by step.
        confident_errors: the wrong predictions with the highest probability.
        versions, hardware: what evaluated it.
        bogus_screening, by_detections, seeds, ablations: None; they are of `jtss evaluate` with a screener, more
            models, an ensemble's seeds, or --ablations.

    Raises:
        InputError: the model cannot read the data, or nothing in them can be evaluated.
    """
    from jtss.reports import assessment

    name = model.trained.folder or model.name if isinstance(model, Model) else model
    path = data.path if isinstance(data, Dataset) else Path(data)
    request = assessment.Request(path, split, None, f"jtss.evaluate({str(name)!r}, {str(path)!r}, {split!r})")

    with one_family(), tempfile.TemporaryDirectory(prefix="jtss.") as nowhere:
        document, _ = assessment.assess(Path(name), request, Path(out or nowhere), warn)
    return document
