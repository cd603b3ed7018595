"""How unusual an alert is, by another road, and what the promised shares are of."""

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.stats import kstest

from jtss.inference import known_alerts
from jtss.inference.known_alerts import Abstention, Activations

N_CLASSES, N_UNITS, N_MEMBERS, N = 3, 5, 2, 900


def alerts(seed: int, n: int = N) -> Activations:
    """Alerts of three classes whose activations scatter alike, in directions that are not those of the units."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    means = fixed.normal(scale=4, size=(N_MEMBERS, N_CLASSES, N_UNITS))
    mixing = fixed.normal(size=(N_MEMBERS, N_UNITS, N_UNITS))
    label = np.arange(n) % N_CLASSES
    scatter = np.einsum("muv,bmv->bmu", mixing, rng.normal(size=(n, N_MEMBERS, N_UNITS)))
    hidden = np.moveaxis(means[:, label], 0, 1) + scatter
    return Activations(hidden.astype(np.float32), rng.beta(4, 1, n).astype(np.float32), label)


TRAINING, HELD_OUT = alerts(1), alerts(2)
FITTED = known_alerts.fit(TRAINING, HELD_OUT, N_CLASSES)


def by_scipy(hidden: np.ndarray) -> np.ndarray:
    """[B]: one alert, network and class at a time, by the inverse of the covariance."""
    squares = np.zeros((len(hidden), N_MEMBERS))
    for m in range(N_MEMBERS):
        x = TRAINING.hidden[:, m].astype(np.float64)
        means = [x[TRAINING.label == which].mean(axis=0) for which in range(N_CLASSES)]
        within = [np.cov(x[TRAINING.label == which], rowvar=False, bias=True) for which in range(N_CLASSES)]
        covariance = np.mean(within, axis=0)  # the classes are equally common
        ridge = known_alerts.RIDGE * np.diag(covariance).mean()
        precision = np.linalg.inv(covariance + ridge * np.eye(N_UNITS))
        for b, one in enumerate(hidden[:, m].astype(np.float64)):
            squares[b, m] = min(distance.mahalanobis(one, mean, precision) for mean in means) ** 2
    return np.sqrt(squares.mean(axis=1))


def test_distances_are_those_of_scipy():
    strange = np.random.default_rng(3).normal(scale=9, size=(40, N_MEMBERS, N_UNITS))
    for hidden in (HELD_OUT.hidden[:60], strange):
        np.testing.assert_allclose(known_alerts.distances(FITTED, hidden), by_scipy(hidden), rtol=1e-5)


def test_a_planted_fault_shows():
    """What the test above would let pass it would not be worth having for."""
    hidden = HELD_OUT.hidden[:60]
    faults = {
        "whitening the wrong way round": {"whitening": np.swapaxes(FITTED.whitening, 1, 2)},
        "members exchanged": {"means": FITTED.means[::-1]},
        "a class left out": {"means": FITTED.means[:, 1:]},
    }
    for name, changes in faults.items():
        wrong = known_alerts.distances(FITTED._replace(**changes), hidden)
        assert not np.allclose(wrong, by_scipy(hidden), rtol=1e-2), name


def test_a_score_is_the_share_of_held_out_alerts_that_are_less_unusual():
    scores = known_alerts.outlier_scores(FITTED, HELD_OUT.hidden)
    assert scores.dtype == np.float32
    own = known_alerts.distances(FITTED, HELD_OUT.hidden)
    less_unusual = (own[:, None] > own).mean(axis=1)
    np.testing.assert_allclose(scores, less_unusual, atol=1 / N + 1 / known_alerts.N_QUANTILES)
    assert kstest(known_alerts.outlier_scores(FITTED, alerts(4).hidden), "uniform").pvalue > 0.01


def test_a_score_grows_with_the_distance_and_ends_at_one():
    away = np.geomspace(1e-3, 1e6, 80)[:, None, None] * np.ones((N_MEMBERS, N_UNITS)) + FITTED.means[:, 0]
    distances, scores = known_alerts.distances(FITTED, away), known_alerts.outlier_scores(FITTED, away)
    order = np.argsort(distances)
    assert (np.diff(scores[order]) >= 0).all()
    assert scores[order[0]] == 0  # at the mean itself
    assert (scores[distances > FITTED.distances[-1]] == 1).all()
    assert scores[-1] == 1
    assert known_alerts.outlier_scores(FITTED, away[:0]).shape == (0,)


def test_a_unit_that_training_never_raised_makes_an_alert_unusual():
    def with_dead_unit(one: Activations) -> Activations:
        return one._replace(hidden=np.concatenate([one.hidden, np.zeros_like(one.hidden[..., :1])], axis=-1))

    training, held_out = map(with_dead_unit, (TRAINING, HELD_OUT))
    fitted = known_alerts.fit(training, held_out, N_CLASSES)
    np.testing.assert_allclose(fitted.distances, FITTED.distances, rtol=0.03)  # but for its share of the ridge
    raised = held_out.hidden.copy()
    raised[..., -1] = 10
    assert (known_alerts.outlier_scores(fitted, raised) == 1).all()
    still = np.zeros_like(training.hidden)  # all units are dead
    nowhere = known_alerts.fit(training._replace(hidden=still), held_out._replace(hidden=still), N_CLASSES)
    assert (known_alerts.distances(nowhere, still) == 0).all()
    assert (known_alerts.outlier_scores(nowhere, still + 1) == 1).all()


@pytest.mark.parametrize("coverage", [0.05, 0.5, 0.9, 0.995, 1.0])
def test_the_share_that_is_answered_is_the_coverage(coverage):
    found = known_alerts.abstention(FITTED, coverage)
    notes = [found.note(confidence) for confidence in HELD_OUT.confidence]
    assert notes.count("") / N == pytest.approx(coverage, abs=1 / N + 1e-9)
    fresh = alerts(5, 3000).confidence
    assert (fresh >= found.level).mean() == pytest.approx(coverage, abs=0.03)


def test_a_note_says_both_numbers_so_that_they_differ():
    text = "abstains: the model's largest probability is {}, below {}, the level for a coverage of 90 %"
    assert Abstention(0.9, 0.61).note(0.52) == text.format("0.52", "0.61")
    assert Abstention(0.9, 0.99942).note(np.float32(0.999)) == text.format("0.9990", "0.9994")
    assert Abstention(0.9, 0.5).note(0.5) == ""
    assert Abstention(0.29, 0.5).name == "for a coverage of 29 %"


def test_what_is_fitted_has_the_shapes_that_are_expected_and_passes():
    known_alerts.check(FITTED)
    for name, like in known_alerts.like(N_MEMBERS, N_CLASSES, N_UNITS)._asdict().items():
        found = getattr(FITTED, name)
        assert (found.shape, found.dtype) == (like.shape, like.dtype), name
    assert FITTED.fitted.tolist() == FITTED.held_out.tolist() == [N // N_CLASSES] * N_CLASSES


@pytest.mark.parametrize(
    ("name", "at", "value", "message"),
    [
        ("means", (0, 0, 0), np.nan, "means: nan, expected numbers"),
        ("whitening", (1, 2, 0), np.inf, "whitening: inf, expected numbers"),
        ("distances", 7, 1e9, "distances: expected quantiles, which do not fall"),
        ("distances", 0, -1, "distances: expected quantiles"),
        ("confidences", -1, 1.5, "confidences: expected quantiles, which do not fall, from 0 to 1 at the most"),
        ("held_out", 1, 0, "held_out: 0, expected one alert of each class at the least"),
    ],
)
def test_numbers_that_no_fit_gives_are_refused(name, at, value, message):
    values = getattr(FITTED, name).copy()
    values[at] = value
    with pytest.raises(ValueError, match=message):
        known_alerts.check(FITTED._replace(**{name: values}))
