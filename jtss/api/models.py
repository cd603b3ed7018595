"""A trained model that says what objects are, and the list of those that are included."""

import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table

from data_prep import ingest
from data_prep.infrared import crossmatch
from data_prep.infrared.crossmatch import AllWise
from jtss import devices
from jtss.api import tables
from jtss.api.alerts import Alerts, Given, account_of, read_given
from jtss.api.calls import one_family, warn
from jtss.api.data import DATA_SUFFIX, Dataset, open_dataset
from jtss.errors import InputError
from jtss.inference import classify, missing, packets, predict
from jtss.inference import model as inference_model
from jtss.metrics import priors as class_priors
from jtss.pretrained import file, load
from jtss.schema import COLOUR_NAMES, Sequences
from jtss.version import __version__


class Model:
    """A trained model that says what objects are.

    Attributes:
        trained: configuration, statistics and weights; see `jtss.inference.model.Model`.
    """

    def __init__(self, trained: inference_model.Model) -> None:
        self.trained = trained

    @property
    def name(self) -> str:
        """The name of a pretrained model, or the path of a file or a run directory."""
        return self.trained.label

    @property
    def version(self) -> str:
        """What made it: version of the program, when its training began, and the steps kept."""
        return inference_model.version(self.trained)

    @property
    def classes(self) -> tuple[str, ...]:
        """L names, in the order of the probabilities."""
        return self.trained.config.classes

    @property
    def n_detections(self) -> int:
        """How many detections it needs; a model of sequences reads no more."""
        return self.trained.config.n_detections

    @property
    def card(self) -> str:
        """The card of a pretrained model, as Markdown; of any other, what it is and how it was trained."""
        if self.trained.folder is None:
            exported = Path(self.name).suffix == DATA_SUFFIX  # by the path of its file, not by a name
            path = Path(self.name) if exported else file.path_of(self.name, file.FOLDER)
            return path.with_suffix(".md").read_text(encoding="utf-8")
        values = {
            "configuration": f"{self.trained.config.name} ({self.trained.config.origin})",
            "version": self.version,
            "classes": ", ".join(self.classes),
            "detections": self.n_detections,
            "seeds": ", ".join(str(member.seed) for member in self.trained.members),
            "training data": self.trained.provenance["data"],
            "training command": self.trained.provenance["command"],
        }
        return "\n".join([f"# {self.name}", "", *(f"- {name}: {value}" for name, value in values.items()), ""])

    def __repr__(self) -> str:
        detections = "1 detection" if self.n_detections == 1 else f"{self.n_detections} detections"
        detections = "one packet" if self._of_packets else detections
        return f"<Model {self.name}: {', '.join(self.classes)} from {detections}>"

    def _priors(self, given: Mapping[str, float] | str | None) -> dict[str, float] | None:
        if given == classify.FITTED:
            return classify.fitted_priors(self.trained)
        return None if given is None else class_priors.normalised(given)

    def classify(
        self,
        alerts: Alerts | Given | Iterable[Given],
        allwise: str | os.PathLike | AllWise | None = None,
        calibrated: bool = False,
        priors: Mapping[str, float] | str | None = None,
        per_object: bool = False,
        coverage: float | None = None,
    ) -> Table:
        """Say what the objects of alert packets are.

        Args:
            alerts: as `read_alerts` takes or gives them; a model of packets needs them as it takes them.
            allwise: catalogue, as in `read_alerts`.
            calibrated: scale the probabilities by the temperature of the model.
            priors: class priors, the fraction of each class of the model among the objects, as {"AGN": 0.318, "SN":
                0.017, "VS": 0.665}: the probabilities are for these, and `version` ends in ".priors". "fitted":
                those that the model was given by `jtss models calibrate --priors`. None: for the priors that the model
                learnt with, which are equal ones for the pretrained models.
            per_object: of a model of packets, answer the latest packet of each object, not every one.
            coverage: of a model of packets, the share of alerts that it answers, as 0.9: the note of the least certain
                ones begins with "abstains: ", and their class and probabilities stay. The share is that of the
                validation split of its training data; None: it abstains from none.

        Returns:
            A row per object, of a model of packets per packet: object_id, candid (of the last detection read; masked
            where there is none), class ("" where not classified), probability (of that class), n_detections, P_… of
            each class (NaN where not classified), note ("" or a remark, or why the object is not classified). Of a
            model of packets also n_limits and n_stamps that it read, missing, the groups of values that were not
            there, the most probable subclass of the class with its probability, and outlier (float32), the share of
            held-out alerts that look less unusual to the model (NaN where not classified, or where the model
            knows of none, as one that was not exported). `meta` says which model made it (model, version, jtss), of how
            many alerts read and kept, how many objects have AllWISE magnitudes, and with a coverage that and from how
            many packets it abstained.

        Raises:
            InputError: as `read_alerts`; the model has no temperature; the priors are of other classes, do not add up
                to 1, or those that the model learnt with are not known; `per_object` or `coverage` is asked of a model
                of sequences; or the coverage is no share, or asked of a model that was not exported.
        """
        with one_family():
            wanted = self._priors(priors)
            adjust, classifier = classify.adjustment(self.trained, calibrated=calibrated, class_priors=wanted)
            abstention = classify.abstaining(self.trained, coverage)
        if self._of_packets:
            answer = partial(packets.answers, self.trained, adjust=adjust)
            return self._table_of_packets(alerts, allwise, per_object, answer, classifier, abstention)
        if per_object:
            raise InputError(f"per_object=True: {self.name} answers each object once; expected a model of packets")
        answer, _ = classify.answering(self.trained, calibrated=calibrated, class_priors=wanted)
        return self._table_of_objects(alerts, allwise, answer, classifier)

    def _table_of_objects(self, alerts, allwise, answer, classifier) -> Table:
        given = nullcontext(alerts) if isinstance(alerts, Alerts) else read_given(alerts, None, histories=False)
        rows = []
        with given as read:
            classify.classify(
                answer,
                read.batches(allwise),
                classifier,
                lambda long: rows.extend(tables.wide(long)),
                notes=account_of(read).notes(),
                rejected=read.rejected,
            )
            return self._described(tables.of_objects(rows, self.classes), read, classifier.version)

    def _table_of_packets(self, alerts, allwise, per_object: bool, answer, classifier, abstention) -> Table:
        rows = []
        with self._packets(alerts, per_object) as read:
            account = account_of(read)
            tally = classify.classify_packets(
                answer,
                read.batches(allwise),
                classifier,
                lambda long: rows.extend(tables.wide_of_packets(long)),
                notes=account.notes_of_alerts(),
                unread=account.unread_objects() if per_object else account.unread_alerts(),
                abstention=abstention,
            )
            table = self._described(tables.of_packets(rows, self.classes), read, classifier.version)
        if abstention is not None:
            table.meta |= {"coverage": abstention.coverage, "abstained": tally.abstained.total()}
        return table

    @property
    def _of_packets(self) -> bool:
        return bool(self.trained.config.packet.rows)

    def _packets(self, alerts: Given | Iterable[Given], per_object: bool) -> Alerts:
        if isinstance(alerts, Alerts):
            raise InputError(f"{self.name} reads packets with all that they tell: expected the packets, not {alerts}")
        return read_given(alerts, None, choice="latest" if per_object else "every")

    def _described(self, table: Table, read: Alerts, version: str) -> Table:
        """The table with its `meta`."""
        n_nameless = sum(lost.n_alerts for lost in read.rejections() if not lost.object_id)
        if n_nameless:
            warn(f"{n_nameless} alerts of unknown objects could not be read")
        table.meta = {
            "model": self.name,
            "version": version,
            "jtss": __version__,
            "read": read.ledger["read"],
            "kept": read.ledger["kept"],
        }
        if set(self.trained.config.metadata.static) & set(COLOUR_NAMES):
            notes = account_of(read).ledger.notes
            matched = (notes[name] for name in (ingest.ALLWISE_MATCHED, ingest.ALLWISE_WITHOUT))
            table.meta["allwise"] = crossmatch.counted(*matched, len(read))
        return table

    def trajectory(
        self,
        alerts: Given | Iterable[Given],
        allwise: str | os.PathLike | AllWise | None = None,
        calibrated: bool = False,
        priors: Mapping[str, float] | str | None = None,
        per_object: bool = False,
    ) -> Table:
        """How the answers of a model of packets came about: its probabilities after each row of each packet.

        Args:
            alerts, allwise, calibrated, priors, per_object: as in `classify`.

        Returns:
            A row per row of a packet, in time order: object_id and candid (of the alert), jd [day], kind ("alert",
            "detection" or "limit"), fid (1 = g, 2 = r, 3 = i, 0 = not given), magnitude (of a limit its depth; NaN =
            not given), P_… of each class (NaN before the first detection, where there is nothing to classify). The last
            row of a packet is the answer that `classify` gives.

        Raises:
            InputError: as `classify`; or this is a model of sequences, which answers once.
        """
        if not self._of_packets:
            raise InputError(f"{self.name} answers once, by {self.n_detections} alerts; expected a model of packets")
        with one_family():
            wanted = self._priors(priors)
            adjust, classifier = classify.adjustment(self.trained, calibrated=calibrated, class_priors=wanted)
        with self._packets(alerts, per_object) as read:
            batches = read.batches(allwise)
            parts = [packets.trajectories(self.trained, sequences, adjust) for sequences in batches]
            return self._described(tables.of_trajectories(parts, self.classes), read, classifier.version)

    def predict_proba(self, data: str | os.PathLike | Dataset | Sequences | Alerts) -> np.ndarray:
        """[N, L] float32 probabilities of the N objects, NaN rows where it cannot say (too few detections, no pixels).

        Args:
            data: a data set or its path, alerts, or sequences in memory.

        Raises:
            InputError: not a data set.
        """
        batches = [data] if isinstance(data, Sequences) else _opened(data).batches()
        parts = [np.empty((0, len(self.classes)), np.float32)]
        for sequences in batches:
            part = np.full((sequences.n_objects, len(self.classes)), np.nan, np.float32)
            indices, probabilities = predict.predict(self.trained, sequences)
            part[indices] = probabilities
            part[missing.missing(self.trained.config, sequences).blank] = np.nan
            parts.append(part)
        return np.concatenate(parts)


def _opened(data: str | os.PathLike | Dataset | Alerts) -> Dataset | Alerts:
    return data if isinstance(data, Dataset | Alerts) else open_dataset(data)


def load_model(name_or_path: str | os.PathLike) -> Model:
    """A pretrained model by its name, an exported one by its file, a trained one by its run directory or ensemble.

    Raises:
        InputError: neither, or damaged; names the pretrained models.
    """
    devices.require_backend()
    trained = load.load_model(name_or_path)
    for warning in trained.warnings:
        warn(warning)
    return Model(trained)


def as_model(given: Model | str | os.PathLike) -> Model:
    return given if isinstance(given, Model) else load_model(given)


def list_models() -> Table:
    """The pretrained models: name, n_detections, classes, size [MB], accuracy on simulated and on real test objects."""
    from jtss.reports import card

    rows = []
    for name in file.names(file.FOLDER):
        trained = file.load(name, file.FOLDER)
        real = [result for result in trained.results if card.is_real(result)]
        simulated = [result for result in trained.results if not card.is_real(result)]
        size, classes = file.path_of(name, file.FOLDER).stat().st_size / 1e6, ", ".join(trained.config.classes)
        rows.append((name, trained.config.n_detections, classes, size, *_score(simulated), *_score(real)))
    names = ("name", "n_detections", "classes", "size", "accuracy", "n_objects", "accuracy_real", "n_real")
    table = Table(rows=rows or None, names=names)
    table["size"].unit, table["size"].format = "Mbyte", ".1f"
    table["accuracy"].format = table["accuracy_real"].format = ".3f"
    return table


def _score(results: Iterable[dict]) -> tuple[float, int]:
    """Accuracy, and of how many objects, of the result with the most of them; NaN of 0 where there is none."""
    chosen = max(results, key=lambda result: result["n_objects"], default=None)
    return (chosen["accuracy"]["value"], chosen["n_objects"]) if chosen else (np.nan, 0)
