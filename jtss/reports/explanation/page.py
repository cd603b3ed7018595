"""The page that explains one object: probabilities by detection, what a patch takes away, what a value does."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from jtss.inference import portraits
from jtss.reports import page
from jtss.reports.colours import BLUE, CLASS_COLOURS, GREY, VERMILION
from jtss.reports.explanation.occlusion import Occlusion, per_pixel
from jtss.reports.figures import png, tidy
from jtss.reports.page import UNDEFINED, percent
from jtss.reports.stamps import portrait_picture, stretch
from jtss.schema import Sequences

LEAST_SCALE = 0.02  # of probability: smaller drops are not blown up to full colour
LEAST_SHOWN = 0.01  # of probability
N_VALUES = 15

HIDDEN = (
    "A patch of {side} × {side} pixels, at the median brightness of the stamp, slides over the part of each stamp that"
    " the model reads. Red: hiding this place lowers the probability of {name}; blue: it raises it. North is up."
)
REPLACED = (
    "Each value in turn is replaced by its mean over the training data, a dynamic one in all detections. Positive: the"
    " value speaks for {name}. Where other values carry the same information, one may matter more than this shows."
)
NOT_THE_TRUTH = "This shows what the prediction depends on. It does not show that the prediction is right."
ONE_MODEL = (
    "This model predicts once, after {n}. To see the probabilities after each detection, add models of fewer"
    " detections (--beside)."
)


def html(document: dict, one: Sequences, stamps: np.ndarray, occlusion: Occlusion | None) -> str:
    """The page of an explanation's document.

    Args:
        document: see `explanation.explain`.
        one: the object.
        stamps: [N, S, S, C]; as the model reads them.
        occlusion: of these; None for a model without images.
    """
    why, known = document["explained"], document["true_class"]
    truth = f"True class: {known}." if known else "No label."
    headline = f"{why['class']} {percent(why['probability'])}"
    parts = [
        page.paragraph(headline, "headline"),
        page.paragraph(f"{truth} Explained: {why['run']}. {NOT_THE_TRUTH}", "muted"),
        _scores(document, one),
        *_images(document, stamps, occlusion),
        _values(why),
        _origin(document),
    ]
    return page.page(document["object_id"], *parts)


def trajectory_figure(predictions: Sequence[dict]) -> bytes:
    """Draw the probability of each class after each number of detections; no class that is never likely.

    Args:
        predictions: of models, in the order of their detections; see `explanation.explain`.
    """
    figure = Figure(figsize=(4.9, 3.6), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(predictions))
    likely = (name for of in predictions for name, p in of["probabilities"].items() if p >= LEAST_SHOWN)
    classes = dict.fromkeys(likely)
    for name in classes:
        values = [100 * prediction["probabilities"].get(name, np.nan) for prediction in predictions]
        axes.plot(places, values, "o-", color=CLASS_COLOURS.get(name, GREY), linewidth=1.8, markersize=7, label=name)
    axes.set_xticks(places, [f"n = {of['n_detections']}\n+{of['days']:.1f} d" for of in predictions], fontsize=10)
    axes.set_xlim(-0.3, len(predictions) - 0.7)
    axes.set_ylim(-3, 103)
    axes.set_ylabel("probability [%]", fontsize=12)
    axes.set_title("After each detection", fontsize=13)
    tidy(axes)
    figure.legend(frameon=False, fontsize=10, loc="outside lower center", ncols=len(classes))
    return png(figure)


def occlusion_figure(occlusion: Occlusion, stamps: np.ndarray, channels: Sequence[str], times: Sequence[str]) -> bytes:
    """Draw the stamps that the model reads, and over them what hiding a place takes from the probability.

    Args:
        occlusion: of these stamps.
        stamps: [N, S, S, C].
        channels: C names.
        times: N names of the detections.
    """
    n, size, _, n_channels = stamps.shape
    drop = 100 * per_pixel(occlusion, size)
    scale = max(float(np.abs(drop).max()), 100 * LEAST_SCALE)
    figure = Figure(figsize=(1.35 * n_channels + 0.7, 1.5 * n + 0.9), layout="constrained")
    grid = figure.subplots(n, n_channels, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        axes.imshow(stretch(stamps[row, :, :, column]), cmap="gray", origin="lower", vmin=0, vmax=1)
        shade = drop[row, column]
        drawn = axes.imshow(
            shade,
            cmap="RdBu_r",
            norm=TwoSlopeNorm(0, -scale, scale),
            alpha=0.75 * np.clip(np.abs(shade) / scale, 0, 1) ** 0.5,
            origin="lower",
        )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        if row == 0:
            axes.set_title(channels[column], fontsize=10.5)
        if column == 0:
            axes.set_ylabel(times[row], fontsize=10)
    bar = figure.colorbar(drawn, ax=grid, shrink=0.8, location="bottom", aspect=30)
    bar.set_label("drop of the probability [percentage points]", fontsize=10)
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)
    return png(figure)


def ablation_figure(values: Sequence[dict], name: str, title: str = "Effect of each value") -> bytes:
    """Draw the values, or groups of them, that count most: to the right those that speak for the class.

    Args:
        values: those that count most first; see `explanation.explain`.
        name: of the class.
        title: above the picture.
    """
    shown = values[:N_VALUES]
    change = np.array([of["log_odds_change"] for of in shown])
    figure = Figure(figsize=(4.9, 0.9 + 0.3 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(np.arange(len(shown)), change, color=np.where(change > 0, BLUE, VERMILION), height=0.7)
    axes.axvline(0, color="#222222", linewidth=0.8)
    axes.set_yticks(np.arange(len(shown)), [of["name"] for of in shown], fontsize=10)
    axes.invert_yaxis()
    axes.set_xlabel(f"evidence for {name} (right) or against it\nlog-odds [nat]", fontsize=11)
    axes.set_title(title, fontsize=13)
    tidy(axes)
    axes.tick_params(axis="y", length=0)
    return png(figure)


def _explained(document: dict) -> dict:
    return next(of for of in document["trajectory"] if of["run"] == document["explained"]["run"])


def _scores(document: dict, one: Sequences) -> str:
    predictions, mine = document["trajectory"], _explained(document)
    probabilities = mine["probabilities"]
    shown = portraits.portrait(
        one,
        0,
        tuple(probabilities),
        np.array(list(probabilities.values())),
        mine["n_detections"],
        true_class=document["true_class"] or "",
    )
    pictures = [("Stamps and probabilities", portrait_picture(shown))]
    if len(predictions) > 1:
        pictures.append(("Probabilities after each detection", trajectory_figure(predictions)))
    classes = list(dict.fromkeys(name for prediction in predictions for name in prediction["probabilities"]))
    rows = [
        [(prediction["run"], f"n = {prediction['n_detections']}, +{prediction['days']:.1f} d")]
        + [(_probability(prediction["probabilities"].get(name)), "") for name in classes]
        for prediction in predictions
    ]
    parts = [page.pictures(pictures), page.table(["model", *classes], rows)]
    if len(predictions) == 1:
        parts.append(page.paragraph(ONE_MODEL.format(n=_count(mine["n_detections"])), "muted"))
    if document["not_read_by"]:
        parts.append(page.paragraph(f"Too few detections for {', '.join(document['not_read_by'])}.", "muted"))
    return page.section("Prediction", *parts)


def _count(n: int) -> str:
    return "1 detection" if n == 1 else f"{n} detections"


def _probability(value: float | None) -> str:
    return UNDEFINED if value is None else percent(value)


def _images(document: dict, stamps: np.ndarray, occlusion: Occlusion | None) -> list[str]:
    if occlusion is None:
        return []
    why = document["explained"]
    times = [f"+{of['days']:.1f} d, {of['filter']}" for of in document["detections"][: len(stamps)]]
    channels = why["occlusion"]["channels"]
    picture = occlusion_figure(occlusion, stamps, channels, times)
    largest = np.array(why["occlusion"]["largest_drop"])
    rows = [[(time, ""), *((percent(drop), "") for drop in drops)] for time, drops in zip(times, largest, strict=True)]
    text = HIDDEN.format(side=occlusion.side, name=why["class"])
    return [
        page.section(
            "Which parts of the stamps matter",
            page.pictures([("What hiding a part of a stamp does", picture)]),
            page.paragraph(text, "muted"),
            page.paragraph("Largest drop of the probability under a patch:"),
            page.table(["", *channels], rows),
        )
    ]


def _values(why: dict) -> str:
    if not why["metadata"]:
        return ""
    rows = [
        [
            (of["name"], of["of"]),
            (_words(of["values"], of["unit"]), ""),
            (f"{of['training_mean']:.4g}", ""),
            (f"{of['log_odds_change']:+.2f}", ""),
        ]
        for of in why["metadata"]
    ]
    head = ["value", "here", "training mean", "log-odds"]
    picture = ablation_figure(why["metadata"], why["class"])
    return page.section(
        "Which metadata matter",
        page.pictures([("Change of the log-odds where a value is replaced", picture)]),
        page.paragraph(REPLACED.format(name=why["class"]), "muted"),
        page.folded("All values", page.table(head, rows)),
    )


def _words(values: Sequence[float], unit: str) -> str:
    text = ", ".join(f"{value:.4g}" if np.isfinite(value) else "missing" for value in values)
    return f"{text} {unit}".strip()


def _origin(document: dict) -> str:
    pairs = [("object", document["object_id"]), ("from", document["source"]), ("command", document["command"])]
    pairs += [("model", f"{of['run']}, version {of['version']}") for of in document["trajectory"]]
    pairs += [("made", document["created"])]
    return page.section("Origin", page.facts(pairs))
