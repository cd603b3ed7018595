"""TSC Figures 8 and 9: other classifiers on the test objects, beside the complete networks on the same ones."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset, schema
from jtss.inference import other_classifiers
from jtss.inference.other_classifiers import PredictionsError
from jtss.metrics import comparisons
from jtss.paper import layout, notes
from jtss.paper.experiments import EXPERIMENTS, TRAININGS
from jtss.paper.grids import Setup, choose
from jtss.paper.layout import Column, Document, Picture, Table
from jtss.paper.results import Measured, Results, as_digits, over_objects
from jtss.reports import figures
from jtss.schema import CLASS_NAMES

CLASSES = ("AGN", "SN", "VS")
LEAST_DETECTIONS = 2  # of the paper's test objects
COLUMNS = (
    Column("classifier"),
    Column("objects"),
    Column("answered"),
    Column("accuracy on these [%]"),
    Column("complete network"),
    Column("its accuracy on the same [%]"),
    Column("its gain [points]", "gain"),
    Column("p (McNemar, seed 0)", "p"),
)
NOTES = (
    "Test objects of three classes with two detections or more that the classifier answers for; p and gain are paired.",
    "The class is that of the highest probability, those of the light curve classifier's subclasses added up.",
    "Others may have been trained on these very objects, and may have seen other alerts of them.",
    "The paper has Figures 8 and 9 as pictures only: there are no numbers of it to set beside.",
)


class Objects(NamedTuple):
    """The test objects: [N] ids, true classes (indices into `schema.CLASS_NAMES`) and detections."""

    ids: np.ndarray
    label: np.ndarray
    n_detections: np.ndarray


def compare(
    path: Path, predictions: Sequence[tuple[str, Path]], out: Path, settings: Sequence[str], warn: Callable[[str], None]
) -> Document:
    """The confusion matrix of each classifier, and how the networks of `table8` in the same folder do on its objects.

    Args:
        path: data file.
        predictions: name and CSV of each classifier.
        out: folder of `table8`'s trainings, where they are.
        settings: with which these were trained.
        warn: takes what is wrong with these results.

    Raises:
        ValueError: a file is damaged, or has none of the objects.
        OSError: a file cannot be read.
    """
    objects, data_hash = _objects(path), str(dataset.attributes(path)["content_hash"])
    experiment, results = EXPERIMENTS["table8"], Results(out / TRAININGS, data_hash, warn)
    setups = experiment.grid(choose("table8", experiment.extent, settings=settings))
    results.look(setups)
    rows, confusions, pictures = [], [], []
    for name, file in predictions:
        said = other_classifiers.predicted(file, name, objects.ids)
        if not (said != other_classifiers.NO_ANSWER).any():
            raise PredictionsError(f"{file}: has none of the {len(said)} test objects, such as {objects.ids[0]}")
        rows += [_row(name, objects, said, setup, results.measured) for setup in setups]
        matrix = _confusion(objects, said)
        title = f"{name}: confusion on {matrix.sum()} test objects"
        table = layout.confusion(f"figure8-{name}", title, matrix.astype(float), CLASS_NAMES)
        confusions.append(table._replace(rows=[row for row in table.rows if row[0] in CLASSES]))
        pictures.append(Picture(f"figure8-{name}", title, figures.confusion_figure(matrix, CLASS_NAMES)))
    title = "TSC Figures 8 and 9: other classifiers on the test objects"
    footnotes = [*notes.on_what(path, data_hash), *NOTES]
    return Document("figure8", title, [Table("figure8", "Accuracy", COLUMNS, rows), *confusions], pictures, footnotes)


def _objects(path: Path) -> Objects:
    """Test objects of the three classes with two detections or more, in the order of the file."""
    with dataset.open_checked(path) as file:
        label, n = file["label"][:], dataset.alert_counts(file)
        wanted = np.isin(label, [CLASS_NAMES.index(name) for name in CLASSES]) & (n >= LEAST_DETECTIONS)
        wanted &= file["split"][:] == schema.SPLIT_NAMES.index("test")
        ids = file["object_id"].asstr()[:]
    if not wanted.any():
        raise dataset.DataError(f"{path}: no test object of {', '.join(CLASSES)} with {LEAST_DETECTIONS} detections")
    return Objects(ids[wanted], label[wanted].astype(np.int64), n[wanted])


def _confusion(objects: Objects, said: np.ndarray) -> np.ndarray:
    matrix = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)), np.int64)
    answered = said != other_classifiers.NO_ANSWER
    np.add.at(matrix, (objects.label[answered], said[answered]), 1)
    return matrix


def _row(name: str, objects: Objects, said: np.ndarray, setup: Setup, measured: Measured) -> tuple:
    """One classifier beside one network, on the objects for which both answer."""
    (n,) = setup.row
    able = objects.n_detections >= n
    answered = (said != other_classifiers.NO_ANSWER)[able]
    theirs = (said == objects.label)[able][answered]
    accuracy = f"{100 * theirs.mean():.2f}" if theirs.size else None
    row = name, str(able.sum()), str(answered.sum()), accuracy, setup.label
    truth = as_digits(objects.label[able])
    results = [result for result in measured.of(setup) if result.truth == truth]
    if not (results and theirs.size):
        return *row, "missing", None, None
    hits = np.stack([result.hits[answered] for result in results])
    gain = hits.mean(axis=0) - theirs
    first = next((row for row, result in zip(hits, results, strict=True) if result.seed == 0), None)
    p = None if first is None else comparisons.mcnemar(first, theirs).p_value
    return *row, f"{100 * hits.mean():.2f}", (float(gain.mean()), over_objects(gain)), p
