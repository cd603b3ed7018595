"""What alerts that a model knows look like to it, in numbers: how unusual another one is, and when to abstain.

To a network an alert is the activations of its last hidden layer. Those of a class lie around their mean; how far an
alert is from the nearest mean, in units of the scatter within the classes, says how unusual it is: the smallest
Mahalanobis distance, with one covariance for all classes. Of an ensemble the squares of its members' are averaged.

Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
arXiv:1807.03888; abstention: Geifman and El-Yaniv 2017, "Selective classification for deep neural networks",
arXiv:1705.08500.
"""

from typing import NamedTuple

import numpy as np

N_QUANTILES = 201
SHARES = np.linspace(0, 1, N_QUANTILES)  # of alerts below each quantile
# Of the mean variance of a unit, added to each: a unit that no alert of the training ever raised has no scatter of its
# own, and the arithmetic of another device (bfloat16) changes activations by a percent.
RIDGE = 1e-3


class KnownAlerts(NamedTuple):
    """Known alerts as the M members of a model see them, with L classes and U units of the last hidden layer.

    Attributes:
        means: [M, L, U] float32; of the training alerts of each class.
        whitening: [M, U, U] float32; W, so that |W (x − mean)| is the Mahalanobis distance of activations x.
        distances: [Q] float64; quantiles of `distances` of held-out alerts, at equal steps from 0 to 1.
        confidences: [Q] float64; quantiles of their largest class probability, neither calibrated nor reweighted.
        fitted, held_out: [L] int64; how many training alerts of each class the first two are of, how many held-out ones
            the quantiles.
    """

    means: np.ndarray
    whitening: np.ndarray
    distances: np.ndarray
    confidences: np.ndarray
    fitted: np.ndarray
    held_out: np.ndarray


class Activations(NamedTuple):
    """What the M members of a model make of B alerts whose classes are known.

    Attributes:
        hidden: [B, M, U]; activations of the last hidden layer of each member.
        confidence: [B]; the largest class probability.
        label: [B] integers; of the L classes, each of which is there.
    """

    hidden: np.ndarray
    confidence: np.ndarray
    label: np.ndarray


def fit(training: Activations, held_out: Activations, n_classes: int) -> KnownAlerts:
    """What training alerts look like to a model, and others that it has not learnt from."""
    members = [_fit_member(hidden, training.label, n_classes) for hidden in np.moveaxis(training.hidden, 1, 0)]
    means, whitening = (np.stack(parts).astype(np.float32) for parts in zip(*members, strict=True))
    none = np.zeros(N_QUANTILES)
    counts = (np.bincount(each.label, minlength=n_classes).astype(np.int64) for each in (training, held_out))
    fitted = KnownAlerts(means, whitening, none, none, *counts)
    return fitted._replace(
        distances=np.quantile(distances(fitted, held_out.hidden), SHARES),
        confidences=np.quantile(held_out.confidence.astype(np.float64), SHARES),
    )


def _fit_member(hidden: np.ndarray, label: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Means [L, U] and whitening [U, U] of the activations [B, U] of one network."""
    hidden = hidden.astype(np.float64)
    means = np.stack([hidden[label == which].mean(axis=0) for which in range(n_classes)])
    scatter = hidden - means[label]
    covariance = scatter.T @ scatter / len(scatter)
    ridge = RIDGE * np.trace(covariance) / len(covariance) or 1.0  # without any scatter, plain distances
    return means, np.linalg.inv(np.linalg.cholesky(covariance + ridge * np.eye(len(covariance))))


def distances(known: KnownAlerts, hidden: np.ndarray) -> np.ndarray:
    """[B] float64: the root of the members' mean square of the smallest Mahalanobis distance, of [B, M, U]."""
    each = zip(known.means, known.whitening, np.moveaxis(hidden, 1, 0), strict=True)
    return np.sqrt(np.mean([_nearest_squared(*member) for member in each], axis=0))


def _nearest_squared(means: np.ndarray, whitening: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """[B]: of [L, U], [U, U] and [B, U]."""
    away = hidden.astype(np.float64)[:, None] - means
    return np.square(away @ whitening.astype(np.float64).T).sum(axis=-1).min(axis=1)


def outlier_scores(known: KnownAlerts, hidden: np.ndarray) -> np.ndarray:
    """[B] float32 from 0 to 1: the share of held-out alerts that are less unusual than [B, M, U]."""
    return np.interp(distances(known, hidden), known.distances, SHARES).astype(np.float32)


class Abstention(NamedTuple):
    """When a model abstains: where its largest class probability is below a level.

    Attributes:
        coverage: share of held-out alerts that it answers.
        level: the largest class probability that it takes, before any calibration or other class priors.
    """

    coverage: float
    level: float

    @property
    def name(self) -> str:
        return f"for a coverage of {100 * self.coverage:g} %"

    def note(self, confidence: float) -> str:
        """The remark on an alert of this largest class probability; "" where it is answered."""
        if confidence >= self.level:
            return ""
        shown = ((f"{confidence:.{digits}f}", f"{self.level:.{digits}f}") for digits in range(2, 18))
        own, level = next(pair for pair in shown if pair[0] != pair[1])
        return f"abstains: the model's largest probability is {own}, below {level}, the level {self.name}"


def abstention(known: KnownAlerts, coverage: float) -> Abstention:
    """When to abstain, so that a share `coverage` of held-out alerts, above 0 and at most 1, is answered."""
    return Abstention(coverage, float(np.interp(1 - coverage, SHARES, known.confidences)))


def like(n_members: int, n_classes: int, n_units: int) -> KnownAlerts:
    """Known alerts of the right shapes and types, which takes no memory."""
    shapes = {
        "means": (np.float32, (n_members, n_classes, n_units)),
        "whitening": (np.float32, (n_members, n_units, n_units)),
        "distances": (np.float64, (N_QUANTILES,)),
        "confidences": (np.float64, (N_QUANTILES,)),
        "fitted": (np.int64, (n_classes,)),
        "held_out": (np.int64, (n_classes,)),
    }
    return KnownAlerts(**{name: np.broadcast_to(kind(0), shape) for name, (kind, shape) in shapes.items()})


def check(known: KnownAlerts) -> None:
    """Raise ValueError, naming the array, where known alerts of the right shapes hold what none can."""
    for name, values in known._asdict().items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: {values[~np.isfinite(values)][0]}, expected numbers")
    for name, most in (("distances", np.inf), ("confidences", 1.0)):
        values = getattr(known, name)
        if np.any(np.diff(values) < 0) or not 0 <= values[0] <= values[-1] <= most:
            raise ValueError(f"{name}: expected quantiles, which do not fall, from 0 to {most:g} at the most")
    for name in ("fitted", "held_out"):
        least = getattr(known, name).min()
        if least < 1:
            raise ValueError(f"{name}: {least}, expected one alert of each class at the least")
