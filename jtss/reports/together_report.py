"""What a report says of several models side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jtss.reports import page
from jtss.reports.plots import CLASS_COLOURS, GREY, png, tidy
from jtss.reports.wording import UNDEFINED, decimal, gain, interval, percent

MEANING = (
    "All on the same objects, each model reading its first detections: the differences are the models' alone. The"
    " intervals are of one accuracy each; whether two models differ, the paired differences below tell. In brackets"
    " what a model reaches on all objects that it can read."
)
DIFFERENCES = (
    "Each model against the one before it, object by object: the difference in accuracy with its 95 % interval"
    " (bootstrap over objects), the objects that only one of the two gets right, and how likely so lopsided a count is"
    " by chance (McNemar's exact test; corrected after Holm for the number of rows). It compares these trained"
    " networks: another training of the same network would differ, too."
)
BY_DAYS = "By days from the first detection to the last one read; each model on the same objects."


def text(found: dict) -> str:
    """The accuracies, for the terminal."""
    width = max(len(of["run"]) for of in found["models"])
    lines = [f"on the same {found['common_objects']:,} objects:"]
    lines += [
        f"  {of['run']:<{width}}  n = {of['n_detections']}  {percent(of['common']['accuracy'])}"
        f" ({interval(of['common']['wilson_interval'])})"
        for of in found["models"]
    ]
    lines += [
        f"  {of['run']} against {of['than']}: {gain(of['difference'], of['interval'])},"
        f" p = {_p(of['p_holm'])} (corrected)"
        for of in found["differences"]
    ]
    return "\n".join(lines)


def section(found: dict) -> str:
    """The numbers, as a section of the page."""
    models = found["models"]
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
    head = ["model", "median days", "accuracy", *classes, "(all it can read)"]
    return page.section(
        "By number of detections",
        page.paragraph(f"{found['common_objects']:,} objects that all of these models can read."),
        page.pictures([("Accuracy by number of detections", figure(models, classes))]),
        page.table(head, rows),
        page.paragraph(MEANING, "muted"),
        _differences(found["differences"]),
        _days(models),
    )


def _recall(of: dict, name: str) -> str:
    recall = of["recall"].get(name)
    return f"{recall['correct']:,} of {recall['objects']:,}" if recall and recall["objects"] else UNDEFINED


def _differences(differences: Sequence[dict]) -> str:
    rows = [
        [
            (of["run"], f"against {of['than']}"),
            (gain(of["difference"], of["interval"]), ""),
            (f"{of['only_run']:,} / {of['only_than']:,}", ""),
            (_p(of["p_mcnemar"]), ""),
            (_p(of["p_holm"]), ""),
        ]
        for of in differences
    ]
    head = ["model", "difference", "right alone: it / the other", "p", "p, corrected"]
    return page.table(head, rows) + page.paragraph(DIFFERENCES, "muted")


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 0.001 else "below 0.001"


def _days(models: Sequence[dict]) -> str:
    bins = list(dict.fromkeys(name for of in models for name in of["days"]))
    bins.sort(key=lambda name: (not name.startswith("below"), "or more" in name, _first_number(name)))
    rows = [[(name, "")] + [_cell(of["days"].get(name)) for of in models] for name in bins]
    return page.paragraph(BY_DAYS) + page.table(["days", *(of["run"] for of in models)], rows)


def _first_number(name: str) -> float:
    return next(float(word) for word in name.split() if word.isdigit())


def _cell(found: dict | None) -> tuple[str, str]:
    return (percent(found["accuracy"]), f"{found['correct']:,} of {found['objects']:,}") if found else (UNDEFINED, "")


def figure(models: Sequence[dict], classes: Sequence[str]) -> bytes:
    """Draw accuracy with its interval, and the recall of every class, against the models in their order."""
    picture = Figure(figsize=(5.2, 4.2), layout="constrained")
    axes = picture.add_subplot()
    places = np.arange(len(models))
    for name in classes:
        recall = [100 * of["recall"].get(name, {}).get("accuracy", np.nan) for of in models]
        axes.plot(places, recall, "o--", color=CLASS_COLOURS.get(name, GREY), linewidth=1.2, markersize=5, label=name)
    value = np.array([100 * of["common"]["accuracy"] for of in models])
    lower, upper = 100 * np.array([of["common"]["wilson_interval"] for of in models]).T
    error = np.maximum([value - lower, upper - value], 0)
    axes.errorbar(
        places, value, yerr=error, fmt="s-", color="#222222", linewidth=2, markersize=7, capsize=4, label="all"
    )
    axes.set_xticks(places, [f"{of['run'].split('/')[-1]}\nn = {of['n_detections']}" for of in models], fontsize=10)
    axes.set_xlim(-0.4, len(models) - 0.6)
    axes.set_ylabel("accuracy and recall [%]", fontsize=12)
    axes.set_title("The same objects, more detections", fontsize=13)
    tidy(axes)
    axes.legend(frameon=False, fontsize=10, loc="center left", bbox_to_anchor=(1, 0.5))
    return png(picture)
