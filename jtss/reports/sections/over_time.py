"""What a report says of the answers of a model of packets over time: what another alert, day or row changes in them."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jtss.metrics import classification
from jtss.metrics.comparisons import paired_difference
from jtss.metrics.intervals import bootstrap_interval, hit_rate, wilson_interval, with_interval
from jtss.metrics.slices import FEW
from jtss.metrics.trajectories import DAYS_NAMES, NO_ANSWER
from jtss.reports import page
from jtss.reports.colours import BLUE, GREEN, GREY, VERMILION
from jtss.reports.evaluation import Evaluation
from jtss.reports.figures import png, tidy
from jtss.reports.following import Followed
from jtss.reports.page import UNDEFINED, decimal, gain, interval, percent
from jtss.reports.sections import models
from jtss.reports.sections.models import DIFFERENCE_HEAD, Contender, Pair

BY_ALERTS = (
    "The answer to the packet of each object's first, second … alert, 6 hours or more apart. Fewer objects, and other"
    " proportions of the classes, have a second alert: asteroids, for one, have none. What another alert is worth shows"
    " in the rows of the same objects. In small print: 95 % intervals, Wilson's of accuracy, bootstrap over objects of"
    " balanced accuracy, which is the mean recall of the classes that are there."
)
AGAINST = (
    "A model that reads n alerts against this one at alert n, on the same objects, those of the classes that both know."
    " This model's answer is its most probable class among these classes, for the other has no choice of another;"
    " the last column has its accuracy among all of its own classes. Difference: this model less the other, with its"
    " 95 % interval (bootstrap over objects); p is McNemar's, corrected by Holm's method for the number of rows."
)
BY_DAYS = (
    "The answer after the last row (a detection or an upper limit) of each span of time since the first detection that"
    " the object's latest packet tells. Each span has other objects, those with a row in it: the difference is to the"
    " answers after the first detection of the same objects. Earlier alerts have their"
    " stamps where the model reads several."
)
STABILITY = (
    "The answers after each row of the object's latest packet, from its first detection on. Flips: how often the most"
    " probable class changes. Path: the sum of the distances between consecutive answers, in Wasserstein-1 with a"
    " distance of 1 between any two classes, which is half the sum of the absolute differences; 1 is from certain of"
    " one class to certain of another. Objects with a single such row cannot move and are left out."
)
ALL_CLASSES = "all classes"


def scores(own: Contender, others: Sequence[Contender] = ()) -> dict:
    """All numbers of a model of packets in time, as plain values; undefined ones are NaN.

    Args:
        own: the model of packets; its evaluation followed it.
        others: models to compare it with, each at the number of alerts that it reads.

    Returns:
        {by_alerts: [row, …], same_objects: {n_alerts, objects, by_alerts: [row, …]}, against: [{…}, …],
        by_days: [{…}, …], stability: {class or "all classes": {…}}}. A row of alerts is {n, objects, correct, accuracy,
        wilson_interval, balanced_accuracy: {value, interval}, recall: {class: {objects, correct, …}}}.
    """
    evaluation = own.evaluation
    at_alert = evaluation.followed.at_alert
    n_alerts = np.isfinite(at_alert[..., 0]).sum(axis=1)
    most, same = int(n_alerts.max()), _alerts_of_same(n_alerts)
    return {
        "by_alerts": [_at(evaluation, n, n_alerts >= n) for n in range(1, most + 1)],
        "same_objects": {
            "n_alerts": same,
            "objects": int(np.sum(n_alerts >= same)),
            "by_alerts": [_at(evaluation, n, n_alerts >= same) for n in range(1, same + 1)],
        },
        "against": _against(own, others),
        "by_days": _by_days(evaluation),
        "stability": _stability(evaluation),
    }


def _alerts_of_same(n_alerts: np.ndarray) -> int:
    """The most alerts that not a few objects have; where so many have no second one, two, or all that there is."""
    most = int(n_alerts.max())
    return max((n for n in range(2, most + 1) if np.sum(n_alerts >= n) >= FEW), default=min(2, most))


def _at(evaluation: Evaluation, n: int, chosen: np.ndarray) -> dict:
    """The scores of the answers to the n-th alert of the chosen objects [B] bool."""
    label, predicted = evaluation.label[chosen], evaluation.followed.at_alert[chosen, n - 1].argmax(axis=1)
    confusion = classification.confusion_matrix(label, predicted, len(evaluation.classes))
    balanced = classification.balanced_accuracy
    hits, support = np.diagonal(confusion), confusion.sum(axis=1)
    return {
        "n": n,
        **hit_rate(int(hits.sum()), len(label)),
        "balanced_accuracy": with_interval(balanced(confusion), bootstrap_interval(confusion, balanced)),
        "recall": {name: hit_rate(int(hits[i]), int(support[i])) for i, name in enumerate(evaluation.classes)},
    }


def _against(own: Contender, others: Sequence[Contender]) -> list[dict]:
    """Each other model, and this one at as many alerts, with the paired difference of their accuracies."""
    compared = [_same(own, other) for other in others]
    differences = models.differences([pair for pair, _ in compared]) if compared else []
    return [of | difference for (_, of), difference in zip(compared, differences, strict=True)]


def _same(own: Contender, other: Contender) -> tuple[Pair, dict]:
    """Which objects each classifies correctly, of those that both can read, among the classes that both know."""
    mine, theirs = own.evaluation, other.evaluation
    rows, their_rows = models.common([mine, theirs])
    classes = [name for name in mine.classes if name in theirs.classes]
    probabilities = mine.followed.at_alert[rows, other.n_detections - 1]
    label = _among(np.eye(len(mine.classes))[mine.label[rows]], mine.classes, classes)
    hits = _among(probabilities, mine.classes, classes) == label
    their_hits = _among(theirs.probabilities[their_rows], theirs.classes, classes) == label
    of = {
        "n_detections": other.n_detections,
        "classes": classes,
        "accuracy_run": _rate(hits),
        "accuracy_than": _rate(their_hits),
        "accuracy_run_among_all": _rate(probabilities.argmax(axis=1) == mine.label[rows]),
    }
    return Pair(own.run, other.run, hits, their_hits), of


def _among(probabilities: np.ndarray, classes: Sequence[str], some: Sequence[str]) -> np.ndarray:
    """[B] int64: the most probable of some of the classes, as if these were all; renormalised, it is the same one."""
    return probabilities[:, [classes.index(name) for name in some]].argmax(axis=1)


def _rate(hits: np.ndarray) -> dict:
    return hit_rate(int(hits.sum()), len(hits))


def _by_days(evaluation: Evaluation) -> list[dict]:
    """The bins that have objects: their accuracy, and its difference to that after the first detection of the same."""
    by_days, label = evaluation.followed.by_days, evaluation.label
    first, rows = by_days[:, 0] == label, []
    for i, name in enumerate(DAYS_NAMES):
        inside = by_days[:, i] != NO_ANSWER
        if inside.any():
            hits = by_days[inside, i] == label[inside]
            difference = paired_difference(hits, first[inside])
            rows.append({"name": name, **_rate(hits), "since_first_detection": with_interval(*difference)})
    return rows


def _stability(evaluation: Evaluation) -> dict[str, dict]:
    followed, label = evaluation.followed, evaluation.label
    moves = followed.new_rows > 0
    classes = {name: moves & (label == i) for i, name in enumerate(evaluation.classes)}
    return {name: _moved(followed, chosen) for name, chosen in ({ALL_CLASSES: moves} | classes).items()}


def _moved(followed: Followed, chosen: np.ndarray) -> dict:
    """The movement of the chosen objects [B] bool, which have two answers or more."""
    flips, path, new_rows = followed.flips[chosen], followed.path[chosen], followed.new_rows[chosen]
    n, never = len(flips), int(np.sum(flips == 0))
    return {
        "objects": n,
        "new_rows": int(new_rows.sum()),
        "flips_per_object": float(classification.ratio(flips.sum(), n)),
        "never_flips": with_interval(classification.ratio(never, n), wilson_interval(never, n)),
        "objects_by_flips": np.bincount(flips, minlength=1).tolist(),
        "path_per_object": float(classification.ratio(path.sum(), n)),
        "path_per_new_row": float(classification.ratio(path.sum(), new_rows.sum())),
    }


def text(scores: dict) -> str:
    """The main numbers, for the terminal."""
    every, same = scores["by_alerts"], scores["same_objects"]
    lines = [f"answers over time, {every[0]['objects']:,} objects; accuracy by number of alerts:"]
    lines += [f"  all that have so many: {_listed(every)}"]
    if same["n_alerts"] > 1:
        lines.append(f"  the same {same['objects']:,} objects: {_listed(same['by_alerts'])}")
    lines += [
        f"  against {of['than']} at alert {of['n_detections']} ({of['accuracy_run']['objects']:,} of"
        f" {', '.join(of['classes'])}): {percent(of['accuracy_run']['accuracy'])},"
        f" {gain(of['difference'], of['interval'])}"
        for of in scores["against"]
    ]
    days = (f"{row['name']} {percent(row['accuracy'])}" for row in scores["by_days"])
    moved = scores["stability"][ALL_CLASSES]
    return "\n".join([*lines, f"  since the first detection told: {'; '.join(days)}", f"  {_moving(moved)}"])


def _listed(rows: Sequence[dict]) -> str:
    return ", ".join(f"{row['n']}: {percent(row['accuracy'])}" for row in rows)


def _moving(moved: dict) -> str:
    return (
        f"predicted class: {decimal(moved['flips_per_object'], 2)} flips per object,"
        f" {percent(moved['never_flips']['value'])} never flip; path {decimal(moved['path_per_object'], 2)} per object,"
        f" {decimal(moved['path_per_new_row'])} per new row"
    )


def section(scores: dict) -> str:
    """The numbers, as a section of the page."""
    return page.section(
        "Answers over time",
        page.pictures([("Accuracy by number of alerts", figure(scores))]),
        _alerts_table(scores),
        page.paragraph(BY_ALERTS, "muted"),
        *_against_table(scores["against"]),
        _days_table(scores["by_days"]),
        page.paragraph(BY_DAYS, "muted"),
        _stability_table(scores["stability"]),
        page.paragraph(STABILITY, "muted"),
    )


def _alerts_table(scores: dict) -> str:
    same, every = scores["same_objects"], scores["by_alerts"]
    classes = [name for name, of in every[0]["recall"].items() if of["objects"]]
    rows = ["all objects that have the alert", *(_alert_cells(row, classes) for row in every)]
    if same["n_alerts"] > 1:
        rows += [f"the same {same['objects']:,} objects, which have {same['n_alerts']} alerts"]
        rows += [_alert_cells(row, classes) for row in same["by_alerts"]]
    head = ["alert", "objects", "accuracy", "balanced accuracy", *(f"{name} recall" for name in classes)]
    return page.table(head, rows)


def _alert_cells(row: dict, classes: Sequence[str]) -> list[tuple[str, str]]:
    balanced = row["balanced_accuracy"]
    return [
        (f"{row['n']}", ""),
        (f"{row['objects']:,}", ""),
        (percent(row["accuracy"]), interval(row["wilson_interval"])),
        (percent(balanced["value"]), interval(balanced["interval"])),
        *(_recall(row["recall"][name]) for name in classes),
    ]


def _recall(of: dict) -> tuple[str, str]:
    return (percent(of["accuracy"]), f"{of['correct']:,} of {of['objects']:,}") if of["objects"] else (UNDEFINED, "")


def _against_table(against: Sequence[dict]) -> list[str]:
    rows = [
        [
            (of["than"], f"alert {of['n_detections']}, {of['accuracy_run']['objects']:,} objects"),
            (", ".join(of["classes"]), ""),
            *(_accuracy(of[f"accuracy_{which}"]) for which in ("run", "than")),
            *models.difference_cells(of),
            _accuracy(of["accuracy_run_among_all"]),
        ]
        for of in against
    ]
    head = ["against", "classes", "this model", "the other", *DIFFERENCE_HEAD, "among all its classes"]
    return [page.table(head, rows), page.paragraph(AGAINST, "muted")] if rows else []


def _accuracy(of: dict) -> tuple[str, str]:
    return percent(of["accuracy"]), interval(of["wilson_interval"])


def _days_table(by_days: Sequence[dict]) -> str:
    rows = [
        [(row["name"], ""), (f"{row['objects']:,}", ""), _accuracy(row), (_gained(row["since_first_detection"]), "")]
        for row in by_days
    ]
    rows[0][-1] = (UNDEFINED, "")
    return page.table(["since the first detection told", "objects", "accuracy", "difference to it"], rows)


def _gained(of: dict) -> str:
    return gain(of["value"], of["interval"])


def _stability_table(stability: dict[str, dict]) -> str:
    rows = [
        [
            (name, ""),
            (f"{of['objects']:,}", ""),
            (decimal(of["flips_per_object"], 2), ""),
            (percent(of["never_flips"]["value"]), interval(of["never_flips"]["interval"])),
            (decimal(of["path_per_object"], 2), ""),
            (decimal(of["path_per_new_row"]), ""),
        ]
        for name, of in stability.items()
        if of["objects"]
    ]
    return page.table(["", "objects", "flips per object", "never flips", "path per object", "per new row"], rows)


def figure(scores: dict) -> bytes:
    """Draw accuracy with its interval against the number of alerts, and every other model at its own."""
    picture = Figure(figsize=(5.2, 4.8), layout="constrained")
    axes, same = picture.add_subplot(), scores["same_objects"]
    _draw(axes, -0.08, scores["by_alerts"], color=GREY, fmt="o--", label="all objects that have so many")
    if same["n_alerts"] > 1:
        label = f"the same {same['objects']:,} objects"
        _draw(axes, 0, same["by_alerts"], color=BLUE, fmt="o-", label=label)
    _draw_others(axes, scores["against"])
    axes.set_xticks([row["n"] for row in scores["by_alerts"]])
    axes.margins(y=0.1)  # for the names
    axes.set_xlim(0.6, len(scores["by_alerts"]) + 0.4)
    axes.set_xlabel("alerts so far", fontsize=12)
    axes.set_ylabel("accuracy [%]", fontsize=12)
    axes.set_title("Accuracy by number of alerts", fontsize=13)
    tidy(axes)
    picture.legend(frameon=False, fontsize=10, loc="outside lower center")
    return png(picture)


def _draw_others(axes: Axes, against: Sequence[dict]) -> None:
    """Each other model and this one beside it, several of one number of alerts side by side."""
    seen: Counter[int] = Counter()
    for i, of in enumerate(against):
        n, aside = of["n_detections"], 0.1 + 0.16 * seen[of["n_detections"]]
        seen[n] += 1
        theirs, label = of["accuracy_than"], {} if i else {"label": "another model"}
        _draw(axes, aside, [theirs | {"n": n}], color=VERMILION, fmt="s", **label)
        label = {} if i else {"label": "this model, on the same objects and classes as the other"}
        _draw(axes, aside + 0.08, [of["accuracy_run"] | {"n": n}], color=GREEN, fmt="D", **label)
        below = theirs["accuracy"] < of["accuracy_run"]["accuracy"]
        place = (n + aside, 100 * theirs["wilson_interval"][0 if below else 1])
        text = {"textcoords": "offset points", "ha": "center", "va": "top" if below else "bottom", "color": VERMILION}
        axes.annotate(of["than"].split("/")[-1], place, (0, -4 if below else 4), **text)


def _draw(axes: Axes, aside: float, rows: Sequence[dict], **style: str) -> None:
    """Accuracies with their intervals, a little aside of their number of alerts, so that none hides another."""
    value = np.array([100 * row["accuracy"] for row in rows])
    lower, upper = 100 * np.array([row["wilson_interval"] for row in rows]).T
    error = np.maximum([value - lower, upper - value], 0)
    axes.errorbar(
        [row["n"] + aside for row in rows], value, yerr=error, linewidth=1.6, markersize=6, capsize=3, **style
    )
