"""From trained models and one object to an explanation: what they say, in which order, and what that rests on."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jtss import files, schema, views
from jtss.inference import classify, predict
from jtss.inference.model import Model
from jtss.inference.packets import Adjust
from jtss.inference.table import Classifier, shortest
from jtss.network import inputs
from jtss.network.parts import Batch
from jtss.reports.explanation import occlusion, packet, packet_page
from jtss.reports.explanation.occlusion import Occlusion
from jtss.reports.explanation.page import html
from jtss.reports.page import percent, to_json
from jtss.reports.stamps import FILTERS
from jtss.runs import provenance
from jtss.schema import Sequences

EXPLAIN_VERSION = 1


class Explained(NamedTuple):
    """What the pictures need beside the numbers.

    Attributes:
        one: the alerts of the object.
        stamps: [N, S, S, C]; as the explained model reads them.
        occlusion: of these; None for a model without images.
    """

    one: Sequences
    stamps: np.ndarray
    occlusion: Occlusion | None


def explain_all(
    runs: Sequence[Model],
    objects: Sequence[Sequences],
    source: str,
    command: str,
    folder: Path,
    say: Callable,
    *,
    calibrated: bool = False,
) -> None:
    """Explain objects, each alone, write their pages and numbers into a folder, and say so.

    Raises:
        ValueError, OSError: as `explain` and `write`.
    """
    _check_alike(runs)
    for run in runs:
        classify.adjustment(run, calibrated=calibrated)  # that each can be calibrated, before there is a page
    for one in objects:
        if runs[0].config.packet.rows:
            document, of_packet = packet.explain(runs[0], one, source, command, calibrated=calibrated)
            text = packet_page.html(document, of_packet)
        else:
            document, explained = explain(runs, one, source, command, calibrated=calibrated)
            text = html(document, explained.one, explained.stamps, explained.occlusion)
        json_path, html_path = write(folder, document, text)
        why = document["explained"]
        prediction = f"{why['class']} {percent(why['probability'])} by {why['run']}"
        say(f"{document['object_id']}: {prediction}\n  page: {html_path}\n  numbers: {json_path}")


def _check_alike(runs: Sequence[Model]) -> None:
    """Raise ValueError where a model of packets is to be explained beside another model."""
    of_packets = [run.label for run in runs if run.config.packet.rows]
    if of_packets and len(runs) > 1:
        raise ValueError(f"{of_packets[0]} reads packets and answers after every row: expected no model beside it")


def find(batches: Iterable[Sequences], object_ids: Sequence[str], where: str) -> list[Sequences]:
    """The objects of the given names, each alone, in their order; reads no further than the last of them.

    Raises:
        ValueError: one is not there.
    """
    objects: dict[str, Sequences] = {}
    for batch in batches:
        names = batch.object_id.tolist()
        for name in set(object_ids).intersection(names):
            objects[name] = schema.take(batch, np.array([names.index(name)]))
        if len(objects) == len(set(object_ids)):
            return [objects[name] for name in dict.fromkeys(object_ids)]
    absent = ", ".join(name for name in object_ids if name not in objects)
    raise ValueError(f"{where} has no object {absent} with a usable detection; expected an objectId of it")


def explain(
    runs: Sequence[Model], one: Sequences, source: str, command: str, *, calibrated: bool = False
) -> tuple[dict, Explained]:
    """Everything that an explanation says of one object, as plain values, and what to draw.

    Args:
        runs: trained models of sequences; the first that can read the object is explained.
        one: a single object.
        source: where it is from.
        command: the command line.
        calibrated: scale all probabilities by the temperature of their model.

    Raises:
        ValueError: none of the models can read the object, or one is to be calibrated and knows no temperature.
    """
    one = views.alerts(one)
    able = [run for run in runs if run.config.n_detections <= one.n_rows[0]]
    if not able:
        least = min(run.config.n_detections for run in runs)
        raise ValueError(f"{one.object_id[0]}: detections: {one.n_rows[0]}, expected {least} or more")
    adjusted = [classify.adjustment(run, calibrated=calibrated) for run in able]
    numbers, explained = _rests_on(able[0], one, adjusted[0][0])
    by_length = sorted(zip(able, adjusted, strict=True), key=lambda pair: pair[0].config.n_detections)
    label = int(one.label[0])
    document = {
        "explain_version": EXPLAIN_VERSION,
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "command": command,
        "source": source,
        "object_id": str(one.object_id[0]),
        "true_class": schema.CLASS_NAMES[label] if label >= 0 else None,
        "detections": _detections(one),
        "trajectory": [_prediction(run, one, *how) for run, how in by_length],
        "not_read_by": [run.label for run in runs if run not in able],
        "explained": numbers,
        "versions": provenance.versions(),
    }
    return document, explained


def _detections(one: Sequences) -> list[dict]:
    names = schema.METADATA_NAMES
    return [
        {
            "candid": int(candid),
            "days": float(jd - one.jd[0]),
            "filter": FILTERS.get(int(fid), "unknown"),
            "magpsf": float(values[names.index("magpsf")]),
        }
        for candid, jd, fid, values in zip(one.candid, one.jd, one.fid, one.metadata, strict=True)
    ]


def _prediction(run: Model, one: Sequences, adjust: Adjust, classifier: Classifier) -> dict:
    probabilities = adjust(predict.predict(run, one)[1])
    n = run.config.n_detections
    return {
        "run": run.label,
        "name": run.config.name,
        "version": classifier.version,
        "n_detections": n,
        "days": float(one.jd[n - 1] - one.jd[0]),
        "probabilities": dict(zip(run.config.classes, map(shortest, probabilities[0]), strict=True)),
    }


def _rests_on(run: Model, one: Sequences, adjust: Adjust) -> tuple[dict, Explained]:
    chosen = inputs.examples(one, run.config)
    batch, ask = inputs.standardised(chosen, run.statistics), partial(packet.adjusted, run, adjust)
    p = ask(batch)
    which = int(p[0].argmax())
    occluded = occlusion.occlusion(ask, batch, which) if run.config.stamp.channels else None
    numbers = {
        "run": run.label,
        "class": run.config.classes[which],
        "probability": shortest(p[0, which]),
        "log_odds": float(occlusion.log_odds(p, which)[0]),
        "occlusion": occluded and occlusion.as_dict(occluded, run.config.stamp.channels),
        "metadata": _metadata(run, chosen, ask, batch, which),
    }
    return numbers, Explained(one, batch.stamps[0].astype(np.float32), occluded)


def _metadata(
    run: Model, chosen: inputs.Examples, ask: occlusion.Probabilities, batch: Batch, which: int
) -> list[dict]:
    """One entry per value that the model reads, those that count most first."""
    changes, statistics = occlusion.ablation(ask, batch, which), run.statistics
    groups = (
        ("every detection", statistics.dynamic, changes.dynamic, chosen.dynamic[0].T),
        ("object", statistics.static, changes.static, chosen.static[0][:, None]),
    )
    entries = [
        {
            "name": name,
            "of": of,
            "unit": schema.FEATURES[name].unit,
            "values": [float(value) for value in row],
            "training_mean": mean,
            "log_odds_change": float(change),
        }
        for of, group, all_changes, values in groups
        for name, mean, change, row in zip(group.names, group.mean, all_changes, values, strict=True)
    ]
    return sorted(entries, key=lambda entry: -abs(entry["log_odds_change"]))


def write(folder: Path, document: dict, text: str) -> tuple[Path, Path]:
    """Write OBJECT.json and the page OBJECT.html into `folder`; returns their paths.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]", "_", document["object_id"]).lstrip(".") or "object"
    json_path, html_path = folder / f"{stem}.json", folder / f"{stem}.html"
    files.write(json_path, to_json(document))
    files.write(html_path, text)
    return json_path, html_path
