"""What a report says of ranking: how well the probability of each class puts its objects before all others."""

import numpy as np

from jtss.metrics import priors
from jtss.metrics.classification import Ranking, ranking
from jtss.reports import figures, page
from jtss.reports.page import UNDEFINED, decimal

POINTS = 200  # of a curve that are kept, from the ends and between at equal steps


def scores(
    probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], proportions: np.ndarray | None
) -> dict[str, dict]:
    """Curves and the areas under them of every class against all others, as plain values; undefined ones are NaN.

    Args:
        probabilities: [B, L].
        labels: [B] integers.
        classes: L names.
        proportions: [L]; class priors, None where not known.
    """
    weights = None if proportions is None else priors.weights(labels, proportions)
    curves = {}
    for i, name in enumerate(classes):
        probability, positive = probabilities[:, i], labels == i
        whole = ranking(probability, positive)
        at_priors = np.nan if weights is None else ranking(probability, positive, weights).average_precision
        curves[name] = {
            "positives": int(positive.sum()),
            "auc": whole.auc,
            "average_precision": whole.average_precision,
            "average_precision_on_the_sky": float(at_priors),
            **_curves(whole),
        }
    return curves


def _curves(whole: Ranking) -> dict:
    """Both curves, thinned, each from its first point on; empty where undefined."""
    kept = np.unique(np.linspace(0, len(whole.threshold) - 1, POINTS).round().astype(int))
    roc = {"false_positive_rate": whole.false_positive_rate, "true_positive_rate": whole.recall}
    roc = {name: [0.0, *values[kept].tolist()] for name, values in roc.items()}
    pr = {"recall": whole.recall[kept].tolist(), "precision": whole.precision[kept].tolist()}
    both = {"roc": roc, "precision_recall": pr}
    return {kind: curve if _defined(curve) else {key: [] for key in curve} for kind, curve in both.items()}


def _defined(curve: dict[str, list]) -> bool:
    return all(np.isfinite(values).all() for values in curve.values())


def section(scores: dict[str, dict]) -> str:
    """The numbers, as a section of the page."""
    rows = [
        [(name, ""), (f"{of['positives']:,}", "")]
        + [(decimal(of[key], 4), "") for key in ("auc", "average_precision", "average_precision_on_the_sky")]
        for name, of in scores.items()
    ]
    head = ["class", "objects", "area under the ROC curve", "average precision", "average precision at class priors"]
    note = (
        "Each class against all others. The area under the ROC curve is the chance that an object of the class is"
        " given a higher probability of it than an object of another class. The last column is the average precision at"
        f" the class priors above ({UNDEFINED}: not known)."
    )
    return page.section(
        "Ranking",
        page.pictures(
            [
                ("ROC curve of every class", figures.roc_figure(scores)),
                ("Precision–recall curve of every class", figures.precision_recall_figure(scores)),
            ]
        ),
        page.table(head, rows),
        page.paragraph(note, "muted"),
    )
