"""What a notebook or somebody's own program uses: models, alerts, data sets. `jtss.NAME` is `jtss.api.NAME`.

Everything that is wrong with what the user gives is an InputError. An object that cannot be classified is no error: its
row says why.
"""

import inspect
import io
import os
import tempfile
import warnings
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.table import Column, MaskedColumn, Table

from data_prep import crossmatch, ingest
from data_prep.crossmatch import AllWise
from data_prep.ledger import Rejection
from data_prep.packets.alerts import Alert, from_record
from data_prep.packets.avro import Block
from data_prep.packets.containers import read_blocks, read_stream
from jtss import dataset, devices, invocation
from jtss.config import named, settings
from jtss.config.settings import Config
from jtss.errors import InputError
from jtss.inference import classify, missing, packets, predict
from jtss.inference import model as inference_model
from jtss.inference.packets import Trajectories
from jtss.inference.table import PacketRow, Row
from jtss.metrics import priors as class_priors
from jtss.pretrained import file, load
from jtss.schema import CLASS_NAMES, COLOUR_NAMES, KIND_NAMES, Sequences
from jtss.version import __version__

Given = str | os.PathLike | bytes | bytearray | memoryview | BinaryIO | Mapping  # one source of alerts
DATA_SUFFIX = ".h5"
OUR_CODE = Path(__file__).parent


@contextmanager
def _one_family() -> Iterator[None]:
    """Let what is wrong with the input be an InputError, whatever the rooms below call it, and advise arguments."""
    try:
        with invocation.from_python():
            yield
    except InputError:
        raise
    except (ValueError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise InputError(str(error)) from error


def _warn(line: str) -> None:
    """Warn at the line of the caller's that asked for this, however deep below it the reason showed."""
    depth, frame = 1, inspect.currentframe()
    while frame.f_back and Path(frame.f_code.co_filename).is_relative_to(OUR_CODE):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(line, stacklevel=depth)


class Alerts:
    """Alert packets that were read and decoded: sequences of detections, and an account of what could not be used.

    The stamps are in a temporary folder, 24 KB an alert, which goes with this object or by `close`. Afterwards there
    are no more sequences and no list of rejections; the account stays.

    Attributes:
        ledger: alerts read, kept and dropped by reason, as plain numbers.
        object_ids: sorted names of the objects with a usable detection.
        rejected: for each object with an alert that could not be used: the reasons.
    """

    def __init__(self, ingested: ingest.Ingested, files: ExitStack, allwise: AllWise | None) -> None:
        self._ingested, self._allwise = ingested, allwise
        self.close = weakref.finalize(self, files.close)
        self.ledger = ingested.ledger.as_dict()
        self.object_ids = ingested.object_ids
        lost = ingested.dropped_by_object()
        self.rejected = {oid: ", ".join(sorted(reasons)) for oid, reasons in lost.items()}

    def __len__(self) -> int:
        return len(self.object_ids)

    def __enter__(self) -> "Alerts":
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Alerts of {len(self)} objects: {self.ledger['read']} read, {self.ledger['kept']} kept>"

    def rejections(self) -> Iterator[Rejection]:
        """Every alert that was not used: reason, detail, source, object_id, candid.

        Raises:
            InputError: the alerts are closed.
        """
        self._require_open()
        return self._while_open(self._ingested.rejections())

    def batches(self, allwise: str | os.PathLike | AllWise | None = None) -> Iterator[Sequences]:
        """The sequences as arrays, sorted by object, up to 256 objects at a time; `allwise` as in `read_alerts`.

        Raises:
            InputError: the alerts are closed; or as `read_alerts` of the catalogue.
        """
        self._require_open()
        catalogue = self._allwise if allwise is None else _catalogue(allwise)
        return self._while_open(self._ingested.batches(allwise=catalogue))

    def _require_open(self) -> None:
        if not self.close.alive:
            raise InputError(f"{self}: closed; use them inside their `with` block, or read them again by read_alerts")

    def _while_open(self, items: Iterator) -> Iterator:
        """The items; where the alerts are closed meanwhile, that is the error, not what the missing files raise."""
        try:
            yield from items
        except (ValueError, OSError):
            self._require_open()
            raise


def read_alerts(alerts: Given | Iterable[Given], allwise: str | os.PathLike | AllWise | None = None) -> Alerts:
    """Read alert packets.

    Args:
        alerts: a folder, an Avro file or a tar archive by its path; the bytes of a file; a file open for reading bytes;
            a record that is decoded already, as fastavro or a broker's client gives it; or any number of these.
        allwise: catalogue of W1 to W4 by its path: .csv, .parquet or .fits.

    Raises:
        InputError: a path that is not there, something that cannot hold alerts, or nothing in it is an alert.
    """
    return _read_alerts(alerts, allwise)


def _read_alerts(
    alerts: Given | Iterable[Given],
    allwise: str | os.PathLike | AllWise | None,
    *,
    histories: bool = True,
    choice: str = "sequence",
) -> Alerts:
    """As `read_alerts`; without what packets tell of the past, or with another choice of alerts, see `ingest`."""
    with ExitStack() as files, _one_family():
        catalogue = _catalogue(allwise)
        folder = files.enter_context(tempfile.TemporaryDirectory(prefix="jtss."))
        sources = [alerts] if isinstance(alerts, Given) or hasattr(alerts, "read") else alerts
        given = Counter()
        items = _items(sources, given, histories)
        ingested = files.enter_context(
            ingest.ingest_items(items, workdir=folder, pad_edges=True, histories=histories, choice=choice)
        )
        if given and not ingested.ledger.kept and not ingested.dropped_by_object():
            reasons = ingested.ledger.as_dict()["dropped"] or ingested.ledger.as_dict()["notes"]
            why = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
            raise InputError(f"{', '.join(given)[:200]}: no alert in it that can be used ({why or 'nothing is there'})")
        return Alerts(ingested, files.pop_all(), catalogue)


def _catalogue(allwise: str | os.PathLike | AllWise | None) -> AllWise | None:
    with _one_family():
        return allwise if allwise is None or isinstance(allwise, AllWise) else crossmatch.load(allwise)


def _items(sources: Iterable[Given], given: Counter, histories: bool) -> Iterator[Block | Alert | Rejection]:
    """What the sources hold; counts by kind, or by path, what was given."""
    if not isinstance(sources, Iterable):
        raise InputError(f"{type(sources).__name__}: expected paths, bytes, open files or records of alerts")
    for number, source in enumerate(sources):
        if isinstance(source, str | os.PathLike):
            given[str(source)] += 1
            yield from read_blocks(source)
        elif isinstance(source, bytes | bytearray | memoryview):
            given["bytes"] += 1
            yield from read_stream(io.BytesIO(source), f"bytes {number}")
        elif isinstance(source, Mapping):
            given["records"] += 1
            yield from_record(source, f"record {number}", histories)
        elif hasattr(source, "read"):
            name = str(getattr(source, "name", f"stream {number}"))
            given[name] += 1
            if isinstance(source, io.TextIOBase):
                raise InputError(f"{name}: a file open for text; expected open(…, 'rb')")
            yield from read_stream(source, name)
        else:
            kind = type(source).__name__
            raise InputError(f"source {number}: {kind}; expected a path, bytes, an open file or a record of an alert")


class Dataset:
    """A data set by its path. What is in it is read when it is asked for.

    Attributes:
        path: the HDF5 file.
        attrs: its attributes: survey, command, content_hash, …
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.attrs = dataset.attributes(self.path)
        self._n_objects = dataset.n_objects(self.path)

    def __len__(self) -> int:
        return self._n_objects

    def __repr__(self) -> str:
        return f"<Dataset {self.path}: {len(self)} objects, {self.attrs.get('survey')}>"

    def batches(self) -> Iterator[Sequences]:
        """The objects in their order, 256 at a time; see `jtss.schema.Sequences`."""
        return dataset.read(self.path)


def open_dataset(path: str | os.PathLike) -> Dataset:
    """A data set, as `jtss data build` and `jtss.simulate` make it; InputError where it is none."""
    return Dataset(path)


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

    def classify(
        self,
        alerts: Alerts | Given | Iterable[Given],
        allwise: str | os.PathLike | AllWise | None = None,
        calibrated: bool = False,
        priors: Mapping[str, float] | None = None,
        per_object: bool = False,
        coverage: float | None = None,
    ) -> Table:
        """Say what the objects of alert packets are.

        Args:
            alerts: as `read_alerts` takes or gives them; a model of packets needs them as it takes them.
            allwise: catalogue, as in `read_alerts`.
            calibrated: scale the probabilities by the temperature of the model.
            priors: class priors, the fraction of each class of the model among the objects, as {"AGN": 0.318, "SN":
                0.017, "VS": 0.665}: the probabilities are for these, and `version` ends in ".priors". None: for the
                priors that the model learnt with, which are equal ones for the pretrained models.
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
        with _one_family():
            wanted = None if priors is None else class_priors.normalised(priors)
            adjust, classifier = classify.adjustment(self.trained, calibrated=calibrated, class_priors=wanted)
            abstention = classify.abstaining(self.trained, coverage)
        if self._of_packets:
            answer = partial(packets.answers, self.trained, adjust=adjust)
            return self._table_of_packets(alerts, allwise, per_object, answer, classifier, abstention)
        if per_object:
            raise InputError(f"per_object=True: {self.name} answers each object once; expected a model of packets")
        answer, _ = classify.answering(self.trained, calibrated=calibrated, class_priors=wanted)
        given = nullcontext(alerts) if isinstance(alerts, Alerts) else _read_alerts(alerts, None, histories=False)
        rows = []
        with given as read:
            classify.classify(
                answer,
                read.batches(allwise),
                classifier,
                lambda long: rows.extend(map(_wide, _by_packet(long))),
                notes=read._ingested.notes(),
                rejected=read.rejected,
            )
            return self._described(_table(rows, self.classes), read, classifier.version)

    def _table_of_packets(self, alerts, allwise, per_object: bool, answer, classifier, abstention) -> Table:
        rows = []
        with self._packets(alerts, per_object) as read:
            ingested = read._ingested
            tally = classify.classify_packets(
                answer,
                read.batches(allwise),
                classifier,
                lambda long: rows.extend(map(_wide_of_packet, _by_packet(long))),
                notes=ingested.notes_of_alerts(),
                unread=ingested.unread_objects() if per_object else ingested.unread_alerts(),
                abstention=abstention,
            )
            table = self._described(_table_of_packets(rows, self.classes), read, classifier.version)
        if abstention is not None:
            table.meta |= {"coverage": abstention.coverage, "abstained": tally.abstained.total()}
        return table

    @property
    def _of_packets(self) -> bool:
        return bool(self.trained.config.packet.rows)

    def _packets(self, alerts: Given | Iterable[Given], per_object: bool) -> Alerts:
        if isinstance(alerts, Alerts):
            raise InputError(f"{self.name} reads packets with all that they tell: expected the packets, not {alerts}")
        return _read_alerts(alerts, None, choice="latest" if per_object else "every")

    def _described(self, table: Table, read: Alerts, version: str) -> Table:
        """The table with its `meta`."""
        n_nameless = sum(lost.n_alerts for lost in read.rejections() if not lost.object_id)
        if n_nameless:
            _warn(f"{n_nameless} alerts of unknown objects could not be read")
        table.meta = {
            "model": self.name,
            "version": version,
            "jtss": __version__,
            "read": read.ledger["read"],
            "kept": read.ledger["kept"],
        }
        if set(self.trained.config.metadata.static) & set(COLOUR_NAMES):
            notes = read._ingested.ledger.notes
            matched = (notes[name] for name in (ingest.ALLWISE_MATCHED, ingest.ALLWISE_WITHOUT))
            table.meta["allwise"] = crossmatch.counted(*matched, len(read))
        return table

    def trajectory(
        self,
        alerts: Given | Iterable[Given],
        allwise: str | os.PathLike | AllWise | None = None,
        calibrated: bool = False,
        priors: Mapping[str, float] | None = None,
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
        with _one_family():
            wanted = None if priors is None else class_priors.normalised(priors)
            adjust, classifier = classify.adjustment(self.trained, calibrated=calibrated, class_priors=wanted)
        with self._packets(alerts, per_object) as read:
            batches = read.batches(allwise)
            parts = [packets.trajectories(self.trained, sequences, adjust) for sequences in batches]
            return self._described(_table_of_trajectories(parts, self.classes), read, classifier.version)

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


def _by_packet(rows: Iterable[Row | PacketRow]) -> Iterator[list]:
    """The rows of each packet, or object, which are one per class, or a single one without class."""
    return (list(group) for _, group in groupby(rows, key=lambda row: (row.oid, row.candid)))


def _wide(rows: Sequence[Row | PacketRow]) -> tuple[str, int | None, int, str, dict[str, float], str]:
    """One for the rows of `_by_packet`."""
    first = rows[0]
    chances = {row.class_name: row.probability for row in rows if row.class_name}
    best = next((row.class_name for row in rows if row.ranking == 1), "")
    return first.oid, first.candid, first.n_detections, best, chances, first.note


def _wide_of_packet(rows: Sequence[PacketRow]) -> tuple:
    first = rows[0]
    of_best = next((row for row in rows if row.ranking == 1), first)
    subclass = of_best.subclass or "", of_best.subclass_probability
    return *_wide(rows), first.n_limits, first.n_stamps, first.missing or "", *subclass, first.outlier


def _table_of_packets(rows: Sequence[tuple], classes: Sequence[str]) -> Table:
    types = {"n_limits": np.int32, "n_stamps": np.int32, "missing": str, "subclass": str}
    types |= {"subclass_probability": np.float32, "outlier": np.float32}  # None becomes NaN
    table = _table([row[: -len(types)] for row in rows], classes)
    for i, (name, kind) in enumerate(types.items(), start=-len(types)):
        table[name] = np.array([row[i] for row in rows], kind)
    return table


def _table_of_trajectories(parts: Sequence[Trajectories], classes: Sequence[str]) -> Table:
    parts = [*parts, packets.no_trajectories(len(classes))]
    columns = [np.concatenate(values) for values in zip(*parts, strict=True)]
    ids, candid, jd, kind, fid, magnitude, probabilities = columns
    table = Table(
        {
            "object_id": ids.astype(str),
            "candid": candid,
            "jd": jd,
            "kind": np.array(KIND_NAMES)[kind],
            "fid": fid,
            "magnitude": magnitude,
        }
    )
    for name, values in zip(classes, probabilities.T, strict=True):
        table[f"P_{name}"] = values
    return table


def _table(rows: Sequence[tuple], classes: Sequence[str]) -> Table:
    ids, candids, counts, best, chances, notes = zip(*rows, strict=True) if rows else ((),) * 6
    nothing = float("nan")
    columns = [
        Column(np.array(ids, str), "object_id"),
        MaskedColumn(
            np.array([candid or 0 for candid in candids], np.int64),
            "candid",
            mask=[candid is None for candid in candids],
        ),
        Column(np.array(best, str), "class"),
        Column(
            np.array([of.get(name, nothing) for of, name in zip(chances, best, strict=True)], np.float32), "probability"
        ),
        Column(np.array(counts, np.int32), "n_detections"),
        *(Column(np.array([of.get(name, nothing) for of in chances], np.float32), f"P_{name}") for name in classes),
        Column(np.array(notes, str), "note"),
    ]
    return Table(columns)


def load_model(name_or_path: str | os.PathLike) -> Model:
    """A pretrained model by its name, an exported one by its file, a trained one by its run directory or ensemble.

    Raises:
        InputError: neither, or damaged; names the pretrained models.
    """
    devices.require_backend()
    trained = load.load_model(name_or_path)
    for warning in trained.warnings:
        _warn(warning)
    return Model(trained)


def _model(given: Model | str | os.PathLike) -> Model:
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


def get_config(name: str, **changes: object) -> Config:
    """The named configuration, with changes: `get_config("demo", training={"iterations": 300, "seed": 1})`.

    Raises:
        ConfigError: an unknown name or field, or settings that contradict each other.
    """
    try:
        return settings.from_dict(_merged(settings.to_dict(named.get(name)), changes))
    except TypeError as error:
        raise settings.ConfigError(
            f"{name}: a value of {changes} is of another type than the setting has ({error})"
        ) from None


def _named(name: str) -> Config:
    """The configuration of that name; where there is none, as of one's own, the default one."""
    return named.CONFIGS.get(name) or named.get("n3_conv1d")


def _merged(values: dict, changes: Mapping) -> dict:
    both = {key: (values.get(key), new) for key, new in changes.items()}
    return values | {
        key: _merged(old, new) if isinstance(old, dict) and isinstance(new, Mapping) else new
        for key, (old, new) in both.items()
    }


def simulate(
    n_objects: int,
    seed: int = 0,
    *,
    out: str | os.PathLike,
    classes: Sequence[str] = CLASS_NAMES[:3],
    sky: str = "paper",
    force: bool = False,
) -> Dataset | Path:
    """Simulate a survey: a data set where `out` ends in .h5, else a new folder of alert packets.

    Args:
        n_objects: in all; the classes share them equally.
        seed: another seed is another sky.
        out: FILE.h5, or a folder, which receives alerts/*.avro, labels.csv and allwise.csv.
        classes: of `jtss.schema.CLASS_NAMES`.
        sky: "paper", objects from their first alert ever; "any", from the time when a broker joins; "mixed", about half
            of each.
        force: replace a data set that exists; alert packets always need a new folder.

    Returns:
        The data set, or the path of the folder.

    Raises:
        InputError: an unknown class or sky, too few objects, or something is at `out`.
    """
    from data_prep import simulate as simulation
    from data_prep.simulate.archive import simulate_packets

    out, classes = Path(out), tuple(classes.split(",") if isinstance(classes, str) else classes)
    with _one_family():
        if out.suffix == DATA_SUFFIX:
            words = ["--objects", n_objects, "--seed", seed, "--classes", ",".join(classes), "--sky", sky, "--out", out]
            command = invocation.spelled("data simulate", *words)
            simulation.simulate(out, n_objects, seed, classes, sky, progress=False, command=command, force=force)
            return Dataset(out)
        simulate_packets(out, n_objects, seed, classes, sky, progress=False)
        return out


def train(
    config: Config | str,
    data: str | os.PathLike | Dataset,
    out: str | os.PathLike,
    *,
    seeds: int = 1,
    encoder: Model | str | os.PathLike | None = None,
) -> Model:
    """Train a model; Ctrl-C leaves a run directory that `jtss train --resume` goes on with.

    Args:
        config: see `get_config`, or its name.
        data: data set, with its split.
        out: run directory to make; of several seeds, the folder of theirs.
        seeds: how many trainings that differ in the seed; together they are an ensemble.
        encoder: a model of the same data set, with whose stamp encoder the trainings begin.

    Raises:
        InputError: data or an encoder that do not fit the configuration, or something is at `out`.
        FloatingPointError: a loss is no number.
    """
    from jtss.training import trainer

    config = named.get(config) if isinstance(config, str) else config
    path, out = data.path if isinstance(data, Dataset) else Path(data), Path(out)

    with _one_family():
        changes = settings.differences(
            settings.to_dict(config), settings.to_dict(_named(config.name)), ("here", "named")
        )
        changed = f"  # {'; '.join(changes)}" if changes else ""
        begun = None if encoder is None else _model(encoder).trained
        beginning = f", encoder={begun.label!r}" if begun else ""
        command = f"jtss.train({config.name!r}, {str(path)!r}, {str(out)!r}, seeds={seeds}{beginning}){changed}"
        training = trainer.start(config, path, out, command=command, say=_warn, n_seeds=seeds, encoder=begun)
    trainer.train(training, trainer.NeverStop(), warn=_warn)
    return load_model(out)


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

    with _one_family(), tempfile.TemporaryDirectory(prefix="jtss.") as nowhere:
        document, _ = assessment.assess(Path(name), request, Path(out or nowhere), _warn)
    return document
