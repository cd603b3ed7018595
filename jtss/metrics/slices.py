"""Accuracy in slices of a test set: by magnitude, filter, latitude, host, history, catalogue and missing pixels."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jtss.metrics.intervals import hit_rate
from jtss.metrics.properties import INSIDE, NO_PIXEL_MISSING, OUTSIDE, Properties

FEW = 30  # objects; below, the interval of an accuracy near 90 % spans more than 20 points


class Slice(NamedTuple):
    """Some of B objects.

    Attributes:
        name: what they have in common.
        inside: [B] bool.
    """

    name: str
    inside: np.ndarray


class Cut(NamedTuple):
    """A property, and the slices by it; no object is in two of them."""

    name: str
    slices: list[Slice]


def by_edges(values: np.ndarray, edges: tuple[float, ...], unit: str = "", absent: str = "unknown") -> list[Slice]:
    """Slices of values [B] between edges, lower edge included, and one of those without value.

    Args:
        values: [B], NaN where unknown.
        edges: ascending; below the first and from the last on are slices, too.
        unit: of the values.
        absent: name of the slice of those without value.
    """
    where, known = np.searchsorted(edges, values, side="right"), np.isfinite(values)
    end = unit if unit in ("", "°", "″") else f" {unit}"
    first = " day" if end == " days" and edges[0] == 1 else end
    names = [f"below {edges[0]:g}{first}"]
    names += [f"{low:g} to {high:g}{end}" for low, high in pairwise(edges)]
    names += [f"{edges[-1]:g}{end} or more"]
    slices = [Slice(name, known & (where == i)) for i, name in enumerate(names)]
    return [*slices, Slice(absent, ~known)]


def by_value(values: np.ndarray, names: dict[int, str]) -> list[Slice]:
    """Slices of the objects whose value [B] is the one named."""
    return [Slice(name, values == value) for value, name in names.items()]


def cuts(properties: Properties, n_detections: int) -> list[Cut]:
    """All slices of B objects; those by days only of models that read more than one detection."""
    seen = by_edges(properties.seen_before, (2, 6, 21, 101))
    missing = {NO_PIXEL_MISSING: "none", OUTSIDE: "outside the central 21 × 21", INSIDE: "inside the central 21 × 21"}
    every = [
        Cut("magnitude", by_edges(properties.magnitude_mag, (17, 18, 19, 20), "mag")),
        Cut("filter", by_value(properties.fid, {1: "g", 2: "r", 3: "i", 0: "unknown"})),
        Cut("galactic latitude", by_edges(properties.gal_b_deg, (10, 20, 40), "°")),
        Cut("host offset (distpsnr1)", by_edges(properties.host_arcsec, (0.5, 1.5, 5), "″", "no source")),
        Cut("detections so far (ndethist)", [slice_._replace(name=_whole(slice_.name)) for slice_ in seen]),
        Cut("AllWISE colours", by_value(properties.has_allwise.astype(int), {1: "present", 0: "missing"})),
        Cut("missing pixels", by_value(properties.missing, missing)),
    ]
    if n_detections > 1:
        every.insert(0, Cut("days since first detection", by_edges(properties.days, (1, 3, 7, 14, 30), "days")))
    return every


def _whole(name: str) -> str:
    """Names of whole numbers: "6 to 21" are 6 to 20."""
    low, to, high = name.partition(" to ")
    return f"{low} to {int(high) - 1}" if to else {"below 2": "1"}.get(name, name)


def scores(cut: Cut, predicted: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Accuracy of each slice that has objects, as plain values.

    Args:
        cut: slices of B objects.
        predicted, labels: [B] integers.
        classes: L names.

    Returns:
        {name, slices: [{name, objects, correct, accuracy, wilson_interval, few, classes: {class: {objects, correct}}}]}
    """
    correct = predicted == labels
    rows = []
    for name, inside in cut.slices:
        total, hits = int(inside.sum()), int((inside & correct).sum())
        if not total:
            continue
        of_class = {
            label: {
                "objects": int(np.sum(inside & (labels == i))),
                "correct": int(np.sum(inside & correct & (labels == i))),
            }
            for i, label in enumerate(classes)
        }
        rows.append(
            {
                "name": name,
                **hit_rate(hits, total),
                "few": total < FEW,
                "classes": of_class,
            }
        )
    return {"name": cut.name, "slices": rows}
