"""What a report says of the seeds of an ensemble: each by itself, their mean and spread, and the ensemble beside them.

The spread tells how much of a result is due to the random numbers of the training.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from jtss import files
from jtss.metrics.intervals import deviation
from jtss.reports import figures, page
from jtss.reports.page import percent, points
from jtss.runs.ensemble import FILE

ENSEMBLE = "together"  # the key of repeats.json under which the scores of the ensemble stand
MEANING = (
    "The rest of this report is about the ensemble, which averages the probabilities of these seeds. ± is the standard"
    " deviation over seeds: the scatter between trainings, not the uncertainty from the choice of objects."
)


def summarise(reports: Mapping[int, dict]) -> dict:
    """What the evaluations of all seeds of an ensemble say, as plain values; undefined ones are NaN.

    Args:
        reports: the document of each seed's report; all of the same model and the same objects.

    Returns:
        {"repeats": [{seed, best_step, accuracy, recall: {class: value}}, …], "mean": {accuracy, recall,
        confusion_matrix}, "sd": {…}, …}; sd is the sample standard deviation over seeds (ddof = 1), undefined for one.
    """
    rows = [
        {"seed": seed, "best_step": report["model"]["best_steps"][0], **scores(report)}
        for seed, report in reports.items()
    ]
    values = np.array([[row["accuracy"], *row["recall"].values()] for row in rows])
    names = list(rows[0]["recall"])
    matrices = np.array([report["results"]["confusion_matrix"] for report in reports.values()], float)
    first = next(iter(reports.values()))
    return {
        "config": first["model"]["name"],
        "data": {key: first["data"].get(key) for key in ("path", "split", "content_hash")},
        "n_objects": first["results"]["n_objects"],
        "repeats": rows,
        "mean": _named(values.mean(axis=0), names) | {"confusion_matrix": matrices.mean(axis=0).tolist()},
        "sd": _named(deviation(values), names) | {"confusion_matrix": deviation(matrices).tolist()},
    }


def scores(report: dict) -> dict:
    """{accuracy, recall: {class: value}} of a report's document."""
    results = report["results"]
    recall = {name: scores["recall"]["value"] for name, scores in results["classes"].items()}
    return {"accuracy": results["accuracy"]["value"], "recall": recall}


def _named(values: np.ndarray, classes: list[str]) -> dict:
    accuracy, *recall = map(float, values)
    return {"accuracy": accuracy, "recall": dict(zip(classes, recall, strict=True))}


def _header(summary: dict) -> list[str]:
    return ["seed", "best_step", "accuracy", *(f"recall_{name}" for name in summary["mean"]["recall"])]


def values_of(row: dict) -> list[float]:
    """Accuracy and recalls of a row, of a mean or of a deviation."""
    return [row["accuracy"], *row["recall"].values()]


def csv(summary: dict) -> str:
    """A row per seed, their mean and standard deviation, and the ensemble; fractions, empty where undefined."""
    rows = [[row["seed"], row["best_step"], *values_of(row)] for row in summary["repeats"]]
    names = {"mean": "mean", "sd": "sd", "ensemble": ENSEMBLE}
    rows += [[name, "", *values_of(summary[key])] for name, key in names.items()]
    lines = [_header(summary), *([cell if cell == cell else "" for cell in row] for row in rows)]  # NaN is not itself
    return "".join(",".join(map(str, line)) + "\n" for line in lines)


def text(summary: dict) -> str:
    """The same as a table for the terminal, in percent."""
    rows = [[str(row["seed"]), f"{row['best_step']:,}", *map(percent, values_of(row))] for row in summary["repeats"]]
    both = zip(values_of(summary["mean"]), values_of(summary["sd"]), strict=True)
    rows.append(["mean ± sd", "", *(f"{points(mean)} ± {points(sd)} %" for mean, sd in both)])
    rows.append(["ensemble", "", *map(percent, values_of(summary[ENSEMBLE]))])
    table = [[head.replace("_", " ") for head in _header(summary)], *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in table)


def write(folder: Path, summary: dict) -> tuple[Path, Path]:
    """Write repeats.json and repeats.csv into `folder`; returns their paths.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    json_path, csv_path = folder / FILE, folder / "repeats.csv"
    files.write(json_path, page.to_json(summary))
    files.write(csv_path, csv(summary))
    return json_path, csv_path


def section(summary: dict, classes: Sequence[str]) -> str:
    """The numbers, as a section of the page."""
    rows = [
        [(f"seed {row['seed']}", f"step {row['best_step']:,}"), *((percent(value), "") for value in values_of(row))]
        for row in summary["repeats"]
    ]
    both = zip(values_of(summary["mean"]), values_of(summary["sd"]), strict=True)
    rows.append([("mean", ""), *((percent(mean), f"± {points(sd)}" if isfinite(sd) else "") for mean, sd in both)])
    mean, deviation = (np.array(summary[part]["confusion_matrix"]) for part in ("mean", "sd"))
    return page.section(
        "Seeds of the ensemble",
        page.table(["", "accuracy", *(f"recall {name}" for name in classes)], rows),
        page.pictures([("Mean confusion matrix of the seeds", figures.confusion_figure(mean, classes, deviation))]),
        page.paragraph(MEANING, "muted"),
    )
