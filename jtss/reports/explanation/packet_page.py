"""The page that explains one alert by a model of packets: its light curve, and under it the answers after each row."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jtss.inference import portraits
from jtss.reports import page
from jtss.reports.colours import CLASS_COLOURS, GREY
from jtss.reports.explanation.packet import ExplainedPacket
from jtss.reports.explanation.page import HIDDEN, LEAST_SHOWN, NOT_THE_TRUTH, ablation_figure, occlusion_figure
from jtss.reports.figures import png, tidy
from jtss.reports.page import UNDEFINED, percent
from jtss.reports.stamps import portrait_picture

FILTER_COLOURS = {"g": "#009E73", "r": "#D55E00", "i": "#7A4FA3", "unknown": GREY}
WITHOUT = (
    "How much evidence for {name} is lost when the model is asked again without this part. Positive: it speaks for"
    " {name}. What another part tells as well counts for less here."
)


def html(document: dict, explained: ExplainedPacket) -> str:
    """The page of the document of `packet.explain`."""
    why, known = document["explained"], document["true_class"]
    truth = f"True class: {known}." if known else "No label."
    told = f"{why['n_detections']} detections and {why['n_limits']} upper limits"
    lacking = f" Missing: {why['missing']}." if why["missing"] else ""
    return page.page(
        document["object_id"],
        page.paragraph(f"{why['class']} {percent(why['probability'])}", "headline"),
        page.paragraph(
            f"Alert {document['candid']} with {told}.{lacking}{_unusual(why)} {truth} Explained: {why['run']}."
            f" {NOT_THE_TRUTH}",
            "muted",
        ),
        _course(document, explained),
        _evidence(why),
        *_images(document, explained),
        _origin(document),
    )


def _unusual(why: dict) -> str:
    """The outlier score in words; nothing where the model has none, or an older document does not tell it."""
    score = why.get("outlier")
    return "" if score is None else f" More unusual than {percent(score)} of held-out alerts."


def _course(document: dict, explained: ExplainedPacket) -> str:
    why, rows = document["explained"], document["rows"]
    shown = portraits.portrait(
        explained.alert,
        0,
        tuple(why["probabilities"]),
        np.array(list(why["probabilities"].values())),
        1,
        true_class=document["true_class"] or "",
    )
    pictures = [
        ("Light curve and probabilities", course_figure(rows)),
        ("Stamps and probabilities", portrait_picture(shown)),
    ]
    classes = list(why["probabilities"])
    cells = [
        [
            (f"{row['days']:+.2f} d", ""),
            (row["kind"], row["filter"]),
            (f"{row['magnitude']:.2f} mag" if np.isfinite(row["magnitude"]) else UNDEFINED, ""),
            *((percent(row["probabilities"][name]), "") for name in classes),
            (UNDEFINED if row["log_odds_change"] is None else f"{row['log_odds_change']:+.2f}", ""),
        ]
        for row in rows
    ]
    head = ["time", "row", "magnitude or limit", *classes, f"evidence for {why['class']}"]
    parts = [page.pictures(pictures), page.paragraph(_in_words(rows)), page.folded("All rows", page.table(head, cells))]
    return page.section("How the answer came about", *parts)


def _in_words(rows: Sequence[dict]) -> str:
    """Where the answer changed, from the first detection on."""
    first, *later = _detected(rows)
    if len(rows) == 1:
        return f"The packet tells nothing of the past: {first['class']} by the alert alone."
    if not later:
        return f"It was not detected in the 30 days before: {first['class']} by the alert and the limits."
    changes = [row for row in later if row["changes_the_class"]]
    if not changes:
        return f"{first['class']} from the first detection on."
    changed = ", ".join(f"{row['class']} with the {row['kind']} {_ago(row['days'])}" for row in changes)
    return f"{first['class']} after the first detection, {changed}."


def _detected(rows: Sequence[dict]) -> Sequence[dict]:
    """The rows from the first detection on: before it there is nothing to classify."""
    return rows[next(i for i, row in enumerate(rows) if row["kind"] != "limit") :]


def _ago(days: float) -> str:
    return "itself" if days == 0 else f"{-days:.1f} days before the alert"


def course_figure(rows: Sequence[dict]) -> bytes:
    """Draw the light curve with its limits, and under it the probabilities after each row from the first detection on.

    Args:
        rows: in time order; see `packet.explain`.
    """
    figure = Figure(figsize=(6.6, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1))
    days = np.array([row["days"] for row in rows])
    for name, colour in FILTER_COLOURS.items():
        for kind, marker, size in (("limit", "v", 22), ("detection", "o", 30), ("alert", "*", 130)):
            mine = [i for i, row in enumerate(rows) if (row["filter"], row["kind"]) == (name, kind)]
            if mine:
                faces = "none" if kind == "limit" else colour
                magnitudes = [rows[i]["magnitude"] for i in mine]
                look = {"s": size, "marker": marker, "facecolors": faces, "edgecolors": colour}
                upper.scatter(days[mine], magnitudes, label=f"{name} {kind}", **look)
    upper.invert_yaxis()
    upper.set_ylabel("magnitude", fontsize=12)
    tidy(upper)
    upper.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    answered = _detected(rows)
    likely = {name: None for row in answered for name, p in row["probabilities"].items() if p >= LEAST_SHOWN}
    for name in likely:
        values = [100 * row["probabilities"][name] for row in answered]
        lower.plot(
            days[-len(answered) :],
            values,
            "o-",
            color=CLASS_COLOURS.get(name, GREY),
            markersize=4,
            linewidth=1.6,
            label=name,
        )
    lower.set_ylim(-3, 103)
    lower.set_ylabel("probability [%]", fontsize=12)
    lower.set_xlabel("days from the alert", fontsize=12)
    tidy(lower)
    lower.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    return png(figure)


def _evidence(why: dict) -> str:
    if not why["groups"]:
        return ""
    picture = ablation_figure(why["groups"], why["class"], "What is lost without each part")
    return page.section(
        "What the answer rests on",
        page.pictures([("What the answer loses without each part", picture)]),
        page.paragraph(WITHOUT.format(name=why["class"]), "muted"),
    )


def _images(document: dict, explained: ExplainedPacket) -> list[str]:
    if explained.occlusion is None:
        return []
    why = document["explained"]
    of_stamps = [document["rows"][row] for row in explained.stamp_rows]
    times = [row["filter"] if row["days"] == 0 else f"{row['filter']}, {row['days']:.1f} d" for row in of_stamps]
    picture = occlusion_figure(explained.occlusion, explained.stamps, why["occlusion"]["channels"], times)
    text = HIDDEN.format(side=explained.occlusion.side, name=why["class"])
    parts = [page.pictures([("What hiding a part of a stamp does", picture)]), page.paragraph(text, "muted")]
    return [page.section("Which parts of the stamps matter", *parts)]


def _origin(document: dict) -> str:
    why = document["explained"]
    pairs = [("object", document["object_id"]), ("alert", str(document["candid"])), ("from", document["source"])]
    pairs += [("command", document["command"]), ("model", f"{why['run']}, version {why['version']}")]
    return page.section("Origin", page.facts([*pairs, ("made", document["created"])]))
