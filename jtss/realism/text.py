"""The numbers of realism.json for readers: tables for the terminal, and one long CSV with a row per number."""

import csv
import io
import math
from collections.abc import Callable, Iterator

from jtss.inference.versions import WORDS as VERSION_WORDS
from jtss.reports.page import UNDEFINED, interval, percent
from jtss.schema import CLASS_NAMES

OTHER_NIGHTS = "of other nights"
VALUES_SHOWN = 8  # of a class; realism.csv has all
HISTORIES = (
    "Sequences from histories: the first alert of each object and the latest detections that its packet tells, 6 hours"
    " or more apart."
)
COLUMNS = ("measure", "subject", "part", "class", "value", "lower", "upper", "n_objects")  # of realism.csv

Row = list[str]
TableRow = tuple


def transfer(document: dict) -> str:
    """How well models classify real alerts."""
    measured = document["transfer"]
    parts = []
    if measured["first_detection"]:
        parts += _first_detection(measured["first_detection"], document["real"])
    if measured["versions"]:
        parts.append(_versions(measured["versions"]))
    parts += [_detections_read(name, rows) for name, rows in measured["detections_read"].items()]
    if measured["histories"]:
        parts.append(_histories(measured["histories"]))
    parts += [_sequences(name, model) for name, model in measured["sequences"].items()]
    return "\n\n".join(parts)


def _first_detection(comparison: dict, real: dict) -> list[str]:
    counts = ", ".join(f"{n} {name}" for name, n in real["objects"].items())
    head = (
        f"Transfer to {real['path']}: {comparison['n_labelled']} labelled objects ({counts}), one prediction per object"
        f" from its first detection; all models have a prediction for {comparison['n_common']}, which are scored."
    )
    models = comparison["models"]
    common = {name: model["common"] for name, model in models.items()}
    parts = [head, _scores(common)]
    more = {name: model["answered"] for name, model in models.items() if model["n_answered"] > comparison["n_common"]}
    if more:
        parts.append(f"Each model on all objects that it has a prediction for:\n\n{_scores(more)}")
    if comparison["differences"]:
        table = _differences(comparison["differences"])
        parts.append(f"Differences on the same objects (paired bootstrap):\n\n{table}")
    parts += [_confusion(name, scores) for name, scores in common.items()]
    parts += [_strata(key, models) for key in next(iter(models.values()))["by"]]
    return parts


def _scores(models: dict[str, dict]) -> str:
    first = next(iter(models.values()))
    groups, classes = list(first["balanced_accuracy"]), _present(first)
    head = ["", "objects", *(f"mean recall of {group}" for group in groups), *(f"{name} recall" for name in classes)]
    rows = [
        [
            name,
            str(values["n_objects"]),
            *(_with_interval(values["balanced_accuracy"][group]) for group in groups),
            *(_with_interval(values["recall"][each]) for each in classes),
        ]
        for name, values in models.items()
    ]
    return aligned([head, *rows])


def _present(scores: dict) -> list[str]:
    return [name for name in CLASS_NAMES if scores["recall"][name]["n_objects"]]


def _with_interval(score: dict) -> str:
    limits = interval(score["interval"])
    return percent(score["value"]) + (f" ({limits})" if limits else "")


def _differences(differences: list[dict]) -> str:
    groups = [key for key in differences[0] if key not in ("model", "other")]
    head = ["", *(f"mean recall of {group}" for group in groups)]
    rows = [[f"{each['model']} − {each['other']}", *(_points(each[group]) for group in groups)] for each in differences]
    return aligned([head, *rows])


def _points(score: dict) -> str:
    if not math.isfinite(score["value"]):
        return UNDEFINED
    lower, upper = score["interval"]
    limits = f" ({100 * lower:+.1f} to {100 * upper:+.1f})" if math.isfinite(lower) else ""
    return f"{100 * score['value']:+.1f}{limits} points"


def _confusion(name: str, scores: dict) -> str:
    rows = [
        [true, *map(str, counts)]
        for true, counts in zip(CLASS_NAMES, scores["confusion_matrix"], strict=True)
        if scores["recall"][true]["n_objects"]
    ]
    return f"{name}: true class (row), predicted class (column)\n\n{aligned([['', *CLASS_NAMES], *rows])}"


def _strata(key: str, models: dict) -> str:
    first = next(iter(models.values()))
    groups, classes = list(first["common"]["balanced_accuracy"]), _present(first["common"])
    rows = [["", "", *(f"mean recall of {group}" for group in groups), *classes]]
    for name, model in models.items():
        for part, scores in model["by"][key].items():
            means = [_with_interval(scores["balanced_accuracy"][group]) for group in groups]
            rows.append([name, part, *means, *(_of(scores["recall"][each]) for each in classes)])
    return f"By {key} of the first detection:\n\n{aligned(rows)}"


def _versions(versions: dict[str, dict]) -> str:
    """By model, so that what a model loses stands in one place."""
    came = versions["as_is"]
    first = next(iter(came.values()))
    groups, classes = list(first["balanced_accuracy"]), _present(first)
    rows = [["", "", *(f"mean recall of {group}" for group in groups), *(f"{name} recall" for name in classes)]]
    for name in came:
        for version, models in versions.items():
            if name in models:
                rows.append([name, VERSION_WORDS[version], *_recalls(models[name], groups, classes)])
    head = (
        f"Five versions of what the packets of the same {first['n_objects']} objects say of the past; a table of"
        " probabilities has only the first."
    )
    return f"{head}\n\n{aligned(rows)}"


def _recalls(scores: dict, groups: list[str], classes: list[str]) -> list[str]:
    means = [_with_interval(scores["balanced_accuracy"][group]) for group in groups]
    return means + [_with_interval(scores["recall"][name]) for name in classes]


def _detections_read(name: str, rows: list[dict]) -> str:
    (group,) = rows[0]["scores"]["balanced_accuracy"]
    classes = group.split(", ")
    table = [["", "", "objects", f"mean recall of {group}", *(f"{each} recall" for each in classes)]]
    for row in rows:
        scores = row["scores"]
        mean = _with_interval(scores["balanced_accuracy"][group])
        recalls = [_of(scores["recall"][each]) for each in classes]
        table.append([str(row["n_detections"]), row["stamps"], str(scores["n_objects"]), mean, *recalls])
    head = f"{name} by its latest detections alone, of the first alert of each object whose packet tells so many:"
    return f"{head}\n\n{aligned(table)}"


def _histories(models: dict[str, dict]) -> str:
    parts = [HISTORIES]
    for name, model in models.items():
        scores, n_objects = model["scores"], model["n_objects"]
        if not scores:
            parts.append(f"{name} reads {model['n_detections']} detections, which no packet tells.")
            continue
        groups, classes = list(scores["balanced_accuracy"]), _present(scores)
        head = ["", "detections", "objects", *(f"mean recall of {group}" for group in groups)]
        head += [f"{each} recall ({scores['recall'][each]['n_objects']})" for each in classes]
        row = [name, str(model["n_detections"]), str(n_objects), *_recalls(scores, groups, classes)]
        parts.append(aligned([head, row]))
    return "\n\n".join(parts)


def _of(score: dict) -> str:
    return f"{score['hits']} of {score['n_objects']}" if score["n_objects"] else UNDEFINED


def _sequences(name: str, model: dict) -> str:
    head = f"{name} reads {model['n_detections']} detections; labelled objects that have them: {len(model['objects'])}"
    if not model["objects"]:
        return head
    classes = list(model["objects"][0]["probabilities"])
    rows = [
        [each["object_id"], each["label"], each["predicted"], *(f"{each['probabilities'][c]:.3f}" for c in classes)]
        for each in model["objects"]
    ]
    return f"{head}\n\n{aligned([['object', 'label', 'predicted', *classes], *rows])}"


def two_sample(document: dict) -> str:
    """How well simulated alerts are told from real ones."""
    test = document["two_sample"]
    head = (
        f"Real or simulated? {document['real']['path']} against {document['simulated']['path']}: area under the ROC"
        f" curve in {test['folds']}-fold cross-validation; 0.5 means indistinguishable. The source is what lies within"
        f" {test['core_radius_pix']:g} pixels of the centre of a stamp of {test['side_pix']} × {test['side_pix']}."
    )
    classes = test["classes"]
    rows = [["", *(f"{name} (2 × {values['n_each']})" for name, values in classes.items())]]
    rows += _rows_of_separations(classes, _area)
    parts = [head, aligned(rows), "Balanced accuracy of the same networks:", aligned(_accuracies(classes))]
    for name, each in classes.items():
        parts.append(_values(name, "metadata", each["metadata"]["values"]))
        if each["sequences"]:
            parts.append(_values(name, "summaries of the past", each["sequences"]["values"]))
    return "\n\n".join(parts)


def _separations(values: dict) -> dict[str, dict | None]:
    """All of a class, by what was told apart; None where there was too little to tell."""
    separations = {f"stamps, {kind}": measured for kind, measured in values["images"].items()}
    for name in ("metadata", "sequences"):
        separations[name] = values[name]
        separations[f"{name}, {OTHER_NIGHTS}"] = values[name] and values[name]["other_nights"]
    return separations


def _rows_of_separations(classes: dict, cell: Callable[[dict], str]) -> list[Row]:
    columns = [_separations(values) for values in classes.values()]
    return [
        [title, *(cell(column[title]) if column[title] else UNDEFINED for column in columns)] for title in columns[0]
    ]


def _area(test: dict) -> str:
    lower, upper = test["auc"]["interval"]
    return f"{test['auc']['value']:.2f} ({lower:.2f}–{upper:.2f})"


def _accuracies(classes: dict) -> list[Row]:
    rows = _rows_of_separations(classes, lambda separation: _with_interval(separation["balanced_accuracy"]))
    return [["", *classes], *rows]


def _values(name: str, kind: str, values: dict) -> str:
    head = (
        f"{name}: which {kind} give the simulation away: area lost when the values are shuffled, area by the value"
        " alone (above 0.5: real values are higher), medians, fraction missing"
    )
    rows = [["", "lost", "alone", "real", "simulated", "missing real", "simulated"]]
    ordered = sorted(values.items(), key=lambda item: -item[1]["importance"])
    for value, each in ordered[:VALUES_SHOWN]:
        medians = [_number(each[key]) for key in ("median_real", "median_simulated")]
        missing = [percent(each[key]) for key in ("missing_real", "missing_simulated")]
        rows.append([value, f"{each['importance']:+.3f}", f"{each['alone']:.2f}", *medians, *missing])
    return f"{head}\n\n{aligned(rows)}"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else UNDEFINED


def aligned(rows: list[Row]) -> str:
    """Rows of cells as columns of even width, the first to the left and the others to the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [cell.rjust(width) if i else cell.ljust(width) for cell in column]
        for i, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


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


def _transfer(measured: dict | None) -> Iterator[TableRow]:
    if not measured:
        return
    for version, models in (measured["versions"] or {}).items():
        for name, scores in models.items():
            yield from _score_rows(name, f"version {version}", scores)
    for name, rows in measured["detections_read"].items():
        for row in rows:
            yield from _score_rows(name, f"{row['n_detections']} detections {row['stamps']}", row["scores"])
    for name, model in measured["histories"].items():
        if model["scores"]:
            yield from _score_rows(name, f"history of {model['n_detections']}", model["scores"])
    first = measured["first_detection"]
    if not first:
        return
    for name, model in first["models"].items():
        yield from _score_rows(name, "common", model["common"])
        yield from _score_rows(name, "answered", model["answered"])
        for key, parts in model["by"].items():
            for part, scores in parts.items():
                yield from _score_rows(name, f"{key} {part}", scores)
    for each in first["differences"]:
        pair = f"{each['model']} - {each['other']}"
        for group in (key for key in each if key not in ("model", "other")):
            yield _row("balanced accuracy difference", pair, "common", group, each[group], first["n_common"])


def _score_rows(name: str, part: str, scores: dict) -> Iterator[TableRow]:
    for group, score in scores["balanced_accuracy"].items():
        yield _row("balanced accuracy", name, part, group, score, scores["n_objects"])
    for label, score in scores["recall"].items():
        if score["n_objects"]:
            yield _row("recall", name, part, label, score, score["n_objects"])


def _row(measure: str, subject: str, part: str, label: str, score: dict, n_objects: int) -> TableRow:
    return measure, subject, part, label, score["value"], *score["interval"], n_objects


def _two_sample(test: dict | None) -> Iterator[TableRow]:
    for label, each in (test or {"classes": {}})["classes"].items():
        for subject, separation in _separations(each).items():
            for measure in ("auc", "balanced_accuracy") if separation else ():
                n_each = each["sequences"]["n_each"] if subject.startswith("sequences") else each["n_each"]
                yield _row(f"real or simulated: {measure}", subject, "", label, separation[measure], n_each)
        for kind in filter(None, (each["metadata"], each["sequences"])):
            for name, value in kind["values"].items():
                for measure, number in value.items():
                    n_each = kind.get("n_each", each["n_each"])
                    yield f"real or simulated: {measure}", name, "", label, number, None, None, n_each
