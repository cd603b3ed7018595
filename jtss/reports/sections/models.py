"""What a report says of several models on the same objects: what another detection, and the wait for it, are worth."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from jtss.metrics.comparisons import holm, mcnemar, paired_difference
from jtss.metrics.intervals import hit_rate
from jtss.metrics.slices import Cut, by_edges
from jtss.reports import page
from jtss.reports.colours import CLASS_COLOURS, GREY
from jtss.reports.evaluation import Evaluation
from jtss.reports.figures import png, tidy
from jtss.reports.page import UNDEFINED, decimal, gain, interval, percent

DAYS = (1, 3, 7, 14, 30)
MEANING = (
    "All models are scored on the same objects, each reading their first detections, so differences are due to the"
    " models alone. An interval is that of a single accuracy; for whether two models differ, see the paired differences"
    " below. Last column: accuracy on all objects that a model can read."
)
DIFFERENCES = (
    "Each model against the one before it, object by object: the difference in accuracy with its 95 % interval"
    " (bootstrap over objects), the objects that only one of the two classifies correctly, and the p-value of McNemar's"
    " exact test (corrected by Holm's method for the number of rows). The test compares these trained"
    " networks; another training of the same network would give another accuracy."
)
DIFFERENCE_HEAD = ("difference", "right alone: model / the other", "p", "p, corrected")
BY_DAYS = "Accuracy by the time from the first detection to the last one read, for the same objects:"


class Contender(NamedTuple):
    """A model and its evaluation.

    Attributes:
        run: its path or name.
        n_detections: that it reads.
        evaluation: of all objects that it can read.
    """

    run: str
    n_detections: int
    evaluation: Evaluation


class Pair(NamedTuple):
    """Two models on the same N objects: their paths or names, and which objects [N] bool each classifies correctly."""

    run: str
    than: str
    hits_run: np.ndarray
    hits_than: np.ndarray


def common(evaluations: Sequence[Evaluation]) -> list[np.ndarray]:
    """For each evaluation the rows of the objects that all of them have, in the same order of objects.

    Raises:
        ValueError: there is no such object, or an object is there twice.
    """
    ids = [np.asarray(one.object_id, str) for one in evaluations]
    for names in ids:
        twice, counts = np.unique(names, return_counts=True)
        if counts.max(initial=0) > 1:
            raise ValueError(f"object {twice[counts.argmax()]} occurs twice, expected every object once")
    shared = set(ids[0].tolist()).intersection(*(names.tolist() for names in ids[1:]))
    if not shared:
        raise ValueError("no object can be read by all of the models: no class in common, or too few detections")
    order = sorted(shared)
    rows = []
    for names in ids:
        at = {name: row for row, name in enumerate(names.tolist())}
        rows.append(np.array([at[name] for name in order]))
    return rows


def scores(contenders: Sequence[Contender]) -> dict:
    """Accuracy of every model, on what it can read and on what all can, and paired differences, as plain values.

    Args:
        contenders: in the order of their detections; each is compared with the one before it.
    """
    rows = common([one.evaluation for one in contenders])
    return {
        "common_objects": len(rows[0]),
        "models": [_scores(*pair) for pair in zip(contenders, rows, strict=True)],
        "differences": _differences(contenders, rows),
    }


def _scores(one: Contender, rows: np.ndarray) -> dict:
    evaluation = one.evaluation
    correct, days = evaluation.predicted == evaluation.label, evaluation.properties.days[rows]
    label = evaluation.label[rows]
    by_days = Cut("days", by_edges(days, DAYS, "days"))
    return {
        "run": one.run,
        "n_detections": one.n_detections,
        "classes": list(evaluation.classes),
        "own": _accuracy(correct),
        "common": _accuracy(correct[rows]),
        "recall": {name: _accuracy(correct[rows][label == i]) for i, name in enumerate(evaluation.classes)},
        "median_days": float(np.median(days)),
        "days": {name: _accuracy(correct[rows][inside]) for name, inside in by_days.slices if inside.any()},
    }


def _differences(contenders: Sequence[Contender], rows: Sequence[np.ndarray]) -> list[dict]:
    """Each model against the one before it, on the common objects."""
    hits = [
        (one.evaluation.predicted == one.evaluation.label)[chosen] for one, chosen in zip(contenders, rows, strict=True)
    ]
    return differences(
        [Pair(after.run, before.run, hits[i + 1], hits[i]) for i, (before, after) in enumerate(pairwise(contenders))]
    )


def differences(pairs: Sequence[Pair]) -> list[dict]:
    """Paired differences of accuracies, as plain values; `p_holm` is corrected for how many these are."""
    tests = [mcnemar(pair.hits_run, pair.hits_than) for pair in pairs]
    corrected = holm(np.array([test.p_value for test in tests]))
    differences = []
    for i, (pair, test) in enumerate(zip(pairs, tests, strict=True)):
        difference, interval = paired_difference(pair.hits_run, pair.hits_than)
        differences.append(
            {
                "run": pair.run,
                "than": pair.than,
                "difference": float(difference),
                "interval": [float(limit) for limit in interval],
                "only_run": test.only_a,
                "only_than": test.only_b,
                "p_mcnemar": test.p_value,
                "p_holm": float(corrected[i]),
            }
        )
    return differences


def _accuracy(correct: np.ndarray) -> dict:
    return hit_rate(int(correct.sum()), len(correct))


def text(comparison: dict) -> str:
    """The accuracies, for the terminal."""
    width = max(len(of["run"]) for of in comparison["models"])
    lines = [f"on the same {comparison['common_objects']:,} objects:"]
    lines += [
        f"  {of['run']:<{width}}  n = {of['n_detections']}  {percent(of['common']['accuracy'])}"
        f" ({interval(of['common']['wilson_interval'])})"
        for of in comparison["models"]
    ]
    lines += [
        f"  {of['run']} against {of['than']}: {gain(of['difference'], of['interval'])},"
        f" p {p_value(of['p_holm'], '= ')} (corrected)"
        for of in comparison["differences"]
    ]
    return "\n".join(lines)


def section(comparison: dict) -> str:
    """The numbers, as a section of the page."""
    models = comparison["models"]
    there = (name for of in models for name in of["classes"] if of["recall"][name]["objects"])
    classes = list(dict.fromkeys(there))
    rows = [
        [
            (of["run"], f"{of['n_detections']} detection{'s' * (of['n_detections'] > 1)}"),
            (decimal(of["median_days"], 1), ""),
            (percent(of["common"]["accuracy"]), interval(of["common"]["wilson_interval"])),
            *((_recall(of, name), "") for name in classes),
            (percent(of["own"]["accuracy"]), f"{of['own']['objects']:,} objects"),
        ]
        for of in models
    ]
    head = ["model", "median days", "accuracy", *classes, "all objects it can read"]
    return page.section(
        "By number of detections",
        page.paragraph(f"{comparison['common_objects']:,} objects that all of these models can read."),
        page.pictures([("Accuracy by number of detections", figure(models, classes))]),
        page.table(head, rows),
        page.paragraph(MEANING, "muted"),
        _differences_table(comparison["differences"]),
        _days(models),
    )


def _recall(of: dict, name: str) -> str:
    recall = of["recall"].get(name)
    return f"{recall['correct']:,} of {recall['objects']:,}" if recall and recall["objects"] else UNDEFINED


def _differences_table(differences: Sequence[dict]) -> str:
    rows = [[(of["run"], f"against {of['than']}"), *difference_cells(of)] for of in differences]
    return page.table(["model", *DIFFERENCE_HEAD], rows) + page.paragraph(DIFFERENCES, "muted")


def difference_cells(of: dict) -> list[tuple[str, str]]:
    """Cells of one of `differences`, under `DIFFERENCE_HEAD`."""
    return [
        (gain(of["difference"], of["interval"]), ""),
        (f"{of['only_run']:,} / {of['only_than']:,}", ""),
        (p_value(of["p_mcnemar"]), ""),
        (p_value(of["p_holm"]), ""),
    ]


def p_value(value: float, equals: str = "") -> str:
    return f"{equals}{value:.2g}" if value >= 0.001 else "< 0.001"


def _days(models: Sequence[dict]) -> str:
    bins = list(dict.fromkeys(name for of in models for name in of["days"]))
    bins.sort(key=lambda name: (not name.startswith("below"), "or more" in name, _first_number(name)))
    rows = [[(name, "")] + [_cell(of["days"].get(name)) for of in models] for name in bins]
    return page.paragraph(BY_DAYS) + page.table(["days", *(of["run"] for of in models)], rows)


def _first_number(name: str) -> float:
    return next(float(word) for word in name.split() if word.isdigit())


def _cell(accuracy: dict | None) -> tuple[str, str]:
    if not accuracy:
        return UNDEFINED, ""
    return percent(accuracy["accuracy"]), f"{accuracy['correct']:,} of {accuracy['objects']:,}"


def figure(models: Sequence[dict], classes: Sequence[str]) -> bytes:
    """Draw accuracy with its interval, and the recall of every class, against the models in their order."""
    picture = Figure(figsize=(5.2, 4.2), layout="constrained")
    axes = picture.add_subplot()
    places = np.arange(len(models))
    for name in classes:
        recall = [100 * of["recall"].get(name, {}).get("accuracy", np.nan) for of in models]
        axes.plot(
            places,
            recall,
            "o--",
            color=CLASS_COLOURS.get(name, GREY),
            linewidth=1.2,
            markersize=5,
            label=f"recall of {name}",
        )
    value = np.array([100 * of["common"]["accuracy"] for of in models])
    lower, upper = 100 * np.array([of["common"]["wilson_interval"] for of in models]).T
    error = np.maximum([value - lower, upper - value], 0)
    axes.errorbar(
        places, value, yerr=error, fmt="s-", color="#222222", linewidth=2, markersize=7, capsize=4, label="accuracy"
    )
    axes.set_xticks(places, [f"{of['run'].split('/')[-1]}\nn = {of['n_detections']}" for of in models], fontsize=10)
    axes.set_xlim(-0.4, len(models) - 0.6)
    axes.set_ylabel("accuracy and recall [%]", fontsize=12)
    axes.set_title("Accuracy and recall on the same objects", fontsize=13)
    tidy(axes)
    axes.legend(frameon=False, fontsize=10, loc="center left", bbox_to_anchor=(1, 0.5))
    return png(picture)
