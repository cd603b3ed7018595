"""What a report says of purity and completeness at the shares that the classes have on the sky."""

import numpy as np

from jtss.metrics import classification, priors
from jtss.metrics.intervals import CONFIDENCE, wilson_interval
from jtss.metrics.priors import ClassPriors
from jtss.reports import page
from jtss.reports.page import interval, percent

AS_IT_IS, WEIGHTED = "as_classified", "reweighted"
TITLES = {
    AS_IT_IS: "The most probable class, as the model says it:",
    WEIGHTED: (
        "The most probable class after its probabilities are multiplied by these shares and normalised, since the model"
        " was trained with equal ones:"
    ),
}
MEANING = (
    "Purity: of those called a class, the part that is of it, on a sky with these shares: π·r / Σ π·r over the true"
    " classes, r their measured rates of being called so. Completeness: of the class, the part that is found. Small:"
    " {level} intervals, of purity from rates with Jeffreys' prior, of completeness Wilson's."
)


def scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    sky: ClassPriors,
) -> dict:
    """Purity, completeness and accuracy on a sky with given shares, as plain values; undefined ones are NaN.

    Args:
        probabilities: [B, L].
        labels: [B] integers.
        classes: L names.
        sky: shares; where the model was trained with equal ones, its probabilities are reweighted, too.
    """
    shares, source, balanced = sky
    equal = np.full(len(classes), 1 / len(classes))
    weighted = priors.reweighted(probabilities, shares, equal) if balanced else None
    return {
        "shares": dict(zip(classes, map(float, shares), strict=True)),
        "source": source,
        "confidence": CONFIDENCE,
        AS_IT_IS: _scores(probabilities, labels, classes, shares),
        WEIGHTED: None if weighted is None else _scores(weighted, labels, classes, shares),
    }


def _scores(probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], shares: np.ndarray) -> dict:
    confusion = classification.confusion_matrix(labels, probabilities.argmax(axis=1), len(classes))
    support = confusion.sum(axis=1)
    rates = np.where(shares > 0, classification.ratio(confusion, support[:, None]).T, 0)
    found = {}
    for i, name in enumerate(classes):
        called, hits = confusion[:, i], int(confusion[i, i])
        limits = {
            "purity": priors.purity_interval(called, support, shares, i),
            "completeness": wilson_interval(hits, int(support[i])),
        }
        values = {
            "purity": float(priors.purity(called, support, shares, i)),
            "completeness": float(classification.ratio(hits, support[i])),
        }
        found[name] = {"called": float((shares * rates[i]).sum())} | {
            key: {"value": value, "interval": [float(limit) for limit in limits[key]]} for key, value in values.items()
        }
    return {"accuracy": priors.accuracy(confusion, shares), "classes": found}


def text(found: dict) -> str:
    """The purities, for the terminal."""
    shares = ", ".join(f"{name} {percent(share)}" for name, share in found["shares"].items())
    lines = [f"on a sky of {shares} ({found['source']}):"]
    for key, words in ((AS_IT_IS, "as classified"), (WEIGHTED, "reweighted")):
        if found[key]:
            cells = (
                f"{name} {percent(of['purity']['value'])} pure, {percent(of['completeness']['value'])} complete"
                for name, of in found[key]["classes"].items()
            )
            lines.append(f"  {words}: {'; '.join(cells)}")
    return "\n".join(lines)


def section(found: dict | None) -> str:
    """The numbers, as a section of the page; a hint where no shares are known."""
    title = "At the shares of the sky"
    if found is None:
        hint = "No shares of these classes on the sky are known; give them by --priors CLASS=SHARE,…"
        return page.section(title, page.paragraph(hint, "muted"))
    shares = ", ".join(f"{name} {percent(share)}" for name, share in found["shares"].items())
    parts = [page.paragraph(f"Where objects are {shares} ({found['source']}).")]
    for key, words in TITLES.items():
        if found[key]:
            parts += [page.paragraph(words), _table(found[key], found["shares"])]
            parts.append(page.paragraph(f"Accuracy on this sky: {percent(found[key]['accuracy'])}."))
    parts.append(page.paragraph(MEANING.format(level=f"{100 * found['confidence']:.0f} %"), "muted"))
    return page.section(title, *parts)


def _table(found: dict, shares: dict[str, float]) -> str:
    rows = [
        [(name, ""), (percent(shares[name]), ""), (percent(numbers["called"]), "")]
        + [(percent(numbers[key]["value"]), interval(numbers[key]["interval"])) for key in ("purity", "completeness")]
        for name, numbers in found["classes"].items()
    ]
    return page.table(["class", "share", "called so", "purity", "completeness"], rows)
