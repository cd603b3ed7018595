"""Simulation against reality, from files to numbers: reads what is asked for, checks that it fits, measures, writes."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import dataset, files, schema
from jtss.inference import other_classifiers
from jtss.inference.model import Model
from jtss.inference.other_classifiers import PredictionsError
from jtss.inference.versions import as_is, without_stamps
from jtss.pretrained import load, published
from jtss.realism import mistakes, samples, text, transfer, two_sample, voting
from jtss.realism.samples import Sample
from jtss.realism.transfer import Votes
from jtss.reports import assessment
from jtss.reports.page import to_json

Say = Callable[[str], None]
DETECTIONS_READ = (1, 2, 3, 5, 8)


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        real: data set of real alerts.
        simulated: data set to compare with it; None for no two-sample test.
        runs: run directories to score on the real alerts.
        beside: (name, path) of others to score on the same: folders of published networks, and tables of
            probabilities.
        command: the command line, for the record.
    """

    real: Path
    simulated: Path | None
    runs: tuple[Path, ...]
    beside: tuple[tuple[str, Path], ...]
    command: str


class Others(NamedTuple):
    """What others say: published networks, which our code runs, and the votes of tables, by name."""

    networks: dict[str, Model]
    tables: dict[str, Votes]


class Findings(NamedTuple):
    """All numbers of realism.json, and {file name: PNG} of what models get wrong."""

    document: dict
    pictures: dict[str, bytes]


def measure(request: Request, say: Say, warn: Say) -> Findings:
    """Everything is read and checked before anything takes time.

    Args:
        request: what to measure.
        say: takes text for the reader, part by part.
        warn: takes what is missing.

    Raises:
        ValueError: a file is damaged, has no labelled object or no alert in common with the others, or there is nothing
            to measure.
        OSError: a file cannot be read.
    """
    if not (request.simulated or request.runs or request.beside):
        raise ValueError("nothing to measure: give --simulated, --model or --beside")
    runs = _runs(request, warn)
    real = samples.read(request.real)
    networks = {name: published.as_model(path) for name, path in request.beside if path.is_dir()}
    tables = {name: _predicted(path, real, warn) for name, path in request.beside if name not in networks}
    others = Others(networks, tables)
    absent = [name for name in transfer.CLASSES if name not in real.counts()]
    scored = bool(runs or request.beside)
    if absent and scored:
        warn(f"{request.real}: no labelled object of class {', '.join(absent)}: scores that need them are undefined")
    pair = _pair(request, real, warn)
    document = {
        "command": request.command,
        "real": _described(request.real, real),
        "simulated": pair and _described(request.simulated, pair[1]),
    }
    pictures = {}
    if scored:
        wrong = {name: mistakes.find(run, request.real) for name, run in runs.items()}
        for name, pairs in wrong.items():
            pictures |= mistakes.pictures(name.strip("/").replace("/", "-"), pairs)
        document["transfer"] = _transfer(runs, others, real, request.real)
        document["transfer"]["mistakes"] = {name: mistakes.listed(pairs) for name, pairs in wrong.items()}
        say(text.transfer(document))
    if pair:
        document["two_sample"] = two_sample.compare(*pair, progress=say)
        say(text.two_sample(document))
    return Findings(document, pictures)


def write(folder: Path, findings: Findings) -> list[Path]:
    """realism.json, realism.csv and the pictures; what is there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"realism.json": to_json(findings.document), "realism.csv": text.table(findings.document)}
    for name, content in (texts | findings.pictures).items():
        files.write(folder / name, content)
    return [folder / name for name in texts | findings.pictures]


def _runs(request: Request, warn: Say) -> dict[str, Model]:
    """The trained models by name: that of the folder, or its whole path where two share it."""
    often = Counter(path.name for path in request.runs)
    names = [path.name if often[path.name] == 1 else str(path) for path in request.runs]
    twice = [name for name, n in Counter([*names, *(name for name, _ in request.beside)]).items() if n > 1]
    if twice:
        raise ValueError(f"{twice[0]} is the name of more than one model; choose another in --beside NAME=PATH")
    runs = {name: load.load_model(path) for name, path in zip(names, request.runs, strict=True)}
    for run in runs.values():
        for warning in run.warnings:
            warn(warning)
    return runs


def _predicted(path: Path, real: Sample, warn: Say) -> Votes:
    predictions = other_classifiers.read(path)
    votes = Votes(predictions.classes, other_classifiers.matched(predictions, real.candid))
    absent = np.flatnonzero(votes.predicted == transfer.NO_VOTE)
    if len(absent) == len(real.label):
        raise PredictionsError(
            f"{path}: has none of the {len(real.label)} labelled first detections, such as candid {real.candid[0]}"
        )
    if absent.size:
        example = f"{real.object_id[absent[0]]}, candid {real.candid[absent[0]]}"
        warn(f"{path}: lacks {absent.size} of {len(real.label)} labelled first detections, such as {example}")
    return votes


def _pair(request: Request, real: Sample, warn: Say) -> tuple[Sample, Sample] | None:
    """As many real as simulated objects of each class that both files have enough of; None where none is asked for."""
    if request.simulated is None:
        return None
    most = {name: min(n, two_sample.MOST_PER_CLASS) for name, n in real.counts().items()}
    simulated = samples.read(request.simulated, most)
    n_real, n_simulated = real.counts(), simulated.counts()
    both = {}
    for name in schema.CLASS_NAMES:
        counts = n_real.get(name, 0), n_simulated.get(name, 0)
        if min(counts) >= two_sample.LEAST_PER_CLASS:
            both[name] = min(*counts, two_sample.MOST_PER_CLASS)
        else:
            warn(
                f"{name} is not compared: {counts[0]} labelled objects in {request.real}, {counts[1]} drawn from"
                f" {request.simulated}, expected {two_sample.LEAST_PER_CLASS} or more of each"
            )
    if not both:
        raise ValueError(
            f"{request.real} and {request.simulated} have no class in common of which both have enough objects"
        )
    return samples.thinned(real, both), samples.thinned(simulated, both)


def _described(path: Path, sample: Sample) -> dict:
    attributes = dataset.attributes(path)
    return {
        "path": str(path),
        "content_hash": str(attributes["content_hash"]),
        "made_by": str(attributes["command"]),
        "objects": sample.counts(),
    }


def _transfer(runs: dict[str, Model], others: Others, real: Sample, path: Path) -> dict:
    first = {name: run for name, run in runs.items() if run.config.n_detections == 1}
    later = {name: run for name, run in runs.items() if name not in first}
    return {
        "models": {name: assessment.describe_model(run) for name, run in runs.items()},
        **_first_detection(first, others, real, path),
        "detections_read": {
            name: _by_detections_read(run, path) for name, run in first.items() if run.config.packet.rows
        },
        "histories": {name: _from_histories(run, path) for name, run in later.items() if not run.config.stamp.channels},
        "sequences": {
            name: {
                "n_detections": run.config.n_detections,
                "objects": [item._asdict() for item in voting.listed(run, path)],
            }
            for name, run in later.items()
        },
    }


def _first_detection(first: dict[str, Model], others: Others, real: Sample, path: Path) -> dict:
    """Scores by the first alert of each object: as it came, and in every version of what it says of the past.

    A table has one answer to an alert, whatever the packet says: it has no part in the other versions.
    """
    if not (first or others.networks or others.tables):
        return {"first_detection": None, "versions": None}
    votes = voting.votes(first | others.networks, path)
    came = votes[as_is.__name__] = votes[as_is.__name__] | others.tables
    magnitude, ndethist = (real.metadata[:, schema.METADATA_NAMES.index(name)] for name in ("magpsf", "ndethist"))
    names = (*others.networks, *others.tables)
    return {
        "first_detection": transfer.comparison(
            real.label, real.jd, magnitude, ndethist, voting.told(path), came, names
        ),
        "versions": (
            transfer.versions(real.label, votes, transfer.answered_by_all(came)) if first or others.networks else None
        ),
    }


def _by_detections_read(run: Model, path: Path) -> list[dict]:
    """A model of packets by its latest detections alone, with the alert's stamps and without; AGN, SN and VS."""
    rows = []
    for n in DETECTIONS_READ:
        for stamps, change in (("with stamps", as_is), ("without stamps", without_stamps)):
            label, votes = voting.by_detections_read(run, path, n, change)
            scores = transfer.scores(label, votes, groups=transfer.SEEN_AGAIN)
            rows.append({"n_detections": n, "stamps": stamps, "scores": scores})
    return rows


def _from_histories(run: Model, path: Path) -> dict:
    label, votes = voting.from_histories(run, path)
    return {
        "n_detections": run.config.n_detections,
        "n_objects": len(label),
        "scores": transfer.scores(label, votes, groups=transfer.labelled_group(label)) if len(label) else None,
    }
