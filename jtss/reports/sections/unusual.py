"""Does the outlier score find what a model does not know: classes that it has not learnt, alerts that are mangled?"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from jtss import schema
from jtss.inference import packets
from jtss.inference.model import Model
from jtss.inference.versions import first_packets
from jtss.metrics.intervals import auc, auc_interval, with_interval
from jtss.reports import page
from jtss.reports.page import percent
from jtss.schema import Sequences

HIGH = 0.95
KNOWN = "known classes, as they came"
MEANING = (
    "The outlier score of each object's first alert: the share of held-out alerts that are less unusual. Mangled are"
    " the stamps of the same objects: all pixels in another order, brightness reversed, half of each image or all of it"
    " without data (a stamp without data is no stamp, which models know), or those of another object. Area under the"
    " ROC curve: how probable it is that one of these has a higher score than one of the known; 0.5: the score says"
    " nothing. In small print: its 95 % interval, bootstrap over objects."
)

Mangle = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # stamps [B, S, S, 3] → others


def scores(model: Model, known: Sequences, unknown: Sequences | None) -> dict:
    """How the outlier scores of unusual alerts compare with those of known ones, as plain values.

    Args:
        model: of packets, which knows what usual alerts look like.
        known: B labelled objects of classes that it knows.
        unknown: objects of classes that it does not know; None for none.

    Returns:
        {known: {objects, median, high}, unusual: [{name, objects, median, high, auc: {value, interval}}, …]}; `high` is
        the share of scores above 0.95.
    """
    packets_of_known = first_packets(known)
    usual = _outlier(model, packets_of_known)
    unusual = {} if unknown is None else _by_class(_outlier(model, first_packets(unknown)), unknown.label)
    if model.config.stamp.channels:
        rng = np.random.default_rng(0)
        for name, mangle in MANGLED.items():
            unusual[name] = _outlier(model, replace(packets_of_known, stamps=mangle(packets_of_known.stamps, rng)))
    against = [{"name": name, **_described(found), "auc": _area(found, usual)} for name, found in unusual.items()]
    return {"known": _described(usual), "unusual": against}


def _outlier(model: Model, of_packets: Sequences) -> np.ndarray:
    """[B] of packets of one alert each."""
    return packets.answers(model, of_packets).outlier


def _by_class(found: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    return {f"{schema.CLASS_NAMES[code]}, which it does not know": found[label == code] for code in np.unique(label)}


def _described(found: np.ndarray) -> dict:
    return {"objects": len(found), "median": float(np.median(found)), "high": float(np.mean(found > HIGH))}


def _area(found: np.ndarray, usual: np.ndarray) -> dict:
    return with_interval(auc(found, usual), auc_interval(found, usual))


def _shuffled(stamps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same pixels in another order, that of all three images: each has its values, and no shape."""
    flat = stamps.reshape(len(stamps), -1, stamps.shape[-1])
    order = rng.permuted(np.tile(np.arange(flat.shape[1]), (len(flat), 1)), axis=1)
    return np.take_along_axis(flat, order[..., None], axis=1).reshape(stamps.shape)


def _reversed(stamps: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return (1 - stamps).astype(stamps.dtype)  # each image is scaled to [0, 1]


def _half_masked(stamps: np.ndarray, _: np.random.Generator) -> np.ndarray:
    masked = stamps.copy()
    masked[:, :, : stamps.shape[2] // 2] = np.nan
    return masked


def _masked(stamps: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return np.full_like(stamps, np.nan)


def _exchanged(stamps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each object has the stamp of another, each stamp is used once."""
    order, other = rng.permutation(len(stamps)), np.empty(len(stamps), np.int64)
    other[order] = np.roll(order, 1)
    return stamps[other]


MANGLED: dict[str, Mangle] = {
    "pixels shuffled": _shuffled,
    "brightness reversed": _reversed,
    "half of the stamps masked": _half_masked,
    "stamps masked": _masked,
    "another object's stamps": _exchanged,
}


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
    lower, upper = area["interval"]
    return f"{area['value']:.2f} ({lower:.2f}–{upper:.2f})"


def section(unusual: dict) -> str:
    """The numbers, as a section of the page."""
    known = unusual["known"]
    rows = [[(KNOWN, ""), *_cells(known), ("", "")]]
    for of in unusual["unusual"]:
        lower, upper = of["auc"]["interval"]
        rows.append([(of["name"], ""), *_cells(of), (f"{of['auc']['value']:.2f}", f"{lower:.2f}–{upper:.2f}")])
    head = ["first alerts", "objects", "median score", f"above {HIGH}", "area under the ROC curve"]
    return page.section("What the outlier score finds", page.table(head, rows), page.paragraph(MEANING, "muted"))


def _cells(of: dict) -> list[tuple[str, str]]:
    return [(f"{of['objects']:,}", ""), (f"{of['median']:.2f}", ""), (percent(of["high"]), "")]
