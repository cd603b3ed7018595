"""The page that explains one object."""

from collections.abc import Sequence

import numpy as np

from jtss.reports import cards, explanation_plots, page
from jtss.reports.explain import Occlusion
from jtss.reports.stamp_plots import card_picture
from jtss.reports.wording import UNDEFINED, percent
from jtss.schema import Sequences

HIDDEN = (
    "A patch of {side} × {side} pixels, as bright as the middle of the stamp, slides over what the model reads of each"
    " stamp. Red: without this place the probability of {name} falls; blue: it rises. North is up."
)
REPLACED = (
    "Each value in turn is replaced by its mean over the training data, a dynamic one in all detections. Positive: it"
    " speaks for {name}. A value that others can stand in for may matter more than this tells."
)
NOT_THE_TRUTH = "This shows what the answer rests on. It does not show that the answer is right."
ONE_MODEL = (
    "This model answers once, after {n}. For the probabilities after each detection give models for fewer"
    " detections, too: --ckpt RUN RUN…"
)


def html(found: dict, one: Sequences, stamps: np.ndarray, occlusion: Occlusion | None) -> str:
    """The page of an explanation's document.

    Args:
        found: see `explanation.document`.
        one: the object.
        stamps: [N, S, S, C]; as the model reads them.
        occlusion: of these; None for a model without images.
    """
    why, known = found["explained"], found["true_class"]
    truth = f"Its label is {known}." if known else "It has no label."
    headline = f"{why['class']} {percent(why['probability'])}"
    parts = [
        page.paragraph(headline, "headline"),
        page.paragraph(f"{truth} Explained: {why['run']}. {NOT_THE_TRUTH}", "muted"),
        _scores(found, one),
        *_images(found, stamps, occlusion),
        _values(why),
        _origin(found),
    ]
    return page.page(found["object_id"], *parts)


def _explained(found: dict) -> dict:
    return next(answer for answer in found["trajectory"] if answer["run"] == found["explained"]["run"])


def _scores(found: dict, one: Sequences) -> str:
    answers, mine = found["trajectory"], _explained(found)
    chances = mine["probabilities"]
    shown = cards.card(
        one,
        0,
        tuple(chances),
        np.array(list(chances.values())),
        mine["n_detections"],
        true_class=found["true_class"] or "",
    )
    pictures = [("Stamps and probabilities", card_picture(shown))]
    if len(answers) > 1:
        pictures.append(("Probabilities after each detection", explanation_plots.trajectory_figure(answers)))
    classes = list(dict.fromkeys(name for answer in answers for name in answer["probabilities"]))
    rows = [
        [(answer["run"], f"n = {answer['n_detections']}, +{answer['days']:.1f} d")]
        + [(_chance(answer["probabilities"].get(name)), "") for name in classes]
        for answer in answers
    ]
    parts = [page.pictures(pictures), page.table(["model", *classes], rows)]
    if len(answers) == 1:
        parts.append(page.paragraph(ONE_MODEL.format(n=_count(mine["n_detections"])), "muted"))
    if found["not_read_by"]:
        parts.append(page.paragraph(f"Too few detections for {', '.join(found['not_read_by'])}.", "muted"))
    return page.section("What it says", *parts)


def _count(n: int) -> str:
    return "1 detection" if n == 1 else f"{n} detections"


def _chance(value: float | None) -> str:
    return UNDEFINED if value is None else percent(value)


def _images(found: dict, stamps: np.ndarray, occlusion: Occlusion | None) -> list[str]:
    if occlusion is None:
        return []
    why = found["explained"]
    times = [f"+{of['days']:.1f} d, {of['filter']}" for of in found["detections"][: len(stamps)]]
    channels = why["occlusion"]["channels"]
    picture = explanation_plots.occlusion_figure(occlusion, stamps, channels, times)
    largest = np.array(why["occlusion"]["largest_drop"])
    rows = [[(time, ""), *((percent(drop), "") for drop in drops)] for time, drops in zip(times, largest, strict=True)]
    text = HIDDEN.format(side=occlusion.side, name=why["class"])
    return [
        page.section(
            "Where it looks",
            page.pictures([("What hiding a part of a stamp does", picture)]),
            page.paragraph(text, "muted"),
            page.paragraph("The most that a patch takes from the probability:"),
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
    picture = explanation_plots.ablation_figure(why["metadata"], why["class"])
    return page.section(
        "Which values it uses",
        page.pictures([("Change of the log-odds where a value is replaced", picture)]),
        page.paragraph(REPLACED.format(name=why["class"]), "muted"),
        page.folded("All values", page.table(head, rows)),
    )


def _words(values: Sequence[float], unit: str) -> str:
    text = ", ".join(f"{value:.4g}" if np.isfinite(value) else "missing" for value in values)
    return f"{text} {unit}".strip()


def _origin(found: dict) -> str:
    pairs = [("object", found["object_id"]), ("from", found["source"]), ("command", found["command"])]
    pairs += [("model", f"{of['run']}, version {of['version']}") for of in found["trajectory"]]
    pairs += [("made", found["created"])]
    return page.section("Origin", page.facts(pairs))
