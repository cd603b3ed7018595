"""The numbers of realism.json as one long table, a row per number."""

import csv
import io
import math
from collections.abc import Iterator

COLUMNS = ("measure", "subject", "part", "class", "value", "lower", "upper", "n_objects")
Row = tuple


def table(document: dict) -> str:
    """CSV with the columns `COLUMNS`; what is undefined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in [*_transfer(document.get("transfer")), *_two_sample(document.get("two_sample"))]:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: object) -> object:
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


def _transfer(found: dict | None) -> Iterator[Row]:
    first = found and found["first_detection"]
    if not first:
        return
    for name, model in first["models"].items():
        yield from _scores(name, "common", model["common"])
        yield from _scores(name, "answered", model["answered"])
        for key, parts in model["by"].items():
            for part, scored in parts.items():
                yield from _scores(name, f"{key} {part}", scored)
    for each in first["differences"]:
        pair = f"{each['model']} - {each['other']}"
        for group in (key for key in each if key not in ("model", "other")):
            yield _row("balanced accuracy difference", pair, "common", group, each[group], first["n_common"])


def _scores(name: str, part: str, scored: dict) -> Iterator[Row]:
    for group, score in scored["balanced_accuracy"].items():
        yield _row("balanced accuracy", name, part, group, score, scored["n_objects"])
    for label, score in scored["recall"].items():
        if score["n_objects"]:
            yield _row("recall", name, part, label, score, score["n_objects"])


def _row(measure: str, subject: str, part: str, label: str, score: dict, n_objects: int) -> Row:
    return measure, subject, part, label, score["value"], *score["interval"], n_objects


def _two_sample(found: dict | None) -> Iterator[Row]:
    for label, each in (found or {"classes": {}})["classes"].items():
        tests = {f"stamps, {name}": test for name, test in each["images"].items()} | {"metadata": each["metadata"]}
        for subject, test in tests.items():
            for measure in ("auc", "balanced_accuracy"):
                yield _row(f"real or simulated: {measure}", subject, "", label, test[measure], each["n_each"])
        for name, value in each["metadata"]["values"].items():
            for measure, number in value.items():
                yield f"real or simulated: {measure}", name, "", label, number, None, None, each["n_each"]
