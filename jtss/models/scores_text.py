"""The results of a model card: per evaluation a line of accuracy, a table of classes, and what it was measured on."""

import math
from collections.abc import Iterable, Sequence

from jtss.models.file import TrainedModel
from jtss.models.results import SIMULATED
from jtss.reports.wording import UNDEFINED, interval, percent


def is_real(result: dict) -> bool:
    """Whether a result was measured on real alerts."""
    return not result["data"]["survey"].endswith(SIMULATED)


def headline(result: dict) -> str:
    """ "simulated test split 89.6 % of 1,000", for a list of models: of a handful, a percentage says little."""
    return f"{result['title']} {percent(result['accuracy']['value'])} of {result['n_objects']:,}"


def sections(trained: TrainedModel) -> list[str]:
    """The lines of all results; one that says so where there are none."""
    if not trained.results:
        return ["None: no evaluation was given when the file was made."]
    lines = []
    for result in trained.results:
        lines += [*_section(result, trained), ""]
    return [*lines, "Intervals are at 95 %: Wilson's for accuracy, recall and precision, bootstrap for mean recall."]


def _section(result: dict, trained: TrainedModel) -> list[str]:
    classes, title = trained.config.classes, result["title"]
    accuracy, balanced = result["accuracy"], result["balanced_accuracy"]
    head = ["true class", "objects", "recall", "precision", *(f"called {name}" for name in classes)]
    scores = {
        "accuracy": _scored(accuracy["value"], accuracy["wilson_interval"]),
        "mean recall of the classes present": _scored(balanced["value"], balanced["interval"]),
        "cross-entropy": f"{result['cross_entropy_nat']:.3f} nat",
    }
    return [
        f"### {title[0].upper()}{title[1:]}: {percent(accuracy['value'])} of {result['n_objects']:,} objects",
        "",
        f"- {', '.join(f'{name} {score}' for name, score in scores.items())}",
        *_origin(result),
        *(f"- **{warning}**" for warning in result["warnings"]),
        "",
        *table(head, [_row(result, classes, i) for i in range(len(classes))]),
    ]


def _origin(result: dict) -> list[str]:
    data = result["data"]
    whose = ", the one that it was trained on" if data["is_training_file"] else ""
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(data["objects"].items()))
    return [
        f"- `{result['command']}`, {result['created']}",
        f"- data: {data['survey']}, file {data['name']}{whose}, content hash `{data['content_hash']}`",
        f"- made by `{data['made_by']}`",
        f"- its objects: {counts}",
    ]


def _row(result: dict, classes: Sequence[str], i: int) -> list[str]:
    scores = result["classes"][classes[i]]
    if not scores["support"]:
        return [classes[i], "0", UNDEFINED, UNDEFINED, *(UNDEFINED for _ in classes)]
    both = (_scored(scores[score]["value"], scores[score]["interval"]) for score in ("recall", "precision"))
    return [classes[i], f"{scores['support']:,}", *both, *(f"{n:,}" for n in result["confusion_matrix"][i])]


def _scored(value: float | None, limits: Sequence[float | None]) -> str:
    """As in a report, where JSON has null for what is undefined."""
    known = [math.nan if number is None else number for number in (value, *limits)]
    return f"{percent(known[0])} ({interval(known[1:])})" if math.isfinite(known[0]) else UNDEFINED


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
