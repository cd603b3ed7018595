"""Does the outlier score find what a model does not know: classes that it has not learnt, alerts that are mangled?"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from jtss import schema
from jtss.inference import packets
from jtss.inference.model import Model
from jtss.inference.versions import first_packets, without_stamps
from jtss.metrics.intervals import auc, auc_interval, with_interval
from jtss.metrics.slices import FEW
from jtss.reports import page
from jtss.reports.page import UNDEFINED, percent
from jtss.reports.sections.ablations import others
from jtss.schema import Sequences

HIGH = 0.95
AS_THEY_CAME = "classes that it knows, as they came"
MEANING = (
    "The outlier score of each object's first alert: the share of held-out alerts that are less unusual. These are not"
    " first alerts alone, and classes are equally frequent among them, so the share of scores above 0.95 need not be"
    " 5 %. Mangled are the stamps of the same objects: the pixels that the model sees in another order, brightness"
    " reversed, half of each image without data, or those of another object. No stamps: a case that models know. Area"
    " under the ROC curve: how probable it is that one of these has a higher score than one of the known as they came;"
    " 0.5: the score says nothing. In small print: its 95 % interval, bootstrap over objects; none for fewer than"
    f" {FEW}."
)
NOT_A_NUMBER = (float("nan"), float("nan"))

Mangle = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # stamps [B, S, S, 3] → others


def scores(model: Model, known: Sequences, other_classes: Sequences | None) -> dict | None:
    """How the outlier scores of unusual alerts compare with those of known ones, as plain values.

    Args:
        model: of packets, which knows what usual alerts look like.
        known: B labelled objects of classes that it knows.
        other_classes: objects of classes that it does not know; None for none.

    Returns:
        {known: {objects, median, high}, unusual: [{name, objects, median, high, auc: {value, interval}}, …]}; `high` is
        the share of scores above 0.95. None where nothing is to be compared: a model without images that knows all
        classes of the data.
    """
    came = first_packets(known)
    usual = _outlier(model, came)
    table = []
    if other_classes is not None:
        found = _outlier(model, first_packets(other_classes))
        for code in np.unique(other_classes.label):
            of_class = found[other_classes.label == code]
            table.append(_row(f"{schema.CLASS_NAMES[code]}, which it does not know", of_class, usual))
    if model.config.stamp.channels:
        rng = np.random.default_rng(0)
        changed = {name: replace(came, stamps=mangle(came.stamps, rng)) for name, mangle in _manglings(model).items()}
        if came.n_objects > 1:
            changed["another object's stamps"] = replace(came, stamps=came.stamps[others(came.n_objects)])
        changed["no stamps"] = without_stamps(came)
        table += [_row(name, _outlier(model, mangled), usual, paired=True) for name, mangled in changed.items()]
    return {"known": _described(usual), "unusual": table} if table else None


def _outlier(model: Model, of_packets: Sequences) -> np.ndarray:
    """[B] of packets of one alert each."""
    return packets.answers(model, of_packets).outlier


def _row(name: str, found: np.ndarray, usual: np.ndarray, *, paired: bool = False) -> dict:
    limits = NOT_A_NUMBER if len(found) < FEW else auc_interval(found, usual, paired=paired)
    return {"name": name, **_described(found), "auc": with_interval(auc(found, usual), limits)}


def _described(found: np.ndarray) -> dict:
    return {"objects": len(found), "median": float(np.median(found)), "high": float(np.mean(found > HIGH))}


def _manglings(model: Model) -> dict[str, Mangle]:
    return {
        "pixels shuffled": partial(shuffled, side=model.config.stamp.crop),
        "brightness reversed": inverted,
        "half of the stamps masked": half_masked,
    }


def shuffled(stamps: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    """The pixels of the central square in another order, that of all three images: its values, and no shape."""
    n, first = len(stamps), (stamps.shape[1] - side) // 2
    square = slice(first, first + side)
    order = rng.permuted(np.tile(np.arange(side * side), (n, 1)), axis=1)
    flat = stamps[:, square, square].reshape(n, side * side, -1)
    changed = stamps.copy()
    changed[:, square, square] = np.take_along_axis(flat, order[..., None], axis=1).reshape(n, side, side, -1)
    return changed


def inverted(stamps: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """Dark for bright; each image is scaled to [0, 1]."""
    return (1 - stamps).astype(stamps.dtype)


def half_masked(stamps: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """No pixel left of the centre."""
    masked = stamps.copy()
    masked[:, :, : stamps.shape[2] // 2] = np.nan
    return masked


def text(unusual: dict) -> str:
    """The areas, for the terminal."""
    lines = [f"what the outlier score finds, among {unusual['known']['objects']:,} known objects:"]
    width = max(len(of["name"]) for of in unusual["unusual"])
    lines += [
        f"  {of['name']:<{width}}  area {_text(of['auc'])}, {percent(of['high'])} of {of['objects']:,} above {HIGH}"
        for of in unusual["unusual"]
    ]
    return "\n".join([*lines, f"  {'(known)':<{width}}  {percent(unusual['known']['high'])} above {HIGH}"])


def _text(area: dict) -> str:
    return f"{area['value']:.2f}" + (f" ({_limits(area)})" if np.isfinite(area["interval"]).all() else "")


def _limits(area: dict) -> str:
    lower, upper = area["interval"]
    return f"{lower:.2f}–{upper:.2f}" if np.isfinite([lower, upper]).all() else ""


def section(unusual: dict) -> str:
    """The numbers, as a section of the page."""
    rows = [[(AS_THEY_CAME, ""), *_cells(unusual["known"]), (UNDEFINED, "")]]
    for of in unusual["unusual"]:
        rows.append([(of["name"], ""), *_cells(of), (f"{of['auc']['value']:.2f}", _limits(of["auc"]))])
    head = ["first alerts", "objects", "median score", f"above {HIGH}", "area under the ROC curve"]
    return page.section("What the outlier score finds", page.table(head, rows), page.paragraph(MEANING, "muted"))


def _cells(of: dict) -> list[tuple[str, str]]:
    return [(f"{of['objects']:,}", ""), (f"{of['median']:.2f}", ""), (percent(of["high"]), "")]
