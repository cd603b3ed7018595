"""What a report says of subclasses: which SN, star or nucleus an object is, its class being known."""

import numpy as np

from jtss.metrics import classification
from jtss.metrics.intervals import hit_rate
from jtss.reports import page
from jtss.reports.following import Followed
from jtss.reports.page import interval, percent
from jtss.schema import NO_SUBCLASS, SUBCLASS_NAMES, SUBCLASSES

FIRST, LATEST = "first_alert", "latest_alert"
MEANING = (
    "The most probable subclass of the object's true class, whatever class is predicted, of objects whose subclass is"
    " known: by the packet of the first and of the latest alert. Most common: the accuracy if every object were given"
    " the most common subclass among these; its balanced accuracy would be one over the number of subclasses there."
    " Balanced accuracy is the mean recall of these. In small print: Wilson's intervals, 95 %."
)


def scores(followed: Followed) -> dict | None:
    """The numbers of each class whose subclasses the model tells, as plain values; None where no subclass is known.

    Returns:
        {class: {subclasses: [name, …], objects, most_common, most_common_share, first_alert: {objects, correct,
        accuracy, wilson_interval, balanced_accuracy, confusion_matrix}, latest_alert: {…}}}; subclasses are those of
        the schema, in rows the true ones.
    """
    by_class = {name: _of_class(followed, names) for name, names in SUBCLASS_NAMES.items()}
    return {name: of for name, of in by_class.items() if of} or None


def _of_class(followed: Followed, names: tuple[str, ...]) -> dict | None:
    codes = np.array([SUBCLASSES.index(name) for name in names])
    place = np.full(len(SUBCLASSES), NO_SUBCLASS)
    place[codes] = np.arange(len(codes))
    chosen = np.isin(followed.subclass, codes)
    if not chosen.any():
        return None
    true = place[followed.subclass[chosen]]
    support = np.bincount(true, minlength=len(names))
    said = {FIRST: followed.subclass_first, LATEST: followed.subclass_latest}
    return {
        "subclasses": list(names),
        "objects": len(true),
        "most_common": names[support.argmax()],
        "most_common_share": float(support.max() / len(true)),
        **{key: _scores(true, place[codes_said[chosen]], len(names)) for key, codes_said in said.items()},
    }


def _scores(true: np.ndarray, predicted: np.ndarray, n_subclasses: int) -> dict:
    confusion = classification.confusion_matrix(true, predicted, n_subclasses)
    return {
        **hit_rate(int(np.trace(confusion)), len(true)),
        "balanced_accuracy": float(classification.balanced_accuracy(confusion)),
        "confusion_matrix": confusion.tolist(),
    }


def text(subclasses: dict) -> str:
    """The accuracies by the latest packet, for the terminal."""
    cells = (
        f"{name} {percent(of[LATEST]['accuracy'])} (most common {percent(of['most_common_share'])})"
        for name, of in subclasses.items()
    )
    return f"  subclass given the class, latest packet: {'; '.join(cells)}"


def section(subclasses: dict) -> str:
    """The numbers, as a section of the page."""
    rows = [
        [
            (name, f"{of['objects']:,} objects"),
            *(cell for key in (FIRST, LATEST) for cell in _cells(of[key])),
            (percent(of["most_common_share"]), of["most_common"]),
        ]
        for name, of in subclasses.items()
    ]
    head = ["class", "first alert", "balanced", "latest alert", "balanced", "most common"]
    tables = [_confusion(name, of) for name, of in subclasses.items()]
    title = "Confusion of subclasses by the latest packet"
    return page.section(
        "Subclasses given the class",
        page.table(head, rows),
        page.paragraph(MEANING, "muted"),
        page.folded(title, *tables),
    )


def _cells(of: dict) -> list[tuple[str, str]]:
    return [(percent(of["accuracy"]), interval(of["wilson_interval"])), (percent(of["balanced_accuracy"]), "")]


def _confusion(name: str, of: dict) -> str:
    rows = [
        [(subclass, ""), *((f"{count:,}", "") for count in counts)]
        for subclass, counts in zip(of["subclasses"], of[LATEST]["confusion_matrix"], strict=True)
        if sum(counts)
    ]
    return page.table([f"true {name}", *(f"→ {subclass}" for subclass in of["subclasses"])], rows)
