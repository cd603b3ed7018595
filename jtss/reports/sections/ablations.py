"""What a model's accuracy rests on: the same objects again, with a part of the input withheld or exchanged.

A model that loses nothing with the stamps of another object does not look at stamps; one that loses much without
counters leans on them. That others can stand in for what is withheld, an ablation does not show.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from jtss import schema
from jtss.config.settings import Config
from jtss.inference import predict, versions
from jtss.inference.model import Model
from jtss.metrics.intervals import hit_rate
from jtss.network import packets
from jtss.network.inputs import standardised
from jtss.network.parts import Batch, take
from jtss.reports import page
from jtss.reports.page import UNDEFINED, interval, percent
from jtss.schema import Sequences
from jtss.training import hiding

MOST_OBJECTS = 1000  # an interval of ± 2 points near 90 %; each row of the table asks the model about all of them
NOTHING = "nothing withheld"
MEANING = (
    "The same objects again. Another object's stamps or metadata: those of an object drawn at random, whatever its"
    " class, instead of its own. What is hidden or absent counts as missing. Intervals are Wilson's, 95 %."
)
VERSIONS_MEANING = (
    "Five versions of what the first alert's packet says of the past: as it came; with the counters that a survey that"
    " began a month ago, or on the same night, would give; as if the object had never been detected before, which is"
    " harsher than the truth for an old source; and without counters."
)

Change = Callable[[Batch], Batch]


def scores(model: Model, sequences: Sequences) -> dict:
    """Accuracy with each part of the input withheld, and in five versions of the past, as plain values.

    Args:
        model: a trained model.
        sequences: B labelled objects of classes that it knows, with enough detections.

    Returns:
        {inputs: [row, …], versions: [row, …]}; a row is {name, objects, correct, accuracy, wilson_interval,
        mean_recall, recall: {class: {objects, correct, …}}}. Versions are of the first alert: none for a model that
        reads several.
    """
    chosen = packets.to_classify(sequences, model.config)
    batch = standardised(chosen, model.statistics)
    row = partial(_row, model, chosen.label)
    came = row(NOTHING, batch)
    changed = [row(name, change(batch)) for name, change in changes(model.config, len(chosen.label)).items()]
    return {"inputs": [came, *changed], "versions": _versions(model, sequences, row, came)}


def changes(config: Config, n_objects: int) -> dict[str, Change]:
    """What to withhold from a model, by name; nothing that it does not read."""
    read = {*config.metadata.dynamic, *config.metadata.static}
    other = others(n_objects)
    every: dict[str, tuple[bool, Change]] = {
        "stamps zeroed": (
            bool(config.stamp.channels) and not config.packet.rows,
            lambda batch: batch._replace(stamps=0 * batch.stamps),
        ),
        "another object's stamps": (
            bool(config.stamp.channels) and n_objects > 1,
            lambda batch: batch._replace(stamps=batch.stamps[other]),
        ),
        "another object's metadata": (
            bool(read - {schema.TIME_GAP.name}) and n_objects > 1,
            lambda batch: take(batch, other)._replace(stamps=batch.stamps),
        ),
        "counters hidden": _without("counters", config, read),
        "without AllWISE": _without("allwise", config, read),
    }
    if config.packet.rows:
        parts = {"no stamps": "stamps", "no history": "history", "no limits": "limits"}
        there = {"stamps": bool(config.stamp.channels)}
        every |= {name: (there.get(group, True), _hiding(group, config)) for name, group in parts.items()}
    return {name: change for name, (applies, change) in every.items() if applies}


def _without(group: str, config: Config, read: set[str]) -> tuple[bool, Change]:
    return bool(read & {*schema.METADATA_GROUPS[group]}), _hiding(group, config)


def _hiding(group: str, config: Config) -> Change:
    hidden = np.array([name == group for name in hiding.groups(config)])
    return lambda batch: hiding.hide(config, batch, hidden)


def others(n_objects: int, seed: int = 0) -> np.ndarray:
    """[B] int64: for each object another one, each once."""
    order = np.random.default_rng(seed).permutation(n_objects)
    other = np.empty(n_objects, np.int64)
    other[order] = np.roll(order, 1)
    return other


def _versions(model: Model, sequences: Sequences, row: Callable, came: dict) -> list[dict]:
    if model.config.n_detections > 1:
        return []
    first, rows = versions.first_packets(sequences), []
    for version, change in versions.VERSIONS.items():
        name = versions.WORDS[version]
        if version == versions.as_is.__name__ and not model.config.packet.rows:
            rows.append(came | {"name": name})
        else:
            changed = packets.to_classify(change(first), model.config)
            rows.append(row(name, standardised(changed, model.statistics)))
    return rows


def _row(model: Model, label: np.ndarray, name: str, batch: Batch) -> dict:
    asked = (predict.probabilities(model, part) for part in predict.in_parts(batch))
    correct = np.concatenate([answers.argmax(axis=1) for answers in asked]) == label
    recall = {
        name: hit_rate(int(correct[label == i].sum()), int(np.sum(label == i)))
        for i, name in enumerate(model.config.classes)
    }
    there = [of["accuracy"] for of in recall.values() if of["objects"]]
    return {
        "name": name,
        **hit_rate(int(correct.sum()), len(label)),
        "mean_recall": float(np.mean(there)),
        "recall": recall,
    }


def rows(table: list[dict]) -> tuple[list[str], list[list[str]]]:
    """The head, and the cells of the rows: accuracy with its interval, mean recall, and recall of the classes there."""
    classes = [name for name, of in table[0]["recall"].items() if of["objects"]]
    head = ["", "accuracy", "mean recall", *(f"{name} recall" for name in classes)]
    cells = [
        [
            each["name"],
            f"{percent(each['accuracy'])} ({interval(each['wilson_interval'])})",
            percent(each["mean_recall"]),
            *(percent(each["recall"][name]["accuracy"]) for name in classes),
        ]
        for each in table
    ]
    return head, cells


def text(ablations: dict) -> str:
    """The accuracies, for the terminal."""
    lines = [f"what it rests on, {ablations['inputs'][0]['objects']:,} objects:"]
    for table in filter(None, (ablations["inputs"], ablations["versions"])):
        width = max(len(each["name"]) for each in table)
        lines += [f"  {name:<{width}}  {accuracy}, mean recall {mean}" for name, accuracy, mean, *_ in rows(table)[1]]
    return "\n".join(lines)


def section(ablations: dict) -> str:
    """The numbers, as a section of the page."""
    parts = [page.paragraph(f"{ablations['inputs'][0]['objects']:,} objects."), _table(ablations["inputs"])]
    parts.append(page.paragraph(MEANING, "muted"))
    if ablations["versions"]:
        parts += [_table(ablations["versions"]), page.paragraph(VERSIONS_MEANING, "muted")]
    return page.section("What it rests on", *parts)


def _table(table: list[dict]) -> str:
    head, cells = rows(table)
    return page.table(head, [[(cell or UNDEFINED, "") for cell in row] for row in cells])
