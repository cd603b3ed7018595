"""What a report says of purity and completeness at given class priors."""

import numpy as np

from jtss.metrics import classification, priors
from jtss.metrics.intervals import CONFIDENCE, wilson_interval, with_interval
from jtss.metrics.priors import ClassPriors
from jtss.reports import page
from jtss.reports.page import interval, percent

AS_IT_IS, WEIGHTED = "as_classified", "reweighted"
TITLES = {
    AS_IT_IS: "With the most probable class by the model's own probabilities:",
    WEIGHTED: (
        "With the most probable class after the probabilities are multiplied by these priors and normalised, since the"
        " model was trained with equal ones:"
    ),
}
MEANING = (
    "Purity: of the objects predicted as a class, the fraction that belongs to it, at these priors: π·r / Σ π·r over"
    " the true classes, where r are the measured rates of being predicted as the class. Completeness: the fraction of a"
    " class that is predicted as such. In small print: {level} intervals, of purity from rates with Jeffreys' prior, of"
    " completeness Wilson's."
)
UNKNOWN = "No class priors are known for these classes; give them with --priors CLASS=FRACTION,…"


def scores(
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    given: ClassPriors,
) -> dict:
    """Purity, completeness and accuracy at given class priors, as plain values; undefined ones are NaN.

    Args:
        probabilities: [B, L].
        labels: [B] integers.
        classes: L names.
        given: priors; where the model was trained with equal ones, its probabilities are reweighted, too.
    """
    proportions, source, balanced = given
    equal = np.full(len(classes), 1 / len(classes))
    weighted = priors.reweighted(probabilities, proportions, equal) if balanced else None
    return {
        "shares": dict(zip(classes, map(float, proportions), strict=True)),
        "source": source,
        "confidence": CONFIDENCE,
        AS_IT_IS: _scores(probabilities, labels, classes, proportions),
        WEIGHTED: None if weighted is None else _scores(weighted, labels, classes, proportions),
    }


def _scores(probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], proportions: np.ndarray) -> dict:
    confusion = classification.confusion_matrix(labels, probabilities.argmax(axis=1), len(classes))
    support = confusion.sum(axis=1)
    rates = np.where(proportions > 0, classification.ratio(confusion, support[:, None]).T, 0)
    by_class = {}
    for i, name in enumerate(classes):
        predicted, hits = confusion[:, i], int(confusion[i, i])
        purity = priors.purity(predicted, support, proportions, i)
        completeness = classification.ratio(hits, support[i])
        by_class[name] = {
            "called": float((proportions * rates[i]).sum()),
            "purity": with_interval(purity, priors.purity_interval(predicted, support, proportions, i)),
            "completeness": with_interval(completeness, wilson_interval(hits, int(support[i]))),
        }
    return {"accuracy": priors.accuracy(confusion, proportions), "classes": by_class}


def text(scores: dict) -> str:
    """The purities, for the terminal."""
    lines = [f"at the class priors {_listed(scores)}:"]
    for key, words in ((AS_IT_IS, "as classified"), (WEIGHTED, "reweighted")):
        if scores[key]:
            cells = (
                f"{name} {percent(of['purity']['value'])} pure, {percent(of['completeness']['value'])} complete"
                for name, of in scores[key]["classes"].items()
            )
            lines.append(f"  {words}: {'; '.join(cells)}")
    return "\n".join(lines)


def section(scores: dict | None) -> str:
    """The numbers, as a section of the page; a hint where no priors are known."""
    title = "Purity at class priors"
    if scores is None:
        return page.section(title, page.paragraph(UNKNOWN, "muted"))
    parts = [page.paragraph(f"Class priors: {_listed(scores)}.")]
    for key, words in TITLES.items():
        if scores[key]:
            parts += [page.paragraph(words), _table(scores[key], scores["shares"])]
            parts.append(page.paragraph(f"Accuracy at these priors: {percent(scores[key]['accuracy'])}."))
    parts.append(page.paragraph(MEANING.format(level=f"{100 * scores['confidence']:.0f} %"), "muted"))
    return page.section(title, *parts)


def _listed(scores: dict) -> str:
    """ "AGN 31.8 %, SN 1.7 %, … (where from)"."""
    return f"{', '.join(f'{name} {percent(prior)}' for name, prior in scores['shares'].items())} ({scores['source']})"


def _table(scores: dict, proportions: dict[str, float]) -> str:
    rows = [
        [(name, ""), (percent(proportions[name]), ""), (percent(numbers["called"]), "")]
        + [(percent(numbers[key]["value"]), interval(numbers[key]["interval"])) for key in ("purity", "completeness")]
        for name, numbers in scores["classes"].items()
    ]
    return page.table(["class", "prior", "predicted", "purity", "completeness"], rows)
